//! A webhook that notes when it is told of what.

use crate::send::now_unix_nano;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[derive(Default)]
struct Heard {
    /// By alert that fires: when the first byte of a message came, Unix nanoseconds.
    alerts: BTreeMap<String, Vec<i64>>,
    messages: u64,
    with_evidence: u64,
}

/// A webhook on a port of its own, for as long as the program runs.
pub(super) struct Hook {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

impl Hook {
    pub(super) async fn listen() -> Result<Hook> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, heard) = (listener.local_addr()?.port(), Arc::<Mutex<Heard>>::default());
        let hook = Hook { port, heard: Arc::clone(&heard) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let heard = Arc::clone(&heard);
                tokio::spawn(async move {
                    if let Err(error) = hear(stream, &heard).await {
                        eprintln!("webhook: {error:#}");
                    }
                });
            }
        });
        Ok(hook)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// When messages came, by alert that fires, in order.
    pub(super) fn heard(&self) -> BTreeMap<String, Vec<i64>> {
        let mut alerts = self.heard.lock().unwrap_or_else(PoisonError::into_inner).alerts.clone();
        alerts.values_mut().for_each(|times| times.sort_unstable());
        alerts
    }

    pub(super) fn messages(&self) -> u64 {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).messages
    }

    pub(super) fn with_evidence(&self) -> u64 {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).with_evidence
    }
}

async fn hear(mut stream: TcpStream, heard: &Mutex<Heard>) -> Result<()> {
    let mut first = None;
    let mut all = Vec::new();
    let (head, length) = loop {
        let mut some = [0; 16 << 10];
        let read = stream.read(&mut some).await?;
        anyhow::ensure!(read > 0, "the message breaks off");
        first.get_or_insert_with(|| now_unix_nano() as i64);
        all.extend_from_slice(&some[..read]);
        if let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            break (end + 4, length.context("no content-length")?.trim().parse::<usize>()?);
        }
    };
    while all.len() < head + length {
        let mut some = [0; 64 << 10];
        let read = stream.read(&mut some).await?;
        anyhow::ensure!(read > 0, "the message breaks off");
        all.extend_from_slice(&some[..read]);
    }
    stream.write_all(ANSWER).await?;
    let message: Value = serde_json::from_slice(&all[head..head + length])?;
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.messages += 1;
    heard.with_evidence += u64::from(message["evidence"].as_object().is_some_and(|evidence| !evidence.is_empty()));
    for alert in message["alerts"].as_array().into_iter().flatten().filter(|alert| alert["state"] == "firing") {
        let id = alert["id"].as_str().unwrap_or_default().to_owned();
        heard.alerts.entry(id).or_default().extend(first);
    }
    Ok(())
}
