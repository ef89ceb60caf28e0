"""Writes the template's parameters, from the environment, as JSON (which SAM reads as YAML).

usage: parameters.py TEMPLATE

A parameter's variable is its name in capitals: LogRetentionDays is
LOG_RETENTION_DAYS. All are written, the defaults too: what is left out keeps
its value of the last deployment. The patterns and the words for an error come
from the template, which has each on one line.
"""

import json
import os
import re
import sys

# The variables that have another name than their parameter.
VARIABLES = {
    "Architecture": "ARCH",
    "ClerkTestKey": "CLERK_PUBLISHABLE_KEY",
    "ClerkLiveKey": "CLERK_PUBLISHABLE_KEY",
}


def parameters(template):
    """Name -> fields of the template's parameters, as far as they are used here."""
    section = re.search(r"^Parameters:\n((?:  .*\n|\n)+)", template, re.M)[1]
    found = {}
    for line in section.splitlines():
        if name := re.fullmatch(r"  (\w+):", line):
            fields = found[name[1]] = {}
        elif field := re.fullmatch(r"    (\w+): (?:'(.*)'|(.*))", line):
            fields[field[1]] = field[3] if field[2] is None else field[2]
    return found


def variable(parameter):
    """The environment variable of a parameter."""
    return VARIABLES.get(parameter) or re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()


def value(parameter, environment):
    """A parameter's value in the environment; None when it is not there."""
    text = environment.get(variable(parameter)) or None
    if parameter in ("ClerkTestKey", "ClerkLiveKey"):
        live = (text or "").startswith("pk_live_")
        return text if live == (parameter == "ClerkLiveKey") else None
    return text


def malformed(declared, values, environment):
    """What is wrong with single values, one line each; never the value, which may be a misplaced secret."""
    if not environment.get("CLERK_PUBLISHABLE_KEY"):
        yield f"CLERK_PUBLISHABLE_KEY is not set; it should be {declared['ClerkTestKey']['ConstraintDescription']}"
    for name, fields in declared.items():
        expected = f"it should be {fields['ConstraintDescription']}"
        if name not in values:
            yield f"{variable(name)} is not set; {expected}"
        elif not re.fullmatch(fields["AllowedPattern"], values[name]):
            yield f"{variable(name)} is malformed; {expected}"


def broken_rules(values):
    """The template's rules, in the words of whoever deploys."""
    if values["ClerkLiveKey"] and not values["DomainName"]:
        yield "DOMAIN_NAME is not set; a production instance of Clerk (pk_live_) needs a domain"
    if values["DomainName"] and not values["CertificateArn"]:
        yield "CERTIFICATE_ARN is not set; DOMAIN_NAME needs a certificate"
    if not values["DomainName"] and (values["CertificateArn"] or values["HostedZoneId"]):
        yield "DOMAIN_NAME is not set; CERTIFICATE_ARN and HOSTED_ZONE_ID need it"


def warnings(values):
    """What is accepted but has a price."""
    if values["ClerkLiveKey"] and not values["ClerkAuthorizedParties"]:
        yield (
            "CLERK_AUTHORIZED_PARTIES is not set, so sessions without azp are accepted; set it to "
            f"https://{values['DomainName']}, and restrict Clerk's allowed subdomains (see SECURITY.md)"
        )


def main(template, environment):
    with open(template, encoding="utf-8") as file:
        declared = parameters(file.read())
    values = {}
    for name, fields in declared.items():
        text = value(name, environment)
        if text is None:
            text = fields.get("Default")
        if text is not None:
            values[name] = text
    found = list(malformed(declared, values, environment)) or list(broken_rules(values))
    for problem in found:
        print(f"deploy: {problem}", file=sys.stderr)
    if not found:
        for warning in warnings(values):
            print(f"deploy: warning: {warning}", file=sys.stderr)
        json.dump(values, sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ))
