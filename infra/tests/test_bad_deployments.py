"""Deployments that fail: what is said, and what is live afterwards.

The tests follow the life of a stack, so they run in the order of this file.
"""

import os
import re
import shutil
import stat
import urllib.parse

import pytest

import artefacts
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


@pytest.fixture
def without_secret(tmp_path):
    """Settings with which the secret is deleted between the check and the deployment."""
    program = tmp_path / "migrations"
    delete = "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id quotes/changed"
    program.write_text(f'#!/bin/sh\n"{artefacts.migrations()}" "$@" && {delete} >"{tmp_path}/deleted"\n')
    program.chmod(stat.S_IRWXU)
    return {"MIGRATIONS": str(program)}


@pytest.fixture(scope="module")
def elsewhere(database):
    """URL -> the same with a certificate that is in the clone's folder and not at AWS."""
    ca = urllib.parse.parse_qs(urllib.parse.urlsplit(database).query)["sslrootcert"][0]
    copy = commands.ROOT / ".dev" / "infra" / f"ca-{os.getpid()}.pem"
    shutil.copy(ca, copy)
    yield lambda url: re.sub(r"sslrootcert=[^&]*", f"sslrootcert={copy.relative_to(commands.ROOT)}", url)
    copy.unlink()


def complaints(result):
    """What a deployment that failed said itself; SAM's words apart."""
    assert result.returncode == 1, result.stdout + result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith(("deploy: ", "    "))]


def failed_deployment(aws, settings, secret, **changed):
    """What a deployment with another secret said that failed."""
    aws.put_secret("quotes/changed", secret)
    return complaints(commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/changed"} | changed))


def test_a_stack_that_really_failed_is_named_and_can_be_destroyed(aws, settings):
    aws.fail_stack(STACK)
    said = commands.complaint(commands.run("deploy", **settings))
    assert said.startswith(f"deploy: {STACK} was never complete and cannot be updated (ROLLBACK_COMPLETE)")
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr
    assert aws.stacks() == []


def test_a_secret_that_lacks_a_key_is_refused_before_anything_is_made(aws, settings, secret):
    aws.put_secret("quotes/half", {"url": secret["url"]})
    said = complaints(commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/half"}))
    assert len(said) == 1 and said[0].startswith("deploy: readOnlyUrl of the secret is not set; it should be")
    assert aws.stacks() == []


def test_roles_without_grants_are_found_once_the_tables_are_there(aws, settings, database):
    said = complaints(commands.run("deploy", MIGRATE="1", MIGRATION_DATABASE_URL=database, **settings))
    assert [line.partition(" on user_messages")[0] for line in said[:-1]] == [
        "deploy: url of the secret has a role that lacks SELECT, INSERT, UPDATE, DELETE",
        "deploy: readOnlyUrl of the secret has a role that lacks SELECT",
    ]
    assert said[-1].startswith(f"deploy: {STACK} was not deployed; the database keeps its migrations (applied V1")
    assert aws.stacks() == []
    postgres.grant(database)


def test_a_first_deployment_that_fails_leaves_nothing(aws, settings, secret, without_secret):
    said = failed_deployment(aws, settings, secret, **without_secret)
    assert said == [f"deploy: {STACK} was not deployed; nothing is left of it"]
    assert aws.stacks() == []


def test_a_first_release_that_does_not_work_leaves_nothing(aws, settings, secret, elsewhere):
    said = failed_deployment(aws, settings, {key: elsewhere(url) for key, url in secret.items()})
    assert f"deploy: {STACK}-get-quote does not start or crashes" in "\n".join(said)
    assert said[-1].endswith(f" does not work: {STACK} was deleted again")
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
def live(aws, settings):
    result = commands.run("deploy", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    *_, release, last = result.stdout.splitlines()
    yield Live(aws, last.removesuffix(" answers"), release.removeprefix("deploy: release "))
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("asked", "key"), [("CLERK_NONCE_HANDSHAKES", "clerkSecretKey"), ("CLERK_WEBHOOK", "webhookSecret")]
)
def test_an_update_whose_secret_lacks_a_key_is_refused(settings, live, asked, key):
    said = complaints(commands.run("deploy", **settings | {asked: "true"}))
    assert len(said) == 1 and said[0].startswith(f"deploy: {key} of the secret is not set")
    live.assert_unchanged()


def test_an_update_that_cannot_write_is_refused(aws, settings, secret, live):
    wrong = secret["url"].replace(postgres.PASSWORD, "not-the-password")
    said = failed_deployment(aws, settings, secret | {"url": wrong})
    assert len(said) == 1 and said[0].startswith("deploy: url of the secret cannot be used: password authentication")
    assert "not-the-password" not in said[0]
    live.assert_unchanged()


def test_an_update_that_fails_changes_nothing(aws, settings, secret, live, without_secret):
    said = failed_deployment(aws, settings, secret, **without_secret)
    assert said == [f"deploy: {STACK} was not deployed; it is as it was before"]
    live.assert_unchanged()


def test_a_release_whose_functions_do_not_start_is_taken_back(aws, settings, secret, live, elsewhere):
    """Those that change quotes, and a function that is new with this release."""
    bad = {key: elsewhere(secret[key]) for key in ("url", "eraserUrl")}
    changed = {"CLERK_WEBHOOK": "true"}
    webhook = {"webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    said = failed_deployment(aws, settings, secret | webhook | bad, **changed)
    about = [line for line in said if line.startswith("deploy: ")]
    assert [line.partition(" does not start or crashes")[0] for line in about[:-1]] == [
        f"deploy: {STACK}-{name}" for name in ("clerk-webhook", "delete-quote", "save-quote")
    ]
    # Why, in the function's own words.
    assert "DATABASE_URL needs PGSSLROOTCERT, or its own sslrootcert, to be a readable PEM file" in "\n".join(said)
    assert about[-1].endswith(f" does not work: release {live.release} is live again")
    live.assert_unchanged()


def test_while_the_database_is_down_no_release_works(aws, settings, secret, live, database):
    down = {key: "postgresql://o:pw@localhost:1/d?sslrootcert=system" for key in secret}
    postgres.run(database, [f"ALTER ROLE {role} NOLOGIN" for role in postgres.ROLES.values()])
    # What is live has a connection, which only a member of its role may end.
    postgres.run(database, [f"GRANT {role} TO CURRENT_USER" for role in postgres.ROLES.values()])
    open_connections = "FROM pg_stat_activity WHERE usename LIKE 'quotes^_%' ESCAPE '^'"
    postgres.run(database, [f"SELECT pg_terminate_backend(pid) {open_connections}"])
    said = failed_deployment(aws, settings, down)
    postgres.run(database, [f"ALTER ROLE {role} LOGIN" for role in postgres.ROLES.values()])
    about = [line for line in said if line.startswith("deploy: ")]
    assert [line.partition(" cannot be tried from this machine")[0] for line in about[:2]] == [
        f"deploy: warning: {key} of the secret" for key in ("url", "readOnlyUrl")
    ]
    assert f"deploy: {STACK}-get-quote cannot use its database (database-down)" in about
    assert about[-2] == f"deploy: release {live.release} does not pass the same check"
    assert about[-1].endswith(f" does not work: release {live.release} is live again")
    live.assert_unchanged()


def test_a_failed_update_keeps_what_was_gone_back_to(aws, settings, secret, live, without_secret):
    result = commands.run("deploy", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    result = commands.run("rollback", RELEASE=live.release, **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    said = failed_deployment(aws, settings, secret, **without_secret)
    assert said == [f"deploy: {STACK} was not deployed; it is as it was before"]
    live.assert_unchanged()
