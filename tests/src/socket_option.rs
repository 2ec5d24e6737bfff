//! Socket options of Linux that the nix crate does not name: TCP repair, TCP state, packet sockets.

use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

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
    /// A packet socket sees received frames only.
    PacketIgnoreOutgoing,
    SetOnly,
    libc::SOL_PACKET,
    libc::PACKET_IGNORE_OUTGOING,
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
