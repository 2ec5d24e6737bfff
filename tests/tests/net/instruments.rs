//! The laboratory's instruments, without isnguard: captures tell the truth, the verifier sees a wrong checksum, the relay keeps its word.

use std::{fs::File, path::Path, time::Duration};

use anyhow::{Context, Result};
use isn_tests::{
    capture::Recording,
    comparison::{BothSides, arriving_at, ensure_checksums},
    family::Family,
    relay::{Impairment, Relay, Tally},
    scenario::{Connection, Seen, Watch},
    segment::Segment,
    server::Server,
    topology::{Lab, LabOptions, Offload, Wire},
};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use tempfile::TempDir;

const ISN: u32 = 0x8000_0000;
const HOST_PORT: u16 = 40_000;
const PEER_PORT: u16 = 7_000;
const KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// Captures of one connection that moves `bytes` each way.
fn one_connection(lab: &Lab, dir: &TempDir, family: Family, bytes: u64) -> Result<Seen> {
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let watch = Watch::start(lab, dir.path(), "instruments")?;
    let connection = Connection::open_within(PATIENCE, lab, &server, HOST_PORT, ISN)?;
    connection.exchange(bytes, 1)?;
    connection.close()?;
    watch.stop()
}

#[test]
fn both_sides_show_the_same_segments_with_right_checksums() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let dir = TempDir::new()?;
        let seen = one_connection(&lab, &dir, family, 16 * 1024 * KIB)?;
        let sides = seen.verified(family.host(HOST_PORT))?;
        assert!(
            sides.ensure_untouched()? > 2 * 16 * 700,
            "hundreds of segments for each MiB"
        );
        assert!(
            sides.ensure_translated(1).is_err(),
            "a difference of 1 would be seen"
        );
    }
    Ok(())
}

#[test]
fn a_missing_and_a_doubled_segment_are_seen() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let seen = one_connection(&lab, &dir, Family::V4, KIB)?;
    let host = Family::V4.host(HOST_PORT);
    let (near, far) = (seen.near.segments()?, seen.far.segments()?);
    assert!(
        BothSides::of(host, near.clone(), far.clone())
            .ensure_untouched()
            .is_ok()
    );
    assert!(
        BothSides::of(host, near.clone(), far[1..].to_vec())
            .ensure_untouched()
            .is_err()
    );
    assert!(
        BothSides::of(host, near[1..].to_vec(), far.clone())
            .ensure_untouched()
            .is_err()
    );
    let doubled = [&far[..], &far[..1]].concat();
    assert!(
        BothSides::of(host, near, doubled)
            .ensure_untouched()
            .is_err()
    );
    Ok(())
}

#[test]
fn frames_arrive_complete_when_the_end_hosts_leave_checksums_to_their_devices() -> Result<()> {
    let lab = Lab::new(LabOptions {
        offload: Offload::EndHosts,
        ..LabOptions::default()
    })?;
    let dir = TempDir::new()?;
    let family = Family::V4;
    let seen = one_connection(&lab, &dir, family, 1024 * KIB)?;
    let (near, far) = (seen.near.segments()?, seen.far.segments()?);
    assert!(ensure_checksums(arriving_at(family.host(0).ip(), &near))? > 100);
    assert!(ensure_checksums(arriving_at(family.peer(0).ip(), &far))? > 100);
    assert!(
        ensure_checksums(&near).is_err(),
        "what the host sends is unfinished"
    );
    Ok(())
}

#[test]
fn the_verifier_and_tcpdump_flag_one_corrupted_frame() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let good = one_connection(&lab, &dir, Family::V4, KIB)?.near;
    assert_eq!(good.tcpdump_verdict()?, 0);
    ensure_checksums(&good.segments()?)?;
    let bad = with_one_bit_flipped(&good, &dir.path().join("bad.pcap"))?;
    assert_eq!(bad.tcpdump_verdict()?, 1);
    assert!(ensure_checksums(&bad.segments()?).is_err());
    Ok(())
}

/// The capture again, the last payload in it one bit off.
fn with_one_bit_flipped(good: &Recording, file: &Path) -> Result<Recording> {
    let mut reader = PcapReader::new(File::open(good.file())?)?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        packets.push(packet?.into_owned());
    }
    let has_payload = |packet: &&mut PcapPacket| {
        let segment = Segment::parse(Duration::ZERO, &packet.data);
        segment.is_some_and(|segment| segment.payload_len > 0)
    };
    let victim = packets
        .iter_mut()
        .rfind(has_payload)
        .context("a capture without payload")?;
    *victim.data.to_mut().last_mut().context("an empty packet")? ^= 1;
    let mut writer = PcapWriter::new(File::create(file)?)?;
    packets
        .iter()
        .try_for_each(|packet| writer.write_packet(packet).map(drop))?;
    Ok(Recording::open(file))
}

#[test]
fn the_relay_loses_what_it_says() -> Result<()> {
    for (at, family) in [(Wire::Inside, Family::V4), (Wire::Outside, Family::V6)] {
        let lab = Lab::new(LabOptions {
            wire: Some(at),
            ..LabOptions::default()
        })?;
        let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
        let plan = Impairment {
            seed: 7,
            loss: 10,
            reorder: 10,
            duplicate: 10,
            ..Impairment::NONE
        };
        let relay = Relay::start(wire, plan)?;
        let dir = TempDir::new()?;
        let seen = one_connection(&lab, &dir, family, 4 * 1024 * KIB)?;
        let tallies = relay.stop()?;
        println!("{tallies:?}");
        let (near, far) = (seen.near.segments()?, seen.far.segments()?);
        kept_its_word(
            tallies.outbound,
            from(family.host(0).ip(), &near),
            from(family.host(0).ip(), &far),
        );
        kept_its_word(
            tallies.inbound,
            from(family.peer(0).ip(), &far),
            from(family.peer(0).ip(), &near),
        );
        let has_sack = |segment: &Segment| !segment.sack.is_empty();
        assert!(near.iter().chain(&far).any(has_sack), "loss brings SACK");
    }
    Ok(())
}

fn from(end: std::net::IpAddr, segments: &[Segment]) -> u64 {
    segments
        .iter()
        .filter(|segment| segment.source.ip() == end)
        .count() as u64
}

fn kept_its_word(tally: Tally, sent: u64, arrived: u64) {
    assert_eq!(tally.missed, 0);
    assert!(
        tally.lost > 0 && tally.reordered > 0 && tally.duplicated > 0,
        "{tally:?}"
    );
    assert_eq!(tally.tcp, sent);
    assert_eq!(sent - tally.lost + tally.duplicated, arrived);
}

#[test]
fn a_quiet_relay_changes_nothing() -> Result<()> {
    let lab = Lab::new(LabOptions {
        wire: Some(Wire::Outside),
        ..LabOptions::default()
    })?;
    let wire = lab.wire.as_ref().context("a laboratory without its wire")?;
    let relay = Relay::start(
        wire,
        Impairment {
            seed: 0,
            loss: 0,
            reorder: 0,
            duplicate: 0,
            ..Impairment::NONE
        },
    )?;
    let dir = TempDir::new()?;
    let seen = one_connection(&lab, &dir, Family::V4, 1024 * KIB)?;
    let sides = seen.verified(Family::V4.host(HOST_PORT))?;
    assert!(sides.ensure_untouched()? > 1000);
    let tallies = relay.stop()?;
    for tally in [tallies.outbound, tallies.inbound] {
        assert_eq!(
            (tally.lost, tally.reordered, tally.duplicated, tally.missed),
            (0, 0, 0, 0)
        );
    }
    Ok(())
}
