"""`cfn-gitops check`: the token's secret, the token and the project, each with a planted fault, and hostile
servers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.checks import gitlab as client
from cli.checks.gitlab import certificates_of, fingerprint, is_same, is_usable
from cli.checks.rows import Once, Reader, findings
from cli.checks.secret import token_in
from cli.checks.token import KEYS, token_rows
from cli.environment.account import Account, Environment
from cli.shell import terminal
from cli.shell.findings import Finding, NotChecked
from tests import preloaded
from tests.cli.conftest import settings_of
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow
from tests.local.gitlab import LocalGitLab
from tests.local.gitlab.certificates import Authority

ROOT = Path(__file__).parents[2]
PROJECT, SECRET, BRANCH = "platform/infra", "gitlab/infra", "development"
AT_PROJECT = f"/projects/{PROJECT.replace('/', '%2F')}"
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
        self.user = self.gitlab.user()
        self.token = self.gitlab.add_token("bot", user=self.user).value
        self.project = self.gitlab.project(PROJECT)
        self._sessions: dict[str, boto3.Session] = {}
        self.project.protect(BRANCH)
        self.secrets.create_secret(
            Name=self.name, SecretString=self.token, Tags=[{"Key": URL_TAG, "Value": self.gitlab.url}]
        )
        self.parameters |= {
            "ProjectID": "infra",
            "GitLabTokenSecretId": self.name,
            "GitLabUrl": self.gitlab.url,
            "BranchName": BRANCH,
            "GitLabProject": PROJECT,
        }

    def session(self) -> boto3.Session:
        given = self.key or {"AccessKeyId": self.aws.account_id, "SecretAccessKey": "local"}
        key = given["AccessKeyId"]
        return self._sessions.setdefault(
            key, boto3.Session(key, given["SecretAccessKey"], region_name=self.aws.region)
        )

    def checks(self, *ignored: str) -> list[Finding]:
        account = Account(self.session(), self.aws.account_id)
        reader = Reader(Environment(settings_of({"EnvID": "dev"}), account))
        return findings(token_rows(reader, Once(lambda: self.parameters), ignored))

    def of(self, key: str) -> Finding:
        [finding] = [each for each in self.checks() if each.key == key]
        return finding

    def found(self) -> list[Finding]:
        return [each for each in self.checks() if each.result == "found"]

    def tag(self, **tags: str) -> None:
        self.secrets.tag_resource(
            SecretId=self.name, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )

    def use_url(self, url: str) -> None:
        self.tag(**{URL_TAG: url})
        self.parameters["GitLabUrl"] = url

    def store(self, value: str) -> None:
        self.secrets.put_secret_value(SecretId=self.name, SecretString=value)

    def show(self, **members: Any) -> None:
        """Lets GitLab show these members of the project, instead of its own, once."""
        shown = {**self.gitlab.read(self.project.api), **members}
        self.gitlab.answers_instead(200, body=json.dumps(shown), path=f"{AT_PROJECT}$")

    def run(self, remedy: str, pasted: str = "") -> None:
        """The command of a remedy, as a person copies it."""
        command = re.search(r"aws secretsmanager [^`]*", remedy)
        assert command, remedy
        subprocess.run(
            ["sh", "-c", command[0]],
            input=pasted,
            text=True,
            check=True,
            capture_output=True,
            env={**self.aws.environment(), "PATH": f"{preloaded.path('aws')}:{os.environ['PATH']}"},
        )


@pytest.fixture
def scene(running: LocalAws) -> Iterator[Scene]:
    with local_gitlab.running() as gitlab:
        yield Scene(running, gitlab)
    assert gitlab.complaints == []


@pytest.fixture
def over_tls(running: LocalAws) -> Iterator[Scene]:
    with local_gitlab.running(tls=True) as gitlab:
        yield Scene(running, gitlab, {"GitLabCaCertificate": str(gitlab.ca_certificate)})


def test_sound_settings_are_read_once(scene: Scene) -> None:
    checks = scene.checks()
    assert [(each.key, each.result) for each in checks] == [(key, "sound") for key in KEYS], checks
    asked = [each.path for each in scene.gitlab.requests]
    assert len(asked) == len(set(asked)), asked


# --- the secret ----------------------------------------------------------------------------------


def the_only(scene: Scene) -> Finding:
    found = scene.found()
    assert len(found) == 1, found
    return found[0]


def failures(checks: list[Finding]) -> list[Finding]:
    """The rows that this machine should have been able to read."""
    return [each for each in checks if isinstance(each, NotChecked) and each.is_failure]


def assert_unsent(scene: Scene) -> None:
    assert scene.gitlab.requests == [] and [each.text for each in scene.checks() if each.key == "gitlab"] == [
        "no token was sent"
    ]


def tagged(**tags: str) -> Callable[[Scene], None]:
    return lambda scene: scene.tag(**tags)


def fits(finding: Finding, conclusion: str) -> bool:
    expected = client.CONCLUSIONS[conclusion]
    shape = re.sub(r"\\{\w+\\}", ".+", re.escape(client.of_parameters(expected["problem"])))
    return finding.code == expected["code"] and re.fullmatch(shape, finding.text) is not None


CORRECTED: list[tuple[Callable[[Scene], Any], str]] = [
    (
        lambda scene: scene.secrets.delete_secret(SecretId=scene.name, ForceDeleteWithoutRecovery=True),
        "Missing",
    ),
    (lambda scene: scene.secrets.delete_secret(SecretId=scene.name), "Deleted"),
    (lambda scene: scene.secrets.untag_resource(SecretId=scene.name, TagKeys=[URL_TAG]), "Untagged"),
    (tagged(**{URL_TAG: "https://gitlab.com"}), "OtherGitLab"),
    (tagged(**{URL_TAG: "https://gitlab.com:99999"}), "OtherGitLab"),
    (tagged(**{ENV_TAG: "prd"}), "OtherEnvironment"),
]
UNSENT: list[tuple[Callable[[Scene], None], str]] = [
    (tagged(**{"cfn-gitops:stack-id": "x"}), "OwnSecret"),
    (tagged(**{"cfn-gitops:logical-id": "x"}), "OwnSecret"),
    *(
        (lambda scene, url=url: scene.use_url(url), "UnusableUrl")
        for url in (  # type: ignore[misc]
            "http://gitlab.example.com",
            "https://a:b@gitlab.example.com",
            "https://gitlab.example.com:99999",
        )
    ),
]


@pytest.mark.parametrize(("plant", "conclusion"), [*CORRECTED, *UNSENT])
def test_unusable_secret_is_found_and_no_token_sent(
    scene: Scene, plant: Callable[[Scene], None], conclusion: str
) -> None:
    plant(scene)
    finding = the_only(scene)
    assert fits(finding, conclusion) and finding.key == "token-secret", finding
    assert_unsent(scene)
    if plant in [each for each, _ in CORRECTED]:
        scene.run(finding.remedy, scene.token)
        assert scene.found() == []


@pytest.mark.parametrize("action", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"])
def test_denied_read_is_left_to_the_secrets_owner(scene: Scene, action: str) -> None:
    allowed = {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"} - {action}
    scene.key = a_user_with(scene.aws, f"u-{secrets.token_hex(4)}", allow(sorted(allowed), "*"))
    assert scene.found() == [] and scene.gitlab.requests == []
    [denied] = failures(scene.checks())
    assert denied.key == "token-secret" and action in denied.text
    assert (
        denied.remedy
        == "Let the owner of the secret run this, or leave the secret out with --ignore token-secret"
    )


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


@pytest.mark.parametrize(
    "value",
    ['{"tokn": "glpat-x"}', '{"token": ', '{"token": "not a token", "webhook": "w"}', '"glpat-quoted"'],
)
def test_value_without_a_token_is_found(scene: Scene, value: str) -> None:
    scene.store(value)
    finding = the_only(scene)
    assert "neither a token nor a JSON object" in finding.text and "glpat" not in finding.text
    # The command would replace the other members.
    assert ("aws " in finding.remedy) == (not value.startswith("{"))
    assert scene.gitlab.requests == []
    scene.store(json.dumps({"token": scene.token}))
    assert scene.found() == []


def test_binary_value_is_not_replaced(scene: Scene) -> None:
    scene.secrets.put_secret_value(SecretId=scene.name, SecretBinary=b'{"webhook": "w"}')
    finding = the_only(scene)
    assert fits(finding, "NoText") and "aws " not in finding.remedy


@pytest.mark.parametrize("operation", ["DescribeSecret", "GetSecretValue", "DescribeKey"])
@pytest.mark.parametrize("page", [b"<html>Log in</html>", b"", b"{}", b"\xff"])
def test_page_in_the_place_of_aws_is_not_checked(scene: Scene, operation: str, page: bytes) -> None:
    """As of a network with a login. botocore reads most as an empty response."""
    if operation == "DescribeKey":
        key = scene.aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        scene.secrets.update_secret(SecretId=scene.name, KmsKeyId=key)
    scene.session().events.register(
        f"before-parse.*.{operation}",
        lambda response_dict, **_: response_dict.update(body=page, status_code=200),
    )
    assert scene.found() == []
    assert [each.text for each in failures(scene.checks())] == ["the answer is not that of AWS"]


def test_settings_without_a_token_have_one_row(scene: Scene) -> None:
    del scene.parameters["GitLabTokenSecretId"]
    [finding] = scene.checks()
    assert (finding.key, finding.result) == ("token-secret", "not checked") and "by hand" in finding.text
    # Of a stack that was not read, which may have another GitLabUrl.
    reader = Reader(
        Environment(
            settings_of({"EnvID": "dev", "GitLabTokenSecretId": scene.name}), Account(scene.session(), "")
        )
    )
    [finding] = findings(token_rows(reader, Once(lambda: {}["stack"])))
    assert failures([finding]) and scene.gitlab.requests == []


# --- GitLab and the token ------------------------------------------------------------------------


@pytest.mark.parametrize("is_object", [False, True])
def test_rejected_token_is_replaced_by_its_remedy(scene: Scene, is_object: bool) -> None:
    scene.store(json.dumps({"token": scene.token, "webhook": "w"}) if is_object else scene.token)
    scene.gitlab.add_token("bot", user=scene.user, value=scene.token).revoke()
    finding, new = the_only(scene), scene.gitlab.add_token("next", user=scene.user).value
    assert (finding.key, finding.code) == ("token", "CFG-406")
    assert "GitLab rejects the token (Token was revoked" in finding.text
    if is_object:
        assert "in which only the member token changes" in finding.remedy and "aws " not in finding.remedy
        scene.store(json.dumps({"token": new, "webhook": "w"}))
    else:
        scene.run(finding.remedy, new)
    assert scene.found() == []


ANSWERS: list[dict[str, Any]] = json.loads((ROOT / "src/clients/gitlab/tests/answers.json").read_text())


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer['at']} {answer['is']}")
def test_conclusion_is_that_of_the_function(scene: Scene, answer: dict[str, Any]) -> None:
    """src/clients/gitlab/tests/conclusions.rs reads the answers, too."""
    path = {"token": "/self$", "project": f"{AT_PROJECT}$"}.get(answer["at"], f"/{answer['at']}$")
    if "level" in answer:
        scene.show(permissions={"project_access": {"access_level": answer["level"]}})
    body = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
    scene.gitlab.answers_instead(answer["status"], body=body, headers=answer.get("headers"), path=path)
    [finding] = [each for each in scene.checks() if each.code]
    assert fits(finding, answer["is"]), finding
    assert isinstance(finding, NotChecked) == (finding.code == client.UNREACHABLE)


def test_weak_token_is_replaced_by_its_remedy(scene: Scene) -> None:
    scene.store(scene.gitlab.add_token("weak", user=scene.user, scope="read_api").value)
    finding = the_only(scene)
    assert finding.text == "it has the scope read_api, and cfn-gitops needs api"
    assert (finding.key, finding.code) == ("token", "CFG-407")
    scene.run(finding.remedy, scene.token)
    assert scene.found() == []


@pytest.mark.parametrize(("name", "path"), [("VpcSubnetIds", "VPC"), ("HttpsProxy", "proxy")])
def test_failed_connection_is_a_failed_look(scene: Scene, name: str, path: str) -> None:
    """This machine's, which proves nothing, and none if the function has another path."""
    scene.use_url("https://127.0.0.1:1")
    [failed] = failures(scene.checks())
    assert "no connection: Connection refused" in failed.text and scene.found() == []
    assert (failed.key, failed.code) == ("gitlab", "CFG-401")
    scene.parameters[name] = "given"
    finding = scene.of("gitlab")
    assert (
        f"reaches GitLab through its {path}" in finding.text
        and "cfn-gitops doctor --env dev" in finding.remedy
    )
    assert scene.found() == failures(scene.checks()) == []


def test_proxy_gets_no_token(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile(lambda _: (200, {}, b"{}")) as proxy:
        for name in ("https_proxy", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1:" + scene.aws.endpoint_url.rpartition(":")[2])
        assert scene.found() == []
        scene.use_url("https://127.0.0.1:1")
        assert "without this machine's proxy" in scene.of("gitlab").text and scene.found() == []
        assert not any(scene.token in text for text in proxy.received)


# --- TLS -----------------------------------------------------------------------------------------


def test_ca_is_allowed_by_its_remedy(over_tls: Scene) -> None:
    [other] = certificates_of(Authority.make("Another CA").certificate)
    over_tls.tag(**{CA_TAG: fingerprint(other)})
    finding = the_only(over_tls)
    assert fits(finding, "UntrustedCa")
    assert_unsent(over_tls)
    over_tls.run(finding.remedy)
    assert over_tls.found() == []
    tags = over_tls.secrets.describe_secret(SecretId=over_tls.name)["Tags"]
    assert any(fingerprint(other) in tag["Value"] for tag in tags), "the one of another environment is kept"


def test_unreadable_ca_is_found(over_tls: Scene) -> None:
    over_tls.parameters["GitLabCaCertificate"] = over_tls.parameters["GitLabCaCertificate"].replace("\n", " ")
    assert fits(the_only(over_tls), "InvalidCaCertificate")
    assert_unsent(over_tls)


def test_unknown_ca_is_found_and_gets_no_token(over_tls: Scene) -> None:
    other = Authority.make("Another CA").certificate
    [certificate] = certificates_of(other)
    over_tls.tag(**{CA_TAG: fingerprint(certificate)})
    over_tls.parameters["GitLabCaCertificate"] = other
    finding = the_only(over_tls)
    assert (
        "a CA that is not trusted: unable to get local issuer certificate" in finding.text
        and finding.code == "CFG-402"
    )
    assert over_tls.gitlab.requests == []


def test_server_that_is_marked_as_a_ca_is_found(over_tls: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL accepts it."""
    authority = Authority.make()
    for pem, is_of_a_ca in ((authority.certificate, True), (authority.server_certificate()[0], False)):
        [certificate] = certificates_of(pem)
        assert client.is_of_a_ca(certificate) == is_of_a_ca
    over_tls.tag(**{CA_TAG: fingerprint(certificates_of(over_tls.parameters["GitLabCaCertificate"])[0])})
    monkeypatch.setattr(client, "is_of_a_ca", lambda _: True)
    assert "marked as that of a CA (CA:TRUE)" in the_only(over_tls).text and over_tls.gitlab.requests == []


# --- the project ---------------------------------------------------------------------------------


def listing(part: str, *elements: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.gitlab.answers_instead(200, body=json.dumps(elements), path=f"/{part}$")


def unprotected(*elements: Any) -> Callable[[Scene], None]:
    """These are the project's protected branches."""

    def plant(scene: Scene) -> None:
        listing("protected_branches", *elements)(scene)

    return plant


def has_branch(scene: Scene) -> None:
    body = json.dumps({"name": BRANCH})
    scene.gitlab.answers_instead(200, body=body, path=f"/repository/branches/{BRANCH}$")


def showing(**members: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.show(**members)


# A change of GitLab or of its answer, and the row that finds it.
FAULTS: list[tuple[Callable[[Scene], None], str, str, str]] = [
    (showing(archived=True), "project", "CFG-419", "it is archived"),
    (
        showing(marked_for_deletion_on="2026-11-20"),
        "project",
        "CFG-409",
        "marked for deletion since 2026-11-20",
    ),
    (showing(repository_object_format="sha256"), "repository-format", "CFG-415", "its objects are sha256"),
    (showing(repository_access_level="disabled"), "branch", "CFG-422", "the repository is switched off"),
    (unprotected(), "branch", "CFG-414", "it is not protected"),
    (
        lambda scene: scene.parameters.update(BranchName="main"),
        "branch",
        "CFG-414",
        "the project has no branch main",
    ),
    (unprotected({"name": "*", "inherited": True}), "branch", "CFG-414", "only a group protects it"),
    (unprotected({"name": "dev*"}), "branch", "CFG-414", "the project has no branch development"),
    (
        listing("remote_mirrors", *({"id": number, "enabled": True} for number in range(10))),
        "mirrors",
        "CFG-410",
        "10 are enabled",
    ),
]
NOT_CHECKED: list[tuple[Callable[[Scene], None], str, str]] = [
    (
        lambda scene: scene.gitlab.answers_instead(
            200, body='{"id": 1, "scopes": ["granular"]}', path="/self$"
        ),
        "token",
        "does not show its",
    ),
    (
        lambda scene: scene.gitlab.answers_instead(200, body='{"id": 1, "scopes": 7}', path="/self$"),
        "token",
        "does not show its scope",
    ),
    (lambda scene: scene.parameters.update(GitLabProject=""), "project", "GitLabProject is not set"),
    (lambda scene: scene.gitlab.answers_instead(403, path="/self$"), "project", "GitLab was not read"),
    (
        listing("protected_branches", *({"name": f"b{number}"} for number in range(100))),
        "branch",
        "none of the first 100 protected branches",
    ),
]


@pytest.mark.parametrize(("plant", "key", "code", "problem"), FAULTS)
def test_fault_is_found(
    scene: Scene, plant: Callable[[Scene], None], key: str, code: str, problem: str
) -> None:
    scene.show(empty_repo=False)
    plant(scene)
    if "has no branch" not in problem:
        has_branch(scene)
    finding = the_only(scene)
    assert problem in finding.text and (finding.key, finding.code) == (key, code)


@pytest.mark.parametrize(("plant", "key", "reason"), NOT_CHECKED)
def test_unproved_fault_is_not_checked(
    scene: Scene, plant: Callable[[Scene], None], key: str, reason: str
) -> None:
    plant(scene)
    finding = scene.of(key)
    assert finding.result == "not checked" and reason in finding.text


def test_reason_of_an_ignored_row_is_in_the_next_one(scene: Scene) -> None:
    def shown(*ignored: str) -> list[str]:
        rows = [
            each.text
            for each in scene.checks(*ignored)
            if each.result == "not checked" and each.key not in ignored
        ]
        return sorted({*rows})

    scene.parameters["GitLabProject"] = "infra"
    assert shown() == ["the project was not read"]
    assert shown("project")[0].startswith("the project was not read: HTTP 404: ")
    scene.gitlab.answers_instead(503, path="/self$")
    assert "GitLab was not read: " in shown("gitlab")[0]
    scene.secrets.delete_secret(SecretId=scene.name)
    [reason] = shown("token-secret")
    assert reason.startswith("no token was sent: the secret is scheduled for deletion")
    assert shown() == ["no token was sent"]


def test_branch_without_a_name_is_not_checked(scene: Scene) -> None:
    """CloudFormation rejects the change set."""
    del scene.parameters["BranchName"]
    assert (scene.of("branch").subject, scene.of("branch").text) == (
        "protection of the branch in project platform/infra",
        "BranchName is not set",
    )
    assert scene.found() == []


def test_empty_project_may_get_a_protected_branch(scene: Scene) -> None:
    scene.project.unprotect(BRANCH)
    assert the_only(scene).key == "branch"
    scene.show(empty_repo=True, default_branch=BRANCH)
    assert "unless its default branch protection is switched off" in scene.of("branch").text
    scene.project.protect("devel*")
    assert scene.of("branch").result == "sound"


@pytest.mark.parametrize(
    "permissions", [7, [7], {"project_access": 7}, {"project_access": {"access_level": "40"}}]
)
def test_mirrors_denied_without_a_shown_role_need_one(scene: Scene, permissions: Any) -> None:
    scene.show(permissions=permissions)
    scene.gitlab.answers_instead(401, body='{"message": "401 Unauthorized"}', path="/remote_mirrors$")
    assert the_only(scene).code == "CFG-407"


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
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


HOSTILE: dict[str, tuple[Answer, str]] = {
    "huge": (lambda _: (200, {}, b"[" + b" " * 400_000 + b"]"), "larger than"),
    "nested": (lambda _: (200, {}, b"[" * 200_000), "not JSON of GitLab's API"),
    "not HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n") and None, "SSH-2.0"),
    "closed": (lambda handler: handler.connection.close(), "did not respond in time"),
    "silent": (lambda handler: time.sleep(1), "timed out"),
    "redirect": (
        lambda _: (302, {"Location": "https://[::1"}, b""),
        "redirects to https://[::1, and the token is not sent there",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_other_answer_is_not_gitlab(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "silent":
        monkeypatch.setattr(client, "_LIMIT", 0.3)
    answer, problem = HOSTILE[name]
    with Hostile(answer) as server:
        scene.use_url(server.url)
        finding = scene.of("gitlab")
        assert problem in finding.text and finding.result == (
            "not checked" if name in ("closed", "not HTTP", "silent") else "found"
        )
        assert len(server.received) == 1


def test_redirect_is_named_and_not_followed(scene: Scene) -> None:
    with Hostile(lambda _: (200, {}, b"{}")) as other:
        to = f"{other.url}/api/v4/personal_access_tokens/self?private_token=x"
        scene.gitlab.answers_instead(302, headers={"Location": to}, path="/self$")
        finding = the_only(scene)
        assert f"redirects to {other.url}/api/v4/personal_access_tokens/self, and the token" in finding.text
        assert "private_token" not in finding.text
        assert other.received == []


# A program of its own, as the command is one: the server reads its arguments and its environment.
_PROGRAM = """
import json, sys, boto3
from cli.checks.rows import Once, Reader, findings
from cli.checks.token import token_rows
from cli.environment.account import Account, Environment
from cli.environment.samconfig import Settings
from cli.shell.ending import ended
from cli.shell.findings import write_findings
from cli.shell.output import Output

def run():
    account = Account(boto3.Session(region_name=given["region"]), given["account"])
    reader = Reader(Environment(Settings("dev", {"parameter_overrides": ["EnvID=dev"]}), account))
    return write_findings(findings(token_rows(reader, Once(lambda: given["parameters"]))), output)

given, statuses = json.loads(sys.stdin.read()), set()
for is_json in (True, False):
    output = Output(is_json)
    statuses.add(ended(run, "", output.failure))
    output.end()
sys.exit(max(statuses))
"""


# Responses with the token.
ECHOES: dict[str, Callable[[str], tuple[int, dict[str, str], Any]]] = {
    "members": lambda token: (
        200,
        {},
        {"id": 1, "name": token, token: token, "scopes": [token], "expires_at": token},
    ),
    "error": lambda token: (401, {}, {"message": f"401 {token}", "error_description": token}),
    "redirect": lambda token: (
        302,
        {"Location": f"https://{token}@{token}.example.com/{token}/api/v4?{token}"},
        token,
    ),
    "page": lambda token: (200, {}, f"<html>{token}</html>"),
}


@pytest.mark.parametrize("name", [*ECHOES, "header line"])
def test_token_is_in_no_output_argument_or_variable(scene: Scene, name: str) -> None:
    seen: list[str] = []
    started: list[subprocess.Popen[str]] = []

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes] | None:
        seen.extend(Path(f"/proc/{started[0].pid}/{file}").read_text() for file in ("cmdline", "environ"))
        token = str(handler.headers["PRIVATE-TOKEN"])
        if name in ECHOES:
            status, headers, body = ECHOES[name](token)
            return status, headers, (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.wfile.write(f"{token}\r\n{token}\r\n\r\n".encode())
        return None

    with Hostile(answer) as server:
        scene.use_url(server.url)
        given = {"parameters": scene.parameters, "region": scene.aws.region, "account": scene.aws.account_id}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**scene.aws.environment(), "PYTHONPATH": str(ROOT)},
            )
        )
        output, errors = started[0].communicate(json.dumps(given))
    assert started[0].returncode in (0, 1, 3) and "Traceback" not in errors, errors
    # As JSON, and as lines.
    assert "{" in output and re.search("^[a-z]", output, re.MULTILINE)
    assert server.received and all(scene.token in text for text in server.received)
    assert any("token_rows" in text for text in seen)
    parts = {scene.token[at : at + 6] for at in range(len("glpat-"), len(scene.token) - 5)}
    for text in (output, errors, *seen):
        assert not [part for part in parts if part in text], text


# --- the parts -----------------------------------------------------------------------------------


def test_addresses_are_compared_as_the_function_does() -> None:
    for url in ("https://gitlab.com", "https://GitLab.com:443/", " https://gitlab.com// "):
        assert is_same(url, "https://gitlab.com")
    for url in (
        "https://gitlab.com.evil.example",
        "https://gitlab.com:444",
        "http://gitlab.com",
        "https://gitlab.com/x",
        "x",
    ):
        assert not is_same(url, "https://gitlab.com")
    for url in (
        "https://gitlab.example.com:8443/git",
        "https://gitlab.example.com.",
        "http://127.0.0.1:80",
        "http://localhost",
    ):
        assert is_usable(url), url
    for url in (
        "http://127.1",
        "http://127.0.0.1.example.com",
        "https://",
        "https://a\\b",
        "https://a b",
        "https://a?b",
        "https://a:b",
        "https://a..b",
        "https://.a",
        "https://a.b..",
        f"https://{'a' * 64}.com",
        "https://a\0b",
        "https://gitläb.example.com",
        "https://a/ä",
        "https://[::1]",
        "http://[::1]:1",
        "https://a/~b",
    ):
        assert not is_usable(url), url


def test_token_is_the_member_or_the_whole_value() -> None:
    for value, token in (
        (" glpat-a\n", "glpat-a"),
        ('{"token": "glpat-a ", "other": 1}', "glpat-a"),
        ("12345678", "12345678"),
    ):
        assert token_in(value) == token
    for value in (
        "",
        "\ufeffglpat-a",
        "a b",
        "glpat-ä",
        '{"token": "a", "token": "b"}',
        '{"token": 7}',
        '{"token": "a b"}',
        "[]",
        "a\r\nb",
        "{" * 100_000,
    ):
        assert token_in(value) is None
