"""The stand-in for AWS: ministack, in a venv of its own (ministack.txt)."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boto3
from botocore.exceptions import WaiterError

PROGRAM = pathlib.Path(sys.prefix).with_name("ministack") / "bin" / "ministack"
REGION = "eu-west-1"
START_SECONDS = 60


class Ministack:
    """A running stand-in; as a context manager it ends at the end."""

    def __init__(self, port):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
        }
        self.settings = {
            # Without it every interface would be listened on.
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            # The functions run as processes of this machine.
            "LAMBDA_EXECUTOR": "local",
            # Identity policies are enforced. The key "test" is the account's root.
            "AUTH": "true",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        }

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ministack-")
        self.log = pathlib.Path(self.folder.name) / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [PROGRAM],
                cwd=self.folder.name,
                env={"PATH": os.environ["PATH"], "HOME": self.folder.name, "TMPDIR": self.folder.name} | self.settings,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.folder.cleanup()

    def _answers(self):
        try:
            return urllib.request.urlopen(self.endpoint, timeout=5) is not None
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def client(self, service):
        """A client of one of its services."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stacks(self):
        """The stages that are there, in any state; sam's own stack for artefacts apart."""
        found = self.client("cloudformation").describe_stacks()["Stacks"]
        return [stack["StackName"] for stack in found if stack["StackName"].startswith("quotes-")]

    def fail_stack(self, name):
        """Makes a stack whose creation failed and was rolled back."""
        bad = {"Resources": {"Bad": {"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": "{{resolve:secretsmanager:nowhere}}", "Action": "a", "Principal": "p"}}}}
        formation = self.client("cloudformation")
        formation.create_stack(StackName=name, TemplateBody=json.dumps(bad), OnFailure="ROLLBACK")
        try:
            formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        except WaiterError:
            return
        raise AssertionError(f"{name} was created")

    def put_secret(self, name, keys):
        """Makes a secret with these keys, or gives it another version."""
        secrets = self.client("secretsmanager")
        text = json.dumps(keys)
        try:
            secrets.create_secret(Name=name, SecretString=text)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, SecretString=text)

    def variables_of(self, stage):
        """Function -> the environment variables of its published version, as far as the stage has it."""
        found = {}
        for function in self.client("lambda").list_functions()["Functions"]:
            stack, _, name = function["FunctionName"].partition(f"quotes-{stage}-")
            if name and not stack:
                found[name] = function["Environment"]["Variables"]
        return found
