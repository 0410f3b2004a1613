"""Templates as CloudFormation would see them.

The SAM translator makes of template.yaml what is deployed; a `Deployed` resolves that, or another
template, for one set of parameters, so that tests read names and ARNs and not intrinsic functions.
"""

import os
import re
from functools import cache
from pathlib import Path

# The translator asks boto3 for a region, and needs no more of AWS than that.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
TEMPLATES = Path(__file__).parents[2] / "templates"
ACCOUNT = "123456789012"
REGION = "eu-central-1"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
PROVIDER_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/cfn-gitops-dev/5f1d2c90"

_NOTHING = object()  # what AWS::NoValue leaves behind, until its container drops it


class _NoManagedPolicies:
    """The translator looks policies up by short name; the template uses none."""

    def load(self):
        return {}


def source(path=TEMPLATE):
    """The template as it is written, its functions in their long form."""
    return yaml_parse(path.read_text())


@cache
def translated():
    """The template as SAM translates it, its code uploaded as `sam deploy` does."""
    template = source()
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, _NoManagedPolicies())


class Deployed:
    """A template with parameters, conditions and references resolved."""

    # What Ref answers, by type, where it is a name that the template gives.
    _NAME = {
        "AWS::IAM::Role": "RoleName",
        "AWS::IAM::User": "UserName",
        "AWS::S3::Bucket": "BucketName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::CodeCommit::Repository": "RepositoryName",
        "AWS::CodeBuild::Project": "Name",
        "AWS::CodePipeline::Pipeline": "Name",
        "AWS::Events::Rule": "Name",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
    }

    def __init__(self, region=REGION, template=None, stack_name="cfn-gitops-dev", **parameters):
        self.template = template or translated()
        declared = self.template["Parameters"]
        unknown = parameters.keys() - declared.keys()
        assert not unknown, f"no such parameters: {unknown}"
        self.region = region
        self.values = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackName": stack_name,
            "AWS::StackId": PROVIDER_STACK,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _NOTHING,
        }
        for name, declaration in declared.items():
            value = str(parameters.get(name, declaration.get("Default", "")))
            if declaration["Type"] == "CommaDelimitedList":
                value = value.split(",")
            self.values[name] = value

    def resource(self, logical_id):
        return self.resolve(self.template["Resources"][logical_id])

    def is_made(self, logical_id):
        condition = self.template["Resources"][logical_id].get("Condition")
        return condition is None or self.condition(condition)

    def properties(self, logical_id):
        return self.resource(logical_id).get("Properties", {})

    def of_type(self, *types):
        found = self.template["Resources"].items()
        return [name for name, resource in found if resource["Type"] in types]

    def outputs(self):
        return self.resolve(self.template["Outputs"])

    def everything(self):
        """The properties of all that is made, by logical id."""
        return {name: self.properties(name) for name in self.template["Resources"] if self.is_made(name)}

    def name(self, logical_id):
        """The physical name, where the template gives one; an unmistakable token elsewhere."""
        resource = self.template["Resources"][logical_id]
        assert self.is_made(logical_id), f"{logical_id} is referred to, and is not there"
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            return self.arn(logical_id)
        key = self._NAME.get(resource["Type"])
        return self.resolve(resource["Properties"][key]) if key else f"ref:{logical_id}"

    def arn(self, logical_id):
        resource = self.template["Resources"][logical_id]
        kind = resource["Type"]
        if kind == "AWS::IAM::ManagedPolicy":
            name = self.resolve(resource["Properties"]["ManagedPolicyName"])
            return f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        name = self.name(logical_id)
        return {
            "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "AWS::IAM::User": f"arn:aws:iam::{ACCOUNT}:user/{name}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
            "AWS::Lambda::Function": f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}",
            # With the trailing :*, as CloudFormation answers it.
            "AWS::Logs::LogGroup": f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{name}:*",
            "AWS::CodeCommit::Repository": f"arn:aws:codecommit:{self.region}:{ACCOUNT}:{name}",
            "AWS::Events::Rule": f"arn:aws:events:{self.region}:{ACCOUNT}:rule/{name}",
            "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{self.region}:{ACCOUNT}:alarm:{name}",
        }[kind]

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, node):
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, argument), = node.items()
            if key == "Ref":
                return self._reference(argument)
            if key == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if key.startswith("Fn::"):
                return getattr(self, "_" + key[4:].lower())(argument)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NOTHING}

    def _reference(self, name):
        return self.values[name] if name in self.values else self.name(name)

    def _getatt(self, argument):
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if attribute == "Arn":
            return self.arn(logical_id)
        return self.name(logical_id) if attribute == "Name" else f"{logical_id}.{attribute}"

    def _sub(self, argument):
        text, local = argument if isinstance(argument, list) else (argument, {})
        local = self.resolve(local)

        def value(match):
            name = match.group(1)
            if name in local:
                return str(local[name])
            return self._getatt(name) if "." in name else self._reference(name)

        return re.sub(r"\$\{([^}!]+)\}", value, text)

    def _join(self, argument):
        return argument[0].join(self.resolve(argument[1]))

    def _split(self, argument):
        return self.resolve(argument[1]).split(argument[0])

    def _findinmap(self, argument):
        mapping, first, second = self.resolve(argument)
        return self.template["Mappings"][mapping][first][second]

    def _importvalue(self, argument):
        return f"import:{self.resolve(argument)}"

    def _equals(self, argument):
        first, second = self.resolve(argument)
        return first == second

    def _not(self, argument):
        return not self.resolve(argument[0])

    def _and(self, argument):
        return all(self.resolve(argument))

    def _if(self, argument):
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])


def as_list(value):
    return value if isinstance(value, list) else [value]
