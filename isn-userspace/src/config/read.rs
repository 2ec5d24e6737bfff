//! The text of a configuration file, read: what it says, or everything that is wrong with it.

#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    fault::{Fault, Faults},
    given::{Given, Said},
    keys::{KEYS, example, suggestion},
    rules,
    value::{Reader, Value},
};
use crate::settings::{HookChoice, Mode, OnFull, Placed, Placement, TcFlavour, mode_name};

/// A week.
pub const HISTORY: RangeInclusive<u32> = 1..=7 * 24 * 3_600;
/// Up to a year: the data plane's clock tells apart nine.
pub const SILENCE: RangeInclusive<u32> = 1..=365 * 24 * 3_600;
/// Places of a table.
pub const ROOM: RangeInclusive<u32> = 1..=16_777_216;
/// Samples of a host and second.
pub const SAMPLES: RangeInclusive<u32> = 0..=1_000_000;
/// Seconds of adopting.
pub const ADOPT: RangeInclusive<u32> = 0..=*SILENCE.end();
/// `IFNAMSIZ`, with the octet of zero.
const NAME_ROOM: usize = 16;

/// Reads the text of the file at `path`, which is only named.
pub fn read(path: &Path, text: &str) -> Result<Given, Faults> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    // What could not be read is made up for by something: nothing is worth saying about that.
    let given = if errors.is_empty() {
        all(&mut reader, text, table.get_ref())
    } else {
        let places = errors.iter().map(|it| {
            let span = it.span().unwrap_or(0..0);
            Fault::new(span, it.message().replace('\n', ", "), remedy(it.message()))
        });
        reader.faults.extend(places);
        Given::default()
    };
    if reader.faults.is_empty() {
        Ok(given)
    } else {
        Err(Faults::new(path.to_owned(), text, reader.faults))
    }
}

fn remedy(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "say it once; several rules are several [[protect]]"
    } else {
        "a line is `key = value`, text in quotes; a rule begins with [[protect]]"
    }
}

fn all(reader: &mut Reader<'_>, text: &str, table: &DeTable<'_>) -> Given {
    let mut given = Given::default();
    let mut adopt_at = None;
    // First, since both sides may be named with it.
    let forward_at = table.get("forward");
    if let Some(at) = forward_at {
        given.forward = reader.truth(&KEYS, "forward", at);
    }
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        match name {
            "inside" => interfaces(reader, value, Placement::Inside, &mut given),
            "outside" => interfaces(reader, value, Placement::Outside, &mut given),
            "protect" => rules::rules(reader, text, value, &mut given),
            "forward" => {}
            _ if one(reader, name, value, &mut given) => {}
            _ => {
                let what = format!("unknown key `{}`", name.escape_debug());
                let fault = Fault::new(key.span(), what, suggestion(&KEYS, name));
                reader.faults.push(fault);
            }
        }
        if name == "adopt" {
            adopt_at = Some(value);
        }
    }
    if let Some(at) = forward_at {
        both_sides(reader, at, &given);
    }
    if let Some(at) = adopt_at.filter(|_| reader.faults.is_empty() && !rules::is_keyed(&given)) {
        let what = "`adopt` is for keyed mode, and no rule is keyed";
        let remedy = "leave it away, or say mode = \"keyed\", here or in a rule";
        reader.wrong(at, what, remedy);
    }
    given
}

/// Reads a key that stands for itself; false if there is none of this name.
fn one(reader: &mut Reader<'_>, name: &str, value: &Value<'_>, given: &mut Given) -> bool {
    let mut number = |range| reader.number(&KEYS, name, value, range);
    match name {
        "history" => given.history = number(HISTORY),
        "idle" => given.idle = number(SILENCE),
        "closing" => given.closing = number(SILENCE),
        "max-flows" => given.max_flows = number(ROOM),
        "max-half-open" => given.max_half_open = number(ROOM),
        "max-history" => given.max_history = number(ROOM),
        "samples" => given.samples = number(SAMPLES),
        "adopt" => given.adopt = number(ADOPT),
        _ => return words(reader, name, value, given),
    }
    true
}

fn words(reader: &mut Reader<'_>, name: &str, value: &Value<'_>, given: &mut Given) -> bool {
    match name {
        "mode" => given.mode = reader.word(&KEYS, name, value, &modes()),
        "hook" => given.hook = reader.word(&KEYS, name, value, &hooks()),
        "tc-flavour" => given.tc_flavour = reader.word(&KEYS, name, value, &flavours()),
        "on-full" => given.on_full = reader.word(&KEYS, name, value, &ON_FULL),
        "instance" => given.instance = reader.parsed(&KEYS, name, value, str::parse),
        "bpffs" => given.bpffs = path(reader, name, value),
        "key-file" => given.key_file = path(reader, name, value),
        "forward-past-rules" => given.forward_past_rules = reader.truth(&KEYS, name, value),
        "metrics" => given.metrics = addresses(reader, name, value),
        _ => return false,
    }
    true
}

/// Names of modes.
pub fn modes() -> [(&'static str, Mode); 3] {
    [Mode::Monotonic, Mode::Keyed, Mode::Observe].map(|mode| (mode_name(mode), mode))
}

/// Names of what is done when there is no room.
pub const ON_FULL: [(&str, OnFull); 2] = [("pass", OnFull::Pass), ("drop", OnFull::Drop)];

/// Names of hooks.
pub fn hooks() -> [(&'static str, HookChoice); 4] {
    use HookChoice::{Auto, Tc, Xdp, XdpGeneric};
    [Auto, Xdp, XdpGeneric, Tc].map(|hook| (hook.name(), hook))
}

/// Names of ways to attach TC programs.
pub fn flavours() -> [(&'static str, TcFlavour); 2] {
    [TcFlavour::Tcx, TcFlavour::Clsact].map(|flavour| (flavour.name(), flavour))
}

/// A path that means the same in whatever directory a process is.
fn path(reader: &mut Reader<'_>, name: &str, value: &Value<'_>) -> Option<Said<PathBuf>> {
    let parse = |text: &str| {
        let path = PathBuf::from(text);
        if path.is_absolute() {
            return Ok(path);
        }
        let shown = text.escape_debug();
        Err(format!(
            "`{shown}` does not begin with `/`, so that it depends on who reads it"
        ))
    };
    reader.parsed(&KEYS, name, value, parse)
}

/// Addresses to listen on; a port alone is on loopback.
fn addresses(reader: &mut Reader<'_>, name: &str, at: &Value<'_>) -> Vec<Said<SocketAddr>> {
    let mut all = Vec::new();
    for one in Reader::each(at) {
        let port = one.get_ref().as_integer().map(ToString::to_string);
        let Some(text) = port.or_else(|| one.get_ref().as_str().map(str::to_owned)) else {
            reader.type_of(
                &KEYS,
                name,
                one,
                "a port, an address with a port, or an array of these",
            );
            continue;
        };
        let on_loopback = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let parsed = text.parse().map(on_loopback);
        match parsed.or_else(|_| text.parse::<SocketAddr>()) {
            Ok(address) => all.push(reader.said(one, address)),
            Err(_) => reader.wrong(
                one,
                format!("`{}` is neither a port nor an address with a port", text.escape_debug()),
                "write a port (9464, on loopback) or an address with one (\"127.0.0.1:9464\", \"[::1]:9464\"); names are not looked up",
            ),
        }
    }
    all
}

fn interfaces(reader: &mut Reader<'_>, at: &Value<'_>, placement: Placement, given: &mut Given) {
    for one in Reader::each(at) {
        let Some(name) = one.get_ref().as_str() else {
            let wanted = "the name of an interface, or an array of names";
            reader.type_of(&KEYS, placement.name(), one, wanted);
            continue;
        };
        if !can_be_interface(name) {
            let what = format!(
                "`{}` cannot be the name of an interface",
                name.escape_debug()
            );
            let remedy = format!(
                "`ip link` lists them; write it like: {} = {}",
                placement.name(),
                example(&KEYS, placement.name())
            );
            reader.wrong(one, what, remedy);
            continue;
        }
        contradiction(reader, one, name, placement, given);
        let placed = Placed {
            interface: name.to_owned(),
            placement,
        };
        given.placed.push(reader.said(one, placed));
    }
}

fn can_be_interface(name: &str) -> bool {
    let allowed = |c: char| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control();
    !name.is_empty()
        && name.len() < NAME_ROOM
        && name != "."
        && name != ".."
        && name.chars().all(allowed)
}

fn forwards(given: &Given) -> bool {
    given.forward.as_ref().is_some_and(|it| it.value)
}

/// Forwarding between two sides of which one is not named. None at all may be: then the command line says it, or what is attached is adopted.
fn both_sides(reader: &mut Reader<'_>, at: &Value<'_>, given: &Given) {
    let on = |side| given.placed.iter().any(|it| it.value.placement == side);
    let missing = match (on(Placement::Inside), on(Placement::Outside)) {
        (true, false) => Placement::Outside,
        (false, true) => Placement::Inside,
        _ => return,
    };
    if forwards(given) && reader.faults.is_empty() {
        let missing = missing.name();
        let what = format!("`forward` is between both sides, and no interface is {missing}");
        let remedy = format!("write it like: {missing} = {}", example(&KEYS, missing));
        reader.wrong(at, what, remedy);
    }
}

/// An interface that is named twice, and both sides in one instance.
fn contradiction(
    reader: &mut Reader<'_>,
    at: &Value<'_>,
    name: &str,
    placement: Placement,
    given: &Given,
) {
    let line = |said: &Said<Placed>| match said.origin {
        super::Origin::Line(line) => line,
        super::Origin::CommandLine => 0,
    };
    if let Some(first) = given.placed.iter().find(|it| it.value.interface == name) {
        let line = line(first);
        if first.value.placement == placement {
            let what = format!("`{name}` is named twice: in line {line} already");
            reader.wrong(at, what, "name each interface once");
        } else {
            let what = format!("`{name}` is both inside and outside: see line {line}");
            let remedy = "an interface faces either the hosts (inside) or the peers (outside): leave one away";
            reader.wrong(at, what, remedy);
        }
    } else if let Some(first) = given
        .placed
        .iter()
        .find(|it| it.value.placement != placement)
        .filter(|_| !forwards(given))
    {
        let what = format!(
            "one instance would watch both sides (`{}` in line {}), and a packet that crosses both would be translated twice",
            first.value.interface,
            line(first)
        );
        let remedy = "place all interfaces of an instance either inside or outside; hosts elsewhere get a file and an instance of their own; \
             or say forward = true to have packets forwarded between both sides in XDP";
        reader.wrong(at, what, remedy);
    }
}
