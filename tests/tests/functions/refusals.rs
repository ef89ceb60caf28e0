//! What a server says before a connection is ready decides whether the
//! functions try again. The texts are those of Neon's proxy, which sends each
//! as `XX000`, of PgBouncer, which sends each as `08P01`, and of Postgres.

use tests::postgres::Database;
use tests::tls_proxy::{Behaviour, ServerError};
use tests::{App, Event, Function, TlsProxy};
use tokio::task::JoinSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Permanent,
    Transient,
    Unknown,
    RateLimit,
}

/// As many processes as start and connect in time on two cores.
const MEETINGS_AT_ONCE: usize = 5;

const fn neon(message: &'static str) -> ServerError {
    ServerError {
        severity: "ERROR",
        code: "XX000",
        message,
    }
}

const fn pgbouncer(message: &'static str) -> ServerError {
    fatal("08P01", message)
}

const fn fatal(code: &'static str, message: &'static str) -> ServerError {
    ServerError {
        severity: "FATAL",
        code,
        message,
    }
}

const PERMANENT: [ServerError; 19] = [
    neon("password authentication failed for user 'app'"),
    neon("database \"quotes\" does not exist"),
    neon(
        "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'. See more at https://neon.tech/sni",
    ),
    neon(
        "Inconsistent project name inferred from SNI ('ep-a-b-123') and project option ('ep-c-d-456').",
    ),
    neon(
        "This IP address 192.0.2.1 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses.",
    ),
    neon("Your account or project has exceeded the compute time quota. Upgrade your plan."),
    neon("Your project has exceeded the data transfer quota."),
    neon("You have reached the limit of 20 concurrently active endpoints."),
    neon("Control plane request failed: endpoint is disabled"),
    neon("Control plane request failed: endpoint cannot be found"),
    neon("The requested endpoint ep-a-b-123 could not be found, or you don't have access to it."),
    neon("The role neon_superuser is protected."),
    neon("unsupported startup parameter: extra_float_digits"),
    pgbouncer("unsupported startup parameter: options"),
    pgbouncer("SASL authentication failed"),
    pgbouncer("no such user: app"),
    pgbouncer("no such database: quotes"),
    fatal("28P01", "password authentication failed for user \"app\""),
    fatal("3D000", "database \"quotes\" does not exist"),
];

const TRANSIENT: [ServerError; 14] = [
    neon("Couldn't connect to compute node"),
    neon("Too many connections attempts"),
    neon("Too many connections to this endpoint. Please try again later."),
    neon("the database system is starting up"),
    neon("the database system is not yet accepting connections"),
    neon("sorry, too many clients already"),
    neon("remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    neon("terminating connection due to administrator command"),
    pgbouncer("no more connections allowed (max_client_conn)"),
    pgbouncer("server conn crashed?"),
    pgbouncer("query_wait_timeout"),
    fatal("57P03", "the database system is starting up"),
    fatal("53300", "sorry, too many clients already"),
    fatal(
        "57P01",
        "terminating connection due to administrator command",
    ),
];

const UNKNOWN: [ServerError; 2] = [
    neon("Control plane request failed"),
    pgbouncer("the moon is in the wrong phase"),
];

const RATE_LIMIT: [ServerError; 1] = [neon(
    "You have exceeded the rate limit of connection attempts. Try again later.",
)];

/// Starts a function at a server that refuses, asks it for a quote, and once
/// more when the cause is gone.
async fn meet(refusal: ServerError, kind: Kind) {
    let proxy = TlsProxy::start(&Database::shared().await, Behaviour::Refuse(refusal)).await;
    let app = App::deployed_on(&proxy.database);
    let user = app.user();
    let get = || app.send(Event::get_quote().bearer(&user.token));

    app.environment(Function::GET_QUOTE).await;
    let at_start = proxy.take_connections();
    let problem = get().await;
    let for_request = proxy.take_connections();
    for connections in [at_start, for_request] {
        match kind {
            Kind::Permanent | Kind::RateLimit => assert_eq!(connections, 1, "{refusal:?}"),
            Kind::Unknown => assert_eq!(connections, 2, "{refusal:?}"),
            Kind::Transient => assert!(connections > 2, "{refusal:?}: {connections}"),
        }
    }

    let is_permanent = kind == Kind::Permanent;
    let code = if is_permanent {
        "database-refused"
    } else {
        "database-down"
    };
    assert_eq!(problem.problem(503)["code"], code, "{refusal:?}");
    let retry_after = problem.header("retry-after");
    assert_eq!(retry_after.is_none(), is_permanent, "{refusal:?}");
    let log = app.log();
    assert!(log.contains(refusal.code), "{log}");
    let says_what_to_do = log.contains("database URL") || log.contains("Neon's console");
    assert_eq!(says_what_to_do, is_permanent, "{log}");

    proxy.behave(Behaviour::Forward);
    get().await.problem(404);
    assert_eq!(proxy.take_connections(), 1);
}

/// Meets each refusal, some at once: most of the time is waiting.
async fn meet_all(refusals: &[ServerError], kind: Kind) {
    let at_once = if matches!(kind, Kind::Unknown) {
        // Their second attempt is at the end of the start's time.
        2
    } else {
        MEETINGS_AT_ONCE
    };
    for some in refusals.chunks(at_once) {
        let mut meetings = JoinSet::new();
        for refusal in some {
            meetings.spawn(meet(*refusal, kind));
        }
        while let Some(met) = meetings.join_next().await {
            met.unwrap();
        }
    }
}

#[tokio::test]
async fn a_permanent_refusal_is_met_once_and_explained() {
    meet_all(&PERMANENT, Kind::Permanent).await;
}

#[tokio::test]
async fn a_transient_refusal_is_waited_for() {
    meet_all(&TRANSIENT, Kind::Transient).await;
}

#[tokio::test]
async fn a_refusal_in_unknown_words_is_met_twice() {
    meet_all(&UNKNOWN, Kind::Unknown).await;
}

#[tokio::test]
async fn a_rate_limit_is_met_once() {
    meet_all(&RATE_LIMIT, Kind::RateLimit).await;
}

#[tokio::test]
async fn a_page_does_not_wait_for_a_permanent_refusal() {
    for (refusal, waits) in [(PERMANENT[0], false), (UNKNOWN[0], true)] {
        let proxy = TlsProxy::start(&Database::shared().await, Behaviour::Refuse(refusal)).await;
        let app = App::deployed_on(&proxy.database);
        let page = app.send(Event::page("/").signed_in(&app.user())).await;
        let says_that_it_waits = page.page(503).contains("tries again by itself");
        assert_eq!(says_that_it_waits, waits, "{}", page.body);
        assert_eq!(page.header("retry-after").is_some(), waits, "{page:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_ends_while_a_request_waits_is_no_error() {
    let refusal = Behaviour::Refuse(TRANSIENT[0]);
    let proxy = TlsProxy::start(&Database::shared().await, refusal).await;
    let app = App::deployed_on(&proxy.database);
    let user = app.user();
    app.environment(Function::GET_QUOTE).await;
    proxy.take_connections();
    let wake_up = async {
        while proxy.take_connections() == 0 {
            tokio::task::yield_now().await;
        }
        proxy.behave(Behaviour::Forward);
    };
    let answer = app.send(Event::get_quote().bearer(&user.token));
    let (answer, ()) = tokio::join!(answer, wake_up);
    answer.problem(404);
}
