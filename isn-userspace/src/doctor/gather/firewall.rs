//! The rules of the packet filter, as its own programs print them.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::super::{Known, judge::ruleset::Ruleset};

/// Directories that the path of an ordinary user leaves out.
const OF_ROOT: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Reads the rules of nftables, and those of iptables where they are in use.
pub fn ruleset() -> Known<Ruleset> {
    let mut ruleset = Ruleset::default();
    let nft = program("nft");
    if let Some(nft) = &nft {
        ruleset.add_nft(&printed(nft, &["-j", "-t", "list", "ruleset"])?)?;
        if !ruleset.flowtables.is_empty() {
            ruleset.add_flowtable_flags(&printed(nft, &["list", "flowtables"])?);
        }
    }
    let mut read = nft.is_some();
    // Rules that iptables has made in nftables are told by iptables alone.
    let translated = ruleset.by_iptables || nft.is_none();
    for (suffix, tables) in [
        ("iptables", "ip_tables_names"),
        ("ip6tables", "ip6_tables_names"),
    ] {
        if translated && let Some(save) = program(&format!("{suffix}-save")) {
            ruleset.add_iptables(&printed(&save, &[])?);
            read = true;
        }
        if has_legacy(tables) {
            let name = format!("{suffix}-legacy-save");
            let save = program(&name).or_else(|| program(&format!("{suffix}-save")));
            let save = save.ok_or_else(|| {
                format!("tables of {suffix} are in use (/proc/net/{tables}), and {name} is not installed")
            })?;
            ruleset.add_iptables(&printed(&save, &[])?);
            read = true;
        }
    }
    if read {
        return Ok(ruleset);
    }
    Err(
        "neither nft nor iptables-save is installed: the rules of the packet filter cannot be read"
            .into(),
    )
}

/// How many policies `IPsec` has.
pub fn ipsec() -> Known<usize> {
    // A kernel without IPsec has no such file, and no policies.
    if !Path::new("/proc/net/xfrm_stat").exists() {
        return Ok(0);
    }
    let Some(ip) = program("ip") else {
        return Err("`ip` is not installed: the policies of IPsec cannot be listed".into());
    };
    let listed = printed(&ip, &["xfrm", "policy"])?;
    Ok(listed
        .lines()
        .filter(|line| line.starts_with("src"))
        .count())
}

fn has_legacy(tables: &str) -> bool {
    fs::read_to_string(format!("/proc/net/{tables}")).is_ok_and(|it| !it.trim().is_empty())
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let dirs = dirs.iter().map(PathBuf::as_path);
    let mut places = dirs.chain(OF_ROOT.iter().map(Path::new));
    places
        .find(|dir| dir.is_absolute() && dir.join(name).is_file())
        .map(|dir| dir.join(name))
}

fn printed(program: &Path, arguments: &[&str]) -> Known<String> {
    let line = format!("`{} {}`", program.display(), arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("{line} is not installed"),
            _ => format!("{line} cannot be run: {error}"),
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or_default();
    Err(format!(
        "{line} failed: {}",
        complaint.trim().escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_run_and_their_failures_told() {
        assert_eq!(program("no-such-program"), None);
        let shell = program("sh").unwrap();
        assert_eq!(printed(&shell, &["-c", "echo yes"]).unwrap(), "yes\n");
        let why = printed(&shell, &["-c", "echo no >&2; exit 1"]).unwrap_err();
        assert!(why.ends_with("failed: no"), "{why}");
    }
}
