//! One `--protect` argument: `CIDR[,port=N|N-M][,mode=M]`.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use super::Treatment;

/// A guarded prefix, the service ports it is guarded on, and the mode if one was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protect {
    /// The prefix; no bits are set behind its length.
    pub prefix: IpNet,
    /// Service ports.
    pub ports: Ports,
    /// Mode, if named.
    pub mode: Option<Treatment>,
}

/// A range of service ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

impl Ports {
    /// Every port.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// Whether every port of `other` is one of these.
    #[must_use]
    pub const fn cover(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => f.write_str("all"),
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl Protect {
    /// Every host of both families.
    #[must_use]
    pub fn everything() -> [Self; 2] {
        let all = |address: IpAddr| Self {
            prefix: IpNet::new_assert(address, 0),
            ports: Ports::ALL,
            mode: None,
        };
        [all([0u8; 4].into()), all([0u16; 8].into())]
    }
}

impl fmt::Display for Protect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        if self.ports != Ports::ALL {
            write!(f, ",port={}", self.ports)?;
        }
        match self.mode {
            Some(mode) => write!(f, ",mode={}", mode.name()),
            None => Ok(()),
        }
    }
}

impl FromStr for Protect {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        let mut pieces = argument.split(',');
        let prefix = prefix(pieces.next().unwrap_or_default())?;
        let (mut ports, mut mode) = (None, None);
        for part in pieces {
            match part.split_once('=') {
                Some(("port", value)) if ports.is_none() => ports = Some(value.parse()?),
                Some(("mode", value)) if mode.is_none() => mode = Some(value.parse()?),
                Some((key @ ("port" | "mode"), _)) => {
                    return Err(format!(
                        "`{key}=` is given twice; use --protect twice instead"
                    ));
                }
                _ => {
                    return Err(format!(
                        "`{part}` is neither `port=N`, `port=N-M` nor `mode=M`"
                    ));
                }
            }
        }
        Ok(Self {
            prefix,
            ports: ports.unwrap_or(Ports::ALL),
            mode,
        })
    }
}

/// A prefix, or an address that stands for one host.
pub fn prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let prefix: IpNet = text.parse().map_err(|_| {
        format!(
            "`{text}` is not a prefix; write it like 192.168.7.0/24, 2001:db8:7::/64, or 192.168.7.9 \
             for one host"
        )
    })?;
    let cut = prefix.trunc();
    if cut != prefix {
        return Err(format!(
            "`{text}` has bits behind its prefix length; write `{cut}` for the network or `{}` for \
             the one host",
            prefix.addr()
        ));
    }
    Ok(prefix)
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(Self { first, last }),
            _ => Err(format!(
                "`port={text}` is neither a port from 1 to 65535 nor a range N-M"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Mode, *};

    fn parsed(argument: &str) -> Protect {
        argument
            .parse()
            .unwrap_or_else(|error| panic!("{argument}: {error}"))
    }

    #[test]
    fn a_prefix_alone_guards_all_ports_in_the_default_mode() {
        let protect = parsed("192.168.7.0/24");
        assert_eq!(protect.prefix.to_string(), "192.168.7.0/24");
        assert_eq!((protect.ports, protect.mode), (Ports::ALL, None));
        assert_eq!(parsed("2001:db8::/32").prefix.to_string(), "2001:db8::/32");
        assert_eq!(parsed("0.0.0.0/0").prefix.prefix_len(), 0);
    }

    #[test]
    fn an_address_alone_is_one_host() {
        assert_eq!(parsed("192.168.7.9").prefix.to_string(), "192.168.7.9/32");
        assert_eq!(parsed("2001:db8::9").prefix.prefix_len(), 128);
    }

    #[test]
    fn ports_and_mode_in_any_order() {
        let protect = parsed("10.0.0.0/8,mode=observe,port=102-110");
        assert_eq!(protect.mode, Some(Treatment::Guard(Mode::Observe)));
        assert_eq!(protect.ports.to_string(), "102-110");
        assert_eq!(parsed("10.0.0.0/8,port=102").ports.to_string(), "102");
        for treatment in Treatment::ALL {
            let named = format!("10.0.0.0/8,mode={}", treatment.name());
            assert_eq!(parsed(&named).mode, Some(treatment));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_way_out() {
        let cases = [
            ("", "is not a prefix"),
            ("plant", "`plant` is not a prefix"),
            ("10.0.0.0/33", "is not a prefix"),
            (
                "10.0.0.1/8",
                "write `10.0.0.0/8` for the network or `10.0.0.1` for the one host",
            ),
            ("2001:db8::1/32", "write `2001:db8::/32`"),
            ("10.0.0.0/8,port=0", "`port=0`"),
            ("10.0.0.0/8,port=9-5", "`port=9-5`"),
            ("10.0.0.0/8,port=70000", "`port=70000`"),
            ("10.0.0.0/8,port=http", "`port=http`"),
            (
                "10.0.0.0/8,mode=locked",
                "neither `monotonic`, `keyed`, `observe` nor `off`",
            ),
            ("10.0.0.0/8,port=1,port=2", "given twice"),
            ("10.0.0.0/8,", "`` is neither"),
            ("10.0.0.0/8,color=red", "`color=red` is neither"),
        ];
        for (argument, expected) in cases {
            let error = argument.parse::<Protect>().unwrap_err();
            assert!(error.contains(expected), "{argument}: {error}");
        }
    }
}
