//! What a request asks for, depending on what is saved (RFC 9110, 13): the headers
//! `If-Match` and `If-None-Match`, and the field `version` of a form.

use http::header::{IF_MATCH, IF_NONE_MATCH};

use crate::error::Error;
use crate::quote::{Condition, Version};
use crate::request::Request;

/// What must be saved for a request to change it.
///
/// A form says in the field `version` what its page showed; it is empty where that
/// was no quote. A tag that is not one of ours is no quote's.
///
/// # Errors
/// A header cannot be read: the change must not be made as if it were not there.
pub fn condition(request: &Request) -> Result<Condition, Error> {
    let if_match = request.header(IF_MATCH.as_str());
    let if_none_match = request.header(IF_NONE_MATCH.as_str());
    match (if_match, if_none_match) {
        (None, None) => Ok(condition_of_form(request)),
        (Some("*"), None) => Ok(Condition::AnyQuote),
        (None, Some("*")) => Ok(Condition::NoQuote),
        (Some(list), None) => {
            let tags = entity_tags(list).ok_or(Error::Unreadable(
                r#"If-Match should be a list of entity tags, like "…", or *."#,
            ))?;
            // A weak tag is no quote's either.
            let strong = tags.iter().filter(|(_, is_weak)| !is_weak);
            let versions = strong.filter_map(|(tag, _)| Version::parse(tag));
            Ok(Condition::Versions(versions.collect()))
        }
        (None, Some(_)) => Err(Error::Unreadable("If-None-Match should be *.")),
        (Some(_), Some(_)) => Err(Error::Unreadable(
            "Send If-Match or If-None-Match, not both.",
        )),
    }
}

fn condition_of_form(request: &Request) -> Condition {
    let field = request.is_form().then(|| request.form_field("version"));
    match field.flatten().as_deref() {
        None => Condition::Always,
        Some(b"") => Condition::NoQuote,
        Some(version) => {
            let version = std::str::from_utf8(version).ok().and_then(Version::parse);
            Condition::Versions(version.into_iter().collect())
        }
    }
}

/// Whether `If-None-Match` says that the client has this version.
pub(crate) fn is_known(request: &Request, version: &Version) -> bool {
    let Some(list) = request.header(IF_NONE_MATCH.as_str()) else {
        return false;
    };
    let tags = entity_tags(list).unwrap_or_default();
    list == "*" || tags.iter().any(|(tag, _)| *tag == version.as_str())
}

/// The entity tags of a list, without their quotes, and whether each is weak.
fn entity_tags(mut list: &str) -> Option<Vec<(&str, bool)>> {
    let mut tags = Vec::new();
    loop {
        let weak = list.strip_prefix("W/");
        let (tag, rest) = weak.unwrap_or(list).strip_prefix('"')?.split_once('"')?;
        tags.push((tag, weak.is_some()));
        let rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Some(tags);
        }
        // A list may have empty elements.
        list = rest.strip_prefix(',')?.trim_start_matches([' ', '\t', ',']);
        if list.is_empty() {
            return Some(tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::request;

    const VERSION: &str = "0123456789abcdef";

    fn of(headers: &[(&str, &str)], body: &str) -> Result<Condition, String> {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = headers.iter().copied().chain([form]).collect();
        condition(&request("POST", &headers, body)).map_err(|error| {
            assert_eq!(error.code(), "unreadable");
            error.to_string()
        })
    }

    fn versions(versions: &[&str]) -> Condition {
        let versions = versions.iter().filter_map(|text| Version::parse(text));
        Condition::Versions(versions.collect())
    }

    #[test]
    fn a_condition_is_a_header_or_the_field_of_a_form() {
        let other = VERSION.replace('0', "f");
        let list = format!("\"{VERSION}\" ,,\t\"{other}\", ");
        let tag = format!("\"{VERSION}\"");
        let weak = format!("W/{tag}, \"a,b\", \"\"");
        let field = format!("message=a&version={VERSION}");
        for (headers, body, expected) in [
            (&[][..], "message=a", Condition::Always),
            (&[], "version=", Condition::NoQuote),
            (&[], &field, versions(&[VERSION])),
            (&[], "version=%00", versions(&[])),
            (&[("if-match", "*")], &field, Condition::AnyQuote),
            (&[("if-none-match", "*")], "", Condition::NoQuote),
            (&[("if-match", &tag)], "", versions(&[VERSION])),
            (&[("if-match", &list)], "", versions(&[VERSION, &other])),
            (&[("if-match", &weak)], "", versions(&[])),
        ] {
            assert_eq!(of(headers, body).unwrap(), expected, "{headers:?} {body}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_read_is_an_error() {
        let field = format!("version={VERSION}");
        let none_match = ("if-none-match", "*");
        for (headers, words) in [
            (&[("if-match", "")][..], "If-Match should"),
            (&[("if-match", VERSION)], "If-Match should"),
            (&[("if-match", "\"a")], "If-Match should"),
            (&[("if-match", "\"a\" \"b\"")], "If-Match should"),
            (&[("if-match", "w/\"a\"")], "If-Match should"),
            (&[("if-match", "\"a\", *")], "If-Match should"),
            (&[("if-none-match", "\"a\"")], "If-None-Match should"),
            (&[("if-match", "*"), none_match], "not both"),
        ] {
            let error = of(headers, &field).unwrap_err();
            assert!(error.contains(words), "{headers:?}: {error}");
        }
    }

    #[test]
    fn what_the_client_has_is_compared_weakly() {
        let version = Version::parse(VERSION).unwrap();
        let tag = format!("\"{VERSION}\"");
        for (list, known) in [
            (&*tag, true),
            (&format!("W/{tag}"), true),
            (&format!("\"x\", {tag}"), true),
            ("*", true),
            ("\"x\"", false),
            (VERSION, false),
            ("", false),
        ] {
            let request = request("GET", &[("if-none-match", list)], "");
            assert_eq!(is_known(&request, &version), known, "{list}");
        }
        assert!(!is_known(&request("GET", &[], ""), &version));
    }
}
