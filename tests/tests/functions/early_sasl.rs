//! SCRAM's first message together with the startup message, before servers of
//! every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dev::certificates::{Authority, Identity};
use native_tls::{Certificate, Identity as Tls, TlsAcceptor, TlsConnector};
use tests::postgres::Database;
use tests::{App, Event, Function, PgBouncer, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_native_tls::TlsStream;

use crate::database_tls::{start_server_with, trust};

/// What the client sends to ask for TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Answers requests for TLS.
fn acceptor(identity: &Identity) -> tokio_native_tls::TlsAcceptor {
    let identity = Tls::from_pkcs8(&identity.certificate, &identity.key).unwrap();
    TlsAcceptor::new(identity).unwrap().into()
}

/// TLS with a client that asks for it, and `None` with one that gives up.
async fn encrypt(
    mut client: TcpStream,
    acceptor: &tokio_native_tls::TlsAcceptor,
) -> Option<TlsStream<TcpStream>> {
    client.read_exact(&mut [0; 8]).await.ok()?;
    client.write_all(b"S").await.ok()?;
    acceptor.accept(client).await.ok()
}

/// The startup message, and what came with it.
async fn read_flight(client: &mut TlsStream<TcpStream>) -> (Vec<u8>, Vec<u8>) {
    let mut flight = vec![0; 4096];
    let length = client.read(&mut flight).await.unwrap();
    flight.truncate(length);
    let startup = u32::from_be_bytes(flight[..4].try_into().unwrap()) as usize;
    let rest = flight.split_off(startup);
    (flight, rest)
}

/// Asks for a quote where channel binding is required.
async fn app_on(database: &Database) -> App {
    let app = App::deployed_on(&database.with_parameter("channel_binding=require"));
    app.environment(Function::GET_QUOTE).await;
    app
}

#[tokio::test]
async fn what_a_server_says_instead_of_an_offer_is_in_the_log() {
    let error = b"E\0\0\0\x31SFATAL\0VFATAL\0C3D000\0Mno such thing as this\0\0";
    // An error needs no second connection; another offer needs one, once.
    for (answer, words, connections) in [
        (&error[..], "no such thing as this (3D000)", 2),
        (b"R\0\0\0\x08\0\0\0\0", "channel binding", 3),
        (b"R\0\0\0\x08\0\0\0\x03", "channel binding", 3),
        (b"R\0\0\0\x0c\0\0\0\x05salt", "channel binding", 3),
        (
            b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
            "channel binding",
            3,
        ),
        (
            b"R\0\0\0\x13\0\0\0\x0aSCRAM-NEW\0\0",
            "unsupported SASL mechanism",
            3,
        ),
        (b"Z\0\0\0\x05I", "unexpected message", 3),
    ] {
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&["localhost"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (database, _folder) = trust(&Database::shared().await.through(port), &authority);
        let counted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&counted);
        let acceptor = acceptor(&identity);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Some(mut client) = encrypt(client, &acceptor).await else {
                        return;
                    };
                    read_flight(&mut client).await;
                    client.write_all(answer).await.unwrap();
                    // Until the client hangs up.
                    drop(client.read_to_end(&mut Vec::new()).await);
                });
            }
        });
        let app = app_on(&database).await;
        let answer = app.send(Event::get_quote().bearer(&app.user().token));
        answer.await.problem(503);
        let log = app.log();
        assert!(log.contains(words), "{words} in {log}");
        assert_eq!(counted.load(Ordering::SeqCst), connections, "{log}");
    }
}

/// Starts a server, and a way to it that sends each byte of its answers by itself;
/// with `closes_early` it closes a connection that sends more than a startup
/// message.
async fn start_dribbling(closes_early: bool) -> (dev::postgres::Server, Database, impl Sized, u16) {
    let authority = Authority::new().unwrap();
    // The certificate of the server, which the channel is bound to.
    let identity = authority.issue(&["localhost"]).unwrap();
    let (server, database, folder) = start_server_with(&authority, &identity).await;
    database.migrate().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connector = TlsConnector::builder();
    connector.add_root_certificate(Certificate::from_pem(&authority.pem().unwrap()).unwrap());
    let connector = tokio_native_tls::TlsConnector::from(connector.build().unwrap());
    let behind = server.port();
    let acceptor = acceptor(&identity);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (connector, acceptor) = (connector.clone(), acceptor.clone());
            tokio::spawn(async move {
                let Some(mut client) = encrypt(client, &acceptor).await else {
                    return;
                };
                let (startup, rest) = read_flight(&mut client).await;
                if closes_early && !rest.is_empty() {
                    return;
                }
                let mut server = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                server.write_all(&SSL_REQUEST).await.unwrap();
                server.read_exact(&mut [0]).await.unwrap();
                let server = connector.connect("localhost", server).await.unwrap();
                let (mut from_server, mut to_server) = tokio::io::split(server);
                let (mut from_client, mut to_client) = tokio::io::split(client);
                to_server.write_all(&startup).await.unwrap();
                to_server.write_all(&rest).await.unwrap();
                let answers = async {
                    while let Ok(byte) = from_server.read_u8().await {
                        if to_client.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    () = answers => {}
                    _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                }
            });
        }
    });
    let database = database.through(port);
    (server, database, folder, port)
}

#[tokio::test]
async fn an_offer_may_arrive_byte_by_byte() {
    let (_server, database, _folder, port) = start_dribbling(false).await;
    let proxy = Proxy::start(port).await;
    let app = app_on(&database.through(proxy.port())).await;
    let user = app.user();
    let saved = app.send(Event::put_quote("quote").bearer(&user.token));
    assert_eq!(saved.await.status, 201);
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "quote");
    // Of two functions.
    assert_eq!(proxy.traffic().connections, 2);
}

#[tokio::test]
async fn a_server_that_wants_its_offer_to_be_waited_for_gets_that_from_then_on() {
    let (_server, database, _folder, port) = start_dribbling(true).await;
    let proxy = Proxy::start(port).await;
    let app = app_on(&database.through(proxy.port())).await;
    assert_eq!(proxy.traffic().connections, 2);
    proxy.close_connections();
    let answer = app.send(Event::get_quote().bearer(&app.user().token));
    answer.await.problem(404);
    assert_eq!(proxy.traffic().connections, 3);
}

#[tokio::test]
async fn a_pooler_without_channel_binding_costs_one_connection_more_and_only_once() {
    let pooler = PgBouncer::start(&Database::shared().await, 5).await;
    let proxy = Proxy::start(pooler.database.port()).await;
    let app = app_on(&pooler.database.through(proxy.port())).await;
    assert_eq!(proxy.traffic().connections, 2);
    for connections in [3, 4] {
        let answer = app.send(Event::get_quote().bearer(&app.user().token));
        answer.await.problem(503);
        assert_eq!(proxy.traffic().connections, connections);
    }
    assert!(app.log().contains("channel binding"), "{}", app.log());
}
