//! The password and the quotes are sent to the right server only.

use std::fs;
use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dev::certificates::{Authority, Identity};
use dev::postgres::Server;
use native_tls::Identity as Tls;
use openssl::asn1::Asn1Time;
use tempfile::TempDir;
use tests::postgres::{Database, start_server};
use tests::{App, Event, Function, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// AWS-LC's message for a certificate whose authority is not trusted.
const UNKNOWN_AUTHORITY: &str = "(unable to get local issuer certificate)";

/// Asks for a quote; there must be an error, with these words in the log. The
/// start and the request have tried once each: trying again would not help.
async fn assert_no_answer(database: &Database, words: &str) {
    let proxy = Proxy::start(database.port()).await;
    let app = App::deployed_on(&database.through(proxy.port()));
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    answer.problem(503);
    assert_eq!(proxy.traffic().connections, 2);
    let log = app.log().to_lowercase();
    assert!(log.contains(words), "{log}");
    // The library's own words name a file of its source.
    assert!(!log.contains("aws-lc"), "{log}");
}

/// The same database with this authority as the trusted one, and the folder that
/// its certificate is in.
pub(crate) fn trust(database: &Database, authority: &Authority) -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.pem().unwrap()).unwrap();
    let (url, _) = database.url.split_once("&sslrootcert=").unwrap();
    let url = format!("{url}&sslrootcert={}", ca.display());
    (Database { url, ca }, folder)
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_whatever_the_mode() {
    let other = Authority::new().unwrap();
    let (strict, _folder) = trust(&Database::shared().await, &other);
    for mode in ["require", "verify-ca", "verify-full"] {
        let mut database = strict.clone();
        database.url = database.url.replace("verify-full", mode);
        assert_no_answer(&database, UNKNOWN_AUTHORITY).await;
    }
}

/// Starts a server with this certificate; its database with the authority as the
/// trusted one.
pub(crate) async fn start_server_with(
    authority: &Authority,
    identity: &Identity,
) -> (Server, Database, TempDir) {
    let mut server = start_server().await;
    server.halt().await.unwrap();
    // Written in place: Postgres insists on the owner and mode of its key.
    fs::write(server.data().join("server.key"), &identity.key).unwrap();
    fs::write(server.data().join("server.crt"), &identity.certificate).unwrap();
    server.resume().await.unwrap();
    let (database, folder) = trust(&Database::of(&server), authority);
    (server, database, folder)
}

#[tokio::test]
async fn a_server_with_another_name_is_refused() {
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["db.example.com"]).unwrap();
    let (_server, right, _folder) = start_server_with(&authority, &identity).await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let mut database = right.clone();
        database.url = database.url.replace("verify-full", mode);
        assert_no_answer(&database, "(hostname mismatch)").await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new().unwrap();
    let yesterday =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(24 * 60 * 60);
    let yesterday = Asn1Time::from_unix(yesterday.as_secs().try_into().unwrap()).unwrap();
    let identity = authority.issue_until(&["localhost"], &yesterday).unwrap();
    let (_server, database, _folder) = start_server_with(&authority, &identity).await;
    assert_no_answer(&database, "(certificate has expired)").await;
}

/// Starts a server that sends each client these bytes and then only reads.
/// Returns its port, and what the last client sent after that.
async fn start_fake_server(answer: &'static [u8]) -> (u16, watch::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, told) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 8];
            client.read_exact(&mut request).await.unwrap();
            client.write_all(answer).await.unwrap();
            let mut rest = Vec::new();
            drop(client.read_to_end(&mut rest).await);
            sender.send_replace(rest);
        }
    });
    (port, told)
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    // The answer to SSLRequest that means: not here. And a server of another
    // protocol altogether.
    for answer in [&b"N"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let (port, told) = start_fake_server(answer).await;
        let database = Database::shared().await.through(port);
        assert_no_answer(&database, "server does not support tls").await;
        assert_eq!(*told.borrow(), b"");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing_by_direct_negotiation_either() {
    let (port, told) = start_fake_server(b"N and then some").await;
    let database = Database::shared().await.through(port);
    let direct = database.with_parameter("sslnegotiation=direct");
    assert_no_answer(&direct, "wrong version number").await;
    let password = url::Url::parse(&database.url).unwrap();
    let password = password.password().unwrap().as_bytes().to_vec();
    let told = told.borrow();
    assert!(!told.windows(password.len()).any(|part| part == password));
}

#[tokio::test]
async fn a_server_whose_tls_is_too_old_is_refused() {
    // A ServerHello: version 1.1, random bytes, no session, a cipher, no compression.
    let (port, _) = start_fake_server(
        b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x020123456789abcdef0123456789abcdef\0\xc0\x13\0",
    )
    .await;
    let database = Database::shared().await.through(port);
    let direct = database.with_parameter("sslnegotiation=direct");
    assert_no_answer(&direct, "unsupported protocol").await;
}

/// The SASL mechanism that a function chooses where both are offered.
async fn chosen_mechanism(parameter: &str) -> String {
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["localhost"]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (database, _folder) = trust(&Database::shared().await.through(port), &authority);

    let chosen = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; 8]).await.unwrap();
        client.write_all(b"S").await.unwrap();
        let identity = Tls::from_pkcs8(&identity.certificate, &identity.key).unwrap();
        let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
        let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);
        let mut client = acceptor.accept(client).await.unwrap();
        let length = client.read_u32().await.unwrap();
        let mut startup = vec![0; length as usize - 4];
        client.read_exact(&mut startup).await.unwrap();
        // AuthenticationSASL: its number, and a list that ends with nothing.
        let offer = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        client.write_u8(b'R').await.unwrap();
        client.write_u32(offer.len() as u32 + 4).await.unwrap();
        client.write_all(offer).await.unwrap();
        // SASLInitialResponse begins with the mechanism.
        let mut response = vec![0; 64];
        let length = client.read(&mut response).await.unwrap();
        let response = &response[5..length];
        let name = response.split(|byte| *byte == 0).next().unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    });
    let app = App::deployed_on(&database.with_parameter(parameter));
    app.environment(Function::GET_QUOTE).await;
    chosen.await.unwrap()
}

#[tokio::test]
async fn channel_binding_is_used_where_the_server_offers_it() {
    let plain = chosen_mechanism("channel_binding=disable").await;
    assert_eq!(plain, "SCRAM-SHA-256");
    for parameter in ["channel_binding=require", "application_name=quotes"] {
        assert_eq!(chosen_mechanism(parameter).await, "SCRAM-SHA-256-PLUS");
    }
}

#[tokio::test]
async fn a_url_as_neon_prints_it_connects() {
    let database = Database::shared().await;
    for negotiation in database.tls_negotiations().await {
        let mut neon = database.with_parameter("channel_binding=require");
        neon.url = neon.url.replace("sslmode=verify-full", "sslmode=require");
        neon.url += &format!("&sslnegotiation={negotiation}&connect_timeout=10");
        let app = App::deployed_on(&neon);
        let answer = app.send(Event::get_quote().bearer(&app.user().token));
        answer.await.problem(404);
    }
}

#[tokio::test]
async fn every_password_can_be_in_a_url() {
    let database = Database::shared().await;
    let role = format!("role_{}", tests::unique());
    let password = "p@ss/w:rd%?#&=+ äöü'\"\\";
    let client = database.connect().await;
    let quoted = password.replace('\'', "''");
    let create = format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{quoted}';
         GRANT SELECT ON user_messages TO {role}"
    );
    client.batch_execute(&create).await.unwrap();
    let app = App::deployed_on(&database.as_role(&role, password));
    let answer = app.send(Event::get_quote().bearer(&app.user().token));
    answer.await.problem(404);
}

#[tokio::test]
async fn an_ipv6_address_connects() {
    let database = Database::shared().await;
    let proxy = Proxy::start_on(Ipv6Addr::LOCALHOST.into(), database.port()).await;
    let mut database = database.through(proxy.port());
    database.url = database.url.replace("localhost", "[::1]");
    let app = App::deployed_on(&database);
    let answer = app.send(Event::get_quote().bearer(&app.user().token));
    answer.await.problem(404);
    assert_eq!(proxy.traffic().connections, 1);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_tells_nothing() {
    let database = Database::shared().await;
    let url = url::Url::parse(&database.url).unwrap();
    let password = url.password().unwrap();
    let wrong = Database {
        url: database.url.replace(password, "hunter2secret"),
        ..database
    };
    assert_no_answer(&wrong, "password").await;
}
