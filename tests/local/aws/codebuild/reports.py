"""The section `reports` of a buildspec: a build's test and coverage reports, which it stores with its role.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
https://docs.aws.amazon.com/codebuild/latest/userguide/test-report-group-naming.html

The section needs five permissions, none of which has a call in AWS's SDKs except CreateReportGroup. So the
role is evaluated here. Not implemented: the content of a report, its deletion after 30 days, and every call
that reads one.
"""

import uuid
from pathlib import Path
from typing import Any

from tests.local.aws.codepipeline.actions import Role
from tests.local.aws.iam import service_roles
from tests.local.aws.json_api import Rejected

# "The value is not case sensitive": build-spec-ref.html#reports-buildspec-file
_TESTS = {"CUCUMBERJSON", "JUNITXML", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX"}
_COVERAGE = {"CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV"}


class Unstored(Rejected):
    """The phase UPLOAD_ARTIFACTS fails with this message."""


def store(reports: dict[str, Any], project_arn: str, source: Path, role: Role) -> list[str]:
    """Stores each report, and returns the ARNs for the build's record (`reportArns`)."""
    # "A maximum of five report groups": build-spec-ref.html#reports-buildspec-file. Its error is not
    # documented. (?)
    if len(reports) > 5:
        raise _failed(list(reports)[5], "more than five report groups")
    return [_store(name, report, project_arn, source, role) for name, report in reports.items()]


def _store(name: str, report: dict[str, Any], project_arn: str, source: Path, role: Role) -> str:
    kind = report.get("file-format", "JUNITXML").upper()
    group = (
        name if name.startswith("arn:") else f"{project_arn.replace(':project/', ':report-group/', 1)}-{name}"
    )
    if not name.startswith("arn:"):
        # Whether CodeBuild makes this call for a group that exists is not documented, so it does. (?)
        _require(name, "creating report group", role, "codebuild:CreateReportGroup", group)
    _require(name, "creating report", role, "codebuild:CreateReport", group)
    base = source / report.get("base-directory", ".")
    if not any(path.is_file() for pattern in report["files"] for path in base.glob(pattern)):
        # The phase fails: https://github.com/prowler-cloud/prowler/issues/1182. Its text is not documented.
        # (?)
        raise _failed(name, "no report files found")
    writes = {
        **dict.fromkeys(_TESTS, "BatchPutTestCases"),
        **dict.fromkeys(_COVERAGE, "BatchPutCodeCoverages"),
    }
    if kind not in writes:
        # The effect of another format is not documented. (?)
        raise _failed(name, f"{kind} is not a file format")
    _require(name, "writing report", role, f"codebuild:{writes[kind]}", group)
    _require(name, "updating report", role, "codebuild:UpdateReport", group)
    # list_awscodebuild.html: report/<group>:<ID>
    return f"{group.replace(':report-group/', ':report/', 1)}:{uuid.uuid4()}"


def _require(name: str, what: str, role: Role, action: str, group: str) -> None:
    try:
        role.require(action, group)
    except service_roles.Denied as denied:
        # Recorded for CreateReportGroup: https://github.com/aws/aws-cdk/issues/7367
        raise _failed(name, f"error {what}: AccessDeniedException: {denied.message}") from None


def _failed(name: str, message: str) -> Unstored:
    return Unstored("CLIENT_ERROR", f"Error in UPLOAD_ARTIFACTS phase: [{name}: [{message}]]")
