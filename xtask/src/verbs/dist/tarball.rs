//! The tarball: one directory, to be copied where one likes.

use std::fs;

use anyhow::Result;

use super::{Places, Program, Release, furnish, tree::Tree};
use crate::command::CommandLine;

const PLACES: Places = Places {
    program: "sbin/isnguard",
    man: "share/man/man8",
    completions: [
        ("bash", "share/bash-completion/completions/isnguard"),
        ("zsh", "share/zsh/site-functions/_isnguard"),
        ("fish", "share/fish/vendor_completions.d/isnguard.fish"),
    ],
    units: "lib/systemd/system",
    share: "share/isnguard",
    doc: "share/doc/isnguard",
    configuration: "etc/isnguard",
    options: "etc/default/isnguard",
};

/// Makes the tarball, and returns its name.
pub fn build(release: &Release<'_>, program: &Program) -> Result<String> {
    let inside = format!("isnguard-{}-{}", release.version, program.platform());
    let tree = Tree::anew(release.out.join(&inside))?;
    furnish(release, program, &tree, &PLACES)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        tree.copy(&release.shell.workspace().join(licence), licence, 0o644)?;
    }
    tree.settle()?;
    let name = format!("{inside}.tar.gz");
    let pack =
        CommandLine::words("tar --sort=name --owner=0 --group=0 --numeric-owner --format=gnu")
            .arg(format!("--mtime=@{}", release.epoch))
            .args(["--use-compress-program", "gzip -9n", "-cf"])
            .args([&name, &inside])
            .within(&release.out);
    release.shell.run_quietly(&pack)?;
    fs::remove_dir_all(tree.root())?;
    Ok(name)
}
