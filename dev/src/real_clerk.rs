//! The Clerk instance of `.env`.

use anyhow::{Context, bail};
use clerk_auth::{Authenticator, Instance, JwksCache, KeySource, RequestView};

/// A token that nobody signed, `{"kid":"make-dev"}`: to refuse it, the key set
/// must be there.
const UNKNOWN_KEY: &str = "Bearer eyJraWQiOiJtYWtlLWRldiJ9.e30.AA";

/// Fetches the instance's key set as the functions do, also where they have a
/// key; returns the address of the Frontend API that sent it.
///
/// # Errors
/// The Frontend API does not answer, or with something else.
pub(crate) async fn check(instance: Instance) -> anyhow::Result<String> {
    let frontend_api = instance.frontend_api("");
    let authenticator = Authenticator::new(instance, KeySource::Jwks(JwksCache::default()));
    let request = RequestView {
        authorization: Some(UNKNOWN_KEY.into()),
        ..RequestView::default()
    };
    let answer = authenticator.session(&request).await;
    match answer.with_context(|| format!("the Clerk of .env, {frontend_api}, does not answer"))? {
        Ok(_session) => bail!("a token that nobody signed is accepted"),
        Err(_reason) => Ok(frontend_api),
    }
}

#[cfg(test)]
mod tests {
    use clerk_auth::PublishableKey;
    use clerk_stand_in::keys::publishable_key;

    use super::*;
    use crate::ports;

    #[tokio::test]
    async fn an_instance_that_does_not_answer_is_named_in_one_line() {
        let address = format!("http://127.0.0.1:{}", ports::find_free().unwrap());
        let key = publishable_key("quotes.clerk.accounts.dev", false);
        let mut instance = Instance::new(PublishableKey::parse(&key).unwrap());
        instance.proxy_url = Some(address.clone());

        let error = format!("{:#}", check(instance).await.unwrap_err());

        let expected = format!(
            "the Clerk of .env, {address}, does not answer: the key set cannot be fetched: "
        );
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
