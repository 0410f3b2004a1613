"""Templates as CloudFormation deploys them.

The SAM translator transforms template.yaml. A `Deployed` resolves the result, or another
template, for one set of parameters, so that tests read names and ARNs and not intrinsic functions.
"""

import base64
import os
import pickle
import re
from functools import cache
from pathlib import Path

# boto3 gives the translator a region. It needs nothing else of AWS.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
TEMPLATES = Path(__file__).parents[2] / "templates"
ACCOUNT = "123456789012"
REGION = "eu-central-1"
# For the roles and users that the template creates, and for the roles that pipelines create.
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
DEPLOYED_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-deployed-roles"
PROVIDER_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/cfn-gitops-dev/5f1d2c90"

REQUIRED_OF_A_PROJECT = ("ProjectID", "BranchName", "DeployTemplatePath")

_NOTHING = object()  # the value of AWS::NoValue, until its container removes it


class _NoManagedPolicies:
    """The translator resolves policies by short name. The template uses none."""

    def load(self):
        return {}


def source(path=TEMPLATE):
    """The template's source, with its functions in their long form. Each caller gets a copy, which it may
    change."""
    return pickle.loads(_parsed(path.read_text()))


@cache
def _parsed(text):
    return pickle.dumps(yaml_parse(text))


def parameters_of_a_project():
    """template.yaml's parameters as a project's own stack declares them, which requires some of them."""
    parameters = source()["Parameters"]
    for name in REQUIRED_OF_A_PROJECT:
        optional = parameters[name]
        required = optional["AllowedPattern"].removeprefix("(").removesuffix(")?")
        parameters[name] = {**optional, "AllowedPattern": required}
    return parameters


@cache
def translated():
    """The template as SAM translates it, with its code uploaded by `sam deploy`."""
    template = source()
    for name in ("Function", "ReadFunction"):
        template["Resources"][name]["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, _NoManagedPolicies())


class Deployed:
    """A template with parameters, conditions and references resolved."""

    # By type: the property with its name, and its ARN after the partition.
    _KINDS = {
        "AWS::CloudWatch::Alarm": ("AlarmName", "cloudwatch:{region}:{account}:alarm:{name}"),
        "AWS::CloudWatch::Dashboard": ("DashboardName", "cloudwatch::{account}:dashboard/{name}"),
        "AWS::CodeBuild::Project": ("Name", "codebuild:{region}:{account}:project/{name}"),
        "AWS::CodeCommit::Repository": ("RepositoryName", "codecommit:{region}:{account}:{name}"),
        "AWS::CodePipeline::Pipeline": ("Name", "codepipeline:{region}:{account}:{name}"),
        "AWS::ECR::Repository": ("RepositoryName", "ecr:{region}:{account}:repository/{name}"),
        "AWS::Events::Rule": ("Name", "events:{region}:{account}:rule/{name}"),
        "AWS::IAM::Group": ("GroupName", "iam::{account}:group/{name}"),
        "AWS::IAM::InstanceProfile": ("InstanceProfileName", "iam::{account}:instance-profile/{name}"),
        "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam::{account}:policy/{name}"),
        "AWS::IAM::Role": ("RoleName", "iam::{account}:role/{name}"),
        "AWS::IAM::User": ("UserName", "iam::{account}:user/{name}"),
        "AWS::KMS::Key": (None, "kms:{region}:{account}:key/{name}"),
        "AWS::Lambda::Function": ("FunctionName", "lambda:{region}:{account}:function:{name}"),
        # With the trailing :*, as CloudFormation returns it.
        "AWS::Logs::LogGroup": ("LogGroupName", "logs:{region}:{account}:log-group:{name}:*"),
        "AWS::S3::Bucket": ("BucketName", "s3:::{name}"),
        "AWS::SNS::Topic": ("TopicName", "sns:{region}:{account}:{name}"),
        "AWS::SQS::Queue": ("QueueName", "sqs:{region}:{account}:{name}"),
    }

    def __init__(
        self,
        region=REGION,
        template=None,
        stack_name="cfn-gitops-dev",
        account=ACCOUNT,
        attributes=None,
        partition="aws",
        **parameters,
    ):
        """`attributes` are GetAtt's values except ARNs and names, by `LogicalId.Attribute`."""
        self.template = template or translated()
        # Most tests of template.yaml are about a first project too.
        if "FunctionRole" in self.template["Resources"]:
            parameters = {"ProjectID": "infra", **parameters}
        declared = self.template["Parameters"]
        unknown = parameters.keys() - declared.keys()
        assert not unknown, f"no such parameters: {unknown}"
        self.region = region
        self.account = account
        self.attributes = attributes or {}
        self.values = {
            "AWS::AccountId": account,
            "AWS::Partition": partition,
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
        """The outputs whose condition holds."""
        made = {
            name: output
            for name, output in self.template["Outputs"].items()
            if "Condition" not in output or self.condition(output["Condition"])
        }
        return {
            name: {key: self.resolve(value) for key, value in output.items() if key != "Condition"}
            for name, output in made.items()
        }

    def everything(self):
        """The properties of all resources that are created, by logical ID."""
        return {name: self.properties(name) for name in self.template["Resources"] if self.is_made(name)}

    def name(self, logical_id):
        """Ref's value: the physical name, if the template sets one, otherwise a unique placeholder."""
        kind = self.template["Resources"][logical_id]["Type"]
        if kind in ("AWS::IAM::ManagedPolicy", "AWS::SNS::Topic"):
            return self.arn(logical_id)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self._own_name(logical_id)}"
        assert self.is_made(logical_id), f"{logical_id} is referenced and is not created"
        return self._own_name(logical_id) if kind in self._KINDS else f"ref:{logical_id}"

    def _own_name(self, logical_id):
        """The template's name, or one that CloudFormation generates from stack and logical ID."""
        resource = self.template["Resources"][logical_id]
        key, _ = self._KINDS[resource["Type"]]
        if not key:
            # KMS generates a key's ID. Here it is the key's logical ID.
            return logical_id
        given = resource.get("Properties", {}).get(key)
        return self.resolve(given) if given else f"{self.values['AWS::StackName']}-{logical_id}-1A2B3C"

    def arn(self, logical_id):
        _, pattern = self._KINDS[self.template["Resources"][logical_id]["Type"]]
        assert self.is_made(logical_id), f"{logical_id} is referenced and is not created"
        name = self._own_name(logical_id)
        return f"arn:{self.values['AWS::Partition']}:" + pattern.format(
            region=self.region, account=self.account, name=name
        )

    def broken_rules(self):
        """The descriptions of the assertions that do not hold. CloudFormation rejects these parameters."""
        return [description for _, description in self._broken()]

    def names_of_broken_rules(self):
        return [name for name, _ in self._broken()]

    def _broken(self):
        for name, rule in self.template["Rules"].items():
            if "RuleCondition" not in rule or self.resolve(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self.resolve(assertion["Assert"]):
                        yield name, assertion["AssertDescription"]

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, node):
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, argument),) = node.items()
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
        if f"{logical_id}.{attribute}" in self.attributes:
            return self.attributes[f"{logical_id}.{attribute}"]
        if (
            attribute in ("TopicArn", "Arn")
            and self.template["Resources"][logical_id]["Type"] == "AWS::SNS::Topic"
        ):
            return self.arn(logical_id)
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

        # A policy's variable begins with an exclamation mark and is kept.
        return re.sub(r"\$\{([^}!]+)\}", value, text).replace("${!", "${")

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

    def _or(self, argument):
        return any(self.resolve(argument))

    def _contains(self, argument):
        values, value = self.resolve(argument)
        return value in values

    def _eachmemberin(self, argument):
        values, others = self.resolve(argument)
        return set(values) <= set(others)

    def _eachmemberequals(self, argument):
        values, value = self.resolve(argument)
        return all(member == value for member in values)

    def _select(self, argument):
        index, values = self.resolve(argument)
        return values[int(index)]

    def _base64(self, argument):
        return base64.b64encode(self.resolve(argument).encode()).decode()

    def _if(self, argument):
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])


def as_list(value):
    return value if isinstance(value, list) else [value]
