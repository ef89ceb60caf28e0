// Nothing typed or saved is lost: drafts, conflicts, and what browsers do to a text.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openProfile } from "./support/browser.mjs";
import { atSignIn, clerkReady, signIn, signedIn } from "./support/clerk.mjs";
import { assertAccessible } from "./support/looks.mjs";
import { changeElsewhere, focused, showsNoQuote, showsQuote, typed, withQuote } from "./support/page.mjs";
import { withSite } from "./support/suite.mjs";
import { until } from "./support/within.mjs";

let site, browser, ada, page;

withSite(async (...started) => {
  [site, browser] = started;
  ada = await openProfile(browser, site);
  ({ page } = ada);
  await signIn(ada, "ada");
});

const status = () => page.textContent("#status");
const error = () => page.textContent("#error");
const button = (name) => page.getByRole("button", { name, exact: true });

/** What the API has. */
const stored = () =>
  page.evaluate(async () => {
    const answer = await fetch("/api/quote", { signal: AbortSignal.timeout(10_000) });
    return answer.ok ? (await answer.json()).message : null;
  });

/** Opens the editor of a page with the quote "Saved" and types. */
async function typing(text) {
  await withQuote(ada, "Saved");
  await page.click("text=Edit Quote");
  await page.fill("#message", text);
}

/** As when the tab is looked at again. */
const look = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

/** Waits until both texts are shown. */
async function shows(saved, mine) {
  await page.waitForSelector("main.both");
  await showsQuote(page, saved);
  assert.ok(await page.isVisible("#quote"));
  assert.equal(await typed(page), mine);
  assert.match(await error(), /^Changed elsewhere meanwhile/);
  assert.equal(await focused(page), "message");
}

for (const [where, leave] of [
  ["a reload", () => page.reload()],
  ["a visit elsewhere", async () => {
    await page.goto(`${site.accounts}/user`);
    await ada.open();
  }],
  ["Back", async () => {
    await page.goto("about:blank");
    await page.goBack();
    await signedIn(page);
  }],
]) {
  test(`what is typed survives ${where}`, async () => {
    for (const quote of ["Saved", undefined]) {
      await withQuote(ada, quote);
      if (quote) await page.click("text=Edit Quote");
      await page.fill("#message", "Half a");
      await leave();
      assert.equal(await typed(page), "Half a");
      assert.ok(await page.isVisible("#message"));
      assert.match(await status(), /^What you typed before is here/);
      await page.click("text=Start over");
      assert.equal(await typed(page), quote ?? "");
      assert.equal(await status(), "");
      await page.reload();
      assert.equal(await typed(page), quote ?? "");
      assert.equal(await status(), "");
    }
  });
}

test("what is given up with Cancel or Escape comes back", async () => {
  for (const giveUp of [() => page.click("text=Cancel"), () => page.keyboard.press("Escape")]) {
    await typing("Given up");
    await giveUp();
    assert.equal(await focused(page), "Edit Quote");
    assert.ok(await page.isVisible("#quote"));
    assert.match(await status(), /^Not saved/);
    await page.reload();
    assert.ok(!(await page.isVisible("#message")));
    await page.click("text=Edit Quote");
    assert.equal(await typed(page), "Given up");
    assert.match(await status(), /^What you typed before is here/);
    assert.equal(await focused(page), "message");
  }
});

test("Cancel says nothing where nothing was typed", async () => {
  await typing("Saved");
  await page.click("text=Cancel");
  assert.equal(await status(), "");
});

test("a saved text is no draft", async () => {
  await typing("Kept");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Kept");
  assert.equal(await page.evaluate(() => sessionStorage.draft), "");
});

test("closing a tab asks only when there is something to lose", async () => {
  /** Whether closing a tab asks, after `work` in it. */
  const asks = async (work) => {
    const tab = await ada.context.newPage();
    await tab.goto(site.origin);
    await work(tab);
    const asked = new Promise((resolve) => {
      tab.on("dialog", async (dialog) => {
        resolve(dialog.type());
        await dialog.accept();
      });
      tab.on("close", () => resolve("closed"));
    });
    await tab.close({ runBeforeUnload: true });
    return asked;
  };
  await withQuote(ada, "Saved");
  assert.equal(await asks((tab) => tab.click("text=Edit Quote")), "closed");
  const edit = async (tab) => {
    await tab.click("text=Edit Quote");
    await tab.fill("#message", "Half a");
  };
  assert.equal(await asks(edit), "beforeunload");
  const save = async (tab) => {
    await edit(tab);
    await tab.click("text=Save Quote");
    await showsQuote(tab, "Half a");
  };
  assert.equal(await asks(save), "closed");
});

test("where the browser refuses to store anything the page works as ever", async () => {
  const strict = await openProfile(browser, site);
  await strict.context.addInitScript(() => {
    Object.defineProperty(globalThis, "sessionStorage", {
      get() { throw new DOMException("refused", "SecurityError"); },
    });
  });
  await strict.context.route("**/npm/@clerk/**", (route) => route.abort());
  await signIn(strict, "alan");
  await strict.page.fill("#message", "Anyway");
  await strict.page.keyboard.press("Enter");
  await showsQuote(strict.page, "Anyway");
  await strict.page.click("text=Delete Quote");
  await showsNoQuote(strict.page);
  strict.assertNoProblems(/ERR_FAILED/);
  await strict.close();
});

test("a page that is looked at again shows what was saved elsewhere", async () => {
  await withQuote(ada, "Old");
  const asked = () => ada.requests.filter((request) => request.url() === `${site.origin}/api/quote`).length;
  await changeElsewhere(ada, "New");
  await look();
  await showsQuote(page, "New");
  assert.match(await status(), /^Changed elsewhere/);
  const before = asked();
  const same = page.waitForResponse((response) => response.url() === `${site.origin}/api/quote`);
  await look();
  assert.equal((await same).status(), 304);
  assert.equal(asked(), before + 1);
  await changeElsewhere(ada, undefined);
  await look();
  await showsNoQuote(page);
  await changeElsewhere(ada, "Newer");
  await look();
  await showsQuote(page, "Newer");
});

test("a page with something typed is left alone when it is looked at again", async () => {
  await typing("Mine");
  await changeElsewhere(ada, "Theirs");
  const before = ada.requests.length;
  await look();
  await page.click("text=Save Quote");
  await shows("Theirs", "Mine");
  const methods = ada.requests.slice(before).filter((request) => request.url() === `${site.origin}/api/quote`);
  assert.deepEqual(methods.map((request) => request.method()), ["PUT"]);
});

test("a quote that was changed elsewhere is not replaced before both are seen", async () => {
  await typing("Mine");
  await changeElsewhere(ada, "Theirs");
  await page.keyboard.press("Enter");
  await shows("Theirs", "Mine");
  await assertAccessible(page, "conflict");
  assert.equal(await stored(), "Theirs");
  await button("Keep mine").click();
  await showsQuote(page, "Mine");
  assert.equal(await page.locator("main.both").count(), 0);
  assert.equal(await stored(), "Mine");
  assert.equal(await error(), "");
});

test("the other quote is taken, and the own text comes back", async () => {
  await typing("Mine");
  await changeElsewhere(ada, "Theirs");
  await page.keyboard.press("Enter");
  await shows("Theirs", "Mine");
  await button("Take the other").click();
  await showsQuote(page, "Theirs");
  assert.ok(!(await page.isVisible("#message")));
  assert.equal(await stored(), "Theirs");
  await page.click("text=Edit Quote");
  assert.equal(await typed(page), "Mine");
  assert.ok(await button("Save Quote").isVisible());
});

test("a conflict in a conflict shows the newest", async () => {
  await typing("Mine");
  await changeElsewhere(ada, "Theirs");
  await page.keyboard.press("Enter");
  await shows("Theirs", "Mine");
  await changeElsewhere(ada, "Newest");
  await button("Keep mine").click();
  await shows("Newest", "Mine");
});

test("a quote that was deleted elsewhere is not brought back unasked", async () => {
  await typing("Mine");
  await changeElsewhere(ada, undefined);
  await page.keyboard.press("Enter");
  await showsNoQuote(page);
  assert.match(await error(), /^Deleted elsewhere meanwhile/);
  assert.equal(await typed(page), "Mine");
  assert.equal(await stored(), null);
  await page.keyboard.press("Enter");
  await showsQuote(page, "Mine");
});

test("a first quote does not replace one that was saved elsewhere", async () => {
  await withQuote(ada, undefined);
  await page.fill("#message", "Mine");
  await changeElsewhere(ada, "Theirs");
  await page.keyboard.press("Enter");
  await shows("Theirs", "Mine");
});

test("a draft of an older quote is shown beside the newer one", async () => {
  await typing("Mine");
  await changeElsewhere(ada, "Theirs");
  await page.reload();
  await shows("Theirs", "Mine");
  await button("Keep mine").click();
  await showsQuote(page, "Mine");
});

test("a quote that was changed elsewhere is not deleted unseen", async () => {
  await withQuote(ada, "Old");
  await changeElsewhere(ada, "Theirs");
  await page.click("text=Delete Quote");
  await showsQuote(page, "Theirs");
  assert.match(await status(), /^Not deleted/);
  assert.equal(await stored(), "Theirs");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
});

test("undoing a deletion replaces no newer quote", async () => {
  await withQuote(ada, "Old");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await changeElsewhere(ada, "Theirs");
  // The offer to undo outlives a look at another tab.
  await look();
  await page.click("text=Undo");
  await shows("Theirs", "Old");
  assert.equal(await stored(), "Theirs");
  await button("Keep mine").click();
  await showsQuote(page, "Old");
});

test("of three texts none is lost", async () => {
  await withQuote(ada, "Old");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await page.fill("#message", "Mine");
  await changeElsewhere(ada, "Theirs");
  await page.click("text=Undo");
  await shows("Theirs", "Mine");
  await page.click("text=Undo");
  await showsQuote(page, "Old");
  assert.equal(await typed(page), "Mine");
  assert.equal(await stored(), "Old");
});

test("undoing a deletion keeps a text that was put away", async () => {
  await typing("Put away");
  await page.click("text=Cancel");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  assert.equal(await typed(page), "Put away");
  await page.click("text=Undo");
  await showsQuote(page, "Saved");
  assert.equal(await typed(page), "Put away");
});

test("a refused deletion shows what is saved, and not a text that was put away", async () => {
  await typing("Put away");
  await page.click("text=Cancel");
  await changeElsewhere(ada, "Theirs");
  await page.click("text=Delete Quote");
  await showsQuote(page, "Theirs");
  assert.match(await status(), /^Not deleted/);
  assert.ok(await page.isVisible("#quote"));
  await page.click("text=Edit Quote");
  assert.equal(await typed(page), "Put away");
});

test("a save that fails leaves the offer to undo a deletion", async () => {
  await withQuote(ada, "Old");
  await page.click("text=Delete Quote");
  await showsNoQuote(page);
  await page.fill("#message", "x".repeat(501));
  await page.click("text=Save Quote");
  await page.waitForSelector("#error:not(:empty)");
  await page.fill("#message", "");
  await page.click("text=Undo");
  await showsQuote(page, "Old");
});

test("half an answer to a save is none", async () => {
  await typing("Mine");
  const half = { status: 200, headers: { etag: '"1"' }, contentType: "application/json", body: '{"message":"Mi' };
  await page.route("**/api/quote", (route) => route.fulfill(half), { times: 1 });
  await page.keyboard.press("Enter");
  await page.waitForSelector("#error:not(:empty)");
  assert.equal(await typed(page), "Mine");
  await page.keyboard.press("Enter");
  await showsQuote(page, "Mine");
});

test("half of a character is replaced, and that is said", async () => {
  await withQuote(ada, undefined);
  await page.evaluate(() => { document.getElementById("message").value = "cut \ud83d off"; });
  await page.click("text=Save Quote");
  await showsQuote(page, "cut \ufffd off");
  assert.match(await status(), /^Saved\. Characters/);
});

test("each line has its own direction", async () => {
  await withQuote(ada, "שלום עולם!\nHello world!");
  /** Where the last character of each line is, relative to the one before. */
  const ends = await page.evaluate(() => {
    const text = document.getElementById("quote").firstChild;
    const left = (at) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return range.getBoundingClientRect().left;
    };
    return [10, 23].map((end) => Math.sign(left(end - 1) - left(end - 2)));
  });
  assert.deepEqual(ends, [-1, 1]);
});

test("signing out forgets what was typed", async () => {
  await typing("Private");
  await page.click("text=Cancel");
  await clerkReady(page);
  await page.click("#user button");
  await page.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
  await atSignIn(page, site);
  await page.click("button[value=user_ada]");
  await showsQuote(page, "Saved");
  assert.equal(await typed(page), "Saved");
});

test("another user sees nothing of what was typed", async () => {
  await typing("Private");
  const draft = await page.evaluate(() => sessionStorage.draft);
  assert.match(draft, /Private/);
  await clerkReady(page);
  const other = await ada.context.newPage();
  await other.goto(site.origin);
  await clerkReady(other);
  // As if this tab had been elsewhere when the other one signed out.
  await page.goto("about:blank");
  await other.click("#user button");
  await other.locator(".cl-userButtonPopoverCard").getByText("Sign out").click();
  await atSignIn(other, site);
  await other.click("button[value=user_grace]");
  await signedIn(other);
  await other.close();
  await ada.open();
  await signedIn(page);
  assert.doesNotMatch(await page.inputValue("#message"), /Private/);
  await until(5, async () => (await page.evaluate(() => sessionStorage.draft)) === "", "an empty draft");
});

test("nothing was wrong but what was meant to be", () => {
  ada.assertNoProblems(/Failed to load resource: .*(404|412|422)/);
});
