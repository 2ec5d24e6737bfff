//! What is checked, by the names that scripts know, and what a check says.

#[cfg(test)]
mod tests;

use crate::failure::Failure;

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// Something that is checked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $($(#[doc = $doc])+ $variant,)+ }

        impl Check {
            /// All checks, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Name in JSON and tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence for the operator.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

checks! {
    /// The kernel is new enough, and has what the programs need.
    Kernel = "kernel";
    /// The kernel describes its own types.
    Btf = "btf";
    /// BPF programs are compiled to machine code.
    Jit = "jit";
    /// The kernel is not locked down, and not every user may load programs.
    Lockdown = "lockdown";
    /// There is a BPF file system for the pins.
    Bpffs = "bpffs";
    /// This process has the capabilities that loading and attaching take.
    Capabilities = "capabilities";
    /// The clock by which flows age runs on without leaps.
    Clock = "clock";
    /// The instance is attached, its pins can be trusted, and its programs run where they should.
    Instance = "instance";
    /// The interface is there, carries Ethernet, and is up.
    Interface = "interface";
    /// Which driver, and how many queues.
    Driver = "driver";
    /// Which hook takes the packets that arrive, and why.
    Hook = "hook";
    /// Frames fit into what the driver gives to XDP.
    Mtu = "mtu";
    /// The network card does not merge segments in hardware.
    Lro = "lro";
    /// Where merged segments meet the hook.
    Gro = "gro";
    /// The hook is the cheaper one for the traffic.
    Traffic = "traffic";
    /// Whether unfinished checksums can meet XDP.
    Checksums = "checksums";
    /// VLAN tags are in the frame where the hook looks for them.
    VlanOffload = "vlan-offload";
    /// Other programs at the same interface, and whose they are.
    Programs = "programs";
    /// The interface is not a part of another one that should be named instead.
    Members = "members";
    /// Frames for others are not taken in.
    Promiscuous = "promiscuous";
    /// The guarded hosts are on that side of the interface.
    Facing = "facing";
    /// The gateway forwards packets.
    Forwarding = "forwarding";
    /// The filter of source addresses lets both directions pass.
    RpFilter = "rp-filter";
    /// The gateway's own connection tracking sees one set of numbers.
    Conntrack = "conntrack";
    /// Address translation and the placement that it needs.
    Nat = "nat";
    /// The gateway does not answer SYNs in the place of the hosts.
    Synproxy = "synproxy";
    /// No flow takes a short cut around the hooks.
    Flowtable = "flowtable";
    /// Packets that are forwarded in XDP go past nothing that the gateway has for them.
    Past = "past";
    /// The key of keyed mode is there, nobody else's, and the one in use.
    Key = "key";
    /// Connections of before keyed mode find room to be adopted.
    Adopting = "adopting";
    /// The tables have room.
    Room = "room";
    /// No connection went without the offset that it needed.
    Unprotected = "unprotected";
    /// Both directions of connections pass.
    OneWay = "one-way";
    /// What is over is removed.
    Sweeper = "sweeper";
    /// The samples for `isnguard hosts` are taken out in time.
    Samples = "samples";
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be found out.
    Unknown,
    /// Something to know, or that takes a part of the protection away.
    Warn,
    /// It does not work like this.
    Fail,
}

impl Verdict {
    /// Name in JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// A command that a shell takes as it is.
    Command(String),
    /// A sentence.
    Advice(String),
}

impl Fix {
    /// As it is shown.
    #[must_use]
    pub fn text(&self) -> &str {
        let (Self::Command(text) | Self::Advice(text)) = self;
        text
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// What it is about, if there are several of the kind: an interface.
    pub subject: Option<String>,
    /// How it came out.
    pub verdict: Verdict,
    /// Whether the instance works worse than it could, as the exit code tells.
    pub degrades: bool,
    /// What was read, from where.
    pub evidence: String,
    /// What to do, where there is something to do.
    pub fix: Option<Fix>,
}

impl Check {
    fn finding(self, verdict: Verdict, evidence: impl Into<String>, fix: Option<Fix>) -> Finding {
        Finding {
            check: self,
            subject: None,
            verdict,
            degrades: verdict == Verdict::Fail,
            evidence: evidence.into(),
            fix,
        }
    }

    /// All is well.
    pub fn ok(self, evidence: impl Into<String>) -> Finding {
        self.finding(Verdict::Ok, evidence, None)
    }

    /// It could not be found out, for this reason.
    pub fn unknown(self, why: impl Into<String>) -> Finding {
        self.finding(Verdict::Unknown, why, None)
    }

    /// Something to know that takes nothing away.
    pub fn note(self, evidence: impl Into<String>, fix: Fix) -> Finding {
        self.finding(Verdict::Warn, evidence, Some(fix))
    }

    /// Something that takes a part of the protection away.
    pub fn warn(self, evidence: impl Into<String>, fix: Fix) -> Finding {
        Finding {
            degrades: true,
            ..self.note(evidence, fix)
        }
    }

    /// It does not work like this.
    pub fn fail(self, evidence: impl Into<String>, fix: Fix) -> Finding {
        self.finding(Verdict::Fail, evidence, Some(fix))
    }

    /// What `attach` refuses, in its words.
    #[must_use]
    pub fn refused(self, failure: &Failure) -> Finding {
        let remedy = Fix::Advice(failure.remedy().into());
        self.fail(failure.to_string(), remedy)
    }
}

impl Finding {
    /// The same about one of several.
    #[must_use]
    pub fn on(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }
}

/// A command as a fix.
pub fn command(line: impl Into<String>) -> Fix {
    Fix::Command(line.into())
}

/// A sentence as a fix.
pub fn advice(sentence: impl Into<String>) -> Fix {
    Fix::Advice(sentence.into())
}
