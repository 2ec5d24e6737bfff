//! What cannot be graded: said with its reason, and what to do.

use std::{fs, path::Path};

use pcap_file::{Endianness, TsResolution};
use tempfile::TempDir;

use super::{
    captures::*,
    program::{audit, audit_input},
    reports::constant,
};

#[test]
fn a_file_that_is_not_there_or_is_a_directory() {
    audit(Path::new("/nonexistent/x.pcap"), &[]).refused("No such file", "tcpdump -w");
    audit(Path::new("/"), &[]).refused("it is a directory", "name a capture file");
}

#[test]
fn no_capture() {
    audit_input(b"", &[]).refused("it is empty", "tcpdump");
    audit_input(b"hello, world", &[]).refused("it is no capture", "tcpdump");
    audit_input(b"snoop\0\0\0\0\0\0\x02", &[]).refused("a snoop capture", "editcap");
    audit_input(&[0x1f, 0x8b, 8, 0, 0], &[])
        .refused("compressed with gzip", "zcat FILE | isnguard audit -");
    audit_input(&[0x28, 0xb5, 0x2f, 0xfd, 0], &[])
        .refused("with zstd", "zstdcat FILE | isnguard audit -");
}

#[test]
fn a_link_type_that_is_not_read() {
    let packets = constant();
    let alone = pcap(
        Link::WiFi,
        Endianness::Little,
        TsResolution::MicroSecond,
        &packets,
    );
    audit_input(&alone, &[]).refused("link type 105 (IEEE 802.11)", "tcpdump -i any");
    let all = pcapng(&[Link::WiFi, Link::WiFi], Endianness::Big, 6, &packets);
    audit_input(&all, &[]).refused("link type 105 (IEEE 802.11)", "tcpdump -i any");
    // Where others can be read, they are, and the rest is counted.
    let some = pcapng(&[Link::Raw, Link::WiFi], Endianness::Big, 6, &packets);
    let json = audit_input(&some, &["--json"]).json();
    assert_eq!(json["left_out"]["link_type"], 60);
}

#[test]
fn no_syn_and_what_there_is_instead() {
    let (from, to) = (end("192.0.2.1:1024"), end("198.51.100.1:502"));
    let mut packets = vec![(BEGIN, segment(from, to, ACK, [1, 2], 10)); 3];
    packets.push((BEGIN, vec![0; 30]));
    let run = audit_input(&usual(&packets), &[]);
    run.refused(
        "no SYN in it, only 4 packets, 3 of them TCP segments (1 ",
        "record for longer",
    );
    audit_input(&usual(&[]), &[]).refused("only 0 packets", "record for longer");
}

#[test]
fn a_host_that_is_not_in_it() {
    let run = audit_input(&usual(&constant()), &["--host", "10.9.9.9"]);
    run.refused("none of its 40 SYNs", "leave --host away");
}

#[test]
fn arguments_that_make_no_sense() {
    for arguments in [
        ["--host", "plant"],
        ["--plot", "picture.jpg"],
        ["--limit", "many"],
    ] {
        let run = audit_input(&[], &arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn a_picture_without_a_place_is_refused_before_anything_is_read() {
    audit_input(&usual(&constant()), &["--plot", "/nonexistent/p.svg"])
        .refused("No such file", "make /nonexistent");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("p.png");
    let run = audit_input(&usual(&constant()), &["--plot", inside.to_str().unwrap()]);
    run.refused("ot a directory", "name a file in a directory");
}
