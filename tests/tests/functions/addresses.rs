//! Hosts with several addresses, of which some do not answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clerk_stand_in::server;
use dev::certificates::Authority;
use tests::hosts::{Hosts, LOOPBACK_ADDRESSES, SilentAddress};
use tests::postgres::Database;
use tests::{App, Event, Function, Instance, Proxy};
use tokio::net::TcpListener;

/// The last of the addresses, the others before it.
fn split() -> (Ipv4Addr, [Ipv4Addr; 3]) {
    let [first, second, third, last] = LOOPBACK_ADDRESSES;
    (last, [first, second, third])
}

/// Starts a way to the shared database at the last address.
async fn start_at_last_address() -> (Proxy, Database, Hosts) {
    let database = Database::shared().await;
    let proxy = Proxy::start_on(split().0.into(), database.port()).await;
    let hosts = Hosts::new("localhost", &LOOPBACK_ADDRESSES);
    let database = database.through(proxy.port());
    (proxy, database, hosts)
}

async fn silence(addresses: &[Ipv4Addr], port: u16) -> Vec<SilentAddress> {
    let mut silent = Vec::new();
    for address in addresses {
        silent.push(SilentAddress::bind((*address, port).into()).await);
    }
    silent
}

#[tokio::test]
async fn three_silent_addresses_of_the_database_delay_one_connection() {
    let (proxy, database, hosts) = start_at_last_address().await;
    let (_, others) = split();
    let _silent = silence(&others, proxy.port()).await;
    let app = App::deployed_on(&database).with_hosts(&hosts);
    let user = app.user();
    let page = || app.send(Event::page("/").signed_in(&user));
    page().await.page(200);
    assert_eq!(proxy.traffic().connections, 1);
    let log = app.log();
    for address in others {
        let named = format!("{address}:{}: no answer", proxy.port());
        assert!(log.contains(&named), "{named} in {log}");
    }

    // The winner is tried first, so that nothing is waited for.
    let count = log.matches("no answer").count();
    proxy.close_connections();
    page().await.page(200);
    assert_eq!(proxy.traffic().connections, 2);
    assert_eq!(app.log().matches("no answer").count(), count);
}

#[tokio::test]
async fn addresses_that_are_silent_within_tls_do_not_use_up_the_time_of_the_others() {
    let (proxy, database, hosts) = start_at_last_address().await;
    let (_, [first, second, third]) = split();
    // The kernel takes connections, and nothing answers.
    let taken = TcpListener::bind((first, proxy.port())).await.unwrap();
    let _silent = silence(&[second, third], proxy.port()).await;
    let app = App::deployed_on(&database).with_hosts(&hosts);
    let answer = app.send(Event::get_quote().bearer(&app.user().token));
    answer.await.problem(404);
    let named = format!("{}: TLS took longer", taken.local_addr().unwrap());
    assert!(app.log().contains(&named), "{}", app.log());
}

#[tokio::test]
async fn an_error_names_every_address() {
    let (proxy, database, hosts) = start_at_last_address().await;
    let (last, others) = split();
    let port = proxy.port();
    drop(proxy);
    let _silent = silence(&others[..1], port).await;
    let app = App::deployed_on(&database).with_hosts(&hosts);
    let answer = app.send(Event::get_quote().bearer(&app.user().token));
    answer.await.problem(503);
    let log = app.log();
    let words = format!("{last}:{port}: Connection refused");
    assert!(log.contains(&words), "{log}");
    let words = format!("{}:{port}: ", others[0]);
    assert!(log.contains(&words), "{log}");
}

#[tokio::test]
async fn a_cancel_request_goes_to_the_address_of_its_connection() {
    let (proxy, database, hosts) = start_at_last_address().await;
    let first = SocketAddr::from((split().1[0], proxy.port()));
    let other = Proxy::start_at(first, Database::shared().await.port()).await;
    other.refuse_connections(true);
    let app = App::deployed_on(&database).with_hosts(&hosts);
    let user = app.user();
    let put = |text| app.send(Event::put_quote(text).bearer(&user.token));
    assert_eq!(put("kept").await.status, 201);
    other.refuse_connections(false);

    let mut holder = Database::shared().await.connect().await;
    let transaction = holder.transaction().await.unwrap();
    let lock = "SELECT 1 FROM user_messages WHERE user_id = $1 FOR UPDATE";
    transaction.execute(lock, &[&user.id]).await.unwrap();
    let before = proxy.traffic().connections;
    put("held up").await.problem(503);
    assert_eq!(other.traffic().connections, 0);
    // Each of two attempts is a statement and its cancel request.
    assert!(proxy.traffic().connections >= before + 2);
}

#[tokio::test]
async fn silent_addresses_of_the_key_set_only_delay_it() {
    let (_proxy, database, hosts) = start_at_last_address().await;
    let (last, [first, second, third]) = split();
    let listener = TcpListener::bind((last, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["localhost"]).unwrap();
    let identity = native_tls::Identity::from_pkcs8(&identity.certificate, &identity.key).unwrap();
    let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
    let stand_in = Arc::clone(Instance::production().stand_in());
    tokio::spawn(server::serve(stand_in, listener, Some(acceptor.into())));
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), authority.pem().unwrap()).unwrap();

    // One that takes TCP, and one that takes nothing at all; or three of those.
    let taken = TcpListener::bind((first, port)).await.unwrap();
    let mut silent = silence(&[second, third], port).await;
    for taken in [Some(taken), None] {
        if taken.is_none() {
            silent.extend(silence(&[first], port).await);
        }
        let app = App::deployed_on(&database)
            .with_hosts(&hosts)
            .without("CLERK_JWT_KEY")
            .with("CLERK_PROXY_URL", &format!("https://localhost:{port}"))
            .with("SSL_CERT_FILE", &roots.path().to_string_lossy());
        app.send(Event::page("/nothing")).await.page(404);
        let page = app.send(Event::page("/").signed_in(&app.user())).await;
        page.page(200);
    }
}

#[tokio::test]
async fn a_host_of_neon_is_direct_where_its_server_understands_that() {
    let authority = Authority::new().unwrap();
    let name = "ep-a-b-123.eu-central-1.aws.neon.tech";
    let identity = authority.issue(&[name]).unwrap();
    let (server, database, _folder) =
        crate::database_tls::start_server_with(&authority, &identity).await;
    let first = LOOPBACK_ADDRESSES[0];
    let proxy = Proxy::start_on(first.into(), server.port()).await;
    let mut database = database.through(proxy.port());
    database.url = database.url.replace("localhost", name);
    let app = App::deployed_on(&database).with_hosts(&Hosts::new(name, &[first]));
    let user = app.user();
    app.environment(Function::GET_QUOTE).await;
    let is_direct = Database::shared().await.server_version().await >= 17;
    // An older one closes the connection, and is asked first from then on.
    let connections = if is_direct { 1 } else { 2 };
    assert_eq!(proxy.traffic().connections, connections);
    proxy.close_connections();
    let get = Event::get_quote().bearer(&user.token);
    // This server has no table.
    app.send(get).await.problem(500);
    assert_eq!(
        proxy.traffic().connections,
        connections + 1,
        "{}",
        app.log()
    );
}
