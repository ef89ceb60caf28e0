"""The workflows for GitHub Actions: linted, and least powerful."""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

import commands
from test_commands import path_with, programs

WORKFLOWS = sorted((commands.ROOT / ".github" / "workflows").glob("*.yml"))
DEPENDABOT = commands.ROOT / ".github" / "dependabot.yml"


def tool(name, *arguments):
    """What a linter of this venv says, and its exit status."""
    program = pathlib.Path(sys.executable).with_name(name)
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def read(name):
    text = (commands.ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    # YAML 1.1 reads `on` as true.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}


@pytest.mark.parametrize(("schema", "files"), [("github-workflows", WORKFLOWS), ("dependabot", [DEPENDABOT])])
def test_the_schema_holds(schema, files):
    status, said = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert status == 0, said


def test_zizmor_finds_nothing():
    status, said = tool("zizmor", "--offline", "--no-progress", "--persona", "pedantic", *WORKFLOWS, DEPENDABOT)
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


def test_the_minimum_supported_rust_is_tested():
    job = read("ci.yml")["jobs"]["minimum-rust"]
    assert "cargo test --workspace --locked --no-fail-fast" in runs(job)
    # The toolchain is the one that Cargo.toml names; the command is the workflow's.
    command = re.search(r"\$\((.*)\)", runs(job)[0])[1]
    named = subprocess.run(["sh", "-c", command], cwd=commands.ROOT, capture_output=True, text=True, check=True).stdout
    manifest = tomllib.loads((commands.ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert named.strip() == manifest["workspace"]["package"]["rust-version"]


def test_advisories_and_artefacts_are_looked_at_every_week():
    workflow = read("weekly.yml")
    assert [entry["cron"].split()[2:] for entry in workflow["on"]["schedule"]] == [["*", "*", "1"]]
    commands = [run for job in workflow["jobs"].values() for run in runs(job)]
    assert {"sh tests/deny.sh advisories", "sh tests/checks/newest_aws_lc.sh", "sh infra/reproducible.sh"} <= set(commands)


def test_dependabot_looks_at_every_list_of_dependencies():
    kinds = {"Cargo.lock": "cargo", "package.json": "npm", "requirements.txt": "pip"}
    listed = subprocess.run(["git", "ls-files"], cwd=commands.ROOT, capture_output=True, text=True, check=True)
    files = [pathlib.PurePosixPath("/") / line for line in listed.stdout.splitlines()]
    wanted = {(kinds[file.name], str(file.parent)) for file in files if file.name in kinds} | {("github-actions", "/")}
    updates = yaml.safe_load(DEPENDABOT.read_text(encoding="utf-8"))["updates"]
    assert wanted == {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }


def runs(job):
    """The commands of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_a_deployment_gets_every_setting_that_is_documented():
    job = read("deploy.yml")["jobs"]["deploy"]
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
    job = workflow["jobs"]["deploy"]
    assert job["environment"] == "${{ inputs.stage }}"
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    text = (commands.ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
    assert re.findall(r"secrets\.(\w+)", text) == ["MIGRATION_DATABASE_URL"]


def test_what_was_built_is_deployed_without_cargo(tmp_path):
    path = programs(tmp_path, "sh", "basename", "dirname")
    result = commands.run("deploy", STAGE="staging", BUILD="0", MIGRATE="1", PATH=path)
    assert "deploy: aws is missing" in result.stderr and "cargo" not in result.stderr
    result = commands.run("deploy", STAGE="staging", PATH=path)
    assert "deploy: cargo is missing" in result.stderr


def test_nothing_is_compiled_before_the_tools_are_there():
    for path in WORKFLOWS:
        for job in read(path.name)["jobs"].values():
            ready = False
            for run in runs(job):
                assert ready or not re.match(r"cargo (build|clippy|run|test)", run), f"{path.name}: {run}"
                ready = ready or re.match(r"sh dev/check-tools\.sh|make ", run)


def test_what_builds_has_no_token_and_what_has_one_builds_nothing():
    jobs = read("deploy.yml")["jobs"]
    assert sorted(jobs) == ["attest", "build", "deploy"]
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert "environment" not in jobs["build"] and "make build" in runs(jobs["build"])
    for name in ("attest", "deploy"):
        assert jobs[name]["needs"] == "build"
        assert not [run for run in runs(jobs[name]) if re.search(r"cargo|rustup|make build", run)]
    # What it signs is what it was given: no code of the repository runs there.
    assert jobs["attest"]["permissions"] == {"id-token": "write", "attestations": "write"}
    assert runs(jobs["attest"]) == []
    assert not [step for step in jobs["attest"]["steps"] if "checkout" in step["uses"]]
    deploy = next(step["env"] for step in jobs["deploy"]["steps"] if step.get("run") == "make deploy")
    assert deploy["BUILD"] == "0"


def test_a_preview_is_built_without_a_secret_and_deployed_without_compiling():
    workflow = read("preview.yml")
    jobs = workflow["jobs"]
    assert "pull_request_target" not in workflow["on"] and workflow["permissions"] == {}
    secrets = {name for name, job in jobs.items() if "secrets." in json.dumps(job)}
    tokens = {name for name, job in jobs.items() if "id-token" in job["permissions"]}
    environments = {name: job["environment"] for name, job in jobs.items() if "environment" in job}
    assert secrets == tokens == environments.keys() == {"deploy", "down"}
    assert environments == {"deploy": "preview", "down": "preview-cleanup"}
    compiling = {name for name, job in jobs.items() if re.search(r"cargo|rustup|make build", "\n".join(runs(job)))}
    assert compiling == {"build"}
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    # These run nothing of the pull request.
    for name in ("reason", "comment", "close"):
        assert not [step for step in jobs[name]["steps"] if "uses" in step]


def test_what_deletes_a_preview_is_the_code_of_the_default_branch():
    jobs = read("preview.yml")["jobs"]
    # Not on an event of a pull request, which could change this file.
    assert jobs["down"]["if"] == "vars.PREVIEWS == 'true' && github.event_name != 'pull_request'"
    checkout = next(step for step in jobs["down"]["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert 'gh workflow run preview.yml --ref "$BRANCH"' in runs(jobs["close"])[0]


def test_what_changes_a_preview_is_never_cancelled():
    groups = {name: job["concurrency"] for name, job in read("preview.yml")["jobs"].items()}
    assert groups["deploy"] == {"group": "preview-${{ github.event.pull_request.number }}", "cancel-in-progress": False}
    assert groups["down"] == {"group": "preview-${{ inputs.number || 'sweep' }}", "cancel-in-progress": False}


def run_step(folder, step, **variables):
    """Runs a step as GitHub does; its result, and what it wrote for later jobs and for the summary."""
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    environment = commands.environment(**variables, **{name: str(file) for name, file in files.items()})
    command = ["bash", "-e", "-c", step["run"]]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    return result, *(file.read_text() for file in files.values())


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, ""),
        ({"FORK": "true"}, "it comes from a fork, which gets no secret"),
        ({"DRAFT": "true"}, "it is a draft: it gets one when it is ready for review"),
        ({"AUTHOR": "dependabot[bot]"}, "Dependabot made it, and gets no secret"),
    ],
)
def test_a_pull_request_without_a_preview_is_told_why(tmp_path, event, reason):
    step = read("preview.yml")["jobs"]["reason"]["steps"][0]
    event = {"FORK": "false", "DRAFT": "false", "AUTHOR": "ada"} | event
    result, output, summary = run_step(tmp_path, step, **event)
    assert result.returncode == 0, result.stderr
    assert output == f"reason={reason}\n"
    assert summary == (f"This pull request has no preview: {reason}.\n" if reason else "")


ADDRESS = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "comments", "commented"),
    [
        (ADDRESS, "", True),
        (ADDRESS, f"Nice.\n{ADDRESS}\n", False),
        (f"{ADDRESS}/", "", False),
        (f"{ADDRESS}\n@everyone", "", False),
        ("https://evil.example", "", False),
        ("", "", False),
    ],
)
def test_a_comment_is_the_address_and_nothing_else(tmp_path, url, comments, commented):
    path = path_with(tmp_path, "gh", f"case $2 in view) printf '%s' '{comments}';; *) echo \"$@\" >>{tmp_path}/asked;; esac")
    step = read("preview.yml")["jobs"]["comment"]["steps"][0]
    run_step(tmp_path, step, PATH=path, URL=url, NUMBER="7")
    asked = tmp_path / "asked"
    assert (asked.read_text() if asked.exists() else "") == (f"pr comment 7 --body {url}\n" if commented else "")
