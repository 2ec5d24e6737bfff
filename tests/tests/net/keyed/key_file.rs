//! Which files are taken for a key, which are refused, and that a refusal leaves nothing attached.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    keys::KeyFile,
    process,
    topology::{Lab, LabOptions},
};

use super::{ensure_alone, key_status, key_verb, refusal, rotate, setup};

const DIGITS: &str = "4f0e1d2c3b4a59687786a5b4c3d2e1f0";

fn with_mode(path: &Path, content: &str, mode: u32) -> Result<()> {
    fs::write(path, content)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

#[test]
fn what_is_no_key_of_ours_alone_is_refused_with_the_reason() -> Result<()> {
    type Make = fn(&Path) -> Result<()>;
    let cases: [(&str, Make); 9] = [
        ("there is no such file", |_| Ok(())),
        ("zero", |path| with_mode(path, &"0".repeat(32), 0o600)),
        ("31 characters", |path| with_mode(path, &DIGITS[1..], 0o600)),
        ("hexadecimal digits", |path| {
            with_mode(path, &DIGITS.replace('f', "g"), 0o600)
        }),
        ("mode is 0640", |path| with_mode(path, DIGITS, 0o640)),
        ("mode is 0604", |path| with_mode(path, DIGITS, 0o604)),
        ("belongs to user 65534", |path| {
            with_mode(path, DIGITS, 0o600)?;
            Ok(chown(path, Some(65_534), None)?)
        }),
        ("symbolic link", |path| {
            let target = path.with_extension("target");
            with_mode(&target, DIGITS, 0o600)?;
            Ok(symlink(target, path)?)
        }),
        ("no ordinary file", |path| Ok(fs::create_dir(path)?)),
    ];
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    for (expected, make) in cases {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("plant.key");
        make(&path)?;
        let named = path.to_str().context("no text")?;
        let keyed = setup().in_mode("keyed").with(&["--key-file", named]);
        let ended = process::run_to_end(isnguard.command("attach", &keyed.arguments())?)?;
        let said = refusal(&ended)?;
        ensure!(
            said.contains(expected) && said.contains(named),
            "{expected}: {said}"
        );
        ensure!(!said.contains(&DIGITS[1..9]), "{said}");
        ensure!(
            !isnguard.pins().exists(),
            "something is left of an attach that was refused"
        );
    }
    Ok(())
}

#[test]
fn another_key_than_the_instances_is_refused_and_the_way_is_shown() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (key, other) = (KeyFile::random()?, KeyFile::random()?);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(setup(), 0)?)?;
    let before = isnguard.status()?;
    let arguments = other.keyed(setup(), 0)?;
    let ended = process::run_to_end(isnguard.command("attach", &arguments.arguments())?)?;
    let said = refusal(&ended)?;
    ensure!(said.contains("isnguard key rotate --from"), "{said}");
    ensure!(isnguard.status()? == before);
    let status = key_status(&isnguard, &other)?;
    ensure!(status["agree"] == false, "{status}");
    // The key in the file is the one that is wanted.
    let from = other.path().to_str().context("no text")?;
    let rotated = rotate(&isnguard, &other, &["--from", from])?;
    ensure!(rotated["switched"] == true, "{rotated}");
    let status = key_status(&isnguard, &other)?;
    ensure!(
        status["agree"] == true && status["file"]["generation"] == 1,
        "{status}"
    );
    ensure!(
        status["running"]["fingerprint"] == status["file"]["fingerprint"],
        "{status}"
    );
    // And attached again with it, all is as it was.
    isnguard.attach(&arguments)?;
    Ok(())
}

#[test]
fn key_rotate_makes_the_first_key_and_replaces_one_that_nobody_uses() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let key = KeyFile::random()?;
    fs::remove_file(key.path())?;
    ensure!(key_status(&isnguard, &key)?["file"]["present"] == false);
    let made = rotate(&isnguard, &key, &[])?;
    ensure!(
        made["switched"] == false && made["generation"] == 0,
        "{made}"
    );
    ensure!(made["fingerprint_before"].is_null(), "{made}");
    let metadata = fs::metadata(key.path())?;
    ensure!(metadata.mode() & 0o7777 == 0o600 && metadata.uid() == 0);
    let first = key.now()?;
    let next = rotate(&isnguard, &key, &[])?;
    ensure!(next["generation"] == 1 && key.now()? != first, "{next}");
    ensure!(
        next["fingerprint_before"] == made["fingerprint"],
        "{made} {next}"
    );
    ensure_alone(&key)?;
    let unused = key_verb(&isnguard, &key, &["status"])?;
    ensure!(unused.status.success(), "{unused:?}");
    Ok(())
}

#[test]
fn without_keyed_rules_no_key_is_looked_for() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup())?;
    let status = isnguard.status()?;
    ensure!(
        status["key"].is_null() && status["adopting"].is_null(),
        "{status}"
    );
    let arguments = setup().with(&["--adopt", "5"]);
    let ended = process::run_to_end(isnguard.command("attach", &arguments.arguments())?)?;
    ensure!(refusal(&ended)?.contains("--mode keyed"), "{ended:?}");
    Ok(())
}
