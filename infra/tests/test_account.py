"""What GitHub's role of a stage and CloudFormation's can do and cannot, as AWS's policies are enforced.

test_deployed.py deploys, rolls back and destroys with the role. The stand-in for AWS
lets CloudFormation do everything, does not ask for iam:PassRole, takes UpdateAlias for
ListAliases and does not know the condition iam:PermissionsBoundary (a call that needs it is
refused). So the last tests read the policies. It does enforce a boundary that a role has.
"""

import json

import boto3
import pytest

import account
import commands
import source
from ministack import REGION

ACCOUNT = "000000000000"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(scope="module")
def made(aws):
    """The settings of each stage, as the command prints them."""
    for name in ("quotes/staging/database", "quotes/production/database", "other"):
        aws.client("secretsmanager").create_secret(Name=name, SecretString="{}")
    return account.create(aws)


@pytest.fixture(scope="module")
def roles(aws, made):
    """Role -> a session of it."""
    github = account.of_github(aws, "staging", made["staging"])
    # The root user of the stand-in is also its services.
    arn = made["staging"]["EXECUTION_ROLE_ARN"]
    cloudformation = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="cloudformation")["Credentials"]
    found = {"github": github, "cloudformation": account.variables(cloudformation)}
    return {
        role: boto3.Session(
            variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"], REGION
        )
        for role, variables in found.items()
    }


def test_making_it_again_changes_nothing(aws, made):
    assert account.create(aws) == made


@pytest.mark.parametrize(
    ("stage", "subject", "audience", "allowed"),
    [
        ("staging", "octo/quotes:environment:staging", "sts.amazonaws.com", True),
        ("production", "octo/quotes:environment:production", "sts.amazonaws.com", True),
        ("pr", "octo/quotes:environment:preview", "sts.amazonaws.com", True),
        ("pr", "octo/quotes:environment:preview-cleanup", "sts.amazonaws.com", True),
        ("production", "octo/quotes:environment:staging", "sts.amazonaws.com", False),
        ("production", "octo/quotes:environment:production-2", "sts.amazonaws.com", False),
        ("production", "octo/quotes:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("production", "octo/quotes:pull_request", "sts.amazonaws.com", False),
        ("production", "somebody/quotes:environment:production", "sts.amazonaws.com", False),
        ("production", "octo/quotes:environment:production", "https://github.com/octo", False),
        ("pr", "octo/quotes:environment:staging", "sts.amazonaws.com", False),
    ],
)
def test_a_role_is_only_for_jobs_of_its_environment(aws, made, stage, subject, audience, allowed):
    try:
        account.assume(aws, made[stage]["AWS_ROLE_ARN"], f"repo:{subject}", audience)
        assert allowed
    except aws.client("sts").exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied" and not allowed


def secret(name):
    return "secretsmanager", "get_secret_value", {"SecretId": name}


def stack(call, name, **more):
    return "cloudformation", call, {"StackName": name} | more


def function(call, name, **more):
    return "lambda", call, {"FunctionName": name} | more


def artefact(call, key, **more):
    return "s3", call, {"Bucket": f"quotes-artefacts-{ACCOUNT}-{REGION}", "Key": key} | more


def role(call, name, **more):
    return "iam", call, {"RoleName": name} | more


POLICY = {"PolicyName": "p", "PolicyDocument": json.dumps(EVERYTHING)}
CHANGE = {"ChangeSetName": "c", "TemplateBody": "{}"}
ALIAS = {"Name": "live", "FunctionVersion": "1"}
ALARM = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
         "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}  # fmt: skip


@pytest.mark.parametrize(
    ("who", "allowed", "call"),
    [
        # Its own stage.
        ("github", True, secret("quotes/staging/database")),
        ("github", True, stack("describe_stacks", "quotes-staging")),
        ("github", True, stack("create_change_set", "quotes-staging", **CHANGE)),
        ("github", True, stack("delete_stack", "quotes-staging")),
        ("github", True, artefact("put_object", "quotes-staging/r/a")),
        ("github", True, artefact("delete_object", "quotes-staging/r/a")),
        ("github", True, function("get_function_configuration", "quotes-staging-get-quote")),
        ("github", True, function("update_alias", "quotes-staging-get-quote", **ALIAS)),
        ("cloudformation", True, secret("quotes/staging/database")),
        ("cloudformation", True, artefact("get_object", "quotes-staging/r/a")),
        ("cloudformation", True, function("get_function", "quotes-staging-get-quote")),
        ("cloudformation", True, function("delete_function", "quotes-staging-get-quote")),
        ("cloudformation", True, role("get_role", "quotes-staging-GetQuoteRole")),
        ("cloudformation", True, role("delete_role", "quotes-staging-GetQuoteRole")),
        ("cloudformation", True, ("logs", "create_log_group", {"logGroupName": "/aws/lambda/quotes-staging-get-quote"})),
        ("cloudformation", True, ("logs", "delete_log_group", {"logGroupName": "/aws/lambda/quotes-staging-get-quote"})),
        ("cloudformation", True, ("logs", "put_retention_policy",
                                  {"logGroupName": "/aws/vendedlogs/quotes-staging/access", "retentionInDays": 1})),
        ("cloudformation", True, ("cloudwatch", "put_metric_alarm", {"AlarmName": "quotes-staging-Errors"} | ALARM)),
        ("cloudformation", True, ("apigatewayv2", "create_api", {"Name": "a", "ProtocolType": "HTTP"})),
        # Another stage.
        *((who, False, call) for who in ("github", "cloudformation") for call in [
            secret("quotes/production/database"),
            stack("describe_stacks", "quotes-production"),
            stack("create_change_set", "quotes-production", **CHANGE),
            stack("delete_stack", "quotes-production"),
            artefact("get_object", "quotes-production/r/a"),
            artefact("put_object", "quotes-production/r/a"),
            function("get_function", "quotes-production-get-quote"),
            function("update_alias", "quotes-production-get-quote", **ALIAS),
            function("update_function_code", "quotes-production-get-quote", ZipFile=b""),
            function("invoke", "quotes-production-get-quote"),
            role("get_role", "quotes-production-GetQuoteRole"),
            role("delete_role", "quotes-production-GetQuoteRole"),
            ("logs", "delete_log_group", {"logGroupName": "/aws/lambda/quotes-production-get-quote"}),
            ("cloudwatch", "put_metric_alarm", {"AlarmName": "quotes-production-Errors"} | ALARM),
        ]),
        # Other secrets, and what is not its work.
        *((who, False, call) for who in ("github", "cloudformation") for call in [
            secret("other"),
            ("secretsmanager", "put_secret_value", {"SecretId": "quotes/staging/database", "SecretString": "{}"}),
            ("s3", "list_buckets", {}),
            stack("delete_stack", "account-quotes"),
            stack("create_change_set", "account-quotes", **CHANGE),
        ]),
        ("github", False, function("update_function_code", "quotes-staging-get-quote", ZipFile=b"")),
        ("github", False, ("apigatewayv2", "create_api", {"Name": "a", "ProtocolType": "HTTP"})),
        # An administrator.
        *((who, False, call) for who in ("github", "cloudformation") for call in [
            role("create_role", "administrator", AssumeRolePolicyDocument=TRUST),
            role("create_role", "quotes-staging-r", AssumeRolePolicyDocument=TRUST),
            role("put_role_policy", "quotes-staging-r", **POLICY),
            role("put_role_policy", "deploy-quotes-staging", **POLICY),
            role("put_role_policy", "cloudformation-quotes-staging", **POLICY),
            role("attach_role_policy", "quotes-staging-r", PolicyArn=ADMINISTRATOR),
            role("attach_role_policy", "cloudformation-quotes-staging", PolicyArn=ADMINISTRATOR),
            role("update_assume_role_policy", "cloudformation-quotes-staging", PolicyDocument=TRUST),
            role("delete_role_permissions_boundary", "quotes-staging-r"),
            ("iam", "create_user", {"UserName": "quotes-staging-u"}),
            ("iam", "create_access_key", {"UserName": "quotes-staging-u"}),
            ("iam", "create_policy_version", {
                "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary-quotes-staging",
                "PolicyDocument": json.dumps(EVERYTHING), "SetAsDefault": True}),
            ("sts", "assume_role", {
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/cloudformation-quotes-staging", "RoleSessionName": "again"}),
        ]),
    ],
)  # fmt: skip
def test_what_a_role_can_do(aws, roles, who, allowed, call):
    service, name, arguments = call
    client = roles[who].client(service, endpoint_url=aws.endpoint)
    refusal = None
    try:
        getattr(client, name)(**arguments)
    except client.exceptions.ClientError as error:
        # What may be done also fails where there is nothing to do it to.
        refusal = error.response["Error"]["Code"]
    assert (refusal not in ("AccessDenied", "AccessDeniedException", "403")) == allowed, refusal


def test_a_bounded_role_can_do_nothing_but_write_the_logs_of_its_stage(aws, made):
    """Whatever its own policy says, and whoever may assume it."""
    iam, sts = aws.client("iam"), aws.client("sts")
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="quotes-staging-bounded",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}),
        PermissionsBoundary=made["staging"]["PERMISSIONS_BOUNDARY"],
    )
    iam.put_role_policy(RoleName="quotes-staging-bounded", **POLICY)
    arn = f"arn:aws:iam::{ACCOUNT}:role/quotes-staging-bounded"
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="bounded")["Credentials"]
    keys = credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    session = boto3.Session(*keys, REGION)

    def refused(service, call, **arguments):
        client = session.client(service, endpoint_url=aws.endpoint)
        try:
            getattr(client, call)(**arguments)
        except client.exceptions.ClientError as error:
            return "AccessDenied" in error.response["Error"]["Code"]
        return False

    def stream(stage):
        return {"logGroupName": f"/aws/lambda/quotes-{stage}-get-quote", "logStreamName": "s"}

    assert not refused("logs", "create_log_stream", **stream("staging"))
    assert refused("logs", "create_log_stream", **stream("production"))
    assert refused("iam", "create_user", UserName="administrator")
    assert refused("secretsmanager", "get_secret_value", SecretId="quotes/staging/database")


TEMPLATE = commands.INFRA / "account.yaml"


@pytest.fixture(scope="module")
def resources():
    """The template's, without its loops."""
    return source.expanded(source.parse(TEMPLATE.read_text(encoding="utf-8")))["Resources"]


def test_the_template_has_no_lint():
    assert source.lint(TEMPLATE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("stage", ["staging", "production", "pr"])
def test_what_could_make_an_administrator_is_conditional(resources, stage):
    """All of IAM that a role may change, read from its policy: here the stand-in is no judge."""
    needed = {
        "iam:PassRole": {"iam:PassedToService": "lambda.amazonaws.com"},
        **dict.fromkeys(
            ("iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
            {"iam:PermissionsBoundary": {"Ref": f"{stage}Boundary"}},
        ),
    }
    # What these do to a bounded role leaves it bounded.
    harmless = {"iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"}
    own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/quotes-" + stage + "-*"
    conditional = {}
    for statement in statements(resources[f"{stage}Executor"]):
        for action in actions(statement):
            if not action.startswith("iam:") or action.startswith(("iam:Get", "iam:List")):
                continue
            if action == "iam:CreateServiceLinkedRole":
                assert text(statement["Resource"]).endswith(":role/aws-service-role/ops.apigateway.amazonaws.com/*")
                continue
            assert text(statement["Resource"]) == own, action
            if action not in harmless:
                conditional[action] = statement["Condition"]["StringEquals"]
    assert conditional == needed


@pytest.mark.parametrize("role", ["Deployer", "Executor"])
def test_who_makes_and_who_executes_a_change_may_use_the_transforms(resources, role):
    """CloudFormation expands them with the role that it was passed; the stand-in asks nobody."""
    transforms = {"Fn::Sub": "arn:${AWS::Partition}:cloudformation:${AWS::Region}:aws:transform/*"}
    for stage in ("staging", "production", "pr"):
        allowed = [s for s in statements(resources[f"{stage}{role}"]) if s["Resource"] == transforms]
        assert [actions(s) for s in allowed] == [["cloudformation:CreateChangeSet"]]


@pytest.mark.parametrize("stage", ["staging", "production", "pr"])
def test_a_deployment_changes_functions_only_by_their_alias(resources, stage):
    of_lambda = [s for s in statements(resources[f"{stage}Deployer"]) if any(a.startswith("lambda:") for a in actions(s))]
    assert [sorted(actions(s)) for s in of_lambda] == [
        ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction", "lambda:List*", "lambda:UpdateAlias"]
    ]
    assert text(of_lambda[0]["Resource"]).endswith(":function:quotes-" + stage + "-*")


@pytest.mark.parametrize("stage", ["staging", "production", "pr"])
def test_a_deployment_passes_only_its_own_role_and_only_to_cloudformation(resources, stage):
    of_iam = [s for s in statements(resources[f"{stage}Deployer"]) if any(a.startswith("iam:") for a in actions(s))]
    assert of_iam == [{
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": {"Fn::GetAtt": [f"{stage}Executor", "Arn"]},
        "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
    }]  # fmt: skip


def test_nothing_is_allowed_on_everything_but_what_knows_no_names(resources):
    found = set()
    for resource in resources.values():
        if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for statement in statements(resource):
                assert statement["Effect"] == "Allow" and not {"NotAction", "NotResource"} & set(statement)
                if statement["Resource"] == "*":
                    found |= set(actions(statement))
    assert {action for action in found if not action.startswith("logs:")} == {
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplateSummary",
        "cloudwatch:DescribeAlarms",
        "secretsmanager:ListSecrets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    assert {action for action in found if "*" in action} == set()


def statements(resource):
    """Those of a role's inline policies, or of a policy."""
    properties = resource["Properties"]
    policies = properties.get("Policies") or [properties]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def actions(statement):
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def text(value):
    return value["Fn::Sub"] if isinstance(value, dict) else value


def test_the_workflow_deploys_the_stages_that_have_a_role():
    workflow = (commands.ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
    assert "options: [staging, production]" in workflow
    assert TEMPLATE.read_text(encoding="utf-8").count("[staging, production, pr]") == 2


def test_what_is_not_given_again_stays(aws, made):
    result = commands.run("account", **aws.variables)
    assert result.returncode == 0, result.stdout + result.stderr
    stack = aws.client("cloudformation").describe_stacks(StackName="account-quotes")["Stacks"][0]
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    assert (given["Repository"], given["ZoneId"]) == (account.REPOSITORY, account.ZONE)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"GITHUB_REPOSITORY": "quotes"}, "GITHUB_REPOSITORY is not set or malformed; it should be owner/name"),
        ({"GITHUB_REPOSITORY": "o/$(id)"}, "account-quotes was not changed: "),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "AWS does not accept the credentials"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(aws, changed, line):
    settings = {"GITHUB_REPOSITORY": account.REPOSITORY} | aws.variables | changed
    assert commands.complaint(commands.run("account", **settings)).startswith(f"account: {line}")


def test_a_bucket_that_outlived_its_stack_is_named(aws, made):
    name = made["staging"]["ARTIFACT_BUCKET"].replace(REGION, "us-west-2")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    settings = {"GITHUB_REPOSITORY": account.REPOSITORY} | aws.variables | {"AWS_REGION": "us-west-2"}
    try:
        said = commands.complaint(commands.run("account", **settings))
    finally:
        s3.delete_bucket(Bucket=name)
    assert said.startswith(f"account: the bucket {name} is left from before: ") and f"aws s3 rb --force s3://{name}" in said
