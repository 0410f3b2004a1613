"""docs/how-to/another-gitlab-address.md: a project moves to another GitLab, which keeps the path."""

from pathlib import Path

from tests.deployment.pages import OF_DEV, Folder, blocks
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import ROOT

STORE, TAG = blocks(ROOT / "docs/how-to/another-gitlab-address.md")
DEPLOY = "sam deploy --config-env dev --no-confirm-changeset --no-progressbar"


def test_mirror_follows_and_the_former_one_cannot_push(
    account: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    reader = Folder(account, folder, tmp_path, gitlab.url)
    source = Source(account, gitlab, "platform/moving", "gitlab/infra", "main")
    infra = MirroredProject(account, "dev", "infra", tmp_path, source, "main")
    source.store_token()
    first = infra.push_only().commit
    reader.write_parameters("dev", OF_DEV, ProjectID="infra", BranchName="main", **source.parameters())
    reader.run(DEPLOY)
    assert infra.deploy(first) == "Succeeded", infra.said()
    former, [mirror] = infra.mirror_login(), source.recorded(infra.secret)

    with local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as other:
        moved = Source(account, other, source.project.path, source.secret_id, "main")
        there = MirroredProject(account, "dev", "infra", tmp_path / "moved", moved, "main")
        there.working = infra.working
        second = there.push_only().commit
        reader.run(STORE, typed=other.token)
        reader.run(TAG.replace("https://gitlab.example.org", other.url))
        reader.write_parameters("dev", OF_DEV, ProjectID="infra", BranchName="main", **moved.parameters())
        reader.run(DEPLOY)
        assert there.deploy(second) == "Succeeded", there.said()
        assert there.deploy(there.push().commit) == "Succeeded", there.said()

        # The former GitLab still has its mirror, whose login is dead.
        assert [each.id for each in source.project.mirrors()] == [mirror]
        assert former.status(infra.mirrored_url) == 401
        printed = reader.run("./cfn-gitops doctor --env dev", fails=True)
        left = f"push mirror {mirror} of project platform/moving"
        assert left in printed and f"the former GitLab.Url {gitlab.url}" in printed, printed
