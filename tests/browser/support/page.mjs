// The page as its tests see it.

import assert from "node:assert/strict";

import { until } from "./within.mjs";

/** Waits until the page shows a quote, this one if it is given. */
export async function showsQuote(page, message) {
  await page.waitForSelector("main[data-state=quote]");
  if (message === undefined) return;
  // The page may still show the one before.
  await until(10, async () => (await page.textContent("#quote")) === message, `the quote "${message}"`);
}

/** Waits until the page shows that there is no quote. */
export const showsNoQuote = (page) => page.waitForSelector("main[data-state=empty]");

/** Saves this quote, or deletes it, behind the back of the page that is open. */
export async function changeElsewhere({ page }, message) {
  const status = await page.evaluate(async (message) => {
    const change = { method: "DELETE", signal: AbortSignal.timeout(10_000) };
    if (message !== undefined) {
      change.method = "PUT";
      change.headers = { "content-type": "application/json" };
      change.body = JSON.stringify({ message });
    }
    return (await fetch("/api/quote", change)).status;
  }, message);
  assert.ok([200, 201, 204].includes(status), `status ${status}`);
}

/** Gives whoever is signed in this quote, or none, and opens the page with nothing typed. */
export async function withQuote(profile, message) {
  await changeElsewhere(profile, message);
  // What a test before this one left in the field would come back.
  await profile.page.evaluate(() => {
    const field = document.getElementById("message");
    if (field) field.value = "";
    sessionStorage.clear();
  });
  await profile.open();
}

/** What has the focus: an id, or the words on it. */
export const focused = (page) =>
  page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());

/** The text that is being typed. */
export const typed = (page) => page.inputValue("#message");
