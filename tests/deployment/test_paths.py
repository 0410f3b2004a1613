"""Projects that share a repository and start for their own files."""

from typing import Any

from tests.local.aws import LocalAws
from tests.play.pipelines import ProjectStack, eventually


def test_two_projects_of_one_repository_start_for_their_files(
    aws: LocalAws, stack: ProjectStack, other_stack: ProjectStack
) -> None:
    shop, web = stack.project, other_stack.project
    only: dict[str, Any] = {"Approval": {"Required": True}}
    assert stack.make(Source={"Paths": {"Includes": ["shop-*"]}}, **only) == "CREATE_COMPLETE", (
        stack.failures()
    )
    shared = {"RepositoryName": shop.repository, "Paths": {"Includes": ["web-*"], "Excludes": ["*.md"]}}
    assert other_stack.make(Source=shared, **only) == "CREATE_COMPLETE", other_stack.failures()
    # The first push creates and starts both pipelines.
    first = shop.push().commit
    assert shop.deploy(first) == "Succeeded"
    web.execution_of(first)

    of_web = shop.push(further={"web-1": "1\n"}).commit
    web.execution_of(of_web)
    of_neither = shop.push(further={"web-1.md": "1\n", "shop": "1\n"}).commit
    of_shop = shop.push(further={"shop-1": "1\n"}).commit
    assert shop.deploy(of_shop) == "Succeeded"
    assert shop.deployed_commit() == of_shop

    def commits(project: Any) -> list[str]:
        return [
            execution["sourceRevisions"][0]["revisionId"]
            for execution in project.executions()
            if execution.get("sourceRevisions")
        ]

    # All events were delivered in the meantime, as the first project has deployed the last push.
    eventually(lambda: commits(web) == [first, of_web], "the other project runs its own pushes")
    assert commits(shop) == [first, of_shop]
    assert of_neither not in commits(web)
