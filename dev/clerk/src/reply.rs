//! Answers. All but scripts must never be stored: a cached handshake is a
//! redirect without end.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, SET_COOKIE},
};
use serde_json::{Value, json};

pub(crate) type Reply = Response<Vec<u8>>;

pub(crate) fn json(value: &Value) -> Reply {
    with_body("application/json", value.to_string().into_bytes())
}

/// An error in the form that clerk-js reads.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    let mut reply = json(&json!({ "errors": [{
        "code": code,
        "message": message,
        "long_message": message,
        "meta": {},
    }]}));
    *reply.status_mut() = status;
    reply
}

pub(crate) fn html(page: String) -> Reply {
    with_body("text/html; charset=utf-8", page.into_bytes())
}

/// 303 after a post, 307 or 302 otherwise.
pub(crate) fn redirect(status: StatusCode, location: &str) -> anyhow::Result<Reply> {
    let mut reply = empty(status);
    set(&mut reply, LOCATION, location)?;
    Ok(reply)
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    never_store(&mut reply);
    reply
}

pub(crate) fn with_body(content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Reply::new(body);
    let content_type = HeaderValue::from_static(content_type);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    never_store(&mut reply);
    reply
}

pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: &str) -> anyhow::Result<()> {
    reply.headers_mut().insert(name, value.parse()?);
    Ok(())
}

pub(crate) fn set_cookies(reply: &mut Reply, cookies: &[String]) -> anyhow::Result<()> {
    for cookie in cookies {
        reply.headers_mut().append(SET_COOKIE, cookie.parse()?);
    }
    Ok(())
}

fn never_store(reply: &mut Reply) {
    let no_store = HeaderValue::from_static("no-store");
    reply.headers_mut().insert(CACHE_CONTROL, no_store);
}
