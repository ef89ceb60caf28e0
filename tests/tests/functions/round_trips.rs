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
fn requests(app: &App, user: &User) -> [Event; 5] {
    [
        Event::put_quote("quote").bearer(&user.token),
        Event::get_quote().bearer(&user.token),
        Event::page("/").signed_in(user),
        Event::delete_quote().bearer(&user.token),
        Event::user_deleted(app.instance, &app.user()),
    ]
}

#[tokio::test]
async fn a_warm_request_is_one_round_trip() {
    for parameters in WAYS {
        let (app, proxy) = start_counted(parameters).await;
        let user = app.user();
        for event in requests(&app, &user) {
            app.send(event).await;
        }
        for event in requests(&app, &user) {
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
        Event::user_deleted(app.instance, &app.user()).header("svix-id", "msg_2"),
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
        for event in requests(&app, &user) {
            app.send(event).await;
        }
    }
    assert_eq!(proxy.traffic().connections, Function::all().len());
}

/// The round trips of a cold start and its first statement.
async fn count_cold_start(parameters: &str) -> usize {
    let (app, proxy) = start_counted(parameters).await;
    let user = app.user();
    let cost = count_traffic(&proxy, app.send(Event::get_quote().bearer(&user.token))).await;
    assert_eq!(cost.connections, 1);
    cost.round_trips
}

#[tokio::test]
async fn a_cold_start_takes_the_round_trips_that_are_documented() {
    // TCP, SSLRequest, TLS, startup, SASL twice, statement. Servers before 18
    // send their first TLS 1.3 ticket in a round of its own. Direct negotiation
    // saves the second, channel binding the fourth.
    let version = Database::shared().await.server_version().await;
    let ordinary = if version >= 18 { 7 } else { 8 };
    for (parameters, saved) in [
        ("", 0),
        ("&channel_binding=require", 1),
        ("&sslnegotiation=direct", 1),
        ("&sslnegotiation=direct&channel_binding=require", 2),
    ] {
        if version < 17 && parameters.contains("direct") {
            continue;
        }
        let documented = ordinary - saved;
        let mut counted = Vec::new();
        while !counted.contains(&documented) {
            counted.push(count_cold_start(parameters).await);
            // Where the startup message meets the ticket on its way, they share a round.
            let may_share = version < 18 && counted.len() < 3;
            let is_right = counted.iter().all(|count| *count <= documented)
                && (may_share || counted.contains(&documented));
            assert!(is_right, "{counted:?} with {parameters} on {version}");
        }
    }
}

#[tokio::test]
async fn a_server_before_17_closes_a_direct_connection() {
    let version = Database::shared().await.server_version().await;
    let (app, _proxy) = start_counted("&sslnegotiation=direct").await;
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    answer.problem(if version < 17 { 503 } else { 404 });
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
