"""Compares the tables of rights.py with the template's policies."""

import pytest

from tests.templates.deployed import ACCOUNT, BOUNDARY, DEPLOYED_BOUNDARY, PROVIDER_STACK, REGION, Deployed, as_list
from tests.templates.named import (
    APPROVAL_TEMPLATES,
    APPROVAL_TOPIC,
    BUCKET,
    BUILD_LOG,
    BUILD_PROJECT,
    FOREIGN_KEY,
    FOR_A_GITLAB,
    IN_A_VPC,
    KEY,
    LISTS,
    LISTS_OF_THE_HEALTH_CHECK,
    MADE_INTERFACES,
    MIRROR,
    OTHER_ACCOUNTS,
    PIPELINE,
    PIPELINE_RULE,
    PIPELINE_STACK,
    PRINCIPALS,
    PROVISIONING,
    REPOSITORY,
    REVIEW_LOG,
    REVIEW_PROJECT,
    REVIEW_RULE,
    ROLES,
    SEEN_INTERFACES,
    SERVERLESS,
    SERVICES_OF_PIPELINES,
    TOKEN_KEY,
    VIA_SECRETS_MANAGER,
    WITH_BOUNDARY,
    WITH_OWN_BOUNDARY,
    function,
    passed_to,
    regional,
    repository,
    role,
    rule,
    secret,
    user,
)
from tests.templates.permissions import allowed, assumable, bucket_denies, statements
from tests.templates.rights import MAY, MAY_NOT, needs_another_account


@pytest.fixture(scope="module")
def full():
    """Every parameter that adds permissions is set: a call that is denied here is always denied."""
    return Deployed(
        EnvID="dev",
        PermissionsBoundaryArn=BOUNDARY,
        DeployedRoles="Bounded",
        MirrorSecretKmsKeyArn=KEY,
        GitLabTokenKmsKeyArn=TOKEN_KEY,
        ApprovalTopicArn=APPROVAL_TOPIC,
        SelfRepair="true",
        **OTHER_ACCOUNTS,
        **IN_A_VPC,
    )


@pytest.mark.parametrize(("principal", "actions", "resource", "keys"), [row for row in MAY if needs_another_account(row)])
def test_own_policies_allow_work_in_other_accounts(full, principal, actions, resource, keys):
    assert [a for a in actions.split() if not allowed(full, principal, a, resource, keys)] == []


# claim: hostile-builds-do-not-change-what-was-approved
# claim: each-denied-call-is-denied
# claim: review-build-reaches-only-its-own-output
@pytest.mark.parametrize(("principal", "actions", "resource", "keys"), MAY_NOT)
def test_each_listed_denied_call_is_denied(full, principal, actions, resource, keys):
    assert [a for a in actions.split() if allowed(full, principal, a, resource, keys)] == []


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_granted_permission_is_in_the_table(full, principal):
    granted = {a for s in statements(full, principal) for a in as_list(s["Action"])}
    listed = {a for p, actions, _, _ in MAY if p == principal for a in actions.split()}
    assert granted == listed


# The only "*" in an Allow. Each of these actions cannot be limited.
EVERYTHING = {
    "cloudformation:ValidateTemplate": "IAM has no resource for a template under test",
    **{action: "IAM has no resource for an approval rule template" for action in APPROVAL_TEMPLATES.split()},
    **{action: "a list of all that there are" for action in f"{LISTS} {LISTS_OF_THE_HEALTH_CHECK} {SEEN_INTERFACES}".split()},
}


# claim: every-statement-names-its-actions-and-its-resources
@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_statement_names_actions_and_resources(full, principal):
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
                assert "-dev-" in fixed or fixed.endswith("-dev") or "-dev/" in fixed or resource in (
                    # A parameter's or AWS's own resource.
                    KEY,
                    TOKEN_KEY,
                    FOREIGN_KEY,
                    APPROVAL_TOPIC,
                    # "include all resource IDs": https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
                    regional("ec2", "*/*"),
                    # A mirror's stack may have any name.
                    regional("cloudformation", "stack/*"),
                    # An alarm of what a pipeline deploys may have any name.
                    regional("cloudwatch", "alarm:*"),
                    # With the condition that it decrypts a secret that the function may read.
                    regional("kms", "key/*"),
                    # With the condition that the secret has the tag of a token.
                    secret("*"),
                    f"arn:aws:cloudformation:{REGION}:aws:transform/*",
                    regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:*"),
                ), resource


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_no_environment_reaches_another(principal):
    """An environment may not use a resource whose EnvID has one more letter than its own."""
    other = Deployed(EnvID="dev2", PermissionsBoundaryArn=BOUNDARY, DeployedRolesBoundaryArn=DEPLOYED_BOUNDARY)
    # Both environments' parameters name the same keys. A mirror's stack and an alarm may have any name.
    shared = ("kms:", "cloudformation:DescribeStackResource", "cloudwatch:DescribeAlarms")
    for owner, actions, resource, keys in MAY:
        if owner != principal or resource == SERVERLESS:
            continue
        for action in actions.split():
            is_shared = action.startswith(shared) or keys == FOR_A_GITLAB
            if not is_shared and action not in EVERYTHING:
                assert not allowed(other, principal, action, resource, keys), (action, resource)


# --- Roles that pipelines create ------------------------------------------------------------

ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


# claim: no-role-is-created-without-a-boundary
@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])
def test_without_a_boundary_no_role_is_created(dev, action):
    thumbnails = role("role-dev-thumbnails")
    for keys in ({}, WITH_BOUNDARY, {"iam:PermissionsBoundary": ""}):
        assert not allowed(dev, "CodeDeployCFnRole", action, thumbnails, keys)
        assert not allowed(dev, "CodeDeployCFnRole", action, thumbnails, keys, [ADMINISTRATOR])


# claim: added-policy-does-not-lift-the-deploy-roles-limits
@pytest.mark.parametrize(
    ("action", "resource", "keys"),
    [
        ("iam:CreateRole", role("anything"), {}),
        ("iam:CreateRole", role("role-dev-thumbnails"), WITH_OWN_BOUNDARY),
        ("iam:PutRolePolicy", role("role-dev-thumbnails"), WITH_OWN_BOUNDARY),
        ("iam:CreatePolicyVersion", DEPLOYED_BOUNDARY, {}),
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
        ("events:PutTargets", PIPELINE_RULE, {}),
        ("events:DisableRule", rule("event-rule-dev-cfn-gitops-health"), {}),
        ("cloudwatch:DisableAlarmActions", regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-mirrors"), {}),
        ("cloudwatch:PutMetricAlarm", regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-silence"), {}),
        ("cloudwatch:DeleteDashboards", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/cfn-gitops-dev-{REGION}", {}),
        ("iam:PassRole", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
        ("iam:PutRolePolicy", PROVISIONING, WITH_BOUNDARY),
        ("iam:UpdateAssumeRolePolicy", PROVISIONING, {}),
        ("cloudformation:UpdateStack", PIPELINE_STACK, {}),
        ("cloudformation:DeleteStack", PIPELINE_STACK, {}),
        ("cloudformation:TagResource", PIPELINE_STACK, {}),
        ("cloudformation:UpdateStack", PROVIDER_STACK, {}),
        ("codepipeline:UpdatePipeline", PIPELINE, {}),
        ("codepipeline:PutApprovalResult", f"{PIPELINE}/Approval/Approval", {}),
        ("codebuild:UpdateProject", BUILD_PROJECT, {}),
        ("codebuild:UpdateProject", REVIEW_PROJECT, {}),
        ("codebuild:StartBuild", REVIEW_PROJECT, {}),
        ("iam:PassRole", role("role-dev-review-codebuild-cfn"), passed_to("codebuild.amazonaws.com")),
        ("iam:UpdateAssumeRolePolicy", role("role-dev-review-codebuild-cfn"), {}),
        ("sts:AssumeRole", role("role-dev-review-codebuild-cfn"), {}),
        ("events:PutTargets", REVIEW_RULE, {}),
        ("codecommit:CreateCommit", REPOSITORY, {}),
        ("codecommit:TagResource", REPOSITORY, {}),
        ("logs:DeleteLogGroup", BUILD_LOG, {}),
        ("logs:DeleteLogGroup", REVIEW_LOG, {}),
        ("secretsmanager:TagResource", secret("cfn-gitops-dev/deletions/infra-0a1b2c3d-AbC123"), {}),
        ("secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
        ("secretsmanager:GetSecretValue", secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB),
        ("lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
        ("lambda:InvokeFunction", function("cfn-gitops-dev:$LATEST"), {}),
        ("lambda:CreateFunctionUrlConfig", function("cfn-gitops-dev"), {}),
        ("iam:CreateAccessKey", user("administrator"), {}),
        ("iam:UpdateAssumeRolePolicy", role("administrator"), {}),
    ],
)
def test_added_policy_does_not_lift_the_deploy_roles_limits(bounded, action, resource, keys):
    """DeployPolicyArns may hold AdministratorAccess itself."""
    assert not allowed(bounded, "CodeDeployCFnRole", action, resource, keys, [ADMINISTRATOR])


def test_further_policies_do_add_to_the_deploy_role(bounded):
    queue = regional("sqs", "queue-dev-thumbnails")
    assert not allowed(bounded, "CodeDeployCFnRole", "sqs:CreateQueue", queue)
    assert allowed(bounded, "CodeDeployCFnRole", "sqs:CreateQueue", queue, {}, [ADMINISTRATOR])


@pytest.mark.parametrize("given", ["", "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B"])
def test_deploy_role_has_its_policy_and_those_of_the_parameter(given):
    stack = Deployed(EnvID="dev", DeployPolicyArns=given)
    own = f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-codedeploy-cfn"
    expected = [own, *(given.split(",") if given else [])]
    assert stack.properties("CodeDeployCFnRole")["ManagedPolicyArns"] == expected


# --- Parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_the_boundary_is_on_everybody_that_the_template_makes(dev, bounded, principal):
    assert bounded.properties(principal)["PermissionsBoundary"] == BOUNDARY
    assert "PermissionsBoundary" not in dev.properties(principal)


# claim: roles-of-pipelines-never-have-the-machinerys-boundary
def test_roles_of_pipelines_never_have_the_machinerys_boundary():
    """If only the machinery has a boundary, pipelines create no roles."""
    thumbnails, given = role("role-dev-thumbnails"), f"arn:aws:iam::{ACCOUNT}:policy/given"
    stack = Deployed(EnvID="dev", PermissionsBoundaryArn=BOUNDARY)
    for keys in ({}, WITH_BOUNDARY, WITH_OWN_BOUNDARY):
        assert not allowed(stack, "CodeDeployCFnRole", "iam:CreateRole", thumbnails, keys)
        assert not allowed(stack, "CodeDeployCFnRole", "iam:CreateRole", thumbnails, keys, [ADMINISTRATOR])
    stack = Deployed(EnvID="dev", PermissionsBoundaryArn=BOUNDARY, DeployedRolesBoundaryArn=given)
    assert not stack.is_made("DeployedRolesBoundary")
    assert allowed(stack, "CodeDeployCFnRole", "iam:CreateRole", thumbnails, {"iam:PermissionsBoundary": given})
    assert not allowed(stack, "CodeDeployCFnRole", "iam:CreateRole", thumbnails, WITH_OWN_BOUNDARY)
    # Also one that CloudFormation named after a pipeline's stack.
    own = f"arn:aws:iam::{ACCOUNT}:policy/cfnstack-dev-shop-Boundary-1A2B3C"
    stack = Deployed(EnvID="dev", DeployedRolesBoundaryArn=own)
    assert not allowed(stack, "CodeDeployCFnRole", "iam:CreatePolicyVersion", own, {}, [ADMINISTRATOR])


def test_without_a_key_the_function_only_decrypts(dev):
    granted = {a for s in statements(dev, "FunctionRole") for a in as_list(s["Action"])}
    assert [a for a in granted if a.startswith("kms:")] == ["kms:Decrypt"]
    assert not allowed(dev, "FunctionRole", "kms:Decrypt", KEY, VIA_SECRETS_MANAGER)


def test_no_ec2_permission_without_a_vpc(dev):
    assert not [a for s in statements(dev, "FunctionRole") for a in as_list(s["Action"]) if a.startswith("ec2:")]
    assert not [s for s in statements(dev, "FunctionRole", "Deny") if "ec2:" in str(s)]
    assert not allowed(dev, "FunctionRole", "ec2:CreateNetworkInterface", regional("ec2", "network-interface/*"))


def test_code_is_denied_all_that_lambda_may_do_in_a_vpc():
    stack = Deployed(EnvID="dev", **IN_A_VPC)
    (denied,) = [s["Action"] for s in statements(stack, "FunctionRole", "Deny") if s["Sid"] == "NoNetworkInterfacesForTheCode"]
    assert sorted(denied) == sorted(f"{MADE_INTERFACES} {SEEN_INTERFACES}".split())


def test_pipelines_publish_only_to_topics_that_are_named(dev):
    assert not allowed(dev, "CodePipelineCFnRole", "sns:Publish", APPROVAL_TOPIC)
    stack = Deployed(EnvID="dev", ApprovalTopicArn=APPROVAL_TOPIC)
    assert allowed(stack, "CodePipelineCFnRole", "sns:Publish", APPROVAL_TOPIC)
    assert not allowed(stack, "CodePipelineCFnRole", "sns:Publish", f"{APPROVAL_TOPIC}-2")


# claim: name-parameters-limit-the-function
def test_name_parameters_limit_the_function():
    stack = Deployed(
        EnvID="dev", MirrorUserNames="gitlab-*", MirrorSecretNames="gitlab", RepositoryNames="team-*"
    )
    reach = lambda action, resource: allowed(stack, "FunctionRole", action, resource)
    website = repository("codecommit-dev-website")
    assert reach("iam:TagUser", user("gitlab-a"))
    assert not reach("iam:TagUser", MIRROR)
    # One secret by its full name: six more characters, not seven, and not none.
    assert reach("secretsmanager:GetSecretValue", secret("gitlab-AbC123"))
    assert reach("secretsmanager:CreateSecret", secret("gitlab"))
    assert not reach("secretsmanager:GetSecretValue", secret("gitlab-AbC1234"))
    assert not reach("secretsmanager:GetSecretValue", secret("gitlab-token-AbC123"))
    decrypts = {name: VIA_SECRETS_MANAGER | {"kms:EncryptionContext:SecretARN": secret(name)} for name in ("gitlab-AbC123", "gitlab-AbC1234")}
    assert [name for name, keys in decrypts.items() if allowed(stack, "FunctionRole", "kms:Decrypt", KEY, keys)] == ["gitlab-AbC123"]
    assert reach("codecommit:GetRepository", repository("team-a"))
    assert not reach("codecommit:GetRepository", website)
    assert allowed(stack, "MirrorUser", "codecommit:GitPush", repository("team-a"))
    assert not allowed(stack, "MirrorUser", "codecommit:GitPush", website)
    assert allowed(stack, "CodePipelineCFnRole", "codecommit:UploadArchive", repository("team-a"))
    assert not allowed(stack, "CodePipelineCFnRole", "codecommit:UploadArchive", website)
    # In addition to the pipelines' own: the first project works with every value of the parameter.
    assert reach("codecommit:GetBranch", REPOSITORY)
    assert allowed(stack, "CodePipelineCFnRole", "codecommit:UploadArchive", REPOSITORY)
    assert allowed(stack, "MirrorUser", "codecommit:GitPush", REPOSITORY)
    assert not allowed(stack, "MirrorUser", "codecommit:GitPush", repository("codecommit-dev-cfn-shop"))


def test_the_pipelines_roles_are_a_parameter():
    stack = Deployed(EnvID="dev", PipelineRoleNames="team-pipelines-*")
    for service in SERVICES_OF_PIPELINES:
        assert allowed(stack, "ProvisioningRole", "iam:PassRole", role("team-pipelines-a"), passed_to(service))
        assert not allowed(stack, "ProvisioningRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), passed_to(service))


@pytest.mark.parametrize("name", ["role-dev-cfn-gitops", "role-dev-cfn-gitops-provisioning", "role-dev-codedeploy-cfn", "role-dev-codepipeline-s3-site"])
@pytest.mark.parametrize("service", SERVICES_OF_PIPELINES)
def test_further_policy_gives_no_pipeline_a_stronger_role(dev, name, service):
    """The pattern matches these, and an administrator may have added permissions to the role."""
    assert not allowed(dev, "ProvisioningRole", "iam:PassRole", role(name), passed_to(service), [ADMINISTRATOR])
    assert allowed(dev, "ProvisioningRole", "iam:PassRole", role("administrator"), passed_to(service), [ADMINISTRATOR])


# --- Trust -----------------------------------------------------------------------------------

SOURCES = {
    "CodeBuildCFnRole": (
        regional("codebuild", "project/codebuild-dev-cfn-infra"),
        regional("codebuild", "project/codebuild-prd-cfn-infra"),
    ),
    "ReviewCodeBuildCFnRole": (
        regional("codebuild", "project/codebuild-dev-review-infra"),
        regional("codebuild", "project/codebuild-dev-cfn-infra"),
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
def test_role_trusts_only_its_service(dev, name, service):
    trust = dev.properties(name)["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": service}]
    assert [s["Action"] for s in trust] == ["sts:AssumeRole"]


# claim: request-with-the-keys-aws-sends-is-allowed
@pytest.mark.parametrize("name", SOURCES)
def test_sent_source_has_to_be_this_accounts(dev, name):
    service = ROLES[name]
    _, other = SOURCES[name]
    assert not assumable(dev, name, service, {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": other})
    assert not assumable(dev, name, service, {"aws:SourceAccount": ACCOUNT})
    assert not assumable(dev, name, service, {})


# --- The bucket ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"])
def test_bucket_denies_plain_http_for_its_objects(dev, action):
    assert bucket_denies(dev, action, f"{BUCKET}/codepipeline-dev/a", tls=False)
    assert not bucket_denies(dev, action, f"{BUCKET}/codepipeline-dev/a", tls=True)


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetBucketPolicy", "s3:DeleteBucket"])
def test_bucket_denies_plain_http_for_itself(dev, action):
    assert bucket_denies(dev, action, BUCKET, tls=False)
    assert not bucket_denies(dev, action, BUCKET, tls=True)
