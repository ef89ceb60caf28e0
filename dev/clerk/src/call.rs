//! A request, taken apart.

use http::{HeaderMap, Method, Request, header};

use crate::cookies;

/// Names and values, as a query, a form or a cookie header has them.
type Pairs = Vec<(String, String)>;

pub(crate) struct Call {
    /// The method that is meant: clerk-js sends all but GET as POST with
    /// `?_method=`, and HEAD is answered like GET.
    pub(crate) method: Method,
    /// Below the address of the stand-in.
    pub(crate) path: String,
    /// The `Origin` header.
    pub(crate) origin: Option<String>,
    query: Pairs,
    form: Pairs,
    cookies: Pairs,
}

impl Call {
    pub(crate) fn of(request: Request<Vec<u8>>) -> Self {
        let (parts, body) = request.into_parts();
        let query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        Self {
            method: meant_method(parts.method, first(&query, "_method")),
            path: parts.uri.path().to_owned(),
            origin: text_of(&parts.headers, header::ORIGIN).map(str::to_owned),
            query,
            form: pairs(&body),
            cookies: cookies::pairs(&parts.headers),
        }
    }

    /// A parameter of the query; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// A field of the form; an empty one counts as absent.
    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    /// A cookie; an empty one counts as absent.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        first(&self.cookies, name)
    }

    /// The parts of the path between its slashes.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter(|part| !part.is_empty())
            .collect()
    }
}

fn meant_method(sent: Method, meant: Option<&str>) -> Method {
    if sent == Method::HEAD {
        return Method::GET;
    }
    match meant.and_then(|name| name.parse().ok()) {
        Some(meant) if sent == Method::POST => meant,
        _ => sent,
    }
}

fn pairs(encoded: &[u8]) -> Pairs {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(request: http::request::Builder) -> Call {
        Call::of(request.body(Vec::new()).unwrap())
    }

    #[test]
    fn only_a_post_can_mean_another_method() {
        let delete = "/v1/client/sessions?_method=DELETE";
        assert_eq!(call(Request::post(delete)).method, Method::DELETE);
        assert_eq!(call(Request::get(delete)).method, Method::GET);
        assert_eq!(call(Request::head("/")).method, Method::GET);
    }
}
