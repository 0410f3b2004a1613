"""The questions that the environment's function `cfn-gitops-<EnvID>-read` answers.

It alone concludes what a status means. A command needs no other right than to ask it, and prints the answer.
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from cli.environment import answers, stack_statuses, waiting
from cli.environment.account import Environment
from cli.environment.answers import Part
from cli.shell import machine
from cli.shell.command import aws, cfn_gitops, sam
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.output import Output
from cli.shell.terminal import shortened

FORMAT = 2
_MAX_WHAT = 200
# The meaning of the errors of Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (Errors).
# The first is AWS's answer for an idle function: https://github.com/boto/boto3/issues/3788. ResourceConflict
# is also that for one which Lambda still creates, or could not create:
# https://github.com/aws/serverless-application-model/issues/2356
_IDLE = "Lambda is starting function {} again after weeks without a call"
_FAILED = "Lambda could not provide function {}"
_KEY = "Lambda cannot decrypt the environment variables of function {}"
_VPC = "Lambda cannot connect function {} to its VPC"
_MEANINGS = {
    code: meaning
    for meaning, codes in {
        _IDLE: "CodeArtifactUserPending CodeArtifactUserDeleted ResourceNotReady ENINotReady EC2Throttled",
        "Lambda is creating or updating function {}": "ResourceConflict",
        "AWS throttles calls of function {}": "TooManyRequests",
        "Lambda has an internal error at function {}": "Service",
        _FAILED: "CodeArtifactUserFailed",
        _KEY: "KMSAccessDenied KMSDisabled KMSInvalidState KMSNotFound",
        _VPC: "EC2AccessDenied EC2Unexpected ENILimitReached InvalidSecurityGroupID InvalidSubnetID"
        " SubnetIPAddressLimitReached",
    }.items()
    for code in codes.split()
}
# The others end by themselves.
_OF_A_PERSON = (_FAILED, _KEY, _VPC)
# Of TooManyRequestsException: the function is busy, or has no concurrency.
_RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


class NoAnswer(NotLooked):
    """The function did not answer. `is_final` if it cannot answer a repetition either."""

    def __init__(self, problem: str, remedy: str, is_final: bool = False) -> None:
        super().__init__(problem, remedy)
        self.is_final = is_final


class NoEnvironment(NoAnswer):
    """Its stack has failed or does not exist, so there is no function. This is a finding."""

    status = Failure.status


class InvalidQuestion(NoAnswer):
    """A member of the question has another form, for example a project's name."""

    status = WrongUse.status


class Questions:
    """The function of an environment, and the seconds within which it answers."""

    def __init__(self, environment: Environment, seconds: float) -> None:
        self._environment, self._seconds = environment, seconds
        self.function = f"cfn-gitops-{environment.env_id}-read"
        # A NAT gateway drops a connection that is idle for 350 s:
        # https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
        self._client = environment.account.client(
            "lambda",
            config=Config(
                connect_timeout=5, read_timeout=seconds, retries={"total_max_attempts": 1}, tcp_keepalive=True
            ),
        )

    def ask(self, name: str, output: Output | None = None, **members: str) -> Part:
        """Raises `NoAnswer`. With `output`, a terminal shows the question, and an error that ends by itself
        is waited for."""
        if output:
            output.write_waiting(f"asking function {self.function}, up to {self._seconds:g} s")
        question = {name: {member: value for member, value in members.items() if value}}
        try:
            response = waiting.repeated(
                lambda: self._invoked(question), lambda error: self._passing(error) if output else ""
            )
            text = response["Payload"].read().decode("utf-8", "replace")
        except Exception as error:
            raise self._unanswered(error) from error
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise NoAnswer(f"the answer of function {self.function} is not JSON", self._log)
        if "FunctionError" in response:
            raise self._failed(answer, name)
        if (version := answers.format_of(answer)) != FORMAT:
            raise self._of_another_version(version)
        try:
            found = answers.read(name, text, self._environment.settings.table)
            if found.env_id != self._environment.env_id:
                raise ValueError(f"its EnvID is {found.env_id}")
            for each in getattr(found, "projects", [found]) if members.get("ProjectID") else ():
                if each.project_id != members["ProjectID"]:
                    raise ValueError(f"it is about project {each.project_id}")
            return found
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise NoAnswer(
                f"the answer of function {self.function} is not that of this version:"
                f" {shortened(error, _MAX_WHAT)}",
                _deploy(self._environment),
                True,
            ) from error

    def _invoked(self, question: dict[str, Any]) -> Any:
        given = {"FunctionName": self.function, "Payload": json.dumps(question).encode()}
        try:
            return self._client.invoke(**given)
        except ConnectionClosedError:
            # A question changes nothing, so it may be asked twice.
            return self._client.invoke(**given)

    def _passing(self, error: Exception) -> str:
        """Why it ends by itself. Empty if it does not."""
        meaning = _meaning(error)
        return "" if meaning in _OF_A_PERSON else meaning.format(self.function)

    @property
    def _log(self) -> str:
        group = f"/aws/lambda/{self.function}"
        return f"Read its log: {sam('logs', '--cw-log-group', group, '--start-time', '1hour')}"

    def _unanswered(self, error: Exception) -> NoAnswer:
        """Raises the error if it is a defect."""
        function, env_id = self.function, self._environment.env_id
        named = "--function-name", function
        if isinstance(error, ReadTimeoutError):
            return NoAnswer(
                f"function {function} has not answered for {self._seconds:g} s", f"Try again. {self._log}"
            )
        failure = machine.explained(error)
        if failure is None:
            raise error
        if not isinstance(error, ClientError):
            return NoAnswer(failure.problem, failure.remedy)
        if machine.code_of(error) == "ResourceNotFoundException":
            return self._missing()
        if machine.is_denied(error):
            return NoAnswer(
                f"you may not ask function {function}: {error.response['Error'].get('Message', '')}",
                f"Ask an administrator for the permission of group-{env_id}-observers"
                " (docs/how-to/people.md), or name another profile with --profile",
                True,
            )
        if error.response.get("Reason") == _RESERVED:
            return NoAnswer(
                f"function {function} is switched off, or busy: its reserved concurrency is used up",
                f"If it is 0, remove it: {aws('lambda', 'delete-function-concurrency', *named)}",
            )
        if passing := self._passing(error):
            return NoAnswer(passing, "Run this again in a minute")
        if meaning := _meaning(error).format(function):
            return NoAnswer(
                f"{meaning}: {error.response['Error'].get('Message', '').rstrip('.')}",
                f"See its state and settings: {aws('lambda', 'get-function-configuration', *named)}",
                True,
            )
        return NoAnswer(failure.problem, failure.remedy)

    def _missing(self) -> NoAnswer:
        """The reason is in the environment's stack, if that may be read."""
        name, env = self._environment.settings.stack_name, self._environment.settings.table
        problem = f"function {self.function} does not exist in {self._environment.place}"
        try:
            status = self._environment.stack()["StackStatus"]
        except (BotoCoreError, ClientError):
            return NoAnswer(
                problem,
                "If that is the wrong place, name another one with --profile or --region. Otherwise deploy "
                f"this version{self._environment.settings.deployment}",
                True,
            )
        except Failure as failure:
            return NoEnvironment(failure.problem, failure.remedy, True)
        if status == stack_statuses.REVIEW_IN_PROGRESS:
            return NoAnswer(f"{problem}. Stack {name} has no template yet", _deploy(self._environment), True)
        if not stack_statuses.has_failed(status):
            if status in stack_statuses.COMPLETE:
                return NoAnswer(
                    f"{problem}. Stack {name} is older than this command", _deploy(self._environment), True
                )
            if stack_statuses.is_in_progress(status):
                return NoAnswer(f"{problem}, and stack {name} is in {status}", "Wait for its end", True)
        return NoEnvironment(
            f"{problem}, and stack {name} is in {status}",
            f"See why: {cfn_gitops('failures', '--env', env)}",
            True,
        )

    def _failed(self, answer: dict[str, Any], name: str) -> NoAnswer:
        kind, message = (str(answer.get(each) or "") for each in ("errorType", "errorMessage"))
        if kind == "UnknownEvent":
            return of_older_function(self._environment, f"and does not know the question {name}")
        if kind == "InvalidQuestion":
            return InvalidQuestion(message, see_projects(self._environment), True)
        return NoAnswer(
            f"function {self.function} failed: {message or kind or 'it names no reason'}", self._log
        )

    def _of_another_version(self, found: Any) -> NoAnswer:
        if isinstance(found, int) and found > FORMAT:
            return NoAnswer(
                f"function {self.function} is newer than this command",
                "Use the cfn-gitops of the release that is deployed",
                True,
            )
        return of_older_function(self._environment, "or another one")


def _meaning(error: Exception) -> str:
    """Empty for the errors that other calls have, too."""
    code = machine.code_of(error) if isinstance(error, ClientError) else ""
    if code == "ResourceConflictException" and re.search("state: '?Failed", str(error)):
        return _FAILED
    return _MEANINGS.get(code.removesuffix("Exception"), "")


def of_older_function(environment: Environment, what: str) -> NoAnswer:
    return NoAnswer(
        f"function cfn-gitops-{environment.env_id}-read is older than this command, {what}",
        _deploy(environment),
        True,
    )


def see_projects(environment: Environment) -> str:
    return f"See the projects: {cfn_gitops('status', '--env', environment.settings.table)}"


def _deploy(environment: Environment) -> str:
    return f"Deploy this version of the environment{environment.deployment()}"
