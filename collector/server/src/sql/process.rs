//! One statement, one process: starting it, reading its answer, ending it.

use crate::api::failure::Failure;
use anyhow::{Context, anyhow};
use bytes::Bytes;
use orrery_storage::sandbox::frame;
use orrery_storage::sandbox::frame::{Cause, Column, End, Failed};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// Longest complaint of a process that is logged.
const COMPLAINT: u64 = 4 << 10;

/// A process at work. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    answer: ChildStdout,
    feeding: JoinHandle<()>,
    complaint: JoinHandle<String>,
    /// Time it may still take. A reader who takes his time does not use it up.
    left: Duration,
}

/// What it says next.
pub(crate) enum Said {
    Columns(Vec<Column>),
    Rows(Bytes),
    End(End),
}

impl Running {
    /// Starts a process for a task. It ends when its time is over, whatever it does.
    pub(crate) fn start(task: Vec<u8>, limit: Duration) -> Result<Running, Failure> {
        // Whatever became of the file since this process was started from it.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("sql-worker")
            .args(["--parent", &std::process::id().to_string()])
            .args(["--seconds", &(limit.as_secs() + 1).to_string()])
            .env_clear()
            // A library of the engine, where it is one, is found as it was for this process.
            .envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("no process for a query").map_err(Failure::Internal)?;
        let (mut stdin, answer, stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => return Err(Failure::Internal(anyhow!("a process without pipes"))),
        };
        // One that ends early says why; that its pipe broke does not matter.
        let feeding = tokio::spawn(async move { _ = stdin.write_all(&task).await });
        let complaint = tokio::spawn(async move {
            let mut said = Vec::new();
            _ = stderr.take(COMPLAINT).read_to_end(&mut said).await;
            String::from_utf8_lossy(&said).into_owned()
        });
        Ok(Running { child, answer, feeding, complaint, left: limit })
    }

    /// The next part of the answer.
    pub(crate) async fn next(&mut self, statement: &str) -> Result<Said, Failure> {
        let began = Instant::now();
        let read = tokio::time::timeout(self.left, read(&mut self.answer)).await;
        self.left = self.left.saturating_sub(began.elapsed());
        match read {
            Err(_) => {
                _ = self.child.start_kill();
                Err(Failure::Deadline)
            }
            Ok(Err(_)) => Err(self.ended().await),
            Ok(Ok((kind, content))) => said(kind, content, statement),
        }
    }

    /// Why it ended without saying so.
    async fn ended(&mut self) -> Failure {
        let status = match tokio::time::timeout(Duration::from_secs(1), self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Failure::Internal(error.into()),
            Err(_) => return Failure::Internal(anyhow!("a query's process closed its pipe and lives on")),
        };
        let complaint = (&mut self.complaint).await.unwrap_or_default();
        tracing::warn!(%status, complaint = complaint.trim(), "a query's process ended early");
        match status.signal() {
            Some(libc::SIGXCPU) => Failure::Deadline,
            Some(signal) => Failure::TooMuch(format!(
                "The query needed more memory, or was nested more deeply, than is allowed: its process was ended (signal {signal}). Nothing else was affected."
            )),
            None => Failure::Internal(anyhow!("a query's process ended early: {status}: {}", complaint.trim())),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.feeding.abort();
        self.complaint.abort();
    }
}

async fn read(answer: &mut ChildStdout) -> std::io::Result<(u8, Bytes)> {
    let mut head = [0; frame::HEAD];
    answer.read_exact(&mut head).await?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > frame::MOST {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut content = vec![0; length];
    answer.read_exact(&mut content).await?;
    Ok((head[0], content.into()))
}

fn said(kind: u8, content: Bytes, statement: &str) -> Result<Said, Failure> {
    let unreadable = |error: serde_json::Error| Failure::Internal(error.into());
    match kind {
        frame::COLUMNS => Ok(Said::Columns(serde_json::from_slice(&content).map_err(unreadable)?)),
        frame::ROWS => Ok(Said::Rows(content)),
        frame::END => Ok(Said::End(serde_json::from_slice(&content).map_err(unreadable)?)),
        frame::FAILED => Err(failure(serde_json::from_slice(&content).map_err(unreadable)?, statement)),
        other => Err(Failure::Internal(anyhow!("a query's process sent a frame of kind {other}"))),
    }
}

fn failure(failed: Failed, statement: &str) -> Failure {
    match failed.cause {
        Cause::Statement => Failure::Statement {
            detail: failed.message,
            place: failed.place.map(|place| in_characters(place, statement)),
        },
        Cause::Limit => Failure::TooMuch(sentence(&failed.message)),
        Cause::Engine => Failure::Internal(anyhow!("sql: {}", failed.message)),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// A place in bytes as the API says it.
fn in_characters((offset, length): (usize, usize), statement: &str) -> orrery_api::Place {
    let count = |end: usize| {
        let end = (0..=end.min(statement.len())).rev().find(|at| statement.is_char_boundary(*at)).unwrap_or(0);
        statement[..end].chars().count() as u32
    };
    let start = count(offset);
    orrery_api::Place { offset: start, length: count(offset.saturating_add(length)).saturating_sub(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        let place = |offset, length| in_characters((offset, length), "결제 selec");
        assert_eq!(place(7, 5), orrery_api::Place { offset: 3, length: 5 });
        assert_eq!(place(100, 5), orrery_api::Place { offset: 8, length: 0 });
        assert_eq!(sentence("needs more"), "Needs more.");
    }
}
