//! Browsers and their sign-ins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    fresh::{new_id, now_ms},
    users,
};

/// Browsers remembered; the longest unused are forgotten first.
const MOST_CLIENTS: usize = 500;

/// The browsers by their secret: `__clerk_db_jwt` of a development instance,
/// `__client` of a production instance.
pub(crate) type Clients = BTreeMap<String, Client>;

/// One browser, as Clerk calls it, and who is signed in there.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// Milliseconds since 1970.
    pub(crate) created_at: u64,
    /// When somebody last signed in or out, in milliseconds since 1970.
    pub(crate) updated_at: u64,
    pub(crate) session: Option<Session>,
}

/// A sign-in. There is one at a time in a browser.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    /// Milliseconds since 1970.
    pub(crate) created_at: u64,
}

impl Client {
    /// A browser in which nobody is signed in.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let now = now_ms();
        Ok(Self {
            id: new_id("client")?,
            created_at: now,
            updated_at: now,
            session: None,
        })
    }

    /// The session, if its user still exists.
    pub(crate) fn active_session(&self) -> Option<&Session> {
        let session = self.session.as_ref();
        session.filter(|session| users::find(&session.user_id).is_some())
    }
}

impl Session {
    /// A session that begins now.
    pub(crate) fn new(user_id: &str) -> anyhow::Result<Self> {
        Ok(Self {
            id: new_id("sess")?,
            user_id: user_id.to_owned(),
            created_at: now_ms(),
        })
    }
}

/// Keeps the file small: whoever is signed out and longest unused goes first.
pub(crate) fn forget_unused(clients: &mut Clients) {
    let surplus = clients.len().saturating_sub(MOST_CLIENTS);
    for _ in 0..surplus {
        let oldest = clients
            .iter()
            .min_by_key(|(_, client)| (client.session.is_some(), client.updated_at))
            .map(|(secret, _)| secret.clone());
        if let Some(secret) = oldest {
            clients.remove(&secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_out_browsers_are_forgotten_first() {
        let mut clients: Clients = (0..MOST_CLIENTS)
            .map(|number| (number.to_string(), Client::new().unwrap()))
            .collect();
        let mut signed_in = Client::new().unwrap();
        signed_in.updated_at = 0;
        signed_in.session = Some(Session::new("user_ada").unwrap());
        clients.insert("signed in".into(), signed_in);
        forget_unused(&mut clients);
        assert_eq!(clients.len(), MOST_CLIENTS);
        assert!(clients.contains_key("signed in"));
    }
}
