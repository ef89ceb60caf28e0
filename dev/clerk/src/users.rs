//! The demo users, the same for everybody who runs the application.

/// Somebody who can sign in.
pub struct User {
    /// `sub` of the tokens.
    pub id: &'static str,
    /// Given name.
    pub first_name: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// Address in a domain that receives no mail.
    pub email: &'static str,
}

impl User {
    /// Given and family name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// First letters of the names, for where a picture would be.
    pub(crate) fn initials(&self) -> String {
        let names = [self.first_name, self.last_name];
        names
            .iter()
            .filter_map(|name| name.chars().next())
            .collect()
    }
}

static USERS: [User; 3] = [
    User {
        id: "user_ada",
        first_name: "Ada",
        last_name: "Lovelace",
        email: "ada@example.com",
    },
    User {
        id: "user_grace",
        first_name: "Grace",
        last_name: "Hopper",
        email: "grace@example.com",
    },
    User {
        id: "user_alan",
        first_name: "Alan",
        last_name: "Turing",
        email: "alan@example.com",
    },
];

/// The demo users.
#[must_use]
pub fn users() -> &'static [User] {
    &USERS
}

/// The demo user with this id.
pub(crate) fn find(id: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.id == id)
}
