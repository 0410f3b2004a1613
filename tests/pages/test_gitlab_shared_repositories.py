"""docs/how-to/gitlab-shared-repositories.md: the mirror in one account, its pipeline in another."""

from pathlib import Path

from tests.deployment.pages import Folder, blocks, project_table
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import ROOT, Login
from tests.play.two_accounts import as_parameters
from tests.play.waiting import eventually

PAGE = ROOT / "docs/how-to/gitlab-shared-repositories.md"
PIPELINES, REPOSITORIES = "333344445555", "666677778888"


class Elsewhere(MirroredProject):
    """The pipeline of one account. GitLab mirrors to another."""

    there: LocalAws

    @property
    def mirrored_url(self) -> str:
        found = self.there.client("codecommit").get_repository(repositoryName="codecommit-git-shop")
        return str(found["repositoryMetadata"]["cloneUrlHttp"])

    def mirror_login(self) -> Login:
        return steps.login(self.there, "codecommit-mirror/user-git-shop-mirror")


def test_push_to_gitlab_is_deployed_by_another_account(
    aws: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    here, there = aws.in_account(PIPELINES), aws.in_account(REPOSITORIES)
    profiles = tmp_path / "profiles"
    reader = Folder(here, folder, tmp_path, gitlab.url, AWS_SHARED_CREDENTIALS_FILE=str(profiles))
    profiles.write_text(
        "".join(
            f"[{name}]\naws_access_key_id = {account}\naws_secret_access_key = local\n"
            for name, account in (("repositories", REPOSITORIES), ("dev", PIPELINES))
        )
    )
    source = Source(here, gitlab, "platform/shop", "gitlab/shop", "main")
    project = Elsewhere(here, "dev", "shop", tmp_path, source, "main")
    project.there = there
    first = project.push_only().commit
    of_repositories, token_there, token_here, mirror, trust, of_pipelines, pipeline = blocks(PAGE)
    answers = " --no-confirm-changeset --no-progressbar"
    reader.run(of_repositories.strip() + answers)
    for token in (token_there, token_here):
        reader.run(token, typed=gitlab.token)
    reader.run(f"{mirror.strip()} GitLabUrl={gitlab.url}")
    project.arrives("refs/heads/main", first)
    printed = reader.run(trust).splitlines()[-1]
    reader.write_parameters(
        "dev",
        'parameter_overrides = [\n    "EnvID=dev",\n]\n',
        **as_parameters(printed),
    )
    reader.run(of_pipelines.strip() + answers)
    [lines] = blocks(PAGE, "toml")
    lines = lines.replace("111122223333", REPOSITORIES)
    reader.write_table(project_table(lines, '"GitLabUrl=https://gitlab.com",'))
    reader.run(pipeline)
    assert project.deploy(first) == "Succeeded", project.said()
    second = project.push().commit
    assert project.deploy(second) == "Succeeded", project.said()
    assert project.deployed_commit() == second
    eventually(
        lambda: source.project.status_states(second).get("cfn-gitops/dev/shop") == "success",
        "GitLab shows the deployment",
    )
    assert here.client("iam").list_users()["Users"] == []
    assert [user["UserName"] for user in there.client("iam").list_users()["Users"]] == [
        "user-git-shop-mirror"
    ]
