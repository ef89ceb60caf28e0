// How a page looks, and how it is for people who cannot see it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { HtmlValidate } from "html-validate";

import { within } from "./within.mjs";

const screenshots = join(import.meta.dirname, "../../screenshots");
mkdirSync(screenshots, { recursive: true });

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const validator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: {
    // With scripts off nothing else brings a page back by itself.
    "meta-refresh": "off",
  },
});

/** Fails if the HTML that the server sent is not valid. */
export async function assertValid(html, what) {
  const { results } = await validator.validateString(html);
  const messages = results.flatMap((result) => result.messages);
  assert.deepEqual(messages.map(({ ruleId, message, line }) => `${what}: ${line}: ${ruleId}: ${message}`), []);
}

/** Fails if axe finds a violation, or something sticks out on the side. */
export async function assertAccessible(page, what) {
  await page.evaluate(axe);
  const violations = await within(30, page.evaluate(findViolations), `axe: ${what}`);
  assert.deepEqual(violations, [], what);
  const overhang = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overhang <= 0, `${what}: ${overhang} pixels too wide`);
}

async function findViolations() {
  // What clerk-js mounts is Clerk's to get right.
  const scope = { exclude: ["#user > div"] };
  const { violations } = await globalThis.axe.run(scope, { resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** Takes a picture of the whole page. */
export const picture = (page, name) =>
  page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true, animations: "disabled" });

/** Widths of a small and a usual telephone, a tablet and a desktop. */
export const ALL_WIDTHS = [320, 390, 768, 1440];

/** Checks a page, as it is now, light and dark and in these widths, and takes its pictures. */
export async function assertGood(page, name, widths = [390, 1440]) {
  for (const [colorScheme, width] of ["light", "dark"].flatMap((scheme) => widths.map((width) => [scheme, width]))) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    const look = `${name}-${colorScheme}-${width}`;
    await picture(page, look);
    await assertAccessible(page, look);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 320, height: 256 });
  await assertAccessible(page, `${name} at 400 %`);
  await page.setViewportSize({ width: 1280, height: 800 });
}

/**
 * Checks a page with scripts off in every look. It is a copy with scripts on
 * that is checked: axe waits for timers, and without scripts none comes.
 */
export async function assertGoodWithoutScripts(page, name) {
  const copy = await page.context().browser().newPage();
  await copy.setContent((await page.content()).replaceAll(/<script[^]*?<\/script>/g, ""));
  await assertGood(copy, name);
  await copy.close();
}
