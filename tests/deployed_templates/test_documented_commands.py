"""The commands of pages in docs/how-to/, run unchanged by bash and the real AWS CLI."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import error_of, eventually
from tests import preloaded
from tests.deployed_templates.helpers import a_queue_of, deleted
from tests.deployed_templates.loop import Loop, begun
from tests.deployment.pages import blocks

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/how-to"
# Stacks that remain have no owner, and other tests here list the account's stacks.
OTHER_REGION = "eu-west-1"


class Page:
    """The shell blocks of one page, in a region of their own and a directory that contains the templates."""

    def __init__(self, aws: LocalAws, name: str, directory: Path, region: str = OTHER_REGION) -> None:
        self.blocks = blocks(PAGES / name)
        self._environment = {**aws.environment(), "AWS_REGION": region, "AWS_DEFAULT_REGION": region,
                             "PATH": f"{preloaded.path()}:/usr/bin:/bin", "HOME": str(directory)}
        self._directory = directory
        (directory / "templates").symlink_to(ROOT / "templates")

    def run(self, *blocks: int, key: dict[str, str] | None = None) -> str:
        """Runs the blocks in one shell, as the administrator or with an access key."""
        done = self.attempt(*blocks, key=key)
        assert done.returncode == 0, f"{blocks}\n{done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *blocks: int, key: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        given = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]} if key else {}
        return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", "".join(self.blocks[block] for block in blocks)],
                              cwd=self._directory, env={**self._environment, **given}, text=True, capture_output=True,
                              timeout=120, check=False)


@pytest.fixture
def codecommit(aws: LocalAws) -> Any:
    return boto3.client("codecommit", region_name=OTHER_REGION, endpoint_url=aws.endpoint_url,
                        aws_access_key_id=aws.account_id, aws_secret_access_key="local")


def test_the_commands_about_approval_rules_do_what_the_page_says(aws: LocalAws, codecommit: Any, tmp_path: Path) -> None:
    page = Page(aws, "approval-rules.md", tmp_path)
    create, associate, look, change, remove = range(len(page.blocks))
    repositories = ["codecommit-dev-handbook", "codecommit-dev-website"]
    for name in repositories:
        codecommit.create_repository(repositoryName=name)
    page.run(create)
    names = ["1 approval for development", "2 approvals for master"]
    assert codecommit.list_approval_rule_templates()["approvalRuleTemplateNames"] == names
    assert '"errors": []' in page.run(associate)
    output = page.run(look)
    assert all(name in output for name in [*names, *repositories])

    def content() -> str:
        return str(codecommit.get_approval_rule_template(approvalRuleTemplateName=names[0])["approvalRuleTemplate"][
            "approvalRuleTemplateContent"])

    assert '"NumberOfApprovalsNeeded": 1' in content()
    page.run(change)
    assert '"NumberOfApprovalsNeeded": 2' in content()
    page.run(remove)
    assert codecommit.list_approval_rule_templates()["approvalRuleTemplateNames"] == []
    for name in repositories:
        assert codecommit.list_associated_approval_rule_templates_for_repository(
            repositoryName=name)["approvalRuleTemplateNames"] == []
        codecommit.delete_repository(repositoryName=name)


def test_people_commands_create_a_member_and_leave_nothing(aws: LocalAws, tmp_path: Path) -> None:
    page = Page(aws, "people.md", tmp_path, aws.region)
    make, remove = range(len(page.blocks))
    iam = aws.client("iam")
    page.run(make)
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="mary")["Groups"]] == ["group-dev-power-users"]
    # Its groups are not empty.
    assert deleted(aws, "people-dev") == "DELETE_FAILED"
    page.run(remove)
    iam.delete_user(UserName="mary")
    assert not [group for group in iam.list_groups()["Groups"] if group["GroupName"].startswith("group-dev-")]


def cloned_shop(there: LocalAws, directory: Path) -> Loop:
    """The project shop of the environment dev. In an account of its own, because the pages name this environment."""
    shop = Loop(there, "dev", directory)
    shop.make_surroundings()
    assert shop.change_child("create", "false") == "CREATE_COMPLETE", shop.child.events()
    shop.clone()
    return shop


def test_approvers_commands_approve_and_reject(aws: LocalAws, tmp_path: Path) -> None:
    there = aws.in_account("444455556666")
    shop, iam = cloned_shop(there, tmp_path), there.client("iam")
    page = Page(there, "approvers.md", tmp_path, aws.region)
    make, read, approve, reject, remove = range(len(page.blocks))
    page.run(make)
    iam.create_user(UserName="mary")
    iam.add_user_to_group(GroupName="group-dev-power-users", UserName="mary")
    olivia, mary = (iam.create_access_key(UserName=name)["AccessKey"] for name in ("olivia", "mary"))

    first = begun(shop)
    token = shop.pipeline.waits_for_approval(first)["token"]
    assert "AccessDenied" in page.attempt(read, approve, key=mary).stderr
    given = {"pipelineName": shop.pipeline.name, "stageName": "Deploy", "actionName": "Approval", "token": token}
    hers = there.client("codepipeline", mary)
    assert error_of(hers.put_approval_result, **given, result={"status": "Approved", "summary": ""})[0] == "AccessDeniedException"
    assert shop.pipeline.status(first) == "InProgress"
    assert re.search(r"^\|  Add +\|.*AWS::", page.run(read, approve, key=olivia), re.MULTILINE)
    assert shop.pipeline.ended(first) == "Succeeded", shop.pipeline.said()

    second = shop.pipeline.execution_of(shop.push(message="Another"))
    shop.pipeline.waits_for_approval(second)
    page.run(read, reject, key=olivia)
    assert shop.pipeline.ended(second) == "Failed"
    assert "not today" in shop.pipeline.error(second)
    assert error_of(there.client("codepipeline", olivia).start_pipeline_execution, name=shop.pipeline.name)[0] == "AccessDeniedException"
    page.run(remove)
    assert "AccessDenied" in page.attempt(read, key=olivia).stderr


def test_notifications_commands_notify_of_a_waiting_approval(aws: LocalAws, tmp_path: Path) -> None:
    there = aws.in_account("444455556667")
    shop, sqs = cloned_shop(there, tmp_path), there.client("sqs")
    first = begun(shop)
    page = Page(there, "notifications.md", tmp_path, aws.region)
    channels, rules, _ = range(len(page.blocks))
    assert "microsoft-teams-channel/teams-dev-notifications" in page.run(channels)
    page.run(rules)
    topic = f"arn:aws:sns:{aws.region}:{there.account_id}:sns-dev-notifications"
    queue = a_queue_of(there, topic)
    shop.pipeline.decide(first)
    shop.pipeline.ended(first)
    second = shop.pipeline.execution_of(shop.push(message="Another"))
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages", []), lambda found: len(found) == 1)
    detail = json.loads(json.loads(message["Body"])["Message"])["detail"]
    assert (detail["execution-id"], detail["action"]) == (second, "Approval")


@pytest.mark.parametrize("page", ["people.md", "approvers.md", "branch-protection.md", "approval-rules.md", "notifications.md"])
def test_named_templates_and_parameters_exist(page: str) -> None:
    text = (PAGES / page).read_text()
    written = "".join(template.read_text() for template in [*(ROOT / "templates").glob("*.yaml"), ROOT / "template.yaml"])
    for parameter in re.findall(r"\b([A-Z][a-z][A-Za-z]+)=(?!=)", text):
        assert f"\n  {parameter}:\n" in written, parameter
    for template in re.findall(r"`(?:templates/)?([a-z-]+\.yaml)`", text):
        assert (ROOT / "templates" / template).exists() or (ROOT / template).exists(), template
