"""One list of routes: the template, `cargo lambda watch` and the README say the same."""

import re
import tomllib

import pytest

import commands
import source
from resources import Resources

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]


def template_routes():
    """Route key -> function, as they are deployed."""
    resources = Resources(source.translate(source.read()))
    integrations = resources.of("AWS::ApiGatewayV2::Integration")
    routes = {}
    for route in resources.of("AWS::ApiGatewayV2::Route").values():
        integration = re.search(r"\w+Integration", route["Target"]["Fn::Sub"])[0]
        uri = integrations[integration]["IntegrationUri"]
        routes[route["RouteKey"]] = resources.function_of_alias(uri)
    return routes


def deployed(routes, method, path):
    """The function that the API calls."""
    return routes.get(f"{method} {path}", routes["$default"])


def local_router():
    """Path -> function, or method -> function, as `cargo lambda watch` has it."""
    manifest = tomllib.loads((commands.ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"]
    # What stands in for Clerk is never deployed.
    del router["/__clerk/{*path}"]
    return {
        path: target if isinstance(target, str) else {t["method"].upper(): t["function"] for t in target}
        for path, target in router.items()
    }


def differences(routes, router):
    """Requests that would reach another function at home than in the cloud."""
    if router.get("/{*path}") != routes["$default"]:
        yield "everything else"
    paths = {key.split(" ")[1] for key in routes if key != "$default"}
    for path in sorted(paths | router.keys() - {"/{*path}"}):
        target = router.get(path, router["/{*path}"])
        for method in METHODS:
            # A path with methods does not fall through: what is not listed is lost.
            local = target if isinstance(target, str) else target.get(method)
            if local != deployed(routes, method, path):
                yield f"{method} {path}: {local} at home, {deployed(routes, method, path)} in the cloud"


def readme_routes(text):
    """Route key -> function, from the table's rows that begin with a method."""
    rows = re.findall(r"^\| `([A-Z]+ /\S*)`(?: \(form\))? \| ([a-z-]+) \|", text, re.MULTILINE)
    return {key.removesuffix("`"): function for key, function in rows}


def test_local_requests_reach_the_same_functions():
    assert list(differences(template_routes(), local_router())) == []


def test_the_readme_lists_the_routes():
    text = (commands.ROOT / "README.md").read_text(encoding="utf-8")
    routes = template_routes()
    # HEAD is like GET, and needs no row.
    head = {key for key in routes if key.startswith("HEAD ")}
    for key in head:
        assert routes[key] == deployed(routes, "GET", key.split(" ")[1])
    assert readme_routes(text) == {k: f for k, f in routes.items() if k not in head | {"$default"}}
    assert f"| anything else | {routes['$default']} |" in text


@pytest.mark.parametrize("key", ["GET /api/quote", "POST /api/quote/delete", "$default"])
def test_a_route_that_moves_is_noticed(key):
    moved = template_routes() | {key: "save-quote"}
    assert list(differences(moved, local_router()))


def test_a_route_that_only_the_cloud_has_is_noticed():
    added = template_routes() | {"GET /api/quotes": "get-quote"}
    assert list(differences(added, local_router())) == [
        "GET /api/quotes: render-page at home, get-quote in the cloud"
    ]
