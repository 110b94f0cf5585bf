//! A receiver of HTTP that answers as it is told and keeps what it gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// By lower-case name.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How a receiver behaves once it has read a request.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Status line, headers and body.
    Answers(u16, &'static str, &'static str),
    /// Closes without a word.
    Closes,
    /// Sends the beginning of a status line and closes.
    ClosesInHead,
    /// Says 200 and closes in the middle of the body.
    ClosesInBody,
    /// Says nothing, for ever.
    IsSilent,
    /// Says 500 and then `x` without end.
    IsEndless,
    /// Accepts, and closes before it reads.
    Refuses,
}

/// Where it listens, and what it got.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Behaves like this, request by request; like the last for all that follow.
    pub(crate) async fn start(manners: Vec<Manner>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            for turn in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let manner = manners[turn.min(manners.len() - 1)].clone();
                tokio::spawn(serve(stream, manner, kept.clone()));
            }
        });
        Receiver { port, got }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What came so far. A request is kept before it is answered.
    pub(crate) fn got(&self) -> Vec<Received> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Received {
        let got = self.got();
        assert_eq!(got.len(), 1, "{got:?}");
        got[0].clone()
    }
}

pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    manner: Manner,
    kept: Arc<Mutex<Vec<Received>>>,
) {
    if matches!(manner, Manner::Refuses) {
        return;
    }
    let Some(received) = read(&mut stream).await else { return };
    kept.lock().unwrap().push(received);
    match manner {
        Manner::Answers(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes()).await;
        }
        Manner::ClosesInHead => drop(stream.write_all(b"HTTP/1.1 200 O").await),
        Manner::ClosesInBody => drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok").await),
        Manner::IsSilent => std::future::pending::<()>().await,
        Manner::IsEndless => {
            let _ = stream.write_all(b"HTTP/1.1 500 X\r\n\r\n").await;
            while stream.write_all(&[b'x'; 8_192]).await.is_ok() {}
        }
        Manner::Closes | Manner::Refuses => {}
    }
    let _ = stream.shutdown().await;
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    Some(Received { method, path, headers, body: bytes[end..].to_vec() })
}
