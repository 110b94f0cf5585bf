//! Users' own SQL: what it answers, and that it can do nothing else.

use crate::api::seeded;
use crate::otlp;
use crate::server::{Server, data_dir, serve};
use reqwest::header;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Resident memory that a server may grow by while it is attacked, MiB: it also receives meanwhile.
const GROWTH_MIB: f64 = 160.0;

async fn post(server: &Server, body: Value) -> reqwest::Response {
    let client = reqwest::Client::new();
    client.post(format!("{}/api/v1/sql", server.http)).json(&body).send().await.expect("an answer")
}

async fn ask(server: &Server, statement: &str) -> (u16, Value) {
    let response = post(server, json!({ "statement": statement })).await;
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

/// Rows of a statement that is right.
async fn rows(server: &Server, statement: &str) -> Value {
    let (status, answer) = ask(server, statement).await;
    assert_eq!(status, 200, "{statement}: {answer:#}");
    answer["rows"].clone()
}

/// Processes of a server that answer SQL.
fn workers(server: u32) -> usize {
    let of_server = |entry: std::fs::DirEntry| {
        let read = |name| std::fs::read_to_string(entry.path().join(name)).ok();
        let (stat, line) = (read("stat")?, read("cmdline")?);
        let parent: u32 = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()?;
        (parent == server && line.contains("sql-worker") && !stat.contains(") Z ")).then_some(())
    };
    std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).filter_map(of_server).count()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn statements_are_answered() {
    let server = seeded().await;
    tables(&server).await;
    forms(&server).await;
    wrong(&server).await;
    files(&server).await;
    doors(&server).await;
    assert_eq!(workers(server.pid()), 0);
}

async fn tables(server: &Server) {
    assert_eq!(
        rows(server, "SELECT service_name, count(*) FILTER (WHERE status = 'error') AS failed FROM spans WHERE service_name = 'shop-checkout' AND kind = 'server' GROUP BY ALL").await,
        json!([["shop-checkout", "2"]])
    );
    // However an attribute is stored, and whether it is asked for by name or as part of all.
    for statement in [
        "SELECT count(*) FROM spans WHERE attributes['http.route'] = '/orders' AND kind = 'server'",
        "SELECT count(*) FROM spans s WHERE s.attributes['http.route'] = '/orders' AND s.kind = 'server'",
        "SELECT count(*) FROM (SELECT attributes AS a, kind FROM spans) WHERE a['http.route'] = '/orders' AND kind = 'server'",
        "SELECT count(*) FROM (SELECT * FROM spans WHERE attributes['http.route'] = '/orders') WHERE kind = 'server'",
        "SELECT count(*) FROM spans WHERE resource['service.name'] = 'shop-checkout' AND attributes['http.route'] = '/orders' AND kind = 'server'",
    ] {
        assert_eq!(rows(server, statement).await, json!([["10"]]), "{statement}");
    }
    let (_, answer) =
        ask(server, "SELECT attributes['http.route'], upper(resource['service.name']) FROM spans LIMIT 1").await;
    assert_eq!(answer["columns"][0]["name"], "attributes['http.route']", "{answer:#}");
    assert_eq!(answer["columns"][1]["name"], "upper(resource['service.name'])", "{answer:#}");
    let (_, all) = ask(server, "SELECT * FROM spans WHERE attributes['http.route'] = '/orders' LIMIT 1").await;
    let names: Vec<&str> =
        all["columns"].as_array().unwrap().iter().filter_map(|column| column["name"].as_str()).collect();
    assert!(names.contains(&"attributes") && names.iter().all(|name| !name.contains('@')), "{names:?}");
    let attributes = names.iter().position(|name| *name == "attributes").unwrap();
    assert_eq!(all["rows"][0][attributes]["http.route"], "/orders", "{all:#}");

    let trace = format!("{:032x}", otlp::trace_of(5));
    assert_eq!(
        rows(server, &format!("SELECT count(*) FROM logs l JOIN (SELECT DISTINCT trace_id FROM spans) s USING (trace_id) WHERE l.trace_id = '{trace}'")).await,
        json!([["2"]])
    );
    assert_eq!(
        rows(server, "SELECT body FROM logs WHERE severity_number >= 17").await,
        json!([["charge failed: Card Declined"]])
    );
    assert_eq!(rows(server, "SELECT count(*) FROM metrics").await, json!([["8"]]));
    assert_eq!(rows(server, "SELECT count(*) > 0, max(start_time) <= now() FROM spans WHERE start_time > now() - INTERVAL 1 HOUR AND start_time < current_timestamp").await, json!([[true, true]]));
    let past = post(server, json!({ "statement": "SELECT count(*) FROM spans", "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z" })).await;
    assert_eq!(past.json::<Value>().await.unwrap()["rows"], json!([["0"]]));

    let schema = server.ok("/api/v1/sql/schema").await;
    let table =
        |name: &str| schema["tables"].as_array().unwrap().iter().find(|table| table["name"] == name).cloned().unwrap();
    let keys = table("spans")["columns"]
        .as_array()
        .unwrap()
        .iter()
        .find(|column| column["name"] == "attributes")
        .cloned()
        .unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["key"] == "http.route"), "{keys:#}");
    for name in ["spans", "logs", "metrics"] {
        let (status, answer) = ask(server, &format!("SELECT * FROM {name} LIMIT 3")).await;
        assert_eq!(status, 200, "{answer:#}");
        let promised: Vec<Value> = table(name)["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| json!([column["name"], column["type"]]))
            .collect();
        let given: Vec<Value> = answer["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| json!([column["name"], column["type"]]))
            .collect();
        assert_eq!(given, promised, "{name}");
        assert!(!answer["rows"].as_array().unwrap().is_empty(), "{name}");
    }
    for statement in [
        "DESCRIBE spans",
        "SUMMARIZE logs",
        "FROM metrics",
        "SHOW TABLES",
        "WITH x AS (SELECT 1 AS i) SELECT * FROM x",
        "SELECT 1 -- end\n;;",
        "SELECT * FROM (SELECT kind, status FROM spans) PIVOT (count(*) FOR status IN ('ok', 'error'))",
    ] {
        rows(server, statement).await;
    }
}

async fn forms(server: &Server) {
    let (_, answer) = ask(server, "SELECT 9007199254740993, 1::INTEGER, 0.5::DOUBLE, true, NULL, 'q', [1, 2]::INTEGER[], {'a': 1}, TIMESTAMP '2026-01-02 03:04:05', '\\x00\\xFF'::BLOB").await;
    assert_eq!(
        answer["rows"],
        json!([["9007199254740993", 1, 0.5, true, null, "q", [1, 2], {"a": 1}, "2026-01-02T03:04:05", "00ff"]]),
        "{answer:#}"
    );
    assert!(answer["elapsed_nanos"].as_str().is_some_and(|nanos| nanos.parse::<u64>().is_ok()));
    let (_, answer) = ask(server, "SELECT * FROM range(1000000000)").await;
    assert_eq!((answer["rows"].as_array().map(Vec::len), answer["cut"].as_bool()), (Some(10_000), Some(true)));
    let few = post(server, json!({ "statement": "SELECT * FROM range(10)", "max_rows": 3 }))
        .await
        .json::<Value>()
        .await
        .unwrap();
    assert_eq!((few["rows"].clone(), few["cut"].clone()), (json!([["0"], ["1"], ["2"]]), json!(true)));
    let none = ask(server, "SELECT name FROM spans WHERE false").await.1;
    assert_eq!((none["rows"].clone(), none["columns"][0]["type"].clone()), (json!([]), json!("VARCHAR")));
}

async fn wrong(server: &Server) {
    for (statement, place, says) in [
        ("SELEC 1", Some((0, 5)), "syntax error"),
        ("SELECT nme FROM spans", Some((7, 3)), "name"),
        ("SELECT '한국', nme FROM spans", Some((13, 3)), "nme"),
        ("SELECT * FROM spanz", Some((14, 5)), "spans"),
        ("SELECT attributes['a'], nope('x') FROM spans", Some((24, 9)), "nope"),
        ("SELECT attributes['http.route'], name::INTEGER FROM spans", Some((37, 9)), "convert"),
        ("", None, "no statement"),
        ("SELECT 1; SELECT 2", None, "one statement"),
        ("DELETE FROM spans", None, "only SELECT"),
        ("SELECT ?", Some((7, 1)), "parameters"),
        ("PIVOT spans ON name USING count(*)", None, "PIVOT"),
    ] {
        let (status, problem) = ask(server, statement).await;
        assert_eq!((status, problem["type"].as_str()), (400, Some("orrery:invalid-query")), "{statement}: {problem:#}");
        let found = problem["place"]
            .as_object()
            .map(|place| (place["offset"].as_u64().unwrap(), place["length"].as_u64().unwrap()));
        assert_eq!(found.map(|found| found.0), place.map(|place| place.0), "{statement}: {problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{statement}: {problem:#}");
    }
    for (body, field) in [
        (json!({ "statement": "SELECT 1", "from": "yesterday" }), "from"),
        (json!({ "statement": "SELECT 1", "format": "xml" }), "format"),
        (json!({ "statement": "SELECT 1", "max_rows": 1_000_000_000 }), "max_rows"),
        (json!({ "query": "SELECT 1" }), "statement"),
    ] {
        let response = post(server, body).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.json::<Value>().await.unwrap()["field"], field);
    }
}

async fn files(server: &Server) {
    let statement = "SELECT name, '=1+1' AS formula, duration_nanos, attributes['http.route'] AS route, name FROM spans ORDER BY span_id";
    let file = async |format: &str| {
        let response = post(server, json!({ "statement": statement, "format": format })).await;
        assert_eq!(response.status(), 200);
        let media = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().contains(&format!("query.{format}")));
        (media, response.bytes().await.unwrap())
    };
    let (media, csv) = file("csv").await;
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    assert_eq!(media, "text/csv; charset=utf-8");
    assert_eq!(
        (csv.lines().next(), csv.lines().count()),
        (Some("name,formula,duration_nanos,route,name"), 92),
        "{csv}"
    );
    assert!(csv.lines().nth(1).unwrap().contains(",'=1+1,"), "{csv}");
    let (_, parquet) = file("parquet").await;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let parquet = SerializedFileReader::new(parquet).expect("a Parquet file");
    assert_eq!(parquet.metadata().file_metadata().num_rows(), 91);
    let by_accept = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", server.http))
        .header(header::ACCEPT, "text/csv")
        .json(&json!({ "statement": "SELECT 1 AS one" }));
    assert_eq!(by_accept.send().await.unwrap().text().await.unwrap(), "one\r\n1\r\n");
    let packed = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", server.http))
        .header(header::ACCEPT_ENCODING, "gzip")
        .json(&json!({ "statement": statement, "format": "csv" }));
    assert!(packed.send().await.unwrap().bytes().await.is_ok(), "a compressed file ends, too");
    let too_long = post(server, json!({ "statement": "SELECT * FROM range(100000000)", "format": "csv" })).await;
    assert!(too_long.bytes().await.is_err(), "half a file is not taken for a whole one");
}

async fn doors(server: &Server) {
    let url = format!("{}/api/v1/sql", server.http);
    let client = reqwest::Client::new();
    let body = json!({ "statement": "SELECT 1" });
    let foreign = client.post(&url).header(header::ORIGIN, "http://evil.example").json(&body).send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let form =
        client.post(&url).header(header::CONTENT_TYPE, "text/plain").body(body.to_string()).send().await.unwrap();
    assert_eq!(form.status(), 400);
    let get = client.get(&url).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()[header::ALLOW].to_str().unwrap()), (405, "POST"));

    // Whoever goes takes his process along.
    let endless =
        json!({ "statement": "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t" });
    let running = tokio::spawn(client.post(&url).json(&endless).send());
    until("a process", || workers(server.pid()) == 1).await;
    running.abort();
    until("no process", || workers(server.pid()) == 0).await;

    // As many as there may be, and then one more.
    let two = [0, 1].map(|_| tokio::spawn(client.post(&url).json(&endless).send()));
    until("two processes", || workers(server.pid()) == 2).await;
    let third = client.post(&url).json(&body).send().await.unwrap();
    assert_eq!((third.status().as_u16(), third.headers().contains_key(header::RETRY_AFTER)), (503, true));
    two.iter().for_each(|one| one.abort());
    until("no process", || workers(server.pid()) == 0).await;
}

#[tokio::test]
async fn a_killed_server_leaves_no_process() {
    let mut server = Server::start();
    let url = format!("{}/api/v1/sql", server.http);
    let endless =
        json!({ "statement": "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t" });
    let running = tokio::spawn(reqwest::Client::new().post(url).json(&endless).send());
    until("a process", || workers(server.pid()) == 1).await;
    let is_worker = |entry: &std::fs::DirEntry| {
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        line.contains("sql-worker") && line.contains(&format!("\0{}\0", server.pid()))
    };
    let worker = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).find(is_worker).unwrap().path();
    server.kill();
    until("its end", || !worker.exists()).await;
    _ = running.await;
}

/// What may come of a hostile statement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is not even tried.
    Refused,
    /// It is ended, by a limit of the engine, of the process or of time.
    Ended,
    /// It costs too little to be ended, or is ended: both will do.
    Contained,
}

/// `$canary`: a file of others; `$data`: the data directory; `$out`: a folder that stays empty; `$port`: of the server.
fn hostile() -> Vec<(Fate, String)> {
    use Fate::{Contained, Ended, Refused};
    let mut all: Vec<(Fate, String)> = [
        (Refused, "SELECT * FROM read_csv('/etc/passwd')"),
        (Refused, "SELECT * FROM read_text('$canary')"),
        (Refused, "SELECT * FROM read_blob('$data/wal/*')"),
        (Refused, "SELECT * FROM read_json('$data/manifest.json')"),
        (Refused, "SELECT * FROM read_parquet('$data/segments/*.parquet')"),
        (Refused, "SELECT * FROM parquet_metadata('$data/segments/*.parquet')"),
        (Refused, "FROM '$canary'"),
        (Refused, "SELECT (SELECT content FROM read_text('$canary')) FROM spans"),
        (Refused, "SELECT * FROM glob('/etc/*')"),
        (Refused, "SELECT * FROM sniff_csv('/etc/passwd')"),
        (Refused, "SELECT * FROM read_csv('http://127.0.0.1:$port/')"),
        (Refused, "SELECT * FROM read_text('/proc/self/environ')"),
        (Refused, "SELECT * FROM system.main.read_text('$canary')"),
        (Refused, "SELECT * FROM spans, LATERAL (SELECT * FROM read_text('$canary'))"),
        (Refused, "SELECT * FROM 'https://example.com/a.parquet'"),
        (Refused, "SELECT * FROM sqlite_scan('$data/meta.db', 'view')"),
        (Refused, "COPY FROM DATABASE memory TO memory"),
        (Refused, "COPY (SELECT 1) TO '$out/a.csv'"),
        (Refused, "COPY spans FROM '$canary'"),
        (Refused, "COPY (SELECT 1) TO '$data/manifest.json' (USE_TMP_FILE false)"),
        (Refused, "WITH x AS (COPY (SELECT 1) TO '$out/b.csv') SELECT 1"),
        (Refused, "WITH x AS (INSERT INTO spans SELECT * FROM spans RETURNING *) SELECT * FROM x"),
        (Refused, "EXPORT DATABASE '$out/export'"),
        (Refused, "IMPORT DATABASE '$out/export'"),
        (Refused, "ATTACH '$out/evil.db' AS evil"),
        (Refused, "ATTACH '$data/rollups.duckdb' AS rollups (READ_ONLY)"),
        (Refused, "ATTACH ':memory:' AS m"),
        (Refused, "INSTALL httpfs"),
        (Refused, "LOAD httpfs"),
        (Refused, "LOAD '$canary'"),
        (Refused, "CREATE SECRET s (TYPE S3, KEY_ID 'a', SECRET 'b')"),
        (Refused, "CREATE TABLE t AS SELECT 1"),
        (Refused, "DROP VIEW spans"),
        (Refused, "SET memory_limit = '100GB'"),
        (Refused, "RESET lock_configuration"),
        (Refused, "SET GLOBAL enable_external_access = true"),
        (Refused, "PRAGMA enable_profiling"),
        (Refused, "PRAGMA database_list"),
        (Refused, "CALL pragma_version()"),
        (Refused, "CHECKPOINT"),
        (Refused, "SELECT getenv('HOME')"),
        (Refused, "SELECT main.\"GetEnv\"('HOME')"),
        (Refused, "SELECT list_transform([1], lambda x: getenv('HOME'))"),
        (Refused, "SELECT * FROM duckdb_secrets()"),
        (Refused, "SELECT * FROM pg_catalog.pg_settings"),
        (Refused, "EXPLAIN ANALYZE SELECT * FROM read_text('$canary')"),
        (Refused, "PIVOT (SELECT range AS i FROM range(5000)) ON i USING count(*)"),
        (Refused, "SELECT current_setting('temp_directory')"),
        (Refused, "SELECT * FROM duckdb_settings()"),
        (Refused, "SELECT sql FROM duckdb_views()"),
        (Refused, "SELECT * FROM information_schema.tables"),
        (Refused, "SELECT * FROM query('SELECT * FROM read_text(''$canary'')')"),
        (Refused, "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''$canary'')'))"),
        (Refused, "SELECT 1; COPY (SELECT 1) TO '$out/c.csv'"),
        (Refused, "PREPARE p AS SELECT 1"),
        (Ended, "SELECT length(repeat('x', 2000000000))"),
        (Ended, "SELECT length(lpad('x', 2000000000, 'y'))"),
        (Ended, "SELECT length(string_agg(repeat('x', 1000000), '')) FROM range(100000)"),
        (Ended, "SELECT len(generate_series(1, 500000000))"),
        (Ended, "SELECT list_sum(list(range)) FROM range(1000000000)"),
        (Ended, "SELECT list_aggregate(list_transform(range(50000000), lambda x: repeat('y', 1000)), 'max')"),
        (Ended, "SELECT max(a.range * b.range) FROM range(1000000000) a, range(1000000000) b"),
        (Ended, "SELECT count(*) FROM spans a, spans b, spans c, spans d, spans e, spans f WHERE a.name || b.name || c.name || d.name || e.name || f.name = 'x'"),
        (Ended, "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t"),
        (Ended, "WITH RECURSIVE t(i) AS (SELECT 'x' UNION ALL SELECT i || i FROM t) SELECT max(length(i)) FROM t"),
        (Ended, "SELECT count(DISTINCT range) FROM range(1000000000000)"),
        (Ended, "SELECT range FROM range(1000000000) ORDER BY hash(range) DESC LIMIT 1 OFFSET 999999990"),
        (Ended, "SELECT histogram(range) FROM range(1000000000)"),
        (Contained, "SELECT repeat('x', 100000000)"),
        (Contained, "SELECT repeat('x', 1000000) FROM range(1000000)"),
        (Contained, "SELECT regexp_matches(repeat('a', 1000000), '(((a+)+)+)+$b')"),
        (Contained, "SELECT regexp_replace(repeat('a', 1000000), '(a{1,1000}){1,1000}', 'b')"),
        (Contained, "SELECT printf('%1000000000d', 1)"),
        (Contained, "SELECT * FROM range(1000000000000)"),
        (Contained, "SELECT format('{:>999999999}', 'x')"),
    ]
    .map(|(fate, statement)| (fate, statement.to_owned()))
    .into();
    let list = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    all.push((Contained, format!("SELECT * FROM (SELECT range AS i, range % 5000 AS k, range % 97 AS g FROM range(1000000)) PIVOT (sum(i) FOR k IN ({}) GROUP BY g)", list(5_000))));
    all.push((Contained, format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000))));
    all.push((Contained, format!("SELECT {}1{}", "abs(".repeat(20_000), ")".repeat(20_000))));
    all.push((Contained, format!("SELECT 1{}", " + 1".repeat(50_000))));
    all.push((Contained, format!("SELECT {}1", "NOT ".repeat(50_000))));
    all.push((Contained, format!("SELECT {}1{}", "(SELECT ".repeat(20_000), ")".repeat(20_000))));
    all.push((Contained, format!("SELECT {}{}", "[".repeat(100_000), "]".repeat(100_000))));
    all.push((Contained, vec!["SELECT 1"; 10_000].join(" UNION ALL ")));
    all.push((Contained, format!("SELECT {}", list(30_000))));
    all.push((Contained, "SELECT 1;".repeat(20_000)));
    all
}

/// What others ask meanwhile.
const OTHERS: [&str; 3] = ["/api/v1/services", "/api/v1/traces?service=shop-checkout&limit=5", "/api/v1/topology"];

fn has_found(answer: &Value) -> bool {
    let found = ["services", "traces", "nodes"].iter().find_map(|list| answer[list].as_array());
    found.is_some_and(|found| !found.is_empty())
}

#[tokio::test]
async fn hostile_statements_are_contained() {
    let (dir, data) = data_dir();
    let mut command = serve(&data);
    command.args(["--query-timeout", "3s"]);
    let server = Server::run(command);
    otlp::over_http(&server, "traces", &otlp::checkout(1, true)).await;
    let (canary, out) = (dir.path().join("canary.txt"), dir.path().join("out"));
    std::fs::write(&canary, "the canary sings").unwrap();
    std::fs::create_dir(&out).unwrap();
    let port = server.http.rsplit(':').next().unwrap().to_owned();
    let (before, listing) = (server.process.rss_mib(), listing(dir.path()));
    let started = server.ok("/api/v1/self").await["started_unix_nano"].clone();
    for path in OTHERS {
        server.until(path, has_found).await;
    }

    let all = hostile();
    assert!(all.len() >= 25);
    // Telemetry goes on coming meanwhile, and is taken.
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let sending = async {
        while !stop.load(Ordering::Relaxed) {
            let number = sent.fetch_add(1, Ordering::Relaxed) + 2;
            otlp::over_http(&server, "traces", &otlp::checkout(number, false)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // And others go on asking, and are answered.
    let answered = AtomicU64::new(0);
    let asking = async {
        while !stop.load(Ordering::Relaxed) {
            for path in OTHERS {
                let answer = server.ok(path).await;
                assert!(has_found(&answer), "{path}: {answer}");
                assert_eq!(answer["partial"], Value::Null, "{path}: {answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let attack = async {
        for (fate, statement) in &all {
            let statement = statement
                .replace("$canary", &canary.to_string_lossy())
                .replace("$data", &data.to_string_lossy())
                .replace("$out", &out.to_string_lossy())
                .replace("$port", &port);
            let shown: String = statement.chars().take(120).collect();
            let (status, answer) = ask(&server, &statement).await;
            let as_expected = match fate {
                Fate::Refused => status == 400,
                Fate::Ended => status == 422 || status == 504,
                Fate::Contained => [200, 400, 422, 504].contains(&status),
            };
            let text = answer.to_string();
            let said: String = text.chars().take(400).collect();
            eprintln!("{fate:?} {status} {shown}: {}", answer["detail"].as_str().unwrap_or("an answer"));
            assert!(as_expected, "{shown}: {status} {said}");
            assert!(
                status == 200 || answer["detail"].as_str().is_some_and(|detail| detail.len() > 10),
                "{shown}: {said}"
            );
            assert!(!text.contains("SET "), "advice that nobody can follow: {said}");
            assert!(!text.contains("the canary sings") && !text.contains("root:"), "{shown}: {said}");
            let (ready, _) = server.get("/readyz").await;
            assert_eq!(ready, 200, "after {shown}");
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(attack, sending, asking);
    until("no process", || workers(server.pid()) == 0).await;

    let spans = sent.load(Ordering::Relaxed) + 1;
    let counted =
        "SELECT count(*) FROM spans WHERE name = 'POST /orders' AND kind = 'server' AND service_name = 'shop-checkout'";
    let answered = answered.into_inner();
    eprintln!("{} statements; meanwhile {spans} requests received and {answered} questions answered", all.len());
    assert!(answered > all.len() as u64, "{answered} questions");
    let began = Instant::now();
    loop {
        let count = rows(&server, counted).await;
        if count == json!([[spans.to_string()]]) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{count} of {spans}");
    }
    assert_eq!(server.ok("/api/v1/self").await["started_unix_nano"], started, "another server");
    let grown = server.process.rss_mib() - before;
    eprintln!("grown from {before:.0} MiB by {grown:.0} MiB, {:.0} MiB at most", server.process.peak_rss_mib());
    assert!(grown < GROWTH_MIB, "the server grew by {grown:.0} MiB");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "something was written");
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "the canary sings");
    assert_eq!(self::listing(dir.path()), listing, "files came or went");
    assert_eq!(std::fs::read_dir(data.join("tmp/sql")).unwrap().count(), 0, "a file stays");
}

/// What lies in a directory and is not the server's own growing work.
fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for folder in [dir.to_owned(), dir.join("data"), dir.join("out")] {
        names.extend(
            std::fs::read_dir(&folder).unwrap().filter_map(Result::ok).map(|file| file.path().display().to_string()),
        );
    }
    // The server's own, which come when something is sealed.
    names.retain(|name| !name.contains("manifest") && !name.contains("rollups"));
    names.sort();
    names
}
