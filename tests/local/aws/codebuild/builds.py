"""A build: its phases, its log, its record for BatchGetBuilds, and its commands, which `sh` runs.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html (phases)
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html

The project is the one in MiniStack's CodeBuild, and the build is stored there too, for BatchGetBuilds. Its
image is not used: there is no container, so commands use this machine's programs, and only PATH of its
environment. The exception is `docker`.

Where the source is from and where the artifacts go to is a subclass's part: `build_action` for a pipeline's
build,
`started_builds` for the others.
"""

import copy
import tempfile
import time
from pathlib import Path
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, codebuild

from tests.local.aws.codebuild import (
    build_events,
    buildspec,
    reports,
    stored_variables,
)
from tests.local.aws.codebuild import (
    commands as build_commands,
)
from tests.local.aws.codebuild.buildspec import Buildspec
from tests.local.aws.codepipeline.actions import Role, client, endpoint
from tests.local.aws.iam import service_roles


class Failed(Exception):
    """A failed phase of the build. The text is the message of the phase's context."""

    def __init__(self, message: str, status: str = "FAILED", code: str = "COMMAND_EXECUTION_ERROR") -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


def client_error(message: str) -> Failed:
    """A phase that the project's settings or its role make impossible."""
    return Failed(message, "CLIENT_ERROR", "CLIENT_ERROR")


class Build:
    """`account` and `region` are those of the project."""

    def __init__(
        self, project: dict[str, Any], account: str, region: str, initiator: str, version: str
    ) -> None:
        # A change of the project does not affect a build that runs.
        self.project, self.account, self.region = copy.deepcopy(project), account, region
        self.build_id = codebuild._build_id(project["name"])
        self.record = codebuild._make_build_record(self.project, self.build_id, version)
        group = project.get("logsConfig", {}).get("cloudWatchLogs", {}).get("groupName")
        self.stream = self.build_id.partition(":")[2]
        self.record.update(
            buildStatus="IN_PROGRESS",
            currentPhase="SUBMITTED",
            phases=[],
            buildComplete=False,
            initiator=initiator,
            serviceRole=project["serviceRole"],
            sourceVersion=version,
            artifacts={},
        )
        if not version:
            # Which value a build without a version has is not documented. (?)
            del self.record["sourceVersion"]
        self.record.pop("endTime", None)
        self.record["logs"] = {
            "groupName": group or f"/aws/codebuild/{project['name']}",
            "streamName": self.stream,
        }
        codebuild._builds[self.build_id] = self.record
        self.role: Role | None = None
        self.lines: list[str] = []
        self.failed_phase = ""
        self.logged = False
        self.stored: dict[str, str] = {}
        self.others: dict[str, str] = {}  # variables with the directories of further sources

    # --- a subclass's part ------------------------------------------------

    def fetch(self, scratch: Path) -> Path:
        """Puts the source below `scratch` and returns its directory."""
        raise NotImplementedError

    def upload(self, spec: Buildspec) -> None:
        """Stores the artifacts."""
        raise NotImplementedError

    def source_variables(self) -> dict[str, str]:
        """The environment variables that depend on the source's type."""
        raise NotImplementedError

    def overrides(self) -> list[dict[str, Any]]:
        """The variables that StartBuild's caller passes."""
        return []

    def wait(self, _seconds: float) -> None:
        """Raises an exception if the build has to end early."""

    # --- the phases -------------------------------------------------------

    def run(self) -> tuple[str, str]:
        """Runs the phases in CodeBuild's order, until one fails. Returns the build's status, and the reason
        of a failure."""
        build_events.send_state(self.record)
        status, reason = "SUCCEEDED", ""
        with tempfile.TemporaryDirectory(prefix="build-") as scratch:
            try:
                self._phases(Path(scratch))
            except Failed as fault:
                # A phase may end with CLIENT_ERROR. The build then ends with FAILED.
                # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Build.html (buildStatus)
                status = fault.status.replace("CLIENT_ERROR", "FAILED")
                # CodePipeline shows it. No page has its form. (?)
                reason = f"Phase: {self.failed_phase}, Code: {fault.code}, Message: {fault.message}"
            except BaseException:
                status = "STOPPED"
                raise
            finally:
                self._finish(status)
        return status, reason

    def _finish(self, status: str) -> None:
        now = _now()
        # The last phase has no status and no end, as in the example of BatchGetBuilds.
        # https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html
        self.record["phases"].append({"phaseType": "COMPLETED", "startTime": now})
        self.record.update(currentPhase="COMPLETED", endTime=now, buildComplete=True, buildStatus=status)
        _count(self.record)
        build_events.send_state(self.record)

    def _phases(self, scratch: Path) -> None:
        self._phase("SUBMITTED", self._assume)
        self._phase("PROVISIONING", self._open_log)
        self._phase("DOWNLOAD_SOURCE", lambda: self._download(scratch))
        spec = self._spec
        environment = self._environment(scratch)
        shell = build_commands.Shell(scratch, self.source, environment, self._log, self.wait)
        fault = self._run_commands(spec, shell)
        try:
            self._phase("UPLOAD_ARTIFACTS", lambda: self._upload(spec))
        except Failed as failure:
            fault = fault or failure
        if fault:
            raise fault

    def _phase(self, name: str, do: Any) -> None:
        phase: dict[str, Any] = {"phaseType": name, "startTime": _now()}
        self.record["currentPhase"] = name
        self.record["phases"].append(phase)
        context = {"statusCode": "", "message": ""}
        if name.lower() in buildspec.PHASES:
            self._log_agent(f"Entering phase {name}")
        elif name == "DOWNLOAD_SOURCE":
            self._log_agent(f"Phase is {name}")
        try:
            do()
            phase["phaseStatus"] = "SUCCEEDED"
        except Failed as fault:
            phase["phaseStatus"] = fault.status
            context = {"statusCode": fault.code, "message": fault.message}
            self.failed_phase = self.failed_phase or name
            raise
        finally:
            # Empty for a phase that succeeded. Recorded: https://github.com/data-dot-all/dataall/issues/217
            phase.update(endTime=_now(), contexts=[context])
            phase["durationInSeconds"] = int(phase["endTime"] - phase["startTime"])
            if name not in {"SUBMITTED", "PROVISIONING"}:
                self._log_agent(f"Phase complete: {name} State: {phase.get('phaseStatus', 'STOPPED')}")
                self._log_agent(
                    f"Phase context status code: {context['statusCode']} Message: {context['message']}"
                )
                self._write_log()

    def _run_commands(self, spec: Buildspec, shell: build_commands.Shell) -> Failed | None:
        fault: Failed | None = None
        for name in buildspec.PHASES:
            try:
                self._phase(name.upper(), lambda name=name: self._run_each(spec.commands[name], shell))
            except Failed as failure:
                # POST_BUILD and UPLOAD_ARTIFACTS follow a failed BUILD. No phase follows an earlier failure.
                # https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html
                fault = fault or failure
                if name in {"install", "pre_build"}:
                    raise fault from None
        return fault

    def _upload(self, spec: Buildspec) -> None:
        """Reports and artifacts. AWS documents the phase of both, and not their order. (?)"""
        assert self.role is not None
        try:
            self.record["reportArns"] = reports.store(
                spec.reports, self.project["arn"], self.source, self.role
            )
        except reports.Unstored as fault:
            raise client_error(fault.message) from None
        self.upload(spec)

    def _run_each(self, commands: list[str], shell: build_commands.Shell) -> None:
        for command in commands:
            self._log_agent(f"Running command {command}")
            code = shell.run(command)
            if code:
                self._log_agent(f"Command did not exit successfully {command} exit status {code}")
                raise Failed(f"Error while executing command: {command}. Reason: exit status {code}")

    # --- CodeBuild's own phases -------------------------------------------

    def _assume(self) -> None:
        """The session's name is `AWSCodeBuild-<the build's UUID>`, so `aws:userid` is another one for each
        build: "role-id:caller-specified-role-name". AWS's error messages show the name; no page promises it
        (assumption
        `codebuild-session-per-build`).

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
        """
        arn = self.project["serviceRole"]
        try:
            session = service_roles.assume(
                arn,
                "codebuild.amazonaws.com",
                self.project["arn"],
                session_name=f"AWSCodeBuild-{self.stream}",
            )
        except service_roles.NotAssumable:
            raise Failed(
                f"ACCESS_DENIED: CodeBuild is not authorized to perform: sts:AssumeRole on {arn}", "FAULT"
            ) from None
        self.role = Role(session, self.region, session.credentials())

    def _open_log(self) -> None:
        """https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html (the service role and
        logs)"""
        assert self.role is not None
        group = self.record["logs"]["groupName"]
        # AWS's names of the resources. MiniStack's own check of these calls omits the stream.
        arn = f"arn:aws:logs:{self.region}:{self.account}:log-group:{group}:log-stream:"
        try:
            if group not in cloudwatch_logs._log_groups:
                self.role.require("logs:CreateLogGroup", arn)
                self._logs().create_log_group(logGroupName=group)
            self.role.require("logs:CreateLogStream", f"{arn}{self.stream}")
            self.role.require("logs:PutLogEvents", f"{arn}{self.stream}")
        except service_roles.Denied as rejected:
            raise Failed(
                f"ACCESS_DENIED: Service role {self.project['serviceRole']} does not allow AWS CodeBuild to "
                f"create Amazon CloudWatch Logs log streams for build {self.record['arn']}. Error message: "
                f"{rejected.message}",
                "CLIENT_ERROR",
            ) from None
        self._logs().create_log_stream(logGroupName=group, logStreamName=self.stream)
        self.logged = True

    def _logs(self) -> Any:
        """Called after the role's permissions were evaluated."""
        return client(
            "logs",
            self.region,
            {"AccessKeyId": self.account, "SecretAccessKey": "local", "SessionToken": None},
        )

    def _download(self, scratch: Path) -> None:
        assert self.role is not None
        self.source = self.fetch(scratch)
        self._spec = self._read_spec()
        try:
            self.stored = stored_variables.read(self._variables(), self.role.client, self._log)
        except stored_variables.Unreadable as fault:
            raise Failed(fault.message, code=fault.code) from None

    def _variables(self) -> list[dict[str, Any]]:
        """The project's variables, overridden by StartBuild's."""
        declared = self.project.get("environment", {}).get("environmentVariables") or []
        return list({each["name"]: each for each in [*declared, *self.overrides()]}.values())

    def _read_spec(self) -> Buildspec:
        """The project's buildspec: YAML, or a file's name. By default `buildspec.yml`."""
        given = self.project["source"].get("buildspec") or "buildspec.yml"
        if "\n" not in given:
            path = self.source / given
            if not path.is_file():
                raise Failed(f"YAML_FILE_ERROR: stat {given}: no such file or directory", "CLIENT_ERROR")
            given = path.read_text()
        try:
            return buildspec.read(given)
        except buildspec.Malformed as fault:
            raise Failed(str(fault), "CLIENT_ERROR") from None

    def _environment(self, scratch: Path) -> dict[str, str]:
        assert self.role is not None
        given = {each["name"]: str(each["value"]) for each in self._variables()} | self.stored
        key = self.role.key
        privileged = bool(self.project.get("environment", {}).get("privilegedMode"))
        return {
            **build_commands.machine(scratch / "home", privileged),
            **given,
            **self.others,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": endpoint(),
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_SESSION_TOKEN": key["SessionToken"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "CODEBUILD_BUILD_ARN": self.record["arn"],
            "CODEBUILD_BUILD_ID": self.build_id,
            "CODEBUILD_BUILD_NUMBER": str(self.record["buildNumber"]),
            "CODEBUILD_CI": "true",
            "CI": "true",
            "CODEBUILD_BUILD_IMAGE": str(self.project.get("environment", {}).get("image", "")),
            "CODEBUILD_INITIATOR": self.record["initiator"],
            "CODEBUILD_LOG_PATH": self.stream,
            "CODEBUILD_KMS_KEY_ID": str(self.project.get("encryptionKey", "")),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.record.get("resolvedSourceVersion", ""),
            "CODEBUILD_SRC_DIR": str(self.source),
            "CODEBUILD_START_TIME": str(self.record["startTime"] * 1000),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            **self.source_variables(),
        }

    # --- the log -----------------------------------------------------------------------

    def _log(self, line: str) -> None:
        self.lines.append(line)

    def _log_agent(self, text: str) -> None:
        """A line of CodeBuild itself. Recorded: https://github.com/aws/aws-cdk/issues/28519"""
        now = time.time()
        date = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(now))
        self._log(f"[Container] {date}.{int(now % 1 * 1_000_000):06} {text}")

    def _write_log(self) -> None:
        """Lines come in groups, with the group's time and with their line breaks. Recorded:
        https://github.com/Xtages/console (`LogViewer.stories.tsx`)"""
        if not self.logged or not self.lines:
            return
        now = int(time.time() * 1000)
        # CodeBuild masks the values of stored variables in its log. (?)
        for value in filter(None, self.stored.values()):
            self.lines = [line.replace(value, "***") for line in self.lines]
        # "The maximum number of log events in a batch is 10,000."
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
        for start in range(0, len(self.lines), 10_000):
            self._logs().put_log_events(
                logGroupName=self.record["logs"]["groupName"],
                logStreamName=self.stream,
                logEvents=[
                    {"timestamp": now, "message": f"{line}\n"} for line in self.lines[start : start + 10_000]
                ],
            )
        self.lines = []


def _now() -> float:
    return round(time.time(), 3)


def _count(record: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/monitoring-builds.html (project-level
    metrics)"""
    names = ["Builds", "SucceededBuilds" if record["buildStatus"] == "SUCCEEDED" else "FailedBuilds"]
    for name in names:
        cloudwatch._store_datum(
            "AWS/CodeBuild",
            name,
            {"ProjectName": record["projectName"]},
            time.time(),
            "Count",
            1,
            None,
            None,
            None,
        )
    cloudwatch._evaluate_all_alarms()
