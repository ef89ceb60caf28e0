"""What `make account` makes of the stand-in for AWS, and the credentials of its roles."""

import base64
import json

import commands

REPOSITORY = "octo/quotes"
ZONE = "Z0123456789"
ISSUER = "https://token.actions.githubusercontent.com"


def create(aws):
    """Runs the command; stage -> its settings, as they are printed."""
    # The stand-in makes none from a template.
    if not aws.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        aws.client("iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    settings = {"GITHUB_REPOSITORY": REPOSITORY, "HOSTED_ZONE_ID": ZONE}
    result = commands.run("account", **settings, **aws.variables)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line.split(": ") for line in result.stdout.splitlines()[-3:]]
    return {stage: dict(setting.split("=") for setting in said.split(" ")) for stage, said in lines}


def token(subject, audience="sts.amazonaws.com"):
    """GitHub's token of a job. The stand-in does not verify its signature."""
    parts = {"alg": "RS256"}, {"iss": ISSUER, "sub": subject, "aud": audience}
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


def assume(aws, role, subject, audience="sts.amazonaws.com"):
    """What AWS gives a job of GitHub for its token: the variables of its commands."""
    assumed = aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="deployment", WebIdentityToken=token(subject, audience)
    )
    return variables(assumed["Credentials"])


def variables(credentials):
    """Credentials as a command takes them."""
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def of_github(aws, stage, settings):
    """The settings of a deployment from GitHub: with the rights of the stage's role."""
    role = settings["AWS_ROLE_ARN"]
    return settings | assume(aws, role, f"repo:{REPOSITORY}:environment:{stage}")
