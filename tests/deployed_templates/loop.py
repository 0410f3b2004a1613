"""A pipeline made from the child stack template, from a push to a deployed stack."""

import json
from pathlib import Path

from tests.deployed_templates.scene import Scene
from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, allow, policy, trust
from tests.play.pipelines import Pipeline

CHILD = (Path(__file__).parents[2] / "templates/pipeline.yaml").read_text()
BUILDSPEC = """version: 0.2
phases:
  build:
    commands: [mkdir out, cp template.json out/root-stack-shop.yaml, cp parameter.json out/]
artifacts:
  base-directory: out
  files: ['**/*']
"""
# The roles that all of an environment's pipelines use, each with its service.
_ROLES = {
    "codepipeline-cfn": "codepipeline",
    "codebuild-cfn": "codebuild",
    "codedeploy-cfn": "cloudformation",
    "eventbridge-codepipeline-exec": "events",
}


class Loop(Scene):
    """One project in one environment, with the names that the child stack's parameters and outputs have."""

    def __init__(self, aws: LocalAws, env: str, directory: Path) -> None:
        super().__init__(aws, f"codecommit-{env}-cfn-shop", directory)
        self.env, self.pipeline, self.child = (
            env,
            Pipeline(aws, env, "shop"),
            Stack(aws, f"gitops-{env}-shop"),
        )

    def make_surroundings(self) -> None:
        """The roles, and the bucket. tests/policies evaluates the permissions of the real roles."""
        self.aws.set(credential_accepted_after_seconds=0)
        iam = self.aws.client("iam")
        for name, service in _ROLES.items():
            role = f"role-{self.env}-{name}"
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"{service}.amazonaws.com"))
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy(allow("*", "*")))
        self.aws.client("s3").create_bucket(
            Bucket=f"s3-{self.env}-codepipeline-artifact-{self.aws.account_id}-{self.aws.region}",
            CreateBucketConfiguration={"LocationConstraint": self.aws.region},
        )

    def files(self) -> dict[str, str]:
        parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
        return {
            "buildspec.yml": BUILDSPEC,
            "template.json": json.dumps({"Resources": {"Parameter": parameter}}),
            "parameter.json": "{}",
        }

    def change_child(self, action: str, branch_exists: str) -> str:
        cloudformation = self.aws.client("cloudformation")
        # Each test needs an environment name of its own.
        body = CHILD.replace("\n    dev:\n", f"\n    {self.env}:\n")
        getattr(cloudformation, f"{action}_stack")(
            StackName=self.child.name,
            TemplateBody=body,
            Tags=[{"Key": "owner", "Value": "me"}],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (
                    ("EnvID", self.env),
                    ("ProjectID", "shop"),
                    ("BranchExists", branch_exists),
                )
            ],
        )
        return self.child.wait()


def begun(loop: Loop) -> str:
    """The first push, and the pipeline's first execution for it."""
    commit = loop.push(loop.files())
    # Otherwise the rule that starts the pipeline could meet this push's event, too.
    loop.aws.wait_for_events()
    assert loop.change_child("update", "true") == "UPDATE_COMPLETE", loop.child.events()
    return loop.pipeline.execution_of(commit)
