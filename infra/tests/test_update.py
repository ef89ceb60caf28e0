"""A stack of the release before is updated: nothing is made anew, and each function gets its own code.

release_before.json is the template of that release, which is written anew when a
release is published: source.read() as JSON. The functions are not called, so their
programs can be anything.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import zipfile

import pytest

import clerk
import commands
import rules
import source
from ministack import REGION

STACK = "quotes-update"
SECRET = "quotes/update/database"
BEFORE = pathlib.Path(__file__).with_name("release_before.json")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


class Stack:
    """The stack, and what it is deployed from."""

    def __init__(self, aws, folder):
        self.aws = aws
        self.folder = folder
        urls = dict.fromkeys(("url", "readOnlyUrl", "eraserUrl"), "postgresql://o:pw@localhost:1/d")
        secret = aws.client("secretsmanager").create_secret(
            Name=SECRET, SecretString=json.dumps(urls | {"webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
        )
        self.version = secret["VersionId"]
        for name in rules.FUNCTIONS:
            (folder / name).mkdir()
            with zipfile.ZipFile(folder / name / "bootstrap.zip", "w") as artefact:
                artefact.writestr("bootstrap", f"#!/bin/sh\n# {name}\n")

    def deploy(self, template, release, **parameters):
        """What deploy.sh does with a template."""
        path = self.folder / "template.yaml"
        path.write_text(template.replace("../target/lambda/", f"{self.folder}/"), encoding="utf-8")
        values = {
            "Release": release,
            "DatabaseSecret": SECRET,
            "DatabaseSecretVersion": self.version,
            "ClerkTestKey": clerk.PUBLISHABLE_KEY,
            "ClerkWebhook": "true",
            **parameters,
        }
        (self.folder / "parameters.yaml").write_text(json.dumps(values), encoding="utf-8")
        command = [
            pathlib.Path(sys.executable).with_name("sam"), "deploy", "--language-extensions", "--resolve-s3",
            "--s3-prefix", f"{STACK}/{release}", "--template-file", path, "--stack-name", STACK, "--region", REGION,
            "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-progressbar",
            "--parameter-overrides", f"file://{self.folder}/parameters.yaml",
        ]  # fmt: skip
        environment = commands.environment(SAM_CLI_TELEMETRY="0", **self.aws.variables)
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    def resources(self):
        """Logical id -> physical id, without the versions: each release has its own."""
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in found
            if resource["ResourceType"] != "AWS::Lambda::Version"
        }


@pytest.fixture(scope="module")
def stack(aws, tmp_path_factory):
    stack = Stack(aws, tmp_path_factory.mktemp("artefacts"))
    stack.deploy(BEFORE.read_text(encoding="utf-8"), "r1")
    stack.before = stack.resources()
    stack.deploy(source.PATH.read_text(encoding="utf-8"), "r2", AlarmTopicArn=TOPIC)
    stack.after = stack.resources()
    return stack


def test_an_update_makes_nothing_anew(stack):
    assert {name: stack.after.get(name) for name in stack.before} == stack.before


def test_each_function_gets_its_own_code(stack):
    functions = stack.aws.client("lambda")
    for name in rules.FUNCTIONS:
        artefact = (stack.folder / name / "bootstrap.zip").read_bytes()
        own = base64.b64encode(hashlib.sha256(artefact).digest()).decode()
        live = functions.get_function_configuration(FunctionName=f"{STACK}-{name}", Qualifier="live")
        assert (live["CodeSha256"], live["Version"]) == (own, "2"), name


def test_the_dashboard_is_json_and_searches_every_log(stack):
    body = stack.aws.client("cloudwatch").get_dashboard(DashboardName=STACK)["DashboardBody"]
    queries = [widget["properties"].get("query", "") for widget in json.loads(body)["widgets"]]
    for name in rules.FUNCTIONS:
        assert any(f"SOURCE '/aws/lambda/{STACK}-{name}' |" in query for query in queries)
    assert any(query.startswith(f"SOURCE '/aws/vendedlogs/{STACK}/access' |") for query in queries)


def test_alarms_are_only_where_there_is_a_topic(stack):
    def alarms():
        found = stack.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=STACK)["MetricAlarms"]
        return {alarm["AlarmName"]: alarm for alarm in found}

    assert len(alarms()) == 3 * len(rules.FUNCTIONS) + 2
    assert all(alarm["AlarmActions"] == [TOPIC] for alarm in alarms().values())
    # Without a topic and the webhook, but traced.
    stack.deploy(
        source.PATH.read_text(encoding="utf-8"), "r3", AlarmTopicArn="", ClerkWebhook="false", Tracing="true"
    )
    assert alarms() == {}
    functions = stack.aws.client("lambda").list_functions()["Functions"]
    modes = {f["FunctionName"]: f["TracingConfig"]["Mode"] for f in functions if f["FunctionName"].startswith(STACK)}
    assert modes == {f"{STACK}-{name}": "Active" for name in rules.FUNCTIONS if name != rules.WEBHOOK}


def test_a_protected_stage_is_destroyed_only_after_what_is_said(stack):
    formation = stack.aws.client("cloudformation")
    formation.update_termination_protection(StackName=STACK, EnableTerminationProtection=True)
    said = commands.complaint(commands.run("destroy", answer="update\n", STAGE="update", **stack.aws.variables))
    assert said.startswith("destroy: quotes-update is protected against deletion")
    assert stack.resources()
    # Its advice, as it is written.
    advice = said.partition("run ")[2].partition(", then")[0]
    environment = commands.environment(AWS_DEFAULT_REGION=REGION, **stack.aws.variables)
    subprocess.run(["sh", "-c", advice], env=environment, capture_output=True, check=True)
    result = commands.run("destroy", answer="update\n", STAGE="update", **stack.aws.variables)
    assert result.returncode == 0, result.stderr
