//! The message in a body: JSON from programs, a form from browsers.

use lambda_http::Request;
use lambda_http::http::Method;
use percent_encoding::percent_decode;
use serde::Deserialize;

use super::event::media_type;
use crate::error::Error;
use crate::quote::Message;

/// Largest body read, in bytes. 500 characters take 6,000 when every one of
/// them is escaped.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The message that a request asks to save.
///
/// PUT carries JSON, `{"message": "…"}`; POST carries a form with `message=…`.
///
/// # Errors
/// The body is too large, of another type, not readable, or no message.
pub fn message(request: &Request) -> Result<Message, Error> {
    let body: &[u8] = request.body().as_ref();
    if body.len() > MAX_BODY {
        return Err(Error::TooLarge);
    }
    let text = if *request.method() == Method::POST {
        form(request, body)
    } else {
        json(request, body)
    }?;
    Ok(Message::parse(&text)?)
}

#[derive(Deserialize)]
struct JsonBody {
    message: String,
}

fn json(request: &Request, body: &[u8]) -> Result<String, Error> {
    if !media_type(request).eq_ignore_ascii_case("application/json") {
        return Err(Error::UnsupportedMediaType {
            expected: "application/json",
        });
    }
    // serde would read the members of a struct from a list as well.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice(body) {
        Ok(JsonBody { message }) if is_object => Ok(message),
        Ok(_) | Err(_) => Err(Error::Unreadable(
            r#"the body should be JSON like {"message":"…"}"#,
        )),
    }
}

fn form(request: &Request, body: &[u8]) -> Result<String, Error> {
    if !super::is_form(request) {
        let expected = "application/x-www-form-urlencoded";
        return Err(Error::UnsupportedMediaType { expected });
    }
    let value = form_field(body, "message").ok_or(Error::Unreadable(
        "the form should have a field named message",
    ))?;
    String::from_utf8(value).map_err(|_| Error::Unreadable("the message is not UTF-8"))
}

/// The raw value of a form field, as the browser's text area had it.
///
/// Forms send every line break as CRLF; that is the encoding's, not the
/// author's, so it is undone.
pub(crate) fn form_field(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let field = body.split(|b| *b == b'&').find_map(|pair| {
        let pair = pair.strip_prefix(name.as_bytes())?;
        pair.strip_prefix(b"=")
    })?;
    let spaced: Vec<u8> = field
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let value: Vec<u8> = percent_decode(&spaced).collect();
    Some(unify_line_breaks(&value))
}

fn unify_line_breaks(value: &[u8]) -> Vec<u8> {
    let mut unified = Vec::with_capacity(value.len());
    for (index, byte) in value.iter().enumerate() {
        if *byte != b'\r' || value.get(index + 1) != Some(&b'\n') {
            unified.push(*byte);
        }
    }
    unified
}
