//! What the unit tests have in common: requests, and a key that signs tokens.

use std::sync::LazyLock;

use clerk_auth::Origin;

use crate::request::Request;

#[path = "../../clerk/tests/issuer/mod.rs"]
mod issuer;

/// The key of the instance.
pub(crate) static ISSUER: LazyLock<issuer::Issuer> = LazyLock::new(issuer::Issuer::new);

/// Public origin of the application.
pub(crate) const ORIGIN: &str = "https://quotes.example.com";

/// A request with these headers and this body.
pub(crate) fn request(method: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut builder = http::Request::builder().method(method).uri("/api/quote");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    Request {
        parts,
        body: body.as_bytes().to_owned(),
        origin: Origin::parse(ORIGIN).unwrap(),
        id: "id".to_owned(),
    }
}
