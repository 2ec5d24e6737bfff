//! The corpora of the parsers' targets, made from packets as tests say them, and the targets' bodies run over them.

#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
};

use isn_common::flow::Direction::{self, Inbound, Outbound};

use crate::packet_builder::{
    Carrier, Icmp, Tcp,
    carrier::{DOT1AD, DOT1Q},
    extension::{DESTINATION, Extension, HOP_BY_HOP},
    host_data, host_fin, host_rst, host_syn, peer_ack, peer_data, peer_rst_ack, peer_syn_ack,
};

/// A target: its name, its body, and what its corpus is made of.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it does with an input; a panic is a find.
    pub run: fn(&[u8]),
    /// Its inputs by name.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: [Target; 3] = [
    Target {
        name: "frame",
        run: targets::frame::run,
        seeds: frames,
    },
    Target {
        name: "options",
        run: targets::options::run,
        seeds: options,
    },
    Target {
        name: "quote",
        run: targets::quote::run,
        seeds: quotes,
    },
];

impl Target {
    /// Where its corpus lies.
    #[must_use]
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/corpus")
            .join(self.name)
    }

    /// The inputs in its corpus, those that libFuzzer has added included.
    pub fn inputs(&self) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let files = fs::read_dir(self.corpus())?;
        files
            .map(|file| {
                let file = file?.path();
                let octets = fs::read(&file)?;
                Ok((file, octets))
            })
            .collect()
    }
}

fn carriers() -> [(&'static str, Carrier); 5] {
    let destination = Extension::padded(DESTINATION, 1);
    [
        ("v4", Carrier::v4()),
        ("v6", Carrier::v6()),
        ("v4-options", Carrier::v4().ip_options(&[1; 8])),
        (
            "v6-extensions",
            Carrier::v6()
                .extension(Extension::padded(HOP_BY_HOP, 0))
                .extension(destination),
        ),
        (
            "v4-tags",
            Carrier::v4().tagged(DOT1AD, 0x123).tagged(DOT1Q, 0x456),
        ),
    ]
}

/// A connection that is opened, used, reset and opened again with a number that goes back.
fn conversation() -> Vec<Tcp> {
    let blocks = [(2000, 3000), (4000, 5000)];
    vec![
        host_syn(5000).window_scale(7).timestamps(100, 0),
        peer_syn_ack(90, 5001).window_scale(2).timestamps(7, 100),
        host_data(5001, 91, b"data").timestamps(101, 7),
        peer_ack(91, 5005).nops(1).sack(&blocks),
        host_fin(5005, 91).timestamps(102, 7),
        host_rst(5006),
        host_syn(1000).timestamps(3, 0),
        peer_rst_ack(0, 1001),
    ]
}

fn entry(direction: Direction, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).expect("frames are short");
    let mut entry = vec![u8::from(direction == Inbound)];
    entry.extend_from_slice(&length.to_be_bytes());
    entry.extend_from_slice(octets);
    entry
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, carrier) in carriers() {
        let said = conversation();
        let whole = said
            .iter()
            .flat_map(|it| entry(it.direction, &carrier.frame(it)));
        seeds.push((format!("{name}-conversation"), whole.collect()));
        let tcp = host_data(5001, 91, b"a longer piece of data");
        let first = entry(Outbound, &carrier.first_fragment(&tcp, 16));
        let last = entry(Outbound, &carrier.last_fragment(&tcp, 16));
        seeds.push((format!("{name}-fragments"), [first, last].concat()));
    }
    seeds
}

fn options() -> Vec<(String, Vec<u8>)> {
    let blocks = [(1000, 2000), (u32::MAX - 5, 7), (3, 4)];
    let segments = [
        ("none", peer_ack(1, 2)),
        ("sack", peer_ack(1, 2).nops(2).sack(&blocks)),
        ("odd-sack", peer_ack(1, 2).nops(1).sack(&blocks[1..])),
        ("timestamps", peer_ack(1, 2).nops(2).timestamps(77, 88)),
        (
            "both",
            peer_ack(1, 2).timestamps(77, 0).nops(1).sack(&blocks[..1]),
        ),
        (
            "two-of-each",
            peer_ack(1, 2)
                .sack(&blocks[..1])
                .timestamps(1, 2)
                .sack(&blocks[..1]),
        ),
        (
            "syn",
            host_syn(1)
                .raw_options(&[2, 4, 5, 180, 4, 2])
                .timestamps(1, 0)
                .window_scale(9),
        ),
        (
            "md5",
            host_syn(1).raw_options(&[19, 18]).raw_options(&[7; 16]),
        ),
        ("authentication", host_syn(1).raw_options(&[29, 4, 1, 1])),
        ("end", peer_ack(1, 2).raw_options(&[0]).sack(&blocks[..1])),
        ("too-long", peer_ack(1, 2).raw_options(&[5, 40, 1, 2, 3])),
    ];
    let input = |misaligned: u8, tcp: &Tcp| {
        let mut input = vec![0x89, 0xab, 0xcd, 0xef, misaligned];
        input.extend_from_slice(&tcp.options);
        input
    };
    let named = segments.iter().zip(0..).map(|((name, tcp), at)| {
        let misaligned = at % 3;
        (format!("{name}-{misaligned}"), input(misaligned, tcp))
    });
    named.collect()
}

fn quotes() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, carrier) in carriers().into_iter().take(4) {
        let is_v4 = carrier.key4().is_some();
        for (octets, shown) in [(8, "ports"), (20, "header"), (usize::MAX, "all")] {
            for direction in [Inbound, Outbound] {
                let (way, about) = match direction {
                    Inbound => ("in", host_data(0x0102_16fc, 91, b"data").timestamps(1, 2)),
                    Outbound => ("out", peer_data(91, 5001, b"").nops(1).sack(&[(7, 9)])),
                };
                let kind = if is_v4 { 3 } else { 1 };
                let mut message = Icmp::new(direction, kind, carrier.quote(&about, octets));
                if shown == "all" {
                    message = message.behind(&[0x20; 12]);
                }
                let plain = if is_v4 { Carrier::v4() } else { Carrier::v6() };
                let frame = plain.icmp_frame(&message);
                let flags = u8::from(direction == Inbound) | u8::from(!is_v4) << 1;
                let seed = [&[flags], &frame[plain.tcp_at()..]].concat();
                seeds.push((format!("{name}-{shown}-{way}"), seed));
            }
        }
    }
    seeds
}
