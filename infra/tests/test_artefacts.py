"""The artefacts for both architectures, run against a Runtime API and a Postgres with TLS.

Those for the other machine run under emulation (Debian: qemu-user-static,
libc6-arm64-cross).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile

import pytest

import artefacts
import clerk
import commands
import postgres
import rules
from runtime_api import RuntimeApi, event

ORIGIN = "https://quotes.example.com"
# e_machine of the ELF header.
MACHINES = {"arm64": 183, "x86_64": 62}
ROOTS = commands.INFRA / "roots.pem"


def emulator(arch):
    """What runs a program of this architecture here."""
    if arch == artefacts.NATIVE:
        return []
    return {"arm64": ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]}[arch]


class Environment:
    """One execution environment of a function: its process and Lambda's side of it."""

    def __init__(self, arch, function, variables):
        self.arch, self.function, self.variables = arch, function, variables

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="quotes-artefact-")
        program = artefacts.unpack(self.arch, self.function, self.folder.name)
        roots = f"{self.folder.name}/roots.pem"
        self.api = RuntimeApi().__enter__()
        self.log = pathlib.Path(self.folder.name) / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*emulator(self.arch), program],
                cwd=self.folder.name,
                stdout=log,
                stderr=log,
                env={
                    "AWS_LAMBDA_RUNTIME_API": self.api.address,
                    "AWS_LAMBDA_FUNCTION_NAME": self.function,
                    "AWS_LAMBDA_FUNCTION_VERSION": "1",
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                    "AWS_LAMBDA_LOG_FORMAT": "JSON",
                    "PGSSLROOTCERT": roots,
                    "SSL_CERT_FILE": roots,
                }
                | self.variables,
            )
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(timeout=20)
        self.api.__exit__()
        self.folder.cleanup()


@pytest.fixture(scope="module")
def instance():
    """An instance of Clerk. A token of it is made where it is used: it lasts a minute."""
    with clerk.folder() as folder:
        instance = clerk.Clerk(commands.free_port(), folder, ORIGIN)
        yield instance
        instance.stop()


@pytest.fixture(scope="module")
def variables(database, instance):
    postgres.migrate(database)
    return {
        "DATABASE_URL": database,
        "PUBLIC_ORIGIN": ORIGIN,
        "CLERK_PUBLISHABLE_KEY": clerk.PUBLISHABLE_KEY,
        "CLERK_JWT_KEY": instance.jwt_key,
    }


def invoke(arch, function, variables, request):
    """The function's answer, and what it logged."""
    with Environment(arch, function, variables) as environment:
        answer = environment.api.invoke(request)
        return answer, environment.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("arch", sorted(MACHINES))
@pytest.mark.parametrize("function", rules.FUNCTIONS)
def test_an_artefact_is_a_program_and_the_roots(arch, function):
    with zipfile.ZipFile(artefacts.folder(arch) / function / "bootstrap.zip") as artefact:
        program = artefact.read("bootstrap")
        assert program[:4] == b"\x7fELF"
        assert int.from_bytes(program[18:20], "little") == MACHINES[arch]
        assert artefact.getinfo("bootstrap").external_attr >> 16 & 0o555 == 0o555
        assert artefact.read("roots.pem") == ROOTS.read_bytes()
        assert artefact.getinfo("roots.pem").external_attr >> 16 & 0o444 == 0o444


@pytest.mark.parametrize("arch", sorted(MACHINES))
@pytest.mark.parametrize("function", rules.FUNCTIONS)
def test_an_artefact_does_not_say_where_and_when_it_was_built(arch, function):
    """What a second build in another folder would change; infra/reproducible.sh makes one."""
    cargo = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    with zipfile.ZipFile(artefacts.folder(arch) / function / "bootstrap.zip") as artefact:
        assert {entry.date_time for entry in artefact.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        program = artefact.read("bootstrap")
    for folder in (commands.ROOT, cargo):
        assert program.count(bytes(folder)) == 0, folder


@pytest.mark.parametrize("function", rules.FUNCTIONS)
def test_a_bill_of_materials_lists_the_crates_in_the_lock_file(function):
    bill = json.loads((artefacts.folder("arm64") / function / "bom.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", function)
    components = {(component["name"], component["version"]) for component in bill["components"]}
    lock = tomllib.loads((commands.ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    assert components <= {(package["name"], package["version"]) for package in lock["package"]}
    names = {name for name, _ in components}
    assert {"shared", "clerk-auth", "lambda_http", "tokio-postgres", "native-tls", "jsonwebtoken"} <= names
    # What only tests and development use is not in it.
    assert not names & {"tests", "dev", "bench", "fuzz", "reqwest", "clap", "bolero"}
    assert str(commands.ROOT) not in json.dumps(bill)


def test_what_is_packed_twice_is_the_same(tmp_path):
    packed = []
    for number, mode in ((1, 0o644), (2, 0o755)):
        artefact = tmp_path / str(number) / "get-quote" / "bootstrap.zip"
        artefact.parent.mkdir(parents=True)
        with zipfile.ZipFile(artefact, "w") as file:
            entry = zipfile.ZipInfo("bootstrap", (2026, 1, number, 0, 0, 0))
            entry.external_attr = mode << 16
            file.writestr(entry, b"program")
        subprocess.run([sys.executable, commands.INFRA / "pack.py", artefact.parents[1], "get-quote"], check=True)
        packed.append(artefact.read_bytes())
    assert packed[0] == packed[1]


@pytest.mark.parametrize("arch", [artefacts.NATIVE] if artefacts.NATIVE == "arm64" else sorted(MACHINES))
def test_the_functions_answer_from_postgres(arch, variables, instance):
    def call(function, method, path="/api/quote", body=None):
        headers = {"authorization": f"Bearer {instance.token()}", "content-type": "application/json"}
        return invoke(arch, function, variables, event(method, path, body, **headers))[0]

    assert call("save-quote", "PUT", body=json.dumps({"message": arch}))["statusCode"] == 201
    found = call("get-quote", "GET")
    assert (found["statusCode"], json.loads(found["body"])["message"]) == (200, arch)
    page = call("render-page", "GET", "/")
    assert (page["statusCode"], arch in page["body"]) == (200, True)
    assert call("delete-quote", "DELETE")["statusCode"] == 204
    assert call("get-quote", "GET")["statusCode"] == 404


def test_the_roots_in_the_artefact_are_the_ones_that_count(variables, instance):
    """They did not sign the certificate of this server, so it is not talked to."""
    url = variables["DATABASE_URL"]
    assert "&sslrootcert=" in url
    unnamed = variables | {"DATABASE_URL": url.split("&sslrootcert=")[0]}
    headers = {"authorization": f"Bearer {instance.token()}"}
    answer, log = invoke(artefacts.NATIVE, "get-quote", unnamed, event("GET", "/api/quote", **headers))
    assert answer["statusCode"] >= 500
    assert "certificate verify failed" in log


def test_the_roots_are_those_of_the_system_bundle():
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    if not os.path.exists(bundle):
        pytest.fail(f"{bundle} is missing: apt install ca-certificates")
    with open(bundle, encoding="utf-8") as file:
        known = file.read()
    roots = ["-----BEGIN" + part.split("-----END")[0] for part in ROOTS.read_text().split("-----BEGIN")[1:]]
    assert len(roots) == 2
    assert all(root in known for root in roots)
