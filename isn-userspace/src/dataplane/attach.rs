//! Attaching and adopting: one transaction, made whole or not at all (S19).

use aya::Ebpf;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use super::{
    attacher::Attacher,
    bpffs,
    existing::{self, Existing},
    interfaces,
    lock::{self, Lock},
    maps::Maps,
    namespace,
    netlink::Netlink,
    pins::{Pins, absent_is_fine, create_dir},
    privileges,
    programs::{Capacities, Programs},
    sit::sit,
    status::{self, Status},
    target::{self, Targets},
    undo::Undo,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{PolicyTable, Request},
};

/// What `attach` did.
pub struct Attached {
    /// Whether the instance was there before.
    pub adopted: bool,
    /// Whether a BPF file system had to be mounted.
    pub mounted: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// What is there now.
    pub status: Status,
    /// The lock of the one process that stays, if this one is to stay.
    pub stay: Option<Lock>,
    /// The object: holds the log of the programs.
    pub object: Ebpf,
}

/// Attaches what is asked for, or adopts what is there. On failure everything that this call did is
/// taken back.
pub fn attach(request: &Request, stay: bool) -> Result<Attached, Failure> {
    request.check()?;
    privileges::check(&privileges::TO_ATTACH)?;
    let _held = HeldSignals::hold()?;
    let mut netlink = open_netlink()?;
    let interfaces = interfaces::all(&mut netlink)?;
    for placed in &request.placed {
        interfaces::usable(&interfaces, &placed.interface)?;
    }
    let pins = Pins::new(&request.place);
    if request.placed.is_empty() && !pins.home.is_dir() {
        let why = "there is no such instance to adopt, and no interface is named";
        return Err(target::nothing_named(request, why));
    }
    let mut undo = Undo::default();
    let mounted = bpffs::ensure(&request.place.bpffs, &mut undo)?;
    let (_changing, stay) = occupy(&pins, stay, &mut undo)?;
    let existing = existing::read(&pins, request)?;
    let pinned = pins.pinned_links()?;
    let targets = target::targets(request, &pinned, &interfaces)?;
    let mut change = Change {
        request,
        pins: &pins,
        netlink,
        warnings: Vec::new(),
    };
    let adopted = existing.is_some();
    let object = change.make(existing, &targets, &mut undo)?;
    let Change {
        mut netlink,
        warnings,
        ..
    } = change;
    let status = status::read_locked(&request.place, &pins, &mut netlink)?;
    if let Some(problem) = status.problems.first() {
        return Err(Failure::new(
            format!("cannot attach instance `{}`", request.place.instance),
            format!("read back, it is not as it should be: {problem}"),
            "everything was taken back; see what else changes these interfaces, and try again",
        ));
    }
    undo.keep();
    Ok(Attached {
        adopted,
        mounted,
        warnings,
        status,
        stay,
        object,
    })
}

struct Change<'a> {
    request: &'a Request,
    pins: &'a Pins,
    netlink: Netlink,
    warnings: Vec<String>,
}

impl Change<'_> {
    fn make(
        &mut self,
        existing: Option<Existing>,
        targets: &Targets,
        undo: &mut Undo,
    ) -> Result<Ebpf, Failure> {
        let policy = existing::wanted_policy(existing.as_ref().map(|it| &it.policy), self.request)?;
        let settings = existing::wanted_settings(
            existing.as_ref().map(|it| it.settings),
            self.request,
            namespace::current()?,
            existing::draw_secret,
        )?;
        self.warn_of(existing.is_some(), &policy);
        let capacities = Capacities::wanted(self.request);
        let verbose = self.request.verbose;
        let mut programs = Programs::prepare(self.pins, capacities, verbose, undo)?;
        if let Some(before) = existing {
            let pins = self.pins.clone();
            undo.push("settings and policy", move || {
                let mut maps = Maps::open(&pins)?;
                maps.write_settings(&before.settings)?;
                Ok(maps.write_policy(&before.policy)?)
            });
        }
        let mut maps = Maps::open(self.pins)?;
        maps.write_settings(&settings)?;
        maps.write_policy(&policy)?;
        self.remove_stale(targets)?;
        for target in &targets.wanted {
            let (pins, netlink) = (self.pins, &mut self.netlink);
            let mut attacher = Attacher {
                pins,
                programs: &mut programs,
                netlink,
                undo,
            };
            sit(&mut attacher, self.request, target, &mut self.warnings)?;
        }
        Ok(programs.into_ebpf())
    }

    fn warn_of(&mut self, adopted: bool, policy: &PolicyTable) {
        if !adopted && self.request.protect.is_empty() {
            self.warnings.push(
                "no --protect: every host on that side is guarded, in both address families".into(),
            );
        }
        for (narrow, wide) in policy.shadows() {
            self.warnings.push(format!(
                "hosts in {narrow} are guarded on its own ports only: the longest prefix applies \
                 alone, and the rules of {wide} do not reach them"
            ));
        }
    }

    fn remove_stale(&mut self, targets: &Targets) -> Result<(), Failure> {
        for group in targets.stale.chunk_by(|a, b| a.ifindex == b.ifindex) {
            let index = group[0].ifindex;
            let gone = self
                .pins
                .note(index)
                .map_or_else(|| format!("#{index}"), |it| it.interface);
            for name in group {
                absent_is_fine(std::fs::remove_file(self.pins.link(*name)))
                    .explain(format!("cannot remove the pin {name}"), "remove it by hand")?;
            }
            self.pins
                .remove_note(index)
                .explain("cannot remove a note", "remove it by hand")?;
            self.warnings
                .push(format!("`{gone}` is gone; what was left of it was removed"));
        }
        Ok(())
    }
}

/// Creates the directories and takes the locks.
fn occupy(pins: &Pins, stay: bool, undo: &mut Undo) -> Result<(Lock, Option<Lock>), Failure> {
    create_dir(&pins.root, undo)?;
    create_dir(&pins.home, undo)?;
    let changing = lock::for_change(&pins.home)?;
    create_dir(&pins.links(), undo)?;
    create_dir(&pins.notes(), undo)?;
    let stay = if stay {
        Some(lock::to_stay(&pins.links())?)
    } else {
        None
    };
    Ok((changing, stay))
}

/// A socket to netlink, with the failure in words.
pub fn open_netlink() -> Result<Netlink, Failure> {
    Netlink::open().explain(
        "cannot open a netlink socket",
        "see whether `ip link` works here",
    )
}

/// Signals that end the process wait until the change is whole.
struct HeldSignals(SigSet);

impl HeldSignals {
    fn hold() -> Result<Self, Failure> {
        let ending: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
            .into_iter()
            .collect();
        let what = "cannot hold signals back";
        let before = ending
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .explain(what, "this should not happen; try again")?;
        Ok(Self(before))
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        if let Err(error) = self.0.thread_set_mask() {
            tracing::error!("signals stay held back: {error}");
        }
    }
}
