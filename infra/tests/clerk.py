"""The stand-in for Clerk (dev/clerk) on a port of its own."""

import base64
import json
import subprocess
import tempfile
import urllib.parse

import commands
from browser import Browser

# Development instances live below this domain; the issuer comes from the key.
PUBLISHABLE_KEY = "pk_test_" + base64.b64encode(b"quotes-infra.clerk.accounts.dev$").decode().rstrip("=")
USER = "user_ada"


class Clerk:
    """An instance that an application at `origin` uses; ends with `stop`."""

    def __init__(self, port, folder, origin):
        self.address = address(port)
        self.origin = origin
        self.process = subprocess.Popen(
            ["cargo", "run", "--quiet", "--locked", "--bin", "clerk-stand-in-server"],
            cwd=commands.ROOT,
            env=commands.environment(
                CLERK_STAND_IN_DIR=folder,
                CLERK_STAND_IN_NODE_MODULES=folder,
                CLERK_PUBLISHABLE_KEY=PUBLISHABLE_KEY,
                CLERK_PROXY_URL=self.address,
                PUBLIC_ORIGIN=origin,
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line, "the stand-in for Clerk did not start"
        # One line, as settings files have it.
        self.jwt_key = json.loads(line)["jwt_key"].strip().replace("\n", "\\n")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def token(self, user=USER):
        """A session token of a demo user, by signing in."""
        browser = Browser()
        form = urllib.parse.urlencode({"user": user, "redirect_url": f"{self.origin}/"})
        back = browser.request("POST", f"{self.address}/sign-in", form).location
        secret = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["__clerk_db_jwt"][0]
        query = urllib.parse.urlencode({"redirect_url": f"{self.origin}/", "__clerk_db_jwt": secret})
        back = browser.request("GET", f"{self.address}/v1/client/handshake?{query}").location
        handshake = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["__clerk_handshake"][0]
        payload = handshake.split(".")[1]
        cookies = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["handshake"]
        return next(c for c in cookies if c.startswith("__session=")).split(";")[0].removeprefix("__session=")


def address(port):
    return f"http://127.0.0.1:{port}"


def folder():
    """A folder for the instance's key and sign-ins."""
    return tempfile.TemporaryDirectory(prefix="quotes-clerk-")
