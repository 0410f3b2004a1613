"""Services, actions and types of the region, and the quotas of the account."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import EndpointConnectionError

from cli.checks import template as templates
from cli.checks.rows import Once, Reader, Row
from cli.environment.account import pages
from cli.shell.findings import Finding, Found, NotChecked, Sound

# One read of each service that not every region has. A response proves that it does.
_READS: dict[str, Callable[[Any], Any]] = {
    "codecommit": lambda client: client.list_repositories(),
    "codepipeline": lambda client: pages(client, "list_action_types", "actionTypes", actionOwnerFilter="AWS"),
    "codebuild": lambda client: client.list_projects(),
}
_TITLES = {"codecommit": "CodeCommit", "codepipeline": "CodePipeline", "codebuild": "CodeBuild"}
# https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
BUILDS = "Concurrently running builds for Linux/Small environment"
_KINDS = {"AWS::IAM::Role": "Roles", "AWS::IAM::User": "Users", "AWS::IAM::ManagedPolicy": "Policies"}


def service_rows(reader: Reader, values: Once) -> list[Row]:
    registry = reader.client("cloudformation")
    return [
        *(
            Row("services", _subject(reader, service), lambda service=service: [_service(reader, service)])  # type: ignore[misc]
            for service in _READS
            if reader.client(service)
        ),
        Row(
            "services", f"{_REPOSITORY} in {reader.account.region}", lambda: [_type(reader, registry, values)]
        ),
    ]


# A pipeline without RepositoryName creates one. Regions with CodeCommit may lack it in CloudFormation.
_REPOSITORY = "AWS::CodeCommit::Repository"


def _type(reader: Reader, registry: Any, values: Once) -> Finding:
    subject = f"{_REPOSITORY} in {reader.account.region}"
    if not values.get().get("ProjectID"):
        return Sound(f"{subject}: the environment has no first project, which would need it")
    try:
        registry.describe_type(Type="RESOURCE", TypeName=_REPOSITORY)
    except registry.exceptions.TypeNotFoundException:
        return Found(
            subject,
            "CloudFormation does not have this type in the region",
            "Set 'ProjectID=\"\"', and create the repository yourself: docs/how-to/adopt-what-exists.md",
        )
    return Sound(subject)


def _subject(reader: Reader, service: str) -> str:
    return f"{_TITLES[service]} in {reader.account.region}"


def _service(reader: Reader, service: str) -> Finding:
    subject = _subject(reader, service)
    try:
        answer = _READS[service](reader.client(service))
    except EndpointConnectionError as error:
        # STS has just answered, so the network and the credentials work.
        if _is_unknown_host(error) and not _is_listed(reader, service):
            return Found(
                subject,
                f"the region has no {_TITLES[service]}: {error.kwargs['endpoint_url']} does not exist",
                "Choose another region: docs/concepts/alternatives.md lists them",
            )
        return NotChecked.because(subject, error)
    if service == "codepipeline" and not _has_deployments(answer):
        return Found(
            subject,
            "CodePipeline has no action for CloudFormation in the region",
            "Choose another region: docs/concepts/alternatives.md lists them",
        )
    return Sound(subject)


def _has_deployments(listed: list[dict[str, Any]]) -> bool:
    return any(each["id"]["provider"] == "CloudFormation" for each in listed)


def _is_listed(reader: Reader, service: str) -> bool:
    """Whether the SDK's data names the region. They may be older than the region."""
    session = reader.account.session
    return any(
        reader.account.region in session.get_available_regions(service, partition)
        for partition in session.get_available_partitions()
    )


def _is_unknown_host(error: Any) -> bool:
    """Whether DNS answers that the name does not exist. A server that fails has another error."""
    cause: Any = error.kwargs.get("error")
    seen: list[Any] = []
    while cause is not None and cause not in seen:
        if isinstance(cause, socket.gaierror):
            return cause.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        seen.append(cause)
        cause = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
    return False


def quota_rows(reader: Reader, document: dict[str, Any], owned: Once, values: Once) -> list[Row]:
    """`owned` are the resources that the environment's stack has created."""
    quotas, iam = reader.client("service-quotas"), reader.client("iam")
    return [
        Row(
            "quotas", "quota of concurrent builds, as Service Quotas shows it", lambda: [build_quota(quotas)]
        ),
        Row(
            "quotas", "quotas of IAM", lambda: _iam_quotas(iam, _needed(document, owned.get(), values.get()))
        ),
    ]


def _needed(document: dict[str, Any], owned: dict[str, str], values: dict[str, str]) -> Counter[str]:
    types = [
        about.get("Type")
        for each, about in templates.resources(document, values).items()
        if each not in owned
    ]
    return Counter(_KINDS[each] for each in types if each in _KINDS)


def build_quota(quotas: Any) -> Finding:
    listed = pages(quotas, "list_service_quotas", "Quotas", ServiceCode="codebuild")
    values = {each["QuotaName"]: each["Value"] for each in listed}
    subject = "quota of concurrent builds, as Service Quotas shows it"
    if BUILDS not in values:
        return NotChecked(subject, f"Service Quotas does not list {BUILDS}")
    return (
        Sound(subject)
        if values[BUILDS]
        else Found(
            subject,
            f"the quota of CodeBuild, {BUILDS}, is 0",
            "Request a higher one: the console's page Service Quotas, AWS CodeBuild. Without it, the first"
            " build fails",
        )
    )


def _iam_quotas(iam: Any, needed: Counter[str]) -> list[Finding]:
    # Without a new resource there is nothing to compare.
    summary, found = iam.get_account_summary()["SummaryMap"] if needed else {}, []
    for kind, number in needed.items():
        present, quota = summary.get(kind), summary.get(f"{kind}Quota")
        if present is None or quota is None:
            found.append(
                NotChecked(
                    f"quota of IAM: {kind}",
                    f"IAM's summary of the account has no {kind} or no {kind}Quota",
                    "Compare them yourself: the console's page Service Quotas, IAM",
                    is_failure=True,
                )
            )
        elif present + number > quota:
            found.append(
                Found(
                    f"quota of IAM: {kind}",
                    f"the account has {present} of {quota}, and the stack creates {number} more",
                    "Delete unused ones, or request a higher quota: the console's page Service Quotas, IAM",
                )
            )
    return found or [Sound("quotas of IAM")]


def unknown_rows() -> list[Row]:
    return [Row("unknown", "obstacles that only a rejected deployment shows", _unknown)]


def _unknown() -> list[Finding]:
    return [
        NotChecked(
            "CodeCommit for new customers",
            "only the first CreateRepository shows whether the account still has the old restriction",
            "If the deployment fails with this code, ask AWS Support to enable CodeCommit",
            "CFG-510",
        ),
        NotChecked(
            "service control policies",
            "this account cannot read them",
            "If the deployment fails with this code, ask the administrator of your organization",
            "CFG-202",
        ),
        # The error of a pipeline's action has no reason code.
        NotChecked(
            "quota of CodeBuild, as it is applied",
            "CodeBuild shows it only when a build starts, and a new account may have less than Service Quotas"
            " shows",
            "If a build fails with `Cannot have more than 0 builds in queue for the account`, ask AWS Support"
            " to lift the limit: docs/runbook/README.md",
        ),
    ]
