// A test reporter that prints `# pass 1` and `# fail 0` at the end.

const COUNT = /^(pass|fail|cancelled) (\d+)$/;

export default async function* count(events) {
  const counts = { pass: 0, fail: 0, cancelled: 0 };
  for await (const { type, data } of events) {
    const [, what, number] = (type === "test:diagnostic" && COUNT.exec(data.message)) || [];
    if (what) counts[what] = Number(number);
  }
  yield `# pass ${counts.pass}\n# fail ${counts.fail + counts.cancelled}\n`;
}
