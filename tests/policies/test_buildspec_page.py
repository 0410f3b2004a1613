"""docs/reference/buildspec.md: each section of AWS's reference has a verdict, which the policies and the
renderings confirm."""

import re
from functools import cache
from pathlib import Path

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.policies import scene
from tests.policies.collected import Stack
from tests.policies.tables import BUCKET, BUILD_ROLE, REVIEW_ROLE, regional
from tests.templates.deployed import REGION, Deployed, translated
from tests.templates.named import AS_A_BUILD, REPORTS
from tests.templates.renderings import NAMES, rendering

PAGE = (Path(__file__).parents[2] / "docs/reference/buildspec.md").read_text()
# https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec-ref-syntax
# A phase and a report have any name. `batch` has a page of its own: batch-build-buildspec.html
SECTIONS = """version run-as env/shell env/variables env/parameter-store env/secrets-manager
    env/exported-variables env/git-credential-helper proxy/upload-artifacts proxy/logs batch
    phases/*/run-as phases/*/on-failure phases/*/commands phases/*/finally phases/install/runtime-versions
    reports reports/*/files reports/*/file-format reports/*/base-directory reports/*/discard-paths
    artifacts/files artifacts/name artifacts/discard-paths artifacts/base-directory artifacts/exclude-paths
    artifacts/enable-symlinks artifacts/s3-prefix artifacts/secondary-artifacts cache/key
    cache/fallback-keys cache/action cache/paths""".split()
VERDICT = re.compile(r"works with|works|has no effect|does not work")
UUID = "5f1d2c90-0000-4000-8000-000000000001"
# The calls that a section needs, in the pipeline's build and in the review's.
RIGHTS = {
    "env/parameter-store": [("ssm:GetParameters", regional("ssm", "parameter/build/dev/licence"))] * 2,
    "env/secrets-manager": (
        [("secretsmanager:GetSecretValue", regional("secretsmanager", "secret:build/dev/registry-AbC123"))]
        * 2
    ),
    "env/git-credential-helper": (
        [("codecommit:GitPull", regional("codecommit", "codecommit-dev-cfn-shop"))] * 2
    ),
    "reports": [
        (REPORTS, regional("codebuild", f"report-group/codebuild-dev-{kind}-shop-unit"))
        for kind in ("cfn", "review")
    ],
    "artifacts/files": [
        ("s3:PutObject", f"{BUCKET}/{key}")
        for key in ("codepipeline-dev-cfn/BuildArtif/Xa3bC4d", f"review/shop/{UUID}/root-stack-shop.yaml")
    ],
    # The key of a review: <s3-prefix>/<build ID>/<name>
    "artifacts/s3-prefix": [None, ("s3:PutObject", f"{BUCKET}/releases/{UUID}/root-stack-shop.yaml")],
}


def table(heading):
    """The rows of a section's table, with the names in the first cell."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in re.findall(r"^\| .*\|$", section, re.MULTILINE)
    ]
    return [(re.findall(r"`([^`]+)`", row[0]), row[1:]) for row in rows[1:] if not row[0].startswith("---")]


def verdict(section, column):
    return next(cells[column] for names, cells in table("Sections") if section in names)


@cache
def default_world():
    return scene.world_with(Stack("template", Deployed(template=translated(), EnvID="dev")))


def may(world, role, call):
    actions, resource = call
    return {bool(world.may(role, action, resource, AS_A_BUILD)) for action in actions.split()} == {True}


def resources(kind):
    return [
        resource["Properties"]
        for name in NAMES
        for resource in rendering(name)["Resources"].values()
        if resource["Type"] == kind
    ]


def actions():
    return [
        action
        for pipeline in resources("AWS::CodePipeline::Pipeline")
        for stage in pipeline["Stages"]
        for action in stage["Actions"]
    ]


def test_page_has_each_section_of_the_reference_once():
    assert sorted(name for names, _ in table("Sections") for name in names if name in SECTIONS) == sorted(
        SECTIONS
    )
    assert all(VERDICT.match(cell) for _, cells in table("Sections") for cell in cells)


@pytest.mark.parametrize("section", RIGHTS)
@pytest.mark.parametrize("column", [0, 1], ids=["pipeline", "review"])
def test_verdict_is_what_the_role_may(section, column):
    """By default, and with the parameters that the page names."""
    call, cell = RIGHTS[section][column], verdict(section, column)
    by_parameter = re.match(r"works with \[`(BuildParameterNames|BuildSecretNames)`\]", cell)
    expected = (True, True) if re.match("works(?! with)", cell) else (False, bool(by_parameter))
    if call:
        assert (
            tuple(
                may(world, (BUILD_ROLE, REVIEW_ROLE)[column], call)
                for world in (default_world(), scene.world())
            )
            == expected
        )


def test_build_action_has_one_artifact_and_no_batch():
    builds = [action for action in actions() if action["ActionTypeId"]["Provider"] == "CodeBuild"]
    assert {len(action["OutputArtifacts"]) for action in builds} == {1}
    assert not [action for action in builds if "BatchEnabled" in action["Configuration"]]
    for section in ("batch", "artifacts/secondary-artifacts"):
        assert [verdict(section, column)[:13] for column in (0, 1)] == ["does not work"] * 2


def test_page_has_each_namespace_of_the_pipeline():
    section = PAGE.split("\n## Variables of the pipeline\n", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"\b\w+Variables\b", section)) == {
        action["Namespace"] for action in actions() if "Namespace" in action
    }


def test_page_has_each_property_that_no_project_has():
    """A property of a younger schema fails here until the page has it."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, "AWS::CodeBuild::Project").schema
    projects = resources("AWS::CodeBuild::Project")
    read_only = {pointer.rsplit("/", 1)[1] for pointer in schema["readOnlyProperties"]}
    missing = {
        name for name in schema["properties"] if not any(name in project for project in projects)
    } - read_only
    for outer in ("Environment", "Source", "Artifacts", "LogsConfig"):
        missing |= {
            f"{outer}.{name}"
            for name in schema["definitions"][outer]["properties"]
            if not any(name in project[outer] for project in projects)
        }
    assert sorted(name for names, _ in table("Settings of a build project") for name in names) == sorted(
        missing
    )


def test_role_pulls_images_by_the_repositorys_policy():
    world, image = scene.world(), regional("ecr", "repository/ecr-dev-shop")
    assert may(world, BUILD_ROLE, ("ecr:GetAuthorizationToken", "*")) and not may(
        default_world(), BUILD_ROLE, ("ecr:GetAuthorizationToken", "*")
    )
    assert not may(world, REVIEW_ROLE, ("ecr:GetAuthorizationToken", "*"))
    assert not world.own_policies_allow(BUILD_ROLE, "ecr:GetDownloadUrlForLayer", image, {})
    for action in ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"):
        assert not world.own_policies_allow(BUILD_ROLE, action, image, {})
    # No breakpoint of Session Manager, either.
    for role in (BUILD_ROLE, REVIEW_ROLE):
        assert not world.own_policies_allow(role, "ssmmessages:OpenDataChannel", "*", {})
