//! The demo with one hook: the laboratory is built, the steps are taken, everything is removed or kept.

use std::path::Path;

use anyhow::Result;
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, Offload},
};

use crate::{findings::Findings, interrupt::Interrupt, keeping, narrator::Narrator, steps};

const PEER_PORT: u16 = 7000;

/// One hook's turn.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The hook.
    pub hook: Hook,
    /// Whether the laboratory is shown without isnguard first.
    pub is_first: bool,
    /// Where captures go.
    pub dir: &'a Path,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Who tells it.
    pub narrator: &'a Narrator,
}

impl Stage<'_> {
    /// Takes every step; `keep` leaves the laboratory and isnguard in place.
    pub fn perform(&self, keep: bool, findings: &mut Findings) -> Result<()> {
        let mut lab = Lab::new(LabOptions {
            offload: self.offload(),
            ..LabOptions::default()
        })?;
        let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
        if self.is_first {
            findings.add(self.interrupt.or(steps::without(self, &lab, &server))?);
        }
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        self.interrupt
            .or(self.with_isnguard(&lab, &server, &mut isnguard, findings))?;
        if keep {
            println!("\n{}", keeping::instructions(&lab, &isnguard));
            isnguard.keep();
            drop(isnguard);
            lab.keep();
        } else {
            isnguard.detach_by_force()?;
            self.narrator
                .detail("isnguard is detached and the laboratory removed");
        }
        Ok(())
    }

    fn with_isnguard(
        &self,
        lab: &Lab,
        server: &Server,
        isnguard: &mut Isnguard,
        findings: &mut Findings,
    ) -> Result<()> {
        let setup = self.setup();
        self.narrator
            .chapter(&format!("with isnguard at the {} hook", self.hook.name()));
        let printed = isnguard.attach(&setup)?;
        self.narrator.quote(
            &format!("isnguard attach {}", setup.arguments().join(" ")),
            &printed,
        );
        findings.add(steps::unsafe_isn(self, lab, server)?);
        self.interrupt.check()?;
        // The byte-for-byte comparison needs the same frames on both sides.
        lab.finish_frames_at_ends()?;
        findings.add(steps::safe_isn(self, lab, server)?);
        self.interrupt.check()?;
        for verb in ["stats", "flows"] {
            self.narrator
                .quote(&format!("isnguard {verb}"), &isnguard.verb(verb, &[])?);
        }
        Ok(())
    }

    /// The checksums of real hosts: finished on a wire, unfinished between a kernel's own interfaces.
    fn offload(&self) -> Offload {
        if self.hook == Hook::Tc {
            Offload::EndHosts
        } else {
            Offload::Off
        }
    }

    fn setup(&self) -> Setup {
        Setup {
            protect: vec![Family::V4.protected().to_owned()],
            ..Setup::new(Placement::Inside, self.hook)
        }
    }
}
