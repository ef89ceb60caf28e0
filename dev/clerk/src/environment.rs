//! The settings of the instance, which clerk-js asks for first.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::StandIn;

/// All that does not depend on where the instance is.
const SETTINGS: &str = include_str!("../templates/environment.json");

impl StandIn {
    /// `EnvironmentJSON` of @clerk/shared.
    pub(crate) fn environment(&self) -> anyhow::Result<Value> {
        let mut environment: Value = serde_json::from_str(SETTINGS)?;
        let display = environment["display_config"]
            .as_object_mut()
            .context("environment.json lacks display_config")?;
        let accounts = &self.config.accounts;
        let home = format!("{}/", self.config.app_origin);
        for (name, page) in [
            ("sign_in_url", "sign-in"),
            ("sign_up_url", "sign-up"),
            ("user_profile_url", "user"),
        ] {
            display.insert(name.into(), json!(format!("{accounts}/{page}")));
        }
        for name in [
            "home_url",
            "after_sign_in_url",
            "after_sign_up_url",
            "after_sign_out_all_url",
            "after_sign_out_one_url",
            "after_switch_session_url",
        ] {
            display.insert(name.into(), json!(home));
        }
        display.insert("id".into(), json!(self.key.id));
        let kind = if self.instance.production {
            "production"
        } else {
            "development"
        };
        display.insert("instance_environment_type".into(), json!(kind));
        Ok(environment)
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{get, json, production};

    #[test]
    fn the_environment_names_the_portal_and_the_application() {
        let environment = json(&get(&production(), "/v1/environment"));
        let display = &environment["display_config"];
        assert_eq!(
            display["sign_in_url"],
            "https://accounts.example.test/sign-in"
        );
        assert_eq!(display["home_url"], "https://www.example.test/");
        assert_eq!(display["instance_environment_type"], "production");
    }
}
