//! A line with a traffic classifier on it, and frames sent along it of which only a part is linear: test runs at TC cannot be laid out so on most
//! kernels, and what becomes of the layout they never tell.

use std::{io, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_common::flow::Direction;

use crate::{namespace::Namespace, packet_socket::PacketSocket, test_run::Kernel, wait};

const NEAR: &str = "near0";
const FAR: &str = "far0";
const PATIENCE: Duration = Duration::from_secs(5);
/// Takes frames of more than a page, which packet sockets lay out as they are told.
const MTU: &str = "9000";
/// Octets of `struct virtio_net_hdr`.
const PREFIX: usize = 10;
const NEEDS_CHECKSUM: u8 = 1;
const TCP_V4: u8 = 1;
/// Data of each segment that a super-packet stands for.
const SEGMENT: u16 = 1400;
const ROOM: usize = 1 << 16;

/// Its near end, where the program sits, and its far end, where frames arrive.
pub struct Line {
    near: PacketSocket,
    far: PacketSocket,
    _namespace: Namespace,
}

/// What has arrived.
#[derive(Debug)]
pub struct Arrived {
    /// The frame.
    pub frame: Vec<u8>,
    /// How much of it is linear, which is told of super-packets.
    pub linear: usize,
}

impl Line {
    /// Lays it out, with the program of this direction where frames leave.
    pub fn new(kernel: &mut Kernel, direction: Direction) -> Result<Self> {
        let namespace = Namespace::new("line")?;
        // Nobody else speaks there.
        namespace.set_sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        let pair = ["link", "add", NEAR, "type", "veth", "peer", "name", FAR];
        namespace.run("ip", &pair)?;
        for end in [NEAR, FAR] {
            namespace.run("ip", &["link", "set", end, "mtu", MTU, "up"])?;
        }
        namespace.enter(|| kernel.attach(direction, NEAR))?;
        let open = |end| PacketSocket::open_with_layouts(&namespace, end);
        Ok(Self {
            near: open(NEAR)?,
            far: open(FAR)?,
            _namespace: namespace,
        })
    }

    /// Sends a frame of more than a page with so many linear octets.
    pub fn carry(&self, frame: &[u8], linear: usize) -> Result<Arrived> {
        let mut prefix = [0; PREFIX];
        prefix[2..4].copy_from_slice(&u16::try_from(linear)?.to_ne_bytes());
        self.carried(prefix, frame)
    }

    /// The same as a super-packet of IPv4, whose TCP header begins at `tcp` and whose checksum is not finished.
    pub fn carry_whole(&self, frame: &[u8], linear: usize, tcp: usize) -> Result<Arrived> {
        let words = [linear, SEGMENT.into(), tcp, 16];
        let mut prefix = vec![NEEDS_CHECKSUM, TCP_V4];
        for word in words {
            prefix.extend(u16::try_from(word)?.to_ne_bytes());
        }
        let prefix = prefix.try_into().ok().context("a prefix has 10 octets")?;
        self.carried(prefix, frame)
    }

    fn carried(&self, prefix: [u8; PREFIX], frame: &[u8]) -> Result<Arrived> {
        self.near.send(&[&prefix, frame].concat())?;
        let mut room = vec![0; ROOM];
        let length = wait::until(PATIENCE, "a frame to arrive", || {
            self.far.receive(&mut room).map_err(io::Error::into)
        })?;
        ensure!(length >= PREFIX, "{length} octets arrived");
        Ok(Arrived {
            frame: room[PREFIX..length].to_vec(),
            linear: u16::from_ne_bytes([room[2], room[3]]).into(),
        })
    }
}
