// Quotes of every kind: shown as what they are, and shown well.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openProfile } from "./support/browser.mjs";
import { signIn } from "./support/clerk.mjs";
import { ALL_WIDTHS, assertGood } from "./support/looks.mjs";
import { showsQuote, typed, withQuote } from "./support/page.mjs";
import { withSite } from "./support/suite.mjs";

const HOSTILE = {
  "a script": "<script>pwned = 1</script>",
  "an image": '"><img src="x" onerror="pwned = 1">',
  "the end of the field": "</textarea><script>pwned = 1</script>",
  "the end of a script": "</script><script>pwned = 1</script><!--",
  "template syntax": "{{ 7 * 7 }} {% raw %} ${7 * 7} <%= 7 * 7 %> #{7 * 7} {{ text|safe }}",
  "entities": "&lt;b&gt; &amp;amp; &#x27; &copy",
  "bidi controls": "\u202egnihtemos\u202c \u2066isolated\u2069 \u200fright\u200e left \u202d",
  "quotation marks": `"'\`\u201c\u201d`,
};

const TYPICAL = {
  "short": "Be.",
  "long": "It is not the critic who counts; not the man who points out how the strong man stumbles, or where the doer of deeds could have done them better. ".repeat(3).trim(),
  "no-spaces": "Pneumonoultramicroscopicsilicovolcanoconiosis".repeat(11),
  "right-to-left": "الحياة مثل ركوب الدراجة. للحفاظ على توازنك، يجب أن تستمر في الحركة.",
  "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈 Family first 🎉",
  "500-emoji": "😀".repeat(500),
  "lines": "Roses are red,\n  violets are blue,\n\nand so on.",
};

let site, browser, ada, page;

withSite(async (...started) => {
  [site, browser] = started;
  ada = await openProfile(browser, site, { viewport: { width: 1280, height: 800 } });
  ({ page } = ada);
  await signIn(ada, "ada");
});

/** The quote is text and nothing else, on the page and in its field. */
async function assertText(message) {
  await showsQuote(page, message);
  assert.equal(await typed(page), message);
  const shown = await page.evaluate(() => ({
    markup: document.querySelectorAll("#quote *, #message *").length,
    pwned: typeof globalThis.pwned,
  }));
  assert.deepEqual(shown, { markup: 0, pwned: "undefined" });
}

for (const [kind, message] of Object.entries({ ...HOSTILE, ...TYPICAL })) {
  test(`${kind}: shown as text by the script and by the server`, async () => {
    await withQuote(ada, undefined);
    await page.fill("#message", message);
    await page.keyboard.press("Enter");
    await assertText(message);
    await ada.open();
    await assertText(message);
  });
}

test("a line break at the start is no part of a quote", async () => {
  await withQuote(ada, "\n\n leading");
  await assertText("leading");
});

for (const [kind, message] of Object.entries(TYPICAL)) {
  test(`${kind}: looks good`, async () => {
    await withQuote(ada, message);
    await assertGood(page, `quote-${kind}`, kind === "long" || kind === "lines" ? ALL_WIDTHS : undefined);
  });
}

test("nothing was wrong", () => ada.assertNoProblems());
