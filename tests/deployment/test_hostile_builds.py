"""Only the approved change is deployed, even if other builds run during the approval and know every key."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.local.aws import LocalAws
from tests.play.pipelines import Project, ProjectStack, documented_buildspec, eventually
from tests.play.steps import ROOT, Environment, Stack

pytestmark = pytest.mark.usefixtures("environment", "expected_denials")

APPROVED = "def handler(event, context):\n    return 'approved'\n"
ATTACK = """
import io, json, zipfile
import boto3
from botocore.exceptions import ClientError

known = json.load(open("known.json"))
bucket, s3 = known["bucket"], boto3.client("s3")
own = boto3.client("sts").get_caller_identity()["UserId"]
changed = io.BytesIO()
with zipfile.ZipFile(changed, "w") as archive:
    for name in ("function.py", known["template"]):
        archive.writestr(name, "hostile")
changed = changed.getvalue()


def attempt(what, call, **arguments):
    try:
        call(Bucket=bucket, **arguments)
        outcome = "done"
    except ClientError as error:
        outcome = error.response["Error"]["Code"]
    print("ATTEMPT", json.dumps([what, outcome.replace("403", "AccessDenied")]))


attempt("list", s3.list_objects_v2)
attempt("list versions", s3.list_object_versions)
for kind, keys in known["keys"].items():
    for key in keys:
        attempt(f"write {kind}", s3.put_object, Key=key, Body=changed)
        attempt(f"copy to {kind}", s3.copy_object, Key=key, CopySource={"Bucket": bucket, "Key": key})
        attempt(f"read {kind}", s3.get_object, Key=key)
        attempt(f"look at {kind}", s3.head_object, Key=key)
        attempt(f"delete {kind}", s3.delete_object, Key=key)
attempt("write a neighbour of its own", s3.put_object, Key=f"code/{own}x/key", Body=changed)
attempt("write its own", s3.put_object, Key=f"code/{own}/key", Body=changed)
attempt("read its own", s3.get_object, Key=f"code/{own}/key")
"""
HOSTILE_BUILDSPEC = """version: 0.2
phases: {build: {commands: [python attack.py]}}
artifacts: {files: ['**/*']}
"""


@pytest.fixture
def function_role(aws: LocalAws, name: str) -> Iterator[str]:
    iam, role = aws.client("iam"), f"role-dev-{name}"
    yield iam.create_role(
        RoleName=role,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    iam.delete_role(RoleName=role)


def with_code(project: Project, role_arn: str) -> dict[str, str]:
    """A template with a function's code and a nested stack, and the buildspec that packages both, as
    arguments of
    `Project.push`."""
    root = {
        "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": f"lambda-dev-{project.project_id}",
                    "Runtime": "python3.13",
                    "Role": role_arn,
                    "Handler": "function.handler",
                    "Code": "function.py",
                },
            },
            "Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "nested.json"}},
        },
        "Outputs": {
            "Commit": {"Value": {"Ref": "Commit"}},
            "NestedRule": {"Value": {"Fn::GetAtt": ["Nested", "Outputs.Rule"]}},
        },
    }
    return {"template": json.dumps(root), "buildspec": documented_buildspec(project.project_id)}


NESTED = {
    "Resources": {
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Description": "approved",
                "State": "DISABLED",
                "EventPattern": {"source": ["nobody"]},
            },
        }
    },
    "Outputs": {"Rule": {"Value": {"Ref": "Rule"}}},
}


class Stored:
    """The artifacts that one execution stored, read by an administrator."""

    def __init__(self, aws: LocalAws, project: Project, execution: str) -> None:
        self.s3, self.project = aws.client("s3"), project
        actions = {each["actionName"]: each.get("output", {}) for each in project.actions(execution)}
        source, built = (actions[name]["outputArtifacts"][0]["s3location"] for name in ("Source", "Build"))
        self.bucket, self.source, self.artifact = source["bucket"], source["key"], built["key"]
        with zipfile.ZipFile(io.BytesIO(self.content(self.artifact))) as archive:
            template = yaml.safe_load(archive.read(f"root-stack-{project.project_id}.yaml"))["Resources"]
        code = template["Function"]["Properties"]["Code"]
        nested = unquote(urlsplit(template["Nested"]["Properties"]["TemplateURL"]).path).lstrip("/")
        assert (code["S3Bucket"], nested.split("/", 1)[0]) == (self.bucket, self.bucket)
        self.packaged = [code["S3Key"], nested.split("/", 1)[1]]

    def content(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def contents(self) -> dict[str, bytes]:
        return {key: self.content(key) for key in [self.source, *self.packaged]}


def attack(project: Project, stored: Stored) -> list[list[str]]:
    """Runs a hostile build of `project` that has the keys. Returns its attempts and their outcomes."""
    keys = {
        "packaged code": stored.packaged,
        "a source": [stored.source],
        "a build artifact": [stored.artifact],
    }
    known = {
        "bucket": stored.bucket,
        "keys": keys,
        "template": f"root-stack-{stored.project.project_id}.yaml",
    }
    pushed = project.push(
        buildspec=HOSTILE_BUILDSPEC, further={"attack.py": ATTACK, "known.json": json.dumps(known)}
    )
    execution = project.execution_of(pushed.commit)
    eventually(lambda: ("Build", "Succeeded") in project.ran(execution), "the hostile build ends")
    return [
        json.loads(line.removeprefix("ATTEMPT "))
        for line in project.build_log().splitlines()
        if line.startswith("ATTEMPT ")
    ]


def deployed(aws: LocalAws, project: Project) -> tuple[str, str]:
    """The hash of the function's code, and the description of the nested stack's rule."""
    function = aws.client("lambda").get_function(FunctionName=f"lambda-dev-{project.project_id}")[
        "Configuration"
    ]
    rule = aws.client("events").describe_rule(Name=project.deployed.outputs()["NestedRule"])
    return str(function["CodeSha256"]), str(rule["Description"])


class Waiting:
    """An execution with packaged code that waits for its approval, and its stored objects."""

    def __init__(self, aws: LocalAws, project: Project, files: dict[str, str]) -> None:
        self.aws, self.project = aws, project
        further = {"function.py": APPROVED, "nested.json": json.dumps(NESTED)}
        self.commit = project.push(**files, further=further).commit
        self.execution = project.execution_of(self.commit)
        project.waits_for_approval(self.execution)
        self.stored = Stored(aws, project, self.execution)
        self.approved = self.stored.contents()

    def assert_approved_is_deployed(self) -> None:
        assert self.stored.contents() == self.approved
        self.project.decide(self.execution)
        assert self.project.ended(self.execution) == "Succeeded", self.project.said()
        code = base64.b64encode(hashlib.sha256(self.approved[self.stored.packaged[0]]).digest()).decode()
        assert deployed(self.aws, self.project) == (code, "approved")
        assert self.project.deployed_commit() == self.commit


# claim: hostile-builds-do-not-change-what-was-approved
def test_hostile_builds_do_not_change_what_was_approved(
    aws: LocalAws, stack: ProjectStack, other_stack: ProjectStack, function_role: str
) -> None:
    for each in (stack, other_stack):
        assert each.make(Deploy={"ActionMode": "CHANGE_SET"}) == "CREATE_COMPLETE", each.failures()
    project, waiting = stack.project, Waiting(aws, stack.project, with_code(stack.project, function_role))
    # The change set holds the template from before the approval, so an overwritten build artifact changes
    # nothing.
    possible = ["read a source", "look at a source", "write a build artifact", "write its own"]
    for hostile in (other_stack.project, project):
        tried = attack(hostile, waiting.stored)
        assert [what for what, outcome in tried if outcome == "done"] == possible, tried
        assert {outcome for _, outcome in tried if outcome != "done"} == {"AccessDenied"}
        assert len(tried) == 25
    waiting.assert_approved_is_deployed()


@pytest.fixture
def own(aws: LocalAws, environment: Environment, name: str) -> Iterator[str]:
    """The bucket of docs/how-to/own-bucket.md for the project of `stack`, in the environment's parameter."""
    template = (ROOT / "docs/how-to/own-bucket.md").read_text().split("```yaml\n", 1)[1].split("```", 1)[0]
    artifacts = Stack(aws, f"artifacts-{name}")
    assert artifacts.create(template, EnvID="dev", ProjectID=name) == "CREATE_COMPLETE", artifacts.failures()
    arn = artifacts.outputs()["BucketArn"]
    assert environment.change(ArtifactBucketArns=arn) == "UPDATE_COMPLETE", environment.failures()
    aws.put_iam_into_effect()
    yield arn.rpartition(":")[2]
    assert environment.change(ArtifactBucketArns="") == "UPDATE_COMPLETE", environment.failures()
    assert artifacts.delete() == "DELETE_COMPLETE", artifacts.failures()


# claim: own-bucket-and-role-protect-artifacts-whose-keys-are-known
def test_own_bucket_protects_artifacts_whose_keys_are_known(
    aws: LocalAws, own: str, stack: ProjectStack, other_stack: ProjectStack, function_role: str
) -> None:
    role = f"arn:aws:iam::{aws.account_id}:role/role-dev-codebuild-{stack.project.project_id}"
    mode = {"ActionMode": "CREATE_UPDATE"}
    assert (
        stack.make(Deploy=mode, ArtifactBucketName=own, Build={"ServiceRoleArn": role}) == "CREATE_COMPLETE"
    ), stack.failures()
    assert other_stack.make(Deploy=mode) == "CREATE_COMPLETE", other_stack.failures()
    files = with_code(stack.project, role_arn=function_role)
    files["buildspec"] = files["buildspec"].replace(
        "s3-$EnvID-codepipeline-artifact-$AccountId-$AWS_REGION", own
    )
    waiting = Waiting(aws, stack.project, files)
    before = waiting.stored.content(waiting.stored.artifact)
    tried = attack(other_stack.project, waiting.stored)
    assert {outcome for _, outcome in tried} == {"AccessDenied"} and len(tried) == 25, tried
    assert waiting.stored.content(waiting.stored.artifact) == before
    waiting.assert_approved_is_deployed()
