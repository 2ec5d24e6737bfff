//! What the packet filter does that matters here, from `nft -j list ruleset` and `iptables-save`.
//!
//! A rule is read by itself: one that jumps to a chain which drops is not followed.

#[cfg(test)]
mod tests;

use serde_json::Value;

/// What was found in the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Whether a rule asks for the state of a connection, so that the kernel follows connections.
    pub follows: bool,
    /// Where what connection tracking finds invalid is dropped.
    pub drops_invalid: Vec<String>,
    /// Rules that translate addresses.
    pub nat: Vec<Nat>,
    /// Where SYNs are answered in the place of hosts.
    pub synproxy: Vec<String>,
    /// Flowtables.
    pub flowtables: Vec<Flowtable>,
    /// Chains with rules on the way of packets that are forwarded, in words.
    pub hooked: Vec<String>,
    /// Whether rules of nftables were read.
    pub by_nft: bool,
    /// Whether rules that iptables has made stand among those of nftables, which does not tell what they do.
    pub by_iptables: bool,
}

/// A rule that translates addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    /// "masquerade", "snat", "dnat", "redirect".
    pub action: String,
    /// Where it is.
    pub place: String,
    /// Interfaces that packets leave by, if the rule names some.
    pub leaving: Vec<String>,
}

/// A short cut for flows around the packet filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flowtable {
    /// Its name.
    pub name: String,
    /// Its interfaces.
    pub devices: Vec<String>,
    /// Whether network cards forward its flows by themselves.
    pub hardware: bool,
}

const NAT: [&str; 4] = ["masquerade", "snat", "dnat", "redirect"];

impl Ruleset {
    /// Takes in what `nft -j list ruleset` prints.
    pub fn add_nft(&mut self, printed: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(printed)
            .map_err(|error| format!("`nft -j list ruleset` printed no JSON: {error}"))?;
        let objects = value["nftables"]
            .as_array()
            .ok_or("`nft -j list ruleset` printed no list")?;
        self.by_nft = true;
        self.hooked.extend(hooked(objects));
        for object in objects {
            if let Some(rule) = object.get("rule") {
                self.add_rule(rule);
            } else if let Some(table) = object.get("flowtable") {
                self.flowtables.push(Flowtable {
                    name: word(&table["name"]),
                    devices: words(&table["dev"]),
                    hardware: words(&table["flags"]).iter().any(|it| it == "offload"),
                });
            }
        }
        Ok(())
    }

    /// Takes in what `nft list flowtables` prints: older versions leave the flags out of their JSON.
    pub fn add_flowtable_flags(&mut self, printed: &str) {
        let mut name = String::new();
        for line in printed.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("flowtable ") {
                name = rest.trim_end_matches('{').trim().into();
            } else if line
                .strip_prefix("flags ")
                .is_some_and(|it| it.contains("offload"))
            {
                let named = self.flowtables.iter_mut().filter(|it| it.name == name);
                named.for_each(|it| it.hardware = true);
            }
        }
    }

    fn add_rule(&mut self, rule: &Value) {
        let place = format!(
            "nft table {} {} chain {}",
            word(&rule["family"]),
            word(&rule["table"]),
            word(&rule["chain"])
        );
        let expressions = rule["expr"].as_array().map_or(&[][..], Vec::as_slice);
        self.follows |= expressions.iter().any(|it| contains_key(it, "ct"));
        self.by_iptables |= expressions.iter().any(|it| it.get("xt").is_some());
        if drops_invalid(expressions) {
            self.drops_invalid.push(place.clone());
        }
        for expression in expressions {
            for action in NAT {
                if expression.get(action).is_some() {
                    self.follows = true;
                    self.nat.push(Nat {
                        action: action.into(),
                        place: place.clone(),
                        leaving: leaving(expressions),
                    });
                }
            }
            if expression.get("synproxy").is_some() {
                self.synproxy.push(place.clone());
            }
        }
    }

    /// Takes in what `iptables-save` prints.
    pub fn add_iptables(&mut self, printed: &str) {
        // Those that iptables has made in nftables are told by that.
        if !(self.by_nft && printed.contains("(nf_tables)")) {
            self.hooked.extend(hooked_by_iptables(printed));
        }
        let mut table = "";
        for line in printed.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            }
            let Some(rule) = line.strip_prefix("-A ") else {
                continue;
            };
            let fields: Vec<&str> = rule.split_whitespace().collect();
            let chain = fields.first().copied().unwrap_or_default();
            let place = format!("iptables table {table} chain {chain}");
            let after = |name: &str| {
                let at = fields.iter().position(|it| *it == name)?;
                fields.get(at + 1).copied()
            };
            let state = after("--ctstate").or_else(|| after("--state"));
            self.follows |= state.is_some() || fields.contains(&"conntrack");
            let invalid = state.is_some_and(|it| it.split(',').any(|one| one == "INVALID"));
            match after("-j") {
                Some("DROP" | "REJECT") if invalid => self.drops_invalid.push(place),
                Some("SYNPROXY") => self.synproxy.push(place),
                Some(action @ ("MASQUERADE" | "SNAT" | "DNAT" | "REDIRECT")) => {
                    self.follows = true;
                    self.nat.push(Nat {
                        action: action.to_ascii_lowercase(),
                        place,
                        leaving: after("-o").map(str::to_owned).into_iter().collect(),
                    });
                }
                _ => {}
            }
        }
    }
}

/// Hooks that packets pass which are forwarded.
const FORWARDED: [&str; 5] = ["ingress", "prerouting", "forward", "postrouting", "egress"];
const FAMILIES: [&str; 4] = ["ip", "ip6", "inet", "netdev"];
const FORWARDED_IPTABLES: [&str; 3] = ["PREROUTING", "FORWARD", "POSTROUTING"];

/// Chains of nftables at those hooks that have a rule, or drop what no rule takes.
fn hooked(objects: &[Value]) -> Vec<String> {
    let place = |it: &Value, name: &str| {
        let [family, table, chain] = ["family", "table", name].map(|key| word(&it[key]));
        format!("nft table {family} {table} chain {chain}")
    };
    let rules = |of: &str| {
        let rules = objects.iter().filter_map(|it| it.get("rule"));
        rules.filter(|it| place(it, "chain") == of).count()
    };
    let chains = objects.iter().filter_map(|it| it.get("chain"));
    let on_the_way = chains.filter(|it| {
        FORWARDED.contains(&word(&it["hook"]).as_str())
            && FAMILIES.contains(&word(&it["family"]).as_str())
    });
    on_the_way
        .filter_map(|it| {
            let (of, hook) = (place(it, "name"), word(&it["hook"]));
            let rules = rules(&of);
            let drops = it["policy"] == "drop";
            (rules > 0 || drops).then(|| format!("{of} (hook {hook}, rules: {rules})"))
        })
        .collect()
}

/// The same of what `iptables-save` prints.
fn hooked_by_iptables(printed: &str) -> Vec<String> {
    let (mut table, mut found) = ("", Vec::new());
    for line in printed.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        }
        let mut words = line.split_whitespace();
        let chain = match (words.next(), words.next()) {
            (Some("-A"), Some(chain)) => chain,
            (Some(chain), Some("DROP")) => chain.trim_start_matches(':'),
            _ => continue,
        };
        let place = format!("iptables table {table} chain {chain}");
        if FORWARDED_IPTABLES.contains(&chain) && !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

/// One word, or a list of them, or a set.
fn words(value: &Value) -> Vec<String> {
    let set = value.get("set").unwrap_or(value);
    match set {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn contains_key(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key == wanted || contains_key(value, wanted)),
        Value::Array(list) => list.iter().any(|it| contains_key(it, wanted)),
        _ => false,
    }
}

fn is_state(left: &Value) -> bool {
    left["ct"]["key"] == "state"
}

fn is_drop(verdict: &Value) -> bool {
    verdict.get("drop").is_some() || verdict.get("reject").is_some()
}

fn drops_invalid(expressions: &[Value]) -> bool {
    let matched = expressions.iter().any(|it| {
        let condition = &it["match"];
        is_state(&condition["left"])
            && condition["op"] != "!="
            && words(&condition["right"]).iter().any(|it| it == "invalid")
    });
    if matched && expressions.iter().any(is_drop) {
        return true;
    }
    expressions.iter().any(|it| {
        let map = &it["vmap"];
        let pairs = map["data"]["set"].as_array();
        let mut pairs = pairs.into_iter().flatten();
        is_state(&map["key"]) && pairs.any(|pair| pair[0] == "invalid" && is_drop(&pair[1]))
    })
}

fn leaving(expressions: &[Value]) -> Vec<String> {
    let conditions = expressions.iter().map(|it| &it["match"]);
    let by_name = conditions.filter(|it| {
        matches!(it["left"]["meta"]["key"].as_str(), Some("oifname" | "oif")) && it["op"] != "!="
    });
    by_name.flat_map(|it| words(&it["right"])).collect()
}
