//! What a session token says: any claim as a type of the caller's, the actor of
//! an impersonation, the organization, and what the user may do.
//!
//! The rules are those of `toAuth()` and `has()` in `@clerk/backend`, for both
//! versions of the claims. An id, a slug, a role or a permission of another
//! type than a string counts as absent; the SDK passes it on.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The claims of a session token.
///
/// They say nothing of where they come from: only those of a
/// [`Session`](crate::Session) were verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Arc<Map<String, Value>>);

/// No claim is shown: an application puts personal data into its own.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(members: Map<String, Value>) -> Self {
        Self(Arc::new(members))
    }
}

/// The organization that is active in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id, such as `org_2abc`.
    pub id: String,
    /// Its name in URLs, if it has one.
    pub slug: Option<String>,
    /// The user's role in it, such as `org:admin`.
    pub role: Option<String>,
    /// The user's permissions in it, such as `org:posts:write`.
    pub permissions: Vec<String>,
}

/// A claim that says what the user may do cannot be read; it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session's claim `{0}` cannot be read")]
pub struct UnreadableClaim(pub &'static str);

/// What a user may be asked for, see [`Claims::has`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check<'a> {
    /// This role in the organization, with or without `org:` in front.
    Role(&'a str),
    /// This permission in the organization, with or without `org:` in front.
    Permission(&'a str),
    /// This feature: the organization's with `org:` in front, the user's with
    /// `user:`, either without.
    Feature(&'a str),
    /// This plan, written as a feature is.
    Plan(&'a str),
    /// To have signed in, or proved it again, a short time ago.
    Reverification(Reverification),
}

/// How recently a user must have proved to be the user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reverification {
    /// With what.
    pub level: ReverificationLevel,
    /// The proof is younger than this, in minutes.
    pub after_minutes: f64,
}

/// What a user proved to be the user with. A user without a second factor is
/// only ever asked for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverificationLevel {
    /// The first factor, such as a password.
    FirstFactor,
    /// The second factor, such as a code.
    SecondFactor,
    /// Both.
    MultiFactor,
}

impl Reverification {
    /// Both factors within 10 minutes (Clerk's `strict_mfa`).
    pub const STRICT_MFA: Self = Self {
        level: ReverificationLevel::MultiFactor,
        after_minutes: 10.0,
    };
    /// The second factor within 10 minutes (`strict`).
    pub const STRICT: Self = Self {
        level: ReverificationLevel::SecondFactor,
        after_minutes: 10.0,
    };
    /// The second factor within an hour (`moderate`).
    pub const MODERATE: Self = Self {
        after_minutes: 60.0,
        ..Self::STRICT
    };
    /// The second factor within a day (`lax`).
    pub const LAX: Self = Self {
        after_minutes: 1440.0,
        ..Self::STRICT
    };

    /// Whether the ages of both factors satisfy this; -1 is no factor.
    fn is_satisfied_by(self, first: f64, second: f64) -> bool {
        let is_fresh = |age: f64| age >= 0.0 && age < self.after_minutes;
        let has_second = second >= 0.0;
        match self.level {
            ReverificationLevel::FirstFactor => is_fresh(first),
            ReverificationLevel::SecondFactor if has_second => is_fresh(second),
            ReverificationLevel::SecondFactor => is_fresh(first),
            ReverificationLevel::MultiFactor => {
                is_fresh(first) && (!has_second || is_fresh(second))
            }
        }
    }
}

/// Scopes of a feature or plan that is the organization's.
const ORGANIZATION_SCOPES: [&str; 3] = ["o", "ou", "uo"];

/// Scopes of a feature or plan that is the user's own.
const USER_SCOPES: [&str; 3] = ["u", "ou", "uo"];

impl Claims {
    /// The claims as a type of the caller's.
    ///
    /// # Errors
    /// A claim that the type needs is missing or of another type.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        T::deserialize(&*self.0)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Whether tasks are left before the user counts as signed in (`sts`).
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.text("sts") == Some("pending")
    }

    /// Who really acts, if the user is being impersonated (`act`, RFC 8693
    /// section 4.1). Its `sub` is the id of that user.
    #[must_use]
    pub fn actor(&self) -> Option<&Map<String, Value>> {
        self.get("act")?.as_object()
    }

    /// The active organization, if one is.
    ///
    /// # Errors
    /// A claim with its permissions cannot be read. The SDK throws then.
    pub fn organization(&self) -> Result<Option<Organization>, UnreadableClaim> {
        if self.get("v").and_then(Value::as_f64) == Some(2.0) {
            return self.organization_2();
        }
        let permissions = self.get("org_permissions").and_then(Value::as_array);
        let permissions = permissions.into_iter().flatten().filter_map(Value::as_str);
        Ok(present(self.text("org_id")).map(|id| Organization {
            id,
            slug: self.text("org_slug").map(str::to_owned),
            role: self.text("org_role").map(str::to_owned),
            permissions: permissions.map(str::to_owned).collect(),
        }))
    }

    /// The organization of version 2, whose permissions are packed: `fpm` has,
    /// for each feature of the organization in `fea`, a number whose bit *j*
    /// grants permission *j* of `per`.
    fn organization_2(&self) -> Result<Option<Organization>, UnreadableClaim> {
        let Some(organization) = self.get("o").filter(|o| is_truthy(o)) else {
            return Ok(None);
        };
        let names = list("o.per", organization.get("per"))?;
        let masks = list("o.fpm", organization.get("fpm"))?;
        let features = self.scoped("fea")?;
        let mut permissions = Vec::new();
        let of_organization = features
            .iter()
            .filter(|(scope, _)| ORGANIZATION_SCOPES.contains(scope));
        for ((_, feature), mask) in of_organization.zip(masks) {
            let granted = names.iter().zip(bits(mask)).filter(|(_, bit)| *bit);
            permissions.extend(granted.map(|(name, _)| format!("org:{feature}:{name}")));
        }
        let text = |name: &str| organization.get(name).and_then(Value::as_str);
        Ok(present(text("id")).map(|id| Organization {
            id,
            slug: text("slg").map(str::to_owned),
            role: present(text("rol")).map(|role| format!("org:{role}")),
            permissions,
        }))
    }

    /// Whether the user has what is asked for.
    ///
    /// Never while the session is pending or [`Self::organization`] is an error.
    #[must_use]
    pub fn has(&self, check: Check<'_>) -> bool {
        let Ok(organization) = self.organization() else {
            return false;
        };
        if self.is_pending() {
            return false;
        }
        match check {
            Check::Role(asked) => organization
                .and_then(|organization| present(organization.role.as_deref()))
                .is_some_and(|role| prefixed(&role) == prefixed(asked)),
            Check::Permission(asked) => organization
                .is_some_and(|organization| organization.permissions.contains(&prefixed(asked))),
            Check::Feature(asked) => self.grants("fea", asked),
            Check::Plan(asked) => self.grants("pla", asked),
            Check::Reverification(asked) => self
                .factor_ages()
                .is_some_and(|(first, second)| asked.is_satisfied_by(first, second)),
        }
    }

    /// Whether the features or plans in a claim contain the one asked for.
    fn grants(&self, claim: &'static str, asked: &str) -> bool {
        let Ok(granted) = self.scoped(claim) else {
            return false;
        };
        let mut parts = asked.split(':');
        let first = parts.next().unwrap_or_default();
        let (scopes, name) = match (first, parts.next()) {
            (_, None) => (&["o", "u", "ou", "uo"][..], first),
            ("o" | "org" | "organization", Some(name)) => (&ORGANIZATION_SCOPES[..], name),
            ("u" | "user", Some(name)) => (&USER_SCOPES[..], name),
            (_, Some(_)) => return false,
        };
        // As in the SDK: `o:` asks for `o`.
        let name = if name.is_empty() { first } else { name };
        granted
            .iter()
            .any(|(scope, granted)| scopes.contains(scope) && *granted == name)
    }

    /// The elements of a claim such as `o:posts,u:chat`, as scope and name.
    fn scoped(&self, claim: &'static str) -> Result<Vec<(&str, &str)>, UnreadableClaim> {
        let elements = list(claim, self.get(claim))?.into_iter();
        elements
            .map(|element| element.split_once(':').ok_or(UnreadableClaim(claim)))
            .collect()
    }

    /// How many minutes ago each factor was proved (`fva`); -1 is no factor.
    fn factor_ages(&self) -> Option<(f64, f64)> {
        let age = |value: &Value| value.as_f64().filter(|age| *age >= 0.0 || *age == -1.0);
        match self.get("fva")?.as_array()?.as_slice() {
            [first, second] => Some((age(first)?, age(second)?)),
            _ => None,
        }
    }
}

/// A text that is there and not empty.
fn present(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The elements of a list in a text; what JavaScript takes for false is empty.
fn list<'a>(
    claim: &'static str,
    value: Option<&'a Value>,
) -> Result<Vec<&'a str>, UnreadableClaim> {
    match value {
        Some(value) if is_truthy(value) => {
            let text = value.as_str().ok_or(UnreadableClaim(claim))?;
            Ok(text.split(',').map(trim).collect())
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Without the blanks around it, as JavaScript has them: a byte order mark is
/// one, U+0085 is not.
fn trim(text: &str) -> &str {
    let is_blank = |c: char| c == '\u{feff}' || (c != '\u{85}' && c.is_whitespace());
    text.trim_matches(is_blank)
}

/// A role or permission with one `org:` in front.
fn prefixed(name: &str) -> String {
    format!("org:{}", name.trim_start_matches("org:"))
}

/// The bits of a decimal number of any length, lowest first, without end; all
/// are zero if it is no such number.
fn bits(number: &str) -> impl Iterator<Item = bool> {
    let valid = number.bytes().all(|byte| byte.is_ascii_digit());
    let mut digits = if valid {
        number.bytes().map(|byte| byte - b'0').collect()
    } else {
        Vec::new()
    };
    // Each step halves the number; what is left over is its lowest bit.
    std::iter::repeat_with(move || {
        digits.iter_mut().fold(0, |rest, digit| {
            let value = rest * 10 + *digit;
            *digit = value / 2;
            value % 2
        }) == 1
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::with;

    fn claims(members: &Value) -> Claims {
        Claims::from(members.as_object().unwrap().clone())
    }

    fn version_1() -> Value {
        json!({
            "org_id": "org_1", "org_slug": "acme", "org_role": "org:admin",
            "org_permissions": ["org:posts:read", "org:posts:write"],
        })
    }

    fn version_2() -> Value {
        json!({
            "v": 2, "fea": "o:posts,u:chat,uo:files", "pla": "u:pro", "fva": [0, -1],
            "o": { "id": "org_2", "slg": "acme", "rol": "admin", "per": "read,write", "fpm": "3,1" },
        })
    }

    fn organization(members: &Value) -> Organization {
        claims(members).organization().unwrap().unwrap()
    }

    /// The permissions that the three texts of version 2 pack.
    fn permissions(fea: &str, per: &str, fpm: &str) -> Vec<String> {
        let packed = json!({ "id": "org_2", "per": per, "fpm": fpm });
        organization(&json!({ "v": 2, "fea": fea, "o": packed })).permissions
    }

    const EVERY_CHECK: [Check<'static>; 5] = [
        Check::Role("admin"),
        Check::Permission("posts:read"),
        Check::Feature("posts"),
        Check::Plan("pro"),
        Check::Reverification(Reverification::LAX),
    ];

    #[test]
    fn claims_are_read_as_a_type_of_the_callers() {
        #[derive(Deserialize)]
        struct Own<'a> {
            plan: &'a str,
            seats: Option<u32>,
        }
        let own = claims(&json!({ "plan": "pro", "seats": 3, "more": [] }));
        let own: Own<'_> = own.parse().unwrap();
        assert_eq!((own.plan, own.seats), ("pro", Some(3)));
        let absent = claims(&json!({ "plan": "pro" }));
        assert_eq!(absent.parse::<Own<'_>>().unwrap().seats, None);
        for other in [json!({}), json!({ "plan": 1 })] {
            assert!(claims(&other).parse::<Own<'_>>().is_err(), "{other}");
        }
    }

    #[test]
    fn no_claim_is_shown_for_debugging() {
        let shown = format!("{:?}", claims(&version_1()));
        assert_eq!(shown, "Claims { .. }");
    }

    #[test]
    fn an_actor_is_an_object() {
        let actor = json!({ "sub": "user_2", "act": { "sub": "user_3" } });
        let own = claims(&json!({ "act": actor }));
        assert_eq!(own.actor(), actor.as_object());
        assert_eq!(own.actor().unwrap()["sub"], "user_2");
        for other in [json!(null), json!(true), json!("user_2"), json!([actor])] {
            let claims = claims(&json!({ "act": other }));
            assert_eq!(claims.actor(), None, "{other}");
        }
        assert_eq!(claims(&json!({})).actor(), None);
    }

    #[test]
    fn only_pending_is_pending_and_has_nothing() {
        for (sts, pending) in [
            (json!("pending"), true),
            (json!("Pending"), false),
            (json!("active"), false),
            (json!(["pending"]), false),
            (json!(null), false),
        ] {
            let claims = claims(&with(version_2(), "sts", sts));
            assert_eq!(claims.is_pending(), pending);
            for check in EVERY_CHECK {
                assert_eq!(claims.has(check), !pending, "{check:?}");
            }
        }
    }

    #[test]
    fn the_number_2_is_version_2_and_anything_else_version_1() {
        let mut both = version_2();
        both.as_object_mut()
            .unwrap()
            .extend(version_1().as_object().unwrap().clone());
        for v in [json!(2), json!(2.0)] {
            let id = organization(&with(both.clone(), "v", v)).id;
            assert_eq!(id, "org_2");
        }
        for v in [json!(null), json!("2"), json!(1), json!(2.5), json!(3)] {
            let id = organization(&with(both.clone(), "v", v)).id;
            assert_eq!(id, "org_1");
        }
        for o in [json!(null), json!({}), json!({ "id": "" })] {
            let without = claims(&with(both.clone(), "o", o));
            assert_eq!(without.organization(), Ok(None));
        }
    }

    #[test]
    fn both_versions_say_the_same_of_an_organization() {
        let expected = Organization {
            id: "org_1".to_owned(),
            slug: Some("acme".to_owned()),
            role: Some("org:admin".to_owned()),
            permissions: vec!["org:posts:read".to_owned(), "org:posts:write".to_owned()],
        };
        assert_eq!(organization(&version_1()), expected);
        let packed = with(version_2(), "fea", "o:posts");
        let expected = Organization {
            id: "org_2".to_owned(),
            ..expected
        };
        assert_eq!(organization(&packed), expected);
    }

    #[test]
    fn what_is_no_text_is_absent() {
        let other = json!({
            "org_id": "org_1", "org_slug": 5, "org_role": ["org:admin"],
            "org_permissions": ["org:posts:read", 5, null],
        });
        let found = organization(&other);
        assert_eq!((found.slug, found.role), (None, None));
        assert_eq!(found.permissions, ["org:posts:read"]);
        let other = with(other, "org_permissions", "org:posts:read");
        assert!(organization(&other).permissions.is_empty());
        for id in [json!(5), json!(""), json!(null)] {
            let none = claims(&with(other.clone(), "org_id", id));
            assert_eq!(none.organization(), Ok(None));
        }
        let other = json!({ "v": 2, "o": { "id": "org_2", "slg": 5, "rol": "" } });
        let found = organization(&other);
        assert_eq!((found.slug, found.role), (None, None));
    }

    #[test]
    fn permissions_are_unpacked_by_feature_and_then_by_bit() {
        let two = "o:a,o:b";
        for (fea, per, fpm, expected) in [
            (two, "x,y", "3,2", &["org:a:x", "org:a:y", "org:b:y"][..]),
            // Only features of the organization have a mask.
            ("u:a,z:b,ou:c,uo:d", "x", "1,1", &["org:c:x", "org:d:x"]),
            // More masks, bits or features than there are counterparts.
            ("o:a", "x", "7,7", &["org:a:x"]),
            (two, "x", "1", &["org:a:x"]),
            (two, "x", "", &[]),
            ("", "x", "1", &[]),
            // An empty permission keeps its bit; a name may have colons.
            ("o:a", "x,,y", "7", &["org:a:x", "org:a:", "org:a:y"]),
            ("o:a:b", "x:y", "1", &["org:a:b:x:y"]),
            ("o:a,o:a", "x", "1,1", &["org:a:x", "org:a:x"]),
            // What is no number grants nothing.
            (two, "x", "x,1", &["org:b:x"]),
            (two, "x", "-1,1", &["org:b:x"]),
            (two, "x", "+1,1", &["org:b:x"]),
            (two, "x", "0x1,1e0", &[]),
            (two, "x", ",1", &["org:b:x"]),
            ("o:a", "x", "٣", &[]),
            // Blanks, as JavaScript has them.
            (
                " o:a ",
                "\u{a0}x,y ",
                "\u{feff}3\t",
                &["org:a:x", "org:a:y"],
            ),
            ("o:a", "x\u{85}", "1", &["org:a:x\u{85}"]),
            ("o:a", "x", "1\u{85}", &[]),
        ] {
            assert_eq!(permissions(fea, per, fpm), expected, "{fea} {per} {fpm}");
        }
    }

    #[test]
    fn a_mask_may_be_of_any_length() {
        let per = vec!["x"; 129].join(",");
        let set = |mask: &str| {
            let bits = bits(mask).take(per.split(',').count());
            let set = bits.enumerate().filter_map(|(at, bit)| bit.then_some(at));
            set.collect::<Vec<_>>()
        };
        assert_eq!(set("340282366920938463463374607431768211456"), [128]);
        assert_eq!(set("340282366920938463463374607431768211457"), [0, 128]);
        assert_eq!(set("18446744073709551615"), (0..64).collect::<Vec<_>>());
        assert_eq!(set(&format!("{}5", "0".repeat(400))), [0, 2]);
        assert_eq!(set("0"), [0; 0]);
        let granted = permissions("o:a", &per, "340282366920938463463374607431768211456");
        assert_eq!(granted, ["org:a:x"]);
    }

    #[test]
    fn a_claim_that_cannot_be_read_is_named_and_grants_nothing() {
        let packed = |name: &str, value: Value| {
            let mut claims = version_2();
            claims["o"][name] = value;
            claims
        };
        for (unreadable, named) in [
            (with(version_2(), "fea", "posts"), "fea"),
            (with(version_2(), "fea", "o:posts,"), "fea"),
            (with(version_2(), "fea", " "), "fea"),
            (with(version_2(), "fea", 5), "fea"),
            (with(version_2(), "fea", json!(["o:posts"])), "fea"),
            (packed("per", json!(["read"])), "o.per"),
            (packed("fpm", json!(3)), "o.fpm"),
            (json!({ "v": 2, "fea": "posts", "o": { "id": "" } }), "fea"),
            (json!({ "v": 2, "fea": "posts", "o": 5 }), "fea"),
        ] {
            let claims = claims(&unreadable);
            let error = claims.organization().unwrap_err();
            assert_eq!(error, UnreadableClaim(named), "{unreadable}");
            assert!(error.to_string().contains(named));
            for check in EVERY_CHECK {
                assert!(!claims.has(check), "{unreadable}: {check:?}");
            }
        }
        // What JavaScript takes for false is absent.
        for value in [json!(0), json!(false), json!(null), json!("")] {
            assert!(claims(&packed("per", value.clone())).organization().is_ok());
            let without = claims(&with(with(version_2(), "fea", 5), "o", value));
            assert_eq!(without.organization(), Ok(None));
        }
    }

    #[test]
    fn roles_are_compared_with_one_prefix_each() {
        let has = |own: &str, asked: &str| {
            claims(&with(version_1(), "org_role", own)).has(Check::Role(asked))
        };
        for (own, asked, same) in [
            ("org:admin", "admin", true),
            ("admin", "org:org:admin", true),
            ("org:org:admin", "admin", true),
            ("org:admin", "Admin", false),
            ("org:admin", "org:administrator", false),
            ("org", "org:", false),
            ("org:", "", true),
            ("", "", false),
        ] {
            assert_eq!(has(own, asked), same, "{own} {asked}");
        }
        assert!(claims(&version_2()).has(Check::Role("org:admin")));
        assert!(!claims(&json!({ "role": "admin" })).has(Check::Role("admin")));
    }

    #[test]
    fn only_the_permission_asked_for_gets_a_prefix() {
        let own = claims(&with(
            version_1(),
            "org_permissions",
            json!(["org:a:x", "b:y"]),
        ));
        for (asked, granted) in [
            ("org:a:x", true),
            ("a:x", true),
            ("org:org:a:x", true),
            ("a", false),
            ("A:x", false),
            ("a:x ", false),
            ("b:y", false),
            ("", false),
        ] {
            assert_eq!(own.has(Check::Permission(asked)), granted, "{asked}");
        }
        let none = claims(&json!({ "permissions": ["org:a:x"] }));
        assert!(!none.has(Check::Permission("a:x")));
    }

    #[test]
    fn features_and_plans_are_asked_for_by_scope() {
        let granted = "o:a, u:b ,ou:c,x:d,o:e:f";
        let own = claims(&json!({ "fea": granted, "pla": granted }));
        for (asked, granted) in [
            ("a", true),
            ("o:a", true),
            ("org:a", true),
            ("organization:a", true),
            ("u:a", false),
            ("b", true),
            ("user:b", true),
            ("o:b", false),
            ("o:c", true),
            ("u:c", true),
            // No scope of a check.
            ("ou:c", false),
            (":c", false),
            ("x:d", false),
            ("d", false),
            // Only what is between the first two colons counts.
            ("o:a:b", true),
            ("o:e:f", false),
            ("A", false),
            ("o:", false),
            ("", false),
        ] {
            assert_eq!(own.has(Check::Feature(asked)), granted, "{asked}");
            assert_eq!(own.has(Check::Plan(asked)), granted, "{asked}");
        }
        let feature = claims(&json!({ "fea": "u:a" }));
        assert!(!feature.has(Check::Plan("a")));
        for unreadable in [json!("u:a,b"), json!(5), json!(["u:a"]), json!("")] {
            let claims = claims(&json!({ "fea": unreadable }));
            assert!(!claims.has(Check::Feature("a")), "{unreadable}");
        }
    }

    #[test]
    fn a_proof_is_fresh_below_its_age() {
        use ReverificationLevel::{FirstFactor, MultiFactor, SecondFactor};
        let within = |level, after_minutes| {
            Check::Reverification(Reverification {
                level,
                after_minutes,
            })
        };
        // Which of the three levels are satisfied within 10 minutes.
        for (fva, levels) in [
            (json!([0, 0]), [true, true, true]),
            (json!([9.5, 9.5]), [true, true, true]),
            (json!([10, 9]), [false, true, false]),
            (json!([9, 10]), [true, false, false]),
            (json!([9, -1]), [true, true, true]),
            (json!([10, -1]), [false, false, false]),
            (json!([-1, 9]), [false, true, false]),
            (json!([-1, -1]), [false, false, false]),
            (json!([0, -2]), [false, false, false]),
            (json!([0]), [false, false, false]),
            (json!([0, 0, 0]), [false, false, false]),
            (json!(["0", "0"]), [false, false, false]),
            (json!(null), [false, false, false]),
        ] {
            let claims = claims(&json!({ "fva": fva }));
            let satisfied = [FirstFactor, SecondFactor, MultiFactor]
                .map(|level| claims.has(within(level, 10.0)));
            assert_eq!(satisfied, levels, "{fva}");
        }
        let now = claims(&json!({ "fva": [0, 0] }));
        for minutes in [0.0, -1.0, f64::NAN] {
            assert!(!now.has(within(FirstFactor, minutes)));
        }
        for (check, minutes) in [
            (Reverification::STRICT_MFA, 10),
            (Reverification::STRICT, 10),
            (Reverification::MODERATE, 60),
            (Reverification::LAX, 1440),
        ] {
            for (age, fresh) in [(minutes - 1, true), (minutes, false)] {
                let claims = claims(&json!({ "fva": [age, -1] }));
                assert_eq!(claims.has(Check::Reverification(check)), fresh);
            }
        }
    }
}
