//! Files that are wrong, each with the place and the words that are shown; and one that says everything.

use clap::ValueEnum as _;

use super::{super::fault::Placed as Wrong, *};
use crate::settings::Treatment;

fn given(text: &str) -> Given {
    read(Path::new("f.toml"), text).unwrap_or_else(|faults| panic!("{faults}"))
}

fn wrong(text: &str) -> Vec<Wrong> {
    match read(Path::new("f.toml"), text) {
        Ok(given) => panic!("`{text}` was taken: {given:?}"),
        Err(faults) => faults.errors,
    }
}

/// Text, line, column, part of the message, part of what to do.
type Case = (&'static str, usize, usize, &'static str, &'static str);

fn ensure_refused(cases: &[Case]) {
    for (text, line, column, message, remedy) in cases {
        let errors = wrong(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        let error = &errors[0];
        assert_eq!(
            (error.line, error.column),
            (*line, *column),
            "{text}: {error}"
        );
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.remedy.contains(remedy), "{text}: {error}");
        assert_eq!(text.lines().nth(line - 1).unwrap_or_default(), error.text);
    }
}

#[test]
fn syntax_errors() {
    ensure_refused(&[
        (
            "mode = \"keyed\nhook = 1\n",
            1,
            14,
            "basic string",
            "text in quotes",
        ),
        ("mode = keyed\n", 1, 8, "string", "text in quotes"),
        ("inside = [\"eth1\"\n", 1, 17, "array", "[[protect]]"),
        (
            "[[protect]\n",
            1,
            11,
            "unclosed array table",
            "a rule begins with [[protect]]",
        ),
        (
            "mode = \"keyed\"\nmode = \"keyed\"\n",
            2,
            1,
            "duplicate key",
            "say it once",
        ),
        ("= 5\n", 1, 1, "key", "key = value"),
        (
            "[protect]\nprefix = \"::/0\"\n[[protect]]\n",
            3,
            3,
            "duplicate key",
            "several [[protect]]",
        ),
    ]);
}

#[test]
fn unknown_keys() {
    ensure_refused(&[
        (
            "mod = \"keyed\"\n",
            1,
            1,
            "unknown key `mod`",
            "did you mean `mode`?",
        ),
        (
            "\n  max_flows = 5\n",
            2,
            3,
            "unknown key `max_flows`",
            "did you mean `max-flows`?",
        ),
        (
            "[limits]\n",
            1,
            2,
            "unknown key `limits`",
            "the keys are instance,",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nport = 80\n",
            3,
            1,
            "unknown key `port` in a rule",
            "did you mean `ports`?",
        ),
        (
            "protect = [{ prefix = \"::/0\", modes = \"off\" }]\n",
            1,
            31,
            "unknown key `modes`",
            "did you mean `mode`?",
        ),
    ]);
}

#[test]
fn wrong_types() {
    ensure_refused(&[
        (
            "history = \"240\"\n",
            1,
            11,
            "`history` must be a whole number, and this is a string",
            "history = 240",
        ),
        (
            "history = 1.5\n",
            1,
            11,
            "a number with a fraction",
            "history = 240",
        ),
        (
            "mode = true\n",
            1,
            8,
            "`mode` must be a string, and this is true or false",
            "mode = \"observe\"",
        ),
        (
            "key-file = 1979-05-27\n",
            1,
            12,
            "this is a time",
            "key-file = \"/etc",
        ),
        (
            "inside = 5\n",
            1,
            10,
            "`inside` must be the name of an interface",
            "inside = [\"eth1\"]",
        ),
        (
            "inside = [\"eth1\", 5]\n",
            1,
            19,
            "and this is a number",
            "inside = [\"eth1\"]",
        ),
        (
            "protect = \"10.0.0.0/8\"\n",
            1,
            11,
            "a rule must be a table",
            "[[protect]]",
        ),
        (
            "[[protect]]\nprefix = [\"::/0\"]\n",
            2,
            10,
            "`prefix` must be a string, and this is an array",
            "prefix = ",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = [true]\n",
            3,
            10,
            "`ports` must be a port",
            "ports = [",
        ),
        (
            "metrics = {}\n",
            1,
            11,
            "and this is a table",
            "metrics = \"127.0.0.1:",
        ),
    ]);
}

#[test]
fn values_that_cannot_be() {
    ensure_refused(&[
        (
            "mode = \"locked\"\n",
            1,
            8,
            "`mode` cannot be \"locked\"",
            "\"monotonic\", \"keyed\", \"observe\"",
        ),
        (
            "mode = \"off\"\n",
            1,
            8,
            "`mode` cannot be \"off\"",
            "\"monotonic\"",
        ),
        (
            "hook = \"ebpf\"\n",
            1,
            8,
            "`hook` cannot be \"ebpf\"",
            "\"xdp-generic\"",
        ),
        (
            "on-full = \"wait\"\n",
            1,
            11,
            "`on-full` cannot be",
            "\"pass\", \"drop\"",
        ),
        (
            "tc-flavour = \"tc\"\n",
            1,
            14,
            "`tc-flavour` cannot be",
            "\"tcx\", \"clsact\"",
        ),
        (
            "history = 0\n",
            1,
            11,
            "`history` cannot be 0",
            "from 1 to 604800",
        ),
        (
            "idle = -1\n",
            1,
            8,
            "`idle` cannot be -1",
            "from 1 to 31536000",
        ),
        (
            "max-flows = 0x2000000\n",
            1,
            13,
            "`max-flows` cannot be 0x2000000",
            "from 1 to 16777216",
        ),
        (
            "samples = 99999999999999999999\n",
            1,
            11,
            "`samples` cannot be 9",
            "from 0 to 1000000",
        ),
    ]);
}

#[test]
fn names_and_addresses_that_cannot_be() {
    ensure_refused(&[
        (
            "instance = \"a.b\"\n",
            1,
            12,
            "an instance name has 1 to 32 letters",
            "instance = \"plant\"",
        ),
        (
            "key-file = \"plant.key\"\n",
            1,
            12,
            "does not begin with `/`",
            "key-file = \"/etc",
        ),
        (
            "metrics = \"localhost\"\n",
            1,
            11,
            "neither a port nor an address",
            "names are not looked up",
        ),
        (
            "metrics = 70000\n",
            1,
            11,
            "`70000` is neither a port",
            "9464",
        ),
        (
            "inside = \"eth 1\"\n",
            1,
            10,
            "`eth 1` cannot be the name of an interface",
            "`ip link`",
        ),
        (
            "inside = \"an-interface-too-long\"\n",
            1,
            10,
            "cannot be the name",
            "`ip link`",
        ),
    ]);
}

#[test]
fn rules_that_are_none() {
    ensure_refused(&[
        (
            "[[protect]]\nmode = \"keyed\"\n",
            1,
            1,
            "this rule has no `prefix`",
            "prefix = \"192.0.2.0/24\"",
        ),
        (
            "[[protect]]\nprefix = \"plant\"\n",
            2,
            10,
            "`plant` is not a prefix",
            "prefix = ",
        ),
        (
            "[[protect]]\nprefix = \"10.0.0.0/33\"\n",
            2,
            10,
            "is not a prefix",
            "prefix = ",
        ),
        (
            "[[protect]]\nprefix = \"10.0.0.1/8\"\n",
            2,
            10,
            "write `10.0.0.0/8` for the network",
            "prefix = ",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nmode = \"locked\"\n",
            3,
            8,
            "`mode` cannot be \"locked\"",
            "\"off\"",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = [\"80\", \"9-5\"]\n",
            3,
            16,
            "`9-5` is neither a port nor a range",
            "the lower end first",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = 0\n",
            3,
            9,
            "`0` is neither a port",
            "from 1 to 65535",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = [70000]\n",
            3,
            10,
            "`70000` is neither",
            "from 1 to 65535",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = \"http\"\n",
            3,
            9,
            "`http` is neither",
            "from 1 to 65535",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = []\n",
            3,
            9,
            "no port is named",
            "leave `ports` away",
        ),
    ]);
}

#[test]
fn what_contradicts_itself() {
    ensure_refused(&[
        (
            "inside = [\"eth1\", \"eth1\"]\n",
            1,
            19,
            "`eth1` is named twice: in line 1",
            "once",
        ),
        (
            "inside = \"eth1\"\noutside = \"eth1\"\n",
            2,
            11,
            "`eth1` is both inside and outside: see line 1",
            "leave one away",
        ),
        (
            "inside = \"eth1\"\noutside = \"eth0\"\n",
            2,
            11,
            "translated twice",
            "an instance of their own",
        ),
        (
            "forward = false\ninside = \"eth1\"\noutside = \"eth0\"\n",
            3,
            11,
            "translated twice",
            "forward = true",
        ),
        (
            "inside = \"eth1\"\nforward = true\n",
            2,
            11,
            "no interface is outside",
            "outside = [\"eth0\"]",
        ),
        (
            "inside = \"eth1\"\nforward = 1\n",
            2,
            11,
            "`forward`",
            "true",
        ),
        (
            "[[protect]]\nprefix = \"10.0.0.0/8\"\n[[protect]]\nprefix = \"10.0.0.0/8\"\nmode = \"off\"\n",
            4,
            10,
            "10.0.0.0/8 is named twice for ports all: in line 2",
            "leave one of them away",
        ),
        (
            "[[protect]]\nprefix = \"10.0.0.0/8\"\n[[protect]]\nprefix = \"10.0.0.0/8\"\nports = [80]\n",
            4,
            10,
            "would never apply: the one in line 2 covers ports all",
            "put the narrower range first",
        ),
        (
            "[[protect]]\nprefix = \"::/0\"\nports = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n",
            2,
            10,
            "more than 8 port ranges for ::/0",
            "merge ranges",
        ),
        (
            "[[protect]]\nprefix = \"10.0.0.0/8\"\nmode = \"off\"\n",
            2,
            10,
            "none guards any",
            "0.0.0.0/0",
        ),
        (
            "mode = \"observe\"\nadopt = 60\n",
            2,
            9,
            "`adopt` is for keyed mode",
            "mode = \"keyed\"",
        ),
    ]);
}

#[test]
fn everything_that_is_wrong_is_listed_in_order() {
    let errors = wrong(
        "mod = 1\nhistory = 0\ninside = 5\n[[protect]]\nprefix = \"x\"\nports = [\"y\", \"z\"]\n[[protect]]\n",
    );
    let places: Vec<_> = errors.iter().map(|it| (it.line, it.column)).collect();
    assert_eq!(
        places,
        [(1, 1), (2, 11), (3, 10), (5, 10), (6, 10), (6, 15), (7, 1)]
    );
    let errors = wrong("a = \nb = \nmode = \"keyed\"\n");
    assert_eq!(errors.len(), 2, "two lines cannot be read: {errors:?}");
}

#[test]
fn a_file_may_say_everything() {
    let all = given(
        r#"
        instance = "plant"
        bpffs = "/sys/fs/bpf"
        inside = ["eth1", "eth2.7"]
        mode = "keyed"
        hook = "xdp-generic"
        tc-flavour = "clsact"
        history = 60
        idle = 100
        closing = 50
        max-flows = 1_000
        max-half-open = 0x10
        max-history = 9
        on-full = "drop"
        samples = 0
        key-file = "/k"
        adopt = 0
        metrics = [9464, "[::1]:9465"]
        [[protect]]
        prefix = "192.0.2.0/24"
        ports = ["80", "1000-2000", 443]
        mode = "off"
        [[protect]]
        prefix = "2001:db8::7"
        "#,
    );
    let rules: Vec<String> = all.protect.iter().map(|it| it.value.to_string()).collect();
    assert_eq!(
        rules,
        [
            "192.0.2.0/24,port=80,mode=off",
            "192.0.2.0/24,port=1000-2000,mode=off",
            "192.0.2.0/24,port=443,mode=off",
            "2001:db8::7/128"
        ]
    );
    assert_eq!(all.protect[0].value.mode, Some(Treatment::Exempt));
    assert_eq!(all.max_half_open.unwrap().value, 16);
    assert_eq!(all.history.unwrap().origin, crate::config::Origin::Line(8));
    assert_eq!(all.metrics[1].value.to_string(), "[::1]:9465");
    assert_eq!(all.placed.len(), 2);
    assert_eq!(given(""), Given::default());
}

#[test]
fn one_value_stands_for_an_array_of_itself() {
    let text = "inside = \"eth1\"\nmetrics = \"127.0.0.1:1\"\nprotect = [{ prefix = \"::/0\", ports = 5 }]\n";
    let given = given(text);
    assert_eq!(given.placed[0].value.interface, "eth1");
    assert_eq!(given.metrics.len(), 1);
    assert_eq!(given.protect[0].value.to_string(), "::/0,port=5");
}

#[test]
fn every_key_of_the_list_is_read() {
    for key in KEYS {
        let text = format!("{} = {}\n", key.name, key.example);
        let text = if key.name == "adopt" {
            format!("mode = \"keyed\"\n{text}")
        } else {
            text
        };
        assert_ne!(given(&text), Given::default(), "{}", key.name);
    }
    for key in super::super::keys::RULE_KEYS {
        let prefix = if key.name == "prefix" {
            ""
        } else {
            "prefix = \"::/0\"\n"
        };
        let other = "[[protect]]\nprefix = \"10.0.0.0/8\"\n";
        let text = format!(
            "{other}[[protect]]\n{prefix}{} = {}\n",
            key.name, key.example
        );
        assert_ne!(given(&text).protect.len(), 1, "{}", key.name);
    }
}

#[test]
fn names_are_those_of_the_command_line() {
    for (name, hook) in hooks() {
        assert_eq!(HookChoice::from_str(name, false), Ok(hook));
    }
    for (name, flavour) in flavours() {
        assert_eq!(TcFlavour::from_str(name, false), Ok(flavour));
    }
    assert_eq!(HookChoice::value_variants().len(), hooks().len());
}

#[test]
fn both_sides_are_named_where_packets_are_forwarded_between_them() {
    let given = given(
        "inside = \"eth1\"\noutside = [\"eth0\"]\nforward = true\nforward-past-rules = true\n",
    );
    assert_eq!(given.placed.len(), 2);
    assert_eq!(given.forward.map(|it| it.value), Some(true));
    assert_eq!(given.forward_past_rules.map(|it| it.value), Some(true));
}
