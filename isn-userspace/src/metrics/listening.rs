//! The sockets that metrics are served on, taken before anything is attached: a port that somebody else has must leave no trace.

use std::{io, net::SocketAddr};

use super::address::MetricsAddress;
use crate::failure::Failure;

/// Sockets that are listened on, before anything is attached.
#[derive(Debug)]
pub struct Listening(pub(super) Vec<std::net::TcpListener>);

impl Listening {
    /// Begins to listen on all addresses, or on none.
    pub fn open(addresses: &[MetricsAddress]) -> Result<Self, Failure> {
        addresses
            .iter()
            .map(|it| listen(it.0))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0
            .iter()
            .filter_map(|it| it.local_addr().ok())
            .collect()
    }
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, Failure> {
    let open = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|error: io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "see who has the port (ss -ltnp sport = :{}), end it or choose another one; nothing was attached",
                address.port()
            ),
            io::ErrorKind::AddrNotAvailable => {
                "name an address that this machine has (ip address); nothing was attached".into()
            }
            _ => "choose another address or port; nothing was attached".into(),
        };
        Failure::new(format!("cannot serve metrics on {address}"), error, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_with_what_to_do() {
        let first = Listening::open(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let taken = MetricsAddress(first.addresses()[0]);
        let refused = Listening::open(&[taken]).unwrap_err();
        assert!(
            refused.to_string().contains(&taken.to_string()),
            "{refused}"
        );
        assert!(refused.remedy().contains("nothing was attached"));
    }
}
