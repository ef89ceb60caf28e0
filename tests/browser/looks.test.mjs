// Every state of the page: seen, read out, zoomed, and used by keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { clerkReady, signIn } from "./support/clerk.mjs";
import { assertGood, assertGoodWithoutScripts, assertValid, picture } from "./support/looks.mjs";
import { focused, showsNoQuote, showsQuote, withQuote } from "./support/page.mjs";
import { startSite } from "./support/site.mjs";

const QUOTE = "Life is like riding a bicycle. To keep your balance, you must keep moving.";

/** Most bytes of a page before compression. */
const MOST_BYTES = 16_000;

/** Most requests for a page: itself, and what clerk-js loads and asks. */
const MOST_REQUESTS = 16;

let site, browser, ada, page;

before(async () => {
  site = await startSite();
  browser = await launch(site);
  ada = await openProfile(browser, site, { reducedMotion: "reduce", viewport: { width: 1280, height: 800 } });
  ({ page } = ada);
  await signIn(ada, "ada");
});

after(async () => {
  await browser?.close();
  await site?.stop();
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
  await assertGood(page, "empty");
});

test("a quote", async () => {
  await withQuote(ada, QUOTE);
  await assertSound("/", 200, "quote");
  await clerkReady(page);
  await assertGood(page, "quote");
});

test("editing", async () => {
  await page.click("text=Edit Quote");
  await assertGood(page, "editing");
});

test("an error beside the field", async () => {
  await page.fill("#message", `${QUOTE} `.repeat(8));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  await assertGood(page, "error");
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

test("motion is reduced when that is wished", async () => {
  const transition = await page.evaluate(() =>
    getComputedStyle(document.querySelector("#save button")).transitionDuration);
  assert.equal(transition, "0s");
});

test("nothing was wrong but what was meant to be", () => {
  ada.assertNoProblems(/Failed to load resource: .*(401|404|422|500|503)/);
});
