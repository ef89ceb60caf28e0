"""What a deployment finds out about its databases before anything changes.

The settings by themselves are judged in the unit tests of migrations/src/check.rs.
"""

import json
import subprocess
import urllib.parse

import pytest

import artefacts
import clerk
import commands
import postgres
import source

LACKS = "a grant or a migration is missing"


def run(*arguments, secret="", **settings):
    """The program, with a secret on its standard input and these settings."""
    return subprocess.run(
        [artefacts.migrations(), *arguments],
        cwd=commands.ROOT,
        env=commands.environment(**settings),
        input=secret,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def judge(secret, **settings):
    """The errors and warnings about a stage."""
    settings = {"CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY} | settings
    result = run("check", "infra/template.yaml", secret=json.dumps(secret), **settings)
    lines = [line.removeprefix("deploy: ") for line in result.stderr.splitlines()]
    warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    errors = [line for line in lines if not line.startswith("warning: ")]
    assert (result.returncode, result.stdout == "") == ((1, True) if errors else (0, False))
    return errors, warnings


@pytest.fixture(scope="module")
def secret(database):
    """The secret of a stage whose roles the program has made."""
    refused = run("roles", MIGRATION_DATABASE_URL=database)
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith("roles: V1__create_user_messages, ")
    postgres.migrate(database)
    made = run("roles", MIGRATION_DATABASE_URL=database)
    assert made.returncode == 0, made.stderr
    assert made.stderr == "roles: quotes_app was created, quotes_reader was created, quotes_eraser was created\n"
    return json.loads(made.stdout)


def password(url):
    return urllib.parse.urlsplit(url).password


def on(database, url):
    """A URL of another database of the same server."""
    return urllib.parse.urlsplit(url)._replace(path=f"/{database}").geturl()


def test_a_stage_that_is_ready_passes(secret, database):
    webhook = {"webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    assert judge(secret | webhook, CLERK_WEBHOOK="true", MIGRATION_DATABASE_URL=database) == ([], [])
    assert len({password(url) for url in secret.values()}) == 3


def test_every_parameter_is_written_as_yaml_reads_it(secret):
    given = {"RELEASE": "r1", "DATABASE_SECRET": "quotes/a/database", "DATABASE_SECRET_VERSION": "v1"}
    given |= {"CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY, "CLERK_ISSUER": "https://a.example/\"'"}
    result = run("check", "infra/template.yaml", secret=json.dumps(secret), **given)
    assert result.returncode == 0, result.stderr
    defaults = {name: fields.get("Default") for name, fields in source.read()["Parameters"].items()}
    assert json.loads(result.stdout) == defaults | {
        "Release": "r1",
        "DatabaseSecret": "quotes/a/database",
        "DatabaseSecretVersion": "v1",
        "ClerkTestKey": clerk.PUBLISHABLE_KEY,
        "ClerkIssuer": "https://a.example/\"'",
    }


def test_a_role_that_may_too_much_or_too_little_is_found(secret):
    swapped = {"url": secret["readOnlyUrl"], "readOnlyUrl": secret["url"], "eraserUrl": secret["url"]}
    webhook = {"webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    assert judge(swapped | webhook, CLERK_WEBHOOK="true") == (
        [
            f"url of the secret has a role that lacks INSERT, UPDATE, DELETE on user_messages: {LACKS}",
            "readOnlyUrl of the secret has a role that can change user_messages, and must only read",
            f"eraserUrl of the secret has a role that lacks SELECT, INSERT, DELETE on deleted_users: {LACKS}",
        ],
        [],
    )


def test_a_password_that_is_wrong_is_found_and_not_shown(secret):
    wrong = secret["url"].replace(password(secret["url"]), "hidden")
    errors, warnings = judge(secret | {"url": wrong})
    assert len(errors) == 1 and warnings == [] and "hidden" not in errors[0]
    assert errors[0].startswith("url of the secret cannot be used: password authentication failed")


def test_a_database_that_cannot_be_reached_from_here_is_an_error_only_if_asked_for(secret):
    away = secret | {"url": "postgresql://o:hidden@localhost:1/d"}
    errors, warnings = judge(away)
    assert errors == [] and len(warnings) == 1 and "hidden" not in warnings[0]
    assert warnings[0].startswith("url of the secret cannot be tried from this machine (connecting: ")
    errors, warnings = judge(away, PREFLIGHT="strict")
    assert len(errors) == 1 and warnings == []


def test_missing_migrations_are_named(secret, database):
    postgres.run(database, ["CREATE DATABASE before"])
    before = {key: on("before", url) for key, url in secret.items()}
    owner = on("before", database)
    names = "V1__create_user_messages, V2__forget_deleted_users"
    assert judge(before, MIGRATION_DATABASE_URL=owner) == ([f"migrations are missing ({names}): set MIGRATE=1"], [])
    assert judge(before, MIGRATION_DATABASE_URL=owner, MIGRATE="1") == ([], [])
    # Without the owner's URL nobody can tell.
    errors, _ = judge(before)
    assert errors[1] == f"readOnlyUrl of the secret has a role that lacks SELECT on user_messages: {LACKS}"


@pytest.mark.parametrize("arguments", [["check"], ["roles", "x"], ["hidden"]])
def test_arguments_that_are_wrong_are_refused(arguments):
    result = run(*arguments)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == "migrations: the arguments are wrong; they should be none, roles, roles --replace, empty, or check TEMPLATE\n"
