//! Mails, taken apart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

/// A piece of a mail, taken apart by the rules of MIME.
pub(crate) struct Entity {
    pub(crate) headers: HashMap<String, String>,
    /// Decoded; empty for those of several parts.
    pub(crate) body: Vec<u8>,
    pub(crate) parts: Vec<Entity>,
}

impl Entity {
    pub(crate) fn parse(text: &str) -> Entity {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: HashMap<String, String> = unfolded.split("\r\n").filter_map(header).collect();
        let type_ = headers.get("content-type").cloned().unwrap_or_default();
        let Some(boundary) = type_.split("boundary=").nth(1).map(|rest| rest.trim_matches('"')) else {
            let body = decoded(body, headers.get("content-transfer-encoding").map(String::as_str));
            return Entity { headers, body, parts: Vec::new() };
        };
        let closed = body.split(&format!("--{boundary}--")).next().unwrap();
        let parts = closed.split(&format!("--{boundary}\r\n")).skip(1).map(Entity::parse).collect();
        Entity { headers, body: Vec::new(), parts }
    }

    pub(crate) fn type_(&self) -> &str {
        self.headers["content-type"].split(';').next().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn decoded(body: &str, encoding: Option<&str>) -> Vec<u8> {
    match encoding {
        Some("base64") => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        Some("quoted-printable") => {
            let joined = body.replace("=\r\n", "");
            let mut out = Vec::new();
            let mut bytes = joined.bytes();
            while let Some(byte) = bytes.next() {
                match byte {
                    b'=' => {
                        let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                        out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                    }
                    byte => out.push(byte),
                }
            }
            out
        }
        _ => body.as_bytes().to_vec(),
    }
}
