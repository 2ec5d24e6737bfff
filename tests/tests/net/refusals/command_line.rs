//! Lines that make no sense, interfaces that cannot be attached to, instances that are not there.

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    topology::{INSIDE_IF, Lab, LabOptions},
};

use super::{FAILED, USAGE, ensure_all_refused, ensure_refused, footprint::Footprint};

const NOT_RUNNING: i32 = 4;

#[test]
fn what_cannot_be_attached_to_is_refused_and_nothing_is_left() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    lab.gateway
        .run("ip", &["tuntap", "add", "dev", "bare0", "mode", "tun"])?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()?;
    ensure_all_refused(
        &lab,
        &isnguard,
        &[
            (
                "attach --inside nope",
                FAILED,
                &["`nope`", "there is no such interface", INSIDE_IF],
            ),
            ("run --inside nope", FAILED, &["there is no such interface"]),
            (
                "attach --inside inside0 --inside nope",
                FAILED,
                &["there is no such interface"],
            ),
            ("attach --inside lo", FAILED, &["`lo`", "loopback"]),
            ("attach --outside lo", FAILED, &["loopback"]),
            (
                "attach --inside bare0",
                FAILED,
                &["`bare0`", "not Ethernet frames"],
            ),
            (
                "attach",
                FAILED,
                &["no interface is named", "--inside", "--outside"],
            ),
            ("attach --mode observe", FAILED, &["no interface is named"]),
            ("run", FAILED, &["no interface is named"]),
        ],
    )
}

#[test]
fn command_lines_that_make_no_sense_are_usage_errors() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    ensure_all_refused(
        &lab,
        &isnguard,
        &[
            (
                "attach --inside inside0 --protect 10.0.0.1/8",
                USAGE,
                &["write `10.0.0.0/8`"],
            ),
            (
                "attach --inside inside0 --protect 2001:db8::1/32",
                USAGE,
                &["write `2001:db8::/32`"],
            ),
            (
                "attach --inside inside0 --protect 10.0.0.0/33",
                USAGE,
                &["is not a prefix"],
            ),
            (
                "attach --inside inside0 --protect plant",
                USAGE,
                &["`plant` is not a prefix"],
            ),
            (
                "attach --inside inside0 --protect 10.0.0.0/8,port=0",
                USAGE,
                &["`port=0`"],
            ),
            (
                "attach --inside inside0 --outside outside0",
                USAGE,
                &["translated twice", "--instance"],
            ),
            (
                "run --inside inside0 --outside outside0",
                USAGE,
                &["translated twice"],
            ),
            (
                "attach --inside inside0 --inside inside0",
                USAGE,
                &["`inside0`", "named twice"],
            ),
            (
                "attach --inside inside0 --outside inside0",
                USAGE,
                &["named twice"],
            ),
            (
                "attach --inside inside0 --mode locked",
                USAGE,
                &["keyed", "monotonic", "observe"],
            ),
            (
                "attach --inside inside0 --hook ebpf",
                USAGE,
                &["ebpf", "xdp-generic"],
            ),
            ("attach --inside inside0 --history 0", USAGE, &["--history"]),
            (
                "attach --inside inside0 --max-flows 0",
                USAGE,
                &["--max-flows"],
            ),
            ("detach --drain --force", USAGE, &["--drain", "--force"]),
            ("flows --host plant", USAGE, &["plant"]),
            ("stats --watch=0", USAGE, &["--watch"]),
        ],
    )?;
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()?;
    let mut misnamed = lab.gateway.command(isnguard.binary())?;
    misnamed.args(["attach", "--inside", INSIDE_IF, "--instance", "a.b"]);
    ensure_refused(misnamed, USAGE, &["a.b", "letters, digits"])?;
    ensure!(!isnguard.pins().with_file_name("a.b").exists());
    Footprint::of(&lab.gateway, &isnguard)?.ensure_empty()
}

#[test]
fn verbs_about_an_instance_that_is_not_there_say_so() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    ensure_all_refused(
        &lab,
        &isnguard,
        &[
            (
                "stats",
                NOT_RUNNING,
                &["is not attached", isnguard.instance()],
            ),
            ("stats --json", NOT_RUNNING, &["is not attached"]),
            ("flows", NOT_RUNNING, &["is not attached"]),
            ("flows --json", NOT_RUNNING, &["is not attached"]),
            ("detach", NOT_RUNNING, &["is not attached"]),
            ("detach --drain=1", NOT_RUNNING, &["is not attached"]),
            ("detach --force", NOT_RUNNING, &["is not attached"]),
        ],
    )
}
