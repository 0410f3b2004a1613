"""The scene of pipeline tests: a repository with pushes by the real git, roles with exactly the permissions that a
pipeline uses, a bucket, a build project, and declarations to change."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.codecommit.tests.git_client import PULL, PUSH, a_login, git
from tests.local.aws.testing import allow, eventually, policy, trust

BRANCH = "development"
BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - mkdir out
      - sed "s/COMMIT/$CODEBUILD_RESOLVED_SOURCE_VERSION/" template.json > out/template.json
      - cp parameter.json out/
artifacts:
  base-directory: out
  files: ['**/*']
"""


def template(parameter: str, value: str = "COMMIT") -> str:
    """A stack with an SSM parameter that contains the commit that it was deployed from."""
    return json.dumps({
        "Parameters": {"Word": {"Type": "String", "Default": "none"}},
        "Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {
            "Name": parameter, "Type": "String", "Value": {"Fn::Sub": f"{value} ${{Word}}"}}}},
        "Outputs": {"Name": {"Value": {"Ref": "Parameter"}}}})


class Scene:
    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        self.aws, self.name, self.directory = aws, name, directory
        self.bucket = self.repository = self.project = self.pipeline = name
        self.region, self.account = aws.region, aws.account_id
        self.pipelines = aws.client("codepipeline")
        self.stack_name, self.log_group = f"stack-{name}", f"/aws/codebuild/{name}"
        self.rights = self._all_rights()

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def role_name(self, what: str) -> str:
        return f"{what}-{self.name}"

    def role_arn(self, what: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.role_name(what)}"

    def _all_rights(self) -> dict[str, dict[str, tuple[str, dict[str, Any]]]]:
        """Role -> action -> the resource and condition of its permission."""
        objects, group = f"arn:aws:s3:::{self.bucket}/*", self.arn("logs", f"log-group:{self.log_group}:*")
        repository, project = self.arn("codecommit", self.repository), self.arn("codebuild", f"project/{self.project}")
        stack = self.arn("cloudformation", f"stack/{self.stack_name}/*")
        passed = {"Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}}
        return {
            "pipeline": {
                **{f"s3:{action}": (objects, {}) for action in ("GetObject", "PutObject")},
                **{f"codecommit:{action}": (repository, {}) for action in (
                    "GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus")},
                **{f"codebuild:{action}": (project, {}) for action in ("StartBuild", "BatchGetBuilds")},
                **{f"cloudformation:{action}": (stack, {}) for action in (
                    "CreateStack", "DescribeStacks", "UpdateStack", "DeleteStack", "CreateChangeSet",
                    "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DescribeStackEvents", "TagResource")},
                "ecr:DescribeImages": (self.arn("ecr", f"repository/{self.name}"), {}),
                "cloudwatch:DescribeAlarms": (self.arn("cloudwatch", f"alarm:{self.name}*"), {}),
                "iam:PassRole": (self.role_arn("deploy"), passed),
            },
            "build": {
                **{f"s3:{action}": (objects, {}) for action in ("GetObject", "PutObject")},
                **{f"logs:{action}": (group, {}) for action in ("CreateLogStream", "PutLogEvents")},
            },
            "deploy": {f"ssm:{action}": ("*", {}) for action in (
                "PutParameter", "GetParameters", "DeleteParameter", "AddTagsToResource", "RemoveTagsFromResource",
                "ListTagsForResource", "DescribeParameters", "GetParameter", "LabelParameterVersion")},
            "events": {"codepipeline:StartPipelineExecution": (self.arn("codepipeline", self.pipeline), {})},
        }

    _SERVICES = {"pipeline": "codepipeline", "build": "codebuild", "deploy": "cloudformation", "events": "events"}

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = BUILDSPEC) -> None:
        """Everything that a pipeline needs, including the branch's first push."""
        self.make_surroundings()
        self.aws.client("logs").create_log_group(logGroupName=self.log_group)
        self.aws.client("codecommit").create_repository(repositoryName=self.repository)
        self.clone()
        self.make_project()
        self.first_files = {"buildspec.yml": buildspec, **self.files(), **(files or {})}
        self.push(self.first_files)

    def files(self) -> dict[str, str]:
        return {"template.json": template(self.name),
                "parameter.json": json.dumps({"Parameters": {"Word": "first"}, "Tags": {"word": "first"}})}

    def make_surroundings(self) -> None:
        """The roles, and the bucket."""
        self.aws.set(credential_accepted_after_seconds=0)
        iam = self.aws.client("iam")
        for what, rights in self.rights.items():
            iam.create_role(RoleName=self.role_name(what), AssumeRolePolicyDocument=self._trust(what))
            self.allow(what, rights)
        self.aws.client("s3").create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": self.region})

    def _trust(self, what: str) -> str:
        return trust(f"{self._SERVICES[what]}.amazonaws.com")

    def trust(self, what: str, document: str = "") -> None:
        self.aws.client("iam").update_assume_role_policy(
            RoleName=self.role_name(what), PolicyDocument=document or self._trust(what))

    def allow(self, what: str, rights: dict[str, tuple[str, dict[str, Any]]]) -> None:
        self.aws.client("iam").put_role_policy(
            RoleName=self.role_name(what), PolicyName="rights", PolicyDocument=policy(
                *(allow(action, resource, **more) for action, (resource, more) in rights.items())))

    def without(self, what: str, action: str) -> None:
        self.allow(what, {key: value for key, value in self.rights[what].items() if key != action})

    # --- git -------------------------------------------------------------------------

    def clone(self) -> None:
        """A working copy, and a login to push it."""
        made = self.aws.client("codecommit").get_repository(repositoryName=self.repository)["repositoryMetadata"]
        login = a_login(self.aws, f"git-{self.name}", allow([PULL, PUSH], made["Arn"]))
        self.git_url = login.git_url(made["cloneUrlHttp"])
        self.work = self.directory / self.name
        self.work.mkdir()
        self._git("init", "--quiet", f"--initial-branch={BRANCH}")

    def _git(self, *arguments: str) -> str:
        run = git(*arguments, at=self.work)
        run.check_returncode()
        return run.stdout.strip()

    def push(self, files: dict[str, str] | None = None, message: str = "A change",
             to: str = f"refs/heads/{BRANCH}") -> str:
        """Pushes and returns the commit."""
        for name, content in (files or {}).items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", message)
        self._git("push", "--quiet", self.git_url, f"HEAD:{to}")
        return self.head()

    def head(self) -> str:
        return self._git("rev-parse", "HEAD")

    # --- declarations ----------------------------------------------------------------

    def project_settings(self) -> dict[str, Any]:
        return {"name": self.project, "serviceRole": self.role_arn("build"), "source": {"type": "CODEPIPELINE"},
                "artifacts": {"type": "CODEPIPELINE"}, "environment": {
                    "type": "LINUX_CONTAINER", "image": "an-image", "computeType": "BUILD_GENERAL1_SMALL",
                    "environmentVariables": [{"name": "EnvID", "value": "dev", "type": "PLAINTEXT"}]}}

    def make_project(self) -> None:
        self.aws.client("codebuild").create_project(**self.project_settings())

    def source(self, **configuration: str) -> dict[str, Any]:
        return {"name": "Source", "namespace": "SourceVariables", "outputArtifacts": [{"name": "SourceArtifact"}],
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
                "configuration": {"RepositoryName": self.repository, "BranchName": BRANCH,
                                  "PollForSourceChanges": "false", **configuration}}

    def build(self, **configuration: str) -> dict[str, Any]:
        return {"name": "Build", "namespace": "BuildVariables", "inputArtifacts": [{"name": "SourceArtifact"}],
                "outputArtifacts": [{"name": "BuildArtifact"}],
                "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
                "configuration": {"ProjectName": self.project, **configuration}}

    def approval(self, **configuration: str) -> dict[str, Any]:
        return {"name": "Approval", "configuration": configuration, "actionTypeId": {
            "category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}

    def deploy(self, mode: str = "CREATE_UPDATE", artifact: str = "BuildArtifact", name: str = "Deploy",
               order: int = 1, **configuration: str) -> dict[str, Any]:
        files = {} if mode in {"DELETE_ONLY", "CHANGE_SET_EXECUTE"} else {
            "TemplatePath": f"{artifact}::template.json", "TemplateConfiguration": f"{artifact}::parameter.json"}
        role = {} if mode == "CHANGE_SET_EXECUTE" else {"RoleArn": self.role_arn("deploy")}
        made = {"name": name, "runOrder": order,
                "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1"},
                "configuration": {"ActionMode": mode, "StackName": self.stack_name, **files, **role, **configuration}}
        return {**made, "inputArtifacts": [{"name": artifact}]} if files else made

    def declaration(self, *stages: list[dict[str, Any]], mode: str = "QUEUED", **behaviour: Any) -> dict[str, Any]:
        """The source first, then stages of these actions. `behaviour` are further members of the last stage."""
        return {"name": self.pipeline, "roleArn": self.role_arn("pipeline"), "pipelineType": "V2",
                "executionMode": mode, "artifactStore": {"type": "S3", "location": self.bucket},
                "stages": [{"name": actions[0]["name"], "actions": copy.deepcopy(actions),
                            **(behaviour if actions is stages[-1] else {})} for actions in [[self.source()], *stages]]}

    def create(self, *stages: list[dict[str, Any]], **more: Any) -> str:
        """The ID of the first execution, which the pipeline starts itself."""
        return self.create_declared(self.declaration(*stages, **more))

    def create_declared(self, pipeline: dict[str, Any]) -> str:
        self.pipelines.create_pipeline(pipeline=pipeline)
        return str(self.executions()[-1]["pipelineExecutionId"])

    # --- results ---------------------------------------------------------------

    def executions(self) -> list[dict[str, Any]]:
        """The executions, newest first."""
        return self.pipelines.list_pipeline_executions(pipelineName=self.pipeline)["pipelineExecutionSummaries"]

    def start(self, **more: Any) -> str:
        return str(self.pipelines.start_pipeline_execution(name=self.pipeline, **more)["pipelineExecutionId"])

    def status(self, execution: str) -> str:
        return str(self.pipelines.get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution)["pipelineExecution"]["status"])

    def ended(self, execution: str) -> str:
        """Waits for its end and returns the status."""
        found = eventually(lambda: self.status(execution), lambda status: status not in {"InProgress", "Stopping"})
        return str(found)

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """The actions, oldest first."""
        return self.pipelines.list_action_executions(pipelineName=self.pipeline, filter={
            "pipelineExecutionId": execution})["actionExecutionDetails"][::-1]

    def action(self, execution: str, name: str) -> dict[str, Any]:
        return next(each for each in reversed(self.actions(execution)) if each["actionName"] == name)

    def error(self, execution: str, name: str) -> tuple[str, str]:
        told = self.action(execution, name)["output"]["executionResult"]["errorDetails"]
        return told["code"], told["message"]

    def approval_state(self, execution: str) -> dict[str, Any]:
        """The token of the approval that this execution waits for."""
        def state() -> dict[str, Any] | None:
            for stage in self.pipelines.get_pipeline_state(name=self.pipeline)["stageStates"]:
                for each in stage["actionStates"]:
                    if each.get("latestExecution", {}).get("token") and (
                            stage["latestExecution"]["pipelineExecutionId"] == execution):
                        return {"stage": stage["stageName"], "action": each["actionName"], **each["latestExecution"]}
            assert self.status(execution) == "InProgress", self.actions(execution)
            return None

        found: dict[str, Any] = eventually(state, bool)
        return found

    def decide(self, execution: str, status: str = "Approved", summary: str = "") -> None:
        waiting = self.approval_state(execution)
        self.pipelines.put_approval_result(
            pipelineName=self.pipeline, stageName=waiting["stage"], actionName=waiting["action"],
            token=waiting["token"], result={"status": status, "summary": summary})

    @contextmanager
    def for_one_test(self) -> Iterator[None]:
        """Restores the permissions, the build project and the pushed files, and deletes the pipeline and its stack."""
        rights = copy.deepcopy(self.rights)
        self.aws.set(credential_accepted_after_seconds=0, rule_minute_seconds=0.3)
        yield
        self.rights = rights
        self.pipelines.delete_pipeline(name=self.pipeline)
        for what, given in rights.items():
            self.allow(what, given)
            self.trust(what)
        if self.stacks():
            self.aws.client("cloudformation").delete_stack(StackName=self.stack_name)
            eventually(self.stacks, lambda found: not found)
        self.aws.client("codebuild").update_project(**self.project_settings())
        self.push(self.first_files)

    def artifact(self, where: dict[str, str]) -> dict[str, str]:
        """The files of an artifact."""
        packed = self.aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            return {entry.filename: archive.read(entry).decode() for entry in archive.infolist() if not entry.is_dir()}

    def deployed(self) -> str:
        return str(self.aws.client("ssm").get_parameter(Name=self.name)["Parameter"]["Value"])

    def stacks(self) -> list[str]:
        pages = self.aws.client("cloudformation").get_paginator("describe_stacks").paginate()
        return [each["StackName"] for page in pages for each in page["Stacks"]
                if each["StackName"] == self.stack_name]

    def log(self) -> list[str]:
        logs = self.aws.client("logs")
        return [event["message"] for stream in logs.describe_log_streams(logGroupName=self.log_group)["logStreams"]
                for event in logs.get_log_events(logGroupName=self.log_group, startFromHead=True,
                                                 logStreamName=stream["logStreamName"])["events"]]
