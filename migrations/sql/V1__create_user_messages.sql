-- The table of the original application. Where that one has made it already it
-- is left as it is: its create_ts has no time zone, and the functions' SQL
-- works on both.
CREATE TABLE IF NOT EXISTS user_messages (
    user_id   text PRIMARY KEY,
    create_ts timestamptz NOT NULL DEFAULT now(),
    message   text NOT NULL
);
