//! A clean Debian of this machine's release, from the mirror that this machine's apt uses, with a BPF file system of its own.
//! It is fetched once and kept below cargo's target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use isn_tests::{
    namespace::Namespace,
    process::{self, Process},
};
use tempfile::TempDir;

/// How long the first fetch may take.
const FETCHING: std::time::Duration = std::time::Duration::from_mins(4);

/// A root directory, unmounted and removed when dropped.
#[derive(Debug)]
pub struct Chroot {
    dir: TempDir,
}

impl Chroot {
    /// Unpacks it, and mounts what programs expect.
    pub fn new() -> Result<Self> {
        let archive = archive()?;
        let chroot = Self {
            dir: TempDir::new_in(archive.parent().context("no directory")?)?,
        };
        let mut unpack = Command::new("tar");
        unpack
            .arg("-xpf")
            .arg(&archive)
            .arg("-C")
            .arg(chroot.root());
        process::run(unpack)?;
        for (kind, place) in [("proc", "proc"), ("sysfs", "sys"), ("bpf", "sys/fs/bpf")] {
            let mut mount = Command::new("mount");
            mount
                .args(["-t", kind, kind])
                .arg(chroot.root().join(place));
            process::run(mount)?;
        }
        Ok(chroot)
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Puts a file into /tmp there; returns its name inside.
    pub fn bring(&self, file: &Path) -> Result<String> {
        let name = file
            .file_name()
            .context("no name")?
            .to_string_lossy()
            .into_owned();
        let to = self.root().join("tmp").join(&name);
        fs::copy(file, &to).with_context(|| to.display().to_string())?;
        Ok(format!("/tmp/{name}"))
    }

    /// A command inside, in a network namespace.
    pub fn command(&self, namespace: &Namespace, words: &[&str]) -> Result<Command> {
        let mut command = namespace.command("chroot")?;
        command.arg(self.root()).args(words);
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C.UTF-8");
        Ok(command)
    }

    /// Runs a command inside to its end; what it printed.
    pub fn run(&self, namespace: &Namespace, words: &[&str]) -> Result<String> {
        process::run(self.command(namespace, words)?)
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        for place in ["sys/fs/bpf", "sys", "proc"] {
            let mut umount = Command::new("umount");
            umount.arg("--lazy").arg(self.root().join(place));
            // Where nothing is mounted, there is nothing to do.
            let _ = process::run(umount);
        }
    }
}

/// The archive of the clean system; fetched if it is not there.
fn archive() -> Result<PathBuf> {
    let running = env::current_exe()?;
    let target = running
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file())
        .context("this program does not lie in a target directory")?;
    let (mirror, suite) = mirror()?;
    let kept = target.join("debootstrap");
    let archive = kept.join(format!("{suite}.tar"));
    if archive.is_file() {
        return Ok(archive);
    }
    fs::create_dir_all(&kept)?;
    let dir = TempDir::new_in(&kept)?;
    let root = dir.path().join("root");
    let log = dir.path().join("log");
    let mut command = Command::new("debootstrap");
    command
        .args(["--variant=minbase", &suite])
        .arg(&root)
        .arg(&mirror);
    if let Some(proxy) = proxy()? {
        command.env("http_proxy", proxy);
    }
    let file = fs::File::create(&log)?;
    command.stdout(file.try_clone()?).stderr(file);
    let ended = Process::spawn(command).and_then(|mut it| it.wait(FETCHING));
    if !ended.as_ref().is_ok_and(std::process::ExitStatus::success) {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        bail!(
            "no clean Debian {suite} can be had here ({ended:?}); debootstrap's last words, backwards: {lines:?}. Packages \
             cannot be tested without"
        );
    }
    let packed = dir.path().join("packed");
    let mut pack = Command::new("tar");
    pack.args([
        "--exclude=./var/cache/apt/archives/*.deb",
        "--exclude=./dev/*",
        "-cpf",
    ]);
    pack.arg(&packed).arg("-C").arg(&root).arg(".");
    process::run(pack)?;
    fs::rename(packed, &archive)?;
    Ok(archive)
}

/// Where this machine's apt has the main part of its own release from, and the name of that release.
fn mirror() -> Result<(String, String)> {
    let release = fs::read_to_string("/etc/os-release")?;
    let suite = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release names no release: this is no Debian")?;
    let mut ask = Command::new("apt-get");
    ask.args([
        "indextargets",
        "--format",
        "$(RELEASE) $(COMPONENT) $(REPO_URI)",
        "Identifier: Packages",
    ]);
    let printed = process::run(ask)?;
    let wanted = format!("{suite} main ");
    let found = printed.lines().find_map(|line| line.strip_prefix(&wanted));
    let mirror =
        found.with_context(|| format!("apt knows no mirror with {wanted}: {printed:?}"))?;
    ensure!(!mirror.is_empty(), "{printed:?}");
    Ok((mirror.to_owned(), suite.to_owned()))
}

fn proxy() -> Result<Option<String>> {
    let mut ask = Command::new("apt-config");
    ask.args(["dump", "--format", "%v%n", "Acquire::http::Proxy"]);
    let printed = process::run(ask)?;
    let proxy = printed.lines().next().unwrap_or_default().trim();
    Ok((!proxy.is_empty() && proxy != "DIRECT").then(|| proxy.to_owned()))
}
