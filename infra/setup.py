"""Asks for what a stage needs and makes it: its settings, its database's roles, its secret.

usage: setup.py FOLDER

setup.sh has checked AWS's login, read infra/stages/STAGE.env and deploys afterwards. FOLDER
is one that only the user can read. A default, in brackets, is the answer of the last time. A secret is not
shown, is in no argument list, and is kept nowhere but in Secrets Manager.
"""

import base64
import binascii
import getpass
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from neon import Problem, Project, WrongKey

# How often a question is asked before the command gives up.
ATTEMPTS = 5
# In seconds.
TIMEOUT = 20
# Those that the environment may have, and that later deployments need too.
KEPT = ("AWS_PROFILE", "CLERK_ISSUER", "CLERK_PROXY_URL", "DATABASE_SECRET")


def complain(problem):
    print(f"setup: {problem}", file=sys.stderr)


def ask(about, question, check, default="", hidden=False, passes=()):
    """What `check` makes of an answer. A bad one is complained of, and asked for again.

    `passes`: problems of an earlier answer, which another answer to this question cannot solve.
    """
    print(f"\n{about}")
    prompt = f"{question} [{default}]: " if default else f"{question}: "
    for _ in range(ATTEMPTS):
        try:
            answer = (getpass.getpass(prompt) if hidden else input(prompt)).strip() or default
            return check(answer)
        except EOFError:
            break
        except passes:
            raise
        except Problem as problem:
            complain(problem)
    raise Problem("nothing more was asked; make setup can be run again")


def agree(about, question):
    """Whether the answer is yes."""

    def check(answer):
        if answer.lower() not in ("y", "yes", "n", "no"):
            raise Problem("the answer should be y or n")
        return answer.lower().startswith("y")

    return ask(about, question, check, "n")


def run(*command, **environment):
    """What a program prints; a failure in its own words."""
    result = subprocess.run(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"{command[0]} failed"]
        raise Problem(lines[-1])
    return result.stdout


def aws(*arguments):
    """What a command of the AWS CLI answers."""
    return json.loads(run("aws", *arguments, "--output", "json") or "null")


def fetch(url):
    """A JSON document."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
        raise Problem(f"{url} should begin with https://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Problem(f"{parts.netloc} answers {error.code}") from None
    except (OSError, ValueError) as error:
        raise Problem(f"{parts.netloc} cannot be asked: {getattr(error, 'reason', error)}") from None


# Clerk


def publishable_key(answer):
    """The key, once the instance that it names has answered; and the PEM of the instance's public key."""
    kind, encoded = answer[:8], answer[8:]
    try:
        host = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        host = ""
    if kind not in ("pk_test_", "pk_live_") or not re.fullmatch(r"[a-z0-9.-]+\.[a-z]+\$", host):
        what = "is a secret key" if answer.startswith("sk_") else "is no publishable key"
        raise Problem(f"this {what}; it should be pk_test_… or pk_live_…, copied as a whole")
    base = os.environ.get("CLERK_PROXY_URL") or f"https://{host[:-1]}"
    keys = fetch(f"{base}/.well-known/jwks.json").get("keys", [])
    return answer, [pem(key) for key in keys if key.get("kty") == "RSA"]


def der(tag, *parts):
    """One value in DER."""
    body = b"".join(parts)
    size = len(body)
    length = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (length if size < 0x80 else bytes([0x80 | len(length)]) + length) + body


def pem(key):
    """An RSA key of a key set (RFC 7517) as PEM (SubjectPublicKeyInfo), on one line with \\n."""

    def integer(text):
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).lstrip(b"\0")
        # The first bit is the sign.
        return der(0x02, b"\0" + value if value[0] & 0x80 else value)

    # OID 1.2.840.113549.1.1.1, rsaEncryption, with its parameter NULL.
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d010101"), b"\x05\x00")
    public_key = der(0x30, integer(key["n"]), integer(key["e"]))
    text = base64.b64encode(der(0x30, algorithm, der(0x03, b"\0", public_key))).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----"])


# The domain


def domain(answer):
    if not re.fullmatch(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", answer):
        raise Problem("this is no domain; it should be in lower case such as quotes.example.com")
    return answer


def covers(pattern, name):
    """Whether a name of a certificate is for a domain. A star stands for one label."""
    return pattern == name or (pattern.startswith("*.") and pattern[2:] == name.partition(".")[2])


def certificate_of(name):
    """The ARN of an issued certificate for the domain, if the region has one."""
    listed = aws("acm", "list-certificates", "--certificate-statuses", "ISSUED")["CertificateSummaryList"]
    for found in listed:
        names = [found["DomainName"], *found.get("SubjectAlternativeNameSummaries", [])]
        if any(covers(pattern, name) for pattern in names):
            return found["CertificateArn"]
    return ""


def certificate(name):
    """What checks a certificate for this domain."""
    region = os.environ["AWS_REGION"]

    def check(answer):
        matched = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[A-Za-z0-9-]+", answer)
        if not matched:
            raise Problem("this is no certificate; it should be arn:aws:acm:…:certificate/…")
        if matched[1] != region:
            raise Problem(f"this certificate is in {matched[1]}; it should be in {region}, where the stage is")
        found = aws("acm", "describe-certificate", "--certificate-arn", answer)["Certificate"]
        if not any(covers(pattern, name) for pattern in [found["DomainName"], *found["SubjectAlternativeNames"]]):
            raise Problem(f"this certificate is for {found['DomainName']}; it should be for {name}")
        if found["Status"] != "ISSUED":
            records = [option["ResourceRecord"] for option in found["DomainValidationOptions"] if "ResourceRecord" in option]
            wanted = "".join(f"; it waits for the {r['Type']} record {r['Name']} {r['Value']}" for r in records)
            raise Problem(f"this certificate is {found['Status']}; it should be ISSUED{wanted}")
        return answer

    return check


def zone_of(name):
    """The id of the public zone that has the domain, if Route 53 has one."""
    zones = [zone for zone in aws("route53", "list-hosted-zones")["HostedZones"] if not zone["Config"]["PrivateZone"]]
    fitting = [zone for zone in zones if f".{name}.".endswith(f".{zone['Name']}")]
    return max(fitting, key=lambda zone: len(zone["Name"]))["Id"].rpartition("/")[2] if fitting else ""


def zone(name):
    """What checks a zone for this domain."""

    def check(answer):
        if answer in ("", "none"):
            return ""
        if not re.fullmatch(r"Z[A-Z0-9]{5,32}", answer):
            raise Problem("this is no zone; it should be its id such as Z0123456789ABCDEFGHIJ, or none")
        found = aws("route53", "get-hosted-zone", "--id", answer)["HostedZone"]
        if found["Config"]["PrivateZone"] or not f".{name}.".endswith(f".{found['Name']}"):
            raise Problem(f"this zone is not a public one of {name}")
        return answer

    return check


def ask_domain():
    """The settings of the domain."""
    before = os.environ.get
    name = ask(
        "The stage's domain. A production instance of Clerk works only on the one that it was created for.",
        "Domain", domain, before("DOMAIN_NAME", ""),
    )  # fmt: skip
    request = f"aws acm request-certificate --domain-name {name} --validation-method DNS"
    arn = ask(
        f"The certificate of {name}, in Certificate Manager of {os.environ['AWS_REGION']}. This requests one:\n  {request}",
        "ARN of the certificate", certificate(name), before("CERTIFICATE_ARN") or certificate_of(name),
    )  # fmt: skip
    zone_id = ask(
        f"The Route 53 zone that the deployment makes the record of {name} in.\n"
        "With none, it says which CNAME record you have to make elsewhere.",
        "Id of the zone, or none", zone(name), before("HOSTED_ZONE_ID") or zone_of(name) or "none",
    )  # fmt: skip
    parties = before("CLERK_AUTHORIZED_PARTIES") or f"https://{name}"
    return {"DOMAIN_NAME": name, "CERTIFICATE_ARN": arn, "HOSTED_ZONE_ID": zone_id, "CLERK_AUTHORIZED_PARTIES": parties}


# The database


def owner_by_neon(key):
    """The owner's URL of a branch, by Neon's API."""

    def open_project(answer):
        print("setup: asks Neon")
        project = Project(key, answer, os.environ.get("NEON_API_HOST"), attempts=3)
        return project, list(project.branches())

    about = "The Neon project, by its id: Neon console, the project, Settings."
    project, branches = ask(about, "Project id", open_project, passes=WrongKey)

    def branch(answer):
        found = [branch for branch in branches if branch["name"] == answer]
        if not found:
            raise Problem(f"there is no such branch; there are {', '.join(b['name'] for b in branches)}")
        return found[0]

    # No other is offered: the default branch may be production's.
    stage = os.environ["STAGE"]
    default = stage if any(b["name"] == stage for b in branches) else ""
    chosen = ask("The branch with the stage's data. Each stage needs one of its own.", "Branch", branch, default)
    try:
        return project.owner_url(chosen)
    except Problem as problem:
        raise Problem(f"{problem}; or enter the owner's URL") from None


def migrations(owner, *arguments):
    """What the program that knows the database prints."""
    if program := os.environ.get("MIGRATIONS"):
        command = [program]
    else:
        run(sys.executable, "dev/tools.py")
        command = ["cargo", "run", "--quiet", "--locked", "--bin", "migrations", "--"]
    return run(*command, *arguments, MIGRATION_DATABASE_URL=owner)


def roles(owner, replaces, prepare):
    """The URLs of the roles. New passwords for those that exist are agreed to first, and prepared."""
    if replaces:
        prepare()
    try:
        return json.loads(migrations(owner, "roles", *(["--replace"] if replaces else [])))
    except Problem as problem:
        if "exists already" not in str(problem):
            raise
    about = "The database has these roles already. With new passwords, a stage that uses them cannot connect any more."
    if not agree(about, "Give them new passwords (y/n)"):
        raise Problem("nothing was changed; it should be the database of this stage")
    return roles(owner, True, prepare)


def database(answer, replaces, prepare):
    """The URLs of the roles, which are made or get new passwords."""
    if not answer:
        raise Problem("nothing was entered; it should be a Neon API key or postgresql://…")
    owner = answer if re.match(r"postgres(ql)?://", answer) else owner_by_neon(answer)
    host = urllib.parse.urlsplit(owner).hostname or ""
    if host.partition(".")[0].endswith("-pooler"):
        raise Problem("this is a pooled URL; it should be the one with connection pooling switched off")
    region = re.search(r"\.([a-z0-9-]+)\.aws\.neon\.tech$", host)
    if region and region[1] != os.environ["AWS_REGION"]:
        print(f"setup: the database is in {region[1]}, the stage in {os.environ['AWS_REGION']}: every request goes back and forth")
    print("setup: asks the database; the first time, a program is built for this, which takes some minutes")
    print(migrations(owner).strip())
    return roles(owner, replaces, prepare)


def existing_secret(name):
    """The keys of the secret; None if there is none."""
    try:
        return json.loads(aws("secretsmanager", "get-secret-value", "--secret-id", name)["SecretString"])
    except Problem as problem:
        if "ResourceNotFoundException" in str(problem):
            return None
        if "deletion" in str(problem):
            advice = f"run aws secretsmanager restore-secret --secret-id {name}, then make setup again"
            raise Problem(f"{name} is scheduled for deletion: {advice}") from None
        raise
    except ValueError:
        raise Problem(f"{name} is not JSON: delete it, or name another one with DATABASE_SECRET") from None


def store(folder, name, keys):
    """Writes the keys into the secret, which is made if it is not there."""
    file = write(pathlib.Path(folder) / "secret.json", json.dumps(keys))
    value = ("--secret-string", f"file://{file}")
    try:
        aws("secretsmanager", "put-secret-value", "--secret-id", name, *value)
    except Problem as problem:
        if "ResourceNotFoundException" not in str(problem):
            raise
        aws("secretsmanager", "create-secret", "--name", name, *value)
    finally:
        file.unlink()


def set_up_database(folder):
    """Sees to it that the stage's secret has the URLs of the roles."""
    name = os.environ.get("DATABASE_SECRET") or f"quotes/{os.environ['STAGE']}/database"
    kept = existing_secret(name) or {}
    replaces = {"url", "readOnlyUrl"} <= kept.keys()
    if replaces:
        about = (
            f"The secret {name} has the database's URLs already. Making new ones gives the roles new\n"
            "passwords: the release that runs now cannot connect again until the deployment is done."
        )
        if not agree(about, "Make new ones (y/n)"):
            return

    def prepare():
        # Writes the secret as it is: where AWS refuses that, no password has changed yet.
        store(folder, name, kept)

    urls = ask(
        "Postgres, as the owner of the database: creates the tables and three roles with as few rights as\n"
        "possible, and then forgets this. Either an API key of Neon, from https://console.neon.tech/app/settings/api-keys,\n"
        "or the owner's URL: Neon console, Connect, connection pooling off. It is not shown.",
        "API key or URL", lambda answer: database(answer, replaces, prepare), hidden=True,
    )  # fmt: skip
    store(folder, name, kept | urls)
    print(f"setup: {name} has the URLs of {', '.join(sorted(urls))}")


# The settings


def write(path, text):
    """Writes a file that only the user can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def save(settings):
    """Changes or adds these lines of the stage's file, and leaves the others."""
    path = pathlib.Path("infra/stages") / f"{os.environ['STAGE']}.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for name, value in settings.items():
        line = f"{name}='{value}'"
        places = [i for i, before in enumerate(lines) if before.startswith(f"{name}=")]
        if places:
            lines[places[-1]] = line
        elif value:
            lines.append(line)
    write(path, "".join(f"{line}\n" for line in lines))
    print(f"\nsetup: the settings are in {path}")


def account_settings():
    """What `make account` has made for the stage, so that people deploy it as GitHub does."""
    stage = "pr" if os.environ["STAGE"].startswith("pr-") else os.environ["STAGE"]
    try:
        outputs = aws("cloudformation", "describe-stacks", "--stack-name", "account-quotes")["Stacks"][0]["Outputs"]
    except Problem as problem:
        if "does not exist" in str(problem) or "AccessDenied" in str(problem):
            return {}
        raise
    said = next((output["OutputValue"] for output in outputs if output["OutputKey"] == stage), "")
    wanted = ("EXECUTION_ROLE_ARN", "PERMISSIONS_BOUNDARY", "ARTIFACT_BUCKET")
    return {name: value for name, _, value in (part.partition("=") for part in said.split()) if name in wanted}


def main(folder):
    key, pems = ask(
        "Clerk's publishable key: says which instance the stage's users sign in at. Dashboard, API keys:\n"
        "https://dashboard.clerk.com/~/api-keys. pk_test_… for a try, pk_live_… on a domain.",
        "Publishable key", publishable_key, os.environ.get("CLERK_PUBLISHABLE_KEY", ""),
    )  # fmt: skip
    settings = {"AWS_REGION": os.environ["AWS_REGION"], "CLERK_PUBLISHABLE_KEY": key}
    # With several, the instance is changing its key: the functions then follow the key set.
    settings["CLERK_JWT_KEY"] = pems[0] if len(pems) == 1 else ""
    settings |= {name: os.environ[name] for name in KEPT if os.environ.get(name)}
    if key.startswith("pk_live_"):
        settings |= ask_domain()
    save(settings | account_settings())
    set_up_database(folder)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Problem as problem:
        complain(problem)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("\nsetup: stopped; make setup can be run again")
