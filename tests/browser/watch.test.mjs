// The application as `make dev` runs it: under `cargo lambda watch`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { atSignIn, clerkReady, signedIn } from "./support/clerk.mjs";
import { picture } from "./support/looks.mjs";
import { showsNoQuote, showsQuote } from "./support/page.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/within.mjs";

const ROUTES = [["GET", "/"], ["GET", "/api/quote"], ["PUT", "/api/quote"], ["DELETE", "/api/quote"], ["GET", "/nothing"]];

/** Whether a function has answered; cargo-lambda itself has no such header. */
const answers = (site) => async ([method, path]) => {
  const request = { method, redirect: "manual", signal: AbortSignal.timeout(10_000) };
  const response = await fetch(site.origin + path, request).catch(() => undefined);
  return response?.headers.has("x-content-type-options");
};

test("the application runs under cargo lambda watch", async (t) => {
  const site = await startSite({ shape: "watch" });
  t.after(() => site.stop());
  for (const route of ROUTES) await until(120, () => answers(site)(route), route.join(" "));

  const browser = await launch(site);
  t.after(() => browser.close());
  const ada = await openProfile(browser, site);
  const { page } = ada;
  await ada.open();
  await atSignIn(page, site);
  await picture(page, "watch-sign-in");
  await page.click("button[value=user_ada]");
  await signedIn(page);
  await clerkReady(page);
  await page.fill("#message", "Home is where the heart is.");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Home is where the heart is.");
  await ada.open();
  await showsQuote(page, "Home is where the heart is.");
  await clerkReady(page);
  await picture(page, "watch-quote");

  const grace = await openProfile(browser, site, { javaScriptEnabled: false });
  await grace.open();
  await grace.page.click("button[value=user_grace]");
  await showsNoQuote(grace.page);
  await grace.page.fill("#message", "No scripts, no problem.");
  await grace.page.click("text=Save Quote");
  await showsQuote(grace.page, "No scripts, no problem.");
  await grace.page.click("text=Delete Quote");
  await showsNoQuote(grace.page);

  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await page.click("#user button");
  await page.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
  await atSignIn(page, site);
  assert.equal((await page.request.get(`${site.origin}/api/quote`)).status(), 401);
  ada.assertNoProblems();
  grace.assertNoProblems();
});
