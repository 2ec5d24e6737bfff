//! Socket options of Linux that the nix crate does not name: TCP repair, TCP state, packet sockets.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
use socket2::{SockAddr, SockAddrStorage};

/// Of `linux/mptcp.h`.
const SOL_MPTCP: libc::c_int = 284;
const MPTCP_INFO: libc::c_int = 1;
const MPTCP_INFO_FLAG_FALLBACK: u32 = 1;
const KEY_ROOM: usize = 80;
/// Of `linux/if_packet.h`.
const PACKET_VNET_HDR: libc::c_int = 15;

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[derive(Debug)]
#[repr(C)]
pub struct Md5Key {
    peer: SockAddrStorage,
    flags: u8,
    prefix: u8,
    length: u16,
    interface: libc::c_int,
    key: [u8; KEY_ROOM],
}

impl Md5Key {
    /// A key of up to 80 octets for what is exchanged with `peer`, whatever its port.
    pub fn new(peer: IpAddr, key: &[u8]) -> Result<Self> {
        let mut room = [0; KEY_ROOM];
        room.get_mut(..key.len())
            .with_context(|| format!("a key of {} octets has no room", key.len()))?
            .copy_from_slice(key);
        Ok(Self {
            peer: SockAddr::from(SocketAddr::new(peer, 0)).as_storage(),
            flags: 0,
            prefix: 0,
            length: u16::try_from(key.len())?,
            interface: 0,
            key: room,
        })
    }
}

/// The beginning of `struct mptcp_info` of `linux/mptcp.h`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct MptcpInfo {
    /// How many subflows there are besides the first.
    pub more_subflows: u8,
    rest: [u8; 5],
    limits: u16,
    flags: u32,
    token: u32,
}

impl MptcpInfo {
    /// Whether it has become plain TCP.
    #[must_use]
    pub fn has_fallen_back(&self) -> bool {
        self.flags & MPTCP_INFO_FLAG_FALLBACK != 0
    }
}

sockopt_impl!(
    /// The queue that the next repair option is about; 2 is the send queue.
    TcpRepairQueue,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_REPAIR_QUEUE,
    libc::c_int
);
sockopt_impl!(
    /// The next sequence number of the queue under repair.
    TcpQueueSeq,
    Both,
    libc::IPPROTO_TCP,
    libc::TCP_QUEUE_SEQ,
    u32
);
sockopt_impl!(
    /// The timestamp that the next segment carries (RFC 7323); it can be set only under repair.
    TcpTimestamp,
    Both,
    libc::IPPROTO_TCP,
    libc::TCP_TIMESTAMP,
    u32
);
sockopt_impl!(
    /// The state of a TCP socket: the first octet of what the kernel knows about it. The rest grows from
    /// kernel to kernel.
    TcpState,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    u8
);
sockopt_impl!(
    /// What a TCP socket tells about itself, as far as every kernel tells it.
    TcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);
sockopt_impl!(
    /// How many connections that bring data with their SYN may wait at a listener (RFC 7413).
    TcpFastOpen,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_FASTOPEN,
    libc::c_int
);
sockopt_impl!(
    /// `connect` sends nothing where a cookie is known: the first data go with the SYN (RFC 7413).
    TcpFastOpenConnect,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_FASTOPEN_CONNECT,
    libc::c_int
);
sockopt_impl!(
    /// The key for what is exchanged with one peer (RFC 2385).
    TcpMd5Signature,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_MD5SIG,
    Md5Key
);
sockopt_impl!(
    /// What a Multipath TCP socket tells about itself (RFC 8684).
    MultipathInfo,
    GetOnly,
    SOL_MPTCP,
    MPTCP_INFO,
    MptcpInfo
);
sockopt_impl!(
    /// A packet socket sees received frames only.
    PacketIgnoreOutgoing,
    SetOnly,
    libc::SOL_PACKET,
    libc::PACKET_IGNORE_OUTGOING,
    libc::c_int
);
sockopt_impl!(
    /// Before each frame, sent or received, a packet socket has a `struct virtio_net_hdr`, which says how it is laid out.
    PacketVnetHeader,
    SetOnly,
    libc::SOL_PACKET,
    PACKET_VNET_HDR,
    libc::c_int
);
sockopt_impl!(
    /// Frames received by a packet socket and frames it had no room for, since last asked.
    PacketStatistics,
    GetOnly,
    libc::SOL_PACKET,
    libc::PACKET_STATISTICS,
    libc::tpacket_stats
);
