//! The few questions put to the kernel's routing netlink: interfaces, clsact qdiscs, BPF filters.

use std::{collections::BTreeMap, io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, LinkXdp},
    route::{RouteAddress, RouteAttribute, RouteMessage},
    rule::{RuleAttribute, RuleMessage},
    tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcHeader, TcMessage, TcOption},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::interfaces::Interface;

/// Which of the two attachment points of clsact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Packets that arrive.
    Ingress,
    /// Packets that leave.
    Egress,
}

/// A BPF filter of a clsact qdisc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Priority; lower runs first.
    pub priority: u16,
    /// Handle within the priority.
    pub handle: u32,
    /// Identifier of its program, where it is a BPF filter.
    pub program: Option<u32>,
}

/// A socket to the routing netlink of the current network namespace.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens the socket.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// All interfaces of the namespace.
    pub fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.request(request, NLM_F_DUMP)?;
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(Interface::from(link)),
                _ => None,
            })
            .collect())
    }

    /// Index of the interface over which packets to `address` leave.
    pub fn way_to(&mut self, address: IpAddr) -> io::Result<Option<u32>> {
        let mut message = RouteMessage::default();
        let (family, length, destination) = match address {
            IpAddr::V4(it) => (AddressFamily::Inet, 32, RouteAddress::Inet(it)),
            IpAddr::V6(it) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(it)),
        };
        message.header.address_family = family;
        message.header.destination_prefix_length = length;
        message.attributes = vec![RouteAttribute::Destination(destination)];
        let answers = self.request(RouteNetlinkMessage::GetRoute(message), NLM_F_ACK)?;
        Ok(answers.iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => {
                route.attributes.iter().find_map(|it| match it {
                    RouteAttribute::Oif(index) => Some(*index),
                    _ => None,
                })
            }
            _ => None,
        }))
    }

    /// Takes away an XDP program that was attached without a link.
    pub fn remove_xdp(&mut self, index: u32, flags: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![LinkAttribute::Xdp(vec![
            LinkXdp::Fd(-1),
            LinkXdp::Flags(flags),
        ])];
        self.request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK)
            .map(drop)
    }

    /// Whether the interface has a clsact qdisc.
    pub fn has_clsact(&mut self, index: u32) -> io::Result<bool> {
        let request = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let answers = self.request(request, NLM_F_DUMP)?;
        Ok(answers.iter().any(|answer| match answer {
            RouteNetlinkMessage::NewQueueDiscipline(qdisc) => {
                u32::try_from(qdisc.header.index) == Ok(index)
                    && qdisc
                        .attributes
                        .contains(&TcAttribute::Kind("clsact".into()))
            }
            _ => false,
        }))
    }

    /// Kinds of the queueing disciplines of all interfaces, by index.
    pub fn queueing(&mut self) -> io::Result<BTreeMap<u32, Vec<String>>> {
        let request = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for answer in self.request(request, NLM_F_DUMP)? {
            let RouteNetlinkMessage::NewQueueDiscipline(qdisc) = answer else {
                continue;
            };
            let kind = qdisc.attributes.into_iter().find_map(|it| match it {
                TcAttribute::Kind(kind) => Some(kind),
                _ => None,
            });
            let index = u32::try_from(qdisc.header.index).unwrap_or(0);
            found.entry(index).or_default().extend(kind);
        }
        Ok(found)
    }

    /// Marks by which rules of routing choose, of both families.
    pub fn rules_by_mark(&mut self) -> io::Result<Vec<u32>> {
        let mut marks = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RuleMessage::default();
            message.header.family = family;
            let answers = match self.request(RouteNetlinkMessage::GetRule(message), NLM_F_DUMP) {
                // A kernel without rules for this family.
                Err(error) if error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => continue,
                other => other?,
            };
            for answer in answers {
                let RouteNetlinkMessage::NewRule(rule) = answer else {
                    continue;
                };
                marks.extend(rule.attributes.iter().filter_map(|it| match it {
                    RuleAttribute::FwMark(mark) if *mark != 0 => Some(*mark),
                    _ => None,
                }));
            }
        }
        marks.dedup();
        Ok(marks)
    }

    /// Removes the clsact qdisc, and with it whatever filters it has.
    pub fn remove_clsact(&mut self, index: u32) -> io::Result<()> {
        let mut message = TcMessage::default();
        message.header = header(index, TcHandle::CLSACT);
        message.header.handle = TcHandle {
            major: u16::MAX,
            minor: 0,
        };
        self.request(RouteNetlinkMessage::DelQueueDiscipline(message), NLM_F_ACK)
            .map(drop)
    }

    /// Filters of the interface's clsact qdisc; none if it has no such qdisc.
    pub fn filters(&mut self, index: u32, way: Way) -> io::Result<Vec<Filter>> {
        let minor = match way {
            Way::Ingress => TcHandle::MIN_INGRESS,
            Way::Egress => TcHandle::MIN_EGRESS,
        };
        let mut message = TcMessage::default();
        message.header = header(
            index,
            TcHandle {
                major: u16::MAX,
                minor,
            },
        );
        let answers = self.request(RouteNetlinkMessage::GetTrafficFilter(message), NLM_F_DUMP)?;
        Ok(answers.iter().filter_map(filter).collect())
    }

    fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut octets = vec![0; request.buffer_len()];
        request.serialize(&mut octets);
        self.socket.send(&octets, 0)?;
        let mut answers = Vec::new();
        while !self.receive(&mut answers)? {}
        Ok(answers)
    }

    /// Takes one datagram; true after the last of an answer.
    fn receive(&self, answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
        let (datagram, _) = self.socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(io::Error::other)?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            if message.header.sequence_number != self.sequence {
                continue;
            }
            match message.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(error.to_io());
                }
                NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }
}

fn header(index: u32, parent: TcHandle) -> TcHeader {
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    TcHeader {
        index,
        parent,
        ..TcHeader::default()
    }
}

fn filter(answer: &RouteNetlinkMessage) -> Option<Filter> {
    let RouteNetlinkMessage::NewTrafficFilter(message) = answer else {
        return None;
    };
    let options = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Options(options) => Some(options),
            _ => None,
        });
    let program = options
        .into_iter()
        .flatten()
        .find_map(|option| match option {
            TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => Some(*id),
            _ => None,
        });
    Some(Filter {
        // The upper half of `tcm_info`; the lower is the protocol.
        priority: u16::try_from(message.header.info >> 16).unwrap_or(0),
        handle: u32::from(message.header.handle),
        program,
    })
}
