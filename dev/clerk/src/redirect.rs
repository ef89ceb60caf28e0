//! Addresses that visitors are sent back to.

/// Whether an address belongs to the application. What follows the origin
/// must not make it another host (`http://localhost:9000@evil.example`).
pub(crate) fn is_at(origin: &str, address: &str) -> bool {
    let Some(rest) = address.strip_prefix(origin) else {
        return false;
    };
    let starts_a_path = matches!(rest.bytes().next(), None | Some(b'/' | b'?' | b'#'));
    starts_a_path && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The address with this parameter, in place of one it may have.
pub(crate) fn with_parameter(address: &str, name: &str, value: &str) -> String {
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name))
        .collect();
    let added = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish();
    kept.push(&added);
    format!("{path}?{}{fragment}", kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_application_are_accepted() {
        let origin = "http://localhost:9000";
        for address in ["", "/", "/page?x=1#y", "?x", "#y"] {
            assert!(is_at(origin, &format!("{origin}{address}")), "{address}");
        }
        for address in [
            "http://localhost:90001/",
            "http://localhost:9000@evil.example/",
            "http://localhost:9000.evil.example/",
            "http://localhost:9000\\evil.example/",
            "http://localhost:9000/\r\nx: y",
            "https://localhost:9000/",
            "//evil.example/",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!is_at(origin, address), "{address}");
        }
    }

    #[test]
    fn a_parameter_replaces_the_one_before_and_leaves_the_rest() {
        let address = with_parameter("http://a/p?x=%20&t=old&y#f", "t", "a b");
        assert_eq!(address, "http://a/p?x=%20&y&t=a+b#f");
        assert_eq!(with_parameter("http://a", "t", "1"), "http://a?t=1");
    }
}
