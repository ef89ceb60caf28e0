//! Clients, sessions and users as the Frontend API describes them
//! (`ClientJSON`, `SessionJSON`, `UserJSON` of @clerk/shared). Times are in
//! milliseconds since 1970.

use serde_json::{Value, json};

use crate::{
    StandIn, User,
    store::{Client, Session, now_ms},
};

/// How long a session lasts: a week, like Clerk's by default, in milliseconds.
const SESSION_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl StandIn {
    pub(crate) fn client(&self, client: &Client) -> anyhow::Result<Value> {
        let signed_in = client.signed_in();
        let session = signed_in.map(|(session, user)| self.session(session, user));
        let sessions: Vec<Value> = session.into_iter().collect::<Result<_, _>>()?;
        Ok(json!({
            "object": "client",
            "id": client.id,
            "sessions": sessions,
            "sign_in": null,
            "sign_up": null,
            "last_active_session_id": signed_in.map(|(session, _user)| &session.id),
            "last_authentication_strategy": null,
            "cookie_expires_at": null,
            "created_at": client.created_at,
            "updated_at": client.updated_at,
        }))
    }

    pub(crate) fn session(&self, session: &Session, user: &User) -> anyhow::Result<Value> {
        let now = now_ms();
        Ok(json!({
            "object": "session",
            "id": session.id,
            "status": "active",
            "expire_at": now + SESSION_MS,
            "abandon_at": now + SESSION_MS,
            "last_active_at": now,
            "last_active_token": { "object": "token", "jwt": self.session_token(session)? },
            "last_active_organization_id": null,
            "latest_activity": { "object": "session_activity", "id": session.id, "is_mobile": false },
            "actor": null,
            "tasks": null,
            "factor_verification_age": null,
            "user": user_json(user, session),
            "public_user_data": {
                "first_name": user.first_name,
                "last_name": user.last_name,
                "image_url": "",
                "has_image": false,
                "identifier": user.email,
                "user_id": user.id,
            },
            "created_at": session.created_at,
            "updated_at": now,
        }))
    }
}

fn user_json(user: &User, session: &Session) -> Value {
    json!({
        "object": "user",
        "id": user.id,
        "external_id": null,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "username": null,
        "image_url": "",
        "has_image": false,
        "profile_image_id": "",
        "primary_email_address_id": "idn_email",
        "primary_phone_number_id": null,
        "primary_web3_wallet_id": null,
        "email_addresses": [{
            "object": "email_address",
            "id": "idn_email",
            "email_address": user.email,
            "linked_to": [],
            "matches_sso_connection": false,
            "verification": { "status": "verified", "strategy": "admin" },
        }],
        "phone_numbers": [],
        "web3_wallets": [],
        "external_accounts": [],
        "enterprise_accounts": [],
        "passkeys": [],
        "organization_memberships": [],
        "password_enabled": false,
        "totp_enabled": false,
        "backup_code_enabled": false,
        "two_factor_enabled": false,
        "public_metadata": {},
        "unsafe_metadata": {},
        "create_organization_enabled": false,
        "create_organizations_limit": null,
        "delete_self_enabled": false,
        "legal_accepted_at": null,
        "last_sign_in_at": session.created_at,
        "created_at": session.created_at,
        "updated_at": session.created_at,
    })
}
