//! How many connections and round trips requests take.

use tests::postgres::Database;
use tests::proxy::Traffic;
use tests::{App, Event, Function, Proxy, User};

/// Statements without a name, and prepared ones.
const WAYS: [&str; 2] = ["", "&prepared_statements=true"];

const ONE_ROUND_TRIP: Traffic = Traffic {
    connections: 0,
    round_trips: 1,
};

/// Starts an application whose connections are counted.
async fn start_counted(parameters: &str) -> (App, Proxy) {
    let database = Database::shared().await;
    let proxy = Proxy::start(database.port()).await;
    let mut database = database.through(proxy.port());
    database.url += parameters;
    (App::deployed_on(&database), proxy)
}

/// Counts what passes while `work` is done.
async fn count_traffic(proxy: &Proxy, work: impl Future) -> Traffic {
    let before = proxy.traffic();
    work.await;
    let after = proxy.traffic();
    Traffic {
        connections: after.connections - before.connections,
        round_trips: after.round_trips - before.round_trips,
    }
}

/// One request for each function.
fn requests(user: &User) -> [Event; 4] {
    [
        Event::put_quote("quote").bearer(&user.token),
        Event::get_quote().bearer(&user.token),
        Event::page("/").signed_in(user),
        Event::delete_quote().bearer(&user.token),
    ]
}

#[tokio::test]
async fn a_warm_request_is_one_round_trip() {
    for parameters in WAYS {
        let (app, proxy) = start_counted(parameters).await;
        let user = app.user();
        for event in requests(&user) {
            app.send(event).await;
        }
        for event in requests(&user) {
            let cost = count_traffic(&proxy, app.send(event.clone())).await;
            assert_eq!(cost, ONE_ROUND_TRIP, "{event:?}");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_valid_token_costs_the_database_nothing() {
    let (app, proxy) = start_counted("").await;
    for function in Function::all() {
        app.environment(function).await;
    }
    let expired = app.instance.expired_token(&app.user());
    for event in [
        Event::get_quote(),
        Event::get_quote().bearer(&expired),
        Event::put_quote("quote").bearer("garbage"),
        Event::put_quote("").bearer(&app.user().token),
        Event::delete_quote().bearer(&expired),
        Event::page("/"),
        Event::page("/").session(&expired),
        Event::page("/nothing").signed_in(&app.user()),
        Event::post_quote("quote")
            .signed_in(&app.user())
            .without("sec-fetch-site"),
    ] {
        let cost = count_traffic(&proxy, app.send(event.clone())).await;
        let nothing = Traffic {
            connections: 0,
            round_trips: 0,
        };
        assert_eq!(cost, nothing, "{event:?}");
    }
}

#[tokio::test]
async fn each_environment_has_one_connection_however_many_requests_come() {
    let (app, proxy) = start_counted("").await;
    let user = app.user();
    for _ in 0..10 {
        for event in requests(&user) {
            app.send(event).await;
        }
    }
    assert_eq!(proxy.traffic().connections, Function::all().len());
}

async fn count_cold_start(parameters: &str) -> usize {
    let (app, proxy) = start_counted(parameters).await;
    let user = app.user();
    let cost = count_traffic(&proxy, app.send(Event::get_quote().bearer(&user.token))).await;
    assert_eq!(cost.connections, 1);
    cost.round_trips
}

#[tokio::test]
async fn a_cold_start_is_eight_round_trips_or_less() {
    // TCP, SSLRequest, TLS, startup, SASL twice, statement. Direct negotiation
    // saves the second, and servers before 18 send their first TLS 1.3 ticket
    // in a round of its own.
    let version = Database::shared().await.server_version().await;
    let most = if version >= 18 { 7 } else { 8 };
    let negotiated = count_cold_start("").await;
    assert!(negotiated <= most, "{negotiated} on {version}");
}

#[tokio::test]
async fn direct_negotiation_saves_a_cold_start_one_round_trip() {
    let version = Database::shared().await.server_version().await;
    let direct = "&sslnegotiation=direct";
    if version < 17 {
        // Such a server does not understand it and closes the connection.
        let (app, _proxy) = start_counted(direct).await;
        let answer = app.send(Event::get_quote().bearer(&app.user().token));
        answer.await.problem(503);
        return;
    }
    let most = if version >= 18 { 6 } else { 7 };
    let direct = count_cold_start(direct).await;
    assert!(direct <= most, "{direct} on {version}");
}

#[tokio::test]
async fn the_connection_is_there_before_the_first_request() {
    for parameters in WAYS {
        let (app, proxy) = start_counted(parameters).await;
        app.environment(Function::GET_QUOTE).await;
        let user = app.user();
        let cost = count_traffic(&proxy, app.send(Event::get_quote().bearer(&user.token))).await;
        assert_eq!(cost, ONE_ROUND_TRIP);
    }
}
