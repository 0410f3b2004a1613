"""The order of deletion follows from the dependencies of the template."""

import copy
import re
from functools import cache
from itertools import pairwise

import networkx
import pytest
from cfnlint.template import Template

from tests.templates.deployed import REGION, TEMPLATE, TEMPLATES, Deployed, as_list, source, translated


def graph_of(template, path=TEMPLATE):
    """cfn-lint's graph: an edge leads from a resource to what it depends on."""
    graph = networkx.DiGraph(Template(str(path), template, [REGION]).graph.graph)
    return graph.subgraph(template["Resources"])  # without outputs and parameters


@cache
def dependencies():
    return graph_of(translated())


def deleted_before(graph, first, second):
    """CloudFormation deletes a resource before its dependencies."""
    return networkx.has_path(graph, first, second)


# A row that follows from two others is left out: Project before Function, and Function before FunctionRole.
# The tests of predecessors below have those of the credential and of the project.
@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("MirrorCredential", "MirrorUserPolicy", "an update on the way would be refused by CodeCommit"),
        ("MirrorUserPolicy", "MirrorUser", "DeleteUser fails while a policy is left"),
        (
            "MirrorRotation",
            "RotationPermission",
            "Secrets Manager tests the function when the schedule is created",
        ),
        ("RotationPermission", "Function", "it is a setting of the function"),
        ("HealthCheck", "Function", "the rule would invoke a deleted function"),
        ("ReportRule", "Function", "the rule would invoke a deleted function"),
        ("Dashboard", "SilenceAlarm", "it shows the alarm"),
        ("Project", "FunctionEventInvokeConfig", "it retries a killed Delete"),
        ("Project", "FirstPushPermission", "the pipeline's rule could not invoke the function"),
        ("Project", "ReportPermission", "the first execution would not be reported to GitLab"),
        ("Project", "ReviewPermission", "the first review would not be written"),
        ("Project", "ReviewRule", "the first review would not be written"),
        ("Project", "CodeBuildCFnRole", "the build project uses it"),
        ("Project", "ReviewCodeBuildCFnRole", "the build project of reviews uses it"),
        ("Project", "ReviewCodeBuildCFnPolicy", "it contains the permissions of a review's build"),
        ("Project", "CodePipelineCFnRole", "the pipeline uses it"),
        ("Project", "CodeDeployCFnRole", "the deployment uses it"),
        ("Project", "EventsRuleRole", "the rule starts the pipeline with it"),
        ("Project", "ArtifactBucketPolicy", "an artifact is never in an unprotected bucket"),
        ("Function", "ProvisioningRole", "the function's role may pass this role"),
        ("FirstPushPermission", "Function", "it is a setting of the function"),
        ("FunctionEventInvokeConfig", "Function", "it is a setting of the function"),
        ("Function", "FunctionRole", "a function without its role cannot run"),
        ("FunctionRole", "FunctionLogGroup", "its policy names the group"),
        ("ArtifactBucketPolicy", "ArtifactBucket", "a policy needs its bucket"),
        ("CodePipelineCFnRole", "CodePipelineCFnPolicy", "a role never exists without its policy"),
        ("CodeDeployCFnRole", "CodeDeployCFnPolicy", "a role never exists without its policy"),
        ("CodeBuildCFnRole", "CodeBuildCFnPolicy", "a role never exists without its policy"),
        ("EventsRuleRole", "EventsCodepipelineExecPolicy", "a role never exists without its policy"),
    ],
)
def test_deletion_follows_the_graph(first, second, why):
    assert deleted_before(dependencies(), first, second), why


@pytest.mark.parametrize(
    ("template", "order"),
    [
        ("project", ["MirrorRotation", "MirrorCredential", "MirrorUserPolicy", "MirrorUser"]),
        ("project", ["MirrorCredential", "Pipeline"]),
        ("cross-account-s3", ["EventRule", "Pipeline", "PipelineRole"]),
    ],
)
def test_stack_is_deleted_in_this_order(template, order):
    graph = graph_of(source(TEMPLATES / f"{template}.yaml"), TEMPLATES / f"{template}.yaml")
    assert all(deleted_before(graph, *pair) for pair in pairwise(order))


def test_little_is_deleted_before_the_credential_and_the_project():
    assert sorted(dependencies().predecessors("MirrorCredential")) == ["MirrorRotation", "SilenceAlarm"]
    assert list(dependencies().predecessors("Project")) == ["MirrorCredential"]


def test_the_functions_rights_are_part_of_its_role():
    """A policy beside the role could be deleted during the credential's deletion."""
    resources = translated()["Resources"]
    assert resources["FunctionRole"]["Properties"]["Policies"]
    assert [
        name
        for name, resource in resources.items()
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        and "FunctionRole" in str(resource)
    ] == []


@pytest.mark.parametrize(
    ("resource", "dependency"),
    [
        (resource, dependency)
        for resource in ("MirrorCredential", "MirrorRotation", "Project")
        for dependency in as_list(translated()["Resources"][resource]["DependsOn"])
    ],
)
def test_each_explicit_dependency_is_needed(resource, dependency):
    """These tests fail if one is removed."""
    template = copy.deepcopy(translated())
    kept = [name for name in as_list(template["Resources"][resource]["DependsOn"]) if name != dependency]
    template["Resources"][resource]["DependsOn"] = kept
    assert not deleted_before(graph_of(template), resource, dependency)


def certain_dependencies(node):
    """The dependencies of a resource with all parameters: not those in only one branch of Fn::If."""
    if isinstance(node, list):
        return set().union(*map(certain_dependencies, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = set()
    for key, value in node.items():
        if key in ("Ref", "DependsOn"):
            found |= set(as_list(value))
        elif key == "Fn::GetAtt":
            found.add(value.split(".")[0] if isinstance(value, str) else value[0])
        elif key == "Fn::Sub":
            text, local = value if isinstance(value, list) else (value, {})
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)} - set(
                local
            ) | certain_dependencies(local)
        elif key != "Fn::If":
            found |= certain_dependencies(value)
    return found


def test_every_resource_depends_on_the_guard_of_env_id():
    """An update that changes EnvID fails at the guard, so everything else has to come after it. A way over a
    resource with another condition does not count: without that resource, CloudFormation would not wait."""
    resources = translated()["Resources"]

    def is_behind(name, after):
        conditions = {None, resources[name].get("Condition")}
        return any(
            resources[each].get("Condition") in conditions
            for each in certain_dependencies(resources[name]) & after
        )

    after, found = set(), {"EnvIDGuard"}
    while found:
        after |= found
        found = {name for name in resources.keys() - after if is_behind(name, after)}
    assert resources.keys() - after == set()


def test_guard_of_env_id_depends_on_nothing_and_keeps_its_name():
    named, described = (
        [Deployed(EnvID=env).properties("EnvIDGuard")[key] for env in ("dev", "prd")]
        for key in ("ManagedPolicyName", "Description")
    )
    assert named == ["cfn-gitops-dev-eu-central-1-keeps-its-EnvID"] * 2
    assert described[0] != described[1]
    assert list(dependencies().successors("EnvIDGuard")) == []
