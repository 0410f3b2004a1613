"""`make try` against the local AWS and the local GitLab, also with assumptions that do not hold."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.local.gitlab import HeldProject, LocalGitLab
from tests.play import steps
from tests.play.steps import ROOT, Login, Working
from tools.trial.observing import observed

PROJECT = "platform/trial"
COMMAND = [sys.executable, "-m", "tools.trial.run", "--interval", "0.2"]


@dataclass
class Trial:
    status: int
    output: str
    report: str
    # The recorded responses by their row.
    recorded: dict[str, str]

    @property
    def results(self) -> dict[str, str]:
        """The result of each assumption in the report."""
        return dict(re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|", self.report, re.MULTILINE))


@dataclass
class User:
    """A user with an account and a GitLab project."""

    aws: LocalAws
    gitlab: LocalGitLab
    project: HeldProject
    there: dict[str, list[str]]

    def tries(self, *options: str, **variables: str) -> Trial:
        ran = subprocess.run(
            COMMAND + [*options],
            cwd=ROOT,
            env=self._environment(**variables),
            input="",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        recorded = {path.stem: path.read_text() for path in ROOT.glob("try-try*-recorded/*.json")}
        return Trial(ran.returncode, ran.stdout, self.report(), recorded)

    def report(self) -> str:
        """The report of the last run, which is removed with its recorded responses."""
        reports = sorted(ROOT.glob("try-try*.md"))
        text = "".join(path.read_text() for path in reports)
        for path in reports:
            path.unlink()
            shutil.rmtree(path.with_name(f"{path.stem}-recorded"), ignore_errors=True)
        return text

    def begins(self, *options: str) -> tuple[subprocess.Popen[str], Iterator[str]]:
        """A run, and the lines of its output."""
        # A shell without job control ignores the signal in programs that it starts in the background.
        running = subprocess.Popen(
            COMMAND + [*options],
            cwd=ROOT,
            env=self._environment(CONFIRM="yes"),
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert running.stdout
        return running, iter(running.stdout)

    def _environment(self, **variables: str) -> dict[str, str]:
        return self.aws.environment() | {
            "GITLAB_URL": self.gitlab.url,
            "GITLAB_TOKEN": self.gitlab.token,
            "GITLAB_PROJECT": PROJECT,
            **variables,
        }

    def assert_nothing_is_left(self) -> None:
        left = {
            kind: [name for name in names if "aws-sam-cli" not in name and name not in self.there[kind]]
            for kind, names in steps.what_is_there(self.aws).items()
        }
        assert {kind: names for kind, names in left.items() if names} == {}
        assert self.project.mirrors() == [] and self.project.protected() == ["main"]
        assert list(self.project.references()) == ["refs/heads/main"]
        assert self.project.environments() == []
        assert self.gitlab.complaints == []


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with (
        LocalAws(settings=IAM_IS_LATE) as aws,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
    ):
        project = gitlab.project(PROJECT)
        Working(tmp_path / "first", "main").push(Login("developer", gitlab.token, ""), project.url)
        yield User(aws, gitlab, project, steps.what_is_there(aws))


def test_all_acts_show_what_held_and_what_did_not(user: User) -> None:
    user.aws.set(credential_listed_after_seconds=11, empty_change_set_fails=1)
    trial = user.tries(CONFIRM="yes")
    results = trial.results
    refuted = {name for name, result in results.items() if result == "not held"}
    assert refuted == {"iam-lists-within-10s", "change-set-actions-with-no-changes"}, trial.output
    assert "0 failed" in trial.output and trial.status == 1
    assert "while the approval waited: no approval" in trial.report
    held = {name for name, result in results.items() if result == "held"}
    assert {
        "codebuild-session-per-build",
        "login-valid-within-5min",
        "approval-link-resolves-variables",
        "sam-deploy-keeps-parameters",
        "answered-token-is-rejected",
    } <= held, trial.report
    assert len(held) >= 20 and list(results.values()).count("not seen") == len(results) - len(held) - len(
        refuted
    )
    user.assert_nothing_is_left()
    for secret in (user.gitlab.token, user.aws.account_id, user.gitlab.url, PROJECT):
        assert secret not in trial.report
    assert user.gitlab.token not in trial.output


def test_failed_act_is_reported_and_deletes_everything(user: User) -> None:
    user.gitlab.answers_instead(403, times=100, method="POST", path="/remote_mirrors")
    trial = user.tries(CONFIRM="yes")
    assert trial.status == 1 and "act 1" in trial.report and "CFG-" in trial.report, trial.output
    assert set(trial.results.values()) == {"not seen"}
    user.assert_nothing_is_left()


OF_GITLAB = (
    "refs/heads/trymerge,",
    "refs/tags/trymerge",
    "trymerge-review/*",
    "environments: trymerge, trymergep, trymergex",
)


def test_unconfirmed_or_unfit_run_creates_and_deletes_nothing(user: User) -> None:
    token = user.gitlab.add_token("a developer", role="developer", scope="read_api").value
    for options, variables, texts in (
        ((), {"CONFIRM": ""}, ("This run creates", "Nothing was created")),
        ((), {"CONFIRM": "no"}, ("This run creates", "Nothing was created")),
        ((), {"CONFIRM": "yes", "GITLAB_TOKEN": token}, ("lacks the scope api", "not a Maintainer")),
        ((), {"CONFIRM": "yes", "GITLAB_TOKEN": "glpat-unknown"}, ("401",)),
        ((), {"CONFIRM": "yes", "GITLAB_URL": "http://gitlab.example.com"}, ("Set it to an https address",)),
        (("--clean", "dev"), {}, ("dev is not the name of a run",)),
        (("--clean", "trymerge"), {"CONFIRM": "no"}, ("Nothing was deleted", *OF_GITLAB)),
    ):
        trial = user.tries(*options, **variables)
        assert trial.status == 1 and "Traceback" not in trial.output, trial.output
        assert [text for text in texts if text not in trial.output] == [], trial.output
    assert steps.what_is_there(user.aws) == user.there
    user.assert_nothing_is_left()


# The first change set waits for its approval, so the deployed stack is REVIEW_IN_PROGRESS.
@pytest.mark.parametrize(
    ("options", "after"),
    [
        ((), "The change set of cfnstack-"),
        (("--acts", "1", "--scenarios", "deployment_approved_and_rejected"), "approve: ok"),
    ],
)
def test_killed_run_is_deleted_by_its_name(user: User, options: tuple[str, ...], after: str) -> None:
    running, lines = user.begins(*options)
    name = next(found[1] for line in lines if (found := re.search(r"Stack cfn-gitops-(try\w+) with", line)))
    assert any(after in line for line in lines)
    running.kill()
    running.communicate()
    user.project.protect(f"{name}-s9-main")
    trial = user.tries("--clean", name, CONFIRM="yes")
    assert trial.status == 0, trial.output
    user.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("story", "after", "by"),
    [
        ("mirrors_new_password", "create: ok", signal.SIGHUP),
        ("deployment_approved_and_rejected", "approve: ok", signal.SIGINT),
    ],
)
def test_interrupt_or_closed_terminal_leaves_nothing(
    user: User, story: str, after: str, by: signal.Signals
) -> None:
    running, lines = user.begins("--acts", "1", "--scenarios", story)
    assert any(after in line for line in lines) and running.stdout
    if by == signal.SIGHUP:
        running.stdout.close()
    running.send_signal(by)
    output = "" if running.stdout.closed else running.communicate()[0]
    # Without a terminal, the end may begin with an error of its output.
    expected = "interrupted" if by == signal.SIGINT else "## Failed"
    assert running.wait() == 1 and expected in user.report(), output
    user.assert_nothing_is_left()


# Some observers wait for minutes, and there are a hundred.
@pytest.mark.skipif(os.environ.get("SCHEDULES") != "all", reason="it takes a quarter of an hour")
def test_stories_and_observers_are_in_the_report(user: User) -> None:
    trial = user.tries("--scenarios", "mirrors_new_password,deployment_approved_and_rejected", CONFIRM="yes")
    assert "0 failed" in trial.output and "| Story: deployment_approved_and_rejected |" in trial.report, (
        trial.output
    )
    evidence = dict(re.findall(r"^\| `([^`]+)` \| [a-z ]+ \| (.*) \|$", trial.report, re.MULTILINE))
    assert [name for name in observed() if not evidence[name]] == []
    assert "the story mirrors_new_password succeeded" in evidence["login-valid-within-5min"]
    for name, text in trial.recorded.items():
        recorded = json.loads(text)
        assert recorded.keys() == {"source", "region", "date", "response"} and recorded["source"], name
        for secret in (user.gitlab.token, user.aws.account_id, user.gitlab.url, PROJECT):
            assert secret not in text, name
    user.assert_nothing_is_left()


def test_project_with_a_mirror_or_a_wide_rule_is_rejected(user: User) -> None:
    user.project.protect("try*")
    assert "protects try*, which also matches" in user.tries(CONFIRM="yes").output
    user.project.unprotect("try*")
    mirror = user.project.make_mirror("https://a:b@git.example.com/other.git")
    trial = user.tries(CONFIRM="yes")
    assert trial.status == 1 and "has a push mirror" in trial.output
    user.project.delete_mirror(mirror.id)
    assert steps.what_is_there(user.aws) == user.there
