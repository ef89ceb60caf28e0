//! The messages of Clerk's webhook: which user was deleted.

use std::time::UNIX_EPOCH;

use clerk_auth::WebhookSecrets;

use crate::error::Error;
use crate::quote::DeletedUser;
use crate::request::Request;

/// The user whom a message of Clerk's says is deleted; `None`, and a line in the
/// log, when a genuine message says something else.
///
/// # Errors
/// The body is too large, or the message is not signed with one of the secrets.
pub fn deleted_user(
    secrets: &WebhookSecrets,
    request: &Request,
) -> Result<Option<DeletedUser>, Error> {
    let body = request.limited_body()?;
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let message = secrets.verify(&request.parts.headers, body, now_ms)?;
    let id = message.id;
    if message.event_type.as_deref() != Some("user.deleted") {
        tracing::info!(id, "a webhook message of another type: nothing to do");
        return Ok(None);
    }
    let user = message.data_id.and_then(DeletedUser::parse);
    if user.is_none() {
        tracing::warn!(id, "a webhook message deletes a user and does not name one");
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::Signer;

    use super::*;
    use crate::testing::request;

    const SECRET: &[u8] = b"0123456789abcdef01234567";

    /// What a signed message with this body leads to.
    fn told(body: &str) -> Result<Option<DeletedUser>, Error> {
        let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
        let key = PKey::hmac(SECRET).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer
            .update(format!("msg_1.{now}.{body}").as_bytes())
            .unwrap();
        let signature = openssl::base64::encode_block(&signer.sign_to_vec().unwrap());
        let mut request = request("POST", &[("svix-id", "msg_1")], body);
        let headers = &mut request.parts.headers;
        headers.insert("svix-timestamp", HeaderValue::from(now));
        let signature = HeaderValue::from_str(&format!("v1,{signature}")).unwrap();
        headers.insert("svix-signature", signature);
        let secrets = openssl::base64::encode_block(SECRET);
        deleted_user(&WebhookSecrets::parse(&secrets).unwrap(), &request)
    }

    fn deleted(id: &str) -> Option<DeletedUser> {
        told(&format!(
            r#"{{"type":"user.deleted","data":{{"id":{id}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_deleted_user_is_named_by_data() {
        let ada = DeletedUser::parse("user_ada".to_owned());
        assert!(ada.is_some());
        assert_eq!(deleted(r#""user_ada""#), ada);
        let large = r#""user_ada","n":1e400,"s":"\ud800""#;
        assert_eq!(deleted(large), ada);
    }

    #[test]
    fn a_message_without_a_usable_id_names_nobody() {
        let long = format!(r#""{}""#, "x".repeat(1001));
        for id in [
            r#""""#,
            "null",
            "7",
            r#""user\u0000ada""#,
            r#"["user_ada"]"#,
            &long,
        ] {
            assert_eq!(deleted(id), None, "{id}");
        }
        assert!(deleted(&long.replacen("x", "", 1)).is_some());
        for body in [
            r#"{"type":"user.updated","data":{"id":"user_ada"}}"#,
            r#"{"type":"user.deleted","data":"user_ada"}"#,
            r#"{"type":"user.deleted","id":"user_ada"}"#,
            r#"[{"type":"user.deleted"}]"#,
        ] {
            assert_eq!(told(body).unwrap(), None, "{body}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_verified() {
        let blanks = " ".repeat(64 * 1024);
        assert!(matches!(told(&blanks), Err(Error::NotVerified(_))));
        assert!(matches!(told(&format!("{blanks} ")), Err(Error::TooLarge)));
    }
}
