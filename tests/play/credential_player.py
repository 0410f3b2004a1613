"""The steps of a story about a `Custom::MirrorCredential`."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.play import steps
from tests.play.mirroring import Source
from tests.play.pipelines import accepted
from tests.play.scenarios import Scenario, Step, UnknownWord
from tests.play.stage import BRANCHES, PROTECTED, Player, Stage
from tests.play.steps import Stack, Working
from tests.play.waiting import eventually


class CredentialPlayer(Player):
    """A user, repositories, projects in GitLab, and the resource in a stack of its own."""

    GIVEN = ("infra has no commits",)

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        super().__init__(stage, scenario)
        requests = [step for step in scenario.steps if step.word in ("create", "update")]
        written = [self.defaults(), *map(self.properties_of, requests)]
        mirrors = [mirror for properties in written for mirror in properties.get("Mirrors") or ()]
        self._repositories = sorted({mirror["RepositoryName"] for mirror in mirrors})
        self.sources = {
            name: stage.source(name) for name in sorted({mirror["GitLabProject"] for mirror in mirrors})
        }
        self.working = {name: Working(stage.directory / name) for name in self.sources}
        self.user = f"user-{stage.env_id}-{stage.id}"
        self.secret = f"codecommit-mirror/{self.user}"
        # The newest commit of a branch of a project.
        self._pushed: dict[tuple[str, str], str] = {}

    def defaults(self) -> dict[str, Any]:
        return {"UserName": "mirror", "GitLab": {}, "Mirrors": [self._mirror("infra")]}

    def properties_of(self, step: Step) -> dict[str, Any]:
        written = super().properties_of(step)
        if isinstance(written.get("Mirrors"), list):
            written["Mirrors"] = [self._mirror(each) for each in written["Mirrors"]]
        return written

    def _mirror(self, written: str | dict[str, Any]) -> dict[str, Any]:
        """A mirror is written as the name of its project and repository, or as its differences from the
        default one."""
        name = written if isinstance(written, str) else "infra"
        mirror = {
            "GitLabProject": name,
            "RepositoryName": name,
            "RequiredBranches": ["main"],
            **({} if isinstance(written, str) else written),
        }
        return {name: value for name, value in mirror.items() if value is not None}

    def names(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "UserName": lambda _: self.user,
            "RepositoryName": self.repository,
            "RequiredBranches": lambda names: [self.branch(name) for name in names],
            "GitLabProject": lambda name: self.sources[name].project.path,
            "GitLab": self._gitlab,
        }

    def _gitlab(self, written: dict[str, Any]) -> dict[str, Any]:
        source = self.sources["infra"]
        return {"Url": source.gitlab.url, "TokenSecretId": source.secret_id, **written}

    def repository(self, name: str) -> str:
        return f"codecommit-{self.stage.env_id}-{self.stage.id}-{name}"

    def prepare(self) -> None:
        is_empty = "infra has no commits" in self.scenario.given
        for name, source in self.sources.items():
            for branch in PROTECTED:
                source.project.protect(self.branch(branch))
            for branch in () if is_empty else BRANCHES:
                self._push(name, branch)
        arns = [{"Fn::GetAtt": [name.title(), "Arn"]} for name in self._repositories]
        policy = {
            "PolicyName": "push",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["codecommit:GitPull", "codecommit:GitPush"],
                        "Resource": arns,
                    }
                ],
            },
        }
        self.create_base(
            {
                "User": {
                    "Type": "AWS::IAM::User",
                    "Properties": {"UserName": self.user, "Policies": [policy]},
                },
                **{name.title(): self.base_repository(self.repository(name)) for name in self._repositories},
            }
        )

    # --- steps --------------------------------------------------------------------------------

    def do_update(self, step: Step) -> None:
        """A new serial replaces the credential."""
        is_new = isinstance(step.subject, dict) and "RotationSerial" in step.subject
        before = self._login() if is_new else ""
        super().do_update(step)
        if is_new and not step.fails:
            assert self._login() != before, "the credential is the former one"

    def do_push(self, step: Step) -> None:
        written = step.subject if isinstance(step.subject, dict) else {}
        self._push("infra", written.get("branch", "main"))

    def _push(self, project: str, branch: str) -> None:
        source = self.sources[project]
        self._pushed[project, branch] = accepted(
            self.working[project].push(
                source.developer(), source.project.url, to=f"+refs/heads/{self.branch(branch)}"
            )
        ).commit

    def do_schedule(self, step: Step) -> None:
        self._rotation(RotateImmediately=False)

    def do_rotate(self, step: Step) -> None:
        before = self._login()
        self._rotation()
        eventually(lambda: self._login() != before, f"a new login is in {self.secret}")

    def _rotation(self, **settings: Any) -> None:
        token = Stack(self.aws, f"cfn-gitops-{self.stage.env_id}").outputs()["ServiceToken"]
        self.aws.client("secretsmanager").rotate_secret(
            SecretId=self.secret,
            RotationLambdaARN=token,
            RotationRules={"AutomaticallyAfterDays": 30},
            **settings,
        )

    def do_by_hand(self, step: Step) -> None:
        by_hand = {
            "the mirrors are removed": self._remove_mirrors,
            "the credential is set to inactive": self._deactivate_credential,
        }
        if step.subject not in by_hand:
            raise UnknownWord(f"unknown: {step.subject}. Known are {', '.join(by_hand)}")
        by_hand[step.subject]()

    def _deactivate_credential(self) -> None:
        self.aws.client("iam").update_service_specific_credential(
            UserName=self.user, ServiceSpecificCredentialId=self._login(), Status="Inactive"
        )

    def _remove_mirrors(self) -> None:
        for source, mirror, _ in list(self._mirrors()):
            source.project.delete_mirror(mirror.id)

    # --- the state ----------------------------------------------------------------------------

    def _login(self) -> str:
        """The ID of the credential in the secret."""
        login = steps.login(self.aws, self.secret)
        self.stage.passwords.add(login.password)
        return login.credential_id

    def is_at_rest(self) -> str:
        """One login, which is in the secret, and a mirror for each of the properties, with its branches."""
        assert self.properties is not None
        versions = self.aws.client("secretsmanager").describe_secret(SecretId=self.secret)[
            "VersionIdsToStages"
        ]
        if any("AWSPENDING" in stages for stages in versions.values()):
            return "the rotation is not complete"
        held = steps.credential_ids(self.aws, self.user, status="Active")
        if held != [self._login()]:
            return f"IAM lists the credentials {held}, and the secret has another one"
        mirrors = sorted((source.project.path, name) for source, _, name in self._mirrors())
        wanted = self.properties.get("Mirrors", [])
        expected = sorted(
            (self.sources[each["GitLabProject"]].project.path, each["RepositoryName"]) for each in wanted
        )
        if mirrors != expected:
            return f"the mirrors are {mirrors}, and not {expected}"
        settings = {
            each["RepositoryName"]: (
                each.get("OnlyProtectedBranches", "true").lower(),
                each.get("KeepDivergentRefs", "false").lower(),
            )
            for each in wanted
        }
        shown = {
            name: (str(mirror.only_protected_branches).lower(), str(mirror.keep_divergent_refs).lower())
            for _, mirror, name in self._mirrors()
        }
        if shown != settings:
            return f"the settings of the mirrors are {shown}, and not {settings}"
        return next(filter(None, map(self._differs, wanted)), "")

    def _differs(self, mirror: dict[str, Any]) -> str:
        """The protected branches of its repository. Others come with the next push, and may stay."""
        there = self._branches(mirror["RepositoryName"])
        late = [
            branch
            for (project, branch), commit in self._pushed.items()
            if project == mirror["GitLabProject"] and branch in PROTECTED and there.get(branch) != commit
        ]
        return f"{mirror['RepositoryName']} lacks the newest commits of {late}" if late else ""

    def is_left(self) -> str:
        left = {
            "mirrors": self.see_mirrors(),
            "credentials": self.see_credentials(),
            "secret": int(steps.secret_exists(self.aws, self.secret)),
        }
        return ", ".join(f"{count} {kind}" for kind, count in left.items() if count)

    def see_repository(self) -> list[str]:
        return sorted(self._branches("infra"))

    def _branches(self, repository: str) -> dict[str, str]:
        codecommit, name, prefix = (
            self.aws.client("codecommit"),
            self.repository(repository),
            self.stage.prefix,
        )
        pages = codecommit.get_paginator("list_branches").paginate(repositoryName=name)
        own = [branch for page in pages for branch in page["branches"] if branch.startswith(prefix)]
        return {
            branch.removeprefix(prefix): codecommit.get_branch(repositoryName=name, branchName=branch)[
                "branch"
            ]["commitId"]
            for branch in own
        }

    def see_mirrors(self) -> int:
        return len(list(self._mirrors()))

    def _mirrors(self) -> Iterator[tuple[Source, Any, str]]:
        """Those to the story's repositories, with the names that the story has for them."""
        for source in self.sources.values():
            for mirror in source.project.mirrors():
                repository = mirror.url.rstrip("/").rsplit("/", 1)[-1]
                yield from (
                    (source, mirror, name)
                    for name in self._repositories
                    if self.repository(name) == repository
                )

    def see_credentials(self) -> int:
        return len(steps.credential_ids(self.aws, self.user, status="Active"))
