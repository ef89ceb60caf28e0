//! Random events at the binaries: each is answered, and nothing of them is
//! printed or reported.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::runtime_api::Outcome;
use tests::{App, Event, Function, Random, User};

/// Decides the events.
const SEED: u64 = 13;

/// How many events are sent, to all functions together.
const EVENTS: usize = 10_000;

/// A part of every secret. Nothing else has it, and no escaping changes it.
const MARK: &str = "k3ptS3cr3t";

/// What functions look at.
const NAMES: [&str; 14] = [
    "authorization",
    "cookie",
    "Cookie",
    "content-type",
    "accept",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-site",
    "host",
    "x-forwarded-host",
    "if-match",
    "sec-purpose",
    "user-agent",
];

const COOKIES: [&str; 8] = [
    "__session",
    "__client_uat",
    "__clerk_handshake",
    "__clerk_handshake_nonce",
    "__clerk_db_jwt",
    "__clerk_redirect_count",
    "flash",
    "__Host-flash",
];

const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"];

/// What is put into the bytes of an event.
const PIECES: [&[u8]; 9] = [
    br"\ud800",
    br"\u0000",
    b"1e999,",
    b"\xff",
    b"\xed\xa0\x80",
    b"\"",
    b"{",
    b"]",
    b"\\",
];

/// Makes events.
struct Events<'a> {
    random: Random,
    app: &'a App,
    user: &'a User,
    /// Whether the next one may have parts that no client can send. One of them
    /// makes it 400, so most events have none.
    wild: bool,
}

impl Events<'_> {
    /// A secret among random characters.
    fn secret(&mut self) -> String {
        let (before, after) = (self.noise(), self.noise());
        format!("{before}{MARK}{after}")
    }

    fn noise(&mut self) -> String {
        let characters = if self.wild { 0..256 } else { 0x20..0x7f };
        let count = self.random.below(4);
        let character = |_| {
            let code = characters.start + self.random.below(characters.len());
            char::from(u8::try_from(code).unwrap())
        };
        (0..count).map(character).collect()
    }

    /// The same, in a form in which it may be a token, cookies or a body.
    fn text(&mut self) -> String {
        let secret = self.secret();
        let token = &self.user.token;
        let cookie = self.random.pick(&COOKIES);
        match self.random.below(8) {
            0 => format!("Bearer {secret}"),
            1 => format!("Bearer {token}{secret}"),
            2 => format!("{cookie}={secret}"),
            3 => format!("__session={token}; {cookie}={secret}"),
            4 => format!("message={secret}"),
            5 => json!({ "message": secret }).to_string(),
            6 => MARK.to_owned(),
            _ => secret,
        }
    }

    fn header(&mut self, number: usize) -> (String, Value) {
        let (strange_name, strange_value) = if self.wild { (8, 40) } else { (0, 0) };
        let name = match self.random.below(8 + strange_name) {
            0..4 => self.random.pick(&NAMES).to_owned(),
            4..8 => format!("x-{number}"),
            _ => self.secret(),
        };
        let value = match self.random.below(40 + strange_value) {
            0..79 => self.text().into(),
            _ => json!([self.secret()]),
        };
        (name, value)
    }

    fn next(&mut self) -> Vec<u8> {
        self.wild = self.random.once_in(3);
        let base = self.random.pick(&[
            Event::get_quote().bearer(&self.user.token),
            Event::put_quote(MARK).bearer(&self.user.token),
            Event::post_quote(MARK).signed_in(self.user),
            Event::delete_quote().signed_in(self.user),
            Event::page("/").signed_in(self.user),
            Event::page("/"),
        ]);
        let mut event = self.app.payload(&base);
        // Now and then more than a map of headers can hold.
        let many = if self.random.once_in(1_000) {
            50_000
        } else {
            12
        };
        for number in 0..self.random.below(many) {
            let (name, value) = self.header(number);
            event["headers"][name] = value;
        }
        let cookies: Vec<String> = (0..self.random.below(4)).map(|_| self.text()).collect();
        let handshake = format!("__clerk_handshake={}", self.secret());
        for (name, value) in [
            ("cookies", json!(cookies)),
            ("body", json!(self.text())),
            ("body", json!(STANDARD.encode(self.text()))),
            ("isBase64Encoded", json!(self.random.once_in(2))),
            ("rawPath", json!(format!("/{}", self.secret()))),
            ("rawQueryString", json!(self.secret())),
            ("rawQueryString", json!(handshake)),
        ] {
            if self.random.once_in(4) {
                event[name] = value;
            }
        }
        let http = &mut event["requestContext"]["http"];
        match self.random.below(16) {
            0 => http["method"] = self.secret().into(),
            1..4 => http["method"] = self.random.pick(&METHODS).into(),
            _ => {}
        }
        let mut bytes = event.to_string().into_bytes();
        if self.wild {
            damage(&mut self.random, &mut bytes);
        }
        bytes
    }
}

/// Makes something else of an event, which may be no JSON any more.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    let place = random.below(bytes.len());
    match random.below(6) {
        0 => bytes.truncate(place),
        1 => bytes[place] = u8::try_from(random.below(256)).unwrap(),
        2 => {
            let piece = random.pick(&PIECES);
            bytes.splice(place..place, piece.iter().copied());
        }
        3 => {
            let deep = format!(r#"{{"{MARK}":{},"#, "[".repeat(10_000));
            bytes.splice(0..1, deep.into_bytes());
        }
        _ => {}
    }
}

/// What must not be printed: the mark, as it is and in base64, at any place.
fn confidential(user: &User) -> Vec<String> {
    let encoded = (0..3).map(|offset| {
        let text = STANDARD.encode("a".repeat(offset) + MARK);
        // The first and the last characters depend on what is beside the mark.
        text[4..12].to_owned()
    });
    encoded
        .chain([MARK.to_owned(), user.token.clone()])
        .collect()
}

/// Sends a part of the events to a function: it answers each, and not with an
/// invocation error.
async fn send_part(app: &App, user: &User, function: Function, seed: u64) {
    let mut events = Events {
        random: Random(seed),
        app,
        user,
        wild: false,
    };
    let environment = app.environment(function).await;
    let confidential = confidential(user);
    for number in 0..EVENTS / 8 {
        let event = events.next();
        let known: &[String] = if number == 0 { &confidential } else { &[] };
        // This panics when the process has ended.
        let outcome = environment.invoke_bytes(event.clone().into(), known).await;
        let Outcome::Response(_) = outcome else {
            panic!("{outcome:?}: {:.4000}", String::from_utf8_lossy(&event));
        };
    }
}

#[tokio::test]
async fn ten_thousand_random_events_are_answered_and_not_printed() {
    eprintln!("The seed is {SEED}.");
    for (app, seed) in App::both().await.into_iter().zip([SEED, SEED + 4]) {
        let app = &app.with("AWS_LAMBDA_LOG_LEVEL", "TRACE");
        let user = app.user();
        tokio::join!(
            send_part(app, &user, Function::GET_QUOTE, seed),
            send_part(app, &user, Function::SAVE_QUOTE, seed + 1),
            send_part(app, &user, Function::DELETE_QUOTE, seed + 2),
            send_part(app, &user, Function::RENDER_PAGE, seed + 3),
        );
        let user = app.user();
        for (event, status) in [
            (Event::put_quote("quote").bearer(&user.token), 201),
            (Event::get_quote().bearer(&user.token), 200),
            (Event::page("/").signed_in(&user), 200),
            (Event::delete_quote().bearer(&user.token), 204),
        ] {
            assert_eq!(app.send(event).await.status, status);
        }
        let log = app.log();
        assert!(
            !log.contains("panicked") && !log.contains("internal"),
            "{log}"
        );
    }
}
