"""The template as it is written and as it is translated, and broken copies of both."""

import copy
import difflib
import json
import re
import subprocess

import pytest

import check_routes
import commands
import rules
import source

ORIGINAL = source.expanded(source.read())


def broken(template, path, value, section="Resources"):
    """A copy with another value at `path`; None removes what is there."""
    template = copy.deepcopy(template)
    *parents, last = path.split("/")
    place = template[section]
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    last = int(last) if isinstance(place, list) else last
    if value is None:
        del place[last]
    else:
        place[last] = value
    return template


def findings(template):
    return rules.findings(source.translate(template))


def test_the_source_has_no_lint():
    assert source.lint(source.PATH.read_text(encoding="utf-8")) == []


def test_the_translation_has_no_lint():
    assert source.lint(json.dumps(source.translate(ORIGINAL))) == []


def test_a_circle_is_found():
    circular = broken(ORIGINAL, "Api/Properties/Description", {"Fn::GetAtt": ["GetQuote", "Arn"]})
    assert any(line.startswith("E3004") for line in source.lint(json.dumps(source.translate(circular))))


def test_every_rule_holds():
    assert findings(ORIGINAL) == []


STATEMENTS = "GetQuoteRole/Properties/Policies/0/PolicyDocument/Statement"
STATEMENT = f"{STATEMENTS}/0"
SECRET_KEY = "Properties/Environment/Variables/CLERK_SECRET_KEY"
UNCONDITIONAL = {
    "Fn::Sub": "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:clerkSecretKey::${DatabaseSecretVersion}}}"
}
WEBHOOK_SECRET = "Properties/Environment/Variables/CLERK_WEBHOOK_SIGNING_SECRET"
URL = {"Fn::Sub": "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:url::${DatabaseSecretVersion}}}"}
SETTINGS = "Stage/Properties/DefaultRouteSettings"


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        (f"{STATEMENT}/Resource", "*", "the role of get-quote may do something else"),
        (f"{STATEMENT}/Resource", {"Fn::GetAtt": ["SaveQuoteLogs", "Arn"]}, "the role of get-quote may do"),
        (f"{STATEMENT}/Action", ["logs:*"], "the role of get-quote may do something else"),
        ("SaveQuoteRole/Properties/PermissionsBoundary", None, "the role of save-quote is not bounded"),
        ("GetQuoteRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/A"], "has a managed policy"),
        ("GetQuote/Properties/Role", {"Fn::GetAtt": ["SaveQuoteRole", "Arn"]}, "a role is shared"),
        ("GetQuoteLogs/Properties/RetentionInDays", None, "GetQuoteLogs is kept for ever"),
        ("AccessLogs/Properties/RetentionInDays", None, "AccessLogs is kept for ever"),
        ("GetQuote/Properties/LoggingConfig/LogFormat", "Text", "get-quote does not log JSON"),
        ("GetQuote/Properties/LoggingConfig/LogGroup", {"Ref": "SaveQuoteLogs"}, "the group of another"),
        (SETTINGS, None, "the stage does not throttle"),
        (f"{SETTINGS}/ThrottlingRateLimit", None, "the stage does not throttle"),
        ("Stage/Properties/AccessLogSettings", None, "the stage writes no access log"),
        ("Stage/Properties/AccessLogSettings/Format", '{"q":"$context.queryString"}', "the access log holds"),
        ("PutQuoteRoute/Properties/Target", {"Fn::Sub": "integrations/${GetQuoteIntegration}"},
         "route PUT /api/quote reaches get-quote, not save-quote"),
        ("GetQuoteIntegration/Properties/IntegrationUri", {"Ref": "RenderPage.Alias"},
         "route GET /api/quote reaches render-page, not get-quote"),
        ("GetQuoteIntegration/Properties/IntegrationUri", {"Fn::GetAtt": ["GetQuote", "Arn"]},
         "route GET /api/quote reaches None, not get-quote"),
        ("DefaultRoute", None, "route $default reaches None"),
        ("GetQuote/Properties/CodeUri", "../target/lambda/save-quote/bootstrap.zip",
         "get-quote runs the code of save-quote"),
        ("GetQuotePermission", None, "get-quote has 0 permissions"),
        ("GetQuotePermission/Properties/Principal", "*", "lets * call"),
        ("GetQuotePermission/Properties/SourceArn", {"Fn::Sub": "arn:aws:execute-api:*"}, "lets every API call"),
        ("GetQuotePermission/Properties/FunctionName", {"Ref": "SaveQuote.Alias"}, "get-quote has 0 permissions"),
        ("GetQuote/Properties/Environment/Variables/DATABASE_URL", "postgresql://o:pw@h/d",
         "DATABASE_URL of get-quote is not the versioned reference"),
        ("GetQuote/Properties/Environment/Variables/DATABASE_URL",
         {"Fn::Sub": "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:url::${DatabaseSecretVersion}}}"},
         "DATABASE_URL of get-quote is not the versioned reference to readOnlyUrl"),
        (f"RenderPage/{SECRET_KEY}", None, "CLERK_SECRET_KEY of render-page is not the conditional"),
        (f"RenderPage/{SECRET_KEY}", UNCONDITIONAL, "CLERK_SECRET_KEY of render-page is not the conditional"),
        (f"GetQuote/{SECRET_KEY}", UNCONDITIONAL, "get-quote has a CLERK_SECRET_KEY"),
        ("SaveQuote/Properties/Environment/Variables/OTHER", UNCONDITIONAL, "clerkSecretKey is not referred to exactly"),
        ("WebhookRoute/Condition", None, "WebhookRoute has another condition"),
        ("Webhook/Condition", None, "Webhook has another condition"),
        ("WebhookErrors/Condition", "HasDomain", "WebhookErrors has another condition"),
        ("GetQuoteRoute/Condition", "HasWebhook", "GetQuoteRoute has another condition"),
        ("Webhook/Properties/Environment/Variables/DATABASE_URL", URL, "DATABASE_URL of clerk-webhook is not"),
        (f"Webhook/{WEBHOOK_SECRET}", "whsec_x", "clerk-webhook has another webhook secret"),
        (f"SaveQuote/{WEBHOOK_SECRET}", URL, "save-quote has another webhook secret"),
        ("Stage/Properties/RouteSettings", None, "the webhook has no throttle of its own"),
        ("Stage/Metadata/WaitsFor", None, "the stage may be made before the route"),
        (f"{STATEMENTS}/1", {"Effect": "Allow", "Action": "xray:*", "Resource": "*"}, "the role of get-quote may do"),
        ("GetQuoteLogs/DeletionPolicy", None, "GetQuoteLogs does not say what becomes of it"),
        ("GetQuote/Properties/Tracing", "Active", "get-quote is traced without being asked to"),
        ("Dashboard", None, "the dashboard does not show GetQuoteLogs"),
        ("RenderPage/Properties/Timeout", None, "render-page has another runtime or timeout"),
        ("SaveQuote/Properties/Timeout", 12, "save-quote has another runtime or timeout"),
        ("SaveQuoteErrors", None, "nothing watches the Errors of save-quote"),
        ("SaveQuoteThrottles", None, "nothing watches the Throttles of save-quote"),
        ("SaveQuoteSlowness", None, "nothing watches the Duration of save-quote"),
        ("SaveQuoteSlowness/Properties/Threshold", 10000, "the alarm for the duration of save-quote is not near"),
        ("ServerErrors", None, "nothing watches the API's answers with 5xx"),
        ("ClientErrors", None, "nothing watches the API's answers with 4xx"),
        ("ServerErrors/Properties/AlarmActions", None, "ServerErrors tells nobody"),
        ("ServerErrors/Condition", None, "ServerErrors exists without a topic"),
        ("Api/Properties/DisableExecuteApiEndpoint", False, "the execute-api endpoint stays open"),
    ],
)
def test_a_broken_copy_is_found(path, value, finding):
    assert [line for line in findings(broken(ORIGINAL, path, value)) if finding in line]


def test_a_secret_key_that_nobody_asked_for_is_found():
    always = {"Fn::Equals": ["true", "true"]}
    found = findings(broken(ORIGINAL, "HasNonceHandshakes", always, section="Conditions"))
    assert found == ["Clerk's secret key is resolved without being asked for"]
    assert ORIGINAL["Parameters"]["ClerkNonceHandshakes"]["Default"] == "false"


def test_a_webhook_that_nobody_asked_for_is_found():
    always = {"Fn::Equals": ["true", "true"]}
    found = findings(broken(ORIGINAL, "HasWebhook", always, section="Conditions"))
    assert found == ["the webhook exists without being asked for"]
    assert ORIGINAL["Parameters"]["ClerkWebhook"]["Default"] == "false"


def test_every_parameter_is_explained():
    made_by_the_command = {"Release", "DatabaseSecretVersion"}
    renamed = {"Architecture": "ARCH", "ClerkTestKey": "CLERK_PUBLISHABLE_KEY", "ClerkLiveKey": "CLERK_PUBLISHABLE_KEY"}
    variables = {
        renamed.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
        for name in ORIGINAL["Parameters"].keys() - made_by_the_command
    }
    readme = (source.PATH.parent / "README.md").read_text(encoding="utf-8")
    example = (source.PATH.parent / "stages" / "example.env").read_text(encoding="utf-8")
    assert [name for name in sorted(variables) if f"`{name}`" not in readme] == []
    assert [name for name in sorted(variables - {"ARCH"}) if f"{name}=" not in example] == []


def test_a_further_function_takes_thirty_lines(tmp_path, monkeypatch):
    """What CONTRIBUTING.md says to do with the template, done."""
    contributing = (commands.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    step = contributing.partition("**The template**")[2].partition("8. **The README**")[0]
    prints, names = re.findall(r"```sh\n(.*?)```", step, re.DOTALL)
    before = source.PATH.read_text(encoding="utf-8")
    path = tmp_path / "infra" / "template.yaml"
    path.parent.mkdir()
    path.write_text(before, encoding="utf-8")

    def sh(script):
        return subprocess.run(["sh", "-e"], cwd=tmp_path, input=script, capture_output=True, text=True, check=True).stdout

    routes, function = sh(prints).split("  RandomQuote:\n")
    text = before.replace("  PageRoute:\n", f"{routes}  PageRoute:\n")
    path.write_text(text.replace("  SaveQuote:\n", f"  RandomQuote:\n{function}  SaveQuote:\n"), encoding="utf-8")
    sh(names)

    text = path.read_text(encoding="utf-8")
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm="")
    assert sum(line.startswith("+") and not line.startswith("+++") for line in lines) <= 30
    assert source.lint(text) == []
    project = check_routes.read()
    router = '"/api/quote/random" = [{ method = "GET", function = "random-quote" }, { method = "HEAD", function = "random-quote" }]'
    project = project._replace(
        template=text,
        functions=project.functions | {"random-quote": '[package]\nname = "random-quote"\n'},
        workspace=project.workspace.replace('"/__clerk/', f'{router}\n"/__clerk/'),
    )
    found = check_routes.findings(project)
    assert found["the_template_has_one_function_for_each_folder"] == []
    assert found["the_template_has_the_routes_of_the_router"] == []
    monkeypatch.setattr(rules, "ROUTES", check_routes.router_routes(project))
    monkeypatch.setattr(rules, "FUNCTIONS", sorted(project.functions))
    monkeypatch.setattr(rules, "READERS", rules.READERS | {"random-quote"})
    assert findings(source.expanded(source.parse(text))) == []
