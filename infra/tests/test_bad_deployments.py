"""Deployments that fail: what is said, and what is live afterwards.

The tests follow the life of a stack, so they run in the order of this file.
"""

import json

import pytest

import commands
import postgres
import stages
from browser import Browser

STAGE = "bad"
STACK = f"quotes-{STAGE}"
SECRET = f"quotes/{STAGE}/database"
FUNCTIONS = ("get-quote", "save-quote", "delete-quote", "render-page")


@pytest.fixture(scope="module")
def secret(aws, database):
    """The URLs of roles that have no privilege yet, because there are no tables."""
    keys = postgres.create_roles(database)
    aws.put_secret(SECRET, keys)
    return keys


@pytest.fixture(scope="module")
def settings(aws, secret):
    return stages.settings(aws, STAGE)


def complaints(result):
    """What a deployment that failed said itself; SAM's words apart."""
    assert result.returncode == 1, result.stdout + result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith(("deploy: ", "    "))]


def test_a_stack_that_really_failed_is_named_and_can_be_destroyed(aws, settings):
    bad = {"Resources": {"F": {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": "{{resolve:secretsmanager:nowhere}}", "Action": "a", "Principal": "p"}}}}
    formation = aws.client("cloudformation")
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps(bad), OnFailure="ROLLBACK")
    with pytest.raises(Exception, match="terminal failure"):
        formation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    said = commands.complaint(commands.run("deploy", **settings))
    assert said.startswith(f"deploy: {STACK} was never complete and cannot be updated (ROLLBACK_COMPLETE)")
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr
    assert aws.stacks() == []


def test_a_first_deployment_that_fails_leaves_nothing(aws, settings, secret):
    aws.put_secret("quotes/half", {"url": secret["url"]})
    said = complaints(commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/half"}))
    assert said == [f"deploy: {STACK} was not deployed; nothing is left of it"]
    assert aws.stacks() == []


def test_a_first_release_that_does_not_work_leaves_nothing_but_its_migrations(aws, settings, database):
    said = complaints(commands.run("deploy", MIGRATE="1", MIGRATION_DATABASE_URL=database, **settings))
    assert f"deploy: {STACK}-get-quote has a role that lacks SELECT on user_messages" in "\n".join(said)
    assert f"deploy: {STACK}-save-quote has a role that lacks DELETE, INSERT, SELECT, UPDATE on" in "\n".join(said)
    assert f" does not work: {STACK} was deleted again; the database keeps its migrations (applied V1" in said[-1]
    assert aws.stacks() == []
    assert aws.variables_of(STAGE) == {}
    bucket = aws.client("s3").list_buckets()["Buckets"][0]["Name"]
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{STACK}/")


class Live:
    """What is live: the release, and the version of each function."""

    def __init__(self, aws, url, release):
        self.aws, self.url, self.release = aws, url, release
        self.versions = self.read()

    def read(self):
        functions = self.aws.client("lambda")
        return {
            name: functions.get_alias(FunctionName=f"{STACK}-{name}", Name="live")["FunctionVersion"]
            for name in FUNCTIONS
        }

    def assert_unchanged(self):
        """The same versions, and they answer."""
        assert self.read() == self.versions
        for method in ("GET", "PUT", "DELETE"):
            assert Browser().request(method, self.url + "/api/quote").status == 401


@pytest.fixture(scope="module")
def live(aws, settings, database):
    postgres.grant(database)
    result = commands.run("deploy", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    *_, release, last = result.stdout.splitlines()
    yield Live(aws, last.removesuffix(" answers"), release.removeprefix("deploy: release "))
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("asked", ["CLERK_NONCE_HANDSHAKES", "CLERK_WEBHOOK"])
def test_an_update_whose_secret_lacks_a_key_changes_nothing(settings, live, asked):
    said = complaints(commands.run("deploy", **settings | {asked: "true"}))
    assert said == [f"deploy: {STACK} was not deployed; it is as it was before"]
    live.assert_unchanged()


def failed_update(aws, settings, secret, **changed):
    """What a deployment with another secret said."""
    aws.put_secret("quotes/changed", secret)
    return complaints(commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/changed"} | changed))


def test_a_release_that_cannot_write_is_taken_back(aws, settings, secret, live):
    wrong = secret["url"].replace(postgres.PASSWORD, "not-the-password")
    said = failed_update(aws, settings, secret | {"url": wrong})
    about = [line for line in said if line.startswith("deploy: ")]
    assert [line.rpartition(" (")[0] for line in about[:2]] == [
        f"deploy: {STACK}-delete-quote cannot use its database",
        f"deploy: {STACK}-save-quote cannot use its database",
    ]
    assert about[-1].endswith(f" does not work: release {live.release} is live again")
    assert len(about) == 3
    # Why, in the function's own words.
    assert "password authentication failed" in "\n".join(said)
    assert "not-the-password" not in "\n".join(said)
    live.assert_unchanged()


def test_a_release_whose_functions_do_not_start_is_taken_back(aws, settings, secret, live):
    """All but one: those that change quotes, the page, and a function that is new with this release."""
    bad = {"url": "mysql://o:pw@localhost/d", "webhookSecret": "whsec_x"}
    # The template cannot tell that there is no such port.
    changed = {"CLERK_WEBHOOK": "true", "CLERK_SIGN_IN_URL": "https://a.example:99999/"}
    said = failed_update(aws, settings, secret | bad, **changed)
    about = [line for line in said if line.startswith("deploy: ")]
    assert [line.partition(" does not start or crashes")[0] for line in about[:-1]] == [
        f"deploy: {STACK}-{name}" for name in ("clerk-webhook", "delete-quote", "render-page", "save-quote")
    ]
    for variable in ("DATABASE_URL", "CLERK_SIGN_IN_URL", "CLERK_WEBHOOK_SIGNING_SECRET"):
        assert f"{variable} " in "\n".join(said)
    assert about[-1].endswith(f" does not work: release {live.release} is live again")
    live.assert_unchanged()


def test_while_the_database_is_down_no_release_works(aws, settings, secret, live, database):
    down = {key: "postgresql://o:pw@localhost:1/d?sslrootcert=system" for key in secret}
    postgres.run(database, [f"ALTER ROLE {role} NOLOGIN" for role in postgres.ROLES.values()])
    # What is live has a connection, which only a member of its role may end.
    postgres.run(database, [f"GRANT {role} TO CURRENT_USER" for role in postgres.ROLES.values()])
    open_connections = "FROM pg_stat_activity WHERE usename LIKE 'quotes^_%' ESCAPE '^'"
    postgres.run(database, [f"SELECT pg_terminate_backend(pid) {open_connections}"])
    said = failed_update(aws, settings, down)
    postgres.run(database, [f"ALTER ROLE {role} LOGIN" for role in postgres.ROLES.values()])
    about = [line for line in said if line.startswith("deploy: ")]
    assert f"deploy: {STACK}-get-quote cannot use its database (database-down)" in about
    assert about[-2] == f"deploy: release {live.release} does not pass the same check"
    assert about[-1].endswith(f" does not work: release {live.release} is live again")
    live.assert_unchanged()


def test_a_failed_update_keeps_what_was_gone_back_to(aws, settings, secret, live):
    result = commands.run("deploy", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    result = commands.run("rollback", RELEASE=live.release, **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    said = complaints(commands.run("deploy", **settings | {"CLERK_WEBHOOK": "true"}))
    assert said == [f"deploy: {STACK} was not deployed; it is as it was before"]
    live.assert_unchanged()
