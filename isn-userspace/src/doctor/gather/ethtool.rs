//! The questions of `ethtool` that anybody may put to a driver: its name, its queues, its offloads (`linux/ethtool.h`).

use std::io;

use nix::libc;
use socket2::{Domain, Socket, Type};

use super::super::Known;

const GET_DRIVER: u32 = 0x3;
const GET_STRINGS: u32 = 0x1b;
const GET_SET_INFO: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const GET_CHANNELS: u32 = 0x3c;
/// The set of strings that names the offloads.
const SET_OF_FEATURES: u32 = 4;
/// Octets of a string of a set, and of a driver's name.
const STRING: usize = 32;
const DRIVER_NAME: usize = 32;
/// Words of `struct ethtool_drvinfo` and of `struct ethtool_channels`.
const DRIVER_WORDS: usize = 49;
const CHANNEL_WORDS: usize = 9;
/// No driver has so many offloads: a guard against an answer that makes no sense.
const MOST_FEATURES: usize = 4096;

/// An interface, to be asked.
pub struct Ethtool {
    socket: Socket,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Ethtool {
    /// Prepares to ask.
    pub fn new(interface: &str) -> Known<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)
            .map_err(|error| format!("no socket to ask the driver with: {error}"))?;
        let mut name = [0; libc::IFNAMSIZ];
        let octets = interface.as_bytes();
        if octets.len() >= name.len() {
            return Err(format!("`{interface}` is too long for a name"));
        }
        for (to, from) in name.iter_mut().zip(octets) {
            *to = from.cast_signed();
        }
        Ok(Self { socket, name })
    }

    /// The driver's name.
    pub fn driver(&self) -> Known<String> {
        let mut words = [0; DRIVER_WORDS];
        words[0] = GET_DRIVER;
        self.ask(&mut words)
            .map_err(|error| format!("the driver does not tell its name: {error}"))?;
        Ok(text(&octets(&words[1..])[..DRIVER_NAME]))
    }

    /// Queues for arriving and for leaving packets.
    pub fn queues(&self) -> Known<(u32, u32)> {
        let mut words = [0; CHANNEL_WORDS];
        words[0] = GET_CHANNELS;
        self.ask(&mut words)
            .map_err(|error| format!("the driver does not tell its queues: {error}"))?;
        let [.., arriving, leaving, _, combined] = words;
        Ok((arriving + combined, leaving + combined))
    }

    /// Names of the offloads that are on.
    pub fn offloads(&self) -> Known<Vec<String>> {
        let asked = self.names().and_then(|names| {
            let active = self.active(names.len())?;
            let on = names.into_iter().zip(active).filter(|(_, on)| *on);
            Ok(on.map(|(name, _)| name).collect())
        });
        asked.map_err(|error| format!("the offloads cannot be read (ethtool -k): {error}"))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        // Command, reserved, mask of sets in two words, then the number of strings of each set in the mask.
        let mut info = [GET_SET_INFO, 0, 1 << SET_OF_FEATURES, 0, 0];
        if cfg!(target_endian = "big") {
            info.swap(2, 3);
        }
        self.ask(&mut info)?;
        let count = usize::try_from(info[4]).unwrap_or(0).min(MOST_FEATURES);
        let mut words = vec![0; 3 + count * STRING / 4];
        words[..3].copy_from_slice(&[GET_STRINGS, SET_OF_FEATURES, info[4]]);
        self.ask(&mut words)?;
        Ok(octets(&words[3..]).chunks(STRING).map(text).collect())
    }

    fn active(&self, count: usize) -> io::Result<Vec<bool>> {
        let blocks = count.div_ceil(32);
        // Of each block: available, requested, active, never changed.
        let mut words = vec![0; 2 + blocks * 4];
        words[0] = GET_FEATURES;
        words[1] = u32::try_from(blocks).unwrap_or(0);
        self.ask(&mut words)?;
        let is_on = |nth: usize| words[2 + nth / 32 * 4 + 2] >> (nth % 32) & 1 == 1;
        Ok((0..count).map(is_on).collect())
    }

    /// `words` begins with a command, and is as long as the kernel's answer to it.
    fn ask(&self, words: &mut [u32]) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let mut request = libc::ifreq {
            ifr_name: self.name,
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                ifru_data: words.as_mut_ptr().cast(),
            },
        };
        // SAFETY: the kernel reads and writes the structure, which lives, and behind its pointer as many octets as the command and the
        // counts in `words` say, for which the callers have made room.
        let done =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

fn octets(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Up to the first 0.
fn text(octets: &[u8]) -> String {
    let end = octets
        .iter()
        .position(|it| *it == 0)
        .unwrap_or(octets.len());
    String::from_utf8_lossy(&octets[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_tells_its_offloads() {
        let lo = Ethtool::new("lo").unwrap();
        let on = lo.offloads().unwrap();
        assert!(on.iter().any(|it| it == "tx-scatter-gather"), "{on:?}");
        assert!(on.iter().all(|it| it != "rx-lro"), "{on:?}");
    }

    #[test]
    fn what_is_not_there_says_so() {
        let nobody = Ethtool::new("no-such-if").unwrap();
        assert!(nobody.driver().unwrap_err().contains("No such device"));
        assert!(Ethtool::new("a-name-of-twenty-oct").is_err());
    }
}
