"""The table and the example of docs/how-to/allow-resources.md. rows_services.py has the policies."""

import json
import re

from tests.local.policies.evaluation import Caller
from tests.local.policies.statements import as_list
from tests.play.pipelines import PROJECT
from tests.policies import allowed, scene
from tests.policies.allowed import TABLE, TYPES
from tests.policies.scene import PIPELINES
from tests.templates.companions import environment
from tests.templates.deployed import DEPLOYED_BOUNDARY, Deployed, source
from tests.templates.linting import linted
from tests.templates.test_handlers import ALLOW

SERVICES = scene.stacks()["deployed-services"].deployed


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", ALLOW.read_text(), re.DOTALL | re.MULTILINE)


def test_table_has_each_policy_with_its_names():
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", ALLOW.read_text(), re.MULTILINE)
    words = {
        name: [re.findall(r"`([a-z-]+)-<EnvID>-\*`", half) for half in names.partition("required")[::2]]
        for name, names in rows
    }
    expected = {}
    for policy, _, form, word in TYPES.values():
        halves = expected.setdefault(policy, [[], []])
        if word and word not in sum(halves, []):
            halves[form == allowed.OWN_ALONE].append(word)
    assert {name: [sorted(half) for half in halves] for name, halves in words.items()} == {
        name: [sorted(half) for half in halves] for name, halves in expected.items()
    }
    names = [
        SERVICES.properties(each)["ManagedPolicyName"] for each in SERVICES.of_type("AWS::IAM::ManagedPolicy")
    ]
    assert names == [f"policy-dev-deploys-{name}" for name in expected]


def test_every_action_is_a_handlers_and_none_is_a_wildcard():
    handlers = {"lambda:AddPermission"}.union(*map(allowed.permissions, TYPES))
    actions = {
        action
        for policy in scene.stacks()["deployed-services"].policies()
        for statement in policy.document["Statement"]
        for action in as_list(statement["Action"])
    }
    # IAM ignores the case of an action.
    assert {action.lower() for action in actions} <= {action.lower() for action in handlers}


def example(tmp_path):
    """The example project with the page's resources."""
    before, outputs, after = (PROJECT / "template.yaml").read_text().partition("Outputs:\n")
    added, _ = blocks("yaml")
    template = tmp_path / "template.yaml"
    template.write_text(f"{before}{added}\n{outputs}{after}")
    return template


def test_example_is_accepted_by_cfn_lint(tmp_path):
    assert linted(example(tmp_path))["template.yaml"] == []


def test_example_of_sam_has_the_pages_globals():
    _, of_sam = blocks("yaml")
    assert of_sam in (PROJECT.parent / "sam/template.yaml").read_text()


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
    items = ("dynamodb:PutItem", "dynamodb:GetItem")
    assert [bool(scene.world().may(role, action, table)) for action in items] == [True, False]
    assert not scene.world().may(role, items[0], TABLE.format("table-dev-others"))
    # test_deployed_roles.py has everything that the boundary denies to a role with all permissions.


def test_two_lines_of_the_page_are_parameters():
    [lines] = blocks("toml")
    given = dict(json.loads(line.rstrip(",")).split("=", 1) for line in lines.splitlines())
    printed = SERVICES.outputs()["DeployPolicyArns"]["Value"].split(",")
    assert given["DeployPolicyArns"].replace("111122223333", PIPELINES) in printed
    given["DeployPolicyArns"] = ",".join(printed)
    stack = environment(**given)
    assert stack.broken_rules() == [] and stack.is_made("DeployedRolesBoundary")
    # IAM attaches at most ten by default:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    attached = stack.properties("CodeDeployCFnRole")["ManagedPolicyArns"]
    assert attached[1:] == printed and len(attached) <= 10
