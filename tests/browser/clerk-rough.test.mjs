// Real clerk-js against Clerk as it is: a page load mints sessions without `azp`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { atSignIn, claims, clerkReady, sessionCookies, signIn } from "./support/clerk.mjs";
import { showsQuote } from "./support/page.mjs";
import { startSite } from "./support/site.mjs";

/** Runs `work` with a new profile at a site with these options. */
async function atSite(shape, options, work) {
  const site = await startSite({ shape, options });
  const browser = await launch(site);
  try {
    await work(await openProfile(browser, site), site);
  } finally {
    await browser.close();
    await site.stop();
  }
}

/** Signs in, loads the page again, saves, and signs out; returns the first session. */
async function walk({ page, context, open }, site) {
  // Clerk's script would put a session of its own in the place of the first.
  await context.route("**/npm/@clerk/**", (route) => route.abort());
  await signIn({ page, open }, "ada");
  const [{ value: token }] = await sessionCookies(context, site);
  await context.unroute("**/npm/@clerk/**");
  await page.reload();
  await clerkReady(page);
  assert.equal(page.url(), `${site.origin}/`);
  await page.fill("#message", "Rough");
  await page.click("text=Save Quote");
  await showsQuote(page, "Rough");
  await open();
  await showsQuote(page, "Rough");
  await page.click("#user button");
  await page.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
  await atSignIn(page, site);
  await open();
  await atSignIn(page, site);
  return token;
}

for (const shape of ["development", "production"]) {
  test(`${shape}: the way through with sessions without azp`, () =>
    atSite(shape, ["--azp-from-origin"], async (profile, site) => {
      const token = await walk(profile, site);
      assert.ok(!("azp" in claims(token)));
      profile.assertNoProblems(/ERR_FAILED/);
    }));
}
