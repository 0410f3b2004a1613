"""What every principal of the template may do, and what it may not.

The first table is complete: a right that is granted and stands in no row fails a test. The
second holds what somebody with a hostile template, build or repository would try.
"""

import pytest

from deployed import ACCOUNT, BOUNDARY, REGION, Deployed, as_list
from permissions import allowed, assumable, bucket_refuses, statements

ROLES = {
    "FunctionRole": "lambda.amazonaws.com",
    "CodeBuildCFnRole": "codebuild.amazonaws.com",
    "CodeDeployCFnRole": "cloudformation.amazonaws.com",
    "CodePipelineCFnRole": "codepipeline.amazonaws.com",
    "EventsRuleRole": "events.amazonaws.com",
}
PRINCIPALS = [*ROLES, "MirrorUser"]


def regional(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def user(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def secret(name):
    return regional("secretsmanager", f"secret:{name}")


def function(name):
    return regional("lambda", f"function:{name}")


def rule(name):
    return regional("events", f"rule/{name}")


def stack_arn(name):
    return regional("cloudformation", f"stack/{name}/0a1b2c3d")


BUCKET = f"arn:aws:s3:::s3-dev-codepipeline-artifact-{ACCOUNT}-{REGION}"
MIRROR = user("user-dev-codecommit-mirroring")
REPOSITORY = regional("codecommit", "codecommit-dev-cfn-infra")
BUILD_LOG = regional("logs", "log-group:/aws/codebuild/codebuild-dev-cfn-infra")
OWN_LOG = regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:log-stream:2026/01/01/a")
SERVERLESS = f"arn:aws:cloudformation:{REGION}:aws:transform/Serverless-2016-10-31"
KEY = regional("kms", "key/1234abcd")
FORMER_KEYS = [regional("kms", "key/0987dcba"), regional("kms", "key/mrk-5678")]
VIA_SECRETS_MANAGER = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
WITH_BOUNDARY = {"iam:PermissionsBoundary": BOUNDARY}


def passed_to(service):
    return {"iam:PassedToService": service}


CREDENTIALS = """iam:ListUserTags iam:TagUser iam:UntagUser iam:ListServiceSpecificCredentials
    iam:CreateServiceSpecificCredential iam:ResetServiceSpecificCredential
    iam:UpdateServiceSpecificCredential iam:DeleteServiceSpecificCredential"""
SECRETS = """secretsmanager:CreateSecret secretsmanager:DescribeSecret
    secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecret
    secretsmanager:UpdateSecretVersionStage secretsmanager:DeleteSecret
    secretsmanager:TagResource secretsmanager:UntagResource"""
FUNCTIONS = """lambda:CreateFunction lambda:GetFunction lambda:GetFunctionConfiguration
    lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig
    lambda:GetRuntimeManagementConfig lambda:UpdateFunctionCode
    lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency
    lambda:DeleteFunctionConcurrency lambda:PutFunctionEventInvokeConfig
    lambda:GetFunctionEventInvokeConfig lambda:UpdateFunctionEventInvokeConfig
    lambda:DeleteFunctionEventInvokeConfig lambda:PublishVersion
    lambda:ListVersionsByFunction lambda:GetPolicy lambda:RemovePermission
    lambda:InvokeFunction lambda:DeleteFunction lambda:ListTags lambda:TagResource
    lambda:UntagResource"""
RULES = """events:PutRule events:DescribeRule events:EnableRule events:DisableRule
    events:DeleteRule events:PutTargets events:ListTargetsByRule events:RemoveTargets
    events:ListTagsForResource events:TagResource events:UntagResource"""
BOUNDED_ROLES = """iam:CreateRole iam:PutRolePolicy iam:DeleteRolePolicy iam:AttachRolePolicy
    iam:DetachRolePolicy"""
EXISTING_ROLES = """iam:GetRole iam:GetRolePolicy iam:ListRolePolicies
    iam:ListAttachedRolePolicies iam:ListRoleTags iam:UpdateRole iam:UpdateRoleDescription
    iam:UpdateAssumeRolePolicy iam:TagRole iam:UntagRole iam:DeleteRole"""
STACKS = """cloudformation:CreateStack cloudformation:DescribeStacks
    cloudformation:UpdateStack cloudformation:DeleteStack"""
CHANGE_SETS = """cloudformation:CreateChangeSet cloudformation:DescribeChangeSet
    cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet"""

# principal, actions, resource, context keys
MAY = [
    ("FunctionRole", CREDENTIALS, MIRROR, {}),
    ("FunctionRole", CREDENTIALS, user("user-dev-second-mirror"), {}),
    # An existing secret, and one that is not there (any more).
    ("FunctionRole", SECRETS, secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror/user-dev-codecommit-mirroring"), {}),
    ("FunctionRole", "codecommit:GetRepository", REPOSITORY, {}),
    ("FunctionRole", "logs:CreateLogStream logs:PutLogEvents", OWN_LOG, {}),
    ("FunctionRole", "kms:Decrypt kms:Encrypt kms:GenerateDataKey", KEY, VIA_SECRETS_MANAGER),
    *[("FunctionRole", "kms:Decrypt", former, VIA_SECRETS_MANAGER) for former in FORMER_KEYS],
    ("CodeBuildCFnRole", "logs:CreateLogGroup", BUILD_LOG, {}),
    ("CodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{BUILD_LOG}:log-stream:a", {}),
    ("CodeBuildCFnRole", "s3:ListBucket s3:GetBucketAcl s3:GetBucketLocation", BUCKET, {}),
    ("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{BUCKET}/codepipeline-dev-cfn/Build/a", {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("cfnstack-dev-infra-Thumbnails-1A2B3C"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "events.amazonaws.com"}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-dev-nightly"), {}),
    ("CodeDeployCFnRole", RULES, rule("cfnstack-dev-infra-Nightly-1A2B3C"), {}),
    ("CodeDeployCFnRole", "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/code.zip", {}),
    ("CodeDeployCFnRole", f"{STACKS} cloudformation:TagResource cloudformation:UntagResource", stack_arn("cfnstack-dev-infra-Network-1A2B3C"), {}),
    ("CodeDeployCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("cfnstack-dev-infra-Role-1A2B3C"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", EXISTING_ROLES, role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), passed_to("lambda.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("cfnstack-dev-infra-Role-1A2B3C"), passed_to("events.amazonaws.com")),
    ("CodePipelineCFnRole", "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", BUCKET, {}),
    ("CodePipelineCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{BUCKET}/codepipeline-dev-cfn/Source/a", {}),
    ("CodePipelineCFnRole", "codecommit:GetRepository codecommit:GetBranch codecommit:GetCommit codecommit:UploadArchive codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive", REPOSITORY, {}),
    ("CodePipelineCFnRole", "codebuild:StartBuild codebuild:BatchGetBuilds", regional("codebuild", "project/codebuild-dev-cfn-infra"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS} cloudformation:SetStackPolicy", stack_arn("cfnstack-dev-infra"), {}),
    ("CodePipelineCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    ("CodePipelineCFnRole", "cloudformation:ValidateTemplate", "*", {}),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", regional("codepipeline", "codepipeline-dev-cfn-infra"), {}),
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", REPOSITORY, {}),
]

MAY_NOT = [
    # The function, borrowed by a hostile template.
    ("FunctionRole", CREDENTIALS, user("user-prd-codecommit-mirroring"), {}),
    ("FunctionRole", CREDENTIALS, user("user-dev2-codecommit-mirroring"), {}),
    ("FunctionRole", CREDENTIALS, user("administrator"), {}),
    ("FunctionRole", SECRETS, secret("database/password-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("database/codecommit-mirror/x-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror/x-AbC123").replace(REGION, "us-east-1"), {}),
    ("FunctionRole", "codecommit:GetRepository", regional("codecommit", "codecommit-prd-cfn-infra"), {}),
    ("FunctionRole", "codecommit:GitPush codecommit:DeleteRepository codecommit:GitPull", REPOSITORY, {}),
    ("FunctionRole", "iam:DeleteUser iam:CreateAccessKey iam:CreateLoginProfile iam:AttachUserPolicy iam:PutUserPolicy", MIRROR, {}),
    ("FunctionRole", "iam:CreateRole iam:PassRole iam:UpdateAssumeRolePolicy sts:AssumeRole", role("role-dev-codedeploy-cfn"), passed_to("lambda.amazonaws.com")),
    ("FunctionRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-dev-infra"), {}),
    ("FunctionRole", "s3:GetObject s3:PutObject", f"{BUCKET}/code.zip", {}),
    ("FunctionRole", "lambda:UpdateFunctionCode lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
    ("FunctionRole", "logs:CreateLogGroup", regional("logs", "log-group:/aws/lambda/cfn-gitops-dev"), {}),
    ("FunctionRole", "logs:PutLogEvents", regional("logs", "log-group:/aws/lambda/other:log-stream:a"), {}),
    ("FunctionRole", "kms:Decrypt", KEY, {}),
    ("FunctionRole", "kms:Decrypt", KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
    ("FunctionRole", "kms:Decrypt", regional("kms", "key/another"), VIA_SECRETS_MANAGER),
    ("FunctionRole", "kms:ScheduleKeyDeletion kms:PutKeyPolicy kms:CreateGrant", KEY, VIA_SECRETS_MANAGER),
    *[
        row
        for former in FORMER_KEYS
        for row in (
            ("FunctionRole", "kms:Encrypt kms:GenerateDataKey kms:ReEncryptFrom kms:CreateGrant", former, VIA_SECRETS_MANAGER),
            ("FunctionRole", "kms:Decrypt", former, {}),
            ("FunctionRole", "kms:Decrypt", former, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("FunctionRole", "kms:Decrypt", former.replace(ACCOUNT, "999999999999"), VIA_SECRETS_MANAGER),
        )
    ],
    # A build, which runs whatever was pushed.
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", "arn:aws:s3:::somebody-elses-bucket/x", {}),
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodeBuildCFnRole", "s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl", f"{BUCKET}/x", {}),
    ("CodeBuildCFnRole", "s3:PutBucketPolicy s3:DeleteBucket s3:PutLifecycleConfiguration", BUCKET, {}),
    ("CodeBuildCFnRole", "logs:PutLogEvents", regional("logs", "log-group:/aws/codebuild/codebuild-prd-cfn-infra:log-stream:a"), {}),
    ("CodeBuildCFnRole", "logs:PutLogEvents logs:CreateLogGroup", OWN_LOG, {}),
    ("CodeBuildCFnRole", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    ("CodeBuildCFnRole", "iam:PassRole sts:AssumeRole", role("role-dev-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodeBuildCFnRole", "codecommit:GitPush", REPOSITORY, {}),
    ("CodeBuildCFnRole", "lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
    # A template that a pipeline deploys.
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-prd-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-prd-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("cfn-gitops-dev"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "*"}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "999999999999"}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-prd-nightly"), {}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-dev-codepipeline-exec-cfn-infra"), {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-prd-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("administrator"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", EXISTING_ROLES, role("role-prd-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary", role("role-dev-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy", BOUNDARY, {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), passed_to("ec2.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), passed_to("lambda.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("administrator"), passed_to("lambda.amazonaws.com")),
    *[
        ("CodeDeployCFnRole", f"{BOUNDED_ROLES} {EXISTING_ROLES}", role(f"role-dev-{name}"), WITH_BOUNDARY)
        for name in ("cfn-gitops", "codebuild-cfn", "codedeploy-cfn", "codepipeline-cfn", "eventbridge-codepipeline-exec")
    ],
    ("CodeDeployCFnRole", "s3:PutObject s3:DeleteObject", f"{BUCKET}/code.zip", {}),
    ("CodeDeployCFnRole", STACKS, stack_arn("cfn-gitops-dev"), {}),
    ("CodeDeployCFnRole", STACKS, stack_arn("cfnstack-prd-infra"), {}),
    ("CodeDeployCFnRole", CREDENTIALS, MIRROR, {}),
    ("CodeDeployCFnRole", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    # A pipeline.
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codebuild-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-prd-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), passed_to("lambda.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfn-gitops-dev"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-prd-infra"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-dev2-infra"), {}),
    ("CodePipelineCFnRole", "codecommit:UploadArchive", regional("codecommit", "codecommit-prd-cfn-infra"), {}),
    ("CodePipelineCFnRole", "codecommit:GitPush codecommit:DeleteBranch", REPOSITORY, {}),
    ("CodePipelineCFnRole", "codebuild:StartBuild", regional("codebuild", "project/codebuild-prd-cfn-infra"), {}),
    ("CodePipelineCFnRole", "s3:GetObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodePipelineCFnRole", "s3:DeleteObject s3:PutObjectAcl", f"{BUCKET}/x", {}),
    # A rule.
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", regional("codepipeline", "codepipeline-prd-cfn-infra"), {}),
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", regional("codepipeline", "somebody-elses"), {}),
    ("EventsRuleRole", "codepipeline:PutApprovalResult codepipeline:StopPipelineExecution", regional("codepipeline", "codepipeline-dev-cfn-infra"), {}),
    # Whoever got hold of the mirror's login (which opens nothing but git anyway).
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", regional("codecommit", "codecommit-prd-cfn-infra"), {}),
    ("MirrorUser", "codecommit:GitPush", REPOSITORY.replace(ACCOUNT, "999999999999"), {}),
    ("MirrorUser", "codecommit:DeleteRepository codecommit:DeleteBranch codecommit:MergePullRequestByFastForward", REPOSITORY, {}),
    ("MirrorUser", CREDENTIALS, MIRROR, {}),
    ("MirrorUser", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
]


@pytest.fixture(scope="module")
def full():
    """Everything that widens a policy is switched on: what is refused here is refused."""
    return Deployed(
        EnvID="dev",
        PermissionsBoundaryArn=BOUNDARY,
        MirrorSecretKmsKeyArn=KEY,
        MirrorSecretFormerKmsKeyArns=",".join(FORMER_KEYS),
    )


@pytest.mark.parametrize(("principal", "actions", "resource", "keys"), MAY)
def test_it_may_do_its_work(full, principal, actions, resource, keys):
    assert [a for a in actions.split() if not allowed(full, principal, a, resource, keys)] == []


@pytest.mark.parametrize(("principal", "actions", "resource", "keys"), MAY_NOT)
def test_it_may_not_do_more(full, principal, actions, resource, keys):
    assert [a for a in actions.split() if allowed(full, principal, a, resource, keys)] == []


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_right_that_is_granted_stands_in_the_table(full, principal):
    granted = {a for s in statements(full, principal) for a in as_list(s["Action"])}
    listed = {a for p, actions, _, _ in MAY if p == principal for a in actions.split()}
    assert granted == listed


# The only "*" that an Allow names. Each has to be impossible to narrow.
EVERYTHING = {"cloudformation:ValidateTemplate": "IAM has no resource for a template under test"}


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_statement_names_its_actions_and_its_resources(full, principal):
    for statement in statements(full, principal):
        assert not {"NotAction", "NotResource"} & statement.keys(), statement
        for action in as_list(statement["Action"]):
            assert "*" not in action, statement
        if "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= EVERYTHING.keys(), statement
        else:
            for resource in as_list(statement["Resource"]):
                assert resource.startswith("arn:aws:"), resource
                fixed = resource.split("*")[0]
                assert "-dev-" in fixed or fixed.endswith("-dev") or resource in (
                    # Named by a parameter, or AWS's own.
                    KEY,
                    *FORMER_KEYS,
                    secret("codecommit-mirror/*"),
                    secret("codecommit-mirror/*-??????"),
                    f"arn:aws:cloudformation:{REGION}:aws:transform/*",
                    regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:*"),
                ), resource


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_no_environment_reaches_another(principal):
    """Whatever one environment may touch, its namesake with one more letter may not."""
    other = Deployed(EnvID="dev2", PermissionsBoundaryArn=BOUNDARY)
    shared = ("secretsmanager:", "kms:")  # named by parameters that both have alike
    same = ("cloudformation:ValidateTemplate",)
    for owner, actions, resource, keys in MAY:
        if owner != principal or resource == SERVERLESS:
            continue
        for action in actions.split():
            if not action.startswith(shared) and action not in same:
                assert not allowed(other, principal, action, resource, keys), (action, resource)


# --- Roles that pipelines create ------------------------------------------------------------

ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])
def test_without_a_boundary_no_role_is_created(dev, action):
    thumbnails = role("role-dev-thumbnails")
    for keys in ({}, WITH_BOUNDARY, {"iam:PermissionsBoundary": ""}):
        assert not allowed(dev, "CodeDeployCFnRole", action, thumbnails, keys)
        assert not allowed(dev, "CodeDeployCFnRole", action, thumbnails, keys, [ADMINISTRATOR])


@pytest.mark.parametrize(
    ("action", "resource", "keys"),
    [
        ("iam:CreateRole", role("anything"), {}),
        ("iam:CreateRole", role("anything"), {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/Other"}),
        ("iam:CreateUser", user("anybody"), {}),
        ("iam:AttachRolePolicy", role("role-dev-thumbnails"), {}),
        ("iam:PutRolePermissionsBoundary", role("role-dev-thumbnails"), WITH_BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", role("role-dev-thumbnails"), WITH_BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", role("role-dev-codedeploy-cfn"), WITH_BOUNDARY),
        ("iam:CreatePolicyVersion", BOUNDARY, {}),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-codedeploy-cfn", {}),
        ("iam:PutRolePolicy", role("role-dev-codedeploy-cfn"), WITH_BOUNDARY),
        ("iam:UpdateAssumeRolePolicy", role("role-dev-codedeploy-cfn"), {}),
        ("iam:PassRole", role("role-dev-codepipeline-cfn"), passed_to("codepipeline.amazonaws.com")),
        ("iam:CreateServiceSpecificCredential", MIRROR, {}),
        ("lambda:UpdateFunctionCode", function("cfn-gitops-dev"), {}),
        ("lambda:AddPermission", function("cfn-gitops-dev"), {"lambda:Principal": "*"}),
        ("events:PutTargets", rule("event-rule-dev-codepipeline-exec-cfn-infra"), {}),
    ],
)
def test_no_further_policy_lifts_the_limits_of_the_deploy_role(bounded, action, resource, keys):
    """DeployPolicyArns may hold AdministratorAccess itself."""
    assert not allowed(bounded, "CodeDeployCFnRole", action, resource, keys, [ADMINISTRATOR])


def test_further_policies_do_add_to_the_deploy_role(bounded):
    queue = regional("sqs", "queue-dev-thumbnails")
    assert not allowed(bounded, "CodeDeployCFnRole", "sqs:CreateQueue", queue)
    assert allowed(bounded, "CodeDeployCFnRole", "sqs:CreateQueue", queue, {}, [ADMINISTRATOR])


@pytest.mark.parametrize("given", ["", "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B"])
def test_the_deploy_role_has_its_own_policy_and_those_of_the_parameter(given):
    stack = Deployed(EnvID="dev", DeployPolicyArns=given)
    own = f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-codedeploy-cfn"
    expected = [own, *(given.split(",") if given else [])]
    assert stack.properties("CodeDeployCFnRole")["ManagedPolicyArns"] == expected


# --- Parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_the_boundary_is_on_everybody_that_the_template_makes(dev, bounded, principal):
    assert bounded.properties(principal)["PermissionsBoundary"] == BOUNDARY
    assert "PermissionsBoundary" not in dev.properties(principal)


def test_without_a_key_the_function_has_no_right_to_any(dev):
    granted = {a for s in statements(dev, "FunctionRole") for a in as_list(s["Action"])}
    assert not [a for a in granted if a.startswith("kms:")]


@pytest.mark.parametrize("former", FORMER_KEYS)
def test_a_key_that_was_given_up_is_read_with_and_no_other_is(former):
    """The account's default key needs no right, so there is none but this one."""
    stack = Deployed(EnvID="dev", MirrorSecretFormerKmsKeyArns=former)
    keys = {s["Sid"]: s["Resource"] for s in statements(stack, "FunctionRole") if "kms" in str(s["Action"])}
    assert keys == {"FormerKeysThroughSecretsManagerOnly": [former]}
    assert allowed(stack, "FunctionRole", "kms:Decrypt", former, VIA_SECRETS_MANAGER)
    assert not allowed(stack, "FunctionRole", "kms:Encrypt", former, VIA_SECRETS_MANAGER)
    assert "KmsKeyId" not in stack.properties("MirrorCredential")


def test_the_name_parameters_are_what_the_function_reaches():
    stack = Deployed(
        EnvID="dev", MirrorUserNames="gitlab-*", MirrorSecretNames="gitlab", RepositoryNames="team-*"
    )
    reach = lambda action, resource: allowed(stack, "FunctionRole", action, resource)
    assert reach("iam:TagUser", user("gitlab-a"))
    assert not reach("iam:TagUser", MIRROR)
    # One secret by its full name: six more characters, not seven, not none but itself.
    assert reach("secretsmanager:GetSecretValue", secret("gitlab-AbC123"))
    assert reach("secretsmanager:CreateSecret", secret("gitlab"))
    assert not reach("secretsmanager:GetSecretValue", secret("gitlab-AbC1234"))
    assert not reach("secretsmanager:GetSecretValue", secret("gitlab-token-AbC123"))
    assert reach("codecommit:GetRepository", regional("codecommit", "team-a"))
    assert allowed(stack, "MirrorUser", "codecommit:GitPush", regional("codecommit", "team-a"))
    assert not allowed(stack, "MirrorUser", "codecommit:GitPush", REPOSITORY)


# --- Trust -----------------------------------------------------------------------------------

SOURCES = {
    "CodeBuildCFnRole": (
        regional("codebuild", "project/codebuild-dev-cfn-infra"),
        regional("codebuild", "project/codebuild-prd-cfn-infra"),
    ),
    "EventsRuleRole": (
        rule("event-rule-dev-codepipeline-exec-cfn-infra"),
        rule("event-rule-prd-codepipeline-exec-cfn-infra"),
    ),
}


@pytest.mark.parametrize(("name", "service"), ROLES.items())
def test_a_role_trusts_its_service_working_for_this_account(dev, name, service):
    source = {"aws:SourceArn": SOURCES[name][0]} if name in SOURCES else {}
    assert assumable(dev, name, service, {"aws:SourceAccount": ACCOUNT, **source})
    assert not assumable(dev, name, service, {"aws:SourceAccount": "999999999999", **source})


@pytest.mark.parametrize(("name", "service"), ROLES.items())
def test_a_role_trusts_one_service_and_nobody_else(dev, name, service):
    trust = dev.properties(name)["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": service}]
    assert [s["Action"] for s in trust] == ["sts:AssumeRole"]


@pytest.mark.parametrize("name", SOURCES)
def test_where_the_service_says_for_what_it_asks_it_must_be_ours(dev, name):
    service = ROLES[name]
    _, other = SOURCES[name]
    assert not assumable(dev, name, service, {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": other})
    assert not assumable(dev, name, service, {"aws:SourceAccount": ACCOUNT})
    assert not assumable(dev, name, service, {})


# --- The bucket ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"])
def test_the_bucket_refuses_plain_http_for_its_objects(dev, action):
    assert bucket_refuses(dev, action, f"{BUCKET}/codepipeline-dev/a", tls=False)
    assert not bucket_refuses(dev, action, f"{BUCKET}/codepipeline-dev/a", tls=True)


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetBucketPolicy", "s3:DeleteBucket"])
def test_the_bucket_refuses_plain_http_for_itself(dev, action):
    assert bucket_refuses(dev, action, BUCKET, tls=False)
    assert not bucket_refuses(dev, action, BUCKET, tls=True)
