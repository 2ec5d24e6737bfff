//! The paths that are measured: which frame, which program, what must come of it, and which target the cost must meet.

pub mod keyed;

use etherparse::TcpHeader;
use isn_bench_ebpf::Stimulus;
use isn_common::{
    counter::Counter,
    flow::Direction::{Inbound, Outbound},
};
use isn_tests::test_run::Hook;

use super::{
    frames::{self, CLOSING, DOWN, FOLLOWED, Flow, Frame, NEW, PLAIN, Shape, UP, VLAN},
    lab::Subject,
};

/// One path.
#[derive(Clone)]
pub struct Case {
    pub id: String,
    pub what: String,
    /// Where the programs run.
    pub hook: Hook,
    pub subject: Subject,
    pub frame: Frame,
    /// Of the runs of other cases, a part: this many times fewer.
    pub seldom: u32,
    /// What restores the frame before each run; without it, each run finds what the one before has left.
    pub stimulus: Option<Stimulus>,
    /// Flows of which each run takes one.
    pub flows: u32,
    /// What isnguard must count for each run.
    pub outcome: Counter,
    pub against: Against,
    /// Only what is above a program that passes is set against the floor.
    pub above_pass: bool,
    pub target: Option<&'static str>,
}

/// What a cost is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    Nothing,
    /// The floor on one of as many flows.
    Floor,
}

impl Case {
    fn new(id: &str, what: &str, subject: Subject, frame: Frame, outcome: Counter) -> Self {
        Self {
            id: id.into(),
            what: what.into(),
            hook: Hook::Xdp,
            subject,
            seldom: 1,
            stimulus: None,
            frame,
            flows: 1,
            outcome,
            against: Against::Floor,
            above_pass: false,
            target: None,
        }
    }

    fn must(mut self, target: &'static str) -> Self {
        self.target = Some(target);
        self
    }

    fn among(mut self, flows: u32) -> Self {
        self.stimulus = Some(self.frame.stimulus(flows));
        self.flows = flows;
        self
    }

    /// Each run meets a flow at random that the one before has not met, and makes an entry, which takes long. The floor is that of one
    /// flow.
    fn ever_new(mut self) -> Self {
        self.seldom = 3;
        self.stimulus = Some(self.frame.stimulus(1 << 20));
        self
    }

    /// Each run meets the same flow with the same numbers.
    fn restored(mut self) -> Self {
        self.stimulus = Some(self.frame.stimulus(1));
        self
    }

    /// Each run meets the next flow of a mix, from this one of so many on.
    pub fn mixed(mut self, from: u32, packets: u32) -> Self {
        self.stimulus = Some(Stimulus {
            state: from.into(),
            ..self.frame.stimulus(packets)
        });
        self
    }

    /// The same of another flow.
    pub fn of(mut self, flow: Flow) -> Self {
        self.frame = self.frame.of(flow);
        self
    }
}

/// The floor among so many flows, which everything is set against.
pub fn floor(flows: u32) -> Case {
    let floor = Case::new(
        "floor",
        "floor",
        Subject::Floor,
        frames::acknowledgment(),
        Counter::PassNoFlow,
    );
    if flows == 1 {
        floor
    } else {
        floor.among(flows)
    }
}

const INBOUND: Shape = Shape {
    from_host: false,
    service: UP,
    ..PLAIN
};

fn out(id: &str, what: &str, shape: Shape, timestamps: bool) -> Case {
    let frame = Frame::new(shape, |tcp| {
        tcp.ack = true;
        frames::options(tcp, timestamps, 0);
    });
    let outcome = Counter::PacketsTranslatedOut;
    Case::new(id, what, Subject::Isnguard(Outbound), frame, outcome)
}

fn into(id: &str, what: &str, shape: Shape, timestamps: bool, blocks: u8) -> Case {
    let frame = Frame::new(shape, |tcp| {
        tcp.ack = true;
        frames::options(tcp, timestamps, blocks);
    });
    let outcome = Counter::PacketsTranslatedIn;
    Case::new(id, what, Subject::Isnguard(Inbound), frame, outcome)
}

fn other(id: &str, what: &str, shape: Shape, outcome: Counter) -> Case {
    let frame = Frame::new(shape, |tcp| tcp.ack = true);
    Case::new(id, what, Subject::Isnguard(Outbound), frame, outcome)
}

/// All paths with few flows.
pub fn hot(hook: Hook) -> Vec<Case> {
    let mut cases = references();
    cases.extend(outbound());
    cases.extend(inbound());
    cases.extend(others());
    cases.extend(rare());
    at(hook, cases)
}

/// All of these at a hook.
fn at(hook: Hook, mut cases: Vec<Case>) -> Vec<Case> {
    let prefix = match hook {
        Hook::Xdp => "xdp",
        Hook::Tc => "tc",
    };
    for case in &mut cases {
        case.hook = hook;
        case.id = format!("{prefix}-{}", case.id);
        case.what = format!("{}: {}", prefix.to_uppercase(), case.what);
    }
    cases
}

fn references() -> Vec<Case> {
    let frame = frames::acknowledgment;
    let nothing = Counter::PassNoFlow;
    let mut cases = vec![
        Case::new(
            "pass",
            "a program that passes",
            Subject::Pass,
            frame(),
            nothing,
        ),
        Case::new(
            "parse",
            "a program that parses",
            Subject::Parse,
            frame(),
            nothing,
        ),
        floor(1),
    ];
    for case in &mut cases {
        case.against = Against::Nothing;
    }
    cases
}

const NEW_DATA: Shape = Shape {
    data: 1000,
    service: UP,
    ..PLAIN
};

/// Outbound data of which each segment is new, so that each moves the high-water mark.
pub fn new_data() -> Case {
    out("out-data", "outbound data, all new", NEW_DATA, false)
}

/// The two directions of one flow: what the host sends, and what comes back. In the first pair each of the host's segments is new, in
/// the second one each of the peer's acknowledgments; the other side's only looks.
pub fn directions() -> [[Case; 2]; 2] {
    let new = Shape {
        service: DOWN,
        ..INBOUND
    };
    [
        [new_data(), into("in-ack", "inbound", INBOUND, false, 0)],
        [
            out("out-ack", "outbound", PLAIN, false),
            into("in-new", "inbound", new, false, 0),
        ],
    ]
}

/// A SYN of a host, of which it is told.
pub fn syn() -> Case {
    let frame = Frame::new(
        Shape {
            service: NEW + 2,
            ..PLAIN
        },
        |tcp| tcp.syn = true,
    );
    Case::new(
        "syn",
        "SYN of a host, new flow among a million",
        Subject::Isnguard(Outbound),
        frame,
        Counter::PassOffsetZero,
    )
    .ever_new()
}

fn outbound() -> Vec<Case> {
    let tagged = Shape {
        vlan: Some(VLAN),
        ..PLAIN
    };
    let v6 = Shape {
        is_v6: true,
        ..PLAIN
    };
    vec![
        out("out-ack", "outbound acknowledgment", PLAIN, false).must("P1"),
        new_data().must("P1"),
        out(
            "out-stamps",
            "outbound data, all new, timestamps",
            NEW_DATA,
            true,
        )
        .must("P1"),
        out("out-vlan", "outbound acknowledgment, 802.1Q", tagged, false),
        out("out-v6", "outbound acknowledgment, IPv6", v6, false).must("P5"),
    ]
}

fn inbound() -> Vec<Case> {
    let new = Shape {
        service: DOWN,
        ..INBOUND
    };
    let v6 = Shape {
        is_v6: true,
        ..INBOUND
    };
    let old = INBOUND;
    vec![
        into("in-ack", "inbound acknowledgment, old", old, false, 0).must("P2"),
        into("in-new", "inbound acknowledgment, each new", new, false, 0).must("P2"),
        into("in-stamps", "the same with timestamps", new, true, 0).must("P2"),
        into(
            "in-sack-1",
            "inbound, timestamps, 1 SACK block",
            old,
            true,
            1,
        )
        .must("P3 one block"),
        into(
            "in-sack-3",
            "inbound, timestamps, 3 SACK blocks",
            old,
            true,
            3,
        )
        .must("P3 three blocks"),
        into("in-v6", "inbound acknowledgment, old, IPv6", v6, false, 0).must("P5"),
    ]
}

fn others() -> Vec<Case> {
    let shape = |service, guarded| Shape {
        service,
        guarded,
        ..PLAIN
    };
    let mut stranger = other(
        "not-guarded",
        "outbound of a host that is not guarded",
        shape(UP, false),
        Counter::PassNoFlow,
    )
    .must("P4");
    stranger.above_pass = true;
    let mut udp = other(
        "not-tcp",
        "neither TCP nor ICMP",
        PLAIN,
        Counter::PassNotTcp,
    );
    udp.frame.octets[PROTOCOL_AT] = 17;
    vec![
        other(
            "followed",
            "outbound, followed without an offset",
            shape(FOLLOWED, true),
            Counter::PassOffsetZero,
        ),
        stranger,
        other(
            "unknown",
            "outbound of a flow that is not known",
            shape(NEW, true),
            Counter::PassNoFlow,
        ),
        udp,
    ]
}

/// What a flow sees once or twice in its life.
fn rare() -> Vec<Case> {
    let shape = |service| Shape { service, ..PLAIN };
    let case = |id, what, service, outcome, change: fn(&mut TcpHeader)| {
        let frame = Frame::new(shape(service), change);
        Case::new(id, what, Subject::Isnguard(Outbound), frame, outcome)
    };
    vec![
        case(
            "fin",
            "outbound FIN",
            CLOSING,
            Counter::PacketsTranslatedOut,
            |tcp| (tcp.ack, tcp.fin) = (true, true),
        ),
        case(
            "syn-again",
            "SYN of a host, repeated",
            NEW + 1,
            Counter::PassOffsetZero,
            |tcp| tcp.syn = true,
        ),
        syn(),
    ]
}

/// Offset of the protocol in a frame of IPv4.
const PROTOCOL_AT: usize = 14 + 9;

/// An outbound acknowledgment of flows of which there are as many as anybody wants.
pub fn outbound_of_many() -> Case {
    let up = Shape {
        service: UP,
        ..PLAIN
    };
    out("out-many", "outbound acknowledgment", up, false)
}

/// Flows at random, among few and many.
pub fn random(flows: u32) -> Vec<Case> {
    let mut floor = floor(flows);
    floor.id = format!("random-floor-{flows}");
    floor.what = format!("floor, one of {flows} flows at random");
    floor.against = Against::Nothing;
    let out = Case {
        id: format!("random-out-{flows}"),
        what: format!("outbound, one of {flows} flows at random"),
        ..outbound_of_many()
    };
    let into = into(
        &format!("random-in-{flows}"),
        &format!("inbound, one of {flows} flows at random"),
        INBOUND,
        false,
        0,
    );
    let cases = [out, into].map(|case| case.among(flows));
    let mut all = vec![floor];
    all.extend(cases.map(|case| {
        if flows >= 1 << 20 {
            case.must("P6")
        } else {
            case
        }
    }));
    all
}
