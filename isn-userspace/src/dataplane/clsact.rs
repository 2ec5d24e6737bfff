//! Filters of a clsact qdisc, for kernels without TCX.
//!
//! A filter is no link: it cannot be pinned, and stays until it is removed. It sits at a priority and
//! handle that a later process knows, and its program is pinned as the record of it.

use std::path::Path;

use aya::programs::{
    SchedClassifier, TcHandle,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions},
};

use super::{
    attacher::{Attacher, attach_type},
    holding,
    interfaces::Interface,
    netlink::{Filter, Netlink, Way},
    pins::absent_is_fine,
    programs,
    refusal::filter_refused,
    seat::LinkName,
};
use crate::failure::{Explain as _, Failure};

/// Priority of clsact filters: before what `tc` and others choose by themselves (49152 and down).
const PRIORITY: u16 = 6528;
/// Handle of clsact filters within their priority.
const HANDLE: TcHandle = TcHandle::new(0, 0x9293);

impl Attacher<'_> {
    /// Adds a filter to the clsact qdisc and pins its program.
    pub fn clsact(&mut self, interface: &Interface, name: LinkName) -> Result<(), Failure> {
        let (device, way) = (interface.name.clone(), name.seat.way());
        let lost = self.lost_filter(interface, name)?;
        let program = self.programs.tc(name.direction())?;
        // The record comes first: killed in between, a record without a filter is put right by the
        // next attach; a filter without a record would be nobody's.
        let path = self.pins.link(name);
        pin_program(program, &path)?;
        self.undo.push(format_args!("pin {name}"), move || {
            Ok(std::fs::remove_file(path)?)
        });
        if lost {
            change_filter(program, &device, way).explain(
                format!("cannot replace the clsact filter on `{device}`"),
                "remove it with `tc filter del` and try again",
            )?;
            return Ok(());
        }
        let options = NlOptions {
            priority: PRIORITY,
            handle: HANDLE,
            classid: None,
        };
        let options = TcAttachOptions::Netlink(options);
        let filter = program
            .attach_with_options(&device, attach_type(way), options)
            .and_then(|id| program.take_link(id))
            .map_err(|error| filter_refused(interface, &error))?;
        std::mem::forget(filter);
        self.undo.push(format!("filter on {device}"), move || {
            remove_filter(&device, way)
        });
        Ok(())
    }

    /// Puts the program of this version in the place of the filter's, in one step.
    pub(super) fn replace_filter(
        &mut self,
        interface: &Interface,
        name: LinkName,
    ) -> anyhow::Result<()> {
        let path = self.pins.link(name);
        let mut old = SchedClassifier::from_pin(&path)?;
        let (device, way) = (interface.name.clone(), name.seat.way());
        let program = self.programs.tc(name.direction())?;
        change_filter(program, &device, way)?;
        let pin = path.clone();
        self.undo
            .push(format_args!("new program at {name}"), move || {
                change_filter(&mut old, &device, way)?;
                absent_is_fine(std::fs::remove_file(&pin))?;
                Ok(old.pin(&pin)?)
            });
        absent_is_fine(std::fs::remove_file(&path))?;
        Ok(program.pin(&path)?)
    }

    /// Whether this instance's filter is there although its pin is not.
    fn lost_filter(&mut self, interface: &Interface, name: LinkName) -> Result<bool, Failure> {
        let ids = holding::pinned_maps(self.pins)?;
        let filters = self.netlink.filters(interface.index, name.seat.way());
        let there: Vec<u32> = filters
            .unwrap_or_default()
            .iter()
            .filter(|filter| is_own(filter))
            .filter_map(|filter| filter.program)
            .collect();
        let mut programs = programs::by_ids(&there).into_iter();
        Ok(programs.any(|it| holding::uses(&it, &ids) == Some(true)))
    }

    /// Whether an interface has no clsact qdisc yet.
    pub fn lacks_qdisc(&mut self, interface: &Interface) -> Result<bool, Failure> {
        let there = self.netlink.has_clsact(interface.index);
        there.map(|there| !there).explain(
            format!("cannot look for a clsact qdisc on `{}`", interface.name),
            "see `tc qdisc show`",
        )
    }

    /// Adds a clsact qdisc to an interface that has none.
    pub fn add_qdisc(&mut self, interface: &Interface) -> Result<(), Failure> {
        tc::qdisc_add_clsact(&interface.name).explain(
            format!("cannot add a clsact qdisc to `{}`", interface.name),
            "see `tc qdisc show`: an `ingress` qdisc must give way to clsact",
        )?;
        let index = interface.index;
        self.undo.push(
            format_args!("clsact qdisc on {}", interface.name),
            move || Ok(Netlink::open()?.remove_clsact(index)?),
        );
        Ok(())
    }
}

/// Whether a filter sits where those of this program do.
#[must_use]
pub fn is_own(filter: &Filter) -> bool {
    filter.priority == PRIORITY && filter.handle == u32::from(HANDLE)
}

/// Removes the instance's filter from an interface.
pub fn remove_filter(device: &str, way: Way) -> anyhow::Result<()> {
    use aya::programs::Link as _;
    Ok(
        SchedClassifierLink::attached(device, attach_type(way), PRIORITY, HANDLE, None)?
            .detach()?,
    )
}

fn change_filter(program: &mut SchedClassifier, device: &str, way: Way) -> anyhow::Result<()> {
    let there = SchedClassifierLink::attached(device, attach_type(way), PRIORITY, HANDLE, None)?;
    let id = program.attach_to_link(there)?;
    std::mem::forget(program.take_link(id)?);
    Ok(())
}

fn pin_program(program: &mut SchedClassifier, path: &Path) -> Result<(), Failure> {
    program.pin(path).explain(
        format!("cannot pin the program {}", path.display()),
        "see whether the BPF file system is writable",
    )
}
