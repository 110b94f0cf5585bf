//! Where the traces that are found spend their time.

use crate::server::Server;
use serde_json::Value;

/// Path to its numbers: spans, failed ones, own and total milliseconds.
fn paths(flame: &Value, side: &str) -> Vec<(String, [i64; 4])> {
    let mut named: Vec<String> = Vec::new();
    let mut paths = Vec::new();
    for node in flame["nodes"].as_array().unwrap() {
        let above = node["parent"].as_u64().map_or(String::new(), |parent| format!("{} > ", named[parent as usize]));
        let service =
            node["service"].as_u64().map_or("others", |at| flame["services"][at as usize]["name"].as_str().unwrap());
        named.push(format!("{above}{service} {}", node["name"].as_str().unwrap_or_default()));
        let nanos = |key: &str| node[side][key].as_str().unwrap().parse::<i64>().unwrap() / 1_000_000;
        let count = |key: &str| node[side][key].as_f64().unwrap() as i64;
        let numbers = [count("count"), count("errors"), nanos("self_nanos"), nanos("total_nanos")];
        paths.push((named.last().unwrap().rsplit(" > ").next().unwrap().to_owned(), numbers));
    }
    paths
}

fn path(paths: &[(String, [i64; 4])], name: &str) -> [i64; 4] {
    paths.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} in {paths:#?}")).1
}

pub(crate) async fn where_time_goes(server: &Server) {
    let query = "q=%7B%20name%20%3D%20%22POST%20%2Fcheckout%22%20%7D";
    let flame = server.ok(&format!("/api/v1/traces/flame?{query}")).await;
    assert_eq!(flame["now"], serde_json::json!({ "traces": 10, "weight": 10.0, "candidates": 10 }));
    assert_eq!((&flame["before"], &flame["partial"]), (&Value::Null, &Value::Null));
    let found = paths(&flame, "now");
    assert_eq!(path(&found, "shop-web POST /checkout"), [10, 2, 100, 1200]);
    assert_eq!(path(&found, "shop-web POST"), [10, 2, 100, 1100]);
    assert_eq!(path(&found, "shop-checkout POST /orders"), [10, 2, 350, 1000]);
    assert_eq!(path(&found, "shop-checkout SELECT shop.cart"), [10, 0, 50, 50]);
    assert_eq!(path(&found, "shop-payment oteldemo.Payment/Charge"), [10, 2, 400, 400]);

    // From the spans that match, and of failed traces alone.
    let of =
        "q=%7B%20resource.service.name%20%3D%20%22shop-payment%22%20%26%26%20status%20%3D%20error%20%7D&begin=match";
    let flame = server.ok(&format!("/api/v1/traces/flame?{of}")).await;
    assert_eq!(paths(&flame, "now"), [("shop-payment oteldemo.Payment/Charge".to_owned(), [2, 2, 80, 80])]);

    // Beside a time before there was anything.
    let flame = server.ok(&format!("/api/v1/traces/flame?{query}&compare_to=now-1d&paths=2")).await;
    assert_eq!(flame["before"], serde_json::json!({ "traces": 0, "weight": 0.0, "candidates": 0 }));
    assert!(flame["compared_with"]["to"].is_string());
    let (now, before) = (paths(&flame, "now"), paths(&flame, "before"));
    assert_eq!(now.len(), 3, "two, and the others: {now:#?}");
    assert_eq!(path(&now, "others "), [60, 6, 1000, 1000]);
    assert!(before.iter().all(|(_, numbers)| *numbers == [0; 4]));

    for (wrong, field) in [("begin=middle", "begin"), ("traces=0", "traces"), ("q=%7B%20%7D%20%7C%20rate()", "q")] {
        let (status, problem) = server.get(&format!("/api/v1/traces/flame?{wrong}")).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{wrong}: {problem}");
    }
}
