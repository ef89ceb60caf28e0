// The original application's side of the table: the columns of its schema and
// its statements, on Drizzle as there. What it prints is what its page shows.
//
//   DATABASE_URL, PGSSLROOTCERT; TIMEZONE of the session
//   original.mjs save USER MESSAGE | find USER
//
// Neon's HTTP driver needs Neon; node-postgres hands Drizzle the same texts.

import { readFileSync } from "node:fs";

import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, text, timestamp } from "drizzle-orm/pg-core";
import pg from "pg";

const messages = pgTable("user_messages", {
  user: text("user_id").primaryKey(),
  created: timestamp("create_ts").defaultNow().notNull(),
  message: text("message").notNull(),
});

const { DATABASE_URL, PGSSLROOTCERT, TIMEZONE } = process.env;
const url = new URL(DATABASE_URL);
const client = new pg.Client({
  host: url.hostname,
  port: Number(url.port),
  user: url.username,
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
  ssl: { ca: readFileSync(PGSSLROOTCERT, "utf8") },
  options: `-c timezone=${TIMEZONE}`,
});
await client.connect();
const database = drizzle(client);

const [action, user, message] = process.argv.slice(2);
if (action === "save") await database.insert(messages).values({ user, message });
const rows = await database.select().from(messages).where(eq(messages.user, user));
console.log(JSON.stringify(rows));
await client.end();
