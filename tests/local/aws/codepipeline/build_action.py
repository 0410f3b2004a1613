"""Build/CodeBuild: a build of the pipeline's artifacts.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

import json
from pathlib import Path
from typing import Any

from ministack.services import codebuild

from tests.local.aws.codebuild import builds, buildspec
from tests.local.aws.codebuild import commands as build_commands
from tests.local.aws.codebuild.buildspec import Buildspec
from tests.local.aws.codepipeline.actions import Action, ActionFailed, zipped


def run(action: Action) -> None:
    name = action.configuration("ProjectName")
    arn = f"arn:aws:codebuild:{action.held.region}:{action.role.session.account}:project/{name}"
    action.role.require("codebuild:StartBuild", arn)
    action.role.require("codebuild:BatchGetBuilds", arn)
    build = _PipelineBuild(action, codebuild._projects[name])
    status, reason = build.run()
    if status != "SUCCEEDED":
        raise ActionFailed("JobFailed", f"Build terminated with state: {status}. {reason}".strip())


def _revision(action: Action, artifact: str) -> str:
    """ "The source revision provided by CodePipeline": the revision of the input artifact's source, or else
    of the pipeline's first source.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    """
    sources = action.execution.sources()
    made = [run for run in sources if artifact in run.outputs]
    return next((str(run.revision["revisionId"]) for run in [*made, *sources] if run.revision), "")


class _PipelineBuild(builds.Build):
    def __init__(self, action: Action, project: dict[str, Any]) -> None:
        self.action = action
        self.inputs = [each["name"] for each in action.run.declaration["inputArtifacts"]]
        self.primary = action.configuration("PrimarySource") or self.inputs[0]
        commit = _revision(action, self.primary)
        super().__init__(
            project, action.held.account, action.held.region, f"codepipeline/{action.held.name}", commit
        )
        self.record["resolvedSourceVersion"] = commit
        action.run.external_id = self.build_id
        action.run.external_url = (
            f"https://console.aws.amazon.com/codebuild/home?region={action.held.region}"
            f"#/builds/{self.build_id}/view/new"
        )

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self.action.wait(seconds)

    def overrides(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.action.configuration("EnvironmentVariables", "[]"))
        return found

    def fetch(self, scratch: Path) -> Path:
        assert self.role is not None
        source = scratch
        for name in self.inputs:
            directory = scratch / name / "src"
            directory.mkdir(parents=True)
            with self.action.input(name, self.role) as archive:
                build_commands.unpack(archive, directory)
            if name == self.primary:
                source = directory
            else:
                self.others[f"CODEBUILD_SRC_DIR_{name}"] = str(directory)
        return source

    def source_variables(self) -> dict[str, str]:
        source = self.action.run.inputs[self.primary]
        return {"CODEBUILD_SOURCE_VERSION": f"arn:aws:s3:::{source['bucket']}/{source['key']}"}

    def upload(self, spec: Buildspec) -> None:
        for each in self.action.run.declaration.get("outputArtifacts", []):
            if spec.artifacts is None:
                continue
            files = buildspec.collect(spec.artifacts, self.source)
            if not files:
                raise builds.Failed("CLIENT_ERROR: no matching artifact paths found", "CLIENT_ERROR")
            self.action.output(each["name"], zipped(files), self.role)
