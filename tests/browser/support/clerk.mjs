// What users do with Clerk, and what can be seen of it.

import assert from "node:assert/strict";

/** The fourth redirect of a chain with less than this between them is a loop, in seconds. */
export const CHAIN = 2.1;

/** Waits for the page of somebody who is signed in. */
export const signedIn = (page) => page.waitForSelector("main[data-state]");

/** Waits for the sign-in page of the account portal. */
export async function atSignIn(page, site) {
  await page.waitForSelector("button[name=user]");
  const { origin, pathname } = new URL(page.url());
  assert.equal(origin + pathname, `${site.accounts}/sign-in`);
}

/** Opens the application and signs in as ada, grace or alan. */
export async function signIn({ page, open }, user) {
  await open();
  await page.click(`button[value=user_${user}]`);
  await signedIn(page);
}

/** Waits until clerk-js has put its button into the page. */
export const clerkReady = (page) => page.waitForSelector("#user button");

/** The session cookies, plain and suffixed. */
export async function sessionCookies(context, site) {
  const cookies = await context.cookies(site.origin);
  return cookies.filter(({ name }) => name.startsWith("__session"));
}

/** Whether a request starts a handshake. */
export const isHandshake = (request) => request.url().includes("/v1/client/handshake");

/** The claims of a token, unverified. */
export const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
