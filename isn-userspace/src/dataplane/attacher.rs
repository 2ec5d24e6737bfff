//! Programs into their seats: attached, pinned, replaced, with the way back.
//!
//! XDP and TCX programs are held by BPF links, which can be pinned and replaced atomically; clsact
//! filters are another matter ([`super::clsact`]).

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use aya::programs::{
    LinkOrder, SchedClassifier, TcAttachType, XdpMode,
    links::{FdLink, PinnedLink},
    tc::{SchedClassifierLink, TcAttachOptions},
    xdp::XdpLink,
};

use super::{
    holding,
    interfaces::{self, Interface},
    netlink::{Netlink, Way},
    observe,
    pins::Pins,
    programs::{self, Programs},
    refusal::{NotAttached, cannot, not_attached, refuse_if_taken},
    seat::{LinkName, Seat},
    undo::Undo,
};
use crate::failure::{Explain as _, Failure};

/// Of `linux/if_link.h`: XDP in the network stack, and in the driver.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// The kernel lets go of a link a moment after its last pin and descriptor.
const GOES_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Everything that attaching needs.
pub struct Attacher<'a> {
    /// Where to pin.
    pub pins: &'a Pins,
    /// What to attach.
    pub programs: &'a mut Programs,
    /// To look and to remove.
    pub netlink: &'a mut Netlink,
    /// Takes everything back.
    pub undo: &'a mut Undo,
}

impl Attacher<'_> {
    /// Attaches XDP and pins the link.
    pub fn xdp(&mut self, interface: &Interface, name: LinkName) -> Result<(), NotAttached> {
        let interface = &self.without_own(interface, name)?;
        refuse_if_taken(interface)?;
        let mode = if name.seat == Seat::XdpGeneric {
            XdpMode::Skb
        } else {
            XdpMode::Driver
        };
        let program = self.programs.xdp(holding::program_name(name))?;
        let link = program
            .attach_to_if_index(interface.index, mode)
            .and_then(|id| program.take_link(id))
            .map_err(|error| not_attached(interface, &error))?;
        let Ok(link) = FdLink::try_from(link) else {
            return Err(self.remove_unpinnable(interface, mode).into());
        };
        Ok(self.pin(link, name)?)
    }

    /// Attaches a TCX program and pins the link.
    pub fn tcx(&mut self, interface: &Interface, name: LinkName) -> Result<(), NotAttached> {
        let interface = &self.without_own(interface, name)?;
        let program = self.programs.tc(name.direction())?;
        let link = program
            .attach_with_options(
                &interface.name,
                attach_type(name.seat.way()),
                TcAttachOptions::TcxOrder(LinkOrder::default()),
            )
            .and_then(|id| program.take_link(id))
            .map_err(|error| not_attached(interface, &error))?;
        let link = FdLink::try_from(link).explain(cannot(interface), "use --tc-flavour clsact")?;
        Ok(self.pin(link, name)?)
    }

    /// The interface as it is once no program on this instance's maps sits at this hook: one whose pin
    /// was removed goes a moment later, and beside it every packet would be translated twice.
    fn without_own(&mut self, interface: &Interface, name: LinkName) -> Result<Interface, Failure> {
        let ids = holding::pinned_maps(self.pins)?;
        let deadline = Instant::now() + GOES_WITHIN;
        loop {
            let now = interfaces::all(self.netlink)?;
            let now = now.into_iter().find(|it| it.index == interface.index);
            let now = now.unwrap_or_else(|| interface.clone());
            let own = observe::sitting(&now, name)
                .into_iter()
                .find(|it| holding::uses(it, &ids) == Some(true));
            let Some(own) = own else { return Ok(now) };
            if Instant::now() > deadline {
                return Err(Failure::new(
                    cannot(&now),
                    format!(
                        "program {} of this instance sits there, and is not pinned",
                        own.id()
                    ),
                    "end the process that holds its link (`bpftool link` and `lsof` tell), or detach \
                     the link (bpftool link detach)",
                ));
            }
            sleep(LOOK_AGAIN);
        }
    }

    /// Puts the program of this version in the place of the one in the seat, in one step.
    pub fn replace(&mut self, interface: &Interface, name: LinkName) -> Result<(), Failure> {
        let what = format!("cannot replace the program at {name}");
        let replaced = match name.seat {
            Seat::Xdp | Seat::XdpGeneric | Seat::Forward => self.replace_xdp(name),
            Seat::TcxIngress | Seat::TcxEgress => self.replace_tcx(name),
            Seat::ClsactIngress | Seat::ClsactEgress => self.replace_filter(interface, name),
        };
        replaced.explain(
            what,
            "the programs that were there were put back; `isnguard status` shows them",
        )
    }

    fn replace_xdp(&mut self, name: LinkName) -> anyhow::Result<()> {
        let path = self.pins.link(name);
        let link = FdLink::from(PinnedLink::from_pin(&path)?);
        // Held from here on, so that the kernel keeps it for the way back.
        let old = programs::by_id(link.info()?.program_id()).and_then(|info| {
            let kind = aya_obj::programs::XdpAttachType::Interface;
            aya::programs::Xdp::from_program_info(info, "".into(), kind).ok()
        });
        let program = self.programs.xdp(holding::program_name(name))?;
        let id = program.attach_to_link(XdpLink::try_from(link)?)?;
        drop(program.take_link(id)?);
        if let Some(mut old) = old {
            self.undo
                .push(format_args!("new program at {name}"), move || {
                    let link = FdLink::from(PinnedLink::from_pin(&path)?);
                    old.attach_to_link(XdpLink::try_from(link)?)?;
                    Ok(())
                });
        }
        Ok(())
    }

    fn replace_tcx(&mut self, name: LinkName) -> anyhow::Result<()> {
        let path = self.pins.link(name);
        let link = FdLink::from(PinnedLink::from_pin(&path)?);
        // Held from here on, so that the kernel keeps it for the way back.
        let old = programs::by_id(link.info()?.program_id())
            .and_then(|info| SchedClassifier::from_program_info(info, "".into()).ok());
        let program = self.programs.tc(name.direction())?;
        let id = program.attach_to_link(SchedClassifierLink::try_from(link)?)?;
        drop(program.take_link(id)?);
        if let Some(mut old) = old {
            self.undo
                .push(format_args!("new program at {name}"), move || {
                    let link = FdLink::from(PinnedLink::from_pin(&path)?);
                    old.attach_to_link(SchedClassifierLink::try_from(link)?)?;
                    Ok(())
                });
        }
        Ok(())
    }

    fn pin(&mut self, link: FdLink, name: LinkName) -> Result<(), Failure> {
        let path = self.pins.link(name);
        link.pin(&path).explain(
            format!("cannot pin the link {}", path.display()),
            "a link that is not pinned ends with this process, so it was taken away again",
        )?;
        self.undo.push(format_args!("link {name}"), move || {
            Ok(std::fs::remove_file(path)?)
        });
        Ok(())
    }

    /// Without links in the kernel, XDP is attached by netlink, and would go with this process.
    fn remove_unpinnable(&mut self, interface: &Interface, mode: XdpMode) -> Failure {
        let flags = match mode {
            XdpMode::Driver => XDP_FLAGS_DRV_MODE,
            _ => XDP_FLAGS_SKB_MODE,
        };
        let removed = match self.netlink.remove_xdp(interface.index, flags) {
            Ok(()) => "it was taken away again".to_owned(),
            Err(error) => format!("and could not be taken away again ({error})"),
        };
        Failure::new(
            cannot(interface),
            format!("the kernel gave no link that can be pinned; {removed}"),
            "use --hook tc, or Linux 6.1 or later",
        )
    }
}

/// The attachment point as aya names it.
pub const fn attach_type(way: Way) -> TcAttachType {
    match way {
        Way::Ingress => TcAttachType::Ingress,
        Way::Egress => TcAttachType::Egress,
    }
}
