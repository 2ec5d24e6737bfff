//! A version whose programs the kernel refuses: the old ones go on, both of them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    setup::{Hook, Setup},
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, read::elf::ElfFile64};
use tempfile::TempDir;

use super::{Bench, KIB, lab, programs, setups};

/// `EM_BPF`, and where a 64-bit ELF header has it.
const MACHINE: [u8; 2] = 247u16.to_le_bytes();
const MACHINE_AT: usize = 18;
/// An instruction that no kernel knows.
const UNKNOWN: [u8; 8] = [0xff; 8];

/// A copy of the binary in which the first instruction of a BPF program is none.
fn with_damaged(program: &str, isnguard: &Isnguard, dir: &Path) -> Result<std::path::PathBuf> {
    let mut binary = fs::read(isnguard.binary())?;
    let at = instruction_at(&binary, program)?;
    binary[at..at + UNKNOWN.len()].copy_from_slice(&UNKNOWN);
    let path = dir.join(format!("damaged-{program}"));
    fs::write(&path, binary)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Where in the binary a program of the BPF object inside begins.
fn instruction_at(binary: &[u8], program: &str) -> Result<usize> {
    let is_bpf = |at: &usize| {
        let header = &binary[*at..];
        header.starts_with(b"\x7fELF")
            && header.get(MACHINE_AT..MACHINE_AT + 2) == Some(&MACHINE[..])
    };
    let begins = (0..binary.len())
        .find(is_bpf)
        .context("no BPF object in the binary")?;
    let object = ElfFile64::<object::LittleEndian>::parse(&binary[begins..])?;
    let symbol = object.symbols().find(|symbol| symbol.name() == Ok(program));
    let symbol = symbol.with_context(|| format!("no program {program}"))?;
    let section = symbol.section_index().context("a program in no section")?;
    let (section_at, _) = object
        .section_by_index(section)?
        .file_range()
        .context("a section without octets")?;
    Ok(begins + usize::try_from(section_at + symbol.address())?)
}

fn attach_with(
    binary: &Path,
    lab: &isn_tests::topology::Lab,
    isnguard: &Isnguard,
) -> Result<Command> {
    let mut command = lab.gateway.command(binary)?;
    command.args(["attach", "--instance", isnguard.instance()]);
    Ok(command)
}

fn refused_and_unharmed(setup: &Setup, damaged: &str) -> Result<()> {
    let lab = lab()?;
    let dir = TempDir::new()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(setup)?;
    let bench = Bench::new(&lab, &isnguard)?;
    let before = programs(&isnguard)?;
    let status = isnguard.status()?;
    let broken = with_damaged(damaged, &isnguard, dir.path())?;
    bench.connection.exchange_while(512 * KIB, || {
        let refused = process::run_to_end(attach_with(&broken, &lab, &isnguard)?)?;
        ensure!(refused.status.code() == Some(1), "{refused:?}");
        for word in [&format!("cannot load program `{damaged}`"), "what to do:"] {
            ensure!(refused.stderr.contains(word), "{refused:?}");
        }
        Ok(())
    })?;
    ensure!(programs(&isnguard)? == before, "other programs run now");
    ensure!(
        isnguard.status()? == status,
        "{status} became {}",
        isnguard.status()?
    );
    bench.ensure_goes_on(&isnguard, setup, 2)?;
    // The whole version then replaces both.
    isnguard.verb("attach", &[])?;
    let after = programs(&isnguard)?;
    ensure!(
        after[0] != before[0] && after[1] != before[1],
        "{before:?} became {after:?}"
    );
    bench.ensure_goes_on(&isnguard, setup, 3)
}

#[test]
fn a_version_that_the_kernel_refuses_leaves_the_old_one_at_both_hooks() -> Result<()> {
    for setup in setups() {
        let inside = setup.placement == isn_tests::setup::Placement::Inside;
        let (arriving, leaving) = match (inside, setup.hook) {
            (true, Hook::Tc) => ("isn_tc_out", "isn_tc_in"),
            (true, _) => ("isn_xdp_out", "isn_tc_in"),
            (false, Hook::Tc) => ("isn_tc_in", "isn_tc_out"),
            (false, _) => ("isn_xdp_in", "isn_tc_out"),
        };
        // The one for what leaves is replaced last: by then the other one has been.
        for damaged in [arriving, leaving] {
            refused_and_unharmed(&setup, damaged)
                .with_context(|| format!("{damaged} of {setup:?}"))?;
        }
    }
    Ok(())
}
