// The account portal: what its buttons do to the application.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { atSignIn, signIn } from "./support/clerk.mjs";
import { showsNoQuote, showsQuote } from "./support/page.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/within.mjs";

test("deleting the account deletes the quote, and nothing is saved for it any more", async (t) => {
  // Nothing here may depend on how fast this machine is.
  const site = await startSite({ tokenTtl: 600 });
  t.after(() => site.stop());
  const browser = await launch(site);
  t.after(() => browser.close());
  const grace = await openProfile(browser, site, { javaScriptEnabled: false });
  const { page, context } = grace;
  await signIn(grace, "grace");
  await page.fill("#message", "Not for long");
  await page.click("text=Save Quote");
  await showsQuote(page, "Not for long");
  const cookies = await context.cookies();

  await page.click("text=Account");
  await page.click("text=Delete the account");
  const delivered = async () => {
    await page.goto(`${site.accounts}/webhook`);
    return /user\.deleted\s+user_grace, attempt\s+1: 204/.test(await page.textContent("main"));
  };
  await until(30, delivered, "the delivery to the webhook");

  // The session token is still valid: its user has no quote, and gets none.
  await context.clearCookies();
  await context.addCookies(cookies);
  await grace.open();
  await showsNoQuote(page);
  const response = await page.request.put(`${site.origin}/api/quote`, {
    data: { message: "Back again" },
    headers: { origin: site.origin },
  });
  assert.equal(response.status(), 401);
  assert.equal((await response.json()).code, "user-deleted");

  await context.clearCookies();
  await grace.open();
  await atSignIn(page, site);
  assert.equal(await page.locator("button[value=user_grace]").count(), 0);
  assert.equal(await page.locator("button[value=user_ada]").count(), 1);
  grace.assertNoProblems();
});
