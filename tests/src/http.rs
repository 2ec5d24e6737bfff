//! A plain HTTP/1.1 client for what listens inside a namespace: one request a connection, told exactly.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::namespace::Namespace;

/// Who does not answer by then hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its headers, names in lower case as they came.
    pub headers: String,
    /// Its body.
    pub body: String,
}

impl Answer {
    fn read(octets: &[u8]) -> Result<Self> {
        let text = String::from_utf8(octets.to_vec()).context("no text")?;
        let (headers, body) = text
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer: {text:?}"))?;
        let status = headers
            .split(' ')
            .nth(1)
            .and_then(|it| it.parse().ok())
            .with_context(|| format!("no status: {headers}"))?;
        Ok(Self {
            status,
            headers: headers.to_owned(),
            body: body.to_owned(),
        })
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Connects inside a namespace.
pub fn connect(namespace: &Namespace, to: SocketAddr) -> Result<TcpStream> {
    let stream = namespace
        .enter(|| TcpStream::connect_timeout(&to, PATIENCE))
        .with_context(|| format!("cannot connect to {to}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads an answer, to the end of the connection.
pub fn answer(stream: &mut TcpStream) -> Result<Answer> {
    let mut octets = Vec::new();
    stream
        .read_to_end(&mut octets)
        .context("reading the answer")?;
    Answer::read(&octets)
}

/// Asks: `request` is the method and the path, `headers` are lines.
pub fn ask(
    namespace: &Namespace,
    to: SocketAddr,
    request: &str,
    headers: &[&str],
) -> Result<Answer> {
    let mut stream = connect(namespace, to)?;
    let mut asked = format!("{request} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for header in headers {
        asked.push_str(header);
        asked.push_str("\r\n");
    }
    asked.push_str("\r\n");
    stream.write_all(asked.as_bytes()).context("asking")?;
    answer(&mut stream)
}
