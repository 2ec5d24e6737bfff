//! What a driver says of XDP: the `netdev` family of generic netlink, Linux 6.3 and later (`linux/netdev.h`).

use std::io;

use netlink_packet_core::{
    DecodeError, Emitable, NLM_F_ACK, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable, NlaBuffer, NlasIterator,
    ParseableParametrized, parse_u64,
};
use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    ctrl::{GenlCtrl, GenlCtrlCmd, nlas::GenlCtrlAttrs},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use super::super::{Known, judge::interface::XdpFeatures};

const GET_DEVICE: u8 = 1;
const INDEX: u16 = 1;
const XDP_FEATURES: u16 = 3;
const BASIC: u64 = 1;
const TRANSMIT: u64 = 1 << 2;
const BUFFERS: u64 = 1 << 5;

/// A device asked about, or what is told of it.
#[derive(Clone, Debug)]
struct Device {
    index: u32,
    features: Option<u64>,
}

impl GenlFamily for Device {
    fn family_name() -> &'static str {
        "netdev"
    }

    fn command(&self) -> u8 {
        GET_DEVICE
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Device {
    fn buffer_len(&self) -> usize {
        8
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..2].copy_from_slice(&8u16.to_ne_bytes());
        buffer[2..4].copy_from_slice(&INDEX.to_ne_bytes());
        buffer[4..8].copy_from_slice(&self.index.to_ne_bytes());
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Device {
    fn parse_with_param(octets: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut device = Self {
            index: 0,
            features: None,
        };
        for attribute in NlasIterator::new(octets) {
            let attribute: NlaBuffer<&[u8]> = attribute?;
            if attribute.kind() == XDP_FEATURES {
                device.features = Some(parse_u64(attribute.value())?);
            }
        }
        Ok(device)
    }
}

/// What the driver of an interface says.
pub fn of(index: u32) -> Known<XdpFeatures> {
    let bits = ask(index).map_err(|error| {
        format!("the kernel does not tell what the driver does with XDP (netdev netlink): {error}")
    })?;
    Ok(XdpFeatures {
        basic: bits & BASIC != 0,
        buffers: bits & BUFFERS != 0,
        transmit: bits & TRANSMIT != 0,
    })
}

fn ask(index: u32) -> io::Result<u64> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let family = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(Device::family_name().into())],
    });
    let told = request(&socket, family)?;
    let number = told.payload.nlas.iter().find_map(|it| match it {
        GenlCtrlAttrs::FamilyId(number) => Some(*number),
        _ => None,
    });
    let number = number.ok_or_else(|| io::Error::other("the family has no number"))?;
    let mut question = GenlMessage::from_payload(Device {
        index,
        features: None,
    });
    question.set_resolved_family_id(number);
    let told = request(&socket, question)?;
    let none = || io::Error::other("the answer has no features");
    told.payload.features.ok_or_else(none)
}

/// Asks one question with one answer.
fn request<F>(socket: &Socket, question: GenlMessage<F>) -> io::Result<GenlMessage<F>>
where
    F: std::fmt::Debug + GenlFamily + Emitable + ParseableParametrized<[u8], GenlHeader>,
    GenlMessage<F>: NetlinkSerializable + NetlinkDeserializable,
{
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    socket.send(&octets, 0)?;
    let mut answer = None;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<GenlMessage<F>>::deserialize(rest)
                .map_err(|error| io::Error::other(error.to_string()))?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            match message.payload {
                NetlinkPayload::InnerMessage(told) => answer = Some(told),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => {
                    return answer.ok_or_else(|| io::Error::other("no answer"));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_unknown_and_says_so() {
        let why = of(u32::MAX >> 1).unwrap_err();
        assert!(why.contains("netdev netlink"), "{why}");
    }
}
