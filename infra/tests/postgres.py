"""A test's database: the migrations, and the roles of infra/README.md."""

import re
import ssl
import subprocess
import urllib.parse

import pg8000.native

import commands

PASSWORD = "of-the-roles"
# Key of the stage's secret -> role.
ROLES = {"url": "quotes_app", "readOnlyUrl": "quotes_reader", "eraserUrl": "quotes_eraser"}


def roots(url):
    """The file with the certificate authority of the server."""
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["sslrootcert"][0]


def run(url, statements):
    """Runs statements as the role of the URL."""
    parts = urllib.parse.urlsplit(url)
    connection = pg8000.native.Connection(
        parts.username,
        password=urllib.parse.unquote(parts.password),
        host=parts.hostname,
        port=parts.port,
        database=parts.path[1:],
        ssl_context=ssl.create_default_context(cafile=roots(url)),
    )
    for statement in statements:
        connection.run(statement)
    connection.close()


def migrate(url):
    """Applies the migrations."""
    # Not by its package, for which the dependencies would be compiled again with other features.
    command = ["cargo", "run", "--quiet", "--locked", "--bin", "migrations"]
    environment = commands.environment(MIGRATION_DATABASE_URL=url)
    subprocess.run(command, cwd=commands.ROOT, env=environment, check=True)


def documented(kind):
    """The statements of infra/README.md that begin like this."""
    readme = (commands.INFRA / "README.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"```sql\n(.*?)```", readme, re.DOTALL)).replace("…", PASSWORD)
    return [" ".join(statement.split()) for statement in blocks.split(";") if statement.strip().startswith(kind)]


def create_roles(url):
    """Creates the roles, which have no privilege yet. The URLs of a stage's secret."""
    run(url, documented("CREATE ROLE"))
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return {key: parts._replace(netloc=f"{role}:{PASSWORD}@{host}").geturl() for key, role in ROLES.items()}


def grant(url):
    """Gives the roles what they need, once the tables are there."""
    run(url, documented("GRANT"))
