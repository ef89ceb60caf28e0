//! What the unit tests share.

use std::{ops::Deref, path::Path};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{Request, Response, header};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    config::{Config, Switches},
    keys::publishable_key,
    stand_in::StandIn,
};

/// A stand-in in a folder of its own.
pub(crate) struct Fixture {
    stand_in: StandIn,
    _dir: TempDir,
}

impl Deref for Fixture {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

fn open(config: impl FnOnce(&Path) -> Config, switches: Switches) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let stand_in = StandIn::open(config(dir.path())).unwrap();
    Fixture {
        stand_in: stand_in.with(switches),
        _dir: dir,
    }
}

/// A development instance on the application's own origin.
pub(crate) fn development() -> Fixture {
    development_with(Switches::default())
}

pub(crate) fn development_with(switches: Switches) -> Fixture {
    open(development_config, switches)
}

pub(crate) fn development_config(dir: &Path) -> Config {
    Config {
        dir: dir.to_owned(),
        publishable_key: publishable_key("happy-hippo-1.clerk.accounts.dev", false),
        frontend_api: "http://localhost:9000/__clerk".into(),
        accounts: "http://localhost:9000/__clerk".into(),
        app_origin: "http://localhost:9000".into(),
        node_modules: dir.join("node_modules"),
        token_ttl_secs: 60,
    }
}

/// A production instance on hosts of its own.
pub(crate) fn production() -> Fixture {
    production_with(Switches::default())
}

pub(crate) fn production_with(switches: Switches) -> Fixture {
    let config = |dir: &Path| Config {
        publishable_key: publishable_key("clerk.example.test", true),
        frontend_api: "https://clerk.example.test".into(),
        accounts: "https://accounts.example.test".into(),
        app_origin: "https://www.example.test".into(),
        ..development_config(dir)
    };
    open(config, switches)
}

/// The answer to a target below the address of the stand-in.
pub(crate) fn get(stand_in: &StandIn, target: &str) -> Response<Vec<u8>> {
    let target = format!("{}{target}", stand_in.config.base_path());
    stand_in.respond(Request::get(target).body(Vec::new()).unwrap())
}

pub(crate) fn post(stand_in: &StandIn, target: &str, form: &str) -> Response<Vec<u8>> {
    let target = format!("{}{target}", stand_in.config.base_path());
    let request =
        Request::post(target).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    stand_in.respond(request.body(form.as_bytes().to_vec()).unwrap())
}

pub(crate) fn json(response: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

pub(crate) fn location(response: &Response<Vec<u8>>) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

pub(crate) fn set_cookies(response: &Response<Vec<u8>>) -> Vec<&str> {
    let cookies = response.headers().get_all(header::SET_COOKIE);
    cookies
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

/// Header and claims of a token, unverified.
pub(crate) fn decoded(token: &str) -> (Value, Value) {
    let mut parts = token
        .split('.')
        .map(|part| serde_json::from_slice(&unbase64(part)));
    let header = parts.next().unwrap().unwrap();
    (header, parts.next().unwrap().unwrap())
}

pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}
