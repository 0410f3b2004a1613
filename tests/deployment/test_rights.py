"""docs/how-to/rights.md: a member of the deployers' group deploys, changes, upgrades and deletes an
environment and a project, and CloudFormation does the rest with the role of templates/deployment.yaml. Each
action that the role has is one that it used, or one of the handlers of the resources' types. Each that the
group has was used, or is listed with a reason.
"""

import fnmatch
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.outdated import outdate
from tests.deployment.pages import Folder, blocks, clone, loop_over_projects, project_table
from tests.deployment.test_upgrade import former_template
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.steps import BOOTSTRAP, DEPLOYABLE, ROOT, Stack
from tests.templates.test_handlers import DEPLOYMENT, permissions

PAGE = ROOT / "docs/how-to/rights.md"
ROLE, POLICY = "cfn-gitops-dev-deployment", "policy-dev-deployment"
DEPLOY, CFN_GITOPS = "sam deploy --config-env dev --no-confirm-changeset", "python -m cli {} --env dev".format
_TABLE = "[dev.deploy.parameters]\n"
# A stack that cannot roll back, a change set that CloudFormation's validation rejects, a tag that is removed,
# an execution in progress, and a large upload that fails.
NOT_NEEDED_BY_DORA = {
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DescribeEvents",
    "cloudformation:UntagResource",
    "codepipeline:ListPipelineExecutions",
    "s3:AbortMultipartUpload",
}


class Scene:
    """An account in which an administrator ran the page's commands, and Dora's shell in a clone."""

    def __init__(self, aws: LocalAws, gitlab: local_gitlab.LocalGitLab, directory: Path) -> None:
        self.aws, self.gitlab, self.directory = aws, gitlab, directory
        self.clone = clone(directory / "clone")
        self.administrator = Folder(aws, self.clone, directory, gitlab.url)
        bucket, create, *_ = blocks(PAGE)
        self.administrator.run(bucket)
        self.administrator.run(create)
        key = aws.client("iam").create_access_key(UserName="dora")["AccessKey"]
        aws.put_iam_into_effect()
        self.dora = Folder(
            aws,
            self.clone,
            directory,
            gitlab.url,
            PYTHONPATH=str(ROOT),
            AWS_ACCESS_KEY_ID=key["AccessKeyId"],
            AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"],
        )

    def source(self, name: str) -> Source:
        source = Source(self.aws, self.gitlab, f"platform/{name}", f"gitlab/{name}", "main")
        source.store_token()
        return source

    def write(self, **parameters: str) -> None:
        self.dora.write_parameters("dev", 'parameter_overrides = [\n    "EnvID=dev",\n]\n', **parameters)

    def name_the_role(self, page: str) -> None:
        settings = self.clone / "samconfig.toml"
        settings.write_text(
            settings.read_text().replace(_TABLE, _TABLE + page.replace("111122223333", self.aws.account_id))
        )

    def change_the_code(self) -> None:
        """As another release has another function."""
        package = self.clone / "another.zip"
        former = BOOTSTRAP.with_name("function.zip")
        package.write_bytes(former.read_bytes())
        with zipfile.ZipFile(package, "a") as archive:
            archive.writestr("another", "release")
        template = self.clone / "template.yaml"
        template.write_text(template.read_text().replace(str(former), str(package)))

    def used(self, principal: str) -> set[str]:
        return {decision["action"] for decision in self.aws.decisions(principal) if decision["allowed"]}

    def denied(self, principal: str) -> list[tuple[str, str]]:
        return [
            (decision["action"], decision["resource"])
            for decision in self.aws.decisions(principal)
            if not decision["allowed"] and not decision.get("late")
        ]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    if BOOTSTRAP == DEPLOYABLE:
        pytest.skip("another code of the function is a zip of the machine's own build")
    with (
        LocalAws(settings=IAM_IS_LATE) as aws,
        local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as gitlab,
    ):
        yield Scene(aws, gitlab, tmp_path)


def test_deployers_deploy_change_upgrade_and_delete(scene: Scene) -> None:
    aws, dora, given = (
        scene.aws,
        scene.dora,
        scene.source("infra").parameters(ProjectID="infra", BranchName="main"),
    )
    boundary = aws.client("iam").create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )["Policy"]["Arn"]
    [line] = blocks(PAGE, "toml")
    scene.name_the_role(line)

    scene.write(**given | {"GitLabProject": "platform/typo"})
    check = f"{CFN_GITOPS('check')} --ignore token-secret"
    dora.run(DEPLOY, fails=True)
    dora.run(deletion(dora.run(check, fails=True)))
    scene.write(**given)
    dora.run(check)
    dora.run(DEPLOY)
    # The rollback takes the boundary away again.
    scene.write(**given | {"PermissionsBoundaryArn": boundary, "GitLabProject": "platform/typo"})
    dora.run(DEPLOY, fails=True)
    assert Stack(aws, "cfn-gitops-dev").status() == "UPDATE_ROLLBACK_COMPLETE"
    scene.write(**given, DeployedRoles="Bounded", HealthCheckMinutes="30", FunctionApprovals="NoChanges")
    scene.change_the_code()
    dora.run(DEPLOY)

    # Stores the token.
    scene.source("shop")
    role = f"arn:aws:iam::{aws.account_id}:role/{ROLE}"
    without_role = project_table('"GitLabUrl=https://gitlab.com",')
    project = without_role.replace("\n", f"\n{line.replace('111122223333', aws.account_id)}", 1)
    dora.deploy(project.replace("platform/shop", "platform/typo"), fails=True)
    assert "platform/typo" in dora.run(f"{CFN_GITOPS('failures project-dev-shop')}", fails=True)
    dora.run(deletion(f"aws cloudformation delete-stack --stack-name project-dev-shop --role-arn {role}"))

    # An administrator's stack without the role: nothing of it is changed with Dora's own permissions.
    scene.administrator.deploy(without_role)
    project_stack, child = Stack(aws, "project-dev-shop"), Stack(aws, "gitops-dev-shop")
    changed = 'overrides = [\n"GitLabProjectUrl=https://gitlab.example.com/platform/shop",'
    assert "perform: cloudformation:CreateChangeSet" in dora.deploy(
        without_role.replace("overrides = [", changed), fails=True
    )
    assert "perform: cloudformation:DeleteStack" in dora.run(
        "aws cloudformation delete-stack --stack-name project-dev-shop", fails=True
    )
    assert tuple(project_stack.describe().get(key) for key in ("StackStatus", "RoleARN")) == (
        "CREATE_COMPLETE",
        None,
    )
    assert "No changes to deploy" in dora.deploy(project)
    dora.deploy(project.replace("overrides = [", changed))
    assert sorted(dora.run(blocks(PAGE)[2]).splitlines()) == [
        f"cfn-gitops-dev\t{role}",
        f"project-dev-shop\t{role}",
    ]
    outdate(aws, child)
    scene.administrator.run(
        "aws cloudformation deploy --template-file templates/people.yaml --stack-name people-dev"
        " --capabilities CAPABILITY_NAMED_IAM --parameter-overrides EnvID=dev"
        " && aws iam add-user-to-group --group-name group-dev-observers --user-name dora"
    )
    aws.put_iam_into_effect()
    (scene.clone / "projects.txt").write_text("project-dev-shop\n")
    loop = loop_over_projects(role).replace("./cfn-gitops", "python -m cli")
    # That of another release: the stack has that of this one.
    loop = loop.replace("templates/project.yaml", str(former_template(scene.directory)))
    (scene.clone / "projects.sh").write_text(loop)
    dora.run("bash projects.sh")
    assert child.outputs()["RenderingVersion"] == "1"
    dora.run(f"{check} && {CFN_GITOPS('failures')}")

    dora.run(deletion(dora.run(f"{CFN_GITOPS('undeploy')} --yes", fails=True)))
    dora.run(f"{CFN_GITOPS('undeploy')} --yes")
    assert "does not exist" in dora.run(f"{CFN_GITOPS('undeploy')} --yes")

    assert scene.denied(f":assumed-role/{ROLE}/") == []
    assert {action for action, _ in scene.denied(":user/dora")} == {
        "cloudformation:CreateChangeSet",
        "cloudformation:DeleteStack",
        "secretsmanager:DescribeSecret",
    }, "her check reads the token"
    handlers = {action for kind in DEPLOYMENT for action in permissions(kind)}
    needed = handlers | scene.used(f":assumed-role/{ROLE}/")
    assert [action for action in steps.granted_actions(aws, ROLE) if not fnmatch.filter(needed, action)] == []
    document = aws.client("iam").get_policy_version(
        PolicyArn=f"arn:aws:iam::{aws.account_id}:policy/{POLICY}", VersionId="v1"
    )
    granted = {
        action
        for statement in document["PolicyVersion"]["Document"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert granted - scene.used(":user/dora") == NOT_NEEDED_BY_DORA


def deletion(output: str) -> str:
    """The command in this text, as `cfn-gitops` prints it, and the wait for its end."""
    [(command, stack)] = re.findall(
        r"(aws cloudformation delete-stack --stack-name (\S+) --role-arn \S+)", output
    )
    return f"{command} && aws cloudformation wait stack-delete-complete --stack-name {stack}"
