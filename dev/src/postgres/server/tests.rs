//! With a real server over TLS.

use std::fs;

use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::{Client, Config, config::SslMode};

use super::*;
use crate::tools;

async fn connect(server: &Server) -> anyhow::Result<Client> {
    let ca = Certificate::from_pem(&fs::read(server.ca())?)?;
    connect_with(
        server,
        TlsConnector::builder().add_root_certificate(ca).build()?,
    )
    .await
}

async fn connect_with(server: &Server, tls: TlsConnector) -> anyhow::Result<Client> {
    let mut config = Config::new();
    config
        .host("localhost")
        .port(server.port())
        .user("quotes")
        .password(&server.password)
        .dbname("quotes")
        .ssl_mode(SslMode::Require);
    let (client, connection) = config.connect(MakeTlsConnector::new(tls)).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn count(server: &Server) -> i64 {
    let client = connect(server).await.unwrap();
    let row = client.query_one("SELECT count(*) FROM kept", &[]).await;
    row.unwrap().get(0)
}

async fn with_one_row() -> Server {
    let server = Server::start_temporary(None).await.unwrap();
    let client = connect(&server).await.unwrap();
    let sql = "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)";
    client.batch_execute(sql).await.unwrap();
    server
}

#[tokio::test]
async fn data_outlives_a_shutdown_and_a_crash() {
    let mut server = with_one_row().await;
    let url = server.url();

    server.halt().await.unwrap();
    assert!(connect(&server).await.is_err());
    server.resume().await.unwrap();
    assert_eq!(count(&server).await, 1);

    let client = connect(&server).await.unwrap();
    server.kill().await.unwrap();
    server.resume().await.unwrap();
    assert!(client.execute("SELECT 1", &[]).await.is_err());
    assert_eq!(count(&server).await, 1);
    assert_eq!(server.url(), url);
}

#[tokio::test]
async fn a_pid_file_with_the_number_of_a_living_process_is_no_obstacle() {
    let mut server = with_one_row().await;
    server.kill().await.unwrap();
    let mut stranger = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let file = server.cluster.pid_file();
    let text = fs::read_to_string(&file).unwrap();
    let rest = text.split_once('\n').unwrap().1;
    fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();

    server.resume().await.unwrap();

    assert_eq!(count(&server).await, 1);
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_live_server_on_the_same_data_is_ended_first() {
    let mut first = with_one_row().await;
    let options = Options {
        node_modules: tools::fetch_packages(tools::DEV_PACKAGES, None)
            .await
            .unwrap(),
        major: None,
        folder: first.folder().to_owned(),
        durable: false,
        run_id: first.cluster.run_id.clone(),
    };
    let second = Server::start(&options).await.unwrap();
    assert!(first.child.try_wait().unwrap().is_some());
    assert_eq!(count(&second).await, 1);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn only_tls_with_the_right_authority_and_the_password_get_in() {
    let mut server = Server::start_temporary(None).await.unwrap();
    connect(&server).await.unwrap();

    let strangers = TlsConnector::builder().build().unwrap();
    assert!(connect_with(&server, strangers).await.is_err());

    let address = format!(
        "host=localhost port={} user=quotes dbname=quotes",
        server.port()
    );
    let plain = format!("{address} password={} sslmode=disable", server.password);
    let refused = tokio_postgres::connect(&plain, tokio_postgres::NoTls).await;
    let reason = refused.err().unwrap();
    assert!(
        reason
            .as_db_error()
            .unwrap()
            .message()
            .contains("no encryption"),
        "{reason:?}"
    );

    server.password = "wrong".to_owned();
    assert!(connect(&server).await.is_err());
}

#[tokio::test]
async fn a_stopped_server_leaves_nothing() {
    let server = Server::start_temporary(None).await.unwrap();
    let folder = server.folder().to_owned();
    assert!(folder.exists());
    server.stop().await.unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_path_with_anything_in_it_fits_in_a_url() {
    assert_eq!(
        escape(Path::new("/a b/ü?&=%/ca.pem")),
        "/a%20b/%C3%BC%3F%26%3D%25/ca.pem"
    );
}
