"""What can be wrong before and while deploying: one clear line each, and nothing half-made."""

import json
import os
import pathlib
import shutil
import stat
import subprocess

import pytest

import artefacts
import clerk
import commands
import source

SECRET = "quotes/broken/database"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/ab-12"
LIVE_KEY = clerk.PUBLISHABLE_KEY.replace("pk_test_", "pk_live_")
# The functions start with it. What the variables say about roots.pem is not true here.
UNREACHABLE = dict.fromkeys(("url", "readOnlyUrl", "eraserUrl"), "postgresql://o:pw@localhost:1/d?sslrootcert=system")
COMMANDS = ("deploy", "rollback", "logs", "destroy")


def complaint(result):
    """The only line that a command that did nothing wrote to standard error."""
    assert result.returncode != 0, result.stdout + result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


@pytest.fixture(scope="module")
def settings(aws):
    secret = json.dumps({"url": "postgresql://o:pw@localhost:1/d", "readOnlyUrl": "postgresql://r:pw@localhost:1/d"})
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=secret)
    return aws.variables | {
        "STAGE": "broken",
        "BUILD": "0",
        "ARCH": artefacts.NATIVE,
        "LAMBDA_DIR": str(artefacts.folder(artefacts.NATIVE)),
        "CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY,
    }


def stacks(aws):
    """The stacks that are there in any state; sam's own for artefacts apart."""
    found = aws.client("cloudformation").describe_stacks()["Stacks"]
    return [s["StackName"] for s in found if s["StackName"].startswith("quotes-broken")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stage", ["", "Production", "a_b", "-a", "a-", "x" * 21, "a b", "$(id)"])
def test_a_stage_has_a_sensible_name(command, stage):
    assert complaint(commands.run(command, STAGE=stage)).startswith(f"{command}: STAGE is ")


def programs(folder, *names):
    """A folder with these programs of this machine and no others."""
    for name in names:
        (folder / name).symlink_to(shutil.which(name, path=commands.environment()["PATH"]))
    return str(folder)


def test_every_missing_tool_is_named(tmp_path):
    path = programs(tmp_path, "sh", "basename", "dirname")
    result = commands.run("deploy", STAGE="broken", PATH=path)
    assert result.returncode == 1
    assert [line.split(" is missing: ")[0] for line in result.stderr.splitlines()] == [
        f"deploy: {tool}" for tool in ("aws", "sam", "cargo", "python3", "curl")
    ]


def test_one_missing_tool_is_one_line(tmp_path):
    path = programs(tmp_path, "sh", "basename", "dirname", "aws", "cargo", "python3", "curl")
    result = commands.run("deploy", STAGE="broken", PATH=path)
    assert complaint(result).startswith("deploy: sam is missing: https://")


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_credentials_are_said(command):
    result = commands.run(command, STAGE="broken", AWS_REGION="eu-west-1")
    assert "AWS does not accept the credentials" in complaint(result)


def test_a_missing_region_is_said():
    assert "AWS_REGION is not set" in complaint(commands.run("deploy", STAGE="broken"))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"CLERK_PUBLISHABLE_KEY": ""}, "CLERK_PUBLISHABLE_KEY is not set; it should be pk_test_"),
        ({"CLERK_PUBLISHABLE_KEY": "sk_test_c2VjcmV0"}, "CLERK_PUBLISHABLE_KEY is malformed; it should be pk_test_"),
        ({"CLERK_JWT_KEY": "-----BEGIN PRIVATE KEY-----"}, "CLERK_JWT_KEY is malformed"),
        ({"CLERK_SIGN_IN_URL": "http://example.com/"}, "CLERK_SIGN_IN_URL is malformed"),
        ({"CLERK_PUBLISHABLE_KEY": LIVE_KEY}, "DOMAIN_NAME is not set; a production instance"),
        ({"DOMAIN_NAME": "https://a.example.com"}, "DOMAIN_NAME is malformed"),
        ({"DOMAIN_NAME": "a.example.com"}, "CERTIFICATE_ARN is not set"),
        ({"HOSTED_ZONE_ID": "Z0123456789"}, "DOMAIN_NAME is not set"),
        ({"LOG_RETENTION_DAYS": "31"}, "LOG_RETENTION_DAYS is malformed; it should be 1, 3,"),
        ({"CLERK_NONCE_HANDSHAKES": "yes"}, "CLERK_NONCE_HANDSHAKES is malformed; it should be true or false"),
        ({"CLERK_NONCE_HANDSHAKES": "true", "STAGE": "pr-7"}, "CLERK_NONCE_HANDSHAKES must not be set: the preview"),
        ({"ARCH": "arm"}, "ARCH is malformed; it should be arm64 or x86_64"),
        ({"DATABASE_SECRET": "quotes/nowhere"}, "DATABASE_SECRET names a secret that cannot be found (quotes/nowhere)"),
        ({"MIGRATE": "1"}, "MIGRATION_DATABASE_URL is not set"),
        ({"MIGRATE": "yes"}, "MIGRATE is malformed"),
        ({"LAMBDA_DIR": "/nowhere"}, "LAMBDA_DIR has no artefacts"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_made(aws, settings, changed, line):
    said = complaint(commands.run("deploy", **settings | changed))
    assert said.startswith(f"deploy: {line}")
    assert not any(value and value in said for name, value in changed.items() if name.startswith("CLERK"))
    assert stacks(aws) == []


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({}, True),
        ({"CLERK_AUTHORIZED_PARTIES": "https://a.example.com"}, False),
        ({"CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY}, False),
    ],
)
def test_production_without_authorized_parties_is_warned_of(settings, changed, warned):
    production = {"CLERK_PUBLISHABLE_KEY": LIVE_KEY, "DOMAIN_NAME": "a.example.com", "CERTIFICATE_ARN": CERTIFICATE}
    # The settings are right, so that it ends only where the artefacts are needed.
    result = commands.run("deploy", **settings | production | {"LAMBDA_DIR": "/nowhere"} | changed)
    *warnings, last = result.stderr.splitlines()
    assert last == "deploy: LAMBDA_DIR has no artefacts: run make build"
    assert len(warnings) == (1 if warned else 0)
    for warning in warnings:
        assert warning.startswith("deploy: warning: CLERK_AUTHORIZED_PARTIES is not set, so sessions without azp are")
        assert "set it to https://a.example.com, and restrict Clerk's allowed subdomains (see SECURITY.md)" in warning


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({}, False),
        ({"ClerkTestKey": clerk.PUBLISHABLE_KEY}, True),
        ({"ClerkTestKey": clerk.PUBLISHABLE_KEY, "ClerkLiveKey": LIVE_KEY}, False),
        ({"ClerkLiveKey": LIVE_KEY}, False),
        ({"ClerkLiveKey": LIVE_KEY, "DomainName": "a.example.com"}, False),
        ({"ClerkLiveKey": LIVE_KEY, "DomainName": "a.example.com", "CertificateArn": CERTIFICATE}, True),
        ({"ClerkTestKey": clerk.PUBLISHABLE_KEY, "CertificateArn": CERTIFICATE}, False),
        ({"ClerkTestKey": "pk_test_?"}, False),
    ],
)
def test_the_template_refuses_by_itself(aws, values, accepted):
    """Its patterns and rules, for whoever deploys without the command."""
    values = {"Release": "r1", "DatabaseSecret": SECRET, "DatabaseSecretVersion": "0" * 32} | values
    formation = aws.client("cloudformation")
    try:
        formation.create_change_set(
            StackName="quotes-rules",
            ChangeSetName="rules",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps(source.translate(source.read())),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        formation.delete_stack(StackName="quotes-rules")
        refused = False
    except formation.exceptions.ClientError as error:
        refused = error.response["Error"]["Code"] == "ValidationError"
    assert refused is not accepted


def path_with(folder, name, script):
    """A PATH on which a program is this script."""
    program = pathlib.Path(folder) / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)
    return f"{folder}{os.pathsep}{commands.environment()['PATH']}"


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("ROLLBACK_COMPLETE", "can no longer be updated (ROLLBACK_COMPLETE): run make destroy STAGE=broken"),
        ("ROLLBACK_FAILED", "can no longer be updated (ROLLBACK_FAILED)"),
        ("CREATE_FAILED", "can no longer be updated (CREATE_FAILED)"),
        ("DELETE_FAILED", "can no longer be updated (DELETE_FAILED)"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name quotes-broken"),
        ("UPDATE_IN_PROGRESS", "is being changed (UPDATE_IN_PROGRESS): wait"),
        ("DELETE_IN_PROGRESS", "is being changed (DELETE_IN_PROGRESS): wait"),
    ],
)
def test_a_stack_in_a_state_that_cannot_be_updated_is_left_alone(tmp_path, settings, state, line):
    script = f'case $* in sts*) echo 1;; *describe-stacks*) echo "{state}";; *) exit 1;; esac'
    said = complaint(commands.run("deploy", **settings | {"PATH": path_with(tmp_path, "aws", script)}))
    assert said.startswith("deploy: quotes-broken ") and line in said


def test_a_stack_that_really_failed_is_named_and_can_be_destroyed(aws, settings):
    bad = {"Resources": {"F": {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": "{{resolve:secretsmanager:nowhere}}", "Action": "a", "Principal": "p"}}}}
    formation = aws.client("cloudformation")
    formation.create_stack(StackName="quotes-broken", TemplateBody=json.dumps(bad), OnFailure="ROLLBACK")
    with pytest.raises(Exception, match="terminal failure"):
        formation.get_waiter("stack_create_complete").wait(StackName="quotes-broken", WaiterConfig={"Delay": 1})
    said = complaint(commands.run("deploy", **settings))
    assert said.startswith("deploy: quotes-broken can no longer be updated (ROLLBACK_COMPLETE)")
    result = commands.run("destroy", answer="broken\n", **settings)
    assert result.returncode == 0, result.stderr
    assert stacks(aws) == []


@pytest.mark.parametrize(
    ("keys", "changed"),
    [
        (("url",), {}),
        (("url", "readOnlyUrl"), {"CLERK_NONCE_HANDSHAKES": "true"}),
        (("url", "readOnlyUrl", "eraserUrl"), {"CLERK_WEBHOOK": "true"}),
    ],
)
def test_a_first_deployment_that_fails_leaves_nothing(aws, settings, keys, changed):
    name = f"quotes/half-{len(keys)}"
    secret = json.dumps(dict.fromkeys(keys, "postgresql://o:pw@localhost:1/d"))
    aws.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    result = commands.run("deploy", **settings | {"DATABASE_SECRET": name} | changed)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("deploy: quotes-broken was not deployed")
    assert stacks(aws) == []


@pytest.mark.parametrize(("wanted", "given"), [("false", {}), ("true", {"render-page": "sk_test_c2VjcmV0"})])
def test_only_the_page_gets_clerks_secret_key_and_only_if_asked(aws, settings, wanted, given):
    name = f"quotes/nonce-{wanted}"
    # Without being asked for, it need not be there.
    secret = UNREACHABLE | {"clerkSecretKey": key for key in given.values()}
    aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    changed = {"DATABASE_SECRET": name, "CLERK_NONCE_HANDSHAKES": wanted}
    result = commands.run("deploy", **settings | changed)
    assert result.returncode == 0, result.stderr
    found = {}
    for function in aws.client("lambda").list_functions()["Functions"]:
        if function["FunctionName"].startswith("quotes-broken-"):
            found[function["FunctionName"].removeprefix("quotes-broken-")] = function["Environment"]["Variables"]
    assert commands.run("destroy", answer="broken\n", **settings).returncode == 0
    assert len(found) == 4
    keys = {name: variables.get("CLERK_SECRET_KEY") for name, variables in found.items()}
    assert {name: key for name, key in keys.items() if key is not None} == given


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
def test_functions_that_do_not_start_are_noticed(aws, settings, name, secret, changed, line):
    name = f"quotes/no-start-{name}"
    aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    result = commands.run("deploy", **settings | {"DATABASE_SECRET": name} | changed)
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert line in said and said.endswith("make logs STAGE=broken")
    assert commands.run("destroy", answer="broken\n", **settings).returncode == 0


def test_a_failed_build_stops_the_deployment(aws, settings, tmp_path):
    path = path_with(tmp_path, "cargo", "echo 'error: it does not compile' >&2; exit 101")
    assert complaint(commands.run("deploy", **settings | {"BUILD": "1", "PATH": path})) == "error: it does not compile"
    assert stacks(aws) == []


def test_a_failed_migration_stops_the_deployment(aws, settings):
    url = "postgresql://o:pw@localhost:1/d"
    result = commands.run("deploy", MIGRATE="1", MIGRATION_DATABASE_URL=url, **settings)
    assert complaint(result).startswith("migrate: cannot connect to the database")
    assert stacks(aws) == []


@pytest.mark.parametrize("command", ["rollback", "logs", "destroy"])
def test_a_stage_that_is_not_deployed_is_said(command, settings):
    said = complaint(commands.run(command, **settings))
    assert said == f"{command}: there is no stack quotes-broken in eu-west-1"


def test_the_settings_of_a_stage_come_from_its_file(settings):
    stage = f"file-{os.getpid()}"
    file = commands.INFRA / "stages" / f"{stage}.env"
    file.write_text("DATABASE_SECRET=quotes/from-file\n")
    try:
        said = complaint(commands.run("deploy", **settings | {"STAGE": stage}))
    finally:
        file.unlink()
    assert "DATABASE_SECRET names a secret that cannot be found (quotes/from-file)" in said


def test_git_keeps_the_settings_of_stages_out():
    def ignored(name):
        command = ["git", "check-ignore", "--quiet", "--no-index", f"infra/stages/{name}.env"]
        return subprocess.run(command, cwd=commands.ROOT, check=False).returncode == 0

    assert ignored("production")
    assert not ignored("example")


def test_the_stand_in_for_aws_listens_on_loopback_only(aws):
    sockets = {os.readlink(fd) for fd in pathlib.Path(f"/proc/{aws.process.pid}/fd").iterdir() if fd.exists()}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            # 0A: listening.
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                listening.add(fields[1].split(":")[0])
    assert listening == {"0100007F"}
