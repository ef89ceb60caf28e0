"""The template: as it is written, without its loops, and as SAM translates it."""

import copy
import json
import pathlib
import subprocess

import cfnlint.api
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

import ministack

SAM = "AWS::Serverless-2016-10-31"
PATH = pathlib.Path(__file__).parents[1] / "template.yaml"


class NoManagedPolicies:
    """The template names none, so there is nothing to load."""

    def load(self):
        return {}


def parse(text):
    """A template as written, with the short forms of functions written out."""
    return yaml_parse(text)


def read():
    """The template of this clone."""
    return parse(PATH.read_text(encoding="utf-8"))


def expanded(template):
    """The template with its loops written out, by the stand-in for AWS, which does it as AWS does."""
    script = (
        "import json, sys; from ministack.services.cloudformation import language_extensions; "
        "json.dump(language_extensions.apply(*json.load(sys.stdin)), sys.stdout)"
    )
    parameters = {name: fields.get("Default", "x") for name, fields in template["Parameters"].items()}
    result = subprocess.run(
        [ministack.PROGRAM.with_name("python"), "-c", script],
        input=json.dumps([template, parameters]),
        capture_output=True,
        text=True,
        check=True,
    )
    template = json.loads(result.stdout) | {"Transform": SAM}
    # What the loops looked up there is in its place.
    del template["Mappings"]
    return template


def translate(template):
    """What CloudFormation gets: plain resources. `CodeUri` is as `sam package` leaves it."""
    template = copy.deepcopy(template) if template["Transform"] == SAM else expanded(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            name = resource["Properties"]["CodeUri"].split("/")[-2]
            resource["Properties"]["CodeUri"] = f"s3://artefacts/{name}"
    return transform(template, {}, NoManagedPolicies())


def lint(text):
    """cfn-lint's errors and warnings, one line each."""
    return [
        f"{match.rule.id} line {match.linenumber}: {match.message}"
        for match in cfnlint.api.lint(text)
    ]
