//! Every key that a configuration file may have. What reads files, `config show` and the documentation go by this list.

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name; that of the option of the command line, where there is one.
    pub name: &'static str,
    /// What applies where it is not said, as the documentation puts it.
    pub default: &'static str,
    /// A value, as it is written.
    pub example: &'static str,
}

const fn key(name: &'static str, default: &'static str, example: &'static str) -> Key {
    Key {
        name,
        default,
        example,
    }
}

/// Keys of the file itself.
pub const KEYS: [Key; 21] = [
    key("instance", "`default`", "\"plant\""),
    key("bpffs", "`/sys/fs/bpf`", "\"/sys/fs/bpf\""),
    key("inside", "none", "[\"eth1\"]"),
    key("outside", "none", "[\"eth0\"]"),
    key("forward", "false", "true"),
    key("forward-past-rules", "false", "true"),
    key("protect", "every host", "[{ prefix = \"192.0.2.0/24\" }]"),
    key("mode", "`monotonic`", "\"observe\""),
    key("hook", "`auto`", "\"xdp\""),
    key("tc-flavour", "`tcx` where the kernel has it", "\"clsact\""),
    key("history", "240", "240"),
    key("idle", "1209600", "1209600"),
    key("closing", "86400", "86400"),
    key("max-flows", "65536", "65536"),
    key("max-half-open", "65536", "65536"),
    key("max-history", "262144", "262144"),
    key("on-full", "`pass`", "\"pass\""),
    key("samples", "32", "32"),
    key(
        "key-file",
        "the credential `isnguard.key`, else `/etc/isnguard/INSTANCE.key`",
        "\"/etc/isnguard/plant.key\"",
    ),
    key("adopt", "as `idle`", "0"),
    key("metrics", "off", "\"127.0.0.1:9464\""),
];

/// Keys of a rule in `[[protect]]`.
pub const RULE_KEYS: [Key; 3] = [
    key("prefix", "required", "\"192.0.2.0/24\""),
    key("ports", "all", "[\"80\", \"1000-2000\"]"),
    key("mode", "the file's `mode`", "\"off\""),
];

/// An example of a key's value; empty for what is no key.
#[must_use]
pub fn example(keys: &[Key], name: &str) -> &'static str {
    let found = keys.iter().find(|key| key.name == name);
    found.map_or("", |key| key.example)
}

/// What to do about a key that is none: the one that was probably meant.
#[must_use]
pub fn suggestion(keys: &[Key], unknown: &str) -> String {
    let written = unknown.to_lowercase().replace('_', "-");
    let near = keys
        .iter()
        .map(|key| (strsim::jaro_winkler(&written, key.name), key.name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > LIKE);
    if let Some((_, name)) = near {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    format!("the keys are {}", names.join(", "))
}

/// How much alike two names must be for one to be suggested.
const LIKE: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_suggested() {
        for (written, meant) in [
            ("mod", "mode"),
            ("max_flows", "max-flows"),
            ("Insides", "inside"),
            ("on-ful", "on-full"),
            ("keyfile", "key-file"),
            ("protects", "protect"),
        ] {
            assert_eq!(
                suggestion(&KEYS, written),
                format!("did you mean `{meant}`?")
            );
        }
        assert_eq!(suggestion(&RULE_KEYS, "port"), "did you mean `ports`?");
        assert_eq!(
            suggestion(&RULE_KEYS, "zone"),
            "the keys are prefix, ports, mode"
        );
    }
}
