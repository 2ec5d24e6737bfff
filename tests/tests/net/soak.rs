//! A minute of the soak that `cargo xtask soak` plays for ten: nothing lost, nothing grown, the kernel content (S16, S17, S19).

use std::time::Duration;

use anyhow::{Result, ensure};
use isn_tests::{
    scenario::seed,
    setup::Hook,
    soak::{Count, Soak},
};

#[test]
fn a_minute_of_everything() -> Result<()> {
    let soak = Soak {
        seed: seed()?,
        time: Duration::from_mins(1),
        hook: Hook::Xdp,
    };
    let mut counted = [0; 3];
    let findings = soak.run(|progress| {
        counted =
            [Count::Opened, Count::Regressing, Count::Reloads].map(|it| progress.ledger.get(it));
        true
    })?;
    println!("{}\n{}", findings.ledger, findings.samples);
    findings.ensure_clean(soak.seed)?;
    ensure!(
        counted.iter().all(|count| *count > 5),
        "hardly anything happened: {counted:?}"
    );
    Ok(())
}
