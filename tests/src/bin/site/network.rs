//! Ports, certificates, and how browsers find the hosts.

use std::net::Ipv4Addr;

use dev::certificates::Authority;
use native_tls::Identity;
use tokio::net::TcpListener;
use tokio_native_tls::TlsAcceptor;

/// Chromium finds no other host: loading from one is an error.
const NO_OTHER_HOSTS: &str = "MAP * ~NOTFOUND";

/// Listens on a free port of 127.0.0.1; returns its number as well.
pub(crate) async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Makes one certificate for all hosts. Its authority is not trusted: the
/// browsers are started so that they ignore certificate errors.
pub(crate) fn acceptor(addresses: &[&str]) -> TlsAcceptor {
    let hosts: Vec<&str> = addresses.iter().map(|address| host(address)).collect();
    let issued = Authority::new().unwrap().issue(&hosts).unwrap();
    let identity = Identity::from_pkcs8(&issued.certificate, &issued.key).unwrap();
    native_tls::TlsAcceptor::new(identity).unwrap().into()
}

/// Chromium's `--host-resolver-rules` for a site on localhost.
pub(crate) fn localhost_rules() -> String {
    format!("EXCLUDE localhost, {NO_OTHER_HOSTS}")
}

/// The same for https addresses that are all on one port of 127.0.0.1.
pub(crate) fn rules(addresses: &[&str], port: u16) -> String {
    let rules = addresses
        .iter()
        .map(|address| format!("MAP {} 127.0.0.1:{port}, ", host(address)));
    rules.chain([NO_OTHER_HOSTS.to_owned()]).collect()
}

fn host(address: &str) -> &str {
    address.strip_prefix("https://").expect("an https address")
}
