"""Deployments that fail: what is said, and what is there afterwards.

The tests follow the life of a stack, so they run in the order of this file.
"""

import json

import pytest

import commands
import stages

STAGE = "bad"
SECRET = f"quotes/{STAGE}/database"
# The functions start with it. What the variables say about roots.pem is not true here.
UNREACHABLE = dict.fromkeys(("url", "readOnlyUrl", "eraserUrl"), "postgresql://o:pw@localhost:1/d?sslrootcert=system")


@pytest.fixture(scope="module")
def settings(aws):
    aws.put_secret(SECRET, UNREACHABLE)
    return stages.settings(aws, STAGE)


def test_a_stack_that_really_failed_is_named_and_can_be_destroyed(aws, settings):
    bad = {"Resources": {"F": {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": "{{resolve:secretsmanager:nowhere}}", "Action": "a", "Principal": "p"}}}}
    formation = aws.client("cloudformation")
    formation.create_stack(StackName=f"quotes-{STAGE}", TemplateBody=json.dumps(bad), OnFailure="ROLLBACK")
    with pytest.raises(Exception, match="terminal failure"):
        formation.get_waiter("stack_create_complete").wait(StackName=f"quotes-{STAGE}", WaiterConfig={"Delay": 1})
    said = commands.complaint(commands.run("deploy", **settings))
    assert said.startswith(f"deploy: quotes-{STAGE} can no longer be updated (ROLLBACK_COMPLETE)")
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr
    assert aws.stacks() == []


def test_a_first_deployment_that_fails_leaves_nothing(aws, settings):
    aws.put_secret("quotes/half", {"url": UNREACHABLE["url"]})
    result = commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/half"})
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"deploy: quotes-{STAGE} was not deployed")
    assert aws.stacks() == []


@pytest.fixture(scope="module")
def deployed(aws, settings):
    result = commands.run("deploy", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    yield aws.variables_of(STAGE)
    result = commands.run("destroy", answer=f"{STAGE}\n", **settings)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("asked", ["CLERK_NONCE_HANDSHAKES", "CLERK_WEBHOOK"])
def test_an_update_whose_secret_lacks_a_key_changes_nothing(aws, settings, deployed, asked):
    result = commands.run("deploy", **settings | {asked: "true"})
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"deploy: quotes-{STAGE} was not deployed")
    assert aws.variables_of(STAGE) == deployed


@pytest.mark.parametrize(
    ("name", "secret", "changed", "line"),
    [
        ("all", dict.fromkeys(("url", "readOnlyUrl"), "mysql://o:pw@localhost/d"), {},
         "/api/quote should answer 401, not "),
        # Only render-page reads this setting. The template cannot tell that there is no such port.
        ("page", UNREACHABLE, {"CLERK_SIGN_IN_URL": "https://a.example:99999/"}, "/nowhere should answer 404, not "),
        ("webhook", UNREACHABLE | {"webhookSecret": "whsec_x"}, {"CLERK_WEBHOOK": "true"},
         "/api/webhooks/clerk should answer 400, not "),
    ],
)
def test_functions_that_do_not_start_are_noticed(aws, settings, deployed, name, secret, changed, line):
    name = f"quotes/no-start-{name}"
    aws.put_secret(name, secret)
    result = commands.run("deploy", **settings | {"DATABASE_SECRET": name} | changed)
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert line in said and said.endswith(f"make logs STAGE={STAGE}")
