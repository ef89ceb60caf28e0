"""The workflows for GitHub Actions: linted, and least powerful."""

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

import commands

WORKFLOWS = sorted((commands.ROOT / ".github" / "workflows").glob("*.yml"))


def tool(name, *arguments):
    """What a linter of this venv says, and its exit status."""
    program = pathlib.Path(sys.executable).with_name(name)
    result = subprocess.run([program, *arguments, *WORKFLOWS], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def read(name):
    text = (commands.ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    # YAML 1.1 reads `on` as true.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}


def test_the_schema_holds():
    status, said = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    assert status == 0, said


def test_zizmor_finds_nothing():
    status, said = tool("zizmor", "--offline", "--no-progress", "--persona", "pedantic")
    assert status == 0, said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_commits(path):
    used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


def test_the_test_commands_run_on_pull_requests():
    workflow = read("ci.yml")
    commands = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert "pull_request" in workflow["on"]
    assert {"make test", "make test-slow"} <= set(commands)


def test_a_pull_request_gets_no_secret_and_may_only_read():
    workflow = read("ci.yml")
    # `pull_request_target` would run with the secrets of the repository.
    assert list(workflow["on"]) == ["pull_request", "push"]
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert "environment" not in job
    text = (commands.ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "secrets." not in text


def test_a_deployment_gets_every_setting_that_is_documented():
    (job,) = read("deploy.yml")["jobs"].values()
    given = next(step["env"] for step in job["steps"] if step.get("run") == "make deploy")
    readme = (commands.INFRA / "README.md").read_text(encoding="utf-8")
    table = re.search(r"\n## Settings\n.*?\n\n(\|.*?)\n\n", readme, re.DOTALL)[1]
    documented = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    # The credentials are a role's, and the artefacts are those that were built.
    elsewhere = {"AWS_REGION", "AWS_PROFILE", "ARCH", "LAMBDA_DIR"}
    assert documented >= elsewhere | {"CLERK_PUBLISHABLE_KEY"}
    assert given.keys() - {"BUILD", "STAGE", "MIGRATE"} == documented - elsewhere
    for name in documented - elsewhere:
        kind = "secrets" if name == "MIGRATION_DATABASE_URL" else "vars"
        assert given[name] == f"${{{{ {kind}.{name} }}}}"


def test_a_deployment_is_asked_for_and_has_no_key_of_its_own():
    workflow = read("deploy.yml")
    assert list(workflow["on"]) == ["workflow_dispatch"]
    (job,) = workflow["jobs"].values()
    assert job["environment"] == "${{ inputs.stage }}"
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    text = (commands.ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
    assert re.findall(r"secrets\.(\w+)", text) == ["MIGRATION_DATABASE_URL"]
