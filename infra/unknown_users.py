"""Prints those of the user ids on standard input, one a line, that the Clerk instance does not know.

usage: CLERK_SECRET_KEY=sk_… python3 infra/unknown_users.py <production.txt

docs/restore.md says what it is for. It prints nothing unless Clerk has answered for
every id: who is printed may be erased.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

# Clerk's Backend API looks for at most this many users at a time.
AT_ONCE = 100
# In seconds.
TIMEOUT = 30


def known(ids, api, key):
    """Those of the ids that the instance has."""
    query = urllib.parse.urlencode([("limit", AT_ONCE), *(("user_id", user) for user in ids)])
    request = urllib.request.Request(f"{api}/v1/users?{query}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return {user["id"] for user in json.load(answer)}


def main():
    key = os.environ.get("CLERK_SECRET_KEY")
    if not key:
        return "CLERK_SECRET_KEY is not set; it should be sk_live_… or sk_test_…"
    api = os.environ.get("CLERK_API_URL") or "https://api.clerk.com"
    ids = sorted(set(sys.stdin.read().split()))
    found = set()
    try:
        for begin in range(0, len(ids), AT_ONCE):
            found |= known(ids[begin : begin + AT_ONCE], api, key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"Clerk did not answer for every user: {error}"
    if ids and not found:
        return "the instance knows none of them: is CLERK_SECRET_KEY that of the stage's instance?"
    print("".join(f"{user}\n" for user in ids if user not in found), end="")
    return None


if __name__ == "__main__":
    sys.exit(main())
