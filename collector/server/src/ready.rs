//! `orrery ready`: asks a running server whether it is ready, without curl in the image.

use crate::app::reachable;
use crate::settings;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

/// Fails unless the server that listens on `http` answers `/readyz` with 200.
pub(crate) fn ask(http: &str) -> Result<()> {
    let listen = settings::listen("--http", Some(http.to_owned()), 7070)?;
    let address = reachable(listen.address);
    let answer = get(address).with_context(|| format!("no answer from {address}"))?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => bail!("{address} is not ready: {}", answer.lines().last().unwrap_or_default()),
    }
}

fn get(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", orrery_api::paths::READYZ)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
