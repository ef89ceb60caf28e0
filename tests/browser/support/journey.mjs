// A user's way through the application and Clerk, with real clerk-js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, openProfile } from "./browser.mjs";
import { atSignIn, CHAIN, claims, clerkReady, isHandshake, sessionCookies, signIn, signedIn } from "./clerk.mjs";
import { startSite } from "./site.mjs";
import { pause, until } from "./within.mjs";

/** Life of a session token in seconds: under 20 clerk-js does little else than refresh. */
const TOKEN_TTL = 20;

/** Clock skew that is allowed, in seconds. */
const SKEW = 5;

/** Declares the tests of one shape. */
export function journey(shape) {
  test(`clerk-js, ${shape}`, async (t) => {
    const site = await startSite({ shape, tokenTtl: TOKEN_TTL });
    const browser = await launch(site);
    t.after(async () => {
      await browser.close();
      await site.stop();
    });
    const ada = await openProfile(browser, site);
    await withScripts(t, site, ada);
    await wrongKey(t, site, ada);
    ada.assertNoProblems(/status of 401/);
    await withoutScripts(t, site, await openProfile(browser, site, { javaScriptEnabled: false }));
  });
}

async function withScripts(t, site, profile) {
  const { page, context, requests, open } = profile;
  let firstToken;

  await t.test("the first visit leads to sign-in", async () => {
    await open();
    await atSignIn(page, site);
  });

  await t.test("the page after signing in is rendered by the server", async () => {
    const arrival = page.waitForResponse(
      // In production the address has the count of redirects, which the page removes.
      (response) => response.url().split("?")[0] === `${site.origin}/` && response.ok(),
    );
    await page.click("button[value=user_ada]");
    assert.match(await (await arrival).text(), /<main data-state="empty">/);
    assert.equal(page.url(), `${site.origin}/`);
    [firstToken] = (await sessionCookies(context, site)).map(({ value }) => value);
    assert.equal(claims(firstToken).sub, "user_ada");
  });

  await t.test("Clerk's button shows who it is and leads to the account", async () => {
    await clerkReady(page);
    await page.click("#user button");
    const card = page.locator(".cl-userButtonPopoverCard");
    await card.waitFor();
    assert.match(await card.textContent(), /Ada Lovelace.*ada@example\.com/);
    await card.getByText("Sign out").waitFor();
    await card.getByText("Manage account").click();
    const modal = page.locator(".cl-modalContent");
    await modal.getByText("Profile details").waitFor();
    await page.keyboard.press("Escape");
    await modal.waitFor({ state: "detached" });
  });

  await t.test("a quote is saved with a fresh token after the first has expired", async () => {
    const expired = () => Date.now() / 1000 > claims(firstToken).exp + SKEW;
    await until(TOKEN_TTL + 2 * SKEW, expired, "the end of the first token");
    const save = page.waitForRequest((request) => request.method() === "PUT");
    await page.fill("#message", "Stay hungry, stay foolish.");
    await page.keyboard.press("Enter");
    const token = (await save).headers().authorization.replace("Bearer ", "");
    assert.ok(claims(token).exp > Date.now() / 1000);
    await page.waitForSelector("main[data-state=quote]");
    assert.equal((await (await save).response()).status(), 201);
  });

  const comesBack = async (tampered) => {
    // With the page left, clerk-js leaves the cookies alone.
    await page.goto("about:blank");
    await pause(CHAIN);
    await tampered();
    const before = requests.length;
    await open();
    assert.equal(await page.textContent("#quote"), "Stay hungry, stay foolish.");
    assert.equal(requests.slice(before).filter(isHandshake).length, 1);
    assert.equal(page.url(), `${site.origin}/`);
    await clerkReady(page);
  };

  await t.test("without its session cookie the page costs one handshake", () =>
    comesBack(() => context.clearCookies({ name: /^__session/ })));

  await t.test("with an expired session cookie the page costs one handshake", () =>
    comesBack(async () => {
      const cookies = await sessionCookies(context, site);
      await context.addCookies(cookies.map((cookie) => ({ ...cookie, value: firstToken })));
    }));

  await t.test("signing out shows at once, in every tab", async () => {
    const other = await context.newPage();
    await other.goto(site.origin);
    await clerkReady(other);
    await page.bringToFront();
    await page.click("#user button");
    await page.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
    await atSignIn(page, site);
    await atSignIn(other, site);
    assert.deepEqual(await sessionCookies(context, site), []);
    await other.close();
    await open();
    await atSignIn(page, site);
  });

  await t.test("another user sees nothing of the first", async () => {
    await pause(CHAIN);
    await signIn(profile, "grace");
    assert.equal(await page.getAttribute("main", "data-state"), "empty");
    assert.doesNotMatch(await page.content(), /hungry|ada/i);
  });
}

async function wrongKey(t, site, { page, requests, open }) {
  await t.test("with a wrong key the page explains itself and does not loop", async () => {
    await site.order("key wrong");
    await pause(CHAIN);
    const before = requests.length;
    const response = await open();
    assert.equal(response.status(), 401);
    assert.match(await page.textContent("main"), /signed with another key/);
    const loads = requests.slice(before).filter((request) => request.isNavigationRequest());
    assert.equal(loads.length, 1);
    await site.order("key right");
    await page.click("text=Try again");
    await signedIn(page);
  });
}

async function withoutScripts(t, site, profile) {
  const { page } = profile;
  await t.test("with scripts off: sign-in, a quote, sign-out", async () => {
    await pause(CHAIN);
    await signIn(profile, "alan");
    assert.equal(await page.getAttribute("main", "data-state"), "empty");
    await page.fill("#message", "We can only see a short distance ahead.");
    await page.click("text=Save Quote");
    await page.waitForSelector("main[data-state=quote]");
    assert.equal(await page.textContent("#quote"), "We can only see a short distance ahead.");
    await page.click("text=Account");
    // Without scripts a development instance's portal on hosts of its own
    // cannot know whose browser this is.
    if (site.shape !== "development") {
      await page.click("text=Sign out");
      await atSignIn(page, site);
    }
    profile.assertNoProblems();
  });
}
