//! A text that a form could not save is kept in the flash cookie for the next
//! page.

use tests::response::SetCookie;
use tests::{App, Event, User};

/// Sends a form that cannot be saved and returns the cookie with its text.
async fn post_flash(app: &App, event: Event) -> SetCookie {
    let answer = app.send(event).await;
    assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
    let [flash] = answer.cookies.as_slice() else {
        panic!("one cookie: {answer:?}");
    };
    flash.clone()
}

async fn post_flash_when_expired(app: &App, user: &User, message: &str) -> SetCookie {
    let expired = app.instance.expired_token(user);
    post_flash(
        app,
        Event::post_quote(message)
            .on_page_of(user)
            .session(&expired),
    )
    .await
}

/// Reads the text in the form of a page, unescaped.
pub(crate) fn read_textarea(page: &str) -> String {
    let (_, after) = page.split_once("<textarea").unwrap();
    let (_, after) = after.split_once('>').unwrap();
    let (text, _) = after.split_once("</textarea>").unwrap();
    unescape(text.strip_prefix('\n').unwrap_or(text))
}

/// A text of a page without its escapes.
pub(crate) fn unescape(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
        ("&#38;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| {
        text.replace(escaped, plain)
    })
}

#[tokio::test]
async fn the_flash_is_a_short_lived_cookie_that_no_script_reads() {
    for app in App::both().await {
        let flash = post_flash_when_expired(&app, &app.user(), "not yet saved").await;
        for attribute in ["HttpOnly", "SameSite=Lax", "Max-Age=300", "Path=/"] {
            assert!(flash.has(attribute), "{attribute}: {flash:?}");
        }
        let is_https = app.instance.origin.starts_with("https://");
        assert_eq!(flash.has("Secure"), is_https, "{flash:?}");
    }
}

#[tokio::test]
async fn the_flash_is_never_in_a_url() {
    let app = App::deployed().await;
    let expired = app.instance.expired_token(&app.user());
    let answer = app
        .send(Event::post_quote("not yet saved").session(&expired))
        .await;
    assert_eq!(answer.location(), "/");
}

#[tokio::test]
async fn the_longest_message_fits_into_the_flash() {
    for app in App::both().await {
        for character in ["a", "\n", "\"", "日", "😀", "%"] {
            let user = app.user();
            let longest = format!("a{}b", character.repeat(498));
            let flash = post_flash_when_expired(&app, &user, &longest).await;
            assert!(flash.size() <= 2_724, "{} of {character:?}", flash.size());
            let page = Event::page("/")
                .signed_in(&user)
                .cookie(&flash.name, &flash.value);
            let page = app.send(page).await;
            assert_eq!(read_textarea(page.page(200)), longest);
        }
    }
}

#[tokio::test]
async fn a_text_that_is_cut_says_so_whatever_else_is_said() {
    let app = App::deployed().await;
    let user = app.user();
    let flash = post_flash_when_expired(&app, &user, &"日".repeat(700)).await;
    let page = Event::page("/")
        .signed_in(&user)
        .cookie(&flash.name, &flash.value);
    let page = app.send(page).await;
    assert!(page.page(200).contains("Only the beginning"));
    assert!(page.page(200).contains("please repeat it"));
}

#[tokio::test]
async fn a_message_that_is_far_too_long_does_not_make_the_flash_too_large() {
    let app = App::deployed().await;
    let user = app.user();
    for message in ["a".repeat(1_000_000), "😀".repeat(501), "\"".repeat(5_000)] {
        let flash = post_flash(
            &app,
            Event::post_quote(&message)
                .on_page_of(&user)
                .signed_in(&user),
        )
        .await;
        assert!(flash.size() <= 2_724, "{}", flash.size());
        let page = Event::page("/")
            .signed_in(&user)
            .cookie(&flash.name, &flash.value);
        let page = app.send(page).await;
        let kept = read_textarea(page.page(200));
        assert!(
            message.starts_with(&kept) && kept.len() > 1_000,
            "{}",
            kept.len()
        );
    }
}

#[tokio::test]
async fn the_next_page_shows_the_flash_and_why_and_forgets_it() {
    for app in App::both().await {
        let user = app.user();
        let message = "not yet <b>saved</b> & \"so\"";
        let flash = post_flash_when_expired(&app, &user, message).await;
        let page = Event::page("/")
            .signed_in(&user)
            .cookie(&flash.name, &flash.value);
        let page = app.send(page).await;
        assert_eq!(read_textarea(page.page(200)), message);
        assert!(page.body.contains("session had expired"), "{}", page.body);
        let forgotten = page.cookie(&flash.name).unwrap();
        assert!(
            forgotten.removes() && forgotten.has("Path=/"),
            "{forgotten:?}"
        );
    }
}

#[tokio::test]
async fn each_error_is_told_in_its_own_words() {
    let app = App::deployed().await;
    let user = app.user();
    for (message, words) in [
        (" ", "empty"),
        (&*"a".repeat(501), "500 characters"),
        ("a\u{1b}b", "character that cannot be shown"),
    ] {
        let flash = post_flash(
            &app,
            Event::post_quote(message)
                .on_page_of(&user)
                .signed_in(&user),
        )
        .await;
        let page = Event::page("/")
            .signed_in(&user)
            .cookie(&flash.name, &flash.value);
        let page = app.send(page).await;
        assert!(page.page(200).contains(words), "{message:?}: {}", page.body);
    }
}

#[tokio::test]
async fn a_deletion_that_could_not_be_done_is_told_too() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("still here").bearer(&user.token))
        .await;
    let expired = app.instance.expired_token(&user);
    let flash = post_flash(
        &app,
        Event::post_delete().on_page_of(&user).session(&expired),
    )
    .await;
    let page = Event::page("/")
        .signed_in(&user)
        .cookie(&flash.name, &flash.value);
    let page = app.send(page).await;
    assert!(
        page.page(200).contains("session had expired"),
        "{}",
        page.body
    );
    assert_eq!(read_textarea(&page.body), "still here");
}

#[tokio::test]
async fn the_flash_outlives_the_handshake_and_the_sign_in() {
    for app in App::both().await {
        let user = app.user();
        let flash = post_flash_when_expired(&app, &user, "not yet saved").await;
        let expired = app.instance.expired_token(&user);
        for event in [Event::page("/"), Event::page("/").session(&expired)] {
            let redirect = app.send(event.cookie(&flash.name, &flash.value)).await;
            assert_eq!(redirect.status, 307, "{redirect:?}");
            assert_eq!(redirect.cookie(&flash.name), None, "{redirect:?}");
        }
    }
}

#[tokio::test]
async fn a_page_without_a_flash_clears_nothing() {
    let app = App::deployed().await;
    let page = app.send(Event::page("/").signed_in(&app.user())).await;
    page.page(200);
    assert!(page.cookies.is_empty(), "{page:?}");
}

#[tokio::test]
async fn a_flash_that_is_not_ours_does_no_harm() {
    let app = App::deployed().await;
    let user = app.user();
    let name = post_flash_when_expired(&app, &user, "x").await.name;
    for value in [
        "",
        "%",
        "AAAA",
        "<script>alert(1)</script>",
        &"A".repeat(4_000),
        "YjxiPg",
        "c_-8",
    ] {
        let page = app
            .send(Event::page("/").signed_in(&user).cookie(&name, value))
            .await;
        assert!(!page.page(200).contains("<script>alert"), "{value}");
    }
}

#[tokio::test]
async fn the_flash_of_one_user_is_not_shown_to_the_next() {
    for app in App::both().await {
        let flash = post_flash_when_expired(&app, &app.user(), "for my eyes only").await;
        let page = Event::page("/")
            .signed_in(&app.user())
            .cookie(&flash.name, &flash.value);
        let page = app.send(page).await;
        assert!(!page.page(200).contains("for my eyes only"));
        // It stays for its author.
        assert_eq!(page.cookie(&flash.name), None);
    }
}

#[tokio::test]
async fn a_text_from_no_page_of_ours_is_not_kept() {
    for app in App::both().await {
        let flash = post_flash(&app, Event::post_quote("not yet saved")).await;
        let page = Event::page("/")
            .signed_in(&app.user())
            .cookie(&flash.name, &flash.value);
        let page = app.send(page).await;
        assert!(!page.page(200).contains("not yet saved"));
        assert!(page.body.contains("session had expired"));
    }
}

#[tokio::test]
async fn a_form_of_another_user_changes_nothing_and_waits_for_its_author() {
    for app in App::both().await {
        let (ada, grace) = (app.user(), app.user());
        app.send(Event::put_quote("of Grace").bearer(&grace.token))
            .await;
        let post = Event::post_quote("of Ada").on_page_of(&ada);
        let flash = post_flash(&app, post.signed_in(&grace)).await;
        let delete = Event::post_delete().on_page_of(&ada).signed_in(&grace);
        post_flash(&app, delete).await;

        let by_script = |event: Event| {
            let event = event.header("x-page-user", &ada.hash());
            app.send(event.same_origin().signed_in(&grace))
        };
        by_script(Event::put_quote("of Ada")).await.problem(409);
        by_script(Event::delete_quote()).await.problem(409);

        let page = |user| {
            let page = Event::page("/").signed_in(user);
            app.send(page.cookie(&flash.name, &flash.value))
        };
        let hers = page(&grace).await;
        assert_eq!(read_textarea(hers.page(200)), "of Grace");
        assert!(!hers.body.contains("of Ada") && hers.cookies.is_empty());
        let again = page(&ada).await;
        assert_eq!(read_textarea(again.page(200)), "of Ada");
        assert!(again.body.contains("somebody else had signed in"));
    }
}

#[tokio::test]
async fn only_a_navigation_uses_the_flash_up() {
    let app = App::deployed().await;
    let user = app.user();
    let flash = post_flash_when_expired(&app, &user, "not yet saved").await;
    for (event, used_up) in [
        (Event::page("/"), true),
        (Event::page("/").without("sec-fetch-dest"), true),
        (Event::page("/").header("sec-purpose", ""), true),
        (Event::page("/").with_method("HEAD"), false),
        (Event::page("/").header("sec-purpose", "prefetch"), false),
        (
            Event::page("/").header("sec-purpose", "prefetch;prerender"),
            false,
        ),
        (Event::page("/").header("purpose", "prefetch"), false),
        (Event::page("/").header("sec-fetch-dest", "empty"), false),
        (Event::page("/").header("sec-fetch-dest", "iframe"), false),
        (Event::new("GET", "/").header("accept", "*/*"), false),
    ] {
        let event = event.signed_in(&user).cookie(&flash.name, &flash.value);
        let page = app.send(event.clone()).await;
        assert_eq!(page.status, 200, "{event:?}");
        let removed = page.cookie(&flash.name).is_some_and(SetCookie::removes);
        assert_eq!(removed, used_up, "{event:?}");
    }
}

#[tokio::test]
async fn no_other_host_can_plant_a_flash() {
    let app = App::deployed().await;
    let user = app.user();
    let flash = post_flash_when_expired(&app, &user, "planted").await;
    assert_eq!(flash.name, "__Host-flash");
    let page = Event::page("/")
        .signed_in(&user)
        .cookie("flash", &flash.value);
    let page = app.send(page).await;
    assert!(!page.page(200).contains("planted"));
}
