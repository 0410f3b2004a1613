"""Every policy of a template, wherever it is defined.

A possible policy that this module does not collect is an error: see `overlooked`.
"""

from dataclasses import dataclass

from tests.local.policies.statements import as_list

ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Policy:
    """A document and its place. `side` is "identity", "added", "boundary", "trust", "resource" or
    "control"."""

    template: str
    logical_id: str
    side: str
    document: dict
    resource: str = ""  # of a resource's policy and a trust: the resource's ARN
    principals: tuple = ()  # of an identity policy: ARNs of users, roles and groups it is attached to
    part: str = ""  # distinguishes several policies of one resource

    @property
    def place(self):
        return f"{self.template}/{self.logical_id}" + (f"/{self.part}" if self.part else "")


@dataclass(frozen=True)
class Stack:
    """A deployed template and its short name in the tables."""

    name: str
    deployed: object

    def policies(self):
        for logical_id in self.deployed.template["Resources"]:
            if self.deployed.is_made(logical_id):
                kind = self.deployed.template["Resources"][logical_id]["Type"]
                yield from COLLECTORS.get(kind, _none)(self, logical_id, self.deployed.properties(logical_id))

    def of(self, logical_id, side, document, **more):
        return Policy(self.name, logical_id, side, document, **more)

    def arn_of(self, kind, name):
        return f"arn:aws:iam::{self.deployed.account}:{kind}/{name}"


def _none(_stack, _logical_id, _properties):
    return ()


def _principal(stack, logical_id, properties):
    arn = stack.deployed.arn(logical_id)
    if "AssumeRolePolicyDocument" in properties:
        yield stack.of(
            logical_id, "trust", properties["AssumeRolePolicyDocument"], resource=arn, part="trust"
        )
    for policy in properties.get("Policies", []):
        yield stack.of(
            logical_id, "identity", policy["PolicyDocument"], principals=(arn,), part=policy["PolicyName"]
        )


def _attached(stack, logical_id, properties):
    """Resolves the principals of a policy, and the policies of a principal."""
    deployed = stack.deployed
    names = [("role", "Roles"), ("user", "Users"), ("group", "Groups")]
    arns = {stack.arn_of(kind, name) for kind, key in names for name in properties.get(key, [])}
    if deployed.template["Resources"][logical_id]["Type"] == "AWS::IAM::ManagedPolicy":
        own = deployed.arn(logical_id)
        for other in deployed.of_type("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
            if deployed.is_made(other) and own in deployed.properties(other).get("ManagedPolicyArns", []):
                arns.add(deployed.arn(other))
    # A policy without principals is for roles that the template does not create, if it allows anything:
    # their boundary, or one that DeployPolicyArns adds to the deploy role.
    is_lent = not arns and any(
        each["Effect"] == "Allow" for each in properties["PolicyDocument"]["Statement"]
    )
    lent = "added" if "DeployPolicyArns" in deployed.template["Outputs"] else "boundary"
    yield stack.of(
        logical_id,
        lent if is_lent else "identity",
        properties["PolicyDocument"],
        principals=tuple(sorted(arns)),
    )


def _bucket(stack, logical_id, properties):
    yield stack.of(
        logical_id, "resource", properties["PolicyDocument"], resource=f"arn:aws:s3:::{properties['Bucket']}"
    )


def _queue(stack, logical_id, properties):
    for url in properties["Queues"]:
        arn = f"arn:aws:sqs:{stack.deployed.region}:{stack.deployed.account}:{url.rsplit('/', 1)[-1]}"
        yield stack.of(logical_id, "resource", properties["PolicyDocument"], resource=arn)


def _topic(stack, logical_id, properties):
    for arn in properties["Topics"]:
        yield stack.of(logical_id, "resource", properties["PolicyDocument"], resource=arn)


def _of_itself(key):
    def collect(stack, logical_id, properties):
        if key in properties:
            yield stack.of(logical_id, "resource", properties[key], resource=stack.deployed.arn(logical_id))

    return collect


def _bus(stack, logical_id, properties):
    arn = f"arn:aws:events:{stack.deployed.region}:{stack.deployed.account}:event-bus/{properties.get('EventBusName', 'default')}"  # noqa: E501
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": properties["StatementId"], **properties["Statement"]}],
    }
    yield stack.of(logical_id, "resource", document, resource=arn)


def _function(stack, logical_id, properties):
    """The statement that Lambda writes for a permission.

    https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
    """
    name = properties["FunctionName"]
    arn = (
        name
        if name.startswith("arn:")
        else f"arn:aws:lambda:{stack.deployed.region}:{stack.deployed.account}:function:{name}"
    )
    conditions = {
        operator: {f"AWS:{name}": properties[name]}
        for operator, name in (("StringEquals", "SourceAccount"), ("ArnLike", "SourceArn"))
        if name in properties
    }
    principal = properties["Principal"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal},
        "Action": properties["Action"],
        "Resource": arn,
        "Condition": conditions,
    }
    yield stack.of(logical_id, "resource", {"Version": "2012-10-17", "Statement": [statement]}, resource=arn)


def _control(stack, logical_id, properties):
    yield stack.of(logical_id, "control", properties["Content"])


COLLECTORS = {
    "AWS::IAM::Role": _principal,
    "AWS::IAM::User": _principal,
    "AWS::IAM::Group": _principal,
    "AWS::IAM::ManagedPolicy": _attached,
    "AWS::IAM::Policy": _attached,
    "AWS::S3::BucketPolicy": _bucket,
    "AWS::SQS::QueuePolicy": _queue,
    "AWS::SNS::TopicPolicy": _topic,
    "AWS::KMS::Key": _of_itself("KeyPolicy"),
    "AWS::ECR::Repository": _of_itself("RepositoryPolicyText"),
    "AWS::Events::EventBusPolicy": _bus,
    "AWS::Lambda::Permission": _function,
    "AWS::Organizations::Policy": _control,
}


def overlooked(stack):
    """Places in the template's source that contain statements and have a type that is not collected."""
    for logical_id, resource in stack.deployed.template["Resources"].items():
        if resource["Type"] not in COLLECTORS and _holds_statements(resource.get("Properties", {})):
            yield f"{stack.name}/{logical_id}"


def _holds_statements(node):
    return any(
        "Statement" in each if isinstance(each, dict) else isinstance(each, str) and '"Statement"' in each
        for each in _nodes(node)
    )


def written_sids(node):
    """Every Sid in a template's source, under any condition."""
    return {
        each["Sid"] for each in _nodes(node) if isinstance(each, dict) and isinstance(each.get("Sid"), str)
    }


def _nodes(node):
    yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(value)


def statements(policy):
    return as_list(policy.document["Statement"])
