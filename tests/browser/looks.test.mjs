// Every state of the page: seen, read out, zoomed, and used by keyboard.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openProfile } from "./support/browser.mjs";
import { clerkReady, signIn } from "./support/clerk.mjs";
import { ALL_WIDTHS, assertGood, assertGoodWithoutScripts, assertValid, picture } from "./support/looks.mjs";
import { changeElsewhere, focused, showsNoQuote, showsQuote, withQuote } from "./support/page.mjs";
import { withSite } from "./support/suite.mjs";

const QUOTE = "Life is like riding a bicycle. To keep your balance, you must keep moving.";

/** Most bytes of a page before compression. */
const MOST_BYTES = 16 * 1024;

/** Most requests for a page: itself, and what clerk-js loads and asks. */
const MOST_REQUESTS = 16;

let site, browser, ada, page;

withSite(async (...started) => {
  [site, browser] = started;
  ada = await openProfile(browser, site, { viewport: { width: 1280, height: 800 } });
  ({ page } = ada);
  await signIn(ada, "ada");
});

/** Opens a path and checks what the server sends: status, HTML, size. */
async function assertSound(path, status, name) {
  const response = await ada.open(path);
  assert.equal(response.status(), status);
  const html = await response.body();
  assert.ok(html.length < MOST_BYTES, `${name}: ${html.length} bytes`);
  await assertValid(html.toString(), name);
}

test("no quote", async () => {
  await withQuote(ada, undefined);
  await assertSound("/", 200, "empty");
  await clerkReady(page);
  await assertGood(page, "empty", ALL_WIDTHS);
});

test("a quote", async () => {
  await withQuote(ada, QUOTE);
  await assertSound("/", 200, "quote");
  await clerkReady(page);
  await assertGood(page, "quote", ALL_WIDTHS);
});

test("editing", async () => {
  await page.click("text=Edit Quote");
  await assertGood(page, "editing", ALL_WIDTHS);
});

test("an error beside the field", async () => {
  await page.fill("#message", `${QUOTE} `.repeat(8));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  await assertGood(page, "error", ALL_WIDTHS);
});

test("a conflict", async () => {
  await withQuote(ada, QUOTE);
  await page.click("text=Edit Quote");
  await page.fill("#message", "To keep your balance, keep moving.");
  await changeElsewhere(ada, "Life is like riding a bicycle.");
  await page.keyboard.press("Enter");
  await page.waitForSelector("main.both");
  await assertGood(page, "conflict", ALL_WIDTHS);
  await page.click("text=Take the other");
  await page.click("text=Edit Quote");
});

test("a busy button", async () => {
  await page.route("**/api/quote", () => {});
  await page.fill("#message", QUOTE);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[aria-busy=true]");
  await assertGood(page, "busy");
  await page.unroute("**/api/quote");
});

test("a deleted quote", async () => {
  await ada.open();
  await page.click("text=Delete Quote");
  await page.waitForSelector("text=Undo");
  await assertGood(page, "deleted");
});

test("a failed deletion looks like a failure", async () => {
  await withQuote(ada, QUOTE);
  await page.route("**/api/quote", (route) => route.fulfill({ status: 429, json: { message: "Too Many Requests" } }));
  await page.click("text=Delete Quote");
  await page.waitForSelector("#status:not(:empty)");
  await page.unroute("**/api/quote");
  const [status, error] = await page.evaluate(() =>
    ["status", "error"].map((id) => getComputedStyle(document.getElementById(id)).color));
  assert.equal(status, error);
  await assertGood(page, "not-deleted");
});

test("a focused invalid field is red", async () => {
  await withQuote(ada, undefined);
  await page.fill("#message", " ");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  const [outline, border, error] = await page.evaluate(() => {
    const field = getComputedStyle(document.getElementById("message"));
    return [field.outlineColor, field.borderColor, getComputedStyle(document.getElementById("error")).color];
  });
  assert.deepEqual([outline, border], [error, error]);
});

test("the buttons stand on one line", async () => {
  await withQuote(ada, QUOTE);
  const boxes = await Promise.all(["summary", "#delete button", "#copy"].map((one) => page.locator(one).boundingBox()));
  const lines = boxes.map(({ y, height }) => [y, height]);
  assert.deepEqual(lines, lines.map(() => lines[0]));
  // A button centres its text, a summary does not.
  const texts = await page.evaluate(() => ["summary", "#delete button", "#copy"].map((one) => {
    const range = document.createRange();
    range.selectNodeContents(document.querySelector(one));
    return range.getBoundingClientRect().y;
  }));
  assert.deepEqual(texts, texts.map(() => texts[0]));
});

test("lines stand in a column that is centred as a whole", async () => {
  await withQuote(ada, "Roses are red,\n  violets are blue.");
  const { left, right, align } = await page.evaluate(() => {
    const range = document.createRange();
    range.selectNodeContents(document.getElementById("quote"));
    const { left, right } = range.getBoundingClientRect();
    return { left, right: innerWidth - right, align: getComputedStyle(document.getElementById("quote")).textAlign };
  });
  assert.equal(align, "start");
  assert.ok(Math.abs(left - right) < 2, `${left} ${right}`);
});

test("accents upon accents end where the quote ends", async () => {
  await withQuote(ada, `Z${"\u0351\u0316".repeat(60)}algo`);
  assert.equal(await page.evaluate(() => getComputedStyle(document.getElementById("quote")).overflowY), "clip");
  await assertGood(page, "accents");
});

test("print has the quote and nothing else", async () => {
  await withQuote(ada, QUOTE);
  await page.emulateMedia({ media: "print" });
  const words = await page.evaluate(() => document.body.innerText.trim());
  assert.ok(words.startsWith(QUOTE), words);
  assert.match(words.slice(QUOTE.length), /^\s+Saved [^\n]+$/);
  await page.emulateMedia({ media: "screen" });
});

test("with scripts off", async () => {
  const plain = await openProfile(browser, site, { javaScriptEnabled: false });
  await signIn(plain, "grace");
  await plain.page.fill("#message", `${QUOTE} `.repeat(8));
  const refused = plain.page.waitForResponse((response) => response.ok());
  await plain.page.click("text=Save Quote");
  await assertValid(await (await refused).text(), "refused");
  await assertGoodWithoutScripts(plain.page, "plain-error");
  await plain.page.fill("#message", QUOTE);
  await plain.page.click("text=Save Quote");
  await showsQuote(plain.page, QUOTE);
  await assertGoodWithoutScripts(plain.page, "plain-quote");
  await plain.page.click("text=Edit Quote");
  await assertGoodWithoutScripts(plain.page, "plain-editing");
  plain.assertNoProblems();
  await plain.close();
});

test("nothing is at an address", async () => {
  await assertSound("/nothing", 404, "not found");
  await assertGood(page, "error-not-found");
});

test("something broke", async () => {
  await site.order("table hide");
  await assertSound("/", 500, "broken");
  await assertGood(page, "error-broken");
  assert.match(await page.textContent("code"), /^[0-9a-f-]{16,36}$/);
  await site.order("table show");
});

test("the database is waking up, and the page comes back by itself", async () => {
  await withQuote(ada, QUOTE);
  await site.order("database stop");
  await assertSound("/", 503, "waking");
  await assertGood(page, "error-waking");
  await site.order("database start");
  await showsQuote(page, QUOTE);
});

test("a session that does not verify", async () => {
  await site.order("key wrong");
  await assertSound("/", 401, "wrong key");
  await assertGood(page, "error-wrong-key");
  await site.order("key right");
});

test("Clerk's menu and account page", async () => {
  await ada.open();
  await clerkReady(page);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.click("#user button");
    await page.locator(".cl-userButtonPopoverCard").getByText("Manage account").waitFor();
    await picture(page, `menu-${colorScheme}`);
    await page.getByText("Manage account").click();
    await page.locator(".cl-modalContent").getByText("Profile details").waitFor();
    await picture(page, `account-${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.locator(".cl-modalContent").waitFor({ state: "detached" });
  }
  await page.emulateMedia({ colorScheme: "light" });
});

test("everything can be done with the keyboard alone", async () => {
  await withQuote(ada, undefined);
  await clerkReady(page);
  const tab = async (...words) => {
    for (const word of words) {
      await page.keyboard.press("Tab");
      assert.equal(await focused(page), word);
    }
  };
  const withRing = () =>
    page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Quote");
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /user/i);
  await tab("message");
  assert.ok(await withRing());
  await page.keyboard.type(QUOTE);
  await tab("Save Quote");
  assert.ok(await withRing());
  await page.keyboard.press("Space");
  await showsQuote(page, QUOTE);
  await tab("Edit Quote", "Delete Quote");
  await page.keyboard.press("Enter");
  await showsNoQuote(page);
  await tab("Save Quote", "Undo");
  await page.keyboard.press("Enter");
  await showsQuote(page, QUOTE);
  await tab("Edit Quote");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "message");
  await tab("Save Quote", "cancel");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "Edit Quote");
});

test("nothing moves while clerk-js loads, and little is loaded", async () => {
  const moved = () =>
    page.evaluate(() => new Promise((resolve) => {
      new PerformanceObserver((list) => {
        const sources = list.getEntries().flatMap((entry) => entry.sources);
        resolve(sources.map(({ node }) => (node?.parentElement ?? node)?.outerHTML));
      }).observe({ type: "layout-shift", buffered: true });
      setTimeout(() => resolve([]), 500);
    }));
  const before = ada.requests.length;
  await page.route("**/npm/@clerk/**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  await ada.open();
  await clerkReady(page);
  await page.unroute("**/npm/@clerk/**");
  assert.deepEqual(await moved(), []);
  const requests = ada.requests.slice(before).map((request) => request.url());
  const ours = requests.filter((url) => !url.startsWith(site.frontendApi));
  assert.deepEqual(ours, [`${site.origin}/`]);
  assert.ok(requests.length <= MOST_REQUESTS, requests.join("\n"));
});

test("nothing is animated but the wait for Clerk", async () => {
  const transition = await page.evaluate(() =>
    getComputedStyle(document.querySelector("#save button")).transitionDuration);
  assert.equal(transition, "0s");
});

test("nothing was wrong but what was meant to be", () => {
  ada.assertNoProblems(/Failed to load resource: .*(401|404|412|422|429|500|503)/);
});
