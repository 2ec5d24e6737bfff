//! Attaching and adopting: one transaction, made whole or not at all (S19).

use aya::Ebpf;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use super::{
    attacher::Attacher,
    bpffs,
    existing::{self, Existing},
    hook::{self, Hook},
    interfaces::{self, Interface},
    kernel,
    keying::Plan,
    lock::{self, Lock},
    maps::Maps,
    namespace,
    netlink::Netlink,
    observe,
    pins::{Pins, absent_is_fine, create_dir},
    ports, privileges,
    programs::{Capacities, Programs},
    refusal,
    sit::{Choice, sit},
    status::{self, Status},
    target::{self, Gone, Target, Targets},
    trust,
    undo::Undo,
};
use crate::{
    doctor,
    failure::{Explain as _, Failure},
    settings::{HookChoice, PolicyTable, Request},
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
    kernel::check()?;
    let _held = HeldSignals::hold()?;
    let mut netlink = open_netlink()?;
    let interfaces = interfaces::all(&mut netlink)?;
    for placed in &request.placed {
        interfaces::usable(&interfaces, &placed.interface)?;
    }
    let pins = Pins::new(&request.place);
    trust::directories(&pins)?;
    if request.placed.is_empty() && !pins.home.is_dir() {
        let why = "there is no such instance to adopt, and no interface is named";
        return Err(target::nothing_named(request, why));
    }
    let mut undo = Undo::default();
    let mounted = bpffs::ensure(&request.place.bpffs, &mut undo)?;
    let (_changing, stay) = occupy(&pins, stay, &mut undo)?;
    trust::check(&pins)?;
    let existing = existing::read(&pins, request)?;
    let targets = target::targets(request, &pins.known()?, &interfaces)?;
    if existing.is_none() {
        refuse_if_taken(request, &targets)?;
    }
    // What forwards already goes on doing so, whatever becomes of this process.
    if request.forwards() && targets.wanted.iter().any(|it| it.seats.is_empty()) {
        refuse_to_forward(request, &pins, &targets, &interfaces, &mut netlink)?;
    }
    let mut change = Change {
        request,
        pins: &pins,
        netlink,
        warnings: Vec::new(),
        plan: None,
    };
    let adopted = existing.is_some();
    let object = change.make(existing, &targets, &mut undo)?;
    let Change {
        mut netlink,
        mut warnings,
        plan,
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
    warnings.extend(plan.map(Plan::note_use).unwrap_or_default());
    Ok(Attached {
        adopted,
        mounted,
        warnings,
        status,
        stay,
        object,
    })
}

/// Refuses what a new instance would find out after it had made its maps and loaded its programs.
fn refuse_if_taken(request: &Request, targets: &Targets) -> Result<(), Failure> {
    let choice = request.hook.unwrap_or(HookChoice::Auto);
    let mut at_xdp = targets.wanted.iter().filter(|target| {
        let plan = hook::plan(choice, target.interface.traits());
        let at_tc = matches!(plan, hook::Plan::Only(Hook::Tc, _));
        target.hook().is_none() && (target.forwards || !at_tc)
    });
    at_xdp.try_for_each(|target| refusal::refuse_if_taken(&target.interface))
}

/// Refuses forwarding where it cannot work, and where packets would go past rules, unless told.
fn refuse_to_forward(
    request: &Request,
    pins: &Pins,
    targets: &Targets,
    interfaces: &[Interface],
    netlink: &mut Netlink,
) -> Result<(), Failure> {
    let sides: Vec<&Interface> = targets.wanted.iter().map(|it| &it.interface).collect();
    let seats = targets.wanted.iter().flat_map(|it| &it.seats);
    let own: Vec<u32> = seats
        .filter_map(|name| observe::pinned_program(pins, *name).ok())
        .collect();
    let facts = doctor::forward(&sides, interfaces, &own, netlink);
    let told = request.forward_past_rules == Some(true);
    doctor::forward_refusal(&facts, told).map_or(Ok(()), Err)
}

struct Change<'a> {
    request: &'a Request,
    pins: &'a Pins,
    netlink: Netlink,
    warnings: Vec<String>,
    plan: Option<Plan>,
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
        let mut plan = Plan::new(existing.as_ref(), &policy, &settings, self.request)?;
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
        plan.apply(self.pins, &mut maps, &settings, &policy)?;
        self.plan = Some(plan);
        let choice = Choice {
            hook: self.request.hook,
            flavour: self.request.tc_flavour,
            keep_running: false,
        };
        for target in &targets.wanted {
            let (pins, netlink) = (self.pins, &mut self.netlink);
            let mut attacher = Attacher {
                pins,
                programs: &mut programs,
                netlink,
                undo,
            };
            sit(&mut attacher, choice, target, &mut self.warnings)?;
        }
        if targets.wanted.iter().any(|target| target.forwards) {
            ports::lay(self.pins, &ports::wanted(targets.wanted.iter()), undo)?;
        }
        for gone in &targets.gone {
            forget(self.pins, gone)?;
            self.warnings.push(match targets.successor(gone) {
                Some(new) => came_back(gone, new),
                None => format!("`{}` is gone; what was left of it was removed", gone.name),
            });
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
}

/// Removes the pins and the note of an interface that is no more.
pub fn forget(pins: &Pins, gone: &Gone) -> Result<(), Failure> {
    let what = || format!("cannot remove what is left of `{}`", gone.name);
    for name in &gone.pins {
        let removed = absent_is_fine(std::fs::remove_file(pins.link(*name)));
        removed.explain(what(), format!("remove the pin {name} by hand"))?;
    }
    let removed = pins.remove_note(gone.ifindex);
    removed.explain(what(), "remove its note by hand")
}

/// Says that an interface is in the place of one that is gone.
pub fn came_back(gone: &Gone, new: &Target) -> String {
    format!(
        "`{}` is another interface now (index {}, it was {}): attached to it",
        gone.name, new.interface.index, gone.ifindex
    )
}

/// Creates the directories and takes the locks.
pub fn occupy(pins: &Pins, stay: bool, undo: &mut Undo) -> Result<(Lock, Option<Lock>), Failure> {
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
pub struct HeldSignals(SigSet);

impl HeldSignals {
    /// From here until it is dropped.
    pub fn hold() -> Result<Self, Failure> {
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
