//! Datagrams in pieces (RFC 791 section 3.2, RFC 8200 section 4.5).

use etherparse::Ipv4Header;

use super::{Carrier, Network, Tcp, extension::Extension};

/// The IPv4 bit that says that more fragments follow.
pub const MORE_FRAGMENTS: u16 = 0x2000;

impl Carrier {
    /// The frame of the first fragment of the datagram that carries `tcp`: its first `octets` octets of TCP, a multiple of 8.
    #[must_use]
    pub fn first_fragment(&self, tcp: &Tcp, octets: usize) -> Vec<u8> {
        self.piece(tcp, 0, octets)
    }

    /// The frame of the last fragment of that datagram, from this octet of TCP on, a multiple of 8.
    #[must_use]
    pub fn last_fragment(&self, tcp: &Tcp, from: usize) -> Vec<u8> {
        self.piece(tcp, from, usize::MAX)
    }

    /// # Panics
    ///
    /// If the piece does not begin at a multiple of 8.
    fn piece(&self, tcp: &Tcp, from: usize, to: usize) -> Vec<u8> {
        assert!(
            from.is_multiple_of(8),
            "fragments begin at multiples of 8 octets"
        );
        let offset = u16::try_from(from).expect("a datagram is shorter than 64 KiB");
        let more = to != usize::MAX;
        let carrier = match self.network {
            Network::V4 { .. } => {
                let flags = if more { MORE_FRAGMENTS } else { 0 };
                self.clone().fragment(flags | (offset / 8))
            }
            Network::V6 { .. } => self.clone().extension(Extension::fragment(offset, more)),
        };
        let mut frame = carrier.frame(tcp);
        let (network_at, tcp_at) = (carrier.network_at(), carrier.tcp_at());
        frame.truncate(frame.len() - self.trailer.len());
        frame.truncate(tcp_at.saturating_add(to));
        frame.drain(tcp_at..tcp_at + from);
        let length = frame.len() - network_at;
        match self.network {
            Network::V4 { .. } => shorten_v4(&mut frame[network_at..tcp_at], length),
            Network::V6 { .. } => {
                frame[network_at + 4..network_at + 6].copy_from_slice(&octets(length - 40));
            }
        }
        frame.extend_from_slice(&self.trailer);
        frame
    }
}

fn shorten_v4(header: &mut [u8], length: usize) {
    header[2..4].copy_from_slice(&octets(length));
    let (parsed, _) = Ipv4Header::from_slice(header).expect("a complete header");
    header[10..12].copy_from_slice(&parsed.calc_header_checksum().to_be_bytes());
}

fn octets(length: usize) -> [u8; 2] {
    u16::try_from(length)
        .expect("a datagram is shorter than 64 KiB")
        .to_be_bytes()
}
