"""Compares the lists of functions and routes: `make test` runs this without installing anything.

usage: python3 infra/tests/check_routes.py

A folder in functions/ is one package, one binary and one Lambda function. The
template, the router of `cargo lambda watch`, the 405 answers of render-page, the
README and docs/openapi.yaml must agree with the folders and with each other, and
docs/openapi.yaml with the table of errors. The last line counts
the comparisons. Only the standard library is used (Python 3.11 for tomllib).
"""

import pathlib
import re
import sys
import tomllib
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
DEFAULT = "$default"
CATCH_ALL = "/{*path}"
# cargo-lambda answers a path that lists methods with its own 404 for all others.
METHODS = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"}


class Project(NamedTuple):
    """The files that are compared, as text; of functions/ each folder and its Cargo.toml."""

    functions: dict
    template: str
    workspace: str
    not_allowed: str
    readme: str
    openapi: str
    errors: str


def read():
    def text(path):
        return (ROOT / path).read_text(encoding="utf-8")

    return Project(
        functions={path.parent.name: text(path) for path in ROOT.glob("functions/*/Cargo.toml")},
        template=text("infra/template.yaml"),
        workspace=text("Cargo.toml"),
        not_allowed=text("functions/render-page/src/routes.rs"),
        readme=text("README.md"),
        openapi=text("docs/openapi.yaml"),
        errors=text("shared/src/error.rs"),
    )


def written_out(template):
    """The text of the template with the bodies of its loops repeated."""
    loop = re.compile(r"^  Fn::ForEach::\w+:\n    - (\w+)\n    - \[(.*)\]\n((?:(?:    .*)?\n)+?)(?=\S|  \S|\Z)", re.MULTILINE)

    def repeated(match):
        # `    - ${Function}Logs:` begins the first resource, six blanks the others.
        body = re.sub(r"^    (?:- |  )", "  ", match[3], flags=re.MULTILINE)
        return "".join(body.replace(f"${{{match[1]}}}", item) for item in match[2].split(", "))

    while (more := loop.sub(repeated, template)) != template:
        template = more
    return template


def resources(template):
    """Logical id -> the type and the one-line properties of a resource."""
    found, section = {}, None
    for line in written_out(template).splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, _, value = text.partition(":")
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            section = key
        elif section == "Resources" and indent == 2:
            resource = found[key] = {}
        elif section == "Resources" and indent in (4, 6):
            resource[key] = value.strip()
    return found


def template_functions(template):
    """Logical id -> name of the function and the folder of its artefact."""
    return {
        logical_id: (
            resource.get("FunctionName", "").removeprefix("!Sub ${AWS::StackName}-"),
            resource.get("CodeUri", "").removeprefix("../target/lambda/").removesuffix("/bootstrap.zip"),
        )
        for logical_id, resource in resources(template).items()
        if resource.get("Type") == "AWS::Serverless::Function"
    }


def template_routes(template):
    """Route key -> function, as they are deployed."""
    all_resources = resources(template)
    functions = template_functions(template)
    routes = {}
    for resource in all_resources.values():
        if resource.get("Type") == "AWS::ApiGatewayV2::Route":
            integration = resource.get("Target", "").removeprefix("!Sub integrations/${").removesuffix("}")
            alias = all_resources.get(integration, {}).get("IntegrationUri", "")
            named = re.search(r"(\w+)\.Alias", alias)
            function, _ = functions.get(named and named[1], (None, None))
            routes[resource.get("RouteKey")] = function
    return routes


def rollback_functions(template):
    """The logical ids in the output FunctionNames, which `make rollback` reads."""
    _, _, output = template.partition("\n  FunctionNames:\n")
    return set(re.findall(r"!Ref (\w+)", output))


def router(project):
    """Path -> function, or method -> function; without what is never deployed."""
    manifest = tomllib.loads(project.workspace)
    paths = {}
    for path, target in manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].items():
        if isinstance(target, str):
            if target in project.functions:
                paths[path] = target
        else:
            paths[path] = {route["method"]: route["function"] for route in target}
    return paths


def router_routes(project):
    """Route key -> function, as the template should have them.

    A path that lists methods sends those that it does not allow to the function
    for everything else, which the API does by itself. A path that names only a
    function is a page.
    """
    paths = router(project)
    default = paths.pop(CATCH_ALL, None)
    routes = {DEFAULT: default}
    for path, target in paths.items():
        if isinstance(target, str):
            routes[f"GET {path}"] = target
        else:
            routes |= {f"{method} {path}": function for method, function in target.items() if function != default}
    return routes


def router_methods(project):
    """Path -> the methods that it allows."""
    paths = router(project)
    methods = {path: {"GET", "HEAD"} for path, target in paths.items() if isinstance(target, str)}
    for key in router_routes(project):
        if key != DEFAULT:
            method, path = key.split(" ")
            methods.setdefault(path, set()).add(method)
    methods.pop(CATCH_ALL, None)
    return methods


def allowed_methods(source):
    """Path -> the methods in `Allow`, from the match arms `"/path" => "GET, HEAD"`."""
    arms = re.findall(r'"(/[^"]*)"\s*=>\s*\{?\s*"([A-Z, ]+)"', source)
    return {path: set(allow.split(", ")) for path, allow in arms}


def readme_routes(text):
    """Route key -> function, from the rows of the table that begin with a method."""
    rows = re.findall(r"^\| `([A-Z]+ /[^` ]*)`(?: \(form\))? \| ([a-z-]+) \|", text, re.MULTILINE)
    rows += [(DEFAULT, function) for function in re.findall(r"^\| anything else \| ([a-z-]+) \|", text, re.MULTILINE)]
    return dict(rows)


def openapi_methods(text):
    """Path -> the methods that docs/openapi.yaml describes."""
    methods, path = {}, None
    _, _, paths = text.partition("\npaths:\n")
    for line in paths.partition("\ncomponents:\n")[0].splitlines():
        if found := re.fullmatch(r"  (/\S*):", line):
            path = found[1]
        elif found := re.fullmatch(r"    ([a-z]+):", line):
            methods.setdefault(path, set()).add(found[1].upper())
    return methods


def openapi_codes(text):
    """The codes of problem details in docs/openapi.yaml."""
    found = re.search(r"^ +code:\n +enum:\n((?: +- \S+\n)+)", text, re.MULTILINE)
    return set(re.findall(r"- (\S+)", found[1])) if found else set()


def table_of_errors(source):
    """Code -> status, from the table of errors."""
    return dict(re.findall(r'\brow\("([a-z-]+)", (\d+)', source))


def differences(one, other, here, there):
    """One line for each key of two dictionaries that has not the same value in both."""
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            yield f"{key}: {shown(one.get(key))} in {here}, {shown(other.get(key))} in {there}"


def shown(value):
    return ", ".join(sorted(value)) if isinstance(value, set) else value or "nothing"


def packages_are_named_after_their_folders(project):
    for folder, manifest in sorted(project.functions.items()):
        name = tomllib.loads(manifest)["package"]["name"]
        if name != folder:
            yield f"functions/{folder} is the package {name}"


def the_template_has_one_function_for_each_folder(project):
    functions = template_functions(project.template)
    names = sorted(name for name, _ in functions.values())
    if names != sorted(project.functions):
        yield f"the template has {', '.join(names)}; functions/ has {', '.join(sorted(project.functions))}"
    for name, artefact in functions.values():
        if artefact != name:
            yield f"{name} of the template runs the artefact of {artefact}"
    if rollback_functions(project.template) != functions.keys():
        yield "FunctionNames of the template does not name every function, so make rollback would miss some"
    for name in functions:
        for part in ("Logs", "Role", "Integration", "Permission", "Errors", "Throttles", "Slowness"):
            if f"{name}{part}" not in resources(project.template):
                yield f"the template has no {name}{part}: a list of a loop does not name {name}"


def every_function_has_a_route(project):
    unreached = project.functions.keys() - set(template_routes(project.template).values())
    for function in sorted(unreached):
        yield f"no route of the template reaches {function}"


def the_template_has_the_routes_of_the_router(project):
    yield from differences(
        template_routes(project.template), router_routes(project), "infra/template.yaml", "the router of Cargo.toml"
    )


def the_router_lists_every_method(project):
    for path, target in router(project).items():
        missing = set() if isinstance(target, str) else METHODS - target.keys()
        if missing:
            yield f"{path} of the router does not list {shown(missing)}, which cargo-lambda then answers itself"


def the_405_answers_name_the_methods_of_the_router(project):
    yield from differences(
        allowed_methods(project.not_allowed),
        router_methods(project),
        "functions/render-page/src/routes.rs",
        "the router of Cargo.toml",
    )


def the_readme_lists_the_routes(project):
    # HEAD is answered like GET and has no row.
    routes = {key: function for key, function in router_routes(project).items() if not key.startswith("HEAD ")}
    yield from differences(readme_routes(project.readme), routes, "README.md", "the router of Cargo.toml")


def openapi_has_the_routes_of_the_router(project):
    yield from differences(
        openapi_methods(project.openapi), router_methods(project), "docs/openapi.yaml", "the router of Cargo.toml"
    )


def openapi_has_the_codes_and_statuses_of_the_errors(project):
    errors = table_of_errors(project.errors)
    described = {"codes": openapi_codes(project.openapi)}
    yield from differences(described, {"codes": errors.keys() | set()}, "docs/openapi.yaml", "shared/src/error.rs")
    # A method that is not listed is not described either.
    statuses = set(re.findall(r'^      +"(\d+)":$', project.openapi, re.MULTILINE)) | {"405"}
    for status in sorted(set(errors.values()) - statuses):
        yield f"{status} of shared/src/error.rs is not in docs/openapi.yaml"


COMPARISONS = (
    packages_are_named_after_their_folders,
    the_template_has_one_function_for_each_folder,
    every_function_has_a_route,
    the_template_has_the_routes_of_the_router,
    the_router_lists_every_method,
    the_405_answers_name_the_methods_of_the_router,
    the_readme_lists_the_routes,
    openapi_has_the_routes_of_the_router,
    openapi_has_the_codes_and_statuses_of_the_errors,
)


def findings(project):
    """Comparison -> what differs, one sentence each."""
    return {comparison.__name__: list(comparison(project)) for comparison in COMPARISONS}


def main():
    found = findings(read())
    for name, sentences in found.items():
        print(f"{name.replace('_', ' ')}: {'no' if sentences else 'yes'}")
        for sentence in sentences:
            print(f"  {sentence}")
    failed = sum(bool(sentences) for sentences in found.values())
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
