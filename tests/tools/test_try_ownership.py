"""The resources that the clean-up of `make try` takes for its run's own."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.local.gitlab.project import ApiProject
from tests.tools.conftest import ROOT
from tools.trial import cleanup as try_cleanup
from tools.trial import ownership as try_ownership
from tools.trial import run as try_run
from tools.trial.gitlab import RemoteProject
from tools.trial.observers import sources

NAMES = try_run.names_of("trya1b2c")
OWN = {
    "stacks": [
        "cfn-gitops-trya1b2c",
        "cfn-gitops-trya1b2cp",
        "cfn-gitops-trya1b2cx",
        "gitops-trya1b2c-infra",
        "story-trya1b2c-s1",
        "cfnstack-trya1b2cp-infra",
        "story-trya1b2c-s12-base",
        "trya1b2c-probe",
        "cfnstack-trya1b2c-probe",
    ],
    "IAM users": [
        "user-trya1b2c-codecommit-mirroring",
        "user-trya1b2c-developer",
        "user-trya1b2c-s1",
        "trya1b2c-probe",
    ],
    "IAM roles": [
        "role-trya1b2c-cfn-gitops",
        "role-trya1b2c-probe-2",
        "trya1b2c-probe-Role-1A2B",
        "cfnstack-trya1b2c-infra-R-1",
    ],
    "IAM policies": ["policy-trya1b2cp-codebuild-cfn", "cfn-gitops-trya1b2c-eu-central-1-keeps-its-EnvID"],
    "CodeCommit credentials": ["user-trya1b2c-s1 ACCAEXAMPLE"],
    "secrets": [
        "codecommit-mirror/user-trya1b2c-s1",
        "gitlab/trya1b2c",
        "cfn-gitops-trya1b2c/intents/a",
        "trya1b2c-probe-once",
    ],
    "functions": ["cfn-gitops-trya1b2cx", "trya1b2c-probe", "lambda-trya1b2c-probe"],
    "log groups": [
        "/aws/lambda/cfn-gitops-trya1b2c",
        "/aws/codebuild/codebuild-trya1b2c-cfn-infra",
        "/aws/events/trya1b2c-probe-replay",
        "/aws/lambda/trya1b2c-probe",
        "trya1b2c-probe",
    ],
    "repositories": ["codecommit-trya1b2c-cfn-infra", "codecommit-trya1b2c-s1-given"],
    "approval rule templates": ["approval-trya1b2c-cfn-infra"],
    "build projects": ["codebuild-trya1b2c-review-infra"],
    "pipelines": ["codepipeline-trya1b2c-cfn-s2r"],
    "event rules": ["event-rule-trya1b2c-cfn-gitops-health", "gitops-trya1b2c-s2-Rule-1"],
    "buckets": ["s3-trya1b2cp-codepipeline-artifact-123456789012-eu-central-1", "trya1b2c-probe-bucket-1x"],
}
# Around each name of the run.
OTHERS = [
    "prod-{}",
    "prod-{}-data",
    "{}0",
    "{}data",
    "a{}",
    "x-{}-probe",
    "/{}",
    "{}2-probe",
    "prod/{}-probe",
    "my-gitops-{}",
]


def test_names_of_each_kind_are_own() -> None:
    source = (ROOT / "tests/play/steps.py").read_text().partition("could have created, by kind.")[2]
    listed = re.search(r"\n    return \{\n(.*?)\n    \}\n", source, re.DOTALL)
    assert listed and re.findall(r'^        "(.*?)":', listed[1], re.MULTILINE) == list(OWN) == list(
        try_ownership._BEGINNINGS
    )
    assert try_ownership.own(OWN, NAMES) == OWN
    assert try_ownership.stories(OWN, NAMES) == ["s1", "s12", "s2"]


@pytest.mark.parametrize("kind", OWN)
def test_names_that_contain_one_of_the_run_are_not_own(kind: str) -> None:
    foreign = [form.format(name) for name in ("trya1b2c", "trya1b2cp") for form in OTHERS]
    foreign += [f"prod-{name}" for name in OWN[kind]] + [
        name.replace("trya1b2c", "trya1b2cy") for name in OWN[kind]
    ]
    assert try_ownership.own({kind: foreign}, NAMES) == {kind: []}
    probes = [form.format("trya1b2c-probe") for form in OTHERS]
    assert try_ownership.probes(
        {kind: [*probes, *(name for name in OWN[kind] if "probe" not in name)]}, NAMES
    ) == {kind: []}
    named = {
        kind: [f"x-trya1b2c-s1-{name}" for name in OWN[kind]] + ["prod-trya1b2c-s1", "story-trya1b2c-s1x"]
    }
    assert try_ownership.stories(named, NAMES) == []


def test_only_the_probes_of_the_run_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[str, list[str]] = {kind: [] for kind in OWN} | {
        "buckets": ["prod-trya1b2c-probe-data", "trya1b2c-probe-bucket"],
        "secrets": ["my/trya1b2c-probe", "trya1b2c-probe"],
    }
    monkeypatch.setattr(sources.steps, "what_is_there", lambda _: there)
    performed: list[str] = []
    sources.delete_probes(SimpleNamespace(), NAMES, lambda what, _: performed.append(what))  # type: ignore[arg-type]
    assert performed == ["trya1b2c-probe, of the secrets", "trya1b2c-probe-bucket, of the buckets"]


REPOSITORIES = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/"
OWN_MIRRORS = [
    f"{REPOSITORIES}codecommit-trya1b2c-cfn-infra",
    f"{REPOSITORIES}codecommit-trya1b2cp-cfn-infra/",
    f"{REPOSITORIES.replace('.com', '.com.cn')}codecommit-trya1b2c-s12-website",
    "http://127.0.0.1:8080/eu-central-1/v1/repos/codecommit-trya1b2c-cfn-infra/",
]
OTHER_MIRRORS = [
    "https://backup.example.com/team/trya1b2c.git",
    "https://backup.example.com/team/trya1b2c-docs.git",
    "https://github.com/me/codecommit-trya1b2c-x",
    "https://github.com/v1/repos/codecommit-trya1b2c-cfn-infra",
    f"https://github.com/@{REPOSITORIES.removeprefix('https://')}codecommit-trya1b2c-cfn-infra",
    f"{REPOSITORIES.replace('eu-central-1', 'us-east-1')}codecommit-trya1b2c-cfn-infra",
    f"{REPOSITORIES.replace('.com', '.com.example.com')}codecommit-trya1b2c-cfn-infra",
    f"{REPOSITORIES.replace('https', 'ssh')}codecommit-trya1b2c-cfn-infra",
    "http://127.0.0.1:8080/v1/repos/codecommit-trya1b2c-cfn-infra",
    *(
        f"{REPOSITORIES}{name}"
        for name in (
            "trya1b2c",
            "trya1b2c-cfn-infra",
            "gitops-trya1b2c-cfn-infra",
            "codecommit-trya1b2cd-cfn-infra",
            "codecommit-trya1b2c",
            "codecommit-trya1b2c-docs",
            "codecommit-trya1b2c-cfn-infra.git",
            "codecommit-trya1b2c-cfn-infra/other",
            "codecommit-trya1b2c-s-a",
            "x-codecommit-trya1b2c-cfn-infra",
            "codecommit-trya1b2c-cfn-infra-2",
            "codecommit-trya1b2c-cfn-shop",
        )
    ),
]


def test_only_own_mirrors_and_branches_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    mirrors = [
        ApiProject._mirror(
            {
                "id": number,
                "url": url.replace("://", "://*****:*****@", 1),
                "enabled": True,
                "last_error": None,
                "only_protected_branches": True,
                "keep_divergent_refs": False,
                "update_status": "",
            }
        )
        for number, url in enumerate([*OWN_MIRRORS, *OTHER_MIRRORS])
    ]
    branches = [
        "trya1b2c-s1-main",
        "trya1b2c-s12-feature",
        "trya1b2c-s3-upload",
        "trya1b2c-s1-main-2",
        "trya1b2c-probe/1",
        "trya1b2c-stable",
        "trya1b2c-s-main",
        "trya1b2cp-s1-main",
        "x-trya1b2c-s1-main",
    ]
    project = SimpleNamespace(
        mirrors=lambda: mirrors,
        delete_mirror=sent.append,
        protected=lambda: branches,
        unprotect=sent.append,
        branches_matching=lambda regex: [each for each in branches if re.search(regex, each)],
    )
    cleanup = try_cleanup.Cleanup(
        SimpleNamespace(region="eu-central-1"), SimpleNamespace(project=project), NAMES, ROOT
    )  # type: ignore[arg-type]
    shown = cleanup.in_gitlab()
    assert (
        f"mirrors: {', '.join(OWN_MIRRORS)}" in shown
        and f"branches of stories: {', '.join(branches[:2])}" in shown
    )
    assert not [
        each
        for each in [*branches[2:], *OTHER_MIRRORS]
        if re.search(rf"(^|[ ,]){re.escape(each)}(,|$)", "\n".join(shown), re.M)
    ]
    cleanup._delete_mirrors()
    assert sent == list(range(len(OWN_MIRRORS)))
    sent.clear()
    monkeypatch.setattr(
        try_cleanup,
        "delete_references",
        lambda *given: sent.append([branch for branch in branches if given[1](f"refs/heads/{branch}")]),
    )
    try_cleanup.delete_branches(None, project, cleanup._is_branch, ROOT)  # type: ignore[arg-type]
    assert sent == [*branches[:2], branches[:2]]


def test_list_of_branches_has_every_page() -> None:
    asked: list[Any] = []
    gitlab = SimpleNamespace(
        pages=lambda *path, **query: (asked.append((*path, query)), [{"name": "a"}] * 101)[1]
    )
    assert len(RemoteProject(gitlab, "a/b").branches_matching("^a")) == 101
    assert asked == [("/projects/a%2Fb/repository/branches", {"regex": "^a"})]


def test_only_exact_tokens_and_environments_are_deleted() -> None:
    sent: list[str] = []
    tokens = [
        {"id": 1, "name": "trya1b2c-probe", "active": True},
        {"id": 2, "name": "trya1b2c-probe-of-mine", "active": True},
    ]
    environments = [{"id": 3, "name": "trya1b2c"}, {"id": 4, "name": "trya1b2c-mine"}]
    gitlab = SimpleNamespace(
        pages=lambda path, **_: tokens if "tokens" in path else environments,
        send=lambda method, path, **_: (
            sent.append(f"{method} {path[-5:]}"),
            SimpleNamespace(status_code=204),
        )[1],
    )
    project = RemoteProject(gitlab, "a/b")
    project.revoke_access_tokens("trya1b2c-probe")
    project.delete_environment("trya1b2c")
    assert sent == ["DELETE ens/1", "POST /stop", "DELETE nts/3"]
