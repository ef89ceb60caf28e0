"""Neon's API: the branches of a project and their databases, for setup.py; the branches of previews.

usage: neon.py parent        prints the owner's URL of the branch that previews are made from
       neon.py branch N      makes the branch of preview N or extends its life; prints the owner's URL
       neon.py delete N      deletes it, if it is there
       neon.py list          prints the N of those that are there, one a line

From the environment: NEON_API_KEY, NEON_PROJECT_ID, NEON_PARENT_BRANCH (a name), and
NEON_API_HOST for another API than Neon's own. Every call can be repeated: a branch is
looked up first, and again after it was asked for.
"""

import datetime
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

API = "https://console.neon.tech/api/v2"
# Neon then deletes the branch by itself. 30 days are the most that it takes.
LIFE = datetime.timedelta(days=14)
# In seconds.
REQUEST_TIMEOUT = 30
OPERATION_TIMEOUT = 300
POLL_INTERVAL = 1
FIRST_DELAY = 1
MAX_DELAY = 15
ATTEMPTS = 10
PAGE = 100
# Neon did nothing: the project is busy, asked too often, or not available.
NOT_DONE = (423, 429, 503)
# Neon itself repeats an operation that failed.
FINISHED = ("finished", "skipped", "cancelled")


class Problem(Exception):
    """What is wrong, in one line."""


class WrongKey(Problem):
    """Neon does not know the API key."""


class NoAnswer(Problem):
    """What was asked for may have been done or not."""


def name_of(number):
    """The name of a preview's branch."""
    return f"preview/pr-{number}"


def expiry():
    """When a branch ends that is made or extended now."""
    return (datetime.datetime.now(datetime.timezone.utc) + LIFE).strftime("%Y-%m-%dT%H:%M:%SZ")


class Project:
    """A Neon project. `attempts`: how often a request is sent before it is given up."""

    # What the settings are called in messages.
    KEY, ID = "the API key", "the project id"

    def __init__(self, key, project, host=None, attempts=ATTEMPTS):
        if not re.fullmatch(r"[a-z0-9-]{1,60}", project):
            raise Problem(f"{self.ID} is malformed; it should be as in autumn-disk-484331")
        # The error of the HTTP client would show it.
        if not re.fullmatch(r"[!-~]+", key):
            raise Problem(f"{self.KEY} is malformed; it should be as Neon shows it, without blanks")
        api = urllib.parse.urlsplit(host or API)
        if api.scheme != "https" and api.hostname not in ("localhost", "127.0.0.1"):
            raise Problem("NEON_API_HOST is malformed; it should begin with https://")
        self.key, self.attempts = key, attempts
        self.url = f"{host or API}/projects/{project}"

    def send(self, method, path, body):
        """Status and body of the answer; without an answer None and why."""
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)

    def ask(self, method, path, body=None):
        """What Neon answers; asks again where that is safe. None where there is nothing (any more)."""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(FIRST_DELAY * 2 ** (attempt - 1), MAX_DELAY))
            status, answer = self.send(method, path, body)
            if status in NOT_DONE:
                continue
            if status and status < 500:
                break
            if method == "POST":
                raise NoAnswer("Neon did not answer")
        if status == 404 or status == 204:
            return None
        if status == 401:
            raise WrongKey(f"{self.KEY} is not accepted by Neon; it should be one that opens the project")
        if status is None:
            raise Problem(f"Neon cannot be reached: {answer}")
        try:
            answer = dict(json.loads(answer))
        except (TypeError, ValueError):
            answer = {}
        asked = f"{method} {path.partition('?')[0]}"
        if status >= 300:
            raise Problem(f"Neon refuses {asked} ({status}): {answer.get('message') or 'the answer does not say why'}")
        if not answer:
            raise Problem(f"what answers {asked} is not Neon: it sends no JSON object")
        return answer

    def get(self, path, **query):
        """What is there; its absence is an error."""
        answer = self.ask("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)
        if answer is None:
            hint = f"; {self.ID} should be that of a project that {self.KEY} opens" if path == "/branches" else ""
            raise Problem(f"Neon does not find {path} of the project{hint}")
        return answer

    def branches(self, search=""):
        """Those whose name or id contains a text; without one, all."""
        query = {"search": search, "limit": PAGE} if search else {"limit": PAGE}
        while True:
            answer = self.get("/branches", **query)
            yield from answer["branches"]
            query["cursor"] = answer.get("pagination", {}).get("next")
            if not query["cursor"] or not answer["branches"]:
                return

    def find(self, name):
        """The branch of this name, or None."""
        return next((branch for branch in self.branches(name) if branch["name"] == name), None)

    def wait(self, branch):
        """Until what Neon does with a branch is done."""
        deadline = time.monotonic() + OPERATION_TIMEOUT
        for operation in self.get("/operations", limit=PAGE)["operations"]:
            # One that failed long ago may stay so.
            if operation.get("branch_id") != branch or operation["status"] in (*FINISHED, "failed", "error"):
                continue
            while (status := self.get(f"/operations/{operation['id']}")["operation"]["status"]) not in FINISHED:
                if time.monotonic() > deadline:
                    raise Problem(f"Neon's {operation['action']} is still {status} after {OPERATION_TIMEOUT} s: try again")
                time.sleep(POLL_INTERVAL)

    def owner_url(self, branch):
        """The unpooled URL of the owner of a branch's database."""
        databases = self.get(f"/branches/{branch['id']}/databases")["databases"]
        if len(databases) != 1:
            raise Problem(f"the branch {branch['name']} has {len(databases)} databases; it should have one")
        of = {"database_name": databases[0]["name"], "role_name": databases[0]["owner_name"]}
        return self.get("/connection_uri", branch_id=branch["id"], **of)["uri"]


class Previews(Project):
    """The project of the previews, as the environment names it."""

    KEY, ID = "NEON_API_KEY", "NEON_PROJECT_ID"

    def __init__(self, environment):
        names = (self.KEY, self.ID, "NEON_PARENT_BRANCH")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise Problem(f"{missing[0]} is not set; infra/README.md says where to find it")
        key, project, self.parent_name = (environment[name] for name in names)
        super().__init__(key, project, environment.get("NEON_API_HOST"))

    def parent(self):
        """The branch that previews are made from."""
        found = self.find(self.parent_name)
        if not found:
            raise Problem(f"NEON_PARENT_BRANCH names a branch that the project does not have ({self.parent_name})")
        for kind in ("default", "protected"):
            if found[kind]:
                raise Problem(f"NEON_PARENT_BRANCH is the project's {kind} branch; it should be one without data")
        return found

    def make(self, number):
        """The branch of a preview, which lives for two weeks from now on."""
        name, parent = name_of(number), self.parent()
        compute = {"type": "read_write", "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25}
        wanted = {
            "branch": {"name": name, "parent_id": parent["id"], "expires_at": expiry()},
            "endpoints": [compute],
        }
        for _ in range(ATTEMPTS):
            if found := self.find(name):
                break
            try:
                self.ask("POST", "/branches", wanted)
            except NoAnswer:
                time.sleep(FIRST_DELAY)
        else:
            raise Problem(f"Neon does not make the branch {name}")
        if found.get("parent_id") != parent["id"]:
            raise Problem(f"{name} is a branch of another parent than {self.parent_name}: run infra/preview.sh down {number}")
        self.wait(found["id"])
        self.ask("PATCH", f"/branches/{found['id']}", {"branch": {"expires_at": expiry()}})
        return found

    def delete(self, number):
        """Deletes the branch of a preview."""
        if found := self.find(name_of(number)):
            self.ask("DELETE", f"/branches/{found['id']}")

    def numbers(self):
        """The previews that have a branch."""
        names = (re.fullmatch(name_of(r"([1-9]\d*)"), branch["name"]) for branch in self.branches(name_of("")))
        return [name[1] for name in names if name]


def run(command, *number):
    """What to print."""
    project = Previews(os.environ)
    if command == "parent":
        return project.owner_url(project.parent())
    if command == "branch":
        return project.owner_url(project.make(*number))
    if command == "delete":
        return project.delete(*number)
    return "\n".join(project.numbers())


def main():
    try:
        said = run(*sys.argv[1:])
    except Problem as problem:
        print(f"preview: {problem}", file=sys.stderr)
        return 1
    if said:
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
