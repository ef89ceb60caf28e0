// Firefox over WebDriver BiDi, as browser.mjs has Chromium.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

import { until } from "./within.mjs";

/** Longest wait for anything that a page does, in seconds. */
const ACTION_TIMEOUT = 30;

/**
 * Starts the system's Firefox, to which the sites' hosts are the only ones there are. Without a
 * browser the sites are ended: they would keep the test from ending.
 */
export async function launch(sites, { scripts = true } = {}) {
  const proxy = await startProxy(sites);
  // Firefox writes into the home directory, and refuses one of another user.
  const home = await mkdtemp(join(tmpdir(), "firefox-"));
  const close = async () => {
    proxy.close();
    proxy.closeAllConnections();
    await rm(home, { recursive: true, maxRetries: 5 });
  };
  try {
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
      acceptInsecureCerts: true,
      timeout: 2 * ACTION_TIMEOUT * 1000,
      protocolTimeout: ACTION_TIMEOUT * 1000,
      userDataDir: join(home, "profile"),
      env: { ...process.env, HOME: home },
      extraPrefsFirefox: {
        "javascript.enabled": scripts,
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": proxy.address().port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": proxy.address().port,
      },
    });
    return { openProfile: (site) => openProfile(browser, site), close: () => browser.close().finally(close) };
  } catch (error) {
    await Promise.allSettled([close(), ...sites.map((site) => site.stop())]);
    throw error;
  }
}

/**
 * A proxy that connects the hosts of the sites, and no others, to where they are. Firefox has no
 * option for ports, as Chromium has. It asks localhost without a proxy.
 */
async function startProxy(sites) {
  const rules = sites.flatMap(({ resolverRules }) => [...resolverRules.matchAll(/MAP (\S+) 127\.0\.0\.1:(\d+)/g)]);
  const ports = new Map(rules.map(([, host, port]) => [`${host}:443`, port]));
  const proxy = createServer((_, response) => response.writeHead(502).end());
  proxy.on("connect", (request, client) => {
    const port = ports.get(request.url);
    if (!port) return client.end("HTTP/1.1 502 No such host\r\n\r\n");
    const server = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connected\r\n\r\n");
      client.pipe(server).pipe(client);
    });
    // Either end may hang up at any time.
    client.on("error", () => server.destroy());
    return server.on("error", () => client.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return proxy;
}

/** A new browser profile with one page, for one site. */
async function openProfile(browser, site) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const problems = [];
  // Firefox reports a violation of the policy as it does an exception.
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (/^https?:$/.test(protocol) && !site.hosts.includes(host)) problems.push(`third party: ${host}`);
  });
  await page.evaluateOnNewDocument(() => {
    // An exception that a page logs has no text over WebDriver BiDi.
    const log = console.error;
    console.error = (...values) => log(...values.map(String));
  });
  return {
    page: asPage(page),
    /** Opens the application. */
    open: () => page.goto(site.origin),
    /** The names of the cookies that the application gets. */
    async cookieNames() {
      const cookies = await context.cookies();
      const { hostname } = new URL(site.origin);
      const ours = cookies.filter(({ domain }) => `.${hostname}`.endsWith(domain.replace(/^\.?/, ".")));
      return ours.map(({ name }) => name);
    },
    /** Fails if anything went wrong, apart from lines that `expected` matches. */
    assertNoProblems(expected = /^$/) {
      const unexpected = problems.filter((problem) => !expected.test(problem));
      assert.deepEqual(unexpected, []);
    },
    close: () => context.close(),
  };
}

/**
 * A page with those methods of Playwright's pages that the helpers of these tests call. They ask
 * from outside until there is an answer: with scripts off no timer and no promise of a page ever
 * does anything, so that Puppeteer's own waits, and its clicks, do not end.
 */
function asPage(page) {
  let last;
  /** What `see` returns about the element, as soon as there is one. */
  const seen = async (selector, ...rest) => {
    const found = async () => {
      // While another page loads there is nothing to ask.
      last = await page.evaluate(see, selector, ...rest).catch(() => undefined);
      return last;
    };
    try {
      await until(ACTION_TIMEOUT, found, selector);
    } catch (error) {
      const shown = () => [location.href, document.activeElement.outerHTML, document.body.innerText].join("\n");
      throw new Error(`${error.message}; the page shows: ${await page.evaluate(shown)}`, { cause: error });
    }
    return last;
  };
  return {
    /** The address of the page that answered last: the browser's own word for it comes later. */
    url: () => last.url,
    reload: () => page.reload(),
    waitForSelector: (selector) => seen(selector),
    textContent: async (selector) => (await seen(selector)).text,
    inputValue: async (selector) => (await seen(selector)).value,
    fill: (selector, text) => seen(selector, { text }),
    /** With the keyboard: nothing that moves while a page loads can come in between. */
    async click(selector) {
      await seen(selector, { focus: true });
      await page.keyboard.press("Enter");
    },
  };
}

/** Runs in the page: finds an element by `text=WORDS` or CSS, and does something to it. */
function see(selector, { text, focus } = {}) {
  const [, words] = /^text=(.*)/.exec(selector) ?? [];
  const candidates = [...document.querySelectorAll(words ? "a, button, summary" : selector)];
  const element = candidates.find((one) => !words || (one.textContent.trim() === words && one.checkVisibility()));
  if (!element) return null;
  if (text !== undefined) {
    element.value = text;
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (focus || text !== undefined) element.focus();
  return { url: location.href, text: element.textContent, value: element.value };
}
