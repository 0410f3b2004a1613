"""The acts of `make try`: those of `make run` that need one account and one person, and two that only AWS
and GitLab can show."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.play.mirroring import Source
from tests.play.pipelines import PROJECT
from tools.run.story import ACTS as SHARED_ACTS
from tools.run.story import Act, Names, Story
from tools.trial import approvals, assumptions
from tools.trial.account import RemoteAccount
from tools.trial.assumptions import Observations
from tools.trial.ownership import own


class TryStory(Story):
    """The story in a real account, with observations."""

    def __init__(self, aws: RemoteAccount, source: Source, names: Names, directory: Path) -> None:
        super().__init__(aws, source, names, directory)
        self.seen = assumptions.Observations()
        for environment in (self.environment, self.second, self.failing):
            environment.config_file = _sam_settings(directory, environment.name)
        self.loop.project.buildspec = assumptions.with_sessions((PROJECT / "buildspec.yml").read_text())

    def own(self, there: dict[str, list[str]]) -> dict[str, list[str]]:
        """Without the token's secret, which the acts do not create."""
        found = own(there, self.names)
        return found | {"secrets": [name for name in found["secrets"] if name != self.source.secret_id]}


def _sam_settings(directory: Path, stack_name: str) -> Path:
    """Settings of the run's own: the repository's may name a region, a profile and the tags of another
    environment."""
    path = directory / f"{stack_name}.toml"
    path.write_text(f"""version = 0.1
[dev.deploy.parameters]
capabilities = "CAPABILITY_NAMED_IAM"
fail_on_empty_changeset = false
force_upload = true
resolve_s3 = true
tags = "CreatedBy={stack_name}"
""")
    return path


def _releases_again(story: TryStory) -> None:
    answered = assumptions.releases_again(story, story.seen)
    approvals.answers_again(story, answered, story.seen)


@dataclass(frozen=True)
class Step:
    """An act, and the observations after it."""

    act: Act
    name: str = ""
    observe: Callable[[Story, Observations], None] | None = None
    # Whether the next act does not need it.
    is_independent: bool = False


RELEASE_AGAIN = Act(
    "Release change without a change",
    "A person may start a pipeline that has nothing to deploy.",
    lambda story: _releases_again(story),
    "CodePipeline's behaviour, among the assumptions",
)
METRICS = Act(
    "Metrics",
    "CloudWatch reads the metrics from the function's log.",
    lambda story: assumptions.metrics(story, story.seen),
    "the metrics of the scheduled health check",
)
_NAMED = dict(
    zip(
        (
            "deploy",
            "push",
            "build",
            "deployment",
            "reject",
            "review",
            "second",
            "rotate",
            "mirror",
            "fail",
            "drift",
            "delete",
            "leave",
        ),
        SHARED_ACTS,
        strict=True,
    )
)
_OBSERVED = {
    "deploy": assumptions.after_deployment,
    "push": assumptions.after_push,
    "reject": assumptions.after_builds,
    "rotate": assumptions.after_new_password,
    "fail": assumptions.after_failures,
}
_SHARED = [Step(act, name, _OBSERVED.get(name)) for name, act in _NAMED.items()]
STEPS = [*_SHARED[:-2], Step(RELEASE_AGAIN), Step(METRICS), *_SHARED[-2:]]
