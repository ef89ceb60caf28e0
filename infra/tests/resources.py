"""Looking things up in a translated template."""


class Resources:
    """A template's resources, by type and by what they refer to."""

    def __init__(self, template):
        self.all = template["Resources"]
        self.conditions = template["Conditions"]

    def of(self, kind):
        """Logical id -> properties of the resources of a type."""
        return {
            name: resource["Properties"]
            for name, resource in self.all.items()
            if resource["Type"] == kind
        }

    def referred(self, value, kind):
        """The id and properties of the resource that a `Ref` names, if it is of that type."""
        name = value.get("Ref") if isinstance(value, dict) else None
        return name, self.of(kind).get(name)

    def functions(self):
        """Function's name -> its logical id and properties."""
        return {
            own_name(properties["FunctionName"]): (name, properties)
            for name, properties in self.of("AWS::Lambda::Function").items()
        }

    def function_of_alias(self, value):
        """The name of the function whose alias a `Ref` names, or None."""
        _, alias = self.referred(value, "AWS::Lambda::Alias")
        _, function = self.referred((alias or {}).get("FunctionName"), "AWS::Lambda::Function")
        return own_name(function["FunctionName"]) if function else None


def own_name(name):
    """`${AWS::StackName}-get-quote` -> `get-quote`."""
    return text(name).removeprefix("${AWS::StackName}-")


def text(value):
    """A string, or what an `Fn::Sub` makes of the values that it brings itself."""
    value = value.get("Fn::Sub") if isinstance(value, dict) else value
    if not isinstance(value, list):
        return str(value)
    made, own = value
    for name, part in own.items():
        made = made.replace(f"${{{name}}}", str(part))
    return made
