//! Saved views, short links, links to outside tools: over the API, over a kill -9, and what is wrong with a file.

use crate::server::{Server, command, data_dir, serve};
use reqwest::{Method, header};
use serde_json::{Value, json};

/// What a server answers to a change: status and JSON.
async fn change(server: &Server, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().request(method, format!("{}{path}", server.http));
    let answer = request.json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn save(server: &Server, name: &str, path: &str) -> Value {
    let (status, view) = change(server, Method::POST, "/api/v1/views", json!({ "name": name, "path": path })).await;
    assert_eq!(status, 201, "{view}");
    view
}

async fn names(server: &Server) -> Vec<String> {
    let list = server.ok("/api/v1/views").await;
    list["views"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn views_are_saved_changed_and_deleted() {
    let server = Server::start();
    assert_eq!(names(&server).await, [""; 0]);
    let slow = save(&server, " 느린 결제 ", "/traces?q=%7B%20duration%20%3E%201s%20%7D&range=30m").await;
    assert_eq!((&slow["name"], &slow["description"]), (&json!("느린 결제"), &Value::Null));
    let map = save(&server, "map", "/?compare=previous").await;
    assert_eq!(names(&server).await, ["map", "느린 결제"]);
    let path = format!("/api/v1/views/{}", map["id"].as_str().unwrap());
    let wanted = json!({ "name": "the map", "path": "/", "description": "of the morning" });
    let (status, changed) = change(&server, Method::PUT, &path, wanted).await;
    assert_eq!((status, &changed["name"], &changed["path"]), (200, &json!("the map"), &json!("/")));
    assert_eq!(changed["created_unix_nano"], map["created_unix_nano"]);

    let (status, problem) = change(&server, Method::PUT, &path, json!({ "name": "느린 결제", "path": "/" })).await;
    assert_eq!((status, &problem["type"]), (409, &json!("orrery:conflict")), "{problem}");
    let (status, deleted) = change(&server, Method::DELETE, &path, Value::Null).await;
    assert_eq!((status, &deleted["description"]), (200, &json!("of the morning")));
    for method in [Method::DELETE, Method::PUT] {
        let (status, problem) = change(&server, method, &path, json!({ "name": "x", "path": "/" })).await;
        assert_eq!((status, &problem["type"]), (404, &json!("orrery:not-found")));
    }
    assert_eq!(change(&server, Method::DELETE, "/api/v1/views/none", Value::Null).await.0, 404);
}

#[tokio::test]
async fn what_may_not_be_saved_is_named() {
    let server = Server::start();
    let view = |name: &str, path: &str| json!({ "name": name, "path": path });
    for (body, field) in [
        (view("", "/"), "name"),
        (view(&"x".repeat(101), "/"), "name"),
        (view("a", "//evil.example"), "path"),
        (view("a", "https://evil.example/"), "path"),
        (view("a", "javascript:alert(1)"), "path"),
        (view("a", "/\\evil.example"), "path"),
        (view("a", "/api/v1/self"), "path"),
        (view("a", "/traces?q=a b"), "path"),
        (view("a", &format!("/{}", "x".repeat(8_000))), "path"),
        (json!({ "name": "a", "path": "/", "description": "x".repeat(1_001) }), "description"),
        (json!({ "name": "a", "path": "/", "owner": "me" }), "body"),
        (json!({ "name": "a" }), "body"),
        (json!([]), "body"),
    ] {
        let (status, problem) = change(&server, Method::POST, "/api/v1/views", body.clone()).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{body}: {problem}");
    }
    assert_eq!(names(&server).await, [""; 0]);

    let client = reqwest::Client::new();
    let post = || client.post(format!("{}/api/v1/views", server.http)).body(r#"{"name":"a","path":"/"}"#);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    // What a page elsewhere can make a browser send without asking first.
    assert_eq!(status(post()).await, 415);
    assert_eq!(status(post().header(header::CONTENT_TYPE, "text/plain")).await, 415);
    let json = || post().header(header::CONTENT_TYPE, "application/json");
    assert_eq!(status(json().header(header::ORIGIN, "https://evil.example")).await, 403);
    assert_eq!(status(json().header(header::ORIGIN, &server.http)).await, 201);
    let long = format!(r#"{{"name":"b","path":"/","description":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(status(json().body(long)).await, 413);
    let patch = client.patch(format!("{}/api/v1/views", server.http)).send().await.unwrap();
    let allowed = patch.headers()["allow"].to_str().unwrap();
    assert_eq!(patch.status().as_u16(), 405);
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn a_short_link_leads_to_its_place() {
    let server = Server::start();
    let place = "/traces?q=%7B%20%7D&from=1700000000000&to=1700000900000&view=flame";
    let (status, link) = change(&server, Method::POST, "/api/v1/links", json!({ "path": place })).await;
    assert_eq!((status, &link["path"]), (200, &json!(place)));
    let again = change(&server, Method::POST, "/api/v1/links", json!({ "path": place })).await.1;
    assert_eq!(again, link, "the same place has the same link");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let short = link["short"].as_str().unwrap();
    assert!(short.starts_with("/s/") && short.len() <= 12, "{short}");
    let answer = client.get(format!("{}{short}", server.http)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (302, place));
    for path in ["//evil.example", "/s/x", "/traces#x"] {
        let (status, problem) = change(&server, Method::POST, "/api/v1/links", json!({ "path": path })).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some("path")), "{path}");
    }
    // Where nothing is, the dashboard says so.
    let none = client.get(format!("{}/s/nothing", server.http)).send().await.unwrap();
    assert_eq!(
        (none.status().as_u16(), none.headers()["content-type"].to_str().unwrap()),
        (404, "text/html; charset=utf-8")
    );
}

#[tokio::test]
async fn what_was_saved_survives_a_kill() {
    let (_dir, data) = data_dir();
    let mut saved = Vec::new();
    let mut short = Vec::new();
    for round in 0..4 {
        let mut server = Server::start_in(&data);
        assert_eq!(names(&server).await, saved, "round {round}");
        for (place, link) in &short {
            let again = change(&server, Method::POST, "/api/v1/links", json!({ "path": place })).await.1;
            assert_eq!(&again["short"], link);
        }
        for number in 0..3 {
            let name = format!("view {round} {number}");
            save(&server, &name, "/logs").await;
            saved.push(name);
        }
        let place = format!("/traces?round={round}");
        let link = change(&server, Method::POST, "/api/v1/links", json!({ "path": place })).await.1;
        short.push((place, link["short"].clone()));
        server.kill();
    }
}

#[tokio::test]
async fn a_damaged_file_stops_nobody() {
    let (_dir, data) = data_dir();
    let mut server = Server::start_in(&data);
    save(&server, "lost", "/").await;
    server.terminate();
    let path = data.join("meta.db");
    let doctor = |arguments: &[&str]| {
        let output = command().arg("doctor").arg("--data-dir").arg(&data).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = doctor(&[]);
    assert!(code == Some(0) && said.contains("1 saved view, 0 short links"), "{said}");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..200].fill(7);
    std::fs::write(&path, &bytes).unwrap();
    let (code, said) = doctor(&[]);
    assert!(code == Some(1) && said.contains("saved views, short links and alert rules (meta.db)"), "{said}");
    let (code, said) = doctor(&["--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(1) && report["metadata"]["finding"]["what"].is_string(), "{report:#}");

    let mut server = Server::start_in(&data);
    assert_eq!(names(&server).await, [""; 0]);
    let own = server.ok("/api/v1/self").await;
    let warnings = own["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|said| said.as_str().unwrap().contains("Saved views, short links and alert rules were damaged")),
        "{own:#}"
    );
    assert_eq!(std::fs::read(data.join("quarantine/meta.db")).unwrap(), bytes);
    save(&server, "new", "/").await;
    server.terminate();
    let (code, said) = doctor(&[]);
    assert!(code == Some(0) && said.contains("metadata that did not open"), "{said}");

    std::fs::write(&path, "no database").unwrap();
    let (code, said) = doctor(&["--repair"]);
    assert!(
        code == Some(0) && said.contains("Repaired: Saved views, short links and alert rules were damaged"),
        "{said}"
    );
    let server = Server::start_in(&data);
    let own = server.ok("/api/v1/self").await;
    assert_eq!(own["warnings"], json!([]));
}

#[tokio::test]
async fn links_to_outside_tools_are_as_configured() {
    let (dir, data) = data_dir();
    let file = dir.path().join("orrery.toml");
    std::fs::write(
        &file,
        "[[links]]\nname = \"Wiki\"\nurl = \"https://wiki.example/{service.name}\"\non = [\"service\"]\n",
    )
    .unwrap();
    let mut with_file = serve(&data);
    with_file.arg("--config").arg(&file);
    let mut server = Server::run(with_file);
    let templates = server.ok("/api/v1/link-templates").await;
    assert_eq!(
        templates["templates"],
        json!([{ "name": "Wiki", "url": "https://wiki.example/{service.name}", "on": ["service"] }])
    );
    server.terminate();
    let mut with_flags = serve(&data);
    with_flags.args([
        "--link",
        "A=https://a.example/?t={trace_id}",
        "--link",
        "B=http://b.example/{attribute:customer.id}",
    ]);
    let server = Server::run(with_flags);
    let templates = server.ok("/api/v1/link-templates").await;
    assert_eq!(templates["templates"].as_array().unwrap().len(), 2, "{templates}");
    assert_eq!(templates["templates"][0]["url"], "https://a.example/?t={trace_id}");
    for (link, says) in
        [("x=javascript:alert({trace_id})", "https://"), ("x=https://{name}.example/", "host"), ("none", "Name=")]
    {
        let (_dir, data) = data_dir();
        let (code, said) = crate::server::fails(serve(&data).args(["--link", link]));
        assert!(code == 1 && said.contains(says), "{said}");
    }
}
