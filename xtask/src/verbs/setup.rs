//! `setup`: brings what is missing. The other verbs come here first, each with its own purpose.

use anyhow::{Result, bail};

use crate::{
    cli::Setup,
    machine::{BpfWay, Machine},
    plan::{self, Purpose, Step},
    probe,
    shell::Shell,
};

/// Installing one thing may show that another is unfit, so the plan is made again; two rounds are enough for any machine.
const ROUNDS: usize = 2;

/// Installs what is missing for every verb, or says what that would be.
pub fn perform(shell: &Shell, setup: &Setup) -> Result<()> {
    if setup.dry_run {
        let machine = probe::machine(shell);
        let steps = plan::steps(&machine, Purpose::Everything)?;
        println!("{}", dry_run(&machine, &steps));
        return Ok(());
    }
    let machine = make_ready(shell, Purpose::Everything)?;
    println!("{}", report(&machine));
    Ok(())
}

/// Installs what is missing for a purpose, saying what; silent when nothing is.
pub fn make_ready(shell: &Shell, purpose: Purpose) -> Result<Machine> {
    for _ in 0..ROUNDS {
        let machine = probe::machine(shell);
        let steps = plan::steps(&machine, purpose)?;
        if steps.is_empty() {
            return Ok(machine);
        }
        for Step { what, line } in steps {
            eprintln!("{what}");
            shell.run_quietly(&line)?;
        }
    }
    let machine = probe::machine(shell);
    let steps = plan::steps(&machine, purpose)?;
    if steps.is_empty() {
        return Ok(machine);
    }
    let missing: Vec<&str> = steps.iter().map(|step| step.what.as_str()).collect();
    bail!(
        "every installation succeeded, and yet this is still to be done: {}. Probably another program of the same \
         name comes first on PATH",
        missing.join("; ")
    )
}

fn dry_run(machine: &Machine, steps: &[Step]) -> String {
    if steps.is_empty() {
        return report(machine);
    }
    let lines: Vec<String> = steps
        .iter()
        .map(|step| format!("# {}\n{}", step.what, step.line))
        .collect();
    format!(
        "Missing here; `cargo xtask setup` would run:\n{}",
        lines.join("\n")
    )
}

fn report(machine: &Machine) -> String {
    let way = match machine.bpf_way() {
        BpfWay::Nightly => "rustup's nightly, which has its sources (rust-src)",
        BpfWay::Distro => {
            "the distribution's Rust, rustup's `distro`; nightly has no sources (rust-src)"
        }
    };
    let linker = machine.linker.as_ref().map_or_else(String::new, |linker| {
        let version = linker.version.as_deref().unwrap_or("unknown");
        let llvm = linker
            .llvm
            .map_or("built in".into(), |major| major.to_string());
        format!("{version}, LLVM {llvm}")
    });
    let tests = if machine.nextest {
        "cargo nextest"
    } else {
        "cargo test (there is no cargo-nextest)"
    };
    format!(
        "Nothing is missing.\n  BPF compiler  {way}\n  bpf-linker    {linker}\n  tests run by  {tests}\n  \
         test tools    all there"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::CommandLine, machine::Linker};

    #[test]
    fn dry_run_shows_commands_that_can_be_pasted() {
        let step = Step {
            what: "asking".into(),
            line: CommandLine::words("apt-get update"),
        };
        let text = dry_run(&Machine::default(), &[step]);
        assert!(
            text.ends_with("would run:\n# asking\napt-get update"),
            "{text}"
        );
    }

    #[test]
    fn report_names_what_the_build_will_use() {
        let linker = Some(Linker {
            version: Some("0.13.0".into()),
            llvm: Some(22),
        });
        let text = report(&Machine {
            linker,
            ..Machine::default()
        });
        assert!(
            text.contains("`distro`") && text.contains("0.13.0, LLVM 22"),
            "{text}"
        );
        assert!(text.contains("there is no cargo-nextest"), "{text}");
    }
}
