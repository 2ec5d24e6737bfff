//! The peer of a crowd as a process of its own; the tests that need one start it with the address where it is to listen.

use std::{env, net::SocketAddr};

use anyhow::{Context as _, Result};
use isn_tests::crowd::peer;

fn main() -> Result<()> {
    let given = env::args()
        .nth(1)
        .context("it needs an address, like 192.0.2.1:7000")?;
    let address: SocketAddr = given
        .parse()
        .with_context(|| format!("`{given}` is no address with a port"))?;
    peer::serve(address)
}
