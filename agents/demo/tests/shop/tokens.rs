//! Tokens really expire and are really renewed.

use std::time::Duration;

use orrery_demo::Config;
use serde_json::{Value, json};

use crate::config;
use crate::sink::Sink;

struct Door {
    base: String,
    http: reqwest::Client,
}

impl Door {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.base)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn cart(&self, token: &Value) -> (u16, Value) {
        let request = self.http.get(format!("{}/api/cart", self.base)).bearer_auth(token.as_str().unwrap());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_expires_and_is_renewed_once() {
    let sink = Sink::start().await;
    let shop = orrery_demo::start(Config { token_ttl_seconds: 2, ..config(&sink, 0.0) }).await.unwrap();
    let door = Door { base: format!("http://{}", shop.gateway()), http: reqwest::Client::new() };

    let (status, refused) = door.post("/api/login", json!({ "user": "ann", "password": "guess" })).await;
    assert_eq!((status, refused["code"].as_str()), (401, Some("wrong_password")));
    let (status, first) = door.post("/api/login", json!({ "user": "ann", "password": "demo-ann" })).await;
    assert_eq!((status, first["expires_in"].as_u64()), (200, Some(2)));

    let (status, cart) = door.cart(&first["access_token"]).await;
    assert_eq!((status, cart["user"].as_str()), (200, Some("ann")), "{cart}");
    assert_eq!(door.cart(&json!("no.such.token")).await.1["code"], "token_invalid");
    tokio::time::sleep(Duration::from_millis(2100)).await; // the token's own life
    let (status, problem) = door.cart(&first["access_token"]).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("token_expired")));

    let (status, second) = door.post("/api/token", json!({ "refresh_token": first["refresh_token"] })).await;
    assert_eq!(status, 200);
    assert_eq!(door.cart(&second["access_token"]).await.0, 200);
    let (status, again) = door.post("/api/token", json!({ "refresh_token": first["refresh_token"] })).await;
    assert_eq!((status, again["code"].as_str()), (401, Some("session_expired")));
    shop.stop().await;
}
