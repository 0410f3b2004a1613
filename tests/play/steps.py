"""The actions of a user with the stack, one function each, without assertions."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from tests import preloaded
from tests.local.aws import LocalAws
from tests.play import waiting
from tests.play.waiting import eventually, under_way

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
DEPLOYABLE = ROOT / "target/lambda/cfn-gitops/bootstrap"
# Or the machine's own build: `make run` and `make test` deploy it to the local AWS.
BOOTSTRAP = Path(os.environ.get("CFN_GITOPS_BINARY", DEPLOYABLE))
# A server that does not respond must not stop a clean-up.
_GIT_SECONDS = 600

# Variables that git gets, too: proxies and CAs of the machine (tools/trial/run.py). The local services need
# none.
PROXIES: dict[str, str] = {}


class Account(Protocol):
    """An AWS account and region, as its administrator uses it: `LocalAws`, or a real one."""

    account_id: str
    region: str

    def client(self, service: str) -> Any: ...

    def environment(self) -> dict[str, str]: ...


class PushRefused(Exception):
    """git's output."""


@dataclass
class Login:
    """A git login from the secret. Its password is never printed and never an argument of a process."""

    name: str
    password: str = field(repr=False)
    credential_id: str

    def status(self, clone_url: str) -> int:
        """The status that the git server returns for the first request of a push."""
        request = urllib.request.Request(f"{clone_url}/info/refs?service=git-receive-pack")
        token = b64encode(f"{self.name}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(None if PROXIES else {}))
        try:
            with opener.open(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as rejected:
            return rejected.code


@dataclass
class Pushed:
    accepted: bool
    commit: str
    output: str


class Working:
    """A git repository with a commit for every push."""

    def __init__(self, directory: Path, branch: str = "development") -> None:
        self.directory, self.branch = directory, branch
        directory.mkdir(parents=True)
        self._git("init", "--quiet", f"--initial-branch={branch}")

    def trust(self, url: str, certificate: str) -> None:
        """Sets the CA of the git server at this address."""
        written = self.directory / ".git/ca.pem"
        written.write_text(certificate)
        self._git("config", f"http.{url}.sslCAInfo", str(written))

    def push(self, login: Login, clone_url: str, files: dict[str, str] | None = None, to: str = "") -> Pushed:
        """Commits `files`, or a change, and pushes as `login` to the reference `to` (forced if it begins with
        `+`), or to the branch."""
        for name, content in (files or {"file": f"{time.time_ns()}\n"}).items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message=A change")
        force = "+" if to.startswith("+") else ""
        return self._push(login, clone_url, f"{force}HEAD:{to.lstrip('+') or f'refs/heads/{self.branch}'}")

    def push_latest(self, login: Login, clone_url: str, to: str = "") -> Pushed:
        """Pushes the latest commit, to the reference `to` or to the branch of another repository."""
        return self._push(login, clone_url, f"HEAD:{to or f'refs/heads/{self.branch}'}")

    def delete(self, login: Login, clone_url: str, reference: str) -> Pushed:
        """Deletes the reference in the repository."""
        pushed = self._git_as(login, "push", clone_url, f":{reference}")
        return Pushed(pushed.returncode == 0, "", pushed.stderr)

    def references(self, login: Login, clone_url: str, must_succeed: bool = False) -> dict[str, str]:
        """The branches and tags of the repository, and their commits. Empty if it cannot be read, unless that
        `must_succeed`."""
        listed = self._git_as(login, "ls-remote", "--refs", clone_url, "refs/heads/*", "refs/tags/*")
        if must_succeed and listed.returncode != 0:
            raise PushRefused(listed.stderr)
        return {name: commit for commit, name in (line.split("\t") for line in listed.stdout.splitlines())}

    def _push(self, login: Login, clone_url: str, what: str) -> Pushed:
        commit = self._git("rev-parse", "HEAD").stdout.strip()
        pushed = self._git_as(login, "push", clone_url, what)
        return Pushed(pushed.returncode == 0, commit, pushed.stderr)

    def _git_as(self, login: Login, *arguments: str) -> subprocess.CompletedProcess[str]:
        # git gets the login from its helper, which reads it from a pipe: neither the arguments, nor the
        # environment, nor a file contains it.
        read, write = os.pipe()
        os.write(write, f"username={login.name}\npassword={login.password}\n".encode())
        os.close(write)
        try:
            return self._git(
                "-c",
                "credential.helper=",
                "-c",
                f"credential.helper=!cat /dev/fd/{read}; :",
                *arguments,
                pass_fds=(read,),
                check=False,
            )
        finally:
            os.close(read)

    def _git(self, *arguments: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            # git's own process for HTTP ends by itself after five minutes without a byte.
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "300",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "LC_ALL": "C",
            **PROXIES,
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "A Developer", f"GIT_{role}_EMAIL": "developer@example.com"}
        return subprocess.run(
            ["git", *arguments],
            cwd=self.directory,
            env=environment,
            text=True,
            capture_output=True,
            check=check,
            timeout=_GIT_SECONDS,
            **more,
        )


@dataclass
class Deployed:
    succeeded: bool
    output: str


def of_a_project(env_id: str = "dev", project_id: str = "infra") -> dict[str, str]:
    """A project with the branch and the template that the templates require, as the resource has them by
    default."""
    branch = "master" if env_id == "prd" else "development"
    path = f"root-stack-{project_id}.yaml"
    return {"ProjectID": project_id, "BranchName": branch, "DeployTemplatePath": path}


class Stack:
    """One stack, from a template file."""

    def __init__(self, aws: Account, name: str) -> None:
        self.aws, self.name = aws, name
        self.id = ""  # a deleted stack is found only by its ID
        self._cloudformation = aws.client("cloudformation")

    def create(self, template: Path | str, **parameters: str) -> str:
        """Creates the stack and returns its final status."""
        self.id = self._cloudformation.create_stack(**self._request(template, parameters))["StackId"]
        return self.wait()

    def update(self, template: Path | str, **parameters: str) -> str:
        """Updates the stack and returns its final status, or `NO_CHANGES`."""
        try:
            self._cloudformation.update_stack(**self._request(template, parameters))
        except ClientError as error:
            # An untyped ValidationError, so only its text identifies it.
            if "No updates are to be performed" in str(error):
                return "NO_CHANGES"
            raise
        return self.wait()

    def _request(self, template: Path | str, parameters: dict[str, str]) -> dict[str, Any]:
        body = template.read_text() if isinstance(template, Path) else template
        if isinstance(template, Path) and template.name == "project.yaml":
            parameters = {**of_a_project(parameters["EnvID"], parameters["ProjectID"]), **parameters}
        return {
            "StackName": self.name,
            "TemplateBody": body,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        }

    def delete(self) -> str:
        self.id = self.id or self.describe()["StackId"]
        self._cloudformation.delete_stack(StackName=self.id)
        return self.wait()

    def describe(self) -> dict[str, Any]:
        return self._cloudformation.describe_stacks(StackName=self.id or self.name)["Stacks"][0]

    def exists(self) -> bool:
        try:
            return (
                self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]
                != "DELETE_COMPLETE"
            )
        except ClientError as error:
            # Untyped, so only its text identifies it.
            if "does not exist" not in str(error):
                raise
            return False

    def wait(self) -> str:
        def look() -> str:
            status = self.status()
            # A stack whose first change set waits for its execution stays in that state.
            return "" if status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" else status

        return str(eventually(look, f"the operation of stack {self.name} ends", waiting.PACE.stack_seconds))

    def status(self) -> str:
        return str(self.describe()["StackStatus"])

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe().get("Outputs", [])}

    def events(self) -> list[dict[str, Any]]:
        """The events, oldest first."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self.id or self.name
        )
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def failures(self) -> list[str]:
        """The reasons of all failures, oldest first."""
        return [
            event.get("ResourceStatusReason", "")
            for event in self.events()
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def resources(self) -> list[dict[str, Any]]:
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=self.id or self.name
        )
        return [resource for page in pages for resource in page["StackResourceSummaries"]]


def sam_settings(directory: Path) -> dict[str, str]:
    """Keeps sam from writing an installation ID into the home directory, and from leaving the directory of
    its package in the temporary one. Sets how often it polls."""
    return {
        "__SAM_CLI_APP_DIR": str(directory / "sam"),
        "TMPDIR": str(directory),
        "SAM_CLI_POLL_DELAY": str(waiting.PACE.sam_interval),
    }


def template_with(function: Path, directory: Path) -> Path:
    """`template.yaml`, or its copy with the package of another function than the deployable one."""
    if function == DEPLOYABLE:
        return TEMPLATE
    text, copy = TEMPLATE.read_text(), directory / "template.yaml"
    line = "      CodeUri: target/lambda/cfn-gitops/\n"
    assert text.count(line) == 2, "template.yaml has another CodeUri"
    copy.write_text(text.replace(line, f"      CodeUri: {function.with_name('function.zip')}\n"))
    return copy


class Environment(Stack):
    """`template.yaml`, deployed by sam."""

    def __init__(self, aws: Account, directory: Path, env_id: str = "dev") -> None:
        super().__init__(aws, f"cfn-gitops-{env_id}")
        self.env_id, self._directory = env_id, directory
        self.template, self.config_file = template_with(BOOTSTRAP, directory), ROOT / "samconfig.toml"
        self.sam_output = ""

    def deploy(self, **parameters: str) -> Deployed:
        """`sam deploy` with this repository's samconfig.toml. Unmentioned parameters keep their values."""
        given = {"EnvID": self.env_id, **parameters}
        if parameters.get("ProjectID") != "" and not self.exists():
            given = {**of_a_project(self.env_id, parameters.get("ProjectID", "infra")), **given}
        command = [
            preloaded.program("sam"),
            "deploy",
            "--template-file",
            self.template,
            "--stack-name",
            self.name,
            # The settings of dev for every environment, with its own stack and parameters.
            "--config-file",
            self.config_file,
            "--config-env",
            "dev",
            "--s3-prefix",
            self.name,
            "--no-confirm-changeset",
            "--no-progressbar",
            # Quoted, because sam rejects an empty value otherwise.
            "--parameter-overrides",
            *(f'{key}="{value}"' for key, value in given.items()),
        ]
        with under_way(f"sam has deployed {self.name}"):
            sam = subprocess.run(
                command,
                env=self.aws.environment() | sam_settings(self._directory) | {"COLUMNS": "100"},
                cwd=ROOT,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        self.sam_output += sam.stdout
        if self.exists():
            self.id = self.describe()["StackId"]
        return Deployed(sam.returncode == 0, sam.stdout)

    def change(self, **parameters: str) -> str:
        """Changes parameters of the deployed template and returns the final status. Without sam, which needs
        seconds to package the function again."""
        previous = [
            {"ParameterKey": each["ParameterKey"], "UsePreviousValue": True}
            for each in self.describe()["Parameters"]
            if each["ParameterKey"] not in parameters
        ]
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        self._cloudformation.update_stack(
            StackName=self.name,
            UsePreviousTemplate=True,
            Parameters=[*previous, *given],
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self.wait()

    @property
    def function_name(self) -> str:
        return f"cfn-gitops-{self.env_id}"

    @property
    def function_role(self) -> str:
        return f"role-{self.env_id}-cfn-gitops"


def login(aws: Account, secret_id: str) -> Login:
    """The login that the secret contains now."""
    value = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"])
    return Login(value["username"], value["password"], value["serviceSpecificCredentialId"])


def credential_ids(aws: Account, user_name: str, status: str = "") -> list[str]:
    """The user's CodeCommit credentials, oldest first, of every status unless one is given. Empty if the user
    does not exist."""
    try:
        listed = aws.client("iam").list_service_specific_credentials(
            UserName=user_name, ServiceName="codecommit.amazonaws.com"
        )["ServiceSpecificCredentials"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return []
    return [
        held["ServiceSpecificCredentialId"]
        for held in sorted(listed, key=lambda held: held["CreateDate"])
        if status in ("", held["Status"])
    ]


def all_credentials(aws: Account) -> list[dict[str, Any]]:
    """The CodeCommit credentials of all users. The SDK has no paginator for them."""
    iam, found = aws.client("iam"), []
    request: dict[str, Any] = {"AllUsers": True, "ServiceName": "codecommit.amazonaws.com"}
    markers: list[str] = []
    while request:
        answer = iam.list_service_specific_credentials(**request)
        found += answer["ServiceSpecificCredentials"]
        request = {**request, "Marker": answer["Marker"]} if answer.get("IsTruncated") else {}
        if request and request["Marker"] in markers:
            raise RuntimeError("IAM returns a marker of its list of credentials a second time")
        markers += [request["Marker"]] if request else []
    return sorted(found, key=lambda held: (held["UserName"], held["CreateDate"]))


def user_exists(aws: Account, user_name: str) -> bool:
    return user_name in [
        user["UserName"]
        for page in aws.client("iam").get_paginator("list_users").paginate()
        for user in page["Users"]
    ]


def secret_exists(aws: Account, name: str) -> bool:
    """True even if it is scheduled for deletion. Lists of secrets may be minutes late."""
    try:
        aws.client("secretsmanager").describe_secret(SecretId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    return True


def rotate(aws: Account, secret_id: str) -> None:
    """Starts a rotation and waits until its version is current."""
    secrets = aws.client("secretsmanager")

    def current() -> str:
        versions = secrets.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
        return next((version for version, stages in versions.items() if "AWSCURRENT" in stages), "")

    before = current()
    secrets.rotate_secret(SecretId=secret_id)
    eventually(lambda: current() != before, f"a new version of {secret_id} is current")


def unhealthy(aws: Account, environment: Environment) -> dict[str, str]:
    """The problems that a health check finds, by their subjects."""
    answer = aws.client("lambda").invoke(
        FunctionName=environment.function_name,
        Payload=json.dumps({"HealthCheck": {"EnvID": environment.env_id}}).encode(),
    )
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(f"the health check failed: {result.get('errorMessage')}")
    return {each["Subject"]: each["Problem"] for each in result["HealthCheck"]["Unhealthy"]}


def what_is_there(aws: Account) -> dict[str, list[str]]:
    """Everything in the account that this project could have created, by kind."""

    def listed(client: str, operation: str, key: str, name: str = "", **arguments: Any) -> list[str]:
        """The members `name` of the listed objects, or the listed names themselves."""
        api = aws.client(client)
        pages = (
            api.get_paginator(operation).paginate(**arguments)
            if api.can_paginate(operation)
            else [getattr(api, operation)(**arguments)]
        )
        return sorted(item[name] if name else item for page in pages for item in page[key])

    return {
        "stacks": listed("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "IAM users": listed("iam", "list_users", "Users", "UserName"),
        "IAM roles": listed("iam", "list_roles", "Roles", "RoleName"),
        "IAM policies": listed("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
        "CodeCommit credentials": [
            f"{each['UserName']} {each['ServiceSpecificCredentialId']}" for each in all_credentials(aws)
        ],
        "secrets": sorted(
            set(listed("secretsmanager", "list_secrets", "SecretList", "Name", IncludePlannedDeletion=True))
            - set(deletion_marks(aws))
        ),
        "functions": listed("lambda", "list_functions", "Functions", "FunctionName"),
        "log groups": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "repositories": listed("codecommit", "list_repositories", "repositories", "repositoryName"),
        "approval rule templates": listed(
            "codecommit", "list_approval_rule_templates", "approvalRuleTemplateNames"
        ),
        "build projects": listed("codebuild", "list_projects", "projects"),
        "pipelines": listed("codepipeline", "list_pipelines", "pipelines", "name"),
        "event rules": listed("events", "list_rules", "Rules", "Name"),
        "buckets": listed("s3", "list_buckets", "Buckets", "Name"),
    }


def empty_bucket(aws: Account, name: str, prefix: str = "") -> None:
    """Deletes every version and every delete marker."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name, Prefix=prefix):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])


def deletion_marks(aws: Account) -> list[str]:
    """The tombstones of deleted pipelines, which remain for a week, and the records of mirrors that a
    deletion left in GitLab, which remain for a month: secrets without a value that are scheduled for
    deletion. A secret with a value, or one that is not scheduled, is neither."""
    secrets = aws.client("secretsmanager")
    pages = secrets.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
    marks = []
    for secret in [secret for page in pages for secret in page["SecretList"]]:
        prefix, _, rest = secret["Name"].partition("/deletions/")
        is_tombstone = prefix.startswith("cfn-gitops-") and rest
        if is_tombstone or "/mirrors-left-" in secret["Name"]:
            about = secrets.describe_secret(SecretId=secret["ARN"])
            if about.get("DeletedDate") and not about.get("VersionIdsToStages"):
                marks.append(secret["Name"])
    return sorted(marks)


def decisions_of(aws: LocalAws, role: str) -> list[dict[str, Any]]:
    """IAM's decisions about the sessions of this role."""
    return aws.decisions(f":assumed-role/{role}/")


def granted_actions(aws: LocalAws, role: str) -> set[str]:
    """Every action that the role's inline and attached policies allow."""
    iam = aws.client("iam")
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        documents.append(
            iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"][
                "Document"
            ]
        )
    allowed = [
        statement["Action"]
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]
    return {action for actions in allowed for action in (actions if isinstance(actions, list) else [actions])}


def function_log(aws: Account, function_name: str) -> str:
    return "\n".join(event["message"] for event in function_log_events(aws, function_name))


def logged_revert(aws: Account, function_name: str, stack_name: str) -> str:
    """The latest command in the function's log that reverts the drift of this stack. Empty without one."""
    begins = f"aws cloudformation create-change-set --stack-name {stack_name} --change-set-name revert-drift "
    lines = [line for line in function_log(aws, function_name).splitlines() if begins in line]
    if not lines:
        return ""
    remedy = str(json.loads(lines[-1])["remedy"])
    return remedy[remedy.index(begins) :]


def function_log_events(aws: Account, function_name: str, since: int = 0) -> list[dict[str, Any]]:
    """The function's log lines, oldest first, from `since` on (in milliseconds)."""
    pages = (
        aws.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=f"/aws/lambda/{function_name}", startTime=since)
    )
    try:
        return [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return []
