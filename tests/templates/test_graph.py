"""The order of deletion follows from the dependencies of the template."""

import copy

import networkx
import pytest
from cfnlint.template import Template

from tests.templates.deployed import REGION, TEMPLATE, as_list, translated


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
        ("MirrorCredential", "Project", "its proof asks for the repository, and so does its mirror"),
        ("MirrorRotation", "MirrorCredential", "a rotation of what is being deleted would fail"),
        ("MirrorRotation", "RotationPermission", "Secrets Manager tests the function when the schedule is made"),
        ("RotationPermission", "Function", "it is a setting of the function"),
        ("HealthCheck", "Function", "it would be called when it is gone"),
        ("HealthCheckPermission", "HealthCheck", "it names the rule"),
        ("SilenceAlarm", "MirrorCredential", "an alarm that has seen no call would be raised at once"),
        ("Dashboard", "SilenceAlarm", "it shows the alarm"),
        ("Project", "Function", "nobody else can delete its stack"),
        ("Project", "FunctionEventInvokeConfig", "a killed Delete is run again by it"),
        ("Project", "FunctionRole", "the function has its rights from it"),
        ("Project", "FunctionLogGroup", "a failure must be readable"),
        ("Project", "FirstPushPermission", "the pipeline's rule would tell nobody"),
        ("Project", "ProvisioningRole", "CloudFormation deletes the pipeline's stack with it"),
        ("Project", "CodeBuildCFnRole", "the build project has it"),
        ("Project", "CodeBuildCFnPolicy", "a build has its rights from it"),
        ("Project", "CodePipelineCFnRole", "the pipeline has it"),
        ("Project", "CodePipelineCFnPolicy", "a run has its rights from it"),
        ("Project", "CodeDeployCFnRole", "the deployment has it"),
        ("Project", "CodeDeployCFnPolicy", "the deployment has its rights from it"),
        ("Project", "EventsRuleRole", "the rule starts the pipeline with it"),
        ("Project", "EventsCodepipelineExecPolicy", "the rule has its right from it"),
        ("Project", "ArtifactBucket", "the pipeline keeps its artifacts there"),
        ("Project", "ArtifactBucketPolicy", "no artifact is ever in a bucket that it does not guard"),
        ("Function", "ProvisioningRole", "its role may pass on that one"),
        ("FirstPushPermission", "Function", "it is a setting of the function"),
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


def test_only_its_rotation_and_an_alarm_go_before_the_credential():
    assert sorted(dependencies(translated()).predecessors("MirrorCredential")) == ["MirrorRotation", "SilenceAlarm"]


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


def test_only_the_credential_is_deleted_before_the_project():
    assert list(dependencies(translated()).predecessors("Project")) == ["MirrorCredential"]


@pytest.mark.parametrize(
    ("resource", "dependency"),
    [
        (resource, dependency)
        for resource in ("MirrorCredential", "MirrorRotation", "Project", "SilenceAlarm")
        for dependency in as_list(translated()["Resources"][resource]["DependsOn"])
    ],
)
def test_each_explicit_dependency_is_needed(resource, dependency):
    """This suite would notice if one were dropped."""
    template = copy.deepcopy(translated())
    kept = [name for name in as_list(template["Resources"][resource]["DependsOn"]) if name != dependency]
    template["Resources"][resource]["DependsOn"] = kept
    assert not deleted_before(template, resource, dependency)
