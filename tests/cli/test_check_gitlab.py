"""`cfn-gitops check`: the token's secret, the token and the project, each with a planted fault, and hostile servers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.checks import gitlab as client
from cli.checks.gitlab import certificates_of, fingerprint, is_same, is_usable
from cli.checks.secret import NotAToken, token_in
from cli.checks.template import defaults, read
from cli.checks.token import token_findings
from cli.environment.account import Account, Environment
from cli.shell import terminal
from cli.shell.output import Finding
from tests import preloaded
from tests.cli.conftest import settings_of
from tests.cli.scene import Folder, Operator, with_line
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow
from tests.local.gitlab import LocalGitLab
from tests.local.gitlab.certificates import Authority
from tests.play.waiting import eventually

ROOT = Path(__file__).parents[2]
TEMPLATE = read(ROOT)
PROJECT, SECRET, BRANCH = "platform/infra", "gitlab/infra", "development"
URL_TAG, CA_TAG, ENV_TAG = "cfn-gitops:gitlab-url", "cfn-gitops:gitlab-ca-sha256", "cfn-gitops:env"


@pytest.fixture(scope="module")
def running() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture(autouse=True)
def environment(running: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of an operator. A secret of one test does not mask the output of the next one."""
    for name, value in running.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(terminal, "_SECRETS", [])


@dataclass
class Scene:
    """A sound secret and project, which a test makes unsound."""

    aws: LocalAws
    gitlab: LocalGitLab
    parameters: dict[str, str] = field(default_factory=dict)
    key: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.name = f"{SECRET}-{secrets.token_hex(4)}"
        self.secrets = self.aws.client("secretsmanager")
        self.user = self.gitlab.user("bot")
        self.token = self.gitlab.add_token("bot", user=self.user).value
        self.project = self.gitlab.project(PROJECT)
        self._sessions: dict[str, boto3.Session] = {}
        self.project.protect(BRANCH)
        self.secrets.create_secret(Name=self.name, SecretString=self.token, Tags=[{"Key": URL_TAG, "Value": self.gitlab.url}])
        self.parameters |= {"EnvID": "dev", "GitLabTokenSecretId": self.name, "GitLabUrl": self.gitlab.url,
                            "GitLabProject": PROJECT}

    def session(self) -> boto3.Session:
        given = self.key or {"AccessKeyId": self.aws.account_id, "SecretAccessKey": "local"}
        key = given["AccessKeyId"]
        if key not in self._sessions:
            self._sessions[key] = boto3.Session(key, given["SecretAccessKey"], region_name=self.aws.region)
        return self._sessions[key]

    def checks(self) -> list[Finding]:
        account = Account(self.session(), self.aws.account_id)
        return token_findings(Environment(settings_of(self.parameters), account), self.settings)

    @property
    def settings(self) -> dict[str, str]:
        """Those of the first deployment."""
        return {**defaults(TEMPLATE), **self.parameters}

    def found(self) -> list[Finding]:
        return [each for each in self.checks() if each.result == "found"]

    def tag(self, **tags: str) -> None:
        self.secrets.tag_resource(SecretId=self.name, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def store(self, value: str) -> None:
        self.secrets.put_secret_value(SecretId=self.name, SecretString=value)

    def run(self, remedy: str, pasted: str = "") -> None:
        """The command of a remedy, as a person copies it."""
        command = re.search(r"aws secretsmanager .*", remedy)
        assert command, remedy
        subprocess.run(["sh", "-c", command[0]], input=pasted, text=True, check=True, capture_output=True,
                       env={**self.aws.environment(), "PATH": f"{preloaded.path()}:{os.environ['PATH']}"})


@pytest.fixture
def scene(running: LocalAws) -> Iterator[Scene]:
    with local_gitlab.running() as gitlab:
        yield Scene(running, gitlab)
    assert gitlab.complaints == []


@pytest.fixture
def over_tls(running: LocalAws) -> Iterator[Scene]:
    with local_gitlab.running(tls=True) as gitlab:
        yield Scene(running, gitlab, {"GitLabCaCertificate": str(gitlab.ca_certificate)})


def test_sound_settings_have_no_finding(scene: Scene) -> None:
    checks = scene.checks()
    assert {each.result for each in checks} == {"sound"}, checks
    subjects = " ".join(each.subject for each in checks)
    for part in ("personal access token", "scope of the token", "expiry of the token", f"project {PROJECT}", "access level 40",
                 "CI/CD of project", f"branch {BRANCH}", "10 of 10 are left"):
        assert part in subjects, subjects
    assert all("from this machine" in each.subject for each in checks if f"secret {scene.name}" not in each.subject)


# --- the secret ----------------------------------------------------------------------------------


def the_only(scene: Scene) -> Finding:
    found = scene.found()
    assert len(found) == 1, found
    return found[0]


def assert_unsent(scene: Scene) -> None:
    assert scene.gitlab.requests == [] and any("no token was sent" in each.text for each in scene.checks())


def test_missing_secret_is_created_by_its_remedy(scene: Scene) -> None:
    scene.secrets.delete_secret(SecretId=scene.name, ForceDeleteWithoutRecovery=True)
    finding = the_only(scene)
    assert "does not exist in account" in finding.text and finding.code == "CFG-404"
    assert_unsent(scene)
    scene.run(finding.remedy, scene.token)
    assert scene.found() == []


def test_secret_to_be_deleted_is_restored_by_its_remedy(scene: Scene) -> None:
    scene.secrets.delete_secret(SecretId=scene.name)
    finding = the_only(scene)
    assert "scheduled for deletion" in finding.text
    assert_unsent(scene)
    scene.run(finding.remedy)
    assert scene.found() == []


@pytest.mark.parametrize(("tags", "problem"), [
    ({}, "no such tag"),
    ({URL_TAG: "https://gitlab.com"}, "its owner allows the token for https://gitlab.com"),
    ({URL_TAG: "https://gitlab.com:99999"}, "its owner allows the token for https://gitlab.com:99999"),
])
def test_url_tag_is_set_by_its_remedy(scene: Scene, tags: dict[str, str], problem: str) -> None:
    scene.secrets.untag_resource(SecretId=scene.name, TagKeys=[URL_TAG])
    scene.tag(**tags)
    finding = the_only(scene)
    assert problem in finding.text and finding.code == "CFG-405"
    assert_unsent(scene)
    scene.run(finding.remedy)
    assert scene.found() == []


def test_token_of_another_environment_is_found(scene: Scene) -> None:
    scene.tag(**{ENV_TAG: "prd"})
    finding = the_only(scene)
    assert "the environment prd only" in finding.text
    assert_unsent(scene)
    scene.run(finding.remedy)
    assert scene.found() == []


@pytest.mark.parametrize("tag", ["cfn-gitops:stack-id", "cfn-gitops:logical-id"])
def test_secret_of_a_resource_is_never_a_token(scene: Scene, tag: str) -> None:
    scene.tag(**{tag: "x"})
    assert "never read as a token" in the_only(scene).text
    assert_unsent(scene)


@pytest.mark.parametrize("action", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"])
def test_denied_read_is_not_checked(scene: Scene, action: str) -> None:
    allowed = {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"} - {action}
    scene.key = a_user_with(scene.aws, f"u-{secrets.token_hex(4)}", allow(sorted(allowed), "*"))
    assert scene.found() == [] and scene.gitlab.requests == []
    assert ("not checked", "Let the owner of the secret run this") in [
        (each.result, each.remedy) for each in scene.checks() if action in each.text]


def test_denied_key_is_not_checked(scene: Scene) -> None:
    key = scene.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    scene.secrets.update_secret(SecretId=scene.name, KmsKeyId=key)
    scene.key = a_user_with(scene.aws, f"u-{secrets.token_hex(4)}", allow("secretsmanager:*", "*"))
    for value, permission in (("", "kms:DescribeKey"), (key, "kms:Decrypt")):
        scene.parameters["GitLabTokenKmsKeyArn"] = value
        assert scene.found() == [] and any(permission in each.text for each in scene.checks())


def test_customer_key_needs_its_parameter(scene: Scene) -> None:
    key = scene.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    scene.secrets.update_secret(SecretId=scene.name, KmsKeyId=key)
    finding = the_only(scene)
    assert "GitLabTokenKmsKeyArn is not set" in finding.text
    name, _, value = finding.remedy.rpartition(" ")[2].partition("=")
    scene.parameters[name] = value
    assert scene.found() == []


@pytest.mark.parametrize(("value", "problem"), [
    ('{"tokn": "glpat-x"}', "without a text member token"),
    ('{"token": ', "begins as a JSON object"),
    ('"glpat-quoted"', "not a token"),
])
def test_value_without_a_token_is_found(scene: Scene, value: str, problem: str) -> None:
    scene.store(value)
    finding = the_only(scene)
    assert problem in finding.text and "glpat" not in finding.text
    assert scene.gitlab.requests == []
    scene.store(json.dumps({"token": scene.token}))
    assert scene.found() == []


def test_no_secret_means_a_mirror_by_hand(scene: Scene) -> None:
    del scene.parameters["GitLabTokenSecretId"]
    [finding] = scene.checks()
    assert finding.result == "not checked" and "by hand" in finding.text


DEPLOYED = {"EnvID": "dev", "GitLabTokenSecretId": SECRET, "GitLabProject": PROJECT,
            "GitLabUrl": "https://127.0.0.1:1", "VpcSubnetIds": "subnet-0123456789abcdef0",
            "VpcSecurityGroupIds": "sg-0123456789abcdef0"}


def test_unread_stack_leaves_the_token_unread(running: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    """The deployed stack may have another GitLabUrl and a VPC."""
    aws = running.in_account(str(secrets.randbelow(10**11) + 3 * 10**11))
    operator, cloudformation = Operator(aws, Folder(tmp_path), monkeypatch, capsys), aws.client("cloudformation")
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="glpat-x", Tags=[
        {"Key": URL_TAG, "Value": DEPLOYED["GitLabUrl"]}])
    cloudformation.create_stack(StackName="cfn-gitops-dev", TemplateBody=json.dumps({
        "Parameters": {name: {"Type": "String", "Default": value} for name, value in DEPLOYED.items()},
        "Resources": {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}))
    eventually(lambda: "CREATE_COMPLETE" in str(cloudformation.describe_stacks(StackName="cfn-gitops-dev")), "the stack exists")
    checked = operator.check()
    assert not checked.found and checked.of("sound", f"token in secret {SECRET}")
    assert any("through its VPC" in row.get("reason", "") for row in checked.of("not checked"))
    operator.use(a_user_with(aws, "denied", allow("*", "*"), {
        "Effect": "Deny", "Action": "cloudformation:DescribeStacks", "Resource": "*"}))
    for line in ('"ProjectID=infra"', f'"GitLabTokenSecretId={SECRET}"'):
        operator.folder.write(with_line(line))
        checked = operator.check()
        [row] = [row for row in checked.rows if "GitLab" in row["subject"] or SECRET in row["subject"]]
        assert row["result"] == "not checked" and "DescribeStacks is denied" in row["reason"]
        assert "tag-resource" not in json.dumps(checked.rows)


@pytest.mark.parametrize("url", ["http://gitlab.example.com", "https://a:b@gitlab.example.com",
                                 "https://gitlab.example.com/api/v4", "https://gitlab..example.com", f"https://{'a' * 64}.com"])
def test_unusable_url_is_found_before_the_read(scene: Scene, url: str) -> None:
    scene.parameters["GitLabUrl"] = url
    assert "not an https address" in the_only(scene).text
    assert_unsent(scene)


# --- GitLab --------------------------------------------------------------------------------------


def test_rejected_token_is_replaced_by_its_remedy(scene: Scene) -> None:
    scene.gitlab.add_token("bot", user=scene.user, value=scene.token).revoke()
    finding = the_only(scene)
    assert "expired, revoked" in finding.text and finding.code == "CFG-406"
    scene.run(finding.remedy, scene.gitlab.add_token("next", user=scene.user).value)
    assert scene.found() == []


@pytest.mark.parametrize("is_revoked", [True, False])
def test_other_members_of_the_secret_are_kept(scene: Scene, is_revoked: bool) -> None:
    """`put-secret-value` replaces the whole value."""
    scene.store(json.dumps({"token": scene.token if is_revoked else "not a token", "webhook": "w"}))
    if is_revoked:
        scene.gitlab.add_token("bot", user=scene.user, value=scene.token).revoke()
    remedy = the_only(scene).remedy
    assert f"replace the member token in the JSON of secret {scene.name}" in remedy and "aws " not in remedy
    scene.store(json.dumps({"token": scene.gitlab.add_token("next", user=scene.user).value, "webhook": "w"}))
    assert scene.found() == []


def test_binary_value_is_not_replaced(scene: Scene) -> None:
    scene.secrets.put_secret_value(SecretId=scene.name, SecretBinary=b'{"webhook": "w"}')
    finding = the_only(scene)
    assert "is binary" in finding.text and "aws " not in finding.remedy


@pytest.mark.parametrize(("more", "problem", "code"), [
    ({"scope": "read_api"}, "it is read_api, and cfn-gitops needs api", "CFG-407"),
    ({"role": "developer"}, "access level 30", "CFG-407"),
    ({"expires_at": (datetime.now(UTC) + timedelta(days=5)).date()}, "it expires in 4 days", ""),
])
def test_weak_token_is_replaced_by_its_remedy(scene: Scene, more: dict[str, Any], problem: str, code: str) -> None:
    scene.store(scene.gitlab.add_token("weak", user=scene.user, **more).value)
    finding = the_only(scene)
    assert problem in finding.text and finding.code == code
    scene.run(finding.remedy, scene.token)
    assert scene.found() == []


def test_unknown_project_is_found(scene: Scene) -> None:
    scene.parameters["GitLabProject"] = "infra"
    finding = the_only(scene)
    assert "does not show it (HTTP 404)" in finding.text and finding.code == "CFG-408"
    scene.parameters["GitLabProject"] = PROJECT
    assert scene.found() == []


def test_unprotected_branch_is_found_until_protected(scene: Scene) -> None:
    scene.project.unprotect(BRANCH)
    finding = the_only(scene)
    assert "the project does not protect it" in finding.text and finding.code == "CFG-414"
    scene.project.protect("devel*")
    assert scene.found() == []


def test_protection_of_a_group_does_not_count(scene: Scene) -> None:
    inherited = json.dumps([{"name": "*", "inherited": True}])
    scene.gitlab.answers_instead(200, body=inherited, path="/protected_branches$")
    assert "only a group" in the_only(scene).text


def test_full_list_of_branches_proves_nothing(scene: Scene) -> None:
    scene.project.unprotect(BRANCH)
    page = json.dumps([{"name": f"b{number}"} for number in range(100)])
    scene.gitlab.answers_instead(200, body=page, path="/protected_branches$")
    assert scene.found() == []


@pytest.mark.parametrize(("part", "more"), [
    ("repository", {}),
    ("builds", {}),
    ("environments", {}),
    ("merge_requests", {"ReviewBranches": "review/*"}),
])
def test_part_that_is_off_is_found_if_needed(scene: Scene, part: str, more: dict[str, str]) -> None:
    shown = {"id": 41, "permissions": {"project_access": {"access_level": 40}}, f"{part}_access_level": "disabled"}
    path = f"/projects/{PROJECT.replace('/', '%2F')}$"
    scene.parameters |= more
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=path)
    finding = the_only(scene)
    assert "switched off in the project" in finding.text and finding.code == "CFG-422"
    scene.parameters |= {"ReportToGitLab": "false", "ReviewBranches": ""}
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=path)
    assert bool(scene.found()) == (part == "repository")


@pytest.mark.parametrize(("level", "cause"), [
    ("internal", "it is internal"), ("public", "it is public"), (None, "does not show it"), ("added later", "does not show it")])
def test_project_that_others_see_gets_no_build_logs(scene: Scene, level: str | None, cause: str) -> None:
    shown = {"id": 41, "permissions": {"project_access": {"access_level": 40}}, **({"visibility": level} if level else {})}
    path = f"/projects/{PROJECT.replace('/', '%2F')}$"
    scene.parameters["ReportToGitLab"] = "BuildLog"
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=path)
    finding = the_only(scene)
    assert cause in finding.text and "set ReportToGitLab to true" in finding.remedy
    scene.parameters["ReportToGitLab"] = "true"
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=path)
    assert scene.found() == []


def test_build_logs_need_the_same_parts_as_reports(scene: Scene) -> None:
    shown = {"id": 41, "permissions": {"project_access": {"access_level": 40}}, "visibility": "private",
             "environments_access_level": "disabled"}
    scene.parameters["ReportToGitLab"] = "BuildLog"
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=f"/projects/{PROJECT.replace('/', '%2F')}$")
    assert "reports have no deployments" in the_only(scene).text


@pytest.mark.parametrize("value", [None, "added later"])
def test_part_with_an_unknown_access_level_is_not_checked(scene: Scene, value: str | None) -> None:
    shown = {"id": 41, "permissions": {"project_access": {"access_level": 40}}, "builds_access_level": "private",
             "environments_access_level": "enabled", **({"repository_access_level": value} if value else {})}
    scene.gitlab.answers_instead(200, body=json.dumps(shown), path=f"/projects/{PROJECT.replace('/', '%2F')}$")
    [finding] = [each for each in scene.checks() if each.subject.startswith("The repository of project ")]
    assert finding.result == "not checked" and f"GitLab shows {value} as its access level" in finding.text
    assert all(each.result == "sound" for each in scene.checks() if each.subject.startswith(("CI/CD of", "Environments of")))


def plant_mirror(scene: Scene, address: str) -> None:
    settings = {"url": f"https://u:word@{address}", "enabled": True}
    scene.gitlab.send("POST", f"{scene.project.api}/remote_mirrors", json=settings)


def test_mirrors_left_are_two_or_found(scene: Scene) -> None:
    for number in range(8):
        plant_mirror(scene, f"git.example.com/{number}")
    assert scene.found() == []
    plant_mirror(scene, "git.example.com/8")
    finding = the_only(scene)
    assert "1 of 10 are left, and this mirror needs 2" in finding.text and finding.code == "CFG-410"
    scene.gitlab.answers_instead(200, body='{"version": "18.8.2"}', path="/metadata$")
    assert scene.found() == []


@pytest.mark.parametrize(("status", "body"), [
    (502, "{}"),
    (403, '{"message": "403 Forbidden"}'),
    (404, '{"error": "404 Not Found"}'),
    (200, "{}"),
    (200, "[]"),
])
def test_limit_of_an_unread_version_is_not_checked(scene: Scene, status: int, body: str) -> None:
    for number in range(9):
        plant_mirror(scene, f"git.example.com/{number}")
    scene.gitlab.answers_instead(status, body=body, path="/metadata$")
    [finding] = [each for each in scene.checks() if each.result != "sound"]
    assert finding.result == "not checked" and "its version was not read" in finding.text
    assert finding.remedy.startswith("If it is 18.9 or later: disable or remove a mirror")


def test_own_mirror_needs_only_one_more(scene: Scene) -> None:
    own = "git-codecommit.eu-central-1.amazonaws.com/v1/repos/codecommit-dev-cfn-infra"
    for address in (own, *(f"git.example.com/{number}" for number in range(8))):
        plant_mirror(scene, address)
    assert scene.found() == []
    scene.parameters["ProjectID"] = "other"
    assert "1 of 10 are left" in the_only(scene).text


def test_kind_of_the_token_is_that_of_its_user(scene: Scene) -> None:
    for user, kind in (({"username": "project_41_bot_0a", "bot": True}, "project access token"),
                       ({"username": "group_7_bot_0a", "bot": True}, "group access token"),
                       ({"username": "project_41_bot_0a", "bot": False}, "personal access token")):
        scene.gitlab.answers_instead(200, body=json.dumps({"id": scene.user, **user}), path="/users/")
        assert any(each.subject == f"kind of the token, from this machine: {kind}" for each in scene.checks())


def test_ca_is_allowed_by_its_remedy(over_tls: Scene) -> None:
    [other] = certificates_of(Authority.make("Another CA").certificate)
    over_tls.tag(**{CA_TAG: fingerprint(other)})
    finding = the_only(over_tls)
    assert "the tag lacks the SHA-256 fingerprint" in finding.text
    assert_unsent(over_tls)
    over_tls.run(finding.remedy)
    assert over_tls.found() == []
    tags = over_tls.secrets.describe_secret(SecretId=over_tls.name)["Tags"]
    assert any(fingerprint(other) in tag["Value"] for tag in tags), "the one of another environment is kept"


def test_unreadable_ca_is_found(over_tls: Scene) -> None:
    over_tls.parameters["GitLabCaCertificate"] = over_tls.parameters["GitLabCaCertificate"].replace("\n", " ")
    assert "not readable" in the_only(over_tls).text
    assert_unsent(over_tls)


def test_unknown_ca_is_found_and_gets_no_token(over_tls: Scene) -> None:
    other = Authority.make("Another CA").certificate
    [certificate] = certificates_of(other)
    over_tls.tag(**{CA_TAG: fingerprint(certificate)})
    over_tls.parameters["GitLabCaCertificate"] = other
    finding = the_only(over_tls)
    assert "signed by a CA that is not trusted" in finding.text and finding.code == "CFG-402"
    assert over_tls.gitlab.requests == []


def test_vpc_makes_a_network_failure_not_checked(scene: Scene) -> None:
    scene.parameters["VpcSubnetIds"] = "subnet-0123456789abcdef0"
    assert scene.found() == [] and any("through its VPC" in each.subject for each in scene.checks())
    scene.parameters["GitLabUrl"] = "https://127.0.0.1:1"
    scene.tag(**{URL_TAG: "https://127.0.0.1:1"})
    assert scene.found() == []
    assert any("no connection" in each.text and "doctor" in each.remedy for each in scene.checks())
    del scene.parameters["VpcSubnetIds"]
    assert "no connection" in the_only(scene).text


def test_proxy_gets_no_token(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(lambda _: (200, {}, b"{}")) as proxy:
        for name in ("https_proxy", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1:" + scene.aws.endpoint_url.rpartition(":")[2])
        assert scene.found() == []
        scene.tag(**{URL_TAG: "https://127.0.0.1:1"})
        scene.parameters["GitLabUrl"] = "https://127.0.0.1:1"
        assert scene.found() == [] and any("without this machine's proxy" in each.text for each in scene.checks())
        assert not any(scene.token in text for text in proxy.received)


# --- hostile servers -----------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], "tuple[int, dict[str, str], bytes] | None"]


class Hostile:
    """A server with the responses of `answer`. `None`: it has sent one itself."""

    def __init__(self, answer: Answer) -> None:
        self.received: list[str] = []
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hostile.received.append(f"{self.path}\n{self.headers}")
                if given := answer(self):
                    status, headers, body = given
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(body)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        self.wfile.write(body)

            do_CONNECT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Hostile:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A response whose parts come in time, and that does not end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    handler.connection.settimeout(0.02)
    while True:
        with contextlib.suppress(TimeoutError):
            if handler.connection.recv(1) == b"":
                return
        handler.wfile.write(b"A: b\r\n")


def echo(handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
    token = str(handler.headers["PRIVATE-TOKEN"])
    shown = {"id": 1, "user_id": 1, "name": token, token: token, "scopes": [token], "expires_at": token}
    return 200, {}, json.dumps(shown).encode()


ANSWERS: dict[str, tuple[Answer, str]] = {
    "page": (lambda _: (200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), "not that of GitLab's API (HTTP 200)"),
    "gateway's 404": (lambda _: (404, {}, b'{"message": "no Route matched"}'), "not that of GitLab's API (HTTP 404)"),
    "gateway's 200": (lambda _: (200, {}, b'{"status": "ok"}'), "not as GitLab's API documents it"),
    "gateway's 401": (lambda _: (401, {}, b'{"message": "Unauthorized"}'), "not that of GitLab's API (HTTP 401)"),
    "unknown route": (lambda _: (404, {}, b'{"error": "404 Not Found"}'), "not that of GitLab's API (HTTP 404)"),
    "huge": (lambda _: (200, {}, b"[" + b" " * 400_000 + b"]"), "larger than"),
    "nested": (lambda _: (200, {}, b"[" * 200_000), "not that of GitLab's API"),
    "not HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n") and None, "not HTTP"),
    "closed": (lambda handler: handler.connection.close(), "no connection"),
    "slow": (drip, "does not respond in time"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_other_answer_is_not_gitlab(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(client, "_LIMIT", 0.3)
    answer, problem = ANSWERS[name]
    with Hostile(answer) as server:
        scene.tag(**{URL_TAG: server.url})
        scene.parameters["GitLabUrl"] = server.url
        finding = the_only(scene)
        assert problem in finding.text, finding
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_failing_gitlab_is_not_checked(scene: Scene, status: int) -> None:
    scene.gitlab.answers_instead(status, path="/self$")
    checks = scene.checks()
    assert not [each for each in checks if each.result == "found"]
    assert any(f"HTTP {status}" in each.text for each in checks)


def test_redirect_to_no_address_is_not_gitlab(scene: Scene) -> None:
    scene.gitlab.answers_instead(302, headers={"Location": "https://[::1"}, path="/self$")
    assert "not that of GitLab's API (HTTP 302)" in the_only(scene).text


@pytest.mark.parametrize(("path", "body"), [
    ("/self$", {"id": 1, "user_id": 1, "scopes": 7}),
    (f"/projects/{PROJECT.replace('/', '%2F')}$", {"id": 41, "permissions": [7]}),
    (f"/projects/{PROJECT.replace('/', '%2F')}$", {"id": 41, "permissions": {"project_access": 7}}),
])
def test_member_of_another_type_is_not_checked(scene: Scene, path: str, body: dict[str, Any]) -> None:
    scene.gitlab.answers_instead(200, body=json.dumps(body), path=path)
    assert any("does not show" in each.text for each in scene.checks())


PAGES = (b"<html>Log in</html>", b"", b"[]", b"7", b"null", b"{}", b'{"Tags": [7]}', b'{"KeyMetadata": 7}', b"\xff")


@pytest.mark.parametrize("operation", ["DescribeSecret", "GetSecretValue", "DescribeKey"])
def test_page_in_the_place_of_aws_is_not_checked(scene: Scene, operation: str) -> None:
    """As of a network with a login. botocore reads most as an empty response."""
    if operation == "DescribeKey":
        key = scene.aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        scene.secrets.update_secret(SecretId=scene.name, KmsKeyId=key)
    bodies = list(PAGES)
    scene.session().events.register(f"before-parse.*.{operation}",
                                    lambda response_dict, **_: response_dict.update(body=bodies[-1], status_code=200))
    while bodies:
        checks = scene.checks()
        assert not [each for each in checks if each.result == "found"], (bodies[-1], checks)
        assert any("the answer is not that of AWS" in each.text for each in checks), (bodies[-1], checks)
        bodies.pop()


def test_redirect_is_named_and_not_followed(scene: Scene) -> None:
    with Hostile(lambda _: (200, {}, b"{}")) as other:
        to = f"{other.url}/api/v4/personal_access_tokens/self?private_token=x"
        scene.gitlab.answers_instead(302, headers={"Location": to}, path="/self$")
        finding = the_only(scene)
        assert f"redirects to {other.url}, and the token is not sent there" in finding.text
        assert "private_token" not in finding.text
        assert other.received == []


# A program of its own, as the command is one: the server reads its arguments and its environment.
_PROGRAM = """
import json, sys, boto3
from cli.checks.token import token_findings
from cli.environment.account import Account, Environment
from cli.environment.samconfig import Settings
from cli.shell.ending import ended
from cli.shell.output import Output

def run():
    given = json.loads(sys.stdin.read())
    account = Account(boto3.Session(region_name=given["region"]), given["account"])
    known = given["parameters"]
    return output.findings(token_findings(Environment(Settings("dev", {"parameter_overrides": ["EnvID=dev"]}), account), known))

output = Output("--json" in sys.argv)
status = ended(run, "", output.failure)
output.end()
sys.exit(status)
"""


@pytest.mark.parametrize("form", ["--json", "--text"])
@pytest.mark.parametrize("name", ["echo", "echo in an error", "echo in a redirect", "echo in a page", "echo in a header line"])
def test_token_is_in_no_output_argument_or_variable(scene: Scene, name: str, form: str) -> None:
    seen: list[str] = []
    started: list[subprocess.Popen[str]] = []

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes] | None:
        seen.extend(Path(f"/proc/{started[0].pid}/{file}").read_text() for file in ("cmdline", "environ"))
        token = str(handler.headers["PRIVATE-TOKEN"])
        if name == "echo in an error":
            return 401, {}, json.dumps({"message": f"401 {token}", "error_description": token}).encode()
        if name == "echo in a redirect":
            return 302, {"Location": f"https://{token}@{token}.example.com/{token}/api/v4?{token}"}, token.encode()
        if name == "echo in a page":
            return 200, {}, f"<html>{token}</html>".encode()
        if name == "echo in a header line":
            handler.wfile.write(f"{token}\r\n{token}\r\n\r\n".encode())
            return None
        return echo(handler)

    with Hostile(answer) as server:
        scene.tag(**{URL_TAG: server.url})
        scene.parameters["GitLabUrl"] = server.url
        given = {"parameters": scene.settings, "region": scene.aws.region, "account": scene.aws.account_id}
        started.append(subprocess.Popen([sys.executable, "-c", _PROGRAM, form], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**scene.aws.environment(), "PYTHONPATH": str(ROOT)}))
        output, errors = started[0].communicate(json.dumps(given))
    assert started[0].returncode in (0, 1) and "Traceback" not in errors, errors
    assert server.received and all(scene.token in text for text in server.received)
    assert any("token_findings" in text for text in seen)
    parts = {scene.token[at:at + 6] for at in range(len("glpat-"), len(scene.token) - 5)}
    for text in (output, errors, *seen):
        assert not [part for part in parts if part in text], text


# --- the parts -----------------------------------------------------------------------------------


def test_addresses_are_compared_as_the_function_does() -> None:
    for url in ("https://gitlab.com", "https://GitLab.com:443/", " https://gitlab.com// "):
        assert is_same(url, "https://gitlab.com")
    for url in ("https://gitlab.com.evil.example", "https://gitlab.com:444", "http://gitlab.com", "https://gitlab.com/x", "x"):
        assert not is_same(url, "https://gitlab.com")
    for url in ("https://gitlab.example.com:8443/git", "https://gitlab.example.com.", "http://127.0.0.1:80", "http://localhost"):
        assert is_usable(url), url
    for url in ("http://127.1", "http://127.0.0.1.example.com", "https://", "https://a\\b", "https://a b", "https://a?b",
                "https://a:b", "https://a..b", "https://.a", "https://a.b..", f"https://{'a' * 64}.com", "https://a\0b",
                "https://gitläb.example.com", "https://a/ä", "https://[::1]", "http://[::1]:1", "https://a/~b"):
        assert not is_usable(url), url


def test_token_is_the_member_or_the_whole_value() -> None:
    assert token_in(" glpat-a\n", "token") == "glpat-a"
    assert token_in('{"token": "glpat-a ", "other": 1}', "token") == "glpat-a"
    assert token_in('{"a b": "glpat-a"}', "a b") == "glpat-a"
    assert token_in("12345678", "token") == "12345678"
    for value in ("", "\ufeffglpat-a", "a b", "glpat-ä", '{"token": "a", "token": "b"}', '{"token": 7}', "[]", "a\r\nb"):
        with pytest.raises(NotAToken):
            token_in(value, "token")


def test_certificate_of_a_ca_is_told_from_a_servers(tmp_path: Path) -> None:
    """The function accepts no server whose certificate is marked CA:TRUE."""
    authority = Authority.make()
    for pem, is_of_a_ca in ((authority.certificate, True), (authority.server_certificate()[0], False)):
        [certificate] = certificates_of(pem)
        assert bool(client._OF_A_CA.search(certificate)) == is_of_a_ca
