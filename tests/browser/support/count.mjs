// A test reporter that prints `# pass 1` and the like at the end.

const COUNTS = /^(pass|fail) \d+$/;

export default async function* count(events) {
  for await (const { type, data } of events) {
    if (type === "test:diagnostic" && COUNTS.test(data.message)) yield `# ${data.message}\n`;
  }
}
