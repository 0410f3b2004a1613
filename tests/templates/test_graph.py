"""The order of deletion is the template's, not luck: what must go later is depended on."""

import copy

import networkx
import pytest
from cfnlint.template import Template

from deployed import REGION, TEMPLATE, translated


def dependencies(template):
    """cfn-lint's graph: an edge leads from a resource to what it depends on."""
    graph = networkx.DiGraph(Template(str(TEMPLATE), template, [REGION]).graph.graph)
    return graph.subgraph(template["Resources"])  # without outputs and parameters


def deleted_before(template, first, second):
    """CloudFormation deletes what depends before what it depends on."""
    return networkx.has_path(dependencies(template), first, second)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("MirrorCredential", "MirrorUserPolicy", "an update on the way would be refused by CodeCommit"),
        ("MirrorCredential", "MirrorUser", "DeleteUser fails while a credential is left"),
        ("MirrorUserPolicy", "MirrorUser", "DeleteUser fails while a policy is left"),
        ("MirrorCredential", "CodeCommitCFN", "its proof asks for the repository"),
        ("MirrorCredential", "Function", "nobody else can delete it"),
        ("MirrorCredential", "FunctionEventInvokeConfig", "a killed Delete is run again by it"),
        ("MirrorCredential", "FunctionRole", "the function has its rights from it"),
        ("MirrorCredential", "FunctionLogGroup", "a failure must be readable"),
        ("FunctionEventInvokeConfig", "Function", "it is a setting of the function"),
        ("Function", "FunctionRole", "a function without its role cannot run"),
        ("Function", "FunctionLogGroup", "a log group deleted first would be written to again"),
        ("FunctionRole", "FunctionLogGroup", "its policy names the group"),
        ("ArtifactBucketPolicy", "ArtifactBucket", "a policy needs its bucket"),
        ("CodePipelineCFnRole", "CodePipelineCFnPolicy", "a role never stands without its policy"),
        ("CodeDeployCFnRole", "CodeDeployCFnPolicy", "a role never stands without its policy"),
        ("CodeBuildCFnRole", "CodeBuildCFnPolicy", "a role never stands without its policy"),
        ("EventsRuleRole", "EventsCodepipelineExecPolicy", "a role never stands without its policy"),
    ],
)
def test_deletion_follows_the_graph(first, second, why):
    assert deleted_before(translated(), first, second), why
    assert not deleted_before(translated(), second, first)


def test_nothing_outlives_the_credential_but_what_it_needs():
    """Nothing depends on the credential, so its Delete is among the first."""
    assert not list(dependencies(translated()).predecessors("MirrorCredential"))


def test_the_functions_rights_are_part_of_its_role():
    """A policy beside the role could be deleted while the credential still is being deleted."""
    resources = translated()["Resources"]
    assert resources["FunctionRole"]["Properties"]["Policies"]
    beside = [
        name
        for name, resource in resources.items()
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        and "FunctionRole" in str(resource)
    ]
    assert beside == []


@pytest.mark.parametrize("dependency", translated()["Resources"]["MirrorCredential"]["DependsOn"])
def test_each_explicit_dependency_is_needed(dependency):
    """This suite would notice if one were dropped."""
    template = copy.deepcopy(translated())
    template["Resources"]["MirrorCredential"]["DependsOn"].remove(dependency)
    assert not deleted_before(template, "MirrorCredential", dependency)
