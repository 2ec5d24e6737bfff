//! Rules as nft 1.0.6 and iptables-save print them.

use super::*;

fn nft(objects: &str) -> Ruleset {
    let mut ruleset = Ruleset::default();
    let printed = format!(r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}}, {objects}]}}"#);
    ruleset.add_nft(&printed).unwrap();
    ruleset
}

fn rule(expressions: &str) -> Ruleset {
    nft(&format!(
        r#"{{"rule": {{"family": "inet", "table": "f", "chain": "fw", "handle": 8, "expr": [{expressions}]}}}}"#
    ))
}

#[test]
fn every_way_to_drop_what_is_invalid_is_seen() {
    for expressions in [
        r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}"#,
        r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["invalid", "untracked"]}}, {"drop": null}"#,
        r#"{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["invalid", "new"]}}}, {"reject": null}"#,
        r#"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}], ["established", {"accept": null}]]}}}"#,
    ] {
        let ruleset = rule(expressions);
        assert_eq!(
            ruleset.drops_invalid,
            ["nft table inet f chain fw"],
            "{expressions}"
        );
        assert!(ruleset.follows);
    }
    for expressions in [
        r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"accept": null}"#,
        r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"drop": null}"#,
        r#"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"accept": null}]]}}}"#,
    ] {
        assert!(rule(expressions).drops_invalid.is_empty(), "{expressions}");
    }
    let without = rule(
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}, {"drop": null}"#,
    );
    let read = Ruleset {
        by_nft: true,
        ..Ruleset::default()
    };
    assert_eq!(without, read);
}

#[test]
fn translations_are_told_with_the_interfaces_they_name() {
    let masquerade = rule(
        r#"{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "wan0"}}, {"masquerade": null}"#,
    );
    let wanted = Nat {
        action: "masquerade".into(),
        place: "nft table inet f chain fw".into(),
        leaving: vec!["wan0".into()],
    };
    assert_eq!(masquerade.nat, [wanted]);
    assert!(masquerade.follows);
    let several = rule(
        r#"{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": {"set": ["a0", "b0"]}}}, {"snat": {"family": "ip", "addr": "192.0.2.1"}}"#,
    );
    assert_eq!(several.nat[0].leaving, ["a0", "b0"]);
    let dnat = rule(r#"{"dnat": {"family": "ip", "addr": "10.0.0.2"}}"#);
    assert_eq!(
        (dnat.nat[0].action.as_str(), dnat.nat[0].leaving.len()),
        ("dnat", 0)
    );
}

#[test]
fn synproxy_and_flowtables_are_seen_and_their_flags_by_the_text() {
    let ruleset =
        rule(r#"{"synproxy": {"mss": 1460, "wscale": 7, "flags": ["timestamp", "sack-perm"]}}"#);
    assert_eq!(ruleset.synproxy.len(), 1);
    let mut tables = nft(
        r#"{"flowtable": {"family": "inet", "name": "ft", "table": "f", "handle": 1, "hook": "ingress", "prio": 0, "dev": ["eth0", "eth1"]}}, {"flowtable": {"family": "inet", "name": "one", "table": "f", "handle": 2, "hook": "ingress", "prio": 0, "dev": "eth0"}}"#,
    );
    assert_eq!(tables.flowtables[0].devices, ["eth0", "eth1"]);
    assert_eq!(tables.flowtables[1].devices, ["eth0"]);
    tables.add_flowtable_flags(
        "table inet f {\n\tflowtable ft {\n\t\thook ingress priority filter\n\t\tdevices = { eth0, eth1 }\n\t\tflags \
         offload\n\t}\n\tflowtable one {\n\t\thook ingress priority filter\n\t}\n}\n",
    );
    assert_eq!(
        tables
            .flowtables
            .iter()
            .map(|it| it.hardware)
            .collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn iptables_rules_are_read_as_well() {
    let mut ruleset = Ruleset::default();
    ruleset.add_iptables(
        "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n-A FORWARD -m conntrack \
         --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -m state --state INVALID,UNTRACKED -j \
         SYNPROXY --sack-perm\nCOMMIT\n*nat\n-A POSTROUTING -o wan0 -j MASQUERADE\n-A PREROUTING -p tcp -j DNAT \
         --to-destination 10.0.0.2\nCOMMIT\n",
    );
    assert_eq!(
        ruleset.drops_invalid,
        ["iptables table filter chain FORWARD"]
    );
    assert_eq!(ruleset.synproxy, ["iptables table filter chain INPUT"]);
    assert_eq!(ruleset.nat[0].leaving, ["wan0"]);
    assert_eq!(ruleset.nat[1].action, "dnat");
    assert!(ruleset.follows);
}

#[test]
fn rules_that_iptables_has_made_are_noticed() {
    let ruleset = rule(
        r#"{"xt": {"type": "match", "name": "conntrack"}}, {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}"#,
    );
    assert!(ruleset.by_iptables);
    assert!(!rule(r#"{"drop": null}"#).by_iptables);
}

#[test]
fn what_is_no_ruleset_is_said_to_be_none() {
    let mut ruleset = Ruleset::default();
    assert!(
        ruleset
            .add_nft("permission denied")
            .unwrap_err()
            .contains("no JSON")
    );
    assert!(ruleset.add_nft("{}").unwrap_err().contains("no list"));
}

#[test]
fn chains_on_the_way_of_forwarded_packets_are_listed_if_they_do_something() {
    let chain = |family: &str, name: &str, hook: &str, policy: &str| {
        format!(
            r#"{{"chain": {{"family": "{family}", "table": "t", "name": "{name}", "hook": "{hook}", "policy": "{policy}"}}}}"#
        )
    };
    let rule = |family: &str, name: &str| {
        format!(
            r#"{{"rule": {{"family": "{family}", "table": "t", "chain": "{name}", "expr": [{{"accept": null}}]}}}}"#
        )
    };
    let printed = [
        chain("inet", "empty", "forward", "accept"),
        chain("inet", "closed", "forward", "drop"),
        chain("ip", "nat", "postrouting", "accept"),
        rule("ip", "nat"),
        rule("ip", "nat"),
        chain("ip", "local", "input", "drop"),
        rule("ip", "local"),
        chain("bridge", "bridged", "forward", "drop"),
    ];
    let mut ruleset = Ruleset::default();
    let whole = format!(r#"{{"nftables": [{}]}}"#, printed.join(", "));
    ruleset.add_nft(&whole).unwrap();
    assert_eq!(
        ruleset.hooked,
        [
            "nft table inet t chain closed (hook forward, rules: 0)",
            "nft table ip t chain nat (hook postrouting, rules: 2)"
        ]
    );
    let saved = "# Generated by iptables-save v1.8.9 (nf_tables)\n*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT\n-A INPUT -j ACCEPT\nCOMMIT\n";
    ruleset.add_iptables(saved);
    assert_eq!(ruleset.hooked.len(), 2, "told by nft already");
    let mut alone = Ruleset::default();
    alone.add_iptables(saved);
    assert_eq!(alone.hooked, ["iptables table filter chain FORWARD"]);
}
