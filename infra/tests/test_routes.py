"""The comparison of functions and routes finds what it is there to find."""

import pytest

import check_routes
import source
from resources import Resources

PROJECT = check_routes.read()


def deployed_routes():
    """Route key -> function, in the template as SAM translates it."""
    resources = Resources(source.translate(source.read()))
    integrations = resources.of("AWS::ApiGatewayV2::Integration")
    routes = {}
    for route in resources.of("AWS::ApiGatewayV2::Route").values():
        integration = route["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
        routes[route["RouteKey"]] = resources.function_of_alias(integrations[integration]["IntegrationUri"])
    return routes


def test_the_project_has_no_difference():
    assert not any(check_routes.findings(PROJECT).values())


def test_the_template_is_read_as_it_is_deployed():
    assert check_routes.template_routes(PROJECT.template) == deployed_routes()


@pytest.mark.parametrize(
    ("file", "old", "new", "comparison"),
    [
        ("template", "${AWS::StackName}-get-quote\n      CodeUri", "${AWS::StackName}-get\n      CodeUri",
         "the_template_has_one_function_for_each_folder"),
        ("template", "lambda/get-quote/", "lambda/save-quote/", "the_template_has_one_function_for_each_folder"),
        ("template", "[!Ref GetQuote, ", "[", "the_template_has_one_function_for_each_folder"),
        ("template", "RouteKey: PUT /api/quote", "RouteKey: PUT /api/quotes",
         "the_template_has_the_routes_of_the_router"),
        ("template", "RouteKey: GET /\n", "RouteKey: GET /page\n", "the_template_has_the_routes_of_the_router"),
        ("template", "!Ref Webhook.Alias", "!Ref SaveQuote.Alias", "every_function_has_a_route"),
        ("template", "[GetQuote, SaveQuote", "[SaveQuote", "the_template_has_one_function_for_each_folder"),
        ("template", "integrations/${RenderPageIntegration}", "integrations/${GetQuoteIntegration}",
         "the_template_has_the_routes_of_the_router"),
        ("workspace", '{ method = "POST", function = "delete-quote" }', '{ method = "POST", function = "save-quote" }',
         "the_template_has_the_routes_of_the_router"),
        ("workspace", '"/{*path}" = "render-page"', '"/{*path}" = "get-quote"',
         "the_template_has_the_routes_of_the_router"),
        ("workspace", '"/" = "render-page"', '"/" = "save-quote"', "the_template_has_the_routes_of_the_router"),
        ("workspace", '    { method = "PATCH", function = "render-page" },\n', "", "the_router_lists_every_method"),
        ("not_allowed", '"GET, HEAD, PUT, POST, DELETE"', '"GET, HEAD, PUT, DELETE"',
         "the_405_answers_name_the_methods_of_the_router"),
        ("not_allowed", '"/" => "GET, HEAD"', '"/" => "GET"', "the_405_answers_name_the_methods_of_the_router"),
        ("not_allowed", '"/api/quote/delete" => "POST",', "", "the_405_answers_name_the_methods_of_the_router"),
        ("readme", "| `PUT /api/quote` | save-quote |", "| `PUT /api/quote` | get-quote |",
         "the_readme_lists_the_routes"),
        ("openapi", "  /api/quote/delete:\n", "  /api/quote/remove:\n", "openapi_has_the_routes_of_the_router"),
        ("openapi", "    put:\n", "    patch:\n", "openapi_has_the_routes_of_the_router"),
        ("openapi", "            - changed\n", "", "openapi_has_the_codes_and_statuses_of_the_errors"),
        ("openapi", '        "422":\n', '        "420":\n', "openapi_has_the_codes_and_statuses_of_the_errors"),
        ("errors", 'row("changed", 412', 'row("stale", 412', "openapi_has_the_codes_and_statuses_of_the_errors"),
        ("readme", "| anything else | render-page |", "| anything else | get-quote |", "the_readme_lists_the_routes"),
    ],
)
def test_a_difference_is_found(file, old, new, comparison):
    text = getattr(PROJECT, file)
    assert old in text
    changed = PROJECT._replace(**{file: text.replace(old, new)})
    assert check_routes.findings(changed)[comparison]


def test_a_folder_that_is_not_deployed_is_found():
    more = PROJECT._replace(functions=PROJECT.functions | {"list-quotes": '[package]\nname = "list"\n'})
    found = check_routes.findings(more)
    assert found["packages_are_named_after_their_folders"] == ["functions/list-quotes is the package list"]
    assert found["the_template_has_one_function_for_each_folder"]
    assert found["every_function_has_a_route"] == ["no route of the template reaches list-quotes"]


def test_a_route_that_moves_is_named_with_both_functions():
    moved = PROJECT.workspace.replace(
        '{ method = "PUT", function = "save-quote" }', '{ method = "PUT", function = "get-quote" }'
    )
    found = check_routes.findings(PROJECT._replace(workspace=moved))
    assert found["the_template_has_the_routes_of_the_router"] == [
        "PUT /api/quote: save-quote in infra/template.yaml, get-quote in the router of Cargo.toml"
    ]
