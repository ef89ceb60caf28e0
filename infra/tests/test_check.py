"""How a deployed release is judged: each thing that can be wrong, told by a stand-in for `aws` and `curl`."""

import json
import stat
import subprocess
import sys

import pytest

import commands

ROUTES = {
    "GET /": "render-page",
    "$default": "render-page",
    "GET /api/quote": "get-quote",
    "HEAD /api/quote": "get-quote",
    "PUT /api/quote": "save-quote",
    "DELETE /api/quote": "delete-quote",
    "POST /api/webhooks/clerk": "clerk-webhook",
}
CHANGES = ["SELECT", "INSERT", "UPDATE", "DELETE"]
RIGHTS = {
    "render-page": {"user_messages": ["SELECT"], "deleted_users": []},
    "get-quote": {"user_messages": ["SELECT"], "deleted_users": []},
    "save-quote": {"user_messages": CHANGES, "deleted_users": []},
    "delete-quote": {"user_messages": CHANGES, "deleted_users": []},
    "clerk-webhook": {"user_messages": ["DELETE"], "deleted_users": ["SELECT", "INSERT", "DELETE"]},
}
STATUS = {"GET /": 307, "$default": 404, "POST /api/webhooks/clerk": 400}

# The program, without its waits for AWS.
IMPATIENT = "import check, sys; check.RETRY_SECONDS = 0; sys.exit(check.main(*sys.argv[1:]))"

AWS = """
import json, pathlib, sys
told = json.loads(pathlib.Path(__file__).with_name("told.json").read_text())
arguments = sys.argv[1:]
if told["refused"]:
    sys.exit(told["refused"])
if "describe-stack-resource" in arguments:
    answer = {"StackResourceDetail": {"PhysicalResourceId": "api"}}
if "get-routes" in arguments:
    answer = {"Items": [{"RouteKey": r, "Target": "integrations/" + f} for r, f in told["routes"].items()]}
if "get-integrations" in arguments:
    uri = "arn:aws:lambda:eu-west-1:1:function:quotes-a-{}:live"
    answer = {"Items": [{"IntegrationId": f, "IntegrationUri": uri.format(f)} for f in set(told["routes"].values())]}
if "invoke" in arguments:
    function = arguments[arguments.index("--function-name") + 1].removeprefix("quotes-a-")
    said = told["answers"].get(function)
    if said is None:
        said = {"statusCode": 200, "body": json.dumps(told["rights"][function])}
    pathlib.Path(arguments[-3]).write_text(json.dumps(said))
    answer = {"StatusCode": 200} | ({"FunctionError": "Unhandled"} if "errorType" in said else {})
print(json.dumps(answer))
"""

CURL = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
told = json.loads((folder / "told.json").read_text())
arguments = sys.argv[1:]
with (folder / "called").open("a") as file:
    print(*arguments, file=file)
method = "HEAD" if "--head" in arguments else arguments[arguments.index("--request") + 1]
path = "/" + arguments[-1].split("/", 3)[3]
route = f"{method} {path}" if path != "/nowhere" else "$default"
status = told["statuses"].get(route, 401)
by = told["answered_by"].get(route, told["routes"][route])
if route == told["late"] and not (folder / "late").exists():
    (folder / "late").touch()
    status, by = 404, "render-page"
print(f"HTTP/2 {status}\\r\\n" + (f"x-function: quotes-a-{by}\\r\\n" if by else ""))
"""


@pytest.fixture
def judge(tmp_path):
    """Judges a release of which these things are told; what is said about it."""

    def run(target="", only=(), refused=None, answers=None, rights=None, statuses=None, answered_by=None, late=None):
        told = {
            "refused": refused,
            "routes": ROUTES,
            "answers": answers or {},
            "rights": RIGHTS | (rights or {}),
            "statuses": STATUS | (statuses or {}),
            "answered_by": answered_by or {},
            "late": late,
        }
        (tmp_path / "told.json").write_text(json.dumps(told))
        for name, program in {"aws": AWS, "curl": CURL}.items():
            (tmp_path / name).write_text(f"#!{sys.executable}\n{program}")
            (tmp_path / name).chmod(stat.S_IRWXU)
        url = "https://quotes.example.com"
        result = subprocess.run(
            [sys.executable, "-B", "-c", IMPATIENT, "deploy", "quotes-a", url, target, *only],
            env=commands.environment(PATH=str(tmp_path), PYTHONPATH=str(commands.INFRA)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode == 0) == (result.stderr == "")
        return result.stderr.replace("deploy: quotes-a-", "").replace(f"deploy: {url}, ", "").splitlines()

    run.called = lambda: (tmp_path / "called").read_text().splitlines()
    return run


def test_a_release_that_works_is_called_by_every_route_without_and_with_a_bad_session(judge):
    assert judge() == []
    called = judge.called()
    assert len(called) == 2 * len(ROUTES)
    assert sum("__session=bad" in line for line in called) == len(ROUTES)


def test_a_route_that_the_gateway_does_not_know_yet_is_called_again(judge):
    assert judge(late="PUT /api/quote") == []
    assert len(judge.called()) == 2 * len(ROUTES) + 1


def test_only_some_functions_can_be_asked_for(judge):
    broken = {"clerk-webhook": {"errorType": "Runtime.ExitError"}}
    only = ["quotes-a-get-quote", "quotes-a-save-quote"]
    assert len(judge(answers=broken)) == 1
    assert judge(only=only, answers=broken) == []
    assert len(judge.called()) == 2 * 3


def test_a_domain_need_not_have_a_dns_record_yet(judge):
    assert judge("d-1.execute-api.eu-west-1.amazonaws.com") == []
    to = "--connect-to quotes.example.com:443:d-1.execute-api.eu-west-1.amazonaws.com:443 "
    assert all(to in line for line in judge.called())


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"rights": {"save-quote": {"user_messages": ["SELECT", "INSERT"], "deleted_users": []}}},
         "save-quote has a role that lacks DELETE, UPDATE on user_messages: a grant or a migration is missing"),
        ({"rights": {"get-quote": RIGHTS["save-quote"]}},
         "get-quote has a role that can change user_messages: readOnlyUrl must be of a role that can only read"),
        ({"rights": {"clerk-webhook": RIGHTS["save-quote"]}},
         "clerk-webhook has a role that lacks DELETE, INSERT, SELECT on deleted_users: a grant or a migration is missing"),
        ({"answers": {"get-quote": {"statusCode": 503, "body": '{"code":"database-down"}'}}},
         "get-quote cannot use its database (database-down)"),
        ({"answers": {"get-quote": {"errorType": "Runtime.ExitError"}}},
         "get-quote does not start or crashes (Runtime.ExitError)"),
        ({"answers": {"get-quote": {"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}}},
         "get-quote does not start or crashes (Runtime.ExitError: exit status 1)"),
        ({"answers": {"get-quote": {"anything": "else"}}},
         "get-quote does not know the check of the database: its release is older than that"),
        ({"statuses": {"PUT /api/quote": 500}}, "PUT /api/quote, should answer 401, not 500"),
        ({"statuses": {"GET /": 200}}, "GET /, should answer 307 or 401, not 200"),
        ({"statuses": {"$default": 200}}, "$default, should answer 404, not 200"),
        ({"statuses": {"POST /api/webhooks/clerk": 204}}, "POST /api/webhooks/clerk, should answer 400, not 204"),
        ({"answered_by": {"DELETE /api/quote": "get-quote"}},
         "DELETE /api/quote, is answered by quotes-a-get-quote, not by quotes-a-delete-quote"),
        ({"statuses": {"PUT /api/quote": 502}, "answered_by": {"PUT /api/quote": None}},
         "PUT /api/quote, is not answered by quotes-a-save-quote: the gateway answers 502"),
    ],
)
def test_what_does_not_work_is_said(judge, told, said):
    assert judge(**told) == [said]


def test_what_aws_refuses_is_said_in_its_words(judge):
    refusal = "An error occurred (AccessDenied) when calling the operation: no"
    assert judge(refused=refusal) == [f"deploy: {refusal}"]
