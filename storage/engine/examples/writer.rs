//! Appends spans until it is killed, and says on stdout, one line per request, what was acknowledged. Used by
//! `tests/rigs/open_files.rs`.

#[path = "../tests/support/shop.rs"]
mod shop;

use orrery_query::Store;
use orrery_storage::{Config, Engine};
use std::io::Write;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().expect("the data directory");
    let first: u64 = arguments.next().expect("the first request").parse()?;
    let compact_rows = arguments.next().map_or(Ok(2_000), |rows| rows.parse())?;
    let config = Config {
        seal_after: Duration::from_millis(300),
        wal_file_bytes: 100_000,
        disk_reserve_bytes: 0,
        retention: None,
        compact_rows,
        hot_bytes: 1 << 30,
        query_memory_bytes: 256 << 20,
        ..Config::new(dir)
    };
    let engine = Engine::open(config, Arc::new(shop::Shop))?;
    let (send, acknowledged) = mpsc::channel();
    // The line is written by the thread that acknowledges: what is in the pipe when this process dies stays there.
    std::thread::spawn(move || {
        let mut out = std::io::stdout().lock();
        for seed in acknowledged {
            _ = writeln!(out, "{seed}").and_then(|()| out.flush());
        }
    });
    for seed in first.. {
        let (body, batch) = shop::request(seed, 20);
        let send = send.clone();
        engine.append(body, batch, Box::new(move |result| _ = result.is_ok() && send.send(seed).is_ok()));
        std::thread::sleep(Duration::from_millis(3));
    }
    Ok(())
}
