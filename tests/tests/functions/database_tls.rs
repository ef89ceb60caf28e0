//! Whom the password and the quotes are told to: only the right server.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dev::certificates::Authority;
use dev::postgres::Server;
use tests::postgres::Database;
use tests::{App, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longest time for an answer that nothing keeps waiting.
const AT_ONCE: Duration = Duration::from_secs(9);

/// Asks for a quote; there must be an error, in time, with these words in the
/// log.
async fn assert_no_answer(app: &App, words: &str) {
    let begin = Instant::now();
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    assert!(answer.status >= 500, "{answer:?}");
    answer.problem(answer.status);
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
    let log = app.log().to_lowercase();
    assert!(log.contains(words), "{log}");
}

fn trusting(database: &Database, ca: &Path) -> Database {
    let (url, _) = database.url.split_once("&sslrootcert=").unwrap();
    Database {
        url: format!("{url}&sslrootcert={}", ca.display()),
        ca: ca.to_owned(),
    }
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("other.pem");
    fs::write(&ca, Authority::new().unwrap().pem().unwrap()).unwrap();
    let database = trusting(&Database::shared().await, &ca);
    assert_no_answer(&App::deployed_on(&database), "certificate").await;
}

#[tokio::test]
async fn not_even_sslmode_require_trusts_an_unknown_authority() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("other.pem");
    fs::write(&ca, Authority::new().unwrap().pem().unwrap()).unwrap();
    for mode in ["require", "verify-ca"] {
        let mut database = trusting(&Database::shared().await, &ca);
        database.url = database.url.replace("verify-full", mode);
        assert_no_answer(&App::deployed_on(&database), "certificate").await;
    }
}

#[tokio::test]
async fn a_server_with_another_name_is_refused() {
    let mut server = Server::throwaway().await.unwrap();
    server.halt().await.unwrap();
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&["db.example.com"]).unwrap();
    // Written in place: Postgres insists on the owner and mode of its key.
    fs::write(server.data_dir().join("server.key"), identity.key).unwrap();
    fs::write(server.data_dir().join("server.crt"), identity.certificate).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.pem().unwrap()).unwrap();
    server.resume().await.unwrap();

    for mode in ["require", "verify-ca", "verify-full"] {
        let mut database = trusting(&Database::of(&server), &ca);
        database.url = database.url.replace("verify-full", mode);
        assert_no_answer(&App::deployed_on(&database), "mismatch").await;
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        client.read_exact(&mut request).await.unwrap();
        // The answer to SSLRequest that means: not here.
        client.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        drop(client.read_to_end(&mut rest).await);
        rest
    });
    let app = App::deployed_on(&Database::shared().await.through(port));
    assert_no_answer(&app, "tls").await;
    assert_eq!(told.await.unwrap(), b"");
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
    assert_no_answer(&App::deployed_on(&wrong), "password").await;
}
