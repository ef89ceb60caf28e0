-- Users whom Clerk deleted. A session token outlives its user, so until `until`
-- nothing is saved for them.
CREATE TABLE deleted_users (
    user_id text PRIMARY KEY,
    until   timestamptz NOT NULL
);

-- A save and a deletion each lock the user before they look, so that one of them
-- sees what the other has done: in read committed, each statement of a volatile
-- function has a snapshot of its own, taken after the wait for the lock.

-- With the rights of its owner: no role that saves needs any right on
-- deleted_users, neither the functions' nor the original application's.
CREATE FUNCTION refuse_deleted_user() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.user_id, 0));
    IF EXISTS (SELECT FROM deleted_users
               WHERE user_id = NEW.user_id AND until > clock_timestamp()) THEN
        -- shared/src/database/error.rs knows this code.
        RAISE EXCEPTION 'the user was deleted' USING ERRCODE = 'UD001';
    END IF;
    RETURN NEW;
END $$;

-- Not before every update: it locks its row first, so that it and a deletion
-- could wait for each other. A row that exists is deleted after the update; no
-- update but that of user_id gives a deleted user a row.
CREATE TRIGGER refuse_deleted_user BEFORE INSERT OR UPDATE OF user_id ON user_messages
    FOR EACH ROW EXECUTE FUNCTION refuse_deleted_user();

-- With the rights of its caller, who needs those that infra/README.md lists.
CREATE FUNCTION forget_user(forgotten text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(forgotten, 0));
    DELETE FROM deleted_users WHERE until < clock_timestamp();
    -- Clerk's session tokens live for a minute; an hour allows for clocks that differ.
    INSERT INTO deleted_users (user_id, until)
        VALUES (forgotten, clock_timestamp() + interval '1 hour') ON CONFLICT DO NOTHING;
    DELETE FROM user_messages WHERE user_id = forgotten;
END $$;
