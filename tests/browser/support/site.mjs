// The site under test: a program of this workspace that runs everything.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { within } from "./within.mjs";

const target = process.env.CARGO_TARGET_DIR ?? join(import.meta.dirname, "../../../target");
const program = join(target, "debug/site");

/**
 * Starts a site: its `shape`, see src/bin/site/shape.rs, `tokenTtl` in seconds, and more `options`,
 * such as `["--cookies=none"]`, see src/bin/site/options.rs.
 */
export async function startSite({ shape = "proxy", tokenTtl = 60, options = [] } = {}) {
  const child = spawn(program, ["--shape", shape, "--token-ttl", String(tokenTtl), ...options], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (seconds) => {
    const { value, done } = await within(seconds, lines.next(), "an answer of the site");
    if (done) throw new Error("the site has ended: see its last words above");
    return JSON.parse(value);
  };

  const { applications, resolverRules } = await answer(600);
  const [application, sibling] = applications;
  return {
    ...application,
    /** The second application, with the option `--sibling`. */
    sibling,
    /** All hosts of the applications and of Clerk. */
    hosts: applications
      .flatMap(({ origin, frontendApi, accounts }) => [origin, frontendApi, accounts])
      .map((url) => new URL(url).host),
    resolverRules,
    shape,
    /** Has the site do something, see src/bin/site/site.rs; returns the result, if there is one. */
    async order(command) {
      child.stdin.write(`${command}\n`);
      return (await answer(30)).result;
    },
    /** Ends the site. It fails when a function has printed a secret. */
    async stop() {
      child.stdin.end();
      const [status, signal] = await within(30, ended, "the end of the site");
      if (status !== 0) throw new Error(`the site ended with ${signal ?? status}: see above`);
    },
  };
}
