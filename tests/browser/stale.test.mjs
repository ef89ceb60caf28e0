// Plain forms on pages that are out of date, and undoing a deletion with one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { signIn } from "./support/clerk.mjs";
import { assertGood } from "./support/looks.mjs";
import { focused, showsNoQuote, showsQuote, typed } from "./support/page.mjs";
import { startSite } from "./support/site.mjs";

let site, browser;

before(async () => {
  site = await startSite();
  browser = await launch(site);
});

after(async () => {
  await browser?.close();
  await site?.stop();
});

const error = (page) => page.textContent("#error");
const status = (page) => page.textContent("#status");

/** A signed-in user whose browser does not get Clerk's scripts. */
async function arrive(user, options) {
  const somebody = await openProfile(browser, site, options);
  await somebody.context.route("**/npm/@clerk/**", (route) => route.abort());
  await signIn(somebody, user);
  return somebody;
}

test("with scripts off a deletion says so and can be undone", async () => {
  const ada = await arrive("ada", { javaScriptEnabled: false });
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
  const grace = await arrive("grace", { javaScriptEnabled: false });
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
  const alan = await arrive("alan", {});
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
