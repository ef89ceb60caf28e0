// What the tests of a file share.

import { after, before } from "node:test";

import { launch } from "./browser.mjs";
import { startSite } from "./site.mjs";

/** Starts a site and a browser before the tests, gives them to `prepare`, and ends both after the tests. */
export function withSite(prepare) {
  let site, browser;

  before(async () => {
    site = await startSite();
    browser = await launch(site);
    await prepare(site, browser);
  });

  after(async () => {
    await browser?.close();
    await site?.stop();
  });
}
