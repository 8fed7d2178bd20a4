//! A PostgreSQL server of a test's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ports::free_port;

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// It ends with the test. It listens on a socket in its directory, and on no address.
pub(crate) struct Server {
    dir: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With settings beside those of a test.
    pub(crate) fn with(settings: &[&str]) -> Self {
        Self::on(5432, settings)
    }

    /// Also on a port of the loopback address.
    pub(crate) fn listening() -> Self {
        Self::on(free_port(), &["listen_addresses=127.0.0.1"])
    }

    /// The same in TLS, with a certificate for `localhost`.
    pub(crate) fn in_tls(certificate: &str, key: &str) -> Self {
        let keys = tempfile::tempdir().expect("a directory");
        let [certificate, key] =
            [("certificate", certificate), ("key", key)].map(|(name, text)| {
                let path = keys.path().join(name);
                fs::write(&path, text).expect("room");
                own(&path, 0o600);
                path.display().to_string()
            });
        own(keys.path(), 0o700);
        let certificate = format!("ssl_cert_file={certificate}");
        let key = format!("ssl_key_file={key}");
        let settings = ["ssl=on", "listen_addresses=127.0.0.1", &certificate, &key];
        // Read when it starts.
        Self::on(free_port(), &settings)
    }

    fn on(port: u16, settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        own(dir.path(), 0o755);
        copy(&empty(), &dir.path().join("data"));
        let port_setting = format!("port={port}");
        let all = settings.iter().copied().chain([port_setting.as_str()]);
        let settings: Vec<String> = all.map(str::to_owned).collect();
        let process = spawn(dir.path(), &settings);
        let mut server = Self { dir, port, settings, process };
        assert!(server.comes_up(), "it starts: {}", server.log());
        server
    }

    /// Where its socket is; in a URL's place of the host.
    pub(crate) fn host(&self) -> &Path {
        self.dir.path()
    }

    /// As a sink's configuration has it.
    pub(crate) fn url(&self) -> String {
        format!("postgresql:///postgres?host={}&user=unbroken", self.host().display())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As a power cut would end it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was ours");
    }

    pub(crate) fn start_again(&mut self) {
        let begun = Instant::now();
        loop {
            self.process = spawn(self.dir.path(), &self.settings);
            if self.comes_up() {
                return;
            }
            // Those that it left behind hold its memory until they see that it is gone.
            assert!(begun.elapsed() < PATIENCE, "it starts again: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What `psql` prints of a query, a line each row.
    pub(crate) fn query(&self, query: &str) -> Vec<String> {
        let told = self.psql(query);
        let failed = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{query}: {failed}");
        String::from_utf8(told.stdout).expect("text").lines().map(str::to_owned).collect()
    }

    fn psql(&self, query: &str) -> std::process::Output {
        command("psql")
            .args(["-X", "-A", "-t", "-U", "unbroken", "-d", "postgres", "-v", "ON_ERROR_STOP=1"])
            .arg("-h")
            .arg(self.host())
            .args(["-p", &self.port.to_string(), "-c", query])
            .stdin(Stdio::null())
            .output()
            .expect("it is installed")
    }

    /// Whether it answers; it may end instead.
    fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        while !self.psql("SELECT 1").status.success() {
            if self.process.try_wait().expect("it was ours").is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "it answers: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn log(&self) -> String {
        fs::read_to_string(self.host().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a server's directory is made. Small segments of its log, since each test copies them.
const INITDB: [&str; 6] = [
    "--no-sync",
    "--auth=trust",
    "--username=unbroken",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--wal-segsize=1",
];

/// A directory of a server that nobody has started, made once on a machine for each release and way
/// to make it.
fn empty() -> PathBuf {
    let program = installed("initdb");
    let release = program.ancestors().nth(2).and_then(Path::file_name).expect("a folder's name");
    let folder = cache().join("postgres");
    let made = folder.join(format!("{}{}", release.display(), INITDB.concat()));
    if !made.exists() {
        let dir = tempfile::tempdir().expect("a directory");
        own(dir.path(), 0o755);
        let data = dir.path().join("data");
        let told =
            command("initdb").args(INITDB).arg("-D").arg(&data).output().expect("it is installed");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        fs::create_dir_all(&folder).expect("room");
        let copied = tempfile::tempdir_in(&folder).expect("a directory");
        copy(&data, &copied.path().join("data"));
        // Another test may have been faster.
        let renamed = fs::rename(copied.path().join("data"), &made);
        assert!(renamed.is_ok() || made.exists(), "{renamed:?}");
    }
    made
}

/// With whose it is.
fn copy(from: &Path, to: &Path) {
    let told = Command::new("cp").arg("-a").args([from, to]).output();
    let told = told.expect("a part of every system");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// Where `make` puts what the tests need.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/unbroken");
    std::env::var_os("UNBROKEN_CACHE").map_or_else(home, PathBuf::from)
}

fn spawn(dir: &Path, settings: &[String]) -> Child {
    let log = fs::File::create(dir.join("log")).expect("room");
    // What is lost with the machine is not looked at here; what is lost with the server is.
    let fixed = ["listen_addresses=", "fsync=off", "max_connections=20", "shared_buffers=16MB"];
    let all = fixed.into_iter().chain(settings.iter().map(String::as_str));
    command("postgres")
        .args(all.flat_map(|setting| ["-c", setting]))
        .arg("-k")
        .arg(dir)
        .arg("-D")
        .arg(dir.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("it is installed")
}

/// A program of the newest release that is installed, as somebody else than root, whom a server
/// refuses.
fn command(program: &str) -> Command {
    as_server(Command::new(installed(program)))
}

/// Run as somebody else than root.
pub(crate) fn as_server(mut command: Command) -> Command {
    if let Some((user, group)) = whose() {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

fn installed(program: &str) -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").expect("`make setup` installs it");
    let mut found: Vec<PathBuf> = releases
        .map(|release| release.expect("an entry").path().join("bin").join(program))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().expect("`make setup` installs it")
}

/// Gives a file to whom the server is run as.
pub(crate) fn own(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    if let Some((user, group)) = whose() {
        chown(path, Some(user), Some(group)).expect("this is root");
    }
}

/// Of the user `postgres`, for root.
fn whose() -> Option<(u32, u32)> {
    let id = |args: &[&str]| -> u32 {
        let told = Command::new("id").args(args).output().expect("a part of every system");
        let text = String::from_utf8(told.stdout).expect("text");
        text.trim().parse().expect("a number")
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}
