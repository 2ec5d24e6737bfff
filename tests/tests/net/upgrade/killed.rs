//! Killed with SIGKILL between the two hooks. Every other instant has its turn in `net/kill`.

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    interrupted::{Interrupted, kill_before_such, replaces_a_program},
};

use super::{Bench, KIB, lab, programs, setups};

#[test]
fn killed_between_the_two_hooks_an_upgrade_is_half_done_and_harmless() -> Result<()> {
    for setup in setups().iter().filter(|setup| setup.more.is_empty()) {
        let lab = lab()?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(setup)?;
        let bench = Bench::new(&lab, &isnguard)?;
        let before = programs(&isnguard)?;
        bench.connection.exchange_while(512 * KIB, || {
            let upgrade = isnguard.command("attach", &[])?;
            let ended = kill_before_such(upgrade, 1, replaces_a_program)?;
            ensure!(
                matches!(ended, Interrupted::Before(_)),
                "it replaced fewer than two programs: {ended:?}"
            );
            Ok(())
        })?;
        let half = programs(&isnguard)?;
        ensure!(
            (half[0] != before[0]) != (half[1] != before[1]),
            "not half: {before:?} became {half:?}"
        );
        bench.ensure_goes_on(&isnguard, setup, 2)?;
        isnguard.verb("attach", &[])?;
        let after = programs(&isnguard)?;
        ensure!(
            after[0] != half[0] && after[1] != half[1],
            "{half:?} became {after:?}"
        );
        bench.ensure_goes_on(&isnguard, setup, 3)?;
    }
    Ok(())
}
