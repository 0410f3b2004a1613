"""The custom resources of a template, as CloudFormation sends them, and their schemas."""

import json

from jsonschema import Draft7Validator

from tests.templates.deployed import TEMPLATE, Deployed

SCHEMAS = {
    schema["typeName"]: schema
    for schema in (
        json.loads(file.read_text())
        for file in sorted((TEMPLATE.parent / "docs/schemas").glob("custom-*.json"))
    )
}


class CustomResources(Deployed):
    """A template whose attributes of custom resources exist."""

    def faults(self):
        """Errors of the schemas. The values of exports are unknown."""
        self.outputs()
        return [
            f"{name}{error.json_path[1:]}: {error.message}"
            for name, properties in self.everything().items()
            if (kind := self.template["Resources"][name]["Type"]) in SCHEMAS
            for error in Draft7Validator(SCHEMAS[kind]).iter_errors(properties)
            if not str(error.instance).startswith("import:")
        ]

    def _getatt(self, argument):
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        kind = self.template["Resources"][logical_id]["Type"]
        assert kind not in SCHEMAS or attribute in SCHEMAS[kind]["attributes"], argument
        return super()._getatt(argument)
