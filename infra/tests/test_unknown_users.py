"""Whom a Clerk instance does not know: only they may be erased."""

import contextlib
import http.server
import json
import subprocess
import sys
import threading
import urllib.parse

import commands

USERS = [f"user_{number:03}" for number in range(250)]
KEY = "sk_test_c2VjcmV0"


@contextlib.contextmanager
def backend(users, *, refuses=None):
    """A Backend API with these users; it fails where it is asked for `refuses`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["user_id"]
            right = self.headers["Authorization"] == f"Bearer {KEY}" and len(asked) <= 100 and refuses not in asked
            self.send_response(200 if right else 500)
            self.end_headers()
            self.wfile.write(json.dumps([{"id": user} for user in users if user in asked]).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def unknown(ids, **variables):
    return subprocess.run(
        [sys.executable, commands.INFRA / "unknown_users.py"],
        input="".join(f"{user}\n" for user in ids),
        env=commands.environment(CLERK_SECRET_KEY=KEY) | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_those_who_are_gone_are_printed():
    gone = {"user_000", "user_150", "user_249"}
    with backend([user for user in USERS if user not in gone]) as api:
        result = unknown(USERS, CLERK_API_URL=api)
    assert (result.returncode, result.stdout.split()) == (0, sorted(gone))


def test_nobody_is_printed_unless_clerk_answered_for_all():
    with backend(USERS[:100], refuses="user_249") as api:
        result = unknown(USERS, CLERK_API_URL=api)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Clerk did not answer for every user" in result.stderr


def test_another_instance_is_noticed():
    with backend(["user_elsewhere"]) as api:
        result = unknown(USERS, CLERK_API_URL=api)
    assert (result.returncode, result.stdout) == (1, "")
    assert "is CLERK_SECRET_KEY that of the stage's instance?" in result.stderr


def test_a_missing_key_is_said():
    result = unknown(USERS, CLERK_SECRET_KEY="")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("CLERK_SECRET_KEY is not set")
