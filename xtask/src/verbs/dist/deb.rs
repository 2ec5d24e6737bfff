//! The Debian package, by dpkg-deb.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{Places, Program, Release, furnish, tree::Tree};
use crate::command::CommandLine;

const PLACES: Places = Places {
    program: "usr/sbin/isnguard",
    man: "usr/share/man/man8",
    completions: [
        ("bash", "usr/share/bash-completion/completions/isnguard"),
        ("zsh", "usr/share/zsh/vendor-completions/_isnguard"),
        ("fish", "usr/share/fish/vendor_completions.d/isnguard.fish"),
    ],
    units: "lib/systemd/system",
    share: "usr/share/isnguard",
    doc: "usr/share/doc/isnguard",
    configuration: "etc/isnguard",
    options: "etc/default/isnguard",
};
/// Documents that are longer than this are compressed, as Debian's policy has it.
const LONG: u64 = 4096;

/// Makes the package, and returns its name.
pub fn build(release: &Release<'_>, program: &Program) -> Result<String> {
    let tree = Tree::anew(release.out.join("deb"))?;
    furnish(release, program, &tree, &PLACES)?;
    let shell = release.shell;
    let source = shell.workspace().join("packaging/debian");
    tree.copy(
        &source.join("copyright"),
        "usr/share/doc/isnguard/copyright",
        0o644,
    )?;
    tree.write(
        "usr/share/doc/isnguard/changelog",
        changelog(release)?.as_bytes(),
        0o644,
    )?;
    tree.settle()?;
    compress(release, &tree)?;
    let architecture = shell
        .ask(&CommandLine::words("dpkg --print-architecture"))
        .context("`dpkg --print-architecture` failed")?;
    control(release, &tree, &architecture)?;
    for script in ["postinst", "postrm", "prerm"] {
        tree.copy(&source.join(script), &format!("DEBIAN/{script}"), 0o755)?;
    }
    let name = format!("isnguard_{}_{architecture}.deb", release.version);
    let build = CommandLine::words("dpkg-deb --root-owner-group --threads-max=1 -Zxz -z3 --build")
        .arg(tree.root())
        .arg(release.out.join(&name))
        .env("SOURCE_DATE_EPOCH", &release.epoch);
    shell.run_quietly(&build)?;
    fs::remove_dir_all(tree.root())?;
    Ok(name)
}

/// Manual pages and the change log always, other documents where they are long.
fn compress(release: &Release<'_>, tree: &Tree) -> Result<()> {
    let mut compressed = CommandLine::words("gzip -9n");
    for name in tree.all()? {
        let document = name.starts_with(PLACES.doc) && !name.ends_with("/copyright");
        let long = fs::metadata(tree.path(&name))?.len() > LONG || name.ends_with("/changelog");
        if name.starts_with(PLACES.man) || document && long {
            compressed = compressed.arg(tree.path(&name));
        }
    }
    release.shell.run_quietly(&compressed)
}

/// The files below DEBIAN that are no scripts.
fn control(release: &Release<'_>, tree: &Tree, architecture: &str) -> Result<()> {
    let files = tree.all()?;
    let octets = files
        .iter()
        .map(|name| Ok(fs::metadata(tree.path(name))?.len()));
    let octets: u64 = octets.sum::<Result<u64>>()?;
    let template = fs::read_to_string(release.shell.workspace().join("packaging/debian/control"))?;
    let control = template
        .replace("@VERSION@", &release.version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@SIZE@", &octets.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &depends(release, tree)?);
    let conffiles = files.iter().filter(|name| name.starts_with("etc/"));
    let conffiles: Vec<String> = conffiles.map(|name| format!("/{name}\n")).collect();
    let sums = CommandLine::words("md5sum").args(files.iter().filter(|it| !it.starts_with("etc/")));
    let sums = release
        .shell
        .ask(&sums.within(tree.root()))
        .context("`md5sum` failed")?;
    tree.write("DEBIAN/control", control.as_bytes(), 0o644)?;
    tree.write("DEBIAN/conffiles", conffiles.concat().as_bytes(), 0o644)?;
    tree.write("DEBIAN/md5sums", (sums + "\n").as_bytes(), 0o644)
}

/// The packages of the libraries that the program needs, by the versions of their symbols.
fn depends(release: &Release<'_>, tree: &Tree) -> Result<String> {
    // It asks a source package, of which it takes no more than that it is there.
    let source = Tree::anew(release.out.join("shlibdeps"))?;
    source.write(
        "debian/control",
        b"Source: isnguard\n\nPackage: isnguard\nArchitecture: any\n",
        0o644,
    )?;
    let line = CommandLine::words("dpkg-shlibdeps -O --ignore-missing-info")
        .arg(tree.path(PLACES.program))
        .within(source.root());
    let printed = release.shell.ask(&line);
    fs::remove_dir_all(source.root())?;
    let found = printed
        .as_deref()
        .and_then(|it| it.strip_prefix("shlibs:Depends="));
    match found {
        Some(depends) => Ok(depends.to_owned()),
        None => bail!("`{line}` does not say which libraries the program needs: {printed:?}"),
    }
}

fn changelog(release: &Release<'_>) -> Result<String> {
    let date =
        CommandLine::words("date --utc --rfc-email --date").arg(format!("@{}", release.epoch));
    let date = release
        .shell
        .ask(&date)
        .with_context(|| format!("`{date}` failed"))?;
    Ok(format!(
        "isnguard ({}) unstable; urgency=medium\n\n  * CHANGELOG.md beside this file says what is new.\n\n \
         -- The isnguard contributors <isnguard@example.org>  {date}\n",
        release.version
    ))
}
