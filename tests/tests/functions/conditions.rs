//! What a change was based on: entity tags, the headers with them, and the field
//! `version` of forms.

use tests::postgres::Database;
use tests::{App, Event, Response, User};

use crate::flash::{read_textarea, unescape};
use crate::repeats::wait_for_a_lock;
use crate::resilience::{get, put};
use crate::table::create_in_time_zone;

/// A tag that no quote has.
const OTHER_TAG: &str = "\"0123456789abcdef\"";

#[track_caller]
fn tag(response: &Response) -> String {
    let tag = response
        .header("etag")
        .unwrap_or_else(|| panic!("no tag: {response:?}"));
    let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let digits = digits.unwrap_or_else(|| panic!("no strong tag: {tag}"));
    assert!((1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    tag.to_owned()
}

/// The hidden version of a page.
#[track_caller]
fn version(page: &str) -> &str {
    let (_, after) = page.split_once("name=\"version\" value=\"").unwrap();
    after.split_once('"').unwrap().0
}

#[tokio::test]
async fn a_quote_has_the_same_tag_wherever_it_is_read() {
    for app in App::both().await {
        let user = app.user();
        let created = put(&app, &user, "first").await;
        let first = tag(&created);
        assert_eq!(tag(&get(&app, &user).await), first);
        let head = Event::get_quote().with_method("HEAD").bearer(&user.token);
        assert_eq!(tag(&app.send(head).await), first);
        assert_eq!(tag(&put(&app, &user, "first").await), first);
        let page = app.send(Event::page("/").signed_in(&user)).await;
        assert_eq!(format!("\"{}\"", version(page.page(200))), first);

        let second = tag(&put(&app, &user, "second").await);
        assert_ne!(second, first);
        // The same text again is another quote.
        let third = tag(&put(&app, &user, "first").await);
        assert!(third != first && third != second);
    }
}

#[tokio::test]
async fn a_tag_does_not_depend_on_settings_of_the_session() {
    for original in [false, true] {
        let database = create_in_time_zone(original).await;
        let user = App::deployed_on(&database).user();
        put(&App::deployed_on(&database), &user, "quote").await;
        let mut tags = Vec::new();
        for setting in [
            "timezone TO 'Asia/Kolkata'",
            "datestyle TO 'German, DMY'",
            "extra_float_digits TO -15",
            "bytea_output TO 'escape'",
        ] {
            let set = format!(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END $$",
                setting.replace('\'', "''")
            );
            database.connect().await.batch_execute(&set).await.unwrap();
            tags.push(tag(&get(&App::deployed_on(&database), &user).await));
        }
        tags.dedup();
        assert_eq!(tags.len(), 1, "{tags:?}");
    }
}

#[tokio::test]
async fn a_client_that_has_the_quote_does_not_get_it_again() {
    for app in App::both().await {
        let user = app.user();
        let tag = tag(&put(&app, &user, "quote").await);
        for (list, status) in [
            (&*tag, 304),
            (&format!("W/{tag}, {OTHER_TAG}"), 304),
            ("*", 304),
            (OTHER_TAG, 200),
            ("not a tag", 200),
        ] {
            for method in ["GET", "HEAD"] {
                let event = Event::get_quote().with_method(method);
                let event = event.header("if-none-match", list).bearer(&user.token);
                let answer = app.send(event).await;
                assert_eq!(answer.status, status, "{method} {list}: {answer:?}");
                assert_eq!(answer.header("etag"), Some(&*tag));
                assert_eq!(answer.header("cache-control"), Some("private, no-store"));
                assert_eq!(answer.body.is_empty(), method == "HEAD" || status == 304);
            }
        }
    }
}

#[tokio::test]
async fn a_change_is_made_only_where_its_condition_holds() {
    let app = App::deployed().await;
    for original in [false, true] {
        let on_original = App::deployed_on(&create_in_time_zone(original).await);
        for app in [&app, &on_original] {
            for (saved, name, value, status) in [
                (None, "if-none-match", "*", 201),
                (None, "if-match", "*", 412),
                (None, "if-match", OTHER_TAG, 412),
                (Some("old"), "if-none-match", "*", 412),
                (Some("old"), "if-match", "*", 200),
                (Some("old"), "if-match", "current", 200),
                (Some("old"), "if-match", "weak", 412),
                (Some("old"), "if-match", OTHER_TAG, 412),
                (Some("old"), "if-match", "not a tag", 400),
                // What is asked for is there already.
                (Some("new"), "if-none-match", "*", 200),
                (Some("new"), "if-match", OTHER_TAG, 200),
            ] {
                let user = app.user();
                let mut current = None;
                if let Some(saved) = saved {
                    current = Some(tag(&put(app, &user, saved).await));
                }
                let value = match (value, &current) {
                    ("current", Some(tag)) => &format!("{OTHER_TAG}, {tag}"),
                    ("weak", Some(tag)) => &format!("W/{tag}"),
                    (value, _) => value,
                };
                let before = get(app, &user).await;
                let event = Event::put_quote("new").header(name, value);
                let answer = app.send(event.bearer(&user.token)).await;
                let what = format!("{saved:?} {name}: {value}");
                assert_eq!(answer.status, status, "{what}: {answer:?}");
                let after = get(app, &user).await;
                if status < 300 {
                    assert_eq!(after.json()["message"], "new", "{what}");
                    assert_eq!(tag(&answer), tag(&after), "{what}");
                } else {
                    assert_eq!(after.body, before.body, "{what}");
                }
                if status == 412 {
                    assert_conflict(&answer, &before);
                }
            }
        }
    }
}

/// Fails unless an answer says what `found`, an answer to GET, says.
#[track_caller]
fn assert_conflict(answer: &Response, found: &Response) {
    let problem = answer.problem(412);
    assert_eq!(problem["code"], "changed");
    assert_eq!(answer.header("etag"), found.header("etag"));
    if found.status == 200 {
        assert_eq!(problem["quote"], found.json());
    } else {
        assert!(problem["quote"].is_null(), "{problem}");
    }
}

#[tokio::test]
async fn a_deletion_is_made_only_where_its_condition_holds() {
    for app in App::both().await {
        for (saved, value, status) in [
            (false, "*", 204),
            (false, OTHER_TAG, 204),
            (true, OTHER_TAG, 412),
            (true, "not a tag", 400),
            (true, "*", 204),
            (true, "current", 204),
        ] {
            let user = app.user();
            let mut value = value.to_owned();
            if saved {
                let current = tag(&put(&app, &user, "quote").await);
                value = value.replace("current", &current);
            }
            let before = get(&app, &user).await;
            let event = Event::delete_quote().header("if-match", &value);
            let answer = app.send(event.bearer(&user.token)).await;
            assert_eq!(answer.status, status, "{saved} {value}: {answer:?}");
            let after = get(&app, &user).await;
            if status == 204 {
                after.problem(404);
            } else {
                assert_eq!(after.body, before.body);
            }
            if status == 412 {
                assert_conflict(&answer, &before);
            }
        }
    }
}

/// Sends a change while another transaction does `meanwhile` to the same row, which
/// is committed when the change waits for it.
async fn send_meanwhile(app: &App, database: &Database, event: Event, meanwhile: &str) -> Response {
    let other = database.connect().await;
    other.batch_execute("BEGIN").await.unwrap();
    other.batch_execute(meanwhile).await.unwrap();
    let commit = async {
        let watcher = database.connect().await;
        wait_for_a_lock(&watcher).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(app.send(event), commit);
    answer
}

#[tokio::test]
async fn what_happens_while_a_statement_waits_counts() {
    let database = Database::empty().await;
    database.migrate().await;
    let app = App::deployed_on(&database);
    for (what, saved, meanwhile, status) in [
        (
            "PUT if-match",
            true,
            "UPDATE user_messages SET message = 'newer' WHERE user_id = 'U'",
            412,
        ),
        (
            "PUT if-match",
            true,
            "DELETE FROM user_messages WHERE user_id = 'U'",
            412,
        ),
        (
            "PUT if-match",
            true,
            "UPDATE user_messages SET message = 'mine' WHERE user_id = 'U'",
            200,
        ),
        (
            "PUT if-none-match",
            false,
            "INSERT INTO user_messages VALUES ('U', now(), 'newer')",
            412,
        ),
        (
            "PUT if-none-match",
            false,
            "INSERT INTO user_messages VALUES ('U', now(), 'mine')",
            200,
        ),
        (
            "DELETE if-match",
            true,
            "UPDATE user_messages SET message = 'newer' WHERE user_id = 'U'",
            412,
        ),
        (
            "DELETE if-match",
            true,
            "DELETE FROM user_messages WHERE user_id = 'U'",
            204,
        ),
        (
            "DELETE",
            true,
            "UPDATE user_messages SET message = 'newer' WHERE user_id = 'U'",
            204,
        ),
    ] {
        let user = app.user();
        let mut based_on = "*".to_owned();
        if saved {
            based_on = tag(&put(&app, &user, "old").await);
        }
        let (method, header) = what.split_once(' ').unwrap_or((what, "x-none"));
        let event = match method {
            "PUT" => Event::put_quote("mine"),
            _ => Event::delete_quote(),
        };
        let event = event.header(header, &based_on).bearer(&user.token);
        let meanwhile = meanwhile.replace("'U'", &format!("'{}'", user.id));
        let answer = send_meanwhile(&app, &database, event, &meanwhile).await;
        assert_eq!(answer.status, status, "{what}, {meanwhile}: {answer:?}");
        let found = get(&app, &user).await;
        match status {
            412 => assert_conflict(&answer, &found),
            200 => assert_eq!(found.json()["message"], "mine"),
            _ => assert_eq!(found.status, 404, "{found:?}"),
        }
    }
}

#[tokio::test]
async fn many_who_save_upon_the_same_quote_are_told_apart() {
    let app = App::deployed().await;
    let user = app.user();
    let mut current = tag(&put(&app, &user, "0").await);
    for round in 1..=20 {
        let save = |who: &str| {
            let message = format!("{round} {who}");
            let event = Event::put_quote(&message).header("if-match", &current);
            app.send(event.bearer(&user.token))
        };
        let (one, other) = tokio::join!(save("one"), save("other"));
        let (winner, loser) = if one.status == 200 {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!((winner.status, loser.status), (200, 412), "{round}");
        assert_eq!(loser.problem(412)["quote"], winner.json());
        current = tag(&winner);
    }
}

/// Sends a form from the page of a user, and returns the page that follows.
async fn submit(app: &App, user: &User, form: Event) -> Response {
    let back = app.send(form.on_page_of(user).signed_in(user)).await;
    assert_eq!((back.status, back.location()), (303, "/"), "{back:?}");
    let page = Event::page("/").signed_in(user);
    let page = back
        .cookies
        .iter()
        .fold(page, |page, flash| page.cookie(&flash.name, &flash.value));
    app.send(page).await
}

#[tokio::test]
async fn a_form_on_an_old_page_overwrites_nothing_and_brings_its_text_back() {
    for app in App::both().await {
        let user = app.user();
        let shown = app.send(Event::page("/").signed_in(&user)).await;
        let old = version(shown.page(200));
        assert_eq!(old, "");
        put(&app, &user, "newer").await;
        let page = submit(&app, &user, Event::post_quote("typed").showing(old)).await;
        assert_eq!(read_textarea(page.page(200)), "typed");
        assert!(page.body.contains(">newer</blockquote>"), "{}", page.body);
        assert!(
            page.body
                .contains("changed elsewhere meanwhile. Saving replaces it.")
        );
        assert!(page.body.contains("<details id=\"editor\" open>"));
        let current = version(&page.body).to_owned();
        assert_eq!(format!("\"{current}\""), tag(&get(&app, &user).await));

        submit(&app, &user, Event::post_quote("typed").showing(&current)).await;
        assert_eq!(get(&app, &user).await.json()["message"], "typed");
        // A form that says nothing, of a page from before there were versions.
        submit(&app, &user, Event::post_quote("again")).await;
        assert_eq!(get(&app, &user).await.json()["message"], "again");

        app.send(Event::delete_quote().bearer(&user.token)).await;
        let page = submit(&app, &user, Event::post_quote("late").showing(&current)).await;
        assert!(
            page.page(200).contains("deleted elsewhere meanwhile"),
            "{}",
            page.body
        );
        assert_eq!(version(&page.body), "");
        get(&app, &user).await.problem(404);
    }
}

#[tokio::test]
async fn a_form_deletes_only_what_its_page_showed() {
    for app in App::both().await {
        let user = app.user();
        put(&app, &user, "shown").await;
        let shown = app.send(Event::page("/").signed_in(&user)).await;
        let old = version(shown.page(200));
        put(&app, &user, "newer").await;
        let page = submit(&app, &user, Event::post_delete().showing(old)).await;
        assert!(
            page.page(200)
                .contains("Not deleted: the quote was changed elsewhere")
        );
        assert!(page.body.contains(">newer</blockquote>"), "{}", page.body);
        assert_eq!(get(&app, &user).await.json()["message"], "newer");
    }
}

#[tokio::test]
async fn a_deletion_by_form_can_be_undone_from_the_next_page() {
    for app in App::both().await {
        let user = app.user();
        for message in ["a\n<b> & \"c\"".to_owned(), "😀".repeat(500)] {
            put(&app, &user, &message).await;
            let shown = app.send(Event::page("/").signed_in(&user)).await;
            let current = version(shown.page(200));
            let page = submit(&app, &user, Event::post_delete().showing(current)).await;
            let (_, undo) = page.page(200).split_once("id=\"undo\"").unwrap();
            assert!(page.body.contains("Deleted."));
            assert_eq!(version(undo), "");
            let (_, text) = undo.split_once("name=\"message\" value=\"").unwrap();
            let (text, _) = text.split_once('"').unwrap();
            assert_eq!(unescape(text), message);
            assert!(page.cookies.iter().all(|cookie| cookie.removes()));

            submit(&app, &user, Event::post_quote(&message).showing("")).await;
            assert_eq!(get(&app, &user).await.json()["message"], message);
        }
        // It does not overwrite what was saved meanwhile.
        let page = submit(&app, &user, Event::post_quote("undone").showing("")).await;
        assert!(
            page.page(200).contains("undone</textarea>"),
            "{}",
            page.body
        );
        assert!(page.body.contains("Saving replaces it"));
        let page = app.send(Event::page("/").signed_in(&user)).await;
        assert!(!page.page(200).contains("id=\"undo\""));
    }
}

#[tokio::test]
async fn what_was_deleted_is_offered_to_nobody_else() {
    let app = App::deployed().await;
    let (ada, grace) = (app.user(), app.user());
    put(&app, &ada, "of Ada").await;
    let deleted = Event::post_delete().on_page_of(&ada).signed_in(&ada);
    let deleted = app.send(deleted).await;
    let [flash] = deleted.cookies.as_slice() else {
        panic!("one cookie: {deleted:?}");
    };
    let page = Event::page("/").signed_in(&grace);
    let page = app.send(page.cookie(&flash.name, &flash.value)).await;
    assert!(!page.page(200).contains("Ada") && page.cookies.is_empty());
}
