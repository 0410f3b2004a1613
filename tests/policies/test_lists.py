"""Lists of denials are complete: each is judged against every changing action of the services that it names.

The actions are parliament's of 2025 and the operations of the installed botocore (vocabulary.py). An action
is denied on each resource that the list guards, or it stands in judged.py with a reason. So a new operation
fails here.
"""

from dataclasses import dataclass
from functools import cache

import parliament
import pytest

from tests.local.policies.statements import as_list
from tests.policies import judged, scene
from tests.policies import rows_across_accounts as across
from tests.policies import rows_people as people
from tests.policies.collected import statements
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.rows_limits import DEPLOY, LOGS, POLICY, PROFILE, PROTECTED_KEYS, SAM_STACK
from tests.policies.scene import APPROVER, PIPELINES
from tests.policies.tables import (
    BUCKET,
    FUNCTION,
    PASSWORD,
    PIPELINE,
    PIPELINE_STACK,
    REPOSITORY,
    group,
    regional,
    role,
    user,
)
from tests.policies.vocabulary import actions, changes, expanded
from tests.templates.deployed import BOUNDARY, DEPLOYED_BOUNDARY, PROVIDER_STACK, Deployed, translated
from tests.templates.named import SECOND_BUCKET

# The kinds of resources that the lists guard, in the words of the service authorization reference.
KINDS = {
    "cloudformation": ["stack"],
    "cloudwatch": ["alarm", "dashboard"],
    "codebuild": ["project", "report-group"],
    "codecommit": ["repository"],
    "codepipeline": ["pipeline", "stage", "action"],
    "ecr": ["repository"],
    "events": ["rule-on-default-event-bus"],
    "kms": ["key"],
    "lambda": ["function", "function alias", "function version"],
    "logs": ["log-group", "log-stream"],
    "s3": ["bucket", "object"],
    "secretsmanager": ["Secret"],
    "sns": ["topic"],
    "sqs": ["queue"],
    "iam": ["policy", "role", "user"],
    "sts": ["role"],
}
BUS = "event-bus"


@cache
def resources_of(action):
    """The kinds of an action's resources by AWS's list, which has no younger actions."""
    service, name = action.split(":")
    return {
        kind["resource_type"].strip("*")
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for privilege in entry["privileges"]
        if privilege["privilege"] == name
        for kind in privilege["resource_types"]
    }


# With names in every parameter that has names, and with both keys.
NAMES = {
    "RepositoryNames": "team-*",
    "ImageRepositoryNames": "images/*",
    "MirrorSecretNames": "gitlab-mirrors/*",
    "PipelineRoleNames": "pipelines-*",
    "DeploymentBucketName": "deployments",
}


@cache
def named_world():
    """All stacks, with these parameters of template.yaml."""
    former = scene.stacks()["template"]
    given = {
        name: value
        for name, value in former.deployed.values.items()
        if name in former.deployed.template["Parameters"]
    }
    given = {
        name: ",".join(as_list(value)) if isinstance(value, list) else value for name, value in given.items()
    }
    return scene.world_with(scene.Stack("template", Deployed(template=translated(), **{**given, **NAMES})))


DEPLOYMENTS = "arn:aws:s3:::deployments"
# The resources of the page's claims about deployed stacks, and each that a parameter names.
MACHINERY = [
    (arn, {})
    for arn in (
        PIPELINE,
        f"{PIPELINE}/Deploy/Approval",
        regional("codepipeline", "codepipeline-dev-s3-site"),
        FUNCTION,
        f"{FUNCTION}:$LATEST",
        f"{FUNCTION}-read",
        *[
            regional("events", f"rule/event-rule-dev-{name}")
            for name in (
                "codepipeline-exec-cfn-shop",
                "cfn-gitops-health",
                "forward-shop",
                "replication-shop",
            )
        ],
        *[
            regional("cloudwatch", f"alarm:alarm-dev-{name}")
            for name in ("cfn-gitops-mirrors", "forward-shop", "replication-shop")
        ],
        f"arn:aws:cloudwatch::{PIPELINES}:dashboard/cfn-gitops-dev-eu-central-1",
        *[
            regional("codebuild", f"project/codebuild-dev-{kind}-shop")
            for kind in ("cfn", "review", "replication")
        ],
        *[
            regional("codebuild", f"report-group/codebuild-dev-{kind}-shop-junit")
            for kind in ("cfn", "review")
        ],
        REPOSITORY,
        regional("codecommit", "team-shop"),
        regional("ecr", "repository/ecr-dev-shop"),
        regional("ecr", "repository/images/base"),
        *[f"{log}{part}" for log in LOGS for part in ("", ":*", ":log-stream:a")],
        BUCKET,
        f"{BUCKET}/shop/Source/a",
        across.BUCKET,
        f"{across.BUCKET}/shop/Source/a",
        SECOND_BUCKET,
        f"{SECOND_BUCKET}/shop/Source/a",
        DEPLOYMENTS,
        f"{DEPLOYMENTS}/a",
        PASSWORD,
        regional("secretsmanager", "secret:cfn-gitops-dev/deletions/shop-AbC123"),
        regional("secretsmanager", "secret:gitlab-mirrors/shop-AbC123"),
        regional("sns", "sns-dev-notifications"),
        regional("sqs", "sqs-dev-forward-shop"),
        regional("sqs", "sqs-dev-replication-shop"),
        PIPELINE_STACK,
        PROVIDER_STACK,
        SAM_STACK,
        role(PIPELINES, "administrator"),
        role(PIPELINES, "role-dev-cfn-gitops"),
        role(PIPELINES, "role-dev-codedeploy-cfn"),
        role(PIPELINES, "pipelines-shop"),
        user(PIPELINES, "user-dev-shop-mirror"),
        group("administrators"),
        f"{POLICY}/administrators",
        f"{PROFILE}/bastion",
        BOUNDARY,
        DEPLOYED_BOUNDARY,
    )
] + PROTECTED_KEYS
# Not of cfn-gitops: an administrator's stack, and the bus of all events.
GUARDED = [*MACHINERY, (regional("cloudformation", "stack/CDKToolkit/0a1b"), {}), (across.BUS, {})]
OF_TEMPLATES = """chatbot cloudformation cloudwatch codebuild codecommit codepipeline
    codestar-notifications ecr events iam kms lambda logs s3 secretsmanager sns sqs sts""".split()
APPROVALS = [
    (arn, {})
    for arn in (
        PIPELINE,
        *people.APPROVALS,
        people.DEPLOYED_STACK,
        PIPELINE_STACK,
        people.PROVIDER_STACK,
        *people.FUNCTIONS,
        *people.RULES,
        *people.GUARDED_ROLES,
        *people.POLICIES_OF_FUNCTIONS,
        APPROVER,
    )
]
BRANCHES = [
    *[(REPOSITORY, keys) for keys in people.PROTECTED],
    *[(mirror, {}) for mirror in people.MIRRORS],
    (PASSWORD, {}),
]


@dataclass(frozen=True)
class Denials:
    """Denials, whom they deny, what they guard, and what judged.py leaves open."""

    name: str
    statements: tuple  # of which policies, by their places
    caller: str
    services: tuple
    guarded: tuple
    left_open: tuple

    def open(self):
        """The changing actions that are allowed on a guarded resource. If AWS's list has no such resource for
        an action, also on any resource."""
        return {
            action
            for service in self.services
            for action in changes(service)
            if any(self._calls(service, action))
        }

    def _calls(self, service, action):
        world, is_judged = named_world(), False
        for resource, keys in self.guarded:
            kinds = [BUS] if f":{BUS}/" in resource else KINDS.get(service, [])
            of_service = (
                ":iam:" in resource and ":role/" in resource
                if service == "sts"
                else resource.split(":")[2] == service
            )
            if of_service and (kinds != [BUS] or BUS in resources_of(action)):
                is_judged |= not resources_of(action).isdisjoint(kinds)
                yield bool(world.may(self.caller, action, resource, keys))
        if not is_judged:
            yield bool(world.may(self.caller, action, "*"))


LISTS = [
    Denials(
        "what pipelines deploy: the deploy role's limits",
        ("template/CodeDeployCFnRole",),
        DEPLOY,
        tuple(OF_TEMPLATES),
        tuple(GUARDED),
        tuple(judged.OF_DEPLOYED_STACKS),
    ),
    Denials(
        "what that creates: the boundary",
        ("template/DeployedRolesBoundary",),
        DEPLOYED,
        tuple(OF_TEMPLATES),
        tuple(GUARDED),
        tuple(judged.OF_DEPLOYED_STACKS),
    ),
    Denials(
        "approvals, in an account",
        ("branch-protection/ApprovalProtection",),
        people.UNDER_CONTROL,
        ("cloudformation", "codepipeline", "events", "iam", "lambda"),
        tuple(APPROVALS),
        tuple(judged.OF_ADMINISTRATORS),
    ),
    Denials(
        "branches, in an account",
        ("branch-protection/BranchProtection",),
        people.UNDER_CONTROL,
        ("codecommit", "iam", "secretsmanager"),
        tuple(BRANCHES),
        tuple(judged.OF_PEOPLE),
    ),
    Denials(
        "branches, of an identity",
        ("people/BranchProtectionPolicy",),
        people.STRONG_READER,
        ("codecommit", "iam", "secretsmanager"),
        tuple(BRANCHES),
        tuple(judged.OF_PEOPLE),
    ),
]
# The other statements that deny something, and why no operation can be missing from them.
NOT_A_LIST = {
    "every action of a service, under a condition": {
        "TlsOnly",
        "NoAccessPoints",
        "NoNetworkInterfacesForTheCode",
    },
    "one action of an allow list beside it, which names each of its actions": {
        "NeverTheRolesWithMoreRights",
        "NoPasswordOfAMirror",
        "SecretsOfMirrorsStay",
        "TokensStay",
        "DeployedStacksStay",
    },
    "a condition on the one action that others may use": {
        "EncryptedOnTheWay",
        "NoOtherEncryptionThanKms",
        "NoOtherKey",
        "NoKmsWithoutTheKey",
    },
    "every action of replication: test_replication_has_no_other_action": {"NoReplicationIntoTheBucket"},
    "attached to nothing": {"NoEffect"},
}


def left_open(judgements):
    return {f"{service}:{name}" for _, service, names in judgements for name in names.split()}


# claim: each-changing-action-is-denied-or-judged
@pytest.mark.parametrize("denials", LISTS, ids=lambda denials: denials.name)
def test_each_changing_action_is_denied_or_judged(denials):
    assert denials.open() - left_open(denials.left_open) == set()


@pytest.mark.parametrize("denials", LISTS, ids=lambda denials: denials.name)
def test_new_operation_is_neither_denied_nor_judged(denials, monkeypatch):
    """As if the next botocore had it. A pattern of all actions denies it, so one service of each list has
    none."""
    new = {
        "codecommit:OverhaulRepository",
        "ecr:OverhaulRegistry",
        "events:OverhaulBus",
        "lambda:OverhaulFunction",
    }
    monkeypatch.setitem(
        globals(), "changes", lambda service: {action for action in new if action.startswith(f"{service}:")}
    )
    assert denials.open() and not denials.open() & left_open(denials.left_open)


def test_each_judgement_is_needed():
    """And the table names an action once for each list that needs it."""
    for judgements in {denials.left_open for denials in LISTS}:
        names = [f"{service}:{name}" for _, service, names in judgements for name in names.split()]
        assert len(names) == len(set(names)), sorted(name for name in set(names) if names.count(name) > 1)
        needed = set().union(*(denials.open() for denials in LISTS if denials.left_open == judgements))
        services = {
            service for denials in LISTS if denials.left_open == judgements for service in denials.services
        }
        assert {name for name in names if name.split(":")[0] in services} - needed == set()


def test_each_denial_is_judged():
    others = set().union(*NOT_A_LIST.values())
    judged_places = tuple(place for denials in LISTS for place in denials.statements)
    policies = [policy for policy in scene.world().policies if not policy.place.startswith(judged_places)]
    found = {
        statement.get("Sid")
        for policy in policies
        for statement in statements(policy)
        if statement["Effect"] == "Deny"
    }
    assert found == others


def test_replication_has_no_other_action():
    """With these, S3 writes into a bucket for another one. The others of the name configure, pause or start
    it."""
    others = {
        "s3:GetObjectVersionForReplication",
        "s3:GetReplicationConfiguration",
        "s3:InitiateReplication",
        "s3:PauseReplication",
        "s3:PutReplicationConfiguration",
    }
    assert {action for action in actions("s3") if "replicat" in action.lower()} - others == expanded(
        "s3:Replicate*"
    )


# A deployed stack may still read a log or an artifact, pull an image, and use a key for data.
READABLE = {
    "ecr": ("BatchCheck", "BatchGet", "Describe", "Get", "List"),
    "logs": ("Describe", "Filter", "Get", "List", "Start"),
    "s3": ("Get",),
    "kms": ("Decrypt", "Encrypt", "ReEncrypt", "Describe", "Generate", "Get", "List"),
}


# claim: broad-policy-does-not-lift-a-limit
# claim: deployed-role-does-not-reach-the-machinery
@pytest.mark.parametrize("caller", [DEPLOY, DEPLOYED])
def test_deployed_stack_only_reads_the_machinery(caller):
    """Each action of each service, reads included. So none lists a bucket, subscribes to the topic or reads
    the function."""
    arns = [(arn, keys) for arn, keys in MACHINERY if ":iam:" not in arn]
    assert len(arns) > 45
    may = {
        (action, arn)
        for arn, keys in arns
        for action in actions(arn.split(":")[2])
        if named_world().may(caller, action, arn, keys)
    }
    assert {
        (action, arn)
        for action, arn in may
        if not action.split(":")[1].startswith(READABLE.get(action.split(":")[0], "no action"))
    } == set()


# Actions that an Allow reaches by a wildcard and that are not reads.
BY_A_WILDCARD = {
    "cloudformation": (
        "what the boundary leaves of CloudFormation: test_each_changing_action_is_denied_or_judged"
    ),
    "kms": "the account administers its own key",
}


def test_a_wildcard_that_allows_matches_only_reads():
    """So no operation of next year is allowed before it is known."""
    reached = {
        action.split(":")[0]
        for policy in scene.world().policies
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        for pattern in as_list(statement.get("Action", []))
        if "*" in pattern
        for action in expanded(pattern) & changes(pattern.split(":")[0])
    }
    assert reached == BY_A_WILDCARD.keys()
