// Saving and deleting with plain forms, and sessions that expire.
//
// A page that real users left open for a minute has a session token that has
// expired: here the browser is given one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openProfile } from "./support/browser.mjs";
import { atSignIn, CHAIN, sessionCookies, signIn, signedIn } from "./support/clerk.mjs";
import { assertGood } from "./support/looks.mjs";
import { focused, showsNoQuote, showsQuote, typed } from "./support/page.mjs";
import { withSite } from "./support/suite.mjs";
import { pause } from "./support/within.mjs";

let site, browser;

withSite((...started) => {
  [site, browser] = started;
});

const error = (page) => page.textContent("#error");
const status = (page) => page.textContent("#status");

/** A signed-in user without scripts. */
async function plain(user) {
  const somebody = await openProfile(browser, site, { javaScriptEnabled: false });
  await signIn(somebody, user);
  return somebody;
}

/** A signed-in user whose browser does not get Clerk's scripts. */
async function withoutClerk(user) {
  const somebody = await openProfile(browser, site);
  await somebody.context.route("**/npm/@clerk/**", (route) => route.abort());
  await signIn(somebody, user);
  return somebody;
}

/** Lets the session token in a browser be one that has expired, after all redirects so far. */
async function expire({ context }, user) {
  await pause(CHAIN);
  const value = await site.order(`expired token user_${user}`);
  const cookies = await sessionCookies(context, site);
  assert.ok(cookies.length > 0);
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, value })));
}

/** The paths of the pages that were loaded while `work` ran. */
async function path({ requests }, work) {
  const before = requests.length;
  await work();
  const loads = requests.slice(before).filter((request) => request.isNavigationRequest());
  return loads.map((request) => request.url());
}

test("with scripts off a quote is saved, edited and deleted", async () => {
  const ada = await plain("ada");
  const { page } = ada;
  await page.fill("#message", "One\nTwo");
  await page.click("text=Save Quote");
  await showsQuote(page, "One\nTwo");
  assert.ok(!(await page.isVisible("#message")));
  await page.click("text=Edit Quote");
  await page.fill("#message", "Three");
  await page.click("text=Save Quote");
  await showsQuote(page, "Three");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  ada.assertNoProblems();
  await ada.close();
});

test("with scripts off a deletion says so and can be undone", async () => {
  const ada = await plain("ada");
  const { page } = ada;
  const text = `${"😀".repeat(248)}\n<b>"&'\n${"😀".repeat(244)}`;
  await page.fill("#message", text);
  await page.click("text=Save Quote");
  await showsQuote(page, text);
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  assert.match(await status(page), /^Deleted\./);
  await page.click("text=Undo");
  await showsQuote(page, text);
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await ada.open();
  assert.equal(await status(page), "");
  ada.assertNoProblems();
  await ada.close();
});

test("with scripts off a page that is out of date overwrites and deletes nothing", async () => {
  const grace = await plain("grace");
  const { page, context } = grace;
  const other = await context.newPage();
  const save = async (tab, text) => {
    if (!(await tab.isVisible("#message"))) await tab.click("text=Edit Quote");
    await tab.fill("#message", text);
    await tab.click("text=Save Quote");
  };
  await other.goto(site.origin);
  await save(other, "Newer");
  await showsQuote(other, "Newer");
  await save(page, "Typed");
  await showsQuote(page, "Newer");
  assert.ok(await page.isVisible("#quote"));
  assert.equal(await typed(page), "Typed");
  assert.match(await error(page), /changed elsewhere meanwhile\. Saving replaces it\./);
  assert.equal(await focused(page), "message");
  await page.click("text=Keep mine");
  await showsQuote(page, "Typed");
  await other.click("text=Delete Quote");
  await showsQuote(other, "Typed");
  assert.match(await status(other), /Not deleted: .* changed elsewhere/);
  await other.click("text=Delete Quote");
  await showsNoQuote(other);
  // Undo overwrites no quote that is newer than the deletion.
  await save(page, "Late");
  await showsNoQuote(page);
  assert.match(await error(page), /deleted elsewhere meanwhile/);
  await page.click("text=Save Quote");
  await showsQuote(page, "Late");
  await other.click("text=Undo");
  await showsQuote(other, "Late");
  assert.equal(await typed(other), "Typed");
  await other.click("text=Keep mine");
  await showsQuote(other, "Typed");
  await other.click("text=Delete Quote");
  await showsNoQuote(other);
  grace.assertNoProblems();
  await grace.close();
});

test("the pages after a form look good", async () => {
  // axe needs scripts; the forms are sent without ours.
  const alan = await withoutClerk("alan");
  const { page } = alan;
  const send = async (form) => {
    const loaded = page.waitForEvent("load");
    await page.evaluate((id) => document.getElementById(id).submit(), form);
    await loaded;
  };
  await page.fill("#message", "Saved");
  await page.evaluate(() => { document.forms.save.elements.version.value = ""; });
  await send("save");
  await showsQuote(page, "Saved");
  await page.evaluate(() => {
    document.forms.save.elements.version.value = "";
    document.forms.save.elements.message.value = "Typed";
  });
  await send("save");
  assert.match(await error(page), /Saving replaces it/);
  await assertGood(page, "plain-changed");
  await send("delete");
  await showsNoQuote(page);
  assert.match(await status(page), /^Deleted\./);
  await assertGood(page, "plain-deleted");
  await page.click("text=Undo");
  await showsQuote(page, "Saved");
  await send("delete");
  await showsNoQuote(page);
  alan.assertNoProblems(/ERR_FAILED/);
  await alan.close();
});

test("with scripts off a refusal stands beside the field, and the text is kept", async () => {
  const ada = await plain("ada");
  const { page } = ada;
  const long = `\n  "${"<b>".repeat(167)}" \n`;
  await page.fill("#message", long);
  await page.click("text=Save Quote");
  await showsNoQuote(page);
  assert.match(await error(page), /^Too long: .* 500 characters\.$/);
  assert.equal(await typed(page), long);
  assert.equal(await page.getAttribute("#message", "aria-invalid"), "true");
  assert.equal(await focused(page), "message");
  await page.fill("#message", "   ");
  await page.click("text=Save Quote");
  assert.match(await error(page), /the quote is empty/);
  await ada.open();
  assert.equal(await error(page), "");
  ada.assertNoProblems();
  await ada.close();
});

test("with scripts off a database that is away costs a wait and nothing typed", async () => {
  const ada = await plain("ada");
  const { page } = ada;
  await site.order("database stop");
  await page.fill("#message", "Worth waiting for");
  await page.click("text=Save Quote");
  await page.waitForSelector("text=The database is waking up");
  await site.order("database start");
  await showsNoQuote(page);
  assert.equal(await typed(page), "Worth waiting for");
  assert.match(await error(page), /database could not be reached/);
  await page.click("text=Save Quote");
  await showsQuote(page, "Worth waiting for");
  ada.assertNoProblems(/503/);
  await ada.close();
});

for (const [who, arrive] of [["with scripts off", plain], ["without clerk-js", withoutClerk]]) {
  test(`${who} an expired session costs a redirect and nothing typed`, async () => {
    const grace = await arrive("grace");
    const { page } = grace;
    const text = "Worth saving twice \u201c😀\u201d";
    await page.fill("#message", text);
    await expire(grace, "grace");
    const pages = await path(grace, async () => {
      await page.click("text=Save Quote");
      await page.waitForSelector("#error:not(:empty)");
    });
    assert.equal(pages.filter((url) => url.includes("handshake?")).length, 1);
    assert.ok(pages.every((url) => !/Worth|message/.test(url)), pages.join("\n"));
    assert.equal(page.url(), `${site.origin}/`);
    assert.equal(await typed(page), text);
    assert.match(await error(page), /session had expired/);
    await page.click("text=Save Quote");
    await showsQuote(page, text);
    await expire(grace, "grace");
    await page.click("text=Delete Quote");
    await page.waitForSelector("#status:not(:empty)");
    assert.match(await status(page), /session had expired/);
    await showsQuote(page, text);
    await page.click("text=Delete Quote");
    await showsNoQuote(page);
    grace.assertNoProblems(/Failed to load resource: .*(ERR_FAILED|401)/);
    await grace.close();
  });
}

test("without clerk-js a plain link is in the place of its button", async () => {
  const alan = await withoutClerk("alan");
  const { page, requests } = alan;
  const link = page.getByRole("link", { name: "Account" });
  assert.equal(await page.evaluate(() => document.documentElement.dataset.user), "link");
  assert.equal(await link.getAttribute("href"), `${site.accounts}/user`);
  await assertGood(page, "without-clerk");
  await page.fill("#message", "By cookie");
  await page.keyboard.press("Enter");
  await showsQuote(page, "By cookie");
  const put = requests.find((request) => request.method() === "PUT");
  assert.equal(put.headers().authorization, undefined);
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await page.click("text=Undo");
  await showsQuote(page, "By cookie");
  await link.click();
  await page.click("text=Sign out");
  await atSignIn(page, site);
  alan.assertNoProblems(/ERR_FAILED/);
  await alan.close();
});

test("a session that has ended costs a new sign-in and nothing typed", async () => {
  const alan = await withoutClerk("alan");
  const { page, context } = alan;
  await page.click("text=Edit Quote");
  await page.fill("#message", "Faithful");
  const other = await context.newPage();
  await other.goto(site.origin);
  await other.click("text=Edit Quote");
  await other.fill("#message", "Newer");
  await other.click("text=Save Quote");
  await showsQuote(other, "Newer");
  await other.close();
  const cookies = await context.cookies(site.origin);
  const { value: secret } = cookies.find(({ name }) => name === "__clerk_db_jwt");
  const end = `${site.frontendApi}/v1/client/sessions?_method=DELETE&__clerk_db_jwt=${secret}`;
  assert.ok((await context.request.post(end)).ok());
  await expire(alan, "alan");
  await page.keyboard.press("Enter");
  await atSignIn(page, site);
  await page.click("button[value=user_alan]");
  await showsQuote(page, "Newer");
  assert.equal(await typed(page), "Faithful");
  assert.match(await error(page), /session had expired/);
  assert.equal(await focused(page), "message");
  // Nothing has shown the newer quote: it is not replaced before that.
  await page.keyboard.press("Enter");
  await page.waitForSelector("main.both");
  assert.ok(await page.isVisible("#quote"));
  await page.click("text=Keep mine");
  await showsQuote(page, "Faithful");
  alan.assertNoProblems(/Failed to load resource: .*(ERR_FAILED|401|412)/);
  await alan.close();
});

test("with scripts off a text waits for its author, whoever signs in meanwhile", async () => {
  const alan = await plain("alan");
  const { page, context } = alan;
  const signOut = async (tab) => {
    await tab.click("text=Account");
    await tab.click("text=Sign out");
    await atSignIn(tab, site);
    await pause(CHAIN);
  };
  if (!(await page.isVisible("#message"))) await page.click("text=Edit Quote");
  await page.fill("#message", "Only mine");
  const other = await context.newPage();
  await other.goto(site.origin);
  await signOut(other);
  await other.close();
  await page.click("text=Save Quote");
  await atSignIn(page, site);
  await page.click("button[value=user_grace]");
  await signedIn(page);
  assert.doesNotMatch(await page.content(), /Only mine/);
  await signOut(page);
  await page.click("button[value=user_alan]");
  await signedIn(page);
  assert.equal(await typed(page), "Only mine");
  assert.match(await error(page), /session had expired/);
  await alan.close();
});
