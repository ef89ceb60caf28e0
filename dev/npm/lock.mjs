// Writes package-lock.json after a version in package.json has changed: `npm run lock`.
//
// npm would resolve the dependencies of @clerk/clerk-js and @clerk/ui as well:
// 220 packages that nothing uses, because the files in their dist folders
// contain all they need, and one (@clerk/localizations) that is not published
// in the version asked for. So each package is locked on its own, by version
// and hash, and `npm ci --ignore-scripts` installs exactly these.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { name, license, dependencies, optionalDependencies } = manifest;

const packages = { "": { name, license, dependencies, optionalDependencies } };
for (const [group, optional] of [[dependencies, false], [optionalDependencies, true]]) {
  for (const [name, version] of Object.entries(group)) {
    packages[`node_modules/${name}`] = locked(name, version, optional);
  }
}
writeFileSync(
  "package-lock.json",
  `${JSON.stringify({ name, lockfileVersion: 3, requires: true, packages }, null, 2)}\n`,
);

/** The lock entry of one exact version, as the registry describes it. */
function locked(name, version, optional) {
  const answer = execFileSync("npm", ["view", `${name}@${version}`, "--json"], { encoding: "utf8" });
  const { dist, license, os, cpu } = JSON.parse(answer);
  return { version, integrity: dist.integrity, license, ...(optional && { optional, os, cpu }) };
}
