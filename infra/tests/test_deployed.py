"""Deployed for real, on this machine: the commands, the template and the binaries as they are,
with the rights of GitHub's role of the stage.

The tests follow the life of a stack, so they run in the order of this file:
deployed, updated, rolled back, destroyed.
"""

import base64
import hmac
import html
import json
import time
import urllib.parse

import pytest

import account
import clerk
import commands
import postgres
import stages
from browser import Browser

STAGE = "staging"
SECRET = f"quotes/{STAGE}/database"
WEBHOOK = "/api/webhooks/clerk"
CLERK_SECRET_KEY = "sk_test_c2VjcmV0"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Deployment:
    """The stack and its surroundings."""

    def __init__(self, aws, database, instance):
        self.aws = aws
        self.instance = instance
        self.clerk_port = commands.free_port()
        postgres.migrate(database)
        self.secret = postgres.create_roles(database) | {"webhookSecret": WEBHOOK_SECRET}
        postgres.grant(database)
        aws.put_secret(SECRET, self.secret)
        self.settings = stages.settings(
            aws,
            STAGE,
            CLERK_PROXY_URL=clerk.address(self.clerk_port),
            CLERK_SIGN_IN_URL=f"{clerk.address(self.clerk_port)}/sign-in",
            CLERK_WEBHOOK="true",
        )
        self.administrator = dict(self.settings)
        self.settings |= account.of_github(aws, STAGE, account.create(aws)[STAGE])
        self.migrations = {"MIGRATE": "1", "MIGRATION_DATABASE_URL": database}
        self.clerk = None

    def start_clerk(self):
        """Once the origin of the application is known. It keeps its key."""
        self.clerk = clerk.Clerk(self.clerk_port, self.instance, self.url)

    @property
    def url(self):
        return self.output("Url")

    def output(self, key):
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=f"quotes-{STAGE}")
        return next(o["OutputValue"] for o in stacks["Stacks"][0]["Outputs"] if o["OutputKey"] == key)

    def api(self, method, path="/api/quote", body=None, user=clerk.USER, **headers):
        token = {"Authorization": f"Bearer {self.clerk.token(user)}"}
        return Browser().request(method, self.url + path, body, **token, **headers)


@pytest.fixture(scope="module")
def deployment(aws, database):
    with clerk.folder() as instance:
        deployment = Deployment(aws, database, instance)
        yield deployment
        if deployment.clerk:
            deployment.clerk.stop()


@pytest.fixture(scope="module")
def deployed(deployment):
    result = commands.run("deploy", **deployment.settings)
    assert result.returncode == 0, result.stdout + result.stderr
    deployment.said = result.stdout
    deployment.start_clerk()
    return deployment


def test_a_deployment_says_where_it_is_and_that_it_answers(deployed):
    assert deployed.said.splitlines()[-1] == f"{deployed.url} answers"


def test_the_routes_were_made_by_the_deployment(deployed):
    api = deployed.aws.client("apigatewayv2")
    apis = [a for a in api.get_apis()["Items"] if a["Name"] == f"quotes-{STAGE}"]
    assert len(apis) == 1
    routes = {route["RouteKey"] for route in api.get_routes(ApiId=apis[0]["ApiId"])["Items"]}
    assert {f"POST {WEBHOOK}", "GET /", "GET /api/quote", "PUT /api/quote", "POST /api/quote/delete", "$default"} <= routes


def test_a_user_signs_in_saves_reads_and_deletes(deployed):
    browser = Browser()
    signing_in = browser.visit(deployed.url + "/")
    assert signing_in.url.startswith(deployed.clerk.address + "/sign-in")

    form = urllib.parse.urlencode({"user": clerk.USER, "redirect_url": deployed.url + "/"})
    back = browser.request("POST", f"{deployed.clerk.address}/sign-in", form)
    page = browser.visit(back.location)
    assert (page.status, page.url) == (200, deployed.url + "/")

    def post(path, body):
        return browser.request("POST", deployed.url + path, body, Origin=deployed.url, Sec_Fetch_Site="same-origin")

    saved = post("/api/quote", "message=Deployed+%26+real")
    assert (saved.status, saved.headers["Location"]) == (303, "/")
    assert "Deployed & real" in html.unescape(browser.visit(deployed.url + "/").body)
    read = browser.request("GET", deployed.url + "/api/quote")
    assert json.loads(read.body)["message"] == "Deployed & real"
    assert post("/api/quote/delete", "").status == 303
    assert browser.request("GET", deployed.url + "/api/quote").status == 404


def test_a_program_saves_reads_and_deletes(deployed):
    def put(message):
        return deployed.api("PUT", body=json.dumps({"message": message}), Content_Type="application/json")

    assert put("one").status == 201
    assert put("two").status == 200
    assert json.loads(deployed.api("GET").body)["message"] == "two"
    assert deployed.api("HEAD").status == 200
    assert deployed.api("DELETE").status == 204
    assert deployed.api("GET").status == 404


def test_what_no_route_takes_is_answered_by_the_page(deployed):
    assert Browser().request("GET", deployed.url + "/nowhere").status == 404
    refused = Browser().request("PATCH", deployed.url + "/api/quote")
    assert (refused.status, "PUT" in refused.headers["Allow"]) == (405, True)


def user_deleted(user, secret=WEBHOOK_SECRET):
    """The body of Clerk's message and its headers."""
    body = json.dumps({"type": "user.deleted", "data": {"id": user, "deleted": True}})
    now = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"msg_1.{now}.{body}".encode(), "sha256")).decode()
    headers = {"Svix_Id": "msg_1", "Svix_Timestamp": now, "Svix_Signature": f"v1,{signature}"}
    return body, headers | {"Content_Type": "application/json"}


def test_a_user_who_is_deleted_is_forgotten(deployed):
    user = "user_grace"

    def put():
        body = json.dumps({"message": "gone"})
        return deployed.api("PUT", body=body, user=user, Content_Type="application/json").status

    def tell(secret):
        body, headers = user_deleted(user, secret)
        return Browser().request("POST", deployed.url + WEBHOOK, body, **headers).status

    assert put() == 201
    assert tell("whsec_" + "A" * 32) == 400
    assert deployed.api("GET", user=user).status == 200
    assert tell(WEBHOOK_SECRET) == 204
    assert deployed.api("GET", user=user).status == 404
    assert put() == 401


def test_the_webhook_has_its_own_url_and_secret(deployed):
    variables = deployed.aws.variables_of(STAGE)["clerk-webhook"]
    assert variables["DATABASE_URL"] == deployed.secret["eraserUrl"]
    assert variables["CLERK_WEBHOOK_SIGNING_SECRET"] == WEBHOOK_SECRET


def test_the_readers_cannot_write(deployed):
    variables = deployed.aws.variables_of(STAGE)

    def url(name):
        return variables[name]["DATABASE_URL"]

    assert url("get-quote") == url("render-page") == deployed.secret["readOnlyUrl"]
    assert url("save-quote") == url("delete-quote") == deployed.secret["url"]


def clerks_secret_keys(deployment):
    """The functions that have Clerk's secret key, and the key."""
    found = {}
    for name, variables in deployment.aws.variables_of(STAGE).items():
        if "CLERK_SECRET_KEY" in variables:
            found[name] = variables["CLERK_SECRET_KEY"]
    return found


def test_no_function_gets_clerks_secret_key_unasked(deployed):
    assert clerks_secret_keys(deployed) == {}


def test_the_log_has_what_the_functions_said(deployed):
    result = commands.run("logs", **deployed.administrator)
    assert result.returncode == 0, result.stderr
    assert "REPORT RequestId" in result.stdout
    assert "__clerk_handshake" not in result.stdout


def test_two_stages_live_side_by_side(deployed):
    other = deployed.administrator | {"STAGE": "other", "DATABASE_SECRET": SECRET, "CLERK_WEBHOOK": "false"}
    result = commands.run("deploy", **other)
    assert result.returncode == 0, result.stdout + result.stderr
    url = result.stdout.splitlines()[-1].removesuffix(" answers")
    assert url != deployed.url
    # The webhook is only where it was asked for.
    body, headers = user_deleted("user_gone")
    assert Browser().request("POST", url + WEBHOOK, body, **headers).status == 404
    functions = deployed.aws.client("lambda").list_functions()["Functions"]
    names = {function["FunctionName"] for function in functions}
    assert f"quotes-{STAGE}-clerk-webhook" in names
    assert "quotes-other-get-quote" in names and "quotes-other-clerk-webhook" not in names
    # A release from before it can be returned to; the webhook then stays.
    result = commands.run("deploy", **other | {"CLERK_WEBHOOK": "true"})
    assert result.returncode == 0, result.stdout + result.stderr
    result = commands.run("rollback", **other)
    assert result.returncode == 0, result.stdout + result.stderr
    assert Browser().request("POST", url + WEBHOOK, body, **headers).status == 204
    assert Browser().request("GET", deployed.url + "/api/quote").status == 401
    result = commands.run("destroy", answer="other\n", **other)
    assert result.returncode == 0, result.stderr
    assert Browser().request("GET", deployed.url + "/api/quote").status == 401


@pytest.fixture(scope="module")
def updated(deployed):
    """Another sign-in page, the instance's key and not its key set, Clerk's secret key, a new version of the secret."""
    deployed.first_release = deployed.output("Release")
    rotated = deployed.secret | {"url": deployed.secret["url"] + "&application_name=rotated"}
    deployed.aws.put_secret(SECRET, rotated | {"clerkSecretKey": CLERK_SECRET_KEY})
    deployed.settings |= {
        "CLERK_JWT_KEY": deployed.clerk.jwt_key,
        "CLERK_SIGN_IN_URL": f"{deployed.clerk.address}/sign-in?release=2",
        "CLERK_NONCE_HANDSHAKES": "true",
    }
    result = commands.run("deploy", **deployed.settings, **deployed.migrations)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "every migration is applied" in result.stdout
    return deployed


def sign_in_page(deployment):
    """Where a user without a session is sent."""
    browser = Browser()
    browser.cookies[urllib.parse.urlsplit(deployment.url).netloc] = {"__clerk_db_jwt": "x", "__client_uat": "0"}
    return browser.visit(deployment.url + "/").url


def test_an_update_reaches_the_functions(updated):
    assert "release=2" in sign_in_page(updated)
    assert updated.api("PUT", body='{"message":"three"}', Content_Type="application/json").status == 201


def test_a_new_version_of_the_secret_is_taken(updated):
    configuration = updated.aws.client("lambda").get_function_configuration(
        FunctionName=f"quotes-{STAGE}-save-quote", Qualifier="live"
    )
    assert configuration["Environment"]["Variables"]["DATABASE_URL"].endswith("application_name=rotated")


def test_only_the_page_gets_clerks_secret_key(updated):
    assert clerks_secret_keys(updated) == {"render-page": CLERK_SECRET_KEY}


def test_only_a_release_that_exists_can_be_gone_back_to(updated):
    result = commands.run("rollback", RELEASE="never", **updated.settings)
    assert result.returncode == 1
    assert "there is no release never" in result.stderr
    assert "release=2" in sign_in_page(updated)


@pytest.fixture(scope="module")
def rolled_back(updated):
    result = commands.run("rollback", **updated.settings)
    assert result.returncode == 0, result.stdout + result.stderr
    updated.said = result.stdout
    return updated


def test_a_rollback_goes_to_the_release_before(rolled_back):
    assert f"to {rolled_back.first_release}" in rolled_back.said
    assert rolled_back.said.splitlines()[-1] == f"{rolled_back.url} answers"
    assert "release=2" not in sign_in_page(rolled_back)
    assert json.loads(rolled_back.api("GET").body)["message"] == "three"


def test_there_is_nothing_before_the_first_release(rolled_back):
    result = commands.run("rollback", **rolled_back.settings)
    assert result.returncode == 1
    assert "there is no release of quotes-staging before" in result.stderr


def test_the_next_deployment_ends_the_rollback(rolled_back):
    result = commands.run("deploy", **rolled_back.settings)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "release=2" in sign_in_page(rolled_back)


def test_destroying_asks_first(rolled_back):
    result = commands.run("destroy", answer="yes\n", **rolled_back.settings)
    assert (result.returncode, result.stderr) == (1, "destroy: nothing was deleted\n")
    assert Browser().request("GET", rolled_back.url + "/api/quote").status == 401


def test_destroying_leaves_nothing_but_the_secret(rolled_back):
    aws = rolled_back.aws
    result = commands.run("destroy", answer=f"{STAGE}\n", **rolled_back.settings)
    assert result.returncode == 0, result.stderr
    stack = f"quotes-{STAGE}"
    functions = aws.client("lambda").list_functions()["Functions"]
    assert [f for f in functions if f["FunctionName"].startswith(stack)] == []
    assert [a for a in aws.client("apigatewayv2").get_apis()["Items"] if a["Name"] == stack] == []
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert [g for g in groups if stack in g["logGroupName"]] == []
    bucket = rolled_back.settings["ARTIFACT_BUCKET"]
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{stack}/")
    assert aws.client("secretsmanager").describe_secret(SecretId=SECRET)["Name"] == SECRET
