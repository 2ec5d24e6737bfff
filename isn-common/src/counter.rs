//! Every number the data plane counts, with the name scripts know it by and what it means.

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $kind:ident;)+) => {
        /// An index into the counters of one CPU.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Counter { $($(#[doc = $doc])+ $variant,)+ }

        impl Counter {
            /// All counters, in the order of their indices.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Name in JSON and tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence for the operator.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Whether this is the outcome of a packet or an event on the way.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }
        }
    };
}

/// How a counter relates to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each packet adds one to exactly one counter of this kind: their sum is all packets seen.
    Outcome,
    /// Something that happened while a packet was worked on.
    Event,
}

counters! {
    /// Packets whose sequence number or timestamp was translated on the way to the peer.
    PacketsTranslatedOut = "packets_translated_out", Outcome;
    /// Packets whose acknowledgments or echoed timestamps were translated on the way to the host.
    PacketsTranslatedIn = "packets_translated_in", Outcome;
    /// ICMP errors whose quoted segment was translated.
    IcmpTranslated = "icmp_translated", Outcome;
    /// Segments of the previous incarnation, translated with its offset.
    PreviousIncarnation = "previous_incarnation", Event;
    /// SACK edges translated, two for each block.
    SackEdgesTranslated = "sack_edges_translated", Event;
    /// SYNs and SYN-ACKs of guarded hosts.
    SynSeen = "syn_seen", Event;
    /// SYNs that were safe as they came, or of flows not remembered.
    SynSafe = "syn_safe", Event;
    /// SYNs that left with another sequence number than the host's, retransmissions not counted.
    SynRewritten = "syn_rewritten", Event;
    /// SYNs that left with the offset of keyed mode, and were safe so.
    SynKeyed = "syn_keyed", Event;
    /// Retransmitted SYNs: the same sequence number while the flow is half-open.
    SynRetransmit = "syn_retransmit", Event;
    /// SYNs that would have been rewritten, were the mode not observe or the instance draining.
    SynWouldRewrite = "syn_would_rewrite", Event;
    /// SYNs on flows that are established: they change nothing.
    SynOnLiveFlow = "syn_on_live_flow", Event;
    /// SYNs whose timestamp a peer in TIME-WAIT would refuse as older than the last one (PAWS).
    PawsRisk = "paws_risk", Event;
    /// Of those, SYNs that left with a timestamp moved ahead.
    PawsRepaired = "paws_repaired", Event;
    /// SYNs left alone because TCP-MD5 or TCP-AO signs them.
    BypassTcpAuth = "bypass_tcp_auth", Event;
    /// Segments translated although TCP-MD5 or TCP-AO signs them, which their connection's SYN did not: whoever checks the signature refuses them.
    SignedTranslated = "signed_translated", Event;
    /// Unsafe SYNs left alone because the previous connection was seen in one direction only.
    BypassOneWay = "bypass_one_way", Event;
    /// Connections for which the table of translated flows had no room.
    TableFull = "table_full", Event;
    /// SYNs that needed an offset and got none because their host holds its share of the table: also counted in `table_full`.
    ShareExceeded = "share_exceeded", Event;
    /// Flows put into the table of half-open ones.
    HalfOpenInserted = "half_open_inserted", Event;
    /// Flows not remembered because their host had used up its share of a table of memory.
    MemoryShareExceeded = "memory_share_exceeded", Event;
    /// Flows whose handshake was completed, moved to the translated ones or into the history.
    Promoted = "promoted", Event;
    /// Packets of keyed flows without an entry, whose offset was computed again.
    KeyedRecomputed = "keyed_recomputed", Event;
    /// Keyed flows without an entry that were remembered again.
    KeyedRemembered = "keyed_remembered", Event;
    /// Flows open before keyed mode or its key was in use, learnt while adopting.
    FlowsAdopted = "flows_adopted", Event;
    /// Segments of flows that could not be adopted because there was no room: those flows break when adopting ends.
    AdoptionFull = "adoption_full", Event;
    /// Samples of initial sequence numbers, for `isnguard hosts`.
    SamplesTaken = "samples_taken", Event;
    /// Samples not taken because their host had given its share of this second.
    SamplesLimited = "samples_limited", Event;
    /// Samples for which there was no room, since nobody has read those before.
    SamplesLost = "samples_lost", Event;
    /// Flows put into the table of history.
    HistoryInserted = "history_inserted", Event;
    /// Packets of hosts forwarded in XDP.
    ForwardedOut = "forwarded_out", Event;
    /// Packets of peers forwarded in XDP.
    ForwardedIn = "forwarded_in", Event;
    /// Not forwarded in XDP but left to the kernel: the interface was not ready.
    LeftClosed = "left_closed", Event;
    /// Left to the kernel: for another hardware address, as multicast, broadcast and bridged frames are.
    LeftOtherAddress = "left_other_address", Event;
    /// Left to the kernel: with a VLAN tag.
    LeftTagged = "left_tagged", Event;
    /// Left to the kernel: neither TCP nor UDP.
    LeftProtocol = "left_protocol", Event;
    /// Left to the kernel: options of IPv4 or extension headers of IPv6.
    LeftOptions = "left_options", Event;
    /// Left to the kernel: a fragment.
    LeftFragment = "left_fragment", Event;
    /// Left to the kernel: headers that are cut short or contradict themselves.
    LeftMalformed = "left_malformed", Event;
    /// Left to the kernel: a frame in several buffers.
    LeftBuffers = "left_buffers", Event;
    /// Left to the kernel: no hop left to go.
    LeftHops = "left_hops", Event;
    /// Left to the kernel: from or to an address of a special kind.
    LeftAddresses = "left_addresses", Event;
    /// Left to the kernel: from a source whose route leads elsewhere (`rp_filter`).
    LeftSource = "left_source", Event;
    /// Left to the kernel: for the gateway itself, or without a route that forwards.
    LeftRoute = "left_route", Event;
    /// Left to the kernel: larger than the route takes.
    LeftTooBig = "left_too_big", Event;
    /// Left to the kernel: the neighbour's hardware address was not known.
    LeftNeighbour = "left_neighbour", Event;
    /// Left to the kernel: one packet every few seconds to each neighbour, so that the kernel asks whether it is still there.
    LeftConfirm = "left_confirm", Event;
    /// Left to the kernel: by way of an interface that is not on the other side of the instance.
    LeftElsewhere = "left_elsewhere", Event;
    /// Passed: neither IPv4 nor IPv6.
    PassNotIp = "pass_not_ip", Outcome;
    /// Passed: more than two VLAN tags.
    PassVlanDepth = "pass_vlan_depth", Outcome;
    /// Passed: the frame ends before its headers do.
    PassTruncated = "pass_truncated", Outcome;
    /// Passed: a header that contradicts itself or the one before it.
    PassBadHeader = "pass_bad_header", Outcome;
    /// Passed: a fragment without the TCP header.
    PassFragment = "pass_fragment", Outcome;
    /// Passed: the first fragment of a segment, too short to hold the TCP header.
    PassShortFragment = "pass_short_fragment", Outcome;
    /// Passed: neither TCP nor ICMP.
    PassNotTcp = "pass_not_tcp", Outcome;
    /// Passed: ICMP that quotes no segment of a translated flow.
    PassIcmp = "pass_icmp", Outcome;
    /// Passed: an ICMP error that is itself a fragment.
    PassIcmpFragment = "pass_icmp_fragment", Outcome;
    /// Passed: more IPv6 extension headers than are walked.
    PassExtensionHeaders = "pass_extension_headers", Outcome;
    /// Passed: signed by an IP Authentication Header.
    PassIpAuthentication = "pass_ip_authentication", Outcome;
    /// Passed: TCP of a flow that is not followed (not guarded, or opened before attaching).
    PassNoFlow = "pass_no_flow", Outcome;
    /// Passed: a SYN whose sender is not guarded.
    PassNotGuarded = "pass_not_guarded", Outcome;
    /// Passed: a SYN from or to an address that no endpoint can have.
    PassOddAddress = "pass_odd_address", Outcome;
    /// Passed: a flow that is followed and needs no translation.
    PassOffsetZero = "pass_offset_zero", Outcome;
    /// Passed: a reset for a closed port, sequence number 0.
    PassClosedPort = "pass_closed_port", Outcome;
    /// Passed: a packet of a translated flow that carries no number to translate.
    PassNothingToTranslate = "pass_nothing_to_translate", Outcome;
    /// Dropped: of a translated flow, and not completely translatable.
    DroppedUntranslatable = "dropped_untranslatable", Outcome;
    /// Dropped: a new connection, the table full, and `on_full = "drop"`.
    DroppedTableFull = "dropped_table_full", Outcome;
    /// Dropped: one of two acknowledgments that went round in circles, of a connection whose offset was lost.
    DroppedAckStorm = "dropped_ack_storm", Outcome;
    /// Dropped: a SYN of a flow that another CPU was deciding on; its sender repeats it.
    DroppedContended = "dropped_contended", Outcome;
}

impl Counter {
    /// Number of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// Index into the array of one CPU.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
