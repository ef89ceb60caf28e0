// Saving, editing, deleting and undoing with scripts on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openProfile } from "./support/browser.mjs";
import { atSignIn, clerkReady, signIn } from "./support/clerk.mjs";
import { focused, showsNoQuote, showsQuote, typed, withQuote } from "./support/page.mjs";
import { withSite } from "./support/suite.mjs";

let site, browser, ada, page;

withSite(async (...started) => {
  [site, browser] = started;
  ada = await openProfile(browser, site);
  ({ page } = ada);
  await signIn(ada, "ada");
});

const status = () => page.textContent("#status");
const error = () => page.textContent("#error");

/** How often the page is loaded while `work` runs. */
async function loads(work) {
  const before = ada.requests.length;
  await work();
  return ada.requests.slice(before).filter((request) => request.isNavigationRequest()).length;
}

test("saving needs no page load, is announced, and lasts", async () => {
  await withQuote(ada, undefined);
  const count = await loads(async () => {
    await page.fill("#message", "First");
    await page.click("text=Save Quote");
    await showsQuote(page, "First");
  });
  assert.equal(count, 0);
  assert.equal(await status(), "Saved.");
  assert.equal(await page.getAttribute("#status", "role"), "status");
  assert.equal(await focused(page), "quote");
  assert.equal(await page.innerText("#lead"), "Your quote is wonderful...");
  await ada.open();
  await showsQuote(page, "First");
});

test("Enter saves, Shift and Enter begin a new line", async () => {
  await withQuote(ada, undefined);
  await page.focus("#message");
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Enter");
  await showsQuote(page, "one\ntwo");
});

test("a saved quote is edited without deleting it first", async () => {
  await withQuote(ada, "Before");
  await page.click("text=Edit Quote");
  assert.equal(await focused(page), "message");
  assert.equal(await typed(page), "Before");
  await page.fill("#message", "After");
  await page.keyboard.press("Enter");
  await showsQuote(page, "After");
  assert.ok(await page.isVisible("#quote"));
});

test("while editing the heading does not praise the quote", async () => {
  await withQuote(ada, "Before");
  assert.equal(await page.innerText("#lead"), "Your quote is wonderful...");
  await page.click("text=Edit Quote");
  assert.equal(await page.innerText("#lead"), "Save an inspiring quote for yourself...");
});

test("the day on which a quote was saved is in the reader's language, with the exact time", async () => {
  const reader = await openProfile(browser, site, { locale: "de-DE", timezoneId: "Asia/Tokyo" });
  await signIn(reader, "alan");
  await withQuote(reader, "Heute");
  const time = reader.page.locator("time");
  const savedAt = new Date(await time.getAttribute("datetime"));
  assert.ok(Math.abs(savedAt - Date.now()) < 600_000);
  const tokyo = (options) => savedAt.toLocaleString("de-DE", { timeZone: "Asia/Tokyo", ...options });
  assert.equal(await time.textContent(), tokyo({ dateStyle: "long" }));
  assert.equal(await time.getAttribute("title"), tokyo({ dateStyle: "full", timeStyle: "long" }));
  await reader.page.click("text=Edit Quote");
  assert.ok(!(await time.isVisible()));
  await reader.page.fill("#message", "Und jetzt");
  await reader.page.keyboard.press("Enter");
  await showsQuote(reader.page, "Und jetzt");
  assert.ok(new Date(await time.getAttribute("datetime")) > savedAt);
  reader.assertNoProblems();
  await reader.close();
});

test("a quote is copied, and a refusal is told", async () => {
  await withQuote(ada, "Worth copying\nin two lines");
  await ada.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("#copy");
  await page.waitForSelector("text=Copied.");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "Worth copying\nin two lines");
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("refused")); });
  await page.click("#copy");
  await page.waitForSelector("text=The browser does not allow it.");
  await ada.context.clearPermissions();
});

test("Enter begins a new line where the keyboard has no Shift and Enter", async () => {
  const touch = await openProfile(browser, site, { hasTouch: true, isMobile: true });
  await signIn(touch, "grace");
  const field = touch.page.locator("#message");
  assert.equal(await field.getAttribute("enterkeyhint"), "enter");
  await field.focus();
  await touch.page.keyboard.type("one");
  await touch.page.keyboard.press("Enter");
  await touch.page.keyboard.type("two");
  assert.equal(await typed(touch.page), "one\ntwo");
  assert.equal(await touch.page.textContent("#left"), "");
  touch.assertNoProblems();
  await touch.close();
  assert.equal(await page.getAttribute("#message", "enterkeyhint"), "done");
});

test("the user's name stands beside the picture", async () => {
  await ada.open();
  await clerkReady(page);
  assert.match(await page.innerText("#user"), /Ada Lovelace/);
});

test("the error leads to its field", async () => {
  await withQuote(ada, undefined);
  await page.fill("#message", " ");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error a");
  await page.focus("text=Save Quote");
  await page.focus("#error a");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "message");
});

test("deleting needs no page load, is announced, and can be undone", async () => {
  await withQuote(ada, "Precious");
  const count = await loads(async () => {
    await page.click("text=Delete Quote");
    await showsNoQuote(page);
    assert.match(await status(), /^Deleted\./);
    assert.equal(await focused(page), "message");
    assert.equal(await typed(page), "");
    await page.click("text=Undo");
    await showsQuote(page, "Precious");
  });
  assert.equal(count, 0);
  await ada.open();
  await showsQuote(page, "Precious");
});

test("the button is busy while it works, and works once", async () => {
  await withQuote(ada, undefined);
  let puts = 0;
  let proceed;
  const held = new Promise((resolve) => { proceed = resolve; });
  await page.route("**/api/quote", async (route) => {
    puts += 1;
    await held;
    await route.continue();
  });
  await page.fill("#message", "Patience");
  await page.keyboard.press("Enter");
  const button = page.locator("#save button.primary");
  await page.waitForSelector("#save [aria-busy=true]");
  assert.equal(await button.textContent(), "Saving...");
  await page.keyboard.press("Enter");
  await button.click();
  proceed();
  await showsQuote(page, "Patience");
  assert.equal(puts, 1);
  assert.equal(await button.textContent(), "Save Quote");
  assert.equal(await button.getAttribute("aria-busy"), null);
  await page.unroute("**/api/quote");
});

test("the characters left are counted when they get few", async () => {
  await withQuote(ada, undefined);
  const left = async (text) => {
    await page.fill("#message", text);
    return page.textContent("#left");
  };
  assert.match(await left("x".repeat(449)), /^Shift and Enter/);
  assert.equal(await left("x".repeat(450)), "50 left");
  assert.equal(await left("😀".repeat(500)), "0 left");
  assert.equal(await left(`  ${"x".repeat(510)}\n`), "10 too many");
});

test("a refusal stands beside the field, and the text is kept", async () => {
  await withQuote(ada, undefined);
  const long = "x".repeat(501);
  await page.fill("#message", long);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  assert.match(await error(), /^Too long: .* 500 characters\.$/);
  const field = page.locator("#message");
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.match(await field.getAttribute("aria-describedby"), /\berror\b/);
  assert.equal(await page.getAttribute("#error", "role"), "alert");
  assert.equal(await focused(page), "message");
  assert.equal(await typed(page), long);
  await page.fill("#message", "x".repeat(501));
  assert.match(await error(), /^Too long/);
  await page.fill("#message", "x".repeat(500));
  assert.equal(await error(), "");
  assert.equal(await field.getAttribute("aria-invalid"), null);
  await page.fill("#message", "   ");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /^Write something/.test(document.getElementById("error").textContent));
  await page.fill("#message", "Short");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Short");
  assert.equal(await error(), "");
  assert.equal(await field.getAttribute("aria-invalid"), null);
});

test("nothing is lost when the network fails", async () => {
  await withQuote(ada, "Old");
  await ada.context.setOffline(true);
  await page.click("text=Edit Quote");
  await page.fill("#message", "New");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  assert.match(await error(), /network/);
  assert.equal(await typed(page), "New");
  await page.fill("#message", "Old");
  await page.click("text=Cancel");
  await page.click("text=Delete Quote");
  await page.waitForSelector("#status:not(:empty)");
  assert.match(await status(), /network/);
  assert.ok(await page.isVisible("text=Old"));
  await ada.context.setOffline(false);
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await ada.context.setOffline(true);
  await page.click("text=Undo");
  await page.waitForSelector("#error:not(:empty)");
  assert.equal(await typed(page), "Old");
  assert.match(await page.evaluate(() => sessionStorage.draft), /"Old"/);
  await ada.context.setOffline(false);
  await page.click("text=Save Quote");
  await showsQuote(page, "Old");
});

test("nothing is lost when the database fails", async () => {
  await withQuote(ada, undefined);
  await site.order("database stop");
  await page.fill("#message", "Insist");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  assert.match(await error(), /^The database could not be reached/);
  assert.equal(await typed(page), "Insist");
  await site.order("database start");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Insist");
});

test("too many requests are told in words of their own, and the text is kept", async () => {
  await withQuote(ada, undefined);
  // What API Gateway's throttle answers, instead of the function.
  const tooMany = { status: 429, contentType: "application/json", body: '{"message":"Too Many Requests"}' };
  await page.route("**/api/quote", (route) => route.fulfill(tooMany), { times: 1 });
  await page.fill("#message", "Patience");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  assert.match(await error(), /^Too many requests/);
  assert.equal(await typed(page), "Patience");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Patience");
});

test("an Enter that confirms a word of an input method saves nothing", async () => {
  await withQuote(ada, undefined);
  await page.fill("#message", "half");
  const puts = () => ada.requests.filter((request) => request.method() === "PUT").length;
  const before = puts();
  const passed = await page.evaluate(() => {
    const enter = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    return document.getElementById("message").dispatchEvent(new KeyboardEvent("keydown", enter));
  });
  assert.ok(passed);
  await page.keyboard.press("Enter");
  await showsQuote(page, "half");
  assert.equal(puts(), before + 1);
});

test("nothing can be typed that saving would replace", async () => {
  await withQuote(ada, undefined);
  let answer;
  const held = new Promise((resolve) => { answer = resolve; });
  const hold = async (route) => {
    await held;
    await route.continue();
  };
  await page.route("**/api/quote", hold);
  await page.fill("#message", "One");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#message[readonly]");
  await page.focus("#message");
  await page.keyboard.type(" and lost");
  assert.equal(await typed(page), "One");
  answer();
  await showsQuote(page, "One");
  await page.unroute("**/api/quote", hold);
  assert.equal(await page.getAttribute("#message", "readonly"), null);
});

test("undoing a deletion keeps what was typed since", async () => {
  await withQuote(ada, "Before");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await page.fill("#message", "Typed since");
  await page.click("text=Undo");
  await page.waitForSelector("main[data-state=quote]");
  assert.equal(await page.textContent("#quote"), "Before");
  assert.equal(await typed(page), "Typed since");
  assert.match(await status(), /What you typed meanwhile is in the field/);
});

test("what is being typed survives signing out in another tab", async () => {
  await withQuote(ada, undefined);
  await clerkReady(page);
  await page.fill("#message", "Faithful");
  const other = await ada.context.newPage();
  await other.goto(site.origin);
  await clerkReady(other);
  await other.click("#user button");
  await other.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
  await atSignIn(other, site);
  await other.close();
  await page.bringToFront();
  await page.locator("#message").press("End");
  await page.keyboard.type("!");
  await page.keyboard.press("Backspace");
  assert.equal(await typed(page), "Faithful");
  assert.equal(await page.evaluate(() => sessionStorage.draft), "");
  await page.click("text=Save Quote");
  await atSignIn(page, site);
  await page.click("button[value=user_ada]");
  await showsNoQuote(page);
  assert.equal(await typed(page), "Faithful");
  assert.match(await error(), /session had expired/);
  await page.click("text=Save Quote");
  await showsQuote(page, "Faithful");
});

test("another user sees nothing of it", async () => {
  const grace = await openProfile(browser, site);
  await signIn(grace, "grace");
  await showsNoQuote(grace.page);
  assert.doesNotMatch(await grace.page.content(), /Faithful|Ada/);
  grace.assertNoProblems();
  await grace.close();
});

test("Clerk that does not answer holds nothing up", async () => {
  await withQuote(ada, undefined);
  await page.route("**/v1/client*", () => {});
  await ada.open();
  await page.fill("#message", "Independent");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Independent");
  await page.getByRole("link", { name: "Account" }).click();
  await page.waitForURL(`${site.accounts}/user`);
  await page.unroute("**/v1/client*");
});

test("nothing was wrong but what was meant to be", () => {
  ada.assertNoProblems(/Failed to load resource: .*(401|422|429|503|ERR_INTERNET_DISCONNECTED)/);
});
