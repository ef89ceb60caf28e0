"""Previews, and the stand-in for Neon's API that they are tested with."""

import json
import os
import shutil
import stat
import subprocess

import pytest

import clerk
import commands
import postgres
import stages
from browser import Browser
import neon as previews
import stand_in

CLIENTS = commands.ROOT / "dev" / "neon"


@pytest.fixture(scope="module")
def variables(neon):
    return {
        "NEON_API_KEY": neon.key,
        "NEON_API_HOST": neon.address,
        "NEON_PROJECT_ID": neon.project,
        "NEON_PARENT_BRANCH": "previews",
    }


@pytest.fixture(scope="module")
def clients():
    """Neon's own clients, from npm."""
    lock, installed = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / ".installed"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--loglevel=error"], cwd=CLIENTS, check=True, timeout=300)
        installed.write_bytes(lock.read_bytes())
    return CLIENTS / "node_modules"


def test_the_official_client_works_with_the_stand_in(neon, variables, clients):
    command = ["node", clients.parent / "official.mjs"]
    environment = commands.environment(**variables)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    uri = said.pop("uri")
    assert said == {
        "locked": 423,
        "statuses": ["running", "finished"],
        "lives": True,
        "names": ["preview/pr-1"],
        "removed": [200, 204],
        "left": 0,
        "refused": 401,
    }
    with pytest.raises(Exception, match="does not exist"):
        postgres.run(uri, ["SELECT 1"])


def test_the_official_command_works_with_the_stand_in(neon, database, variables, clients, tmp_path):
    environment = commands.environment(**variables) | {"HOME": str(tmp_path), "CI": "1"}
    neon.questions = 0

    def neonctl(*arguments):
        command = [clients / ".bin" / "neonctl", *arguments, "--project-id", neon.project, "--output", "json", "--no-analytics"]
        result = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    name = ("preview/pr-2",)
    made = neonctl("branches", "create", "--name", *name, "--parent", "previews", "--cu", "0.25")
    assert json.loads(made.stdout)["branch"]["parent_id"] == neon.parent
    extended = neonctl("branches", "set-expiration", *name, "--expires-at", previews.expiry())
    # It waits by itself while the project is busy.
    assert "Resource is locked" in extended.stderr
    assert json.loads(extended.stdout)["expires_at"]
    uri = neonctl("connection-string", *name).stdout.strip()
    postgres.run(f"{uri}&sslrootcert={postgres.roots(database)}", ["SELECT 1"])
    neonctl("branches", "delete", *name)
    assert names(neon) == []


def names(neon):
    """Of the branches of previews."""
    return sorted(branch["name"] for branch in neon.branches.values() if branch["name"].startswith("preview/"))


@pytest.fixture
def project(neon, variables, monkeypatch):
    """The client under test; it loses no time."""
    monkeypatch.setattr(previews, "FIRST_DELAY", 0)
    monkeypatch.setattr(previews, "POLL_INTERVAL", 0)
    neon.questions = 2
    neon.operations.clear()
    made = previews.Previews(variables)
    yield made
    neon.troubles.clear()
    for number in made.numbers():
        made.delete(number)


def asked(neon, method):
    return sum(asked == method for asked, _ in neon.requests)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("troubles", [[423, 503, "lost"], [429, 500, "unheard"]])
def test_whatever_fails_there_is_one_database_and_then_none(neon, project, method, troubles):
    neon.troubles += [(method, trouble) for trouble in troubles]
    url = project.owner_url(project.make(7))
    assert names(neon) == ["preview/pr-7"]
    postgres.run(url, ["SELECT 1"])
    assert project.owner_url(project.make(7)) == url
    project.delete(7)
    project.delete(7)
    assert names(neon) == [] and neon.troubles == []
    with pytest.raises(Exception, match="does not exist"):
        postgres.run(url, ["SELECT 1"])


@pytest.mark.parametrize("status", [423, 503])
def test_what_always_fails_is_given_up(neon, project, status):
    neon.troubles += [("GET", status)] * (previews.ATTEMPTS + 1)
    with pytest.raises(previews.Problem, match=rf"Neon refuses GET /branches \({status}\): try again later"):
        project.make(7)
    assert len(neon.troubles) == 1


def test_a_post_whose_answer_is_lost_is_not_sent_again(neon, project):
    before = asked(neon, "POST")
    neon.troubles.append(("POST", "lost"))
    project.make(7)
    assert asked(neon, "POST") == before + 1


def test_an_operation_that_does_not_end_is_given_up(neon, project, monkeypatch):
    monkeypatch.setattr(previews, "OPERATION_TIMEOUT", 0)
    neon.questions = 10
    with pytest.raises(previews.Problem, match="Neon's start_compute is still running after 0 s: try again"):
        project.make(7)
    monkeypatch.setattr(previews, "OPERATION_TIMEOUT", 300)
    project.make(7)
    assert names(neon) == ["preview/pr-7"]


def test_the_life_of_a_branch_is_extended(neon, project):
    branch = neon.branches[project.make(7)["id"]]
    branch["expires_at"] = "2000-01-01T00:00:00Z"
    project.make(7)
    assert branch["expires_at"] > stand_in.stamp()


def test_every_page_is_read(neon, project, monkeypatch):
    for number in (1, 10, 100, 1000):
        project.make(number)
    monkeypatch.setattr(neon, "page", 1)
    assert sorted(project.numbers()) == ["1", "10", "100", "1000"]
    assert project.find("preview/pr-1")["name"] == "preview/pr-1"
    assert project.find("preview/pr-") is None


def test_a_branch_of_another_parent_is_not_used(neon, project):
    neon.add("preview/pr-7", neon.main, None)
    with pytest.raises(previews.Problem, match="preview/pr-7 is a branch of another parent than previews: run"):
        project.make(7)


@pytest.mark.parametrize("kind", ["default", "protected"])
def test_a_parent_that_is_default_or_protected_is_refused(neon, project, monkeypatch, kind):
    monkeypatch.setitem(neon.branches[neon.parent], kind, True)
    with pytest.raises(previews.Problem, match=f"NEON_PARENT_BRANCH is the project's {kind} branch"):
        project.make(7)
    assert names(neon) == []


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"NEON_API_KEY": ""}, "NEON_API_KEY is not set; infra/README.md says where to find it"),
        ({"NEON_PROJECT_ID": ""}, "NEON_PROJECT_ID is not set"),
        ({"NEON_PARENT_BRANCH": ""}, "NEON_PARENT_BRANCH is not set"),
        ({"NEON_API_KEY": "wrong"}, "NEON_API_KEY is not accepted by Neon"),
        ({"NEON_PROJECT_ID": "a/b"}, "NEON_PROJECT_ID is malformed"),
        ({"NEON_PROJECT_ID": "another"}, "Neon does not find /branches of the project; NEON_PROJECT_ID should be that of a project that NEON_API_KEY opens"),
        ({"NEON_PARENT_BRANCH": "nowhere"}, "NEON_PARENT_BRANCH names a branch that the project does not have (nowhere)"),
        ({"NEON_API_HOST": "http://127.0.0.1:1"}, "Neon cannot be reached: "),
        ({"NEON_API_HOST": "http://neon.example"}, "NEON_API_HOST is malformed; it should begin with https://"),
        ({"NEON_API_KEY": "napi_a\n"}, "NEON_API_KEY is malformed; it should be as Neon shows it, without blanks"),
    ],
)
def test_a_wrong_setting_of_neon_is_one_line(variables, monkeypatch, project, changed, line):
    with pytest.raises(previews.Problem) as problem:
        previews.Previews(variables | changed).make(7)
    assert str(problem.value).startswith(line) and "\n" not in str(problem.value)


STACK = "quotes-pr-7"
SECRET = "quotes/pr-7/database"
# Runs a tool of the commands, and kills the command and everything that it started where
# CUT says so: after a call, or within sam's, which first makes a change set.
TOOL = """#!/bin/sh
case "$CUT" in
within:*) case "{name} $*" in ${{CUT#within:}}) {program} "$@" --no-execute-changeset; kill -9 0 ;; esac ;;
after:*) case "{name} $*" in ${{CUT#after:}}) {program} "$@"; kill -9 0 ;; esac ;;
esac
exec {program} "$@"
"""


@pytest.fixture(scope="module")
def settings(aws, variables):
    """Of a preview; it is named by the argument."""
    settings = stages.settings(aws, "pr-7") | variables
    del settings["STAGE"]
    return settings


@pytest.fixture
def idle(neon):
    """Neon, with nothing to do."""
    neon.operations.clear()
    neon.questions = 1
    return neon


@pytest.mark.parametrize("arguments", [(), ("up",), ("down",), ("up", "7", "8"), ("sideways", "7"), ("destroy",)])
def test_wrong_arguments_are_said(settings, arguments):
    said = commands.complaint(commands.run("preview", *arguments, **settings))
    assert said.startswith("preview: ") and " should be " in said


@pytest.mark.parametrize("command", ["up", "down", "sweep"])
@pytest.mark.parametrize("number", ["", "0", "07", "7a", "-7", "main", "$(id)", "7 8", "down"])
def test_a_preview_has_the_number_of_a_pull_request(settings, command, number):
    said = commands.complaint(commands.run("preview", command, number, **settings))
    assert said == "preview: N is malformed; it should be the number of a pull request"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY.replace("pk_test_", "pk_live_")},
            "CLERK_PUBLISHABLE_KEY is of a production instance; it should be pk_test_",
        ),
        ({"DOMAIN_NAME": "a.example.com"}, "DOMAIN_NAME must not be set"),
        ({"NEON_API_KEY": ""}, "NEON_API_KEY is not set"),
        ({"NEON_PARENT_BRANCH": "main"}, "NEON_PARENT_BRANCH is the project's default branch"),
    ],
)
def test_a_wrong_setting_makes_no_preview(aws, settings, idle, changed, line):
    said = commands.complaint(commands.run("preview", "up", "7", **settings | changed))
    assert said.startswith(f"preview: {line}")
    assert names(idle) == [] and aws.stacks() == []


def test_a_parent_with_quotes_is_refused(settings, idle):
    parent = idle.url(idle.parent)
    postgres.migrate(parent)
    postgres.run(parent, ["INSERT INTO user_messages (user_id, message) VALUES ('user_1', 'Mine.')"])
    result = commands.run("preview", "up", "7", **settings)
    postgres.run(parent, ["DELETE FROM user_messages"])
    said = commands.complaint(result)
    assert said == "empty: user_messages has rows; previews should be made from a branch without data"
    assert names(idle) == []


class Preview:
    """Runs preview.sh, and cuts it off."""

    def __init__(self, aws, neon, settings, folder):
        self.aws, self.neon = aws, neon
        path = commands.environment()["PATH"]
        programs = {name: shutil.which(name, path=path) for name in ("aws", "sam", "python3")}
        build = ["cargo", "build", "--quiet", "--locked", "--bin", "migrations"]
        subprocess.run(build, cwd=commands.ROOT, env=commands.environment(), check=True)
        target = commands.ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
        programs["migrations"] = target / "debug" / "migrations"
        for name, program in programs.items():
            tool = folder / name
            tool.write_text(TOOL.format(name=name, program=program))
            tool.chmod(stat.S_IRWXU)
        # What is killed cannot delete its files.
        variables = {"PATH": f"{folder}{os.pathsep}{path}", "MIGRATIONS": str(folder / "migrations"), "TMPDIR": str(folder)}
        self.environment = commands.environment(**settings | variables)

    def run(self, *arguments, cut=""):
        command = ["sh", "infra/preview.sh", *arguments]
        return subprocess.run(
            command,
            cwd=commands.ROOT,
            env=self.environment | {"CUT": cut},
            # A process group of its own, to be killed as one.
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def secrets(self):
        found = self.aws.client("secretsmanager").list_secrets()["SecretList"]
        return [secret["Name"] for secret in found if secret["Name"].startswith("quotes/pr-")]

    def databases(self):
        """Those of previews: all but those of the project's own two branches."""
        return [name for branch, name in self.neon.databases.items() if branch in self.neon.branches][2:]


@pytest.fixture(scope="module")
def preview(aws, neon, settings, tmp_path_factory):
    return Preview(aws, neon, settings, tmp_path_factory.mktemp("tools"))


UP_CUTS = [
    "after:python3 infra/neon.py branch *",
    "after:migrations ",
    "after:migrations roles --replace",
    "after:aws secretsmanager create-secret *",
    "within:sam deploy *",
    "after:sam deploy *",
]


def test_up_can_be_cut_off_anywhere_and_repeated(aws, idle, preview):
    # What is left of a deployment that failed, and an answer that is lost.
    aws.fail_stack(STACK)
    idle.troubles.append(("POST", "lost"))
    for cut in UP_CUTS:
        assert preview.run("up", "7", cut=cut).returncode == -9, cut
        assert names(idle) == ["preview/pr-7"]
    # The last one had deployed everything.
    assert aws.stacks() == [STACK]
    # Somebody has deleted the secret by hand.
    aws.client("secretsmanager").delete_secret(SecretId=SECRET)
    result = preview.run("up", "7")
    assert result.returncode == 0, result.stdout + result.stderr
    url = result.stdout.splitlines()[-1]
    assert Browser().request("GET", url + "/api/quote").status == 401
    assert aws.stacks() == [STACK] and preview.secrets() == [SECRET]
    assert names(idle) == ["preview/pr-7"] and len(preview.databases()) == 1
    secret = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"])
    assert secret.keys() == {"url", "readOnlyUrl", "eraserUrl"}
    assert all(preview.databases()[0] in value for value in secret.values())
    said = result.stdout + result.stderr
    assert not any(hidden in said for hidden in (*secret.values(), idle.key, idle.owner.password))


def test_the_sweep_keeps_what_is_open(aws, idle, preview):
    for number in (8, 9):
        aws.put_secret(f"quotes/pr-{number}/database", {})
    # Nobody needs it, and no pull request either.
    aws.put_secret("quotes/pr-x/database", {})
    idle.add("preview/pr-8", idle.parent, None)
    idle.add("preview/pr-9000", idle.main, None)
    # The branch of 9 has expired.
    result = preview.run("sweep", "7", "9")
    assert result.returncode == 0, result.stdout + result.stderr
    assert names(idle) == ["preview/pr-7"] and aws.stacks() == [STACK]
    assert sorted(preview.secrets()) == [SECRET, "quotes/pr-x/database"]
    aws.client("secretsmanager").delete_secret(SecretId="quotes/pr-x/database", ForceDeleteWithoutRecovery=True)


DOWN_CUTS = [
    "after:aws cloudformation delete-stack *",
    "after:aws secretsmanager delete-secret *",
    "after:python3 infra/neon.py delete *",
]


def test_down_can_be_cut_off_anywhere_and_repeated(aws, idle, preview):
    idle.troubles.append(("DELETE", "lost"))
    for cut in DOWN_CUTS:
        assert preview.run("down", "7", cut=cut).returncode == -9, cut
    for _ in range(2):
        result = preview.run("down", "7")
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout.endswith("preview: nothing is left of pr-7\n")
        assert aws.stacks() == [] and aws.variables_of("pr-7") == {}
        assert preview.secrets() == [] and names(idle) == [] and preview.databases() == []
