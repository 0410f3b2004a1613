"""The commands of pages in docs/how-to/, run unchanged by bash and the real AWS CLI."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deployed_templates.helpers import a_queue_of, deleted
from tests.deployed_templates.loop import Loop, begun
from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow, error_of, eventually
from tests.play.steps import ROOT

PAGES = ROOT / "docs/how-to"
# Repositories that remain have no owner, and other tests here list the account's repositories.
OTHER_REGION = "eu-west-1"


def shell_in(aws: LocalAws, directory: Path, **variables: str) -> Folder:
    """A shell in a folder that has the templates. Some commands write files there."""
    if not (directory / "templates").exists():
        (directory / "templates").symlink_to(ROOT / "templates")
    return Folder(aws, directory, directory, **variables)


def with_key(aws: LocalAws, directory: Path, user: str) -> tuple[Folder, Any]:
    """A shell with a new access key of the user, and a client of CodePipeline."""
    key = aws.client("iam").create_access_key(UserName=user)["AccessKey"]
    shell = shell_in(
        aws, directory, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"]
    )
    return shell, aws.client("codepipeline", key)


@pytest.fixture
def codecommit(aws: LocalAws) -> Any:
    return boto3.client(
        "codecommit",
        region_name=OTHER_REGION,
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=aws.account_id,
        aws_secret_access_key="local",
    )


def test_the_commands_about_approval_rules_do_what_the_page_says(
    aws: LocalAws, codecommit: Any, tmp_path: Path
) -> None:
    shell = shell_in(aws, tmp_path, AWS_REGION=OTHER_REGION, AWS_DEFAULT_REGION=OTHER_REGION)
    create, associate, look, change, remove = blocks(PAGES / "approval-rules.md")
    repositories = ["codecommit-dev-handbook", "codecommit-dev-website"]
    for name in repositories:
        codecommit.create_repository(repositoryName=name)
    shell.run(create)
    names = ["1 approval for development", "2 approvals for master"]
    assert codecommit.list_approval_rule_templates()["approvalRuleTemplateNames"] == names
    assert '"errors": []' in shell.run(associate)
    output = shell.run(look)
    assert all(name in output for name in [*names, *repositories])

    def content() -> str:
        return str(
            codecommit.get_approval_rule_template(approvalRuleTemplateName=names[0])["approvalRuleTemplate"][
                "approvalRuleTemplateContent"
            ]
        )

    assert '"NumberOfApprovalsNeeded": 1' in content()
    shell.run(change)
    assert '"NumberOfApprovalsNeeded": 2' in content()
    shell.run(remove)
    assert codecommit.list_approval_rule_templates()["approvalRuleTemplateNames"] == []
    for name in repositories:
        assert (
            codecommit.list_associated_approval_rule_templates_for_repository(repositoryName=name)[
                "approvalRuleTemplateNames"
            ]
            == []
        )
        codecommit.delete_repository(repositoryName=name)


def test_people_commands_create_a_member_and_leave_nothing(aws: LocalAws, tmp_path: Path) -> None:
    shell, iam = shell_in(aws, tmp_path), aws.client("iam")
    make, remove, observe = blocks(PAGES / "people.md")
    shell.run(make)
    shell.run(observe)
    groups = {group["GroupName"] for group in iam.list_groups_for_user(UserName="mary")["Groups"]}
    assert groups == {"group-dev-power-users", "group-dev-observers"}
    # Its groups are not empty.
    assert deleted(aws, "people-dev") == "DELETE_FAILED"
    iam.remove_user_from_group(GroupName="group-dev-observers", UserName="mary")
    shell.run(remove)
    iam.delete_user(UserName="mary")
    assert not [group for group in iam.list_groups()["Groups"] if group["GroupName"].startswith("group-dev-")]


def test_keys_commands_keep_a_token_readable(aws: LocalAws, tmp_path: Path) -> None:
    there = aws.in_account("444455556668")
    shell, secrets = shell_in(there, tmp_path), there.client("secretsmanager")
    look, to_default = blocks(PAGES / "keys.md")
    old, new = (str(there.client("kms").create_key()["KeyMetadata"]["Arn"]) for _ in range(2))
    for name in ("gitlab/infra", "codecommit-mirror/user-dev-codecommit-mirroring"):
        secrets.create_secret(Name=name, SecretString="token", KmsKeyId=old)
    assert "AWSCURRENT" in shell.run(look)
    # As the function's role, which may decrypt with GitLabTokenKmsKeyArn only.
    key = a_user_with(there, "reader", allow("secretsmanager:GetSecretValue", "*"), allow("kms:Decrypt", new))
    reader = there.client("secretsmanager", key)
    assert error_of(reader.get_secret_value, SecretId="gitlab/infra")[0] == "AccessDeniedException"
    for command in (to_default, to_default.replace("alias/aws/secretsmanager", new)):
        shell.run(command)
        assert reader.get_secret_value(SecretId="gitlab/infra")["SecretString"] == "token"
    assert secrets.describe_secret(SecretId="gitlab/infra")["KmsKeyId"] == new


def cloned_shop(there: LocalAws, directory: Path) -> Loop:
    """The project shop of the environment dev. In an account of its own, because the pages name this
    environment."""
    shop = Loop(there, "dev", directory)
    shop.make_surroundings()
    assert shop.change_child("create", "false") == "CREATE_COMPLETE", shop.child.events()
    shop.clone()
    return shop


def test_approvers_commands_create_a_person_who_decides(aws: LocalAws, tmp_path: Path) -> None:
    there = aws.in_account("444455556666")
    shop, iam, shell = cloned_shop(there, tmp_path), there.client("iam"), shell_in(there, tmp_path)
    # Those with `cfn-gitops` need the function: tests/pages/test_empty_shell.py,
    # tests/deployment/test_status.py.
    make, password, _, _, read, remove = blocks(PAGES / "approvers.md")
    shell.run(make)
    assert (
        re.fullmatch(r"\S{32}\n", shell.run(password))
        and iam.get_login_profile(UserName="olivia")["LoginProfile"]["PasswordResetRequired"]
    )
    iam.create_user(UserName="mary")
    iam.add_user_to_group(GroupName="group-dev-power-users", UserName="mary")
    (olivia, olivias), (mary, marys) = (with_key(there, tmp_path, user) for user in ("olivia", "mary"))

    first = begun(shop)
    token = shop.pipeline.waits_for_approval(first)["token"]
    assert "AccessDenied" in mary.run(read, fails=True)
    given = {
        "pipelineName": shop.pipeline.name,
        "stageName": "Deploy",
        "actionName": "Approval",
        "token": token,
        "result": {"status": "Approved", "summary": "read"},
    }
    assert error_of(marys.put_approval_result, **given)[0] == "AccessDeniedException"
    assert shop.pipeline.status(first) == "InProgress"
    assert json.loads(olivia.run(read)) == [[]]
    olivias.put_approval_result(**given)
    assert shop.pipeline.ended(first) == "Succeeded", shop.pipeline.said()
    assert error_of(olivias.start_pipeline_execution, name=shop.pipeline.name)[0] == "AccessDeniedException"
    shell.run(remove)
    assert "AccessDenied" in olivia.run(read, fails=True)


def test_notifications_commands_notify_of_a_waiting_approval(aws: LocalAws, tmp_path: Path) -> None:
    there = aws.in_account("444455556667")
    shop, sqs, shell = cloned_shop(there, tmp_path), there.client("sqs"), shell_in(there, tmp_path)
    first = begun(shop)
    channels, rules = blocks(PAGES / "notifications.md")
    assert "microsoft-teams-channel/teams-dev-notifications" in shell.run(channels)
    shell.run(rules)
    queue = a_queue_of(there, f"arn:aws:sns:{aws.region}:{there.account_id}:sns-dev-notifications")
    shop.pipeline.decide(first)
    shop.pipeline.ended(first)
    second = shop.pipeline.execution_of(shop.push(message="Another"))
    (message,) = eventually(
        lambda: sqs.receive_message(QueueUrl=queue).get("Messages", []), lambda found: len(found) == 1
    )
    detail = json.loads(json.loads(message["Body"])["Message"])["detail"]
    assert (detail["execution-id"], detail["action"]) == (second, "Approval")


@pytest.mark.parametrize(
    "page", ["people.md", "approvers.md", "branch-protection.md", "approval-rules.md", "notifications.md"]
)
def test_named_templates_and_parameters_exist(page: str) -> None:
    text = (PAGES / page).read_text()
    written = "".join(
        template.read_text() for template in [*(ROOT / "templates").glob("*.yaml"), ROOT / "template.yaml"]
    )
    for parameter in re.findall(r"\b([A-Z][a-z][A-Za-z]+)=(?!=)", text):
        assert f"\n  {parameter}:\n" in written, parameter
    for template in re.findall(r"`(?:templates/)?([a-z-]+\.yaml)`", text):
        assert (ROOT / "templates" / template).exists() or (ROOT / template).exists(), template
