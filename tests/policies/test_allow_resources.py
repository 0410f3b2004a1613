"""The policies and the example of docs/how-to/allow-resources.md."""

import fnmatch
import json

import pytest

from tests.local.policies.evaluation import Caller
from tests.local.policies.statements import as_list
from tests.play.pipelines import PROJECT
from tests.policies import allowed, scene, vocabulary
from tests.policies.allowed import API, BUCKET, MAPPING, QUEUE, TABLE, TOPIC
from tests.policies.scene import PIPELINES
from tests.policies.test_sizes import DOCUMENTS, length
from tests.templates import named
from tests.templates.deployed import DEPLOYED_BOUNDARY, Deployed, source
from tests.templates.linting import linted
from tests.templates.test_handlers import ELSEWHERE, NOT_GRANTED, permissions

WITH_EVERYTHING = allowed.deploy_role(*allowed.statements())
# A name of the reader's own, in each environment.
OWN = {
    TABLE: "table-{}-orders",
    BUCKET: "bucket-{}-orders",
    QUEUE: "queue-{}-orders",
    TOPIC: "topic-{}-orders",
}
NAMED = [each for each, (_, arn) in allowed.TYPES.items() if arn in OWN]
FUNCTION, OTHERS_FUNCTION = named.function("cfnstack-dev-shop-X"), named.function("cfnstack-prd-shop-X")


def needed(resource_type):
    """The actions of CloudFormation's handlers, except for properties that no policy of the page allows."""
    return permissions(resource_type) - NOT_GRANTED.get(resource_type, {}).keys() - ELSEWHERE.keys()


def denied(caller, actions, resource, keys=None):
    return {action for action in actions if not scene.world().may(caller, action, resource, keys)}


@pytest.mark.parametrize("resource_type", NAMED)
def test_policy_allows_both_forms_of_a_name_and_no_other(resource_type):
    statements, arn = allowed.TYPES[resource_type]
    for name in ("cfnstack-dev-shop-X", OWN[arn].format("dev")):
        assert denied(allowed.deploy_role(*statements), needed(resource_type), arn.format(name)) == set()
        assert denied(allowed.deploy_role(), needed(resource_type), arn.format(name)) == needed(resource_type)
    for name in ("cfnstack-prd-shop-X", OWN[arn].format("prd"), "orders"):
        assert denied(WITH_EVERYTHING, needed(resource_type), arn.format(name)) == needed(resource_type)


def test_policies_do_not_reach_what_cfn_gitops_uses():
    actions = {
        action
        for statement in allowed.statements().values()
        if statement["Resource"] != "*"
        for action in as_list(statement["Action"])
    }
    for resource in (
        named.BUCKET,
        named.FOREIGN_BUCKET,
        TOPIC.format("sns-dev-notifications"),
        named.APPROVAL_TOPIC,
        QUEUE.format("sqs-dev-forward-1"),
    ):
        service = resource.split(":")[2]
        wanted = {action for action in actions if action.startswith(f"{service}:") and "*" not in action}
        assert wanted and denied(WITH_EVERYTHING, wanted, resource) == wanted


def test_every_api_of_the_account_is_reached_and_nothing_else():
    actions = needed("AWS::ApiGatewayV2::Stage") | needed("AWS::ApiGateway::Stage")
    for reached in ("restapis", "restapis/a1", "apis", "apis/a1/routes/b2", "tags/arn%3Aaws%3Aapigateway"):
        assert denied(WITH_EVERYTHING, actions, API + reached) == set()
    for other in ("account", "domainnames/shop.example.com", "usageplans", "vpclinks"):
        assert denied(WITH_EVERYTHING, actions, API + other) == actions


@pytest.mark.parametrize(
    ("principal", "function", "is_allowed"),
    [
        *[(f"{service}.amazonaws.com", FUNCTION, True) for service in ("apigateway", "events", "s3", "sns")],
        ("apigateway.amazonaws.com", named.function("lambda-dev-shop"), True),
        ("apigateway.amazonaws.com", OTHERS_FUNCTION, False),
        ("apigateway.amazonaws.com", named.function("cfn-gitops-dev"), False),
        (scene.UNNAMED, FUNCTION, False),
        ("*", FUNCTION, False),
    ],
)
def test_only_services_get_permission_to_invoke(principal, function, is_allowed):
    refused = denied(WITH_EVERYTHING, {"lambda:AddPermission"}, function, {"lambda:Principal": principal})
    assert bool(refused) != is_allowed


@pytest.mark.parametrize(
    "function", [OTHERS_FUNCTION, named.function("orders"), named.function("cfn-gitops-dev")]
)
def test_mapping_invokes_no_other_function(function):
    keys = {"lambda:FunctionArn": function}
    assert denied(WITH_EVERYTHING, {"lambda:CreateEventSourceMapping"}, "*", keys)
    changes = {"lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping"}
    assert denied(WITH_EVERYTHING, changes, MAPPING, keys) == changes


def test_every_action_is_a_handlers_and_wildcards_are_reads():
    handlers = {"lambda:AddPermission"}.union(*map(permissions, allowed.TYPES))
    for action in {
        action for statement in allowed.statements().values() for action in as_list(statement["Action"])
    }:
        assert fnmatch.filter(handlers, action), action
        assert "*" not in action or not fnmatch.filter(vocabulary.changes(action.split(":")[0]), action), (
            action
        )


def test_all_statements_fit_into_one_policy():
    assert length(allowed.document(*allowed.statements())) <= DOCUMENTS["AWS::IAM::ManagedPolicy"]


def example(tmp_path):
    """The example project with the page's resources."""
    before, outputs, after = (PROJECT / "template.yaml").read_text().partition("Outputs:\n")
    [added] = allowed.blocks("yaml")
    template = tmp_path / "template.yaml"
    template.write_text(f"{before}{added}\n{outputs}{after}")
    return template


def test_example_is_accepted_by_cfn_lint(tmp_path):
    assert linted(example(tmp_path))["template.yaml"] == []


def test_role_of_the_example_does_what_its_policies_allow(tmp_path):
    table = TABLE.format("cfnstack-dev-shop-Orders-X")
    stack = Deployed(
        template=source(example(tmp_path)), attributes={"Orders.Arn": table}, EnvID="dev", Commit="0" * 40
    )
    properties = stack.properties("OrdersRole")
    assert properties["PermissionsBoundary"] == DEPLOYED_BOUNDARY
    boundary = scene.stacks()["template"].deployed.properties("DeployedRolesBoundary")["PolicyDocument"]
    own = tuple(policy["PolicyDocument"] for policy in properties["Policies"])
    role = Caller(account=PIPELINES, role="cfnstack-dev-shop-OrdersRole-X", identity=own, boundary=boundary)
    assert denied(role, {"dynamodb:PutItem", "dynamodb:GetItem"}, table) == {"dynamodb:GetItem"}
    assert denied(role, {"dynamodb:PutItem"}, TABLE.format("table-dev-others"))
    # test_deployed_roles.py has everything that the boundary denies to a role with all permissions.


def test_two_lines_of_the_page_are_parameters():
    [lines] = allowed.blocks("toml")
    given = dict(json.loads(line.rstrip(",")).split("=", 1) for line in lines.splitlines())
    stack = Deployed(EnvID="dev", **given)
    assert stack.broken_rules() == [] and stack.is_made("DeployedRolesBoundary")
    assert given["DeployPolicyArns"] in stack.properties("CodeDeployCFnRole")["ManagedPolicyArns"]
