"""The template: as it is written, and as SAM translates it."""

import copy
import pathlib

import cfnlint.api
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

PATH = pathlib.Path(__file__).parents[1] / "template.yaml"


class NoManagedPolicies:
    """The template names none, so there is nothing to load."""

    def load(self):
        return {}


def read():
    """The template as written, with the short forms of functions written out."""
    return yaml_parse(PATH.read_text(encoding="utf-8"))


def translate(template):
    """What CloudFormation gets: plain resources. `CodeUri` is as `sam package` leaves it."""
    template = copy.deepcopy(template)
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
