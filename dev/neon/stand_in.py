"""A stand-in for Neon's API: one project, whose branches are databases of a Postgres server.

For tests. It serves what infra/neon.py and Neon's own clients (package.json) ask for, and is
as rough as the real one: an operation takes some questions to finish, everything else
that changes the project is refused with 423 until then, and a database exists only
when its operation has finished. `troubles` makes requests fail:

    neon.troubles.append(("POST", "lost"))

The first request with this method then has the trouble: a status that is answered while
nothing is done; "lost", the connection ends once it was done; "unheard", the connection
ends and nothing was done.
"""

import datetime
import http.server
import json
import re
import secrets
import threading
import urllib.parse
import uuid

LONGEST_LIFE = datetime.timedelta(days=30)


class Refused(Exception):
    """A status that is no success, and why."""


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def stamp():
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")


def times():
    return {"created_at": stamp(), "updated_at": stamp()}


class Neon:
    """A running stand-in, as a context manager.

    `url` is of a role that may create databases, and `run` executes a statement as it.
    """

    def __init__(self, url, run):
        self.owner = urllib.parse.urlsplit(url)
        self.run = run
        self.key = f"napi_{secrets.token_hex(32)}"
        self.project = "quiet-forest-12345678"
        # How many questions an operation takes, and the branches on a page of the list.
        self.questions, self.page = 2, 100
        self.troubles, self.requests = [], []
        self.branches, self.databases, self.operations, self.deleted = {}, {}, {}, set()
        self.lock = threading.Lock()
        self.main = self.add("main", None, self.owner.path[1:])
        self.branches[self.main]["default"] = True
        self.parent = self.add("previews", self.main, None)
        self.create_database(self.parent)

    def __enter__(self):
        handler = type("Handler", (Handler,), {"neon": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/api/v2"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def add(self, name, parent, database):
        """A new branch; its id, which is also the name of its database unless that is given."""
        branch = f"br-quiet-lake-{len(self.databases) + 1:08}"
        self.databases[branch] = database or branch
        usage = ("cpu_used_sec", "compute_time_seconds", "active_time_seconds", "written_data_bytes", "data_transfer_bytes")
        self.branches[branch] = {
            "id": branch,
            "project_id": self.project,
            "name": name,
            "current_state": "ready",
            "state_changed_at": stamp(),
            "creation_source": "console",
            "default": False,
            "protected": False,
            **dict.fromkeys(usage, 0),
            **times(),
            **({"parent_id": parent} if parent else {}),
        }
        return branch

    def create_database(self, branch):
        parent = self.branches[branch]["parent_id"]
        self.run(f'CREATE DATABASE "{self.databases[branch]}" TEMPLATE "{self.databases[parent]}"')

    def url(self, branch):
        return self.owner._replace(path=f"/{self.databases[branch]}").geturl()

    # Operations

    def operation(self, branch, action, then=None):
        """Begins one that calls `then` when it is finished."""
        operation = {
            "id": str(uuid.uuid4()),
            "project_id": self.project,
            "branch_id": branch,
            "action": action,
            "status": "scheduling",
            "failures_count": 0,
            "total_duration_ms": 0,
            **times(),
        }
        self.operations[operation["id"]] = [operation, self.questions, then]
        return operation

    def time_passes(self):
        """With every question about an operation, and every one that it keeps waiting."""
        for entry in self.operations.values():
            operation, left, then = entry
            if operation["status"] == "finished":
                continue
            entry[1] = left - 1
            operation["status"] = "running"
            if left <= 0:
                operation["status"] = "finished"
                if then:
                    then()

    def busy(self):
        return any(operation["status"] != "finished" for operation, *_ in self.operations.values())

    # What is asked for

    def branch(self, branch):
        if branch not in self.branches:
            raise Refused(404, "branch not found")
        return self.branches[branch]

    def endpoint(self, branch):
        host = self.owner.netloc.rpartition("@")[2]
        return {
            "host": host,
            "id": branch.replace("br-", "ep-"),
            "project_id": self.project,
            "branch_id": branch,
            "autoscaling_limit_min_cu": 0.25,
            "autoscaling_limit_max_cu": 0.25,
            "region_id": "aws-eu-central-1",
            "type": "read_write",
            "current_state": "active" if not self.busy() else "init",
            "settings": {},
            "pooler_enabled": False,
            "pooler_mode": "transaction",
            "disabled": False,
            "passwordless_access": True,
            "creation_source": "console",
            "proxy_host": host,
            "suspend_timeout_seconds": 0,
            "provisioner": "k8s-neonvm",
            **times(),
        }

    def role(self, branch):
        return {"branch_id": branch, "name": self.owner.username, "protected": False, **times()}

    def database(self, branch):
        return {"id": 1, "branch_id": branch, "name": self.databases[branch], "owner_name": self.owner.username, **times()}

    def list_branches(self, query, _):
        found = [b for b in self.branches.values() if query.get("search", "") in b["name"] + "\n" + b["id"]]
        begin, size = int(query.get("cursor", 0)), min(int(query.get("limit", self.page)), self.page)
        after = begin + size
        pagination = {"next": str(after)} if after < len(found) else {}
        return 200, {"branches": found[begin:after], "annotations": {}, "pagination": pagination}

    def create_branch(self, _, body):
        wanted = body.get("branch", {})
        parent = self.branch(wanted.get("parent_id") or self.main)
        name = wanted.get("name") or f"branch-{secrets.token_hex(4)}"
        if any(branch["name"] == name for branch in self.branches.values()):
            raise Refused(409, f'branch with name "{name}" already exists')
        self.check_life(wanted)
        for endpoint in body.get("endpoints", []):
            if endpoint["type"] != "read_write" or endpoint.get("autoscaling_limit_min_cu", 1) < 0.25:
                raise Refused(400, "the endpoint is not valid")
        branch = self.add(name, parent["id"], None)
        made = self.branches[branch]
        made |= {"current_state": "init", "pending_state": "ready"} | self.life(wanted)

        def ready():
            made["current_state"] = "ready"
            del made["pending_state"]
            self.create_database(branch)

        return 201, {
            "branch": made,
            "endpoints": [self.endpoint(branch) for _ in body.get("endpoints", [])],
            "operations": [self.operation(branch, "create_branch", ready), self.operation(branch, "start_compute")],
            "roles": [self.role(branch)],
            "databases": [self.database(branch)],
            "connection_uris": [self.connection(branch)],
        }

    def connection(self, branch):
        host = self.owner.netloc.rpartition("@")[2]
        parameters = {"host": host, "pooler_host": host, "database": self.databases[branch]}
        parameters |= {"role": self.owner.username, "password": self.owner.password}
        return {"connection_uri": self.url(branch), "connection_parameters": parameters}

    def check_life(self, wanted, branch=None):
        if not wanted.get("expires_at"):
            return
        if branch and (branch["default"] or branch["protected"]):
            raise Refused(400, "a default or protected branch does not expire")
        left = datetime.datetime.fromisoformat(wanted["expires_at"].replace("Z", "+00:00")) - now()
        if not datetime.timedelta() < left <= LONGEST_LIFE:
            raise Refused(400, "expires_at must be in the future, by 30 days at most")

    def life(self, wanted):
        return {"expires_at": wanted["expires_at"]} if wanted.get("expires_at") else {}

    def get_branch(self, _, __, branch):
        return 200, {"branch": self.branch(branch)}

    def update_branch(self, _, body, branch):
        updated = self.branch(branch)
        self.check_life(body["branch"], updated)
        updated |= body["branch"] | {"updated_at": stamp()}
        return 200, {"branch": updated, "operations": []}

    def delete_branch(self, _, __, branch):
        if branch in self.deleted:
            return 204, None
        gone = self.branch(branch)
        if gone["default"] or gone["protected"] or any(b.get("parent_id") == branch for b in self.branches.values()):
            raise Refused(422, "a branch that is default or protected or has children is not deleted")
        del self.branches[branch]
        self.deleted.add(branch)
        # Whoever is connected loses the connection.
        self.run(f'DROP DATABASE IF EXISTS "{self.databases[branch]}" WITH (FORCE)')
        return 200, {"branch": gone, "operations": [self.operation(branch, "delete_timeline")]}

    def list_operations(self, _, __):
        self.time_passes()
        return 200, {"operations": [operation for operation, *_ in reversed(self.operations.values())], "pagination": {}}

    def get_operation(self, _, __, operation):
        self.time_passes()
        if operation not in self.operations:
            raise Refused(404, "operation not found")
        return 200, {"operation": self.operations[operation][0]}

    def connection_uri(self, query, _):
        branch = self.branch(query.get("branch_id", self.main))["id"]
        if query["database_name"] != self.databases[branch] or query["role_name"] != self.owner.username:
            raise Refused(404, "database or role not found")
        return 200, {"uri": self.url(branch)}

    def endpoints(self, _, __, branch):
        return 200, {"endpoints": [self.endpoint(self.branch(branch)["id"])]}

    def roles(self, _, __, branch):
        return 200, {"roles": [self.role(self.branch(branch)["id"])]}

    def password(self, _, __, branch, role):
        if self.branch(branch) and role != self.owner.username:
            raise Refused(404, "role not found")
        return 200, {"password": self.owner.password}

    def databases_of(self, _, __, branch):
        return 200, {"databases": [self.database(self.branch(branch)["id"])]}

    ROUTES = [
        ("GET", "/branches", list_branches),
        ("POST", "/branches", create_branch),
        ("GET", "/branches/([^/]+)", get_branch),
        ("PATCH", "/branches/([^/]+)", update_branch),
        ("DELETE", "/branches/([^/]+)", delete_branch),
        ("GET", "/branches/([^/]+)/endpoints", endpoints),
        ("GET", "/branches/([^/]+)/roles", roles),
        ("GET", "/branches/([^/]+)/roles/([^/]+)/reveal_password", password),
        ("GET", "/branches/([^/]+)/databases", databases_of),
        ("GET", "/operations", list_operations),
        ("GET", "/operations/([^/]+)", get_operation),
        ("GET", "/connection_uri", connection_uri),
    ]

    def answer(self, method, target, body):
        """Status and body."""
        parts = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(parts.query))
        try:
            for route, pattern, function in self.ROUTES:
                found = re.fullmatch(f"/api/v2/projects/{self.project}{pattern}", parts.path)
                if not found or route != method:
                    continue
                if method != "GET" and self.busy():
                    self.time_passes()
                    raise Refused(423, "project already has running operations, scheduling of new ones is prohibited")
                return function(self, query, body, *map(urllib.parse.unquote, found.groups()))
            raise Refused(404, "this route does not exist")
        except Refused as refused:
            status, message = refused.args
            return status, {"request_id": str(uuid.uuid4()), "code": "", "message": message}


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is logged."""

    def do_GET(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        with self.neon.lock:
            self.neon.requests.append((self.command, self.path))
            trouble = next((t for t in self.neon.troubles if t[0] == self.command), (None, None))
            if trouble in self.neon.troubles:
                self.neon.troubles.remove(trouble)
            trouble = trouble[1]
            if self.headers.get("Authorization") != f"Bearer {self.neon.key}":
                status, answer = 401, {"code": "", "message": "supplied credentials do not pass authentication"}
            elif isinstance(trouble, int):
                status, answer = trouble, {"code": "", "message": "try again later"}
            elif trouble == "unheard":
                self.close_connection = True
                return
            else:
                status, answer = self.neon.answer(self.command, self.path, body)
        if trouble == "lost":
            self.close_connection = True
            return
        self.send_response(status)
        data = b"" if status == 204 else json.dumps(answer).encode()
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PATCH = do_DELETE = do_GET
