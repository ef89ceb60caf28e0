//! The webhook: tells the application that a user was deleted, as Svix does for
//! Clerk.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    keys::WEBHOOK_SECRET_PREFIX,
    stand_in::StandIn,
    store::{new_id, now_ms},
};

/// Where the application takes messages.
const PATH: &str = "/api/webhooks/clerk";

/// The file of what was delivered.
const DELIVERIES: &str = "deliveries.json";

/// How long before each attempt. The first two are Svix's, which goes on after 5
/// minutes and for some 28 hours.
const ATTEMPT_DELAYS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// Longest wait for an answer; Svix waits as long.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(15);

const USER_DELETED: &str = "user.deleted";

/// One attempt to deliver a message.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) event_type: String,
    pub(crate) user_id: String,
    pub(crate) attempt: usize,
    /// The status of the answer, or why there was none.
    pub(crate) answer: String,
}

/// All attempts so far, the last one first.
pub(crate) fn deliveries(stand_in: &StandIn) -> anyhow::Result<Vec<Delivery>> {
    let mut deliveries: Vec<Delivery> = stand_in.store.list(DELIVERIES)?;
    deliveries.reverse();
    Ok(deliveries)
}

/// The body of the message that says that this user was deleted.
#[must_use]
pub fn user_deleted(user_id: &str) -> String {
    json!({
        "data": { "deleted": true, "id": user_id, "object": "user" },
        "object": "event",
        "timestamp": now_ms(),
        "type": USER_DELETED,
    })
    .to_string()
}

/// The headers of a message that is sent now.
///
/// # Errors
/// A secret that is none, or the crypto library's failure.
pub fn headers(
    secret: &str,
    message_id: &str,
    body: &str,
) -> anyhow::Result<[(&'static str, String); 3]> {
    let secret = secret.strip_prefix(WEBHOOK_SECRET_PREFIX);
    let secret = BASE64_STANDARD.decode(secret.context("not a webhook's secret")?)?;
    let now = now_ms() / 1000;
    let key = PKey::hmac(&secret)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.update(format!("{message_id}.{now}.{body}").as_bytes())?;
    let signature = BASE64_STANDARD.encode(signer.sign_to_vec()?);
    Ok([
        ("svix-id", message_id.to_owned()),
        ("svix-timestamp", now.to_string()),
        ("svix-signature", format!("v1,{signature}")),
    ])
}

/// Tells the application that a user was deleted, until it answers with 2xx or
/// all attempts are made. Returns at once.
pub(crate) fn announce_deletion(stand_in: &StandIn, user_id: &str) -> anyhow::Result<()> {
    let message_id = new_id("msg")?;
    let store = stand_in.store.clone();
    let secret = stand_in.webhook_secret.clone();
    let origin = stand_in.config.app_origin.clone();
    let user_id = user_id.to_owned();
    thread::spawn(move || {
        let body = user_deleted(&user_id);
        for (attempt, delay) in (1..).zip(ATTEMPT_DELAYS) {
            thread::sleep(delay);
            let status = deliver(&origin, &secret, &message_id, &body);
            let delivery = Delivery {
                event_type: USER_DELETED.to_owned(),
                user_id: user_id.clone(),
                attempt,
                answer: match &status {
                    Ok(status) => status.to_string(),
                    Err(error) => format!("{error:#}"),
                },
            };
            let is_done = status.is_ok_and(|status| (200..300).contains(&status));
            if let Err(error) = store.append(DELIVERIES, delivery) {
                eprintln!("stand-in for Clerk: {error:#}");
            }
            if is_done {
                break;
            }
        }
    });
    Ok(())
}

/// Makes one attempt; returns the status of the answer.
fn deliver(origin: &str, secret: &str, message_id: &str, body: &str) -> anyhow::Result<u16> {
    let authority = origin.strip_prefix("http://");
    let authority = authority.context("only an application on http gets messages")?;
    let headers = headers(secret, message_id, body)?;
    let headers = headers.map(|(name, value)| format!("{name}: {value}\r\n"));
    let mut stream = TcpStream::connect(authority).context("no connection")?;
    stream.set_read_timeout(Some(DELIVERY_TIMEOUT))?;
    let length = body.len();
    write!(
        stream,
        "POST {PATH} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{}connection: close\r\n\r\n{body}",
        headers.concat(),
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.context("an answer that is not HTTP")
}
