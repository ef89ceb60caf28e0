// Real clerk-js against Clerk at its roughest: sessions that a page load mints have no `azp`, the
// handshake is larger than a cookie may be, cookies are off.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, openProfile } from "./support/browser.mjs";
import { atSignIn, claims, clerkReady, isHandshake, sessionCookies, signIn } from "./support/clerk.mjs";
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

  test(`${shape}: where an azp is asked for, clerk-js gets a session that has it`, () =>
    atSite(shape, ["--azp-from-origin", "--authorized-party"], async (profile, site) => {
      const { page, context, open } = profile;
      const loads = [];
      page.on("response", (response) => {
        if (response.request().isNavigationRequest()) loads.push(response.status());
      });
      await signIn(profile, "ada");
      // The session that the page load got was not enough, and then another one was.
      assert.deepEqual(loads.slice(-2), [401, 200]);
      const [{ value: token }] = await sessionCookies(context, site);
      assert.equal(claims(token).azp, site.origin);
      await page.fill("#message", "Renewed");
      await page.click("text=Save Quote");
      await showsQuote(page, "Renewed");
      await open();
      await showsQuote(page, "Renewed");
      profile.assertNoProblems(/status of 401/);
    }));

  const byNonce = ["--azp-from-origin", "--custom-claim-bytes=1200", "--secret-key"];
  test(`${shape}: the way through with a handshake of more than 5 KB, by nonce`, () =>
    atSite(shape, byNonce, async (profile, site) => {
      const token = await walk(profile, site);
      // The handshake has two of it, in base64 once more.
      assert.ok((2 * token.length * 4) / 3 > 5_000, `${token.length} bytes`);
      const handshakes = profile.requests.filter(isHandshake).map((request) => new URL(request.url()));
      assert.deepEqual(new Set(handshakes.map((url) => url.searchParams.get("format"))), new Set(["nonce"]));
      profile.assertNoProblems(/ERR_FAILED/);
    }));

  test(`${shape}: with cookies off the page says so after at most 3 handshakes`, () =>
    atSite(shape, ["--cookies=none"], async ({ page, requests, open, assertNoProblems }, site) => {
      await open();
      // A production instance starts no handshake for a browser without cookies: only its returns
      // from the sign-in page tell it from a first visit.
      for (let tries = 0; tries < 3 && page.url().startsWith(site.accounts); tries += 1) {
        await Promise.all([page.waitForEvent("load"), page.click("button[value=user_ada]")]);
      }
      assert.equal(new URL(page.url()).origin, site.origin);
      assert.match(await page.textContent("main"), /cookies/i);
      assert.ok(requests.filter(isHandshake).length <= 3);
      assert.ok(requests.filter((request) => request.redirectedFrom()).length <= 9);
      assertNoProblems(/status of 401/);
    }));
}
