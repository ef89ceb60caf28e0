"""What must be true of the translated template, beyond being valid.

The local stand-in for AWS enforces neither permissions nor throttling, so they
are checked here. Each rule yields a sentence for each thing that is wrong.
"""

import json
import re

import check_routes
from resources import Resources, text

# check_routes compares these two with the template's text; here it is translated.
ROUTES = check_routes.router_routes(check_routes.read())
FUNCTIONS = sorted(check_routes.read().functions)
# Functions that only GET and HEAD reach do not write to the database.
WRITERS = {function for route, function in ROUTES.items() if route.startswith(("PUT ", "POST ", "PATCH ", "DELETE "))}
READERS = set(FUNCTIONS) - WRITERS
# In seconds, where it is not the others' 10.
TIMEOUTS = {"render-page": 12}
# The function that exists only where it is asked for, and its route.
WEBHOOK, WEBHOOK_ROUTE = "clerk-webhook", "POST /api/webhooks/clerk"
LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"]
BOUNDARY = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
TRACE = {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}


def findings(template):
    """Everything that is wrong with a translated template."""
    return [finding for rule in RULES for finding in rule(Resources(template))]


def routes_reach_their_functions(resources):
    integrations = resources.of("AWS::ApiGatewayV2::Integration")
    reached = {}
    for route in resources.of("AWS::ApiGatewayV2::Route").values():
        target = re.fullmatch(r"integrations/\$\{(\w+)\}", route["Target"].get("Fn::Sub", ""))
        uri = integrations.get(target[1], {}).get("IntegrationUri") if target else None
        reached[route["RouteKey"]] = resources.function_of_alias(uri)
    for key in sorted(ROUTES.keys() | reached.keys()):
        if reached.get(key) != ROUTES.get(key):
            yield f"route {key} reaches {reached.get(key)}, not {ROUTES.get(key)}"
    for name, integration in integrations.items():
        if integration.get("PayloadFormatVersion") != "2.0":
            yield f"{name} does not send events of version 2.0"


def functions_run_their_own_code(resources):
    functions = resources.functions()
    if sorted(functions) != FUNCTIONS:
        yield f"the functions are {sorted(functions)}"
    for name, (_, function) in functions.items():
        if function["Code"]["S3Key"] != name:
            yield f"{name} runs the code of {function['Code']['S3Key']}"
        if (function["Runtime"], function["Timeout"]) != ("provided.al2023", TIMEOUTS.get(name, 10)):
            yield f"{name} has another runtime or timeout"


def roles_write_one_log_and_nothing_more(resources):
    roles = resources.of("AWS::IAM::Role")
    used = []
    for name, (_, function) in resources.functions().items():
        role_id = function["Role"].get("Fn::GetAtt", [None])[0]
        role = roles.get(role_id)
        if role is None:
            yield f"{name} has no role of this template"
            continue
        used.append(role_id)
        log = function["LoggingConfig"]["LogGroup"]["Ref"]
        wanted = {"Effect": "Allow", "Action": LOG_ACTIONS, "Resource": {"Fn::GetAtt": [log, "Arn"]}}
        statements = [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
        if statements != [wanted, {"Fn::If": ["HasTracing", TRACE, {"Ref": "AWS::NoValue"}]}]:
            yield f"the role of {name} may do something else than write the function's log and, if asked for, traces"
        if role.get("ManagedPolicyArns"):
            yield f"the role of {name} has a managed policy"
        if role.get("PermissionsBoundary") != BOUNDARY:
            yield f"the role of {name} is not bounded when it is asked for"
        trusted = [s["Principal"] for s in role["AssumeRolePolicyDocument"]["Statement"]]
        if trusted != [{"Service": "lambda.amazonaws.com"}]:
            yield f"the role of {name} can be assumed by {trusted}"
    if sorted(used) != sorted(roles):
        yield "a role is shared or used by nobody"


def logs_are_json_and_end(resources):
    groups = resources.of("AWS::Logs::LogGroup")
    for name, group in groups.items():
        if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{name} is kept for ever"
        policies = (resources.all[name].get("DeletionPolicy"), resources.all[name].get("UpdateReplacePolicy"))
        if policies != ("Delete", "Retain"):
            yield f"{name} does not say what becomes of it"
    for name, (_, function) in resources.functions().items():
        config = function.get("LoggingConfig", {})
        _, group = resources.referred(config.get("LogGroup"), "AWS::Logs::LogGroup")
        if config.get("LogFormat") != "JSON" or not group:
            yield f"{name} does not log JSON to a group of this template"
        elif text(group["LogGroupName"]) != "/aws/lambda/${AWS::StackName}-" + name:
            yield f"{name} logs to the group of another"


def the_stage_throttles_and_logs(resources):
    stages = list(resources.of("AWS::ApiGatewayV2::Stage").values())
    if len(stages) != 1:
        yield "there is not exactly one stage"
        return
    settings = stages[0].get("DefaultRouteSettings", {})
    if not (settings.get("ThrottlingRateLimit") and settings.get("ThrottlingBurstLimit")):
        yield "the stage does not throttle"
    log = stages[0].get("AccessLogSettings", {})
    group = log.get("DestinationArn", {}).get("Fn::GetAtt", [None])[0]
    if group not in resources.of("AWS::Logs::LogGroup"):
        yield "the stage writes no access log"
    for variable in json.loads(log.get("Format", "{}")).values():
        # Those with a query string, an address or what the client says of itself.
        if re.search(r"query|protocol|identity|header|authorizer|responseOverride", variable, re.IGNORECASE):
            yield f"the access log holds {variable}"


def only_the_api_may_call(resources):
    callers = {name: [] for name in FUNCTIONS}
    for name, permission in resources.of("AWS::Lambda::Permission").items():
        callers.setdefault(resources.function_of_alias(permission["FunctionName"]), []).append(name)
        if permission["Principal"] != "apigateway.amazonaws.com":
            yield f"{name} lets {permission['Principal']} call"
        if "${Api}/" not in permission.get("SourceArn", {}).get("Fn::Sub", ""):
            yield f"{name} lets every API call"
    for function, names in callers.items():
        if len(names) != 1:
            yield f"{function} has {len(names)} permissions for the API"


def secrets_are_references(resources):
    for name, (_, function) in resources.functions().items():
        variables = function["Environment"]["Variables"]
        key = "eraserUrl" if name == WEBHOOK else "readOnlyUrl" if name in READERS else "url"
        wanted = "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:" + key + "::${DatabaseSecretVersion}}}"
        if variables.get("DATABASE_URL") != {"Fn::Sub": wanted}:
            yield f"DATABASE_URL of {name} is not the versioned reference to {key}"
        for variable in ("PGSSLROOTCERT", "SSL_CERT_FILE"):
            if variables.get(variable) != "/var/task/roots.pem":
                yield f"{variable} of {name} is not the file in the artefact"
        if "PUBLIC_ORIGIN" not in variables:
            yield f"{name} has no PUBLIC_ORIGIN"


def only_the_page_gets_clerks_secret_key(resources):
    reference = "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:clerkSecretKey::${DatabaseSecretVersion}}}"
    wanted = {"Fn::If": ["HasNonceHandshakes", {"Fn::Sub": reference}, {"Ref": "AWS::NoValue"}]}
    if resources.conditions.get("HasNonceHandshakes") != {"Fn::Equals": [{"Ref": "ClerkNonceHandshakes"}, "true"]}:
        yield "Clerk's secret key is resolved without being asked for"
    for name, (_, function) in resources.functions().items():
        variables = function["Environment"]["Variables"]
        if name != "render-page" and "CLERK_SECRET_KEY" in variables:
            yield f"{name} has a CLERK_SECRET_KEY"
        if name == "render-page" and variables.get("CLERK_SECRET_KEY") != wanted:
            yield "CLERK_SECRET_KEY of render-page is not the conditional, versioned reference"
    if json.dumps(resources.all).count("clerkSecretKey") != 1:
        yield "clerkSecretKey is not referred to exactly once"


def the_webhook_exists_only_on_request(resources):
    if resources.conditions.get("HasWebhook") != {"Fn::Equals": [{"Ref": "ClerkWebhook"}, "true"]}:
        yield "the webhook exists without being asked for"
    both = [{"Condition": "HasWebhook"}, {"Condition": "HasTopic"}]
    if resources.conditions.get("WebhookIsWatched") != {"Fn::And": both}:
        yield "the webhook is watched without being there, or without a topic"
    for name, resource in resources.all.items():
        of_the_webhook = name.startswith("Webhook")
        if of_the_webhook != (resource.get("Condition") in ("HasWebhook", "WebhookIsWatched")):
            yield f"{name} has another condition than the webhook"
        if "webhookSecret" in json.dumps(resource) and resource["Type"] != "AWS::Lambda::Function":
            yield f"{name} has the webhook's secret"
    reference = "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:webhookSecret::${DatabaseSecretVersion}}}"
    for name, (logical_id, function) in resources.functions().items():
        secret = function["Environment"]["Variables"].get("CLERK_WEBHOOK_SIGNING_SECRET")
        if (name == WEBHOOK) != logical_id.startswith("Webhook"):
            yield f"{name} is called {logical_id}"
        if secret != ({"Fn::Sub": reference} if name == WEBHOOK else None):
            yield f"{name} has another webhook secret than it should"


def the_webhook_has_a_throttle_of_its_own(resources):
    stage = resources.all.get("Stage", {})
    settings = stage.get("Properties", {}).get("RouteSettings", {}).get("Fn::If", [None, {}, None])
    throttle = settings[1].get(WEBHOOK_ROUTE, {})
    if settings[0] != "HasWebhook" or not (throttle.get("ThrottlingRateLimit") and throttle.get("ThrottlingBurstLimit")):
        yield "the webhook has no throttle of its own"
    if stage.get("Metadata", {}).get("WaitsFor") != {"Fn::If": ["HasWebhook", {"Ref": "WebhookRoute"}, ""]}:
        yield "the stage may be made before the route that its settings name"


def alarms_watch_everything(resources):
    watched = {}
    for name, alarm in resources.of("AWS::CloudWatch::Alarm").items():
        dimension = alarm["Dimensions"][0]
        watched[alarm["Namespace"], alarm["MetricName"], dimension["Value"].get("Ref")] = alarm
        if alarm.get("AlarmActions") != [{"Ref": "AlarmTopicArn"}]:
            yield f"{name} tells nobody"
        if resources.all[name].get("Condition") not in ("HasTopic", "WebhookIsWatched"):
            yield f"{name} exists without a topic"
    for name, (logical_id, function) in resources.functions().items():
        for metric in ("Errors", "Throttles", "Duration"):
            if ("AWS/Lambda", metric, logical_id) not in watched:
                yield f"nothing watches the {metric} of {name}"
        slow = int(watched.get(("AWS/Lambda", "Duration", logical_id), {}).get("Threshold", 0))
        if not 900 * function["Timeout"] <= slow < 1000 * function["Timeout"]:
            yield f"the alarm for the duration of {name} is not near its timeout"
    for metric in ("4xx", "5xx"):
        if ("AWS/ApiGateway", metric, "Api") not in watched:
            yield f"nothing watches the API's answers with {metric}"


def tracing_is_asked_for(resources):
    if resources.conditions.get("HasTracing") != {"Fn::Equals": [{"Ref": "Tracing"}, "true"]}:
        yield "traces are written without being asked for"
    for name, (_, function) in resources.functions().items():
        if function.get("TracingConfig") != {"Mode": {"Fn::If": ["HasTracing", "Active", "PassThrough"]}}:
            yield f"{name} is traced without being asked to"


def the_dashboard_shows_every_log(resources):
    dashboards = json.dumps(resources.of("AWS::CloudWatch::Dashboard"))
    for name in resources.of("AWS::Logs::LogGroup"):
        if f'{{"Ref": "{name}"}}' not in dashboards and f"${{{name}}}" not in dashboards:
            yield f"the dashboard does not show {name}"


def a_domain_closes_the_other_way_in(resources):
    api = resources.of("AWS::ApiGatewayV2::Api")["Api"]
    if api.get("DisableExecuteApiEndpoint") != {"Fn::If": ["HasDomain", True, False]}:
        yield "the execute-api endpoint stays open beside the domain"


RULES = (
    routes_reach_their_functions,
    functions_run_their_own_code,
    roles_write_one_log_and_nothing_more,
    logs_are_json_and_end,
    the_stage_throttles_and_logs,
    only_the_api_may_call,
    secrets_are_references,
    only_the_page_gets_clerks_secret_key,
    the_webhook_exists_only_on_request,
    the_webhook_has_a_throttle_of_its_own,
    alarms_watch_everything,
    tracing_is_asked_for,
    the_dashboard_shows_every_log,
    a_domain_closes_the_other_way_in,
)
