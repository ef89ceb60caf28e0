//! A user who is deleted at Clerk is forgotten.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clerk_stand_in::keys::publishable_key;
use clerk_stand_in::{Config, StandIn, webhook};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tests::postgres::{Database, start_server};
use tests::{App, Event, Function, Proxy, Response, User, unique};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_postgres::Client;

/// Longest wait for an attempt of the stand-in: the second comes after 5 seconds,
/// and a database that is down is waited for.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// The demo user who is deleted.
const ADA: &str = "user_ada";

/// An application that the stand-in for Clerk reaches, and the stand-in.
struct Deployment {
    app: Arc<App>,
    stand_in: StandIn,
    /// The status of each answer of the webhook.
    answers: UnboundedReceiver<u16>,
    ada: User,
    _folder: tempfile::TempDir,
}

impl Deployment {
    async fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let publishable_key = publishable_key("happy-hippo-1.clerk.accounts.dev", false);
        let stand_in = StandIn::open(Config {
            dir: folder.path().to_owned(),
            publishable_key: publishable_key.clone(),
            frontend_api: format!("{origin}/__clerk"),
            accounts: format!("{origin}/__clerk"),
            app_origin: origin.clone(),
            node_modules: folder.path().to_owned(),
            token_ttl_secs: 60,
        })
        .unwrap();
        let app = App::deployed_on(database)
            .with("CLERK_PUBLISHABLE_KEY", &publishable_key)
            .with("CLERK_JWT_KEY", &stand_in.jwt_key())
            .with("CLERK_WEBHOOK_SIGNING_SECRET", stand_in.webhook_secret())
            .with("PUBLIC_ORIGIN", &origin);
        let app = Arc::new(app);
        app.environment(Function::CLERK_WEBHOOK).await;
        let (sender, answers) = unbounded_channel();
        tokio::spawn(serve(Arc::clone(&app), listener, sender));
        Self {
            app,
            ada: User {
                id: ADA.to_owned(),
                token: stand_in.token(ADA, 60).unwrap(),
            },
            stand_in,
            answers,
            _folder: folder,
        }
    }

    /// Deletes the demo user in the portal, as a browser does.
    fn delete_ada(&self) {
        let signed_in = self.post("sign-in", &format!("user={ADA}"));
        let location = signed_in.headers()["location"].to_str().unwrap();
        let (_, secret) = location.split_once("__clerk_db_jwt=").unwrap();
        let deleted = self.post("delete-user", &format!("__clerk_db_jwt={secret}"));
        assert_eq!(deleted.status(), 303);
    }

    fn post(&self, page: &str, form: &str) -> hyper::Response<Vec<u8>> {
        let request = hyper::Request::post(format!("/__clerk/{page}"));
        let request = request.body(form.as_bytes().to_owned()).unwrap();
        self.stand_in.respond(request)
    }

    /// The status of the webhook's next answer.
    async fn answer(&mut self) -> u16 {
        let answer = timeout(ATTEMPT_TIMEOUT, self.answers.recv()).await;
        answer.unwrap().unwrap()
    }
}

/// Takes messages on loopback, as API Gateway does.
async fn serve(app: Arc<App>, listener: TcpListener, answers: UnboundedSender<u16>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let (app, answers) = (&app, &answers);
            async move {
                let (parts, body) = request.into_parts();
                assert_eq!(parts.method, "POST");
                let body = body.collect().await.unwrap().to_bytes();
                let mut event =
                    Event::new("POST", parts.uri.path()).body("application/json", &body);
                for (name, value) in &parts.headers {
                    event = event.header(name.as_str(), value.to_str().unwrap());
                }
                let answer = app.send(event).await;
                answers.send(answer.status).unwrap();
                let mut response = hyper::Response::new(Full::<Bytes>::default());
                *response.status_mut() = answer.status.try_into().unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        let http = http1::Builder::new();
        http.serve_connection(TokioIo::new(stream), service)
            .await
            .unwrap();
    }
}

async fn start_migrated() -> Database {
    let database = Database::empty().await;
    database.migrate().await;
    database
}

async fn put(app: &App, user: &User) -> Response {
    app.send(Event::put_quote("a quote").bearer(&user.token))
        .await
}

async fn delete_at_clerk(app: &App, user: &User) -> Response {
    app.send(Event::user_deleted(app.instance, user)).await
}

async fn has_row(client: &Client, user: &User) -> bool {
    let sql = "SELECT FROM user_messages WHERE user_id = $1";
    client.query_opt(sql, &[&user.id]).await.unwrap().is_some()
}

#[track_caller]
fn assert_refused(answer: &Response) {
    assert_eq!(answer.problem(401)["code"], "user-deleted");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn deleting_a_user_at_clerk_deletes_the_quote_and_none_is_saved_any_more() {
    let database = start_migrated().await;
    let client = database.connect().await;
    let mut deployment = Deployment::start(&database).await;
    let (app, ada) = (Arc::clone(&deployment.app), deployment.ada.clone());
    assert_eq!(put(&app, &ada).await.status, 201);
    assert!(has_row(&client, &ada).await);

    deployment.delete_ada();
    assert_eq!(deployment.answer().await, 204);
    assert!(!has_row(&client, &ada).await);
    // The token is still valid.
    let found = app.send(Event::get_quote().bearer(&ada.token)).await;
    assert_eq!(found.problem(404)["code"], "no-quote");
    assert_refused(&put(&app, &ada).await);
    let form = app.send(Event::post_quote("a quote").signed_in(&ada)).await;
    assert_eq!((form.status, form.location()), (303, "/"));
    assert!(!has_row(&client, &ada).await);
}

#[tokio::test]
async fn a_message_is_repeated_until_the_database_is_there() {
    let mut server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    let mut deployment = Deployment::start(&database).await;
    let ada = deployment.ada.clone();
    assert_eq!(put(&deployment.app, &ada).await.status, 201);

    server.halt().await.unwrap();
    deployment.delete_ada();
    assert_eq!(deployment.answer().await, 503);
    server.resume().await.unwrap();
    assert_eq!(deployment.answer().await, 204);
    assert!(!has_row(&database.connect().await, &ada).await);
}

#[tokio::test]
async fn every_genuine_message_is_answered_with_204() {
    for app in App::both().await {
        let user = app.user();
        let secret = app.variables()["CLERK_WEBHOOK_SIGNING_SECRET"].clone();
        let twice = Event::user_deleted(app.instance, &user);
        let messages = [
            twice.clone(),
            twice,
            Event::user_deleted(app.instance, &user).base64(),
            Event::webhook(&secret, r#"{"type":"user.updated","data":{"id":"user_x"}}"#),
            Event::webhook(&secret, r#"{"type":"user.deleted","data":{}}"#),
            Event::webhook(&secret, "[]"),
        ];
        for message in messages {
            // Whatever page it may come from, and whoever may be signed in there.
            let message = message
                .header("origin", "https://evil.example")
                .header("sec-fetch-site", "cross-site")
                .signed_in(&user);
            let answer = app.send(message).await;
            assert_eq!((answer.status, &*answer.body), (204, ""));
            assert!(answer.cookies.is_empty() && answer.header("location").is_none());
        }
        let log = app.log();
        assert_eq!(log.matches("of another type").count(), 2, "{log}");
        assert_eq!(log.matches("does not name one").count(), 1, "{log}");
    }
}

#[tokio::test]
async fn what_clerk_did_not_sign_is_refused_without_a_connection() {
    let database = Database::shared().await;
    let proxy = Proxy::start(database.port()).await;
    let app = App::deployed_on(&database.through(proxy.port()));
    let user = app.user();
    let genuine = || Event::user_deleted(app.instance, &user);
    let other = format!("whsec_{}", "A".repeat(32));
    for event in [
        genuine().without("svix-id"),
        genuine().without("svix-timestamp"),
        genuine().without("svix-signature"),
        genuine().header("svix-id", "msg_2"),
        genuine().header("svix-timestamp", "1"),
        genuine().header("svix-signature", "v1,"),
        genuine().json(&serde_json::json!({ "type": "user.deleted" })),
        Event::webhook(&other, &webhook::user_deleted(&user.id)),
        Event::new("POST", "/api/webhooks/clerk")
            .form("a=b")
            .same_origin(),
    ] {
        let refused = app.send(event.signed_in(&user)).await;
        assert_eq!(refused.problem(400)["code"], "not-verified");
        assert!(refused.cookies.is_empty());
    }
    let large = format!("[{}]", " ".repeat(64 * 1024));
    let secret = app.variables()["CLERK_WEBHOOK_SIGNING_SECRET"].clone();
    let refused = app.send(Event::webhook(&secret, &large)).await;
    refused.problem(413);
    let ignored = app.send(Event::webhook(&secret, "{}")).await;
    assert_eq!(ignored.status, 204);
    assert_eq!(proxy.traffic().connections, 0);

    assert_eq!(app.send(genuine()).await.status, 204);
    assert_eq!(proxy.traffic().connections, 1);
}

#[tokio::test]
async fn where_the_webhook_is_not_deployed_nothing_is_at_its_path() {
    let app = App::deployed().await;
    let message = Event::user_deleted(app.instance, &app.user());
    let (payload, confidential) = (app.payload(&message), message.confidential());
    let answer = app.invoke(Function::RENDER_PAGE, payload, &confidential);
    answer.await.problem(404);
}

#[tokio::test]
async fn one_of_several_secrets_is_enough() {
    let app = App::deployed().await;
    let old = app.variables()["CLERK_WEBHOOK_SIGNING_SECRET"].clone();
    let new = format!("whsec_{}", "A".repeat(32));
    let app = app.with("CLERK_WEBHOOK_SIGNING_SECRET", &format!("{new} {old}"));
    for secret in [old, new] {
        let message = Event::webhook(&secret, &webhook::user_deleted(&app.user().id));
        assert_eq!(app.send(message).await.status, 204);
    }
}

/// Waits until another session waits for a user's lock.
async fn wait_for_waiting(client: &Client) {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE wait_event = 'advisory' AND datname = current_database())";
    let waiting = async { while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {} };
    let in_time = timeout(Duration::from_secs(5), waiting).await;
    assert!(in_time.is_ok(), "nobody waits for the lock");
}

#[tokio::test]
async fn a_deletion_waits_for_a_save_that_has_looked() {
    let database = start_migrated().await;
    let (saving, client) = (database.connect().await, database.connect().await);
    let app = App::deployed_on(&database);
    let user = app.user();
    let insert = format!(
        "BEGIN; INSERT INTO user_messages VALUES ('{}', now(), 'x')",
        user.id
    );
    saving.batch_execute(&insert).await.unwrap();
    let save = async {
        wait_for_waiting(&client).await;
        saving.batch_execute("COMMIT").await.unwrap();
    };
    let (deleted, ()) = tokio::join!(delete_at_clerk(&app, &user), save);
    assert_eq!(deleted.status, 204);
    assert!(!has_row(&client, &user).await);
}

#[tokio::test]
async fn a_save_waits_for_a_deletion_that_has_looked() {
    let database = start_migrated().await;
    let (deleting, client) = (database.connect().await, database.connect().await);
    let app = App::deployed_on(&database);
    app.environment(Function::SAVE_QUOTE).await;
    for (end, saved) in [("COMMIT", false), ("ROLLBACK", true)] {
        for exists in [false, true] {
            let user = app.user();
            if exists {
                assert_eq!(put(&app, &user).await.status, 201);
            }
            let forget = format!("BEGIN; SELECT forget_user('{}')", user.id);
            deleting.batch_execute(&forget).await.unwrap();
            let delete = async {
                wait_for_waiting(&client).await;
                deleting.batch_execute(end).await.unwrap();
            };
            let (answer, ()) = tokio::join!(put(&app, &user), delete);
            if saved {
                assert_eq!(answer.status, if exists { 200 } else { 201 });
            } else {
                assert_refused(&answer);
            }
            assert_eq!(has_row(&client, &user).await, saved);
        }
    }
}

#[tokio::test]
async fn no_row_gets_the_id_of_a_deleted_user() {
    let database = start_migrated().await;
    let client = database.connect().await;
    let app = App::deployed_on(&database);
    let (gone, other) = (app.user(), app.user());
    assert_eq!(put(&app, &other).await.status, 201);
    assert_eq!(delete_at_clerk(&app, &gone).await.status, 204);
    let update = "UPDATE user_messages SET user_id = $1 WHERE user_id = $2";
    let error = client.execute(update, &[&gone.id, &other.id]).await;
    assert_eq!(error.unwrap_err().code().unwrap().code(), "UD001");
    assert!(!has_row(&client, &gone).await);
}

#[tokio::test]
async fn the_ids_of_deleted_users_go_with_a_later_message() {
    let database = start_migrated().await;
    let client = database.connect().await;
    let app = App::deployed_on(&database);
    let (first, second) = (app.user(), app.user());
    let known = async || {
        let sql = "SELECT user_id FROM deleted_users
                   WHERE until BETWEEN now() + '50 min' AND now() + '70 min'";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert_eq!(delete_at_clerk(&app, &first).await.status, 204);
    assert_eq!(known().await, [&*first.id]);
    let expire = "UPDATE deleted_users SET until = now()";
    client.batch_execute(expire).await.unwrap();
    assert_eq!(put(&app, &first).await.status, 201);
    assert_eq!(delete_at_clerk(&app, &second).await.status, 204);
    let sql = "SELECT count(*) FROM deleted_users";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    assert_eq!(known().await, [&*second.id]);
}

#[tokio::test]
async fn nothing_of_a_message_is_logged() {
    let app = App::deployed().await;
    let secret = app.variables()["CLERK_WEBHOOK_SIGNING_SECRET"].clone();
    let marker = unique();
    let body = format!(r#"{{"type":"{marker}","data":{{"id":"{marker}","name":"{marker}"}}}}"#);
    let genuine = Event::webhook(&secret, &body);
    assert_eq!(app.send(genuine.clone()).await.status, 204);
    app.send(genuine.header("svix-id", "msg_2"))
        .await
        .problem(400);
    // The signatures and the secret are checked at the end of every environment.
    let log = app.log();
    assert!(log.contains("of another type"), "{log}");
    assert!(!log.contains(&marker), "{log}");
}
