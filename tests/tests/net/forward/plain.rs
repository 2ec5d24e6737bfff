//! A regressing host behind a gateway that forwards in XDP: cured, every segment translated once, one hop taken from each packet.

use std::{collections::BTreeMap, fs::File, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    capture::Recording,
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, Watch, ensure_hangs, host_end, one_life},
    server::Server,
};
use pcap_file::pcap::PcapReader;
use tempfile::TempDir;

use super::{Bench, FIRST_ISN, KIB, LOWER_ISN, PEER_PORT, PORT, forwarding};

/// What every stack here sends with.
const HOPS: u8 = 64;
const TCP: u8 = 6;
/// Little enough that no ring of a veth runs over for long.
const BYTES: u64 = 512 * KIB;

/// RFC 1071 over a header, its checksum included: 0 if that is right.
fn sum(header: &[u8]) -> u16 {
    let words = header.chunks(2);
    let mut sum: u32 = words
        .map(|it| u32::from(u16::from_be_bytes([it[0], it[1]])))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// How many TCP packets of a capture have which hop count, by whether they are from `source`; every header checksum is verified.
fn hops(recording: &Recording, source: &[u8]) -> Result<BTreeMap<(bool, u8), usize>> {
    let file: &Path = recording.file();
    let mut packets = PcapReader::new(File::open(file)?)?;
    let mut found = BTreeMap::new();
    while let Some(packet) = packets.next_packet() {
        let frame = packet?.data.into_owned();
        let (protocol, hops, from) = match frame.get(12..14) {
            Some([0x08, 0x00]) => {
                let header = frame.get(14..34).context("a short header")?;
                ensure!(sum(header) == 0, "a wrong header checksum: {header:02x?}");
                (header[9], header[8], &header[12..16])
            }
            Some([0x86, 0xdd]) => {
                let header = frame.get(14..54).context("a short header")?;
                (header[6], header[7], &header[8..24])
            }
            _ => continue,
        };
        if protocol == TCP {
            *found.entry((from == source, hops)).or_insert(0) += 1;
        }
    }
    Ok(found)
}

fn is_cured(bench: &Bench, isnguard: &Isnguard, family: Family) -> Result<()> {
    let (lab, dir) = (&bench.lab, TempDir::new()?);
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    one_life(lab, &server, PORT, FIRST_ISN)?;
    let forwarded = |way: &str| isnguard.counter(&format!("forwarded_{way}"));
    let before = [forwarded("out")?, forwarded("in")?];
    let (lost, watch) = (
        bench.lost_in_rings()?,
        Watch::start(lab, dir.path(), "cured")?,
    );
    let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
    connection.exchange(BYTES, 1)?;
    let flow = isnguard.flow(host)?;
    connection.close()?;
    let seen = watch.stop()?;
    let mut sides = seen.verified(host)?;
    sides.lost += bench.lost_in_rings()? - lost;
    ensure!(
        (flow.host_isn, flow.reason.as_str()) == (LOWER_ISN, "regressed"),
        "{flow:?}"
    );
    let crossed = sides.ensure_translated(flow.offset)?;
    ensure!(crossed > 700, "a segment or two for each KiB: {crossed}");

    let all = [forwarded("out")? - before[0], forwarded("in")? - before[1]];
    ensure!(
        all.iter().sum::<u64>() * 10 > crossed as u64 * 9,
        "{all:?} of {crossed} were forwarded: {}",
        isnguard.stats()?
    );
    let address = |ip| match ip {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let own = address(host.ip());
    for (recording, near) in [(&seen.near, true), (&seen.far, false)] {
        let found = hops(recording, &own)?;
        let expected = |from_host: bool| HOPS - u8::from(from_host != near);
        ensure!(
            found.len() == 2 && found.keys().all(|(own, hops)| *hops == expected(*own)),
            "at the host ({near}), by sender and hop count: {found:?}"
        );
    }
    Ok(())
}

/// The sum of all outcomes, of which each packet has one.
fn outcomes(isnguard: &Isnguard) -> Result<u64> {
    isnguard.counter("packets_seen")
}

#[test]
fn a_regressing_host_is_cured_past_the_kernel() -> Result<()> {
    let bench = Bench::new()?;
    let server = Server::listen(&bench.lab.peer, Family::V4.peer(PEER_PORT + 1))?;
    one_life(&bench.lab, &server, PORT, FIRST_ISN)?;
    let limit = Duration::from_millis(1100);
    ensure_hangs(&bench.lab, &server, PORT, LOWER_ISN, limit)?;
    let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
    isnguard.attach(&forwarding())?;
    let status = isnguard.status()?;
    ensure!(status["healthy"] == true, "{status}");
    let attached = status["attached"].as_array().map_or(0, Vec::len);
    ensure!(attached == 2, "{status}");
    for family in Family::ALL {
        is_cured(&bench, &isnguard, family).with_context(|| format!("{family:?}"))?;
    }
    ensure!(isnguard.counter("dropped_untranslatable")? == 0);
    Ok(())
}

/// A packet that one hook translates and counts, no other does, whichever way it went.
#[test]
fn each_packet_is_counted_once() -> Result<()> {
    let bench = Bench::new()?;
    let (lab, dir) = (&bench.lab, TempDir::new()?);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&forwarding())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(lab, &server, PORT, FIRST_ISN)?;
        let translated = |way: &str| isnguard.counter(&format!("packets_translated_{way}"));
        let before = [translated("out")?, translated("in")?, outcomes(&isnguard)?];
        let (lost, watch) = (
            bench.lost_in_rings()?,
            Watch::start(lab, dir.path(), "once")?,
        );
        let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
        connection.exchange(64 * KIB, 1)?;
        connection.close()?;
        let seen = watch.stop()?;
        ensure!(
            bench.lost_in_rings()? == lost,
            "a ring ran over: nothing can be said"
        );
        let sides = seen.verified(host_end(&server, PORT))?;
        let (out, into) = (
            sides.outbound_far.len() as u64,
            sides.inbound_near.len() as u64,
        );
        ensure!(
            translated("out")? - before[0] == out,
            "{out}: {}",
            isnguard.stats()?
        );
        // The last acknowledgment may have nothing to translate, but each with ACK has.
        ensure!(
            translated("in")? - before[1] == into,
            "{into}: {}",
            isnguard.stats()?
        );
        ensure!(outcomes(&isnguard)? - before[2] >= out + into);
    }
    Ok(())
}
