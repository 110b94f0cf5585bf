//! A mail server that keeps what it gets.
//!
//! Source: RFC 5321 (commands, dots), RFC 4954 (AUTH PLAIN), RFC 3207 (STARTTLS).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A mail as it was handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Who logged in: user and password.
    pub(crate) login: Option<(String, String)>,
    /// Whether the connection was encrypted.
    pub(crate) encrypted: bool,
    /// Head and body, as they are without the dots of the transfer.
    pub(crate) text: String,
}

/// How it behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// Offers STARTTLS with this.
    pub(crate) starttls: Option<TlsAcceptor>,
    /// Encrypts from the beginning with this.
    pub(crate) implicit: Option<TlsAcceptor>,
    /// Offers AUTH PLAIN.
    pub(crate) login: bool,
    /// What it says instead of yes: to commands that begin like this.
    pub(crate) says: Vec<(&'static str, &'static str)>,
}

/// Where it listens, and what it got.
pub(crate) struct MailSink {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Mail>>>,
}

impl MailSink {
    pub(crate) async fn start(manners: Manners) -> MailSink {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (manners, kept) = (manners.clone(), kept.clone());
                tokio::spawn(async move {
                    match manners.implicit.clone() {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(BufReader::new(stream), &manners, true, true, &kept).await;
                            }
                        }
                        None => {
                            let mut stream = BufReader::new(stream);
                            if serve(&mut stream, &manners, true, false, &kept).await {
                                let tls = manners.starttls.clone().unwrap();
                                if let Ok(stream) = tls.accept(stream.into_inner()).await {
                                    serve(BufReader::new(stream), &manners, false, true, &kept).await;
                                }
                            }
                        }
                    }
                });
            }
        });
        MailSink { port, got }
    }

    pub(crate) fn got(&self) -> Vec<Mail> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Mail {
        let got = self.got();
        assert_eq!(got.len(), 1, "{got:?}");
        got[0].clone()
    }
}

/// Speaks until the client goes; true if it wants to go on encrypted.
async fn serve<S>(mut stream: S, manners: &Manners, greets: bool, encrypted: bool, kept: &Mutex<Vec<Mail>>) -> bool
where
    S: AsyncBufReadExt + AsyncRead + AsyncWrite + Unpin,
{
    let mut mail = Mail { encrypted, ..Mail::default() };
    if greets && say(&mut stream, "220 sink ready").await.is_none() {
        return false;
    }
    loop {
        let Some(line) = line(&mut stream).await else { return false };
        let upper = line.to_ascii_uppercase();
        let other = manners.says.iter().find(|(begin, _)| upper.starts_with(begin)).map(|said| said.1);
        let answer = match other {
            Some(other) => other.to_owned(),
            None if upper.starts_with("EHLO") => capabilities(manners, encrypted),
            None if upper == "STARTTLS" => {
                say(&mut stream, "220 go ahead").await;
                return true;
            }
            None if upper.starts_with("AUTH PLAIN ") => {
                let all = String::from_utf8(STANDARD.decode(&line[11..]).unwrap()).unwrap();
                let mut parts = all.split('\0').skip(1).map(str::to_owned);
                mail.login = parts.next().zip(parts.next());
                "235 welcome".to_owned()
            }
            None if upper.starts_with("MAIL FROM:") => {
                mail.from = address(&line);
                "250 ok".to_owned()
            }
            None if upper.starts_with("RCPT TO:") => {
                mail.to.push(address(&line));
                "250 ok".to_owned()
            }
            None if upper == "DATA" => {
                say(&mut stream, "354 go on").await;
                let Some(text) = data(&mut stream).await else { return false };
                kept.lock().unwrap().push(Mail { text, ..std::mem::take(&mut mail) });
                "250 queued".to_owned()
            }
            None if upper == "QUIT" => {
                say(&mut stream, "221 bye").await;
                return false;
            }
            None => "500 what".to_owned(),
        };
        if say(&mut stream, &answer).await.is_none() {
            return false;
        }
    }
}

fn capabilities(manners: &Manners, encrypted: bool) -> String {
    let mut all = vec!["sink"];
    if manners.starttls.is_some() && !encrypted {
        all.push("STARTTLS");
    }
    if manners.login {
        all.push("AUTH PLAIN");
    }
    all.push("8BITMIME");
    let last = all.len() - 1;
    let line = |(i, what): (usize, &&str)| format!("250{}{what}", if i == last { ' ' } else { '-' });
    all.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

async fn line<S: AsyncBufReadExt + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    let read = stream.read_until(b'\n', &mut bytes).await.ok()?;
    (read > 0).then(|| String::from_utf8(bytes).unwrap().trim_end_matches("\r\n").to_owned())
}

async fn data<S: AsyncBufReadExt + Unpin>(stream: &mut S) -> Option<String> {
    let mut text = String::new();
    loop {
        match line(stream).await?.as_str() {
            "." => return Some(text),
            line => {
                text += line.strip_prefix('.').unwrap_or(line);
                text += "\r\n";
            }
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> Option<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}
