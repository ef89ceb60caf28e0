"""Checks the release that is live: every function reaches its database, and every route its function.

usage: check.py COMMAND STACK URL DOMAIN_TARGET [FUNCTION...]

COMMAND begins each line. If DOMAIN_TARGET, API Gateway's host for a domain, is
not empty, requests go there, whether the domain has a DNS record already or not.
With names of functions, only these and their routes are checked.
"""

import base64
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

# A new API, permission or alias is not known everywhere at once.
ATTEMPTS = 15
RETRY_SECONDS = 2
LOG_LINES = 5
# What the role of a function must be allowed to do, by table.
READER = {"user_messages": {"SELECT"}}
WRITER = {"user_messages": {"SELECT", "INSERT", "UPDATE", "DELETE"}}
ERASER = {"user_messages": {"DELETE"}, "deleted_users": {"SELECT", "INSERT", "DELETE"}}
CHANGES = {"INSERT", "UPDATE", "DELETE"}
# Neither a session nor a signature.
BAD_CREDENTIALS = ["--header", "Authorization: Bearer bad", "--cookie", "__session=bad", "--header", "Svix-Signature: bad"]


class Problem(Exception):
    """What is wrong, in one line."""


def aws(*arguments):
    """What a command of the AWS CLI answers."""
    command = ["aws", *arguments, "--output", "json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Problem(result.stderr.strip().replace("\n", " "))
    return json.loads(result.stdout)


def deployed_routes(stack):
    """Route key -> Lambda's name of the function behind it."""
    resource = aws(
        "cloudformation", "describe-stack-resource", "--stack-name", stack, "--logical-resource-id", "Api"
    )
    api = resource["StackResourceDetail"]["PhysicalResourceId"]
    uris = {
        f"integrations/{integration['IntegrationId']}": integration["IntegrationUri"]
        for integration in aws("apigatewayv2", "get-integrations", "--api-id", api)["Items"]
    }
    routes = aws("apigatewayv2", "get-routes", "--api-id", api)["Items"]
    return {route["RouteKey"]: re.search(r":function:([\w-]+)", uris[route["Target"]])[1] for route in routes}


def wanted_rights(routes):
    """What a function with these routes needs."""
    if any("/webhooks/" in route for route in routes):
        return ERASER
    return READER if all(route.startswith(("GET ", "HEAD ", "$")) for route in routes) else WRITER


def logged(invoked):
    """What the function itself has just logged: a first release is deleted together with its log."""
    lines = base64.b64decode(invoked.get("LogResult", "")).decode(errors="replace").splitlines()
    own = [line for line in lines if line and not re.match(r"(START|END|REPORT|INIT_START) |.*\"type\":\"platform", line)]
    return "".join(f"\n    {line}" for line in own[-LOG_LINES:])


def database_problem(function, wanted, folder):
    """What is wrong with a function or with its database, asked of the function itself; None if nothing is."""
    question, answer = folder / "question", folder / function
    question.write_text('{"check":"database"}', encoding="utf-8")
    invoked = aws(
        *("lambda", "invoke", "--function-name", function, "--qualifier", "live", "--log-type", "Tail"),
        # In this form both versions of the AWS CLI take the event as it is.
        *("--payload", f"fileb://{question}", str(answer)),
    )
    answered = json.loads(answer.read_text(encoding="utf-8"))
    if "FunctionError" in invoked:
        why = ": ".join(answered[name] for name in ("errorType", "errorMessage") if answered.get(name))
        return f"does not start or crashes ({why.strip()}){logged(invoked)}"
    if "statusCode" not in answered:
        return "does not know the check of the database: its release is older than that"
    body = json.loads(answered["body"])
    if answered["statusCode"] != 200:
        return f"cannot use its database ({body.get('code')}){logged(invoked)}"
    for table, privileges in wanted.items():
        lacking = privileges - set(body[table])
        if lacking:
            return f"has a role that lacks {', '.join(sorted(lacking))} on {table}: a grant or a migration is missing"
    if wanted is READER and CHANGES & set(body["user_messages"]):
        return "has a role that can change user_messages: readOnlyUrl must be of a role that can only read"
    return None


def request(url, target, method, path, credentials):
    """The status of an answer, and the function that gave it; None and why where no function did."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--output", "/dev/null", "--dump-header", "-"]
    command += ["--head"] if method == "HEAD" else ["--request", method]
    if target:
        command += ["--connect-to", f"{urllib.parse.urlsplit(url).hostname}:443:{target}:443"]
    result = subprocess.run([*command, *credentials, url + path], capture_output=True, text=True, check=False)
    if result.returncode:
        return None, result.stderr.strip()
    status = int(result.stdout.split()[1])
    function = re.search(r"^x-function: *(\S+)", result.stdout, re.IGNORECASE | re.MULTILINE)
    return (status, function[1]) if function else (None, f"the gateway answers {status}")


def wanted_status(route):
    """What a route answers without a valid session or signature."""
    if route == "$default":
        return {404}
    if route == "GET /":
        # With a session that does not verify: a page that explains, or the handshake.
        return {307, 401}
    return {400} if "/webhooks/" in route else {401}


def route_problem(url, target, route, function):
    """What is wrong with a route; None if nothing is."""
    method, path = ("GET", "/nowhere") if route == "$default" else route.split(" ")
    for credentials in ([], BAD_CREDENTIALS):
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(RETRY_SECONDS)
            status, answered_by = request(url, target, method, path, credentials)
            # A route that is not known yet goes to $default.
            if answered_by == function:
                break
        else:
            if status:
                return f"is answered by {answered_by}, not by {function}"
            return f"is not answered by {function}: {answered_by}"
        if status not in wanted_status(route):
            wanted = " or ".join(map(str, sorted(wanted_status(route))))
            return f"should answer {wanted}, not {status}"
    return None


def problems(stack, url, target, only):
    """Everything that is wrong, one line each."""
    routes = deployed_routes(stack)
    if only:
        routes = {route: function for route, function in routes.items() if function in only}
    of_function = {}
    for route, function in routes.items():
        of_function.setdefault(function, []).append(route)
    with concurrent.futures.ThreadPoolExecutor() as pool, tempfile.TemporaryDirectory() as folder:
        # These start every function, so that the routes meet no cold start.
        asked = {
            function: pool.submit(database_problem, function, wanted_rights(of), pathlib.Path(folder))
            for function, of in sorted(of_function.items())
        }
        found = {function: answer.result() for function, answer in asked.items()}
        if not any(found.values()):
            called = {route: pool.submit(route_problem, url, target, route, f) for route, f in routes.items()}
            found = {f"{url}, {route},": answer.result() for route, answer in called.items()}
    return [f"{name} {problem}" for name, problem in found.items() if problem]


def main(command, stack, url, target, *only):
    try:
        found = problems(stack, url, target, only)
    except Problem as problem:
        found = [str(problem)]
    for line in found:
        print(f"{command}: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
