"""get-quote in Python: PyJWT, psycopg, one connection opened in init.

The loop around the handler is a minimal Runtime API client. AWS's own does
more for each invocation.
"""

import http.client
import json
import os

import jwt
import psycopg

FIND = os.environ["FIND_QUOTE_SQL"]
ORIGIN = os.environ["PUBLIC_ORIGIN"]
KEY = jwt.get_algorithm_by_name("RS256").prepare_key(os.environ["CLERK_JWT_KEY"])
REQUIRED = {"require": ["exp", "sub"]}

database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, cursor_factory=psycopg.RawCursor)


def get_quote(event):
    token = event["headers"].get("authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, KEY, algorithms=["RS256"], leeway=5, options=REQUIRED)
    except jwt.InvalidTokenError:
        return answer(401, {"status": 401})
    if claims.get("azp") != ORIGIN:
        return answer(401, {"status": 401})
    row = database.execute(FIND, (claims["sub"],)).fetchone()
    if row is None:
        return answer(404, {"status": 404})
    message, saved_at, version = row
    return answer(200, {"message": message, "savedAt": saved_at}, etag=f'"{version}"')


def answer(status, body, **headers):
    headers |= {"content-type": "application/json", "cache-control": "private, no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


INVOCATION = "/2018-06-01/runtime/invocation"


def serve():
    lambda_ = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        lambda_.request("GET", f"{INVOCATION}/next")
        invocation = lambda_.getresponse()
        event = json.loads(invocation.read())
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        response = json.dumps(get_quote(event))
        lambda_.request("POST", f"{INVOCATION}/{request_id}/response", response)
        lambda_.getresponse().read()


serve()
