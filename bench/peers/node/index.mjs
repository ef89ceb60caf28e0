// get-quote in Node: Clerk's own SDK, pg, one connection opened in init.
//
// The loop around the handler is a minimal Runtime API client. AWS's own does
// more for each invocation.

import http from "node:http";
import { readFileSync } from "node:fs";

import { verifyToken } from "@clerk/backend";
import pg from "pg";

const { CLERK_JWT_KEY, PUBLIC_ORIGIN, DATABASE_URL, FIND_QUOTE_SQL, AWS_LAMBDA_RUNTIME_API } = process.env;

const url = new URL(DATABASE_URL);
const database = new pg.Client({
  host: url.hostname,
  port: Number(url.port),
  user: url.username,
  password: url.password,
  database: url.pathname.slice(1),
  ssl: { ca: readFileSync(url.searchParams.get("sslrootcert"), "utf8"), servername: url.hostname },
});

async function getQuote(event) {
  const token = event.headers.authorization?.replace(/^Bearer /, "");
  if (!token) return answer(401, { status: 401 });
  let claims;
  try {
    claims = await verifyToken(token, { jwtKey: CLERK_JWT_KEY, authorizedParties: [PUBLIC_ORIGIN] });
  } catch {
    return answer(401, { status: 401 });
  }
  const { rows } = await database.query({ text: FIND_QUOTE_SQL, values: [claims.sub], rowMode: "array" });
  if (!rows.length) return answer(404, { status: 404 });
  const [message, savedAt, version] = rows[0];
  return answer(200, { message, savedAt }, { etag: `"${version}"` });
}

function answer(statusCode, body, headers = {}) {
  return {
    statusCode,
    headers: { "content-type": "application/json", "cache-control": "private, no-store", ...headers },
    body: JSON.stringify(body),
  };
}

const [host, port] = AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function exchange(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = http.request({ host, port, agent, method, path, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const INVOCATION = "/2018-06-01/runtime/invocation";

async function serve() {
  await database.connect();
  for (;;) {
    const { headers, text } = await exchange("GET", `${INVOCATION}/next`);
    const response = JSON.stringify(await getQuote(JSON.parse(text)));
    await exchange("POST", `${INVOCATION}/${headers["lambda-runtime-aws-request-id"]}/response`, response);
  }
}

serve().catch((error) => {
  console.error(error);
  process.exit(1);
});
