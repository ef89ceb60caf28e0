"""What the commands refuse: one clear line each, and nothing is made."""

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
import stages

SECRET = "quotes/broken/database"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/ab-12"
LIVE_KEY = clerk.PUBLISHABLE_KEY.replace("pk_test_", "pk_live_")
COMMANDS = ("deploy", "rollback", "logs", "destroy")


@pytest.fixture(scope="module")
def settings(aws):
    secret = json.dumps({"url": "postgresql://o:pw@localhost:1/d", "readOnlyUrl": "postgresql://r:pw@localhost:1/d"})
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=secret)
    return stages.settings(aws, "broken")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stage", ["", "Production", "a_b", "-a", "a-", "x" * 21, "a b", "$(id)"])
def test_a_stage_has_a_sensible_name(command, stage):
    assert commands.complaint(commands.run(command, STAGE=stage)).startswith(f"{command}: STAGE is ")


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
    assert commands.complaint(result).startswith("deploy: sam is missing: https://")


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_credentials_are_said(command):
    result = commands.run(command, STAGE="broken", AWS_REGION="eu-west-1")
    assert "AWS does not accept the credentials" in commands.complaint(result)


def test_a_missing_region_is_said():
    assert "AWS_REGION is not set" in commands.complaint(commands.run("deploy", STAGE="broken"))


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
        ({"BUILD": "yes"}, "BUILD is malformed; it should be 0 or 1"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_made(aws, settings, changed, line):
    said = commands.complaint(commands.run("deploy", **settings | changed))
    assert said.startswith(f"deploy: {line}")
    assert not any(value and value in said for name, value in changed.items() if name.startswith("CLERK"))
    assert aws.stacks() == []


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
    ],
)
def test_the_template_refuses_by_itself(aws, values, accepted):
    """Its rules, for whoever deploys without the command."""
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
        ("ROLLBACK_COMPLETE", "was never complete and cannot be updated (ROLLBACK_COMPLETE): run make destroy STAGE=broken"),
        ("ROLLBACK_FAILED", "was never complete and cannot be updated (ROLLBACK_FAILED)"),
        ("CREATE_FAILED", "was never complete and cannot be updated (CREATE_FAILED)"),
        ("DELETE_FAILED", "is half deleted (DELETE_FAILED): run make destroy STAGE=broken to delete the rest"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack --stack-name quotes-broken"),
        ("IMPORT_ROLLBACK_FAILED", "aws cloudformation describe-stack-events --stack-name quotes-broken"),
        ("IMPORT_IN_PROGRESS", "is being changed (IMPORT_IN_PROGRESS): wait"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name quotes-broken"),
        ("UPDATE_IN_PROGRESS", "is being changed (UPDATE_IN_PROGRESS): wait"),
        ("DELETE_IN_PROGRESS", "is being changed (DELETE_IN_PROGRESS): wait"),
    ],
)
def test_a_stack_in_a_state_that_cannot_be_updated_is_left_alone(tmp_path, settings, state, line):
    script = f'case $* in sts*) echo 1;; *describe-stacks*) echo "{state}";; *) exit 1;; esac'
    said = commands.complaint(commands.run("deploy", **settings | {"PATH": path_with(tmp_path, "aws", script)}))
    assert said.startswith("deploy: quotes-broken ") and line in said


def test_a_failed_build_stops_the_deployment(aws, settings, tmp_path):
    path = path_with(tmp_path, "cargo", "echo 'error: it does not compile' >&2; exit 101")
    # A build begins by deleting what it will make, which other tests need.
    changed = {"BUILD": "1", "LAMBDA_DIR": str(tmp_path / "artefacts"), "PATH": path}
    assert commands.complaint(commands.run("deploy", **settings | changed)) == "error: it does not compile"
    result = commands.run("deploy", **settings | changed | {"MIGRATIONS": str(artefacts.migrations())})
    assert result.returncode != 0 and result.stderr.splitlines()[-1] == "error: it does not compile"
    assert aws.stacks() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_what_aws_does_not_allow_is_said_in_its_words(command, tmp_path, settings):
    """A stack that may not be looked at is not taken for one that is not there."""
    refusal = "An error occurred (AccessDenied) when calling the DescribeStacks operation: not authorized"
    script = f'case $* in sts*) echo 1;; *) echo >&2; echo "{refusal}" >&2; exit 254;; esac'
    said = commands.complaint(commands.run(command, **settings | {"PATH": path_with(tmp_path, "aws", script)}))
    assert said == f"{command}: quotes-broken cannot be looked at: {refusal}"


def test_a_secret_that_may_not_be_read_is_said_in_the_words_of_aws(tmp_path, settings):
    refusal = "An error occurred (AccessDeniedException) when calling the GetSecretValue operation: not authorized"
    script = (
        'case $* in sts*) echo 1;; *describe-stacks*) echo "Stack does not exist" >&2; exit 254;; '
        f'*) echo "{refusal}" >&2; exit 254;; esac'
    )
    said = commands.complaint(commands.run("deploy", **settings | {"PATH": path_with(tmp_path, "aws", script)}))
    assert said == f"deploy: {SECRET} cannot be read: {refusal}"


def test_a_secret_that_is_scheduled_for_deletion_can_be_restored(aws, settings):
    aws.put_secret("quotes/gone", {"url": "x"})
    aws.client("secretsmanager").delete_secret(SecretId="quotes/gone")
    said = commands.complaint(commands.run("deploy", **settings | {"DATABASE_SECRET": "quotes/gone"}))
    restore = "aws secretsmanager restore-secret --secret-id quotes/gone"
    assert said == f"deploy: quotes/gone is scheduled for deletion: run {restore}"


@pytest.mark.parametrize("version", ["1.169.9", "0.200.0"])
def test_a_sam_that_is_too_old_is_said(tmp_path, settings, version):
    path = path_with(tmp_path, "sam", f"echo SAM CLI, version {version}")
    said = commands.complaint(commands.run("deploy", **settings | {"PATH": path}))
    assert said == f"deploy: sam is version {version}; it should be 1.170 or later"


def test_a_database_that_cannot_be_migrated_stops_the_deployment(aws, settings):
    url = "postgresql://o:hidden@nowhere.invalid/d"
    result = commands.run("deploy", MIGRATE="1", MIGRATION_DATABASE_URL=url, **settings)
    *warnings, last = result.stderr.splitlines()
    assert result.returncode == 1 and "hidden" not in result.stderr
    assert last.startswith("deploy: MIGRATION_DATABASE_URL: cannot connect to the database: looking up the host")
    # The others are those of the secret.
    assert [line.partition(" cannot be tried")[0] for line in warnings] == [
        f"deploy: warning: {key} of the secret" for key in ("url", "readOnlyUrl")
    ]
    assert aws.stacks() == []


@pytest.mark.parametrize("command", ["rollback", "logs", "destroy"])
def test_a_stage_that_is_not_deployed_is_said(command, settings):
    said = commands.complaint(commands.run(command, **settings))
    assert said == f"{command}: there is no stack quotes-broken in eu-west-1"


def test_the_settings_of_a_stage_come_from_its_file(settings):
    stage = f"file-{os.getpid()}"
    file = commands.INFRA / "stages" / f"{stage}.env"
    # As an editor of Windows writes it.
    file.write_bytes(b"AWS_REGION=eu-west-1\r\nDATABASE_SECRET=quotes/from-file\r\n")
    try:
        said = commands.complaint(commands.run("deploy", **settings | {"STAGE": stage}))
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
