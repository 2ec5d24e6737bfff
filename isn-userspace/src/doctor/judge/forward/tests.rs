//! What stands in the way of forwarding in XDP.

use super::*;

fn device(change: impl FnOnce(&mut Device)) -> Device {
    let mut device = Device {
        name: "eth1".into(),
        kind: None,
        forwards_v4: Ok(1),
        forwards_v6: Ok(0),
        xdp: Ok(XdpFeatures {
            basic: true,
            buffers: false,
            transmit: true,
        }),
        offloads: Ok(vec!["rx-gro".into()]),
        controller: None,
        has_address: true,
    };
    change(&mut device);
    device
}

fn forward(device: Device) -> Forward {
    Forward {
        devices: vec![device],
        ruleset: Ok(Ruleset::default()),
        marks: Ok(Vec::new()),
        queues: Ok(vec![
            ("eth1".into(), "fq_codel".into()),
            ("eth1".into(), "mq".into()),
        ]),
        programs: Ok(Vec::new()),
        ipsec: Ok(0),
    }
}

fn refused(change: impl FnOnce(&mut Device)) -> Option<String> {
    let failure = refusal(&forward(device(change)), true)?;
    Some(format!("{failure}: {}", failure.remedy()))
}

#[test]
fn an_ordinary_gateway_is_not_refused() {
    assert!(refusal(&forward(device(|_| {})), false).is_none());
    assert!(
        refusal(
            &forward(device(
                |it| (it.forwards_v4, it.forwards_v6) = (Ok(0), Ok(1))
            )),
            false
        )
        .is_none()
    );
    let finding = judge(&forward(device(|_| {})), false, false);
    assert_eq!((finding.check, finding.fix), (Check::Past, None));
}

#[test]
fn what_cannot_work_is_refused_whatever_is_said() {
    for (why, words) in [
        (
            refused(|it| it.controller = Some("br0".into())),
            "a port of `br0`",
        ),
        (refused(|it| it.has_address = false), "no Ethernet address"),
        (
            refused(|it| it.offloads = Ok(vec!["rx-vlan-hw-parse".into()])),
            "ethtool -K eth1 rxvlan off",
        ),
        (
            refused(|it| it.xdp = Ok(XdpFeatures::default())),
            "without ndo-xmit",
        ),
        (
            refused(|it| it.forwards_v4 = Ok(0)),
            "net.ipv4.ip_forward=1",
        ),
    ] {
        let why = why.unwrap_or_else(|| panic!("not refused: {words}"));
        assert!(why.contains(words), "{why}");
    }
    let veth = refused(|it| (it.kind, it.xdp) = (Some("veth".into()), Ok(XdpFeatures::default())));
    assert!(veth.unwrap().contains("other end"));
    assert_eq!(refused(|it| it.xdp = Err("Linux 6.1".into())), None);
}

#[test]
fn what_packets_would_go_past_is_refused_unless_told() {
    let mut gateway = forward(device(|_| {}));
    gateway.marks = Ok(vec![7]);
    gateway.queues = Ok(vec![("eth1".into(), "tbf".into())]);
    gateway.programs = Ok(vec!["tc program `meter` (id 3) of `eth1`".into()]);
    gateway.ipsec = Ok(2);
    gateway.ruleset = Err("nft is not installed".into());
    let failure = refusal(&gateway, false).unwrap();
    assert!(failure.remedy().contains("--forward-past-rules"));
    for words in [
        "fwmark 0x7",
        "tbf of `eth1`",
        "`meter`",
        "2 policies",
        "nft is not installed",
    ] {
        assert!(failure.to_string().contains(words), "{failure}");
    }
    assert!(refusal(&gateway, true).is_none());
    assert!(judge(&gateway, true, false).evidence.contains("tbf"));
    assert!(judge(&gateway, false, true).fix.is_some());
    assert!(judge(&gateway, false, false).degrades);
}
