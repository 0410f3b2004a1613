"""docs/how-to/remove.md: an environment with two projects is removed, and only the resources in the page's
list stay."""

from pathlib import Path

from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.mirroring import MirroredProject
from tests.play.pipelines import Project
from tests.play.steps import ROOT

PAGE, ALLOW = ROOT / "docs/how-to/remove.md", ROOT / "docs/how-to/allow-resources.md"


def test_page_leaves_what_it_lists(
    aws: LocalAws, infra: MirroredProject, reader: Folder, tmp_path: Path
) -> None:
    look, buckets, deployed, projects, environment, uploads, shared, people, policies, token = blocks(PAGE)
    [create_people] = [block for block in blocks(ROOT / "docs/how-to/approvers.md") if "create-user" in block]
    create_policies = blocks(ALLOW)[0]
    before = steps.deletion_marks(aws)  # of other pages' projects
    functions = look[: look.rindex("aws cloudformation")]
    reader.run(
        "aws cloudformation deploy --template-file templates/project.yaml --stack-name project-dev-shop "
        "--capabilities CAPABILITY_NAMED_IAM --parameter-overrides EnvID=dev ProjectID=shop BranchName=main"
        " DeployTemplatePath=root-stack-shop.yaml"
    )
    shop = Project(
        aws,
        "dev",
        "shop",
        tmp_path,
        lambda: steps.login(aws, "codecommit-mirror/user-dev-shop-mirror"),
        "main",
    )
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()
    reader.run(create_people)
    reader.run(create_policies)
    reader.run("aws secretsmanager create-secret --name gitlab/shop --secret-string unused")
    stacks = reader.run(look)
    for name in ("cfnstack-dev-infra", "cfnstack-dev-shop", "project-dev-shop", "cfn-gitops-dev"):
        assert f"{name}\t" in stacks, stacks

    assert reader.run(buckets).split() == []
    assert "FAILED" not in reader.run(functions + deployed)
    assert "project-dev-shop" in reader.run(functions + projects)
    reader.run(environment, typed="cfn-gitops-dev\n")
    assert infra.source.project.mirrors() == []
    reader.run(functions + uploads + shared)
    reader.run("aws cloudformation wait stack-delete-complete --stack-name aws-sam-cli-managed-default")
    reader.run(people)
    aws.client("iam").delete_user(UserName="olivia")
    reader.run(policies)
    reader.run(token)
    assert {kind: names for kind, names in steps.what_is_there(aws).items() if names} == {
        "secrets": ["gitlab/infra", "gitlab/shop"]
    }
    left = set(steps.deletion_marks(aws)) - set(before)
    assert {name.rpartition("-")[0] for name in left} == {
        "cfn-gitops-dev/deletions/infra",
        "cfn-gitops-dev/deletions/shop",
    }
