//! get-quote with tokio-postgres and rustls on ring: one thread, one connection
//! that is opened in init, one round trip for a statement.

use common::{Quote, Verifier, variable};
use lambda_http::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG};
use lambda_http::http::response::Builder;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use tokio_postgres_rustls::MakeRustlsConnect;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let verifier = Verifier::from_env();
    let client = connect().await?;
    let find = variable("FIND_QUOTE_SQL");
    let (verifier, client, find) = (&verifier, &client, &*find);
    run(service_fn(|request| {
        get_quote(verifier, client, find, request)
    }))
    .await
}

async fn connect() -> Result<Client, Error> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(variable("PGSSLROOTCERT"))? {
        roots.add(root?)?;
    }
    let tls = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = MakeRustlsConnect::new(tls);
    // The driver does not know the parameters that name certificates.
    let url = variable("DATABASE_URL");
    let (address, _) = url
        .split_once('?')
        .ok_or("DATABASE_URL has no parameters")?;
    let url = format!("{address}?sslmode=require");
    let (client, connection) = tokio_postgres::connect(&url, connector).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn get_quote(
    verifier: &Verifier,
    client: &Client,
    find: &str,
    request: Request,
) -> Result<Response<Body>, Error> {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let Some(user) = verifier.user(authorization) else {
        return Ok(respond(401).body(Body::Empty)?);
    };
    let rows = client.query_typed(find, &[(&user, Type::TEXT)]).await?;
    let Some(row) = rows.first() else {
        return Ok(respond(404).body(Body::Empty)?);
    };
    let (message, saved_at) = (row.get(0), row.get(1));
    let quote = Quote { message, saved_at };
    let version: &str = row.get(2);
    let response = respond(200).header(ETAG, format!("\"{version}\""));
    Ok(response.body(serde_json::to_string(&quote)?.into())?)
}

fn respond(status: u16) -> Builder {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "private, no-store")
}
