//! Ports on loopback.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};
use openssl::rand::rand_bytes;

/// The port of `make dev` unless `PORT` names another.
const DEFAULT_PORT: u16 = 9000;

/// Ports that are tried before the search is given up.
const MAX_PORTS_TRIED: u32 = 100;

/// Longest wait for a server on loopback to accept a connection.
const PORT_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the value of the variable `PORT`.
///
/// # Errors
/// If it is not a port.
pub fn parse(value: Option<&str>) -> anyhow::Result<u16> {
    match value {
        None | Some("") => Ok(DEFAULT_PORT),
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => Ok(port),
            _ => bail!("PORT={text} is not a port: use a number from 1 to 65535"),
        },
    }
}

/// Makes sure that no server listens at `localhost` on this port.
///
/// # Errors
/// If one does, or the port may not be used.
pub fn ensure_free(port: u16) -> anyhow::Result<()> {
    // Some systems let us listen beside a server on all addresses or on ::1, but
    // a browser might then connect to that server.
    for address in [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ] {
        if TcpStream::connect_timeout(&address, PORT_CHECK_TIMEOUT).is_ok() {
            bail!("port {port} is in use: end what uses it, or choose another one with PORT=");
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} cannot be used: choose another one with PORT="))?;
    Ok(())
}

/// A free port on 127.0.0.1.
///
/// It is below the ports that systems give to outgoing connections, so that a
/// server which is stopped for a moment finds its port free again.
///
/// # Errors
/// If a hundred attempts find none.
pub fn find_free() -> io::Result<u16> {
    for _ in 0..MAX_PORTS_TRIED {
        let mut random = [0; 2];
        rand_bytes(&mut random)?;
        let port = 20_000 + u16::from_ne_bytes(random) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port found on 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = ensure_free(port).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is in use")), "{error}");
    }

    #[test]
    fn a_free_port_is_free() {
        ensure_free(find_free().unwrap()).unwrap();
    }

    #[test]
    fn the_variable_is_a_number_or_absent() {
        assert_eq!(parse(None).unwrap(), DEFAULT_PORT);
        assert_eq!(parse(Some("")).unwrap(), DEFAULT_PORT);
        assert_eq!(parse(Some("9001")).unwrap(), 9001);
        for wrong in ["0", "65536", "-1", "http", " 9000"] {
            assert!(parse(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
