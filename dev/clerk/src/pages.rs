//! What the account portal looks like.

use anyhow::Context as _;
use askama::Template;
use http::{StatusCode, header::CONTENT_SECURITY_POLICY};

use crate::{
    StandIn, User,
    config::origin_of,
    cookies::redirect_count_cleared,
    reply::{self, Reply},
    store::{Client, users},
};

pub(crate) const STYLE: &str = include_str!("../assets/portal.css");
pub(crate) const SCRIPT: &str = include_str!("../assets/portal.js");

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    accounts: &'a str,
    app_origin: &'a str,
    redirect_url: &'a str,
    dev_browser: &'a str,
    users: &'static [User],
    signed_in: Option<&'static User>,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage<'a> {
    accounts: &'a str,
    redirect_url: &'a str,
    dev_browser: &'a str,
    user: Option<&'static User>,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    accounts: &'a str,
    app_origin: &'a str,
    problem: &'a str,
}

/// The browser, if it is known.
type Browser<'a> = Option<&'a Client>;

impl StandIn {
    /// The demo users to choose from.
    pub(crate) fn sign_in_page(
        &self,
        redirect_url: &str,
        browser: Browser<'_>,
    ) -> anyhow::Result<Reply> {
        self.page(&SignInPage {
            accounts: &self.config.accounts,
            app_origin: &self.config.app_origin,
            redirect_url,
            dev_browser: self.dev_browser(browser),
            users: users(),
            signed_in: user_of(browser),
        })
    }

    /// Who is signed in, and the way out.
    pub(crate) fn user_page(
        &self,
        redirect_url: &str,
        browser: Browser<'_>,
    ) -> anyhow::Result<Reply> {
        self.page(&UserPage {
            accounts: &self.config.accounts,
            redirect_url,
            dev_browser: self.dev_browser(browser),
            user: user_of(browser),
        })
    }

    /// What could not be done.
    pub(crate) fn refusal(&self, status: StatusCode, problem: &str) -> anyhow::Result<Reply> {
        let mut reply = self.page(&RefusalPage {
            accounts: &self.config.accounts,
            app_origin: &self.config.app_origin,
            problem,
        })?;
        *reply.status_mut() = status;
        Ok(reply)
    }

    fn page(&self, page: &impl Template) -> anyhow::Result<Reply> {
        let mut reply = reply::html(page.render().context("a page of the portal")?);
        // Browsers apply form-action to the redirects after a post as well.
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; \
             base-uri 'none'; frame-ancestors 'none'; form-action 'self' {} {}",
            self.config.app_origin,
            origin_of(&self.config.frontend_api),
        );
        reply::set(&mut reply, CONTENT_SECURITY_POLICY, &policy)?;
        reply::set_cookies(&mut reply, &[redirect_count_cleared()])?;
        Ok(reply)
    }

    /// What a form has to carry: on hosts of its own the portal has no cookie
    /// to know a development browser by.
    fn dev_browser<'a>(&self, browser: Browser<'a>) -> &'a str {
        match browser {
            Some(client) if !self.instance.production => &client.secret,
            _ => "",
        }
    }
}

fn user_of(browser: Browser<'_>) -> Option<&'static User> {
    let (_session, user) = browser?.signed_in()?;
    Some(user)
}
