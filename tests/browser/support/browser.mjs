// The browser, and profiles that record everything that goes wrong.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** Longest wait for anything that a page does, in milliseconds. */
const ACTION_TIMEOUT = 30_000;

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--ignore-certificate-errors",
];

/**
 * Starts the system's Chromium, to which the site's hosts are the only ones there are. Without a
 * browser the site is ended: it would keep the test from ending.
 */
export async function launch(site) {
  try {
    return await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [...ARGUMENTS, `--host-resolver-rules=${site.resolverRules}`],
    });
  } catch (error) {
    await site.stop();
    throw error;
  }
}

/** A new browser profile with one page. `options` are those of a context. */
export async function openProfile(browser, site, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(ACTION_TIMEOUT);
  const problems = [];
  const requests = [];
  context.on("weberror", (error) => problems.push(`exception: ${error.error().message}`));
  context.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (!/^https?:$/.test(url.protocol)) return;
    requests.push(request);
    if (!site.hosts.includes(url.host)) problems.push(`third party: ${url.host}`);
  });
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} of ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();

  return {
    context,
    page,
    requests,
    /** Opens a path of the application; returns the response of the page. */
    open: (path = "/") => page.goto(site.origin + path),
    /** Fails if anything went wrong, apart from console lines that `expected` matches. */
    assertNoProblems(expected = /^$/) {
      const unexpected = problems.filter((problem) => !expected.test(problem));
      assert.deepEqual(unexpected, []);
    },
    close: () => context.close(),
  };
}
