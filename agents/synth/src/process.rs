//! A server under test: started, listened to, measured from outside, killed.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Replaying a gigabyte of log takes its time.
const START: Duration = Duration::from_secs(300);

/// A running `orrery serve` or `orrery demo`. Killed when dropped.
pub struct Process {
    child: Child,
    banner: Vec<String>,
    output: mpsc::Receiver<String>,
    panics: Arc<Mutex<Vec<String>>>,
    /// From the start of the process to the end of its banner.
    pub started_in: Duration,
}

/// The binary, deaf to the environment of whoever runs us.
pub fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORRERY_") {
            command.env_remove(name);
        }
    }
    command
}

/// `serve` on free ports with its data in `dir`.
pub fn serve(binary: &Path, dir: &Path) -> Command {
    let mut command = command(binary);
    command.args(["serve", "--http", ":0", "--otlp-http", ":0", "--otlp-grpc", ":0", "--data-dir"]).arg(dir);
    command
}

impl Process {
    /// Runs a command line and reads its output up to the line that begins with `last`, such as `Data`.
    ///
    /// # Errors
    /// It does not start, or ends before it has said that.
    pub fn start(mut command: Command, last: &str) -> Result<Process> {
        let began = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
        let (found, output) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().context("stdout is piped")?);
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| _ = found.send(line)));
        let stderr = BufReader::new(child.stderr.take().context("stderr is piped")?);
        let panics = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&panics);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("{line}");
                if line.contains("panicked") {
                    noted.lock().expect("nobody panics holding it").push(line);
                }
            }
        });
        let mut process = Process { child, banner: Vec::new(), output, panics, started_in: Duration::ZERO };
        while !process.banner.last().is_some_and(|line| line.trim_start().starts_with(last)) {
            match process.output.recv_timeout(START.saturating_sub(began.elapsed())) {
                Ok(line) => process.banner.push(line),
                Err(_) => bail!("{command:?} said only {:?}", process.banner),
            }
        }
        process.started_in = began.elapsed();
        Ok(process)
    }

    /// What it said when it started.
    pub fn banner(&self) -> String {
        self.banner.join("\n")
    }

    /// The URL on the banner's line that begins with `name`, such as `Dashboard`.
    ///
    /// # Errors
    /// There is none.
    pub fn address(&self, name: &str) -> Result<String> {
        let line = self.banner.iter().find(|line| line.trim_start().starts_with(name));
        let word = line.and_then(|line| line.split_whitespace().find(|word| word.starts_with("http")));
        word.map(|url| url.trim_end_matches(['/', ',', ';']).to_owned())
            .with_context(|| format!("no {name} in {:?}", self.banner))
    }

    /// The next line of output that contains `part`.
    ///
    /// # Errors
    /// It does not come.
    pub fn line_with(&self, part: &str) -> Result<String> {
        loop {
            let line = self.output.recv_timeout(START).with_context(|| format!("no line with {part}"))?;
            if line.contains(part) {
                return Ok(line);
            }
        }
    }

    /// Panics it has reported.
    pub fn panics(&self) -> Vec<String> {
        self.panics.lock().expect("nobody panics holding it").clone()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Sends a signal, such as `TERM`.
    ///
    /// # Errors
    /// It has ended already.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        anyhow::ensure!(status.success(), "cannot send {name}");
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The system cannot say how it ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// User and system time it has used, seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // Linux counts in hundredths.
        ticks as f64 / 100.0
    }

    /// Memory it holds, MiB.
    pub fn rss_mib(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most memory it ever held, MiB.
    pub fn peak_rss_mib(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
