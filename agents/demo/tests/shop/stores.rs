//! The shop on Debian's PostgreSQL, Redis and NATS. Without them the tests say so and pass, unless
//! `ORRERY_REAL_STORES=1` demands them.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orrery_demo::{EdgeKind, Stores};

use crate::graph::{check_graph, check_links};
use crate::sink::Sink;
use crate::{config, eventually};

/// Three servers in a temporary directory; gone with this value.
pub(crate) struct Servers {
    pub(crate) stores: Stores,
    _children: Vec<Process>,
    _directory: tempfile::TempDir,
}

/// A child that does not outlive the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(releases.map(|release| release.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// PostgreSQL refuses to run as root: the account Debian made for it, if we are.
fn postgres_account() -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields: Vec<_> = passwd.lines().find(|line| line.starts_with("postgres:"))?.split(':').collect();
    rustix::process::getuid().is_root().then_some((fields[2].parse().ok()?, fields[3].parse().ok()?))
}

fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn postgres(directory: &Path, initdb: &Path, server: &Path, port: u16) -> Process {
    let data = directory.join("postgres");
    std::fs::create_dir(&data).unwrap();
    let account = postgres_account();
    if let Some((uid, gid)) = account {
        std::os::unix::fs::chown(&data, Some(uid), Some(gid)).unwrap();
    }
    let run = |program| {
        let mut command = command(program, &data);
        if let Some((uid, gid)) = account {
            command.uid(uid).gid(gid);
        }
        command
    };
    let status = run(initdb).args(["-A", "trust", "-U", "postgres", "-N", "-D"]).arg(&data).status().unwrap();
    assert!(status.success(), "initdb");
    let mut server = run(server);
    server.arg("-D").arg(&data).arg("-k").arg(&data).args([
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
        "-p",
    ]);
    Process(server.arg(port.to_string()).spawn().unwrap())
}

/// Starts the servers; none, with the reason printed, if one is not installed.
pub(crate) async fn servers() -> Option<Servers> {
    let programs = ["initdb", "postgres", "redis-server", "nats-server"].map(|name| (name, find(name)));
    let missing: Vec<_> = programs.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect();
    if !missing.is_empty() {
        let reason = format!("{missing:?} not found: apt-get install postgresql redis-server nats-server");
        assert!(std::env::var_os("ORRERY_REAL_STORES").is_none_or(|demanded| demanded != "1"), "{reason}");
        println!("skipped: {reason}");
        return None;
    }
    let [initdb, server, redis, nats] = programs.map(|(_, path)| path.unwrap());
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    // Others may pass through, or the account of PostgreSQL cannot reach its data.
    std::fs::set_permissions(here, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let [sql, cache, bus] = [free_port(), free_port(), free_port()];
    let children = vec![
        postgres(here, &initdb, &server, sql),
        Process(
            command(&redis, here)
                .args(["--bind", "127.0.0.1", "--save", "", "--port", &cache.to_string()])
                .spawn()
                .unwrap(),
        ),
        Process(
            command(&nats, here)
                .args(["-js", "-sd", "jetstream", "-a", "127.0.0.1", "-p", &bus.to_string()])
                .spawn()
                .unwrap(),
        ),
    ];
    for port in [sql, cache, bus] {
        eventually("the servers listen", 60, || std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await;
    }
    let stores = Stores {
        postgres: Some(format!("postgres://postgres@127.0.0.1:{sql}/postgres")),
        redis: Some(format!("redis://127.0.0.1:{cache}")),
        nats: Some(format!("nats://127.0.0.1:{bus}")),
    };
    tokio::time::sleep(std::time::Duration::from_millis(500)).await; // PostgreSQL listens before it answers
    Some(Servers { stores, _children: children, _directory: directory })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_stores_draw_the_declared_graph() {
    let Some(servers) = servers().await else { return };
    let sink = Sink::start().await;
    let mut config = config(&sink, 40.0);
    config.stores = servers.stores.clone();
    let shop = orrery_demo::start(config).await.unwrap();
    let graph = shop.graph();
    let systems = |kind| graph.iter().filter(move |edge| edge.kind == kind).filter_map(|edge| edge.system.as_deref());
    assert!(systems(EdgeKind::Database).all(|system| ["postgresql", "redis"].contains(&system)), "{graph:#?}");
    assert!(systems(EdgeKind::Publish).chain(systems(EdgeKind::Consume)).all(|system| system == "nats"));
    check_graph(&sink, || shop.graph()).await;
    shop.stop().await;

    let spans = sink.spans();
    check_links(&spans);
    let failed =
        spans.iter().find(|seen| seen.attributes.contains_key("db.system.name") && !seen.get("error.type").is_empty());
    assert!(failed.is_none(), "{failed:#?}");
    let sql =
        spans.iter().find(|seen| seen.get("db.system.name") == "postgresql" && seen.service() == "orders").unwrap();
    assert_eq!((sql.get("db.namespace"), sql.get("server.address")), ("shop_orders", "127.0.0.1"));
}
