"""`make setup` on a terminal: from nothing to a stage that answers, and what it says to bad answers."""

import contextlib
import io
import json
import os
import signal
import stat
import urllib.parse

import pexpect
import pytest

import clerk
import commands
import postgres
import setup
import stages
from browser import Browser
from ministack import REGION

STAGE = f"setup-{os.getpid()}"
SECRET = f"quotes/{STAGE}/database"
FILE = commands.INFRA / "stages" / f"{STAGE}.env"
LIVE_KEY = clerk.PUBLISHABLE_KEY.replace("pk_test_", "pk_live_")
DOMAIN = "quotes.example.com"
# What a deployment on a busy machine may take.
DEPLOYMENT_SECONDS = 300


@pytest.fixture(scope="module")
def instance():
    """A stand-in for Clerk: of it only the key set is asked for."""
    with clerk.folder() as folder:
        started = clerk.Clerk(commands.free_port(), folder, "http://127.0.0.1:1")
        yield started
        started.stop()


@pytest.fixture(scope="module")
def environment(aws, instance):
    """Of somebody who has set nothing but the credentials."""
    settings = stages.settings(aws, STAGE, CLERK_PROXY_URL=instance.address)
    del settings["AWS_REGION"], settings["CLERK_PUBLISHABLE_KEY"]
    yield commands.environment(**settings)
    FILE.unlink(missing_ok=True)


@contextlib.contextmanager
def terminal(environment, command="setup", **variables):
    """The command on a terminal."""
    child = pexpect.spawn(
        "sh", [f"infra/{command}.sh"], cwd=commands.ROOT, env=environment | variables, encoding="utf-8", timeout=120
    )
    child.logfile_read = io.StringIO()
    try:
        yield child
    finally:
        child.close(force=True)
        child.said = child.logfile_read.getvalue()


def answer(child, *exchanges):
    """Waits for each text in turn and types the answer to it."""
    for asked, typed in exchanges:
        child.expect_exact(asked)
        child.sendline(typed)


def end(child, timeout=-1):
    """The exit status."""
    child.expect(pexpect.EOF, timeout=timeout)
    child.close()
    return child.exitstatus


def interrupt(child):
    """Ctrl-C."""
    child.expect_exact("API key or URL: ")
    child.sendintr()
    child.expect_exact("setup: stopped; make setup can be run again")
    end(child)
    assert child.signalstatus == signal.SIGINT


def secret(aws):
    return aws.client("secretsmanager").get_secret_value(SecretId=SECRET)


@pytest.fixture(scope="module")
def project(neon):
    """A stand-in for Neon's API, whose project has a branch for the stage."""
    neon.create_database(neon.add(STAGE, neon.parent, None))
    return neon


@pytest.fixture(scope="module")
def set_up(aws, environment, project, instance):
    """A stage that was set up, some bad answers included."""
    with terminal(environment, NEON_API_HOST=project.address) as child:
        answer(
            child,
            ("Region: ", REGION),
            ("Publishable key: ", "sk_test_c2VjcmV0"),
            ("setup: this is a secret key; it should be pk_test_… or pk_live_…", "pk_test_nonsense"),
            ("setup: this is no publishable key", clerk.PUBLISHABLE_KEY),
            ("API key or URL: ", ""),
            ("setup: nothing was entered", "postgresql://o:pw@ep-a-pooler.eu-west-1.aws.neon.tech/d"),
            ("setup: this is a pooled URL", "postgresql://o:not-shown@localhost:1/d"),
            ("setup: migrate: cannot connect to the database", project.key),
            ("Project id: ", project.project),
            (f"Branch [{STAGE}]: ", ""),
        )
        child.expect(r"(http://\S+) answers", timeout=DEPLOYMENT_SECONDS)
        child.url = child.match[1]
        assert end(child) == 0
    yield child
    result = commands.run("destroy", answer=f"{STAGE}\n", **aws.variables, STAGE=STAGE)
    assert result.returncode == 0, result.stderr


def test_the_stage_answers(set_up):
    assert Browser().request("GET", set_up.url + "/api/quote").status == 401


def test_the_secret_has_the_urls_of_three_roles(aws, set_up):
    urls = json.loads(secret(aws)["SecretString"])
    users = {key: urllib.parse.urlsplit(url).username for key, url in urls.items()}
    assert users == {"url": "quotes_app", "readOnlyUrl": "quotes_reader", "eraserUrl": "quotes_eraser"}


def test_no_secret_is_shown(aws, project, set_up):
    urls = json.loads(secret(aws)["SecretString"]).values()
    passwords = [urllib.parse.urlsplit(url).password for url in urls]
    hidden = [*passwords, project.owner.password, project.key, "not-shown"]
    assert all(hidden)
    assert [text for text in hidden if text in set_up.said] == []


def test_the_settings_are_in_a_file_of_the_user(set_up, instance):
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    lines = dict(line.split("=", 1) for line in FILE.read_text(encoding="utf-8").splitlines())
    assert lines == {
        "AWS_REGION": f"'{REGION}'",
        "CLERK_PUBLISHABLE_KEY": f"'{clerk.PUBLISHABLE_KEY}'",
        # As the instance prints it, made of its key set.
        "CLERK_JWT_KEY": f"'{instance.jwt_key}'",
        "CLERK_PROXY_URL": f"'{instance.address}'",
    }


def test_the_last_answers_are_defaults_and_a_working_secret_is_kept(aws, environment, set_up):
    before = secret(aws)["VersionId"]
    FILE.write_text(f"# mine\nBURST=7\n{FILE.read_text(encoding='utf-8')}", encoding="utf-8")
    with terminal(environment, LAMBDA_DIR="/nowhere") as child:
        answer(
            child,
            (f"Publishable key [{clerk.PUBLISHABLE_KEY}]: ", ""),
            ("Make new ones (y/n) [n]: ", "perhaps"),
            ("setup: the answer should be y or n", ""),
        )
        child.expect_exact("deploy: LAMBDA_DIR has no artefacts")
        assert end(child) == 1
    assert secret(aws)["VersionId"] == before
    assert FILE.read_text(encoding="utf-8").startswith(f"# mine\nBURST=7\nAWS_REGION='{REGION}'\n")


def test_the_passwords_are_replaced_only_on_request(aws, environment, set_up, database):
    before = json.loads(secret(aws)["SecretString"])
    aws.put_secret(SECRET, before | {"webhookSecret": "whsec_x"})
    with terminal(environment, LAMBDA_DIR="/nowhere") as child:
        answer(child, ("Publishable key [", ""), ("Make new ones (y/n) [n]: ", "y"), ("API key or URL: ", database))
        assert end(child) == 1
    after = json.loads(secret(aws)["SecretString"])
    assert after.pop("webhookSecret") == "whsec_x"
    assert after.keys() == before.keys() and all(after[key] != before[key] for key in before)


def test_after_five_bad_answers_nothing_more_is_asked(environment):
    with terminal(environment, STAGE="setup-bad", AWS_REGION=REGION) as child:
        for _ in range(setup.ATTEMPTS):
            answer(child, ("Publishable key: ", "pk_test_"))
        child.expect_exact("setup: nothing more was asked; make setup can be run again")
        assert end(child) == 1


def test_the_certificate_and_the_zone_of_a_domain_are_checked(aws, environment):
    acm, route53 = aws.client("acm"), aws.client("route53")
    other = acm.request_certificate(DomainName="other.example.com", ValidationMethod="DNS")["CertificateArn"]
    right = acm.request_certificate(DomainName="*.example.com", ValidationMethod="DNS")["CertificateArn"]
    zone, foreign = (
        route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"].rpartition("/")[2]
        for name in ("example.com", "example.org")
    )
    file = FILE.with_name("setup-live.env")
    try:
        with terminal(environment, STAGE="setup-live", AWS_REGION=REGION) as child:
            answer(
                child,
                ("Publishable key: ", LIVE_KEY),
                ("Domain: ", "https://quotes.example.com"),
                ("setup: this is no domain", DOMAIN),
                (f"ARN of the certificate [{right}]: ", "mine"),
                ("setup: this is no certificate", right.replace(REGION, "us-east-1")),
                (f"setup: this certificate is in us-east-1; it should be in {REGION}", right.replace("certificate/", "certificate/0")),
                ("ResourceNotFoundException", other),
                (f"setup: this certificate is for other.example.com; it should be for {DOMAIN}", ""),
                (f"Id of the zone, or none [{zone}]: ", "example.com"),
                ("setup: this is no zone", foreign),
                (f"setup: this zone is not a public one of {DOMAIN}", ""),
            )
            interrupt(child)
        text = file.read_text(encoding="utf-8")
    finally:
        file.unlink(missing_ok=True)
    assert f"DOMAIN_NAME='{DOMAIN}'\nCERTIFICATE_ARN='{right}'\nHOSTED_ZONE_ID='{zone}'\n" in text
    assert f"CLERK_AUTHORIZED_PARTIES='https://{DOMAIN}'\n" in text


def test_a_certificate_that_is_not_issued_is_refused_with_what_it_waits_for(monkeypatch):
    record = {"Name": "_a.quotes.example.com.", "Type": "CNAME", "Value": "_b.acm-validations.aws."}
    found = {"DomainName": DOMAIN, "SubjectAlternativeNames": [DOMAIN], "Status": "PENDING_VALIDATION",
             "DomainValidationOptions": [{"ResourceRecord": record}]}  # fmt: skip
    monkeypatch.setattr(setup, "aws", lambda *_: {"Certificate": found})
    monkeypatch.setenv("AWS_REGION", REGION)
    with pytest.raises(setup.Problem, match="waits for the CNAME record _a.quotes.example.com. _b.acm-validations.aws."):
        setup.certificate(DOMAIN)(f"arn:aws:acm:{REGION}:123456789012:certificate/ab-12")


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("quotes.example.com", "quotes.example.com", True),
        ("*.example.com", "quotes.example.com", True),
        ("*.example.com", "a.quotes.example.com", False),
        ("*.example.com", "example.com", False),
        ("example.com", "quotes.example.com", False),
    ],
)
def test_what_a_certificate_covers(pattern, name, covered):
    assert setup.covers(pattern, name) is covered


def test_what_cannot_be_had_of_neon_is_said(aws, environment, project, set_up):
    more = {"STAGE": "setup-neon", "AWS_REGION": REGION, "NEON_API_HOST": project.address}
    try:
        with terminal(environment, **more) as child:
            answer(child, ("Publishable key: ", clerk.PUBLISHABLE_KEY), ("API key or URL: ", "napi_wrong"))
            answer(
                child,
                ("Project id: ", project.project),
                ("setup: the API key is not accepted by Neon", project.key),
                ("Project id: ", "Autumn"),
                ("setup: the project id is malformed", "other-project-1"),
                ("setup: Neon does not find /branches of the project", project.project),
                ("Branch: ", "production"),
                (f"setup: there is no such branch; there are main, previews, {STAGE}", STAGE),
                # Those of another stage, for all that one can tell.
                ("Give them new passwords (y/n) [n]: ", "n"),
            )
            child.expect_exact("setup: nothing was changed; it should be the database of this stage")
            interrupt(child)
        assert "napi_" not in child.said and project.owner.password not in child.said
    finally:
        FILE.with_name("setup-neon.env").unlink(missing_ok=True)
    postgres.run(json.loads(secret(aws)["SecretString"])["url"], ["SELECT 1"])


@pytest.mark.parametrize("kept", [None, {"webhookSecret": "w"}, {"url": "postgresql://a", "readOnlyUrl": "postgresql://b"}])
def test_where_the_secret_cannot_be_written_no_password_changes(monkeypatch, tmp_path, kept):
    def aws(_, command, *__):
        if kept is None and command != "create-secret":
            raise setup.Problem("ResourceNotFoundException")
        if command == "get-secret-value":
            return {"SecretString": json.dumps(kept)}
        raise setup.Problem("AccessDeniedException")

    def migrations(_, *command):
        done.append(command)
        if command == ("roles",):
            raise setup.Problem("quotes_app exists already")
        return "{}"

    done = []
    monkeypatch.setattr(setup, "aws", aws)
    monkeypatch.setattr(setup, "agree", lambda *_: True)
    monkeypatch.setattr(setup, "ask", lambda _, __, check, **___: check("postgresql://o@localhost/d"))
    monkeypatch.setattr(setup, "migrations", migrations)
    monkeypatch.setenv("STAGE", STAGE)
    with pytest.raises(setup.Problem, match="AccessDeniedException"):
        setup.set_up_database(tmp_path)
    assert ("roles", "--replace") not in done and list(tmp_path.iterdir()) == []


def test_a_first_deployment_on_a_terminal_offers_it(environment):
    with terminal(environment, "deploy", STAGE="setup-new", AWS_REGION=REGION) as child:
        answer(child, ("There is no infra/stages/setup-new.env. Set the stage up now", "n"))
        child.expect_exact("deploy: DATABASE_SECRET names a secret that cannot be found (quotes/setup-new/database)")
        assert end(child) == 1
    with terminal(environment, "deploy", STAGE="setup-new", AWS_REGION=REGION) as child:
        answer(child, ("Set the stage up now", "y"))
        child.expect_exact("Publishable key: ")


def test_without_a_terminal_it_says_so():
    said = commands.complaint(commands.run("setup", STAGE=STAGE))
    assert said.startswith("setup: there is no terminal to ask on")
