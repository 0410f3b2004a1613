"""Build/CodeBuild and Test/CodeBuild: the project's commands, run by `sh` in a scratch directory.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html (phases)
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html

The project is the one in MiniStack's CodeBuild, and the build is stored there too, for BatchGetBuilds. Its image is
not used: there is no container, so commands use this machine's programs, and only PATH of its environment.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from ministack.services import cloudwatch_logs, codebuild

from local.aws.codebuild import buildspec, commands as build_commands, stored_variables
from local.aws.codebuild.buildspec import Buildspec
from local.aws.codepipeline.actions import Action, ActionFailed, Role, client, endpoint, failed, zipped
from local.aws.iam import service_roles
from local.aws.settings import settings


class _Failed(Exception):
    """A failed phase of the build. The text is the phase's context."""

    def __init__(self, message: str, status: str = "FAILED", code: str = "COMMAND_EXECUTION_ERROR") -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


def run(action: Action) -> None:
    name = action.configuration("ProjectName")
    arn = f"arn:aws:codebuild:{action.held.region}:{action.role.session.account}:project/{name}"
    try:
        action.role.require("codebuild:StartBuild", arn)
        action.role.require("codebuild:BatchGetBuilds", arn)
    except service_roles.Denied as rejected:
        raise failed(rejected) from None
    project = codebuild._projects.get(name)
    if project is None:
        raise ActionFailed("ConfigurationError",
                           f"Error calling startBuild: Project cannot be found: {arn}")
    for what in ("source", "artifacts"):
        if project[what].get("type") != "CODEPIPELINE":
            raise ActionFailed("ConfigurationError",
                               f"Error calling startBuild: Project {what} type must be CODEPIPELINE for a build that "
                               f"a pipeline starts; {name} has {project[what].get('type')}")
    _Build(action, project).run()


def _revision(action: Action, artifact: str) -> str:
    """"The source revision provided by CodePipeline": the revision of the input artifact's source, or else of the
    pipeline's first source.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    """
    sources = action.execution.sources()
    made = [run for run in sources if artifact in run.outputs]
    return next((str(run.revision["revisionId"]) for run in [*made, *sources] if run.revision), "")


class _Build:
    def __init__(self, action: Action, project: dict[str, Any]) -> None:
        self.action, self.project = action, project
        inputs = [each["name"] for each in action.run.declaration["inputArtifacts"]]
        self.primary = action.configuration("PrimarySource") or inputs[0]
        commit = _revision(action, self.primary)
        self.build_id = codebuild._build_id(project["name"])
        self.record = codebuild._make_build_record(project, self.build_id, commit)
        group = project.get("logsConfig", {}).get("cloudWatchLogs", {}).get("groupName")
        self.stream = self.build_id.partition(":")[2]
        self.record.update(buildStatus="IN_PROGRESS", currentPhase="SUBMITTED", phases=[],
                           initiator=f"codepipeline/{action.held.name}", resolvedSourceVersion=commit)
        self.record.pop("endTime", None)
        self.record["logs"] = {"groupName": group or f"/aws/codebuild/{project['name']}", "streamName": self.stream}
        codebuild._builds[self.build_id] = self.record
        action.run.external_id = self.build_id
        action.run.external_url = (f"https://console.aws.amazon.com/codebuild/home?region={action.held.region}"
                                   f"#/builds/{self.build_id}/view/new")
        self.role: Role | None = None
        self.lines: list[str] = []
        self.logged = False
        self.exported: dict[str, str] = {}
        self.stored: dict[str, str] = {}

    def run(self) -> None:
        """The phases in CodeBuild's order, until one fails."""
        status, reason = "SUCCEEDED", ""
        with tempfile.TemporaryDirectory(prefix="build-") as scratch:
            deadline = time.monotonic() + self.project["timeoutInMinutes"] * settings.build_minute_seconds
            try:
                self._phases(Path(scratch), deadline)
            except _Failed as fault:
                # A phase may end with CLIENT_ERROR. The build then ends with FAILED.
                # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Build.html (buildStatus)
                status, reason = fault.status.replace("CLIENT_ERROR", "FAILED"), fault.message
            except BaseException:
                status = "STOPPED"
                raise
            finally:
                self.record.update(buildStatus=status, currentPhase="COMPLETED", endTime=int(time.time()),
                                   exportedEnvironmentVariables=[{"name": key, "value": value}
                                                                 for key, value in self.exported.items()])
        if status != "SUCCEEDED":
            raise ActionFailed("JobFailed", f"Build terminated with state: {status}. {reason}".strip())
        self.action.run.variables = self.exported

    def _phases(self, scratch: Path, deadline: float) -> None:
        try:
            self._phase("SUBMITTED", self._assume)
            self._phase("PROVISIONING", self._open_log)
            self._phase("DOWNLOAD_SOURCE", lambda: self._download(scratch))
            spec = self._spec
            environment = self._environment(spec, scratch)
            shell = build_commands.Shell(scratch, self.source, environment, deadline, self._log, self.action.wait,
                                         spec.apart)
            fault = self._run_commands(spec, shell)
            # Variables from Parameter Store and Secrets Manager are not exported.
            # .../codebuild/latest/userguide/build-spec-ref.html#build-spec.env.exported-variables
            self.exported = {name: shell.environment.get(name, "") for name in spec.exported
                             if name not in self.stored}
            try:
                self._phase("UPLOAD_ARTIFACTS", lambda: self._upload(spec))
            except _Failed as failure:
                fault = fault or failure
            if fault:
                raise fault
        finally:
            self._write_log()

    def _phase(self, name: str, do: Any) -> None:
        phase: dict[str, Any] = {"phaseType": name, "startTime": int(time.time())}
        self.record["currentPhase"] = name
        self.record["phases"].append(phase)
        try:
            do()
            phase["phaseStatus"] = "SUCCEEDED"
        except _Failed as fault:
            phase.update(phaseStatus=fault.status, contexts=[{"statusCode": fault.code,
                                                              "message": fault.message}])
            raise
        finally:
            phase["endTime"] = int(time.time())
            self._log(f"[Container] Phase complete: {name} State: {phase.get('phaseStatus', 'STOPPED')}")

    def _run_commands(self, spec: Buildspec, shell: build_commands.Shell) -> _Failed | None:
        fault: _Failed | None = None
        for name in buildspec.PHASES:
            try:
                self._phase(name.upper(), lambda name=name: self._commands(spec.phases[name], shell, name))
            except _Failed as failure:
                # POST_BUILD and UPLOAD_ARTIFACTS follow a failed BUILD. No phase follows an earlier failure.
                # https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html
                fault = fault or failure
                if name in {"install", "pre_build"} or failure.status != "FAILED":
                    raise fault from None
        return fault

    def _commands(self, phase: buildspec.Phase, shell: build_commands.Shell, name: str) -> None:
        try:
            self._run_each(phase.commands, shell, name)
        finally:
            # They run even if one of the phase's commands fails. If one of them fails, so does the phase.
            self._run_each(phase.last, shell, name)

    def _run_each(self, commands: list[str], shell: build_commands.Shell, phase: str) -> None:
        for command in commands:
            self._log(f"[Container] Running command {command}")
            try:
                code = shell.run(command)
            except build_commands.TimedOut:
                raise _Failed("BUILD_TIMED_OUT: Build has timed out.", "TIMED_OUT") from None
            if code:
                raise _Failed(f"Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing "
                              f"command: {command}. Reason: exit status {code} (phase {phase.upper()})")

    # --- CodeBuild's own phases -------------------------------------------

    def _assume(self) -> None:
        """The session's name is `AWSCodeBuild-<the build's UUID>`, so `aws:userid` is another one for each build:
        "role-id:caller-specified-role-name". AWS's error messages show the name; no page promises it (assumption
        `codebuild-session-per-build`).

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
        """
        arn = self.project["serviceRole"]
        try:
            session = service_roles.assume(arn, "codebuild.amazonaws.com", self.project["arn"],
                                         session_name=f"AWSCodeBuild-{self.stream}")
        except service_roles.NotAssumable:
            raise _Failed(f"ACCESS_DENIED: CodeBuild is not authorized to perform: sts:AssumeRole on {arn}",
                          "FAULT") from None
        self.role = Role(session, self.action.held.region, session.credentials())

    def _open_log(self) -> None:
        """https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html (the service role and logs)"""
        assert self.role is not None
        group = self.record["logs"]["groupName"]
        # AWS's names of the resources. MiniStack's own check of these calls omits the stream.
        arn = f"arn:aws:logs:{self.action.held.region}:{self.action.held.account}:log-group:{group}:log-stream:"
        try:
            if group not in cloudwatch_logs._log_groups:
                self.role.require("logs:CreateLogGroup", arn)
                self._logs().create_log_group(logGroupName=group)
            self.role.require("logs:CreateLogStream", f"{arn}{self.stream}")
            self.role.require("logs:PutLogEvents", f"{arn}{self.stream}")
        except service_roles.Denied as rejected:
            raise _Failed(f"ACCESS_DENIED: Service role {self.project['serviceRole']} does not allow AWS CodeBuild to "
                          f"create Amazon CloudWatch Logs log streams for build {self.record['arn']}. Error message: "
                          f"{rejected.message}", "CLIENT_ERROR") from None
        self._logs().create_log_stream(logGroupName=group, logStreamName=self.stream)
        self.logged = True

    def _logs(self) -> Any:
        """Called after the role's permissions were evaluated."""
        account = self.action.held.account
        return client("logs", self.action.held.region, {
            "AccessKeyId": account, "SecretAccessKey": "local", "SessionToken": None})

    def _download(self, scratch: Path) -> None:
        assert self.role is not None
        self._unpack(scratch)
        try:
            self.stored = stored_variables.read(self._variables(), self.role.client, self._log)
        except stored_variables.Unreadable as fault:
            context = f"Phase context status code: {fault.code} Message: {fault.message}"
            self._log(f"[Container] {context}")
            raise _Failed(context, code=fault.code) from None

    def _variables(self) -> list[dict[str, Any]]:
        """The project's variables, overridden by StartBuild's."""
        declared = self.project.get("environment", {}).get("environmentVariables") or []
        started_with = json.loads(self.action.configuration("EnvironmentVariables", "[]"))
        return list({each["name"]: each for each in [*declared, *started_with]}.values())

    def _unpack(self, scratch: Path) -> None:
        assert self.role is not None
        inputs = [each["name"] for each in self.action.run.declaration["inputArtifacts"]]
        self.others: dict[str, str] = {}
        for name in inputs:
            directory = scratch / name / "src"
            directory.mkdir(parents=True)
            try:
                with self.action.input(name, self.role) as archive:
                    build_commands.unpack(archive, directory)
            except ActionFailed as fault:
                raise _Failed(f"CLIENT_ERROR: {fault.message}", "CLIENT_ERROR") from None
            if name == self.primary:
                self.source = directory
            else:
                self.others[f"CODEBUILD_SRC_DIR_{name}"] = str(directory)
        self._spec = self._read_spec()

    def _read_spec(self) -> Buildspec:
        """The project's buildspec: YAML, or a file's name. By default `buildspec.yml`."""
        given = self.project["source"].get("buildspec") or "buildspec.yml"
        if "\n" not in given:
            path = self.source / given
            if not path.is_file():
                raise _Failed(f"YAML_FILE_ERROR: stat {given}: no such file or directory", "CLIENT_ERROR")
            given = path.read_text()
        try:
            return buildspec.read(given)
        except buildspec.Malformed as fault:
            raise _Failed(str(fault), "CLIENT_ERROR") from None

    def _environment(self, spec: Buildspec, scratch: Path) -> dict[str, str]:
        """StartBuild's variables override the project's, and these override the buildspec's."""
        assert self.role is not None
        given = {each["name"]: str(each["value"]) for each in self._variables()} | self.stored
        region = self.action.held.region
        key = self.role.key
        (scratch / "home").mkdir()
        return {
            **build_commands.machine(scratch / "home"), **spec.variables, **given, **self.others,
            "AWS_DEFAULT_REGION": region, "AWS_REGION": region, "AWS_ENDPOINT_URL": endpoint(),
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_SESSION_TOKEN": key["SessionToken"], "AWS_EC2_METADATA_DISABLED": "true",
            "CODEBUILD_BUILD_ARN": self.record["arn"], "CODEBUILD_BUILD_ID": self.build_id,
            "CODEBUILD_BUILD_NUMBER": str(self.record["buildNumber"]), "CODEBUILD_CI": "true", "CI": "true",
            "CODEBUILD_BUILD_IMAGE": str(self.project.get("environment", {}).get("image", "")),
            "CODEBUILD_INITIATOR": self.record["initiator"], "CODEBUILD_LOG_PATH": self.stream,
            "CODEBUILD_KMS_KEY_ID": str(self.project.get("encryptionKey", "")),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.record["resolvedSourceVersion"],
            "CODEBUILD_SOURCE_VERSION": f"arn:aws:s3:::{self._source_location()}",
            "CODEBUILD_SRC_DIR": str(self.source), "CODEBUILD_START_TIME": str(self.record["startTime"] * 1000),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
        }

    def _source_location(self) -> str:
        source = self.action.run.inputs[self.primary]
        return f"{source['bucket']}/{source['key']}"

    def _upload(self, spec: Buildspec) -> None:
        outputs = [each["name"] for each in self.action.run.declaration.get("outputArtifacts", [])]
        for name in outputs:
            # A single output is directly under `artifacts`. Several outputs have a section for each name.
            artifacts = spec.artifacts if len(outputs) == 1 and spec.artifacts else spec.secondary.get(name)
            if artifacts is None:
                continue
            files = buildspec.collect(artifacts, self.source)
            if not files:
                raise _Failed("CLIENT_ERROR: no matching artifact paths found", "CLIENT_ERROR")
            try:
                self.action.output(name, zipped(files), self.role)
            except ActionFailed as fault:
                raise _Failed(f"CLIENT_ERROR: Failed to upload artifacts: {fault.message}", "CLIENT_ERROR") from None

    # --- the log -----------------------------------------------------------------------

    def _log(self, line: str) -> None:
        self.lines.append(line)

    def _write_log(self) -> None:
        if not self.logged:
            return
        now = int(time.time() * 1000)
        # CodeBuild masks the values of stored variables in its log. (?)
        for value in filter(None, self.stored.values()):
            self.lines = [line.replace(value, "***") for line in self.lines]
        # "The maximum number of log events in a batch is 10,000."
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
        for start in range(0, len(self.lines), 10_000):
            self._logs().put_log_events(
                logGroupName=self.record["logs"]["groupName"], logStreamName=self.stream,
                logEvents=[{"timestamp": now, "message": line or " "} for line in self.lines[start:start + 10_000]])
