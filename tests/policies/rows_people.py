"""people.yaml's groups and their protection, and branch-protection.yaml's for a whole account."""

from tests.policies.scene import APPROVER, PIPELINES
from tests.policies.tables import (
    ADMINISTRATOR,
    DEPLOYED_STACK,
    FIRST_MIRROR,
    FIRST_REPOSITORY,
    FUNCTION,
    FUNCTION_ROLE,
    MIRROR,
    PASSWORD,
    PIPELINE,
    PIPELINE_STACK,
    REPOSITORY,
    group,
    regional,
    role,
    user,
)
from tests.templates.deployed import REGION

_ALICE = user(PIPELINES, "alice")
POWER_USER = f"{_ALICE} in {group('group-dev-power-users')}"
READER = f"{_ALICE} in {group('group-dev-readers')}"
OBSERVING = f"{_ALICE} in {group('group-dev-observers')}"
_A_MEMBER = f"in {group('group-dev-approvers')}"
APPROVING = f"{_ALICE} {_A_MEMBER}"
# The protection is effective together with any other permissions.
STRONG_POWER_USER, STRONG_READER = f"{POWER_USER} with everything", f"{READER} with everything"
STRONG_APPROVER = f"{APPROVING} with everything"
UNDER_CONTROL = f"{ADMINISTRATOR} under control"
ROOT = f"arn:aws:iam::{PIPELINES}:root under control"

OF_OTHERS = [
    regional("codecommit", name)
    for name in ("codecommit-dev2-cfn-shop", "codecommit-prd-cfn-shop", "unrelated")
]
FOR_CODECOMMIT = {"iam:ServiceSpecificCredentialServiceName": "codecommit.amazonaws.com"}
MIRRORS = [FIRST_MIRROR, MIRROR]
# The repositories that each of them pushes to.
OWN = [FIRST_REPOSITORY, REPOSITORY]

READ = """codecommit:GitPull codecommit:BatchGetCommits codecommit:BatchGetPullRequests
    codecommit:BatchGetRepositories codecommit:BatchDescribeMergeConflicts
    codecommit:DescribeMergeConflicts codecommit:DescribePullRequestEvents
    codecommit:EvaluatePullRequestApprovalRules codecommit:GetBlob codecommit:GetBranch
    codecommit:GetComment codecommit:GetCommentReactions codecommit:GetCommentsForComparedCommit
    codecommit:GetCommentsForPullRequest codecommit:GetCommit codecommit:GetCommitHistory
    codecommit:GetCommitsFromMergeBase codecommit:GetDifferences codecommit:GetFile codecommit:GetFolder
    codecommit:GetMergeCommit codecommit:GetMergeConflicts codecommit:GetMergeOptions
    codecommit:GetObjectIdentifier codecommit:GetPullRequest codecommit:GetPullRequestApprovalStates
    codecommit:GetPullRequestOverrideState codecommit:GetReferences codecommit:GetRepository
    codecommit:GetRepositoryTriggers codecommit:GetTree
    codecommit:ListAssociatedApprovalRuleTemplatesForRepository codecommit:ListBranches
    codecommit:ListFileCommitHistory codecommit:ListPullRequests codecommit:ListTagsForResource"""
LISTS = """codecommit:ListRepositories codecommit:ListApprovalRuleTemplates codecommit:GetApprovalRuleTemplate
    codecommit:ListRepositoriesForApprovalRuleTemplate"""
# Calls that change a reference. Other calls do not change one.
CHANGE_A_BRANCH = """codecommit:GitPush codecommit:CreateBranch codecommit:CreateCommit
    codecommit:DeleteBranch codecommit:DeleteFile codecommit:MergeBranchesByFastForward
    codecommit:MergeBranchesBySquash codecommit:MergeBranchesByThreeWay
    codecommit:MergePullRequestByFastForward codecommit:MergePullRequestBySquash
    codecommit:MergePullRequestByThreeWay codecommit:PutFile"""
WORK = """codecommit:CreatePullRequest codecommit:CreatePullRequestApprovalRule
    codecommit:CreateUnreferencedMergeCommit codecommit:PostCommentForComparedCommit
    codecommit:PostCommentForPullRequest codecommit:PostCommentReply codecommit:PutCommentReaction
    codecommit:UpdateComment codecommit:UpdatePullRequestApprovalState
    codecommit:UpdatePullRequestDescription codecommit:UpdatePullRequestStatus
    codecommit:UpdatePullRequestTitle codecommit:UpdateRepositoryDescription"""
TAKE_AWAY = """codecommit:DeleteRepository codecommit:UpdateDefaultBranch
    codecommit:UpdateRepositoryEncryptionKey codecommit:UpdateRepositoryName"""
LIFT_RULES = """codecommit:BatchDisassociateApprovalRuleTemplateFromRepositories
    codecommit:DeletePullRequestApprovalRule codecommit:DisassociateApprovalRuleTemplateFromRepository
    codecommit:OverridePullRequestApprovalRules codecommit:UpdatePullRequestApprovalRuleContent"""
CHANGE_TEMPLATES = "codecommit:DeleteApprovalRuleTemplate codecommit:UpdateApprovalRuleTemplateContent"
MANAGE_ONES_OWN = """iam:DeleteServiceSpecificCredential iam:DeleteSSHPublicKey iam:GetSSHPublicKey
    iam:ListServiceSpecificCredentials iam:ListSSHPublicKeys iam:ResetServiceSpecificCredential
    iam:UpdateServiceSpecificCredential iam:UpdateSSHPublicKey iam:UploadSSHPublicKey"""
MANAGE_LOGINS = """iam:ResetServiceSpecificCredential iam:UpdateServiceSpecificCredential
    iam:UpdateSSHPublicKey iam:UploadSSHPublicKey"""
BECOME_ANOTHER = """iam:CreateUser iam:UpdateUser iam:CreateAccessKey iam:UpdateAccessKey
    iam:CreateLoginProfile iam:UpdateLoginProfile iam:CreateServiceSpecificCredential
    iam:ResetServiceSpecificCredential iam:UpdateServiceSpecificCredential iam:UpdateSSHPublicKey
    iam:UploadSSHPublicKey"""
READ_A_PASSWORD = "secretsmanager:GetSecretValue secretsmanager:PutResourcePolicy"

APPROVALS = [f"{PIPELINE}/Deploy/Approval", f"{PIPELINE}/Approval/Approval"]
# Both of the first have the role of deployment.yaml.
PROVIDER_STACK, PROJECT_STACK, MY_STACK = [
    regional("cloudformation", f"stack/{name}/0a1b")
    for name in ("cfn-gitops-dev", "project-dev-shop", "mine")
]
# A call can name a version.
FUNCTIONS = [FUNCTION, f"{FUNCTION}:$LATEST"]
READ_FUNCTION = f"{FUNCTION}-read"
READ_FUNCTIONS = [READ_FUNCTION, f"{READ_FUNCTION}:$LATEST"]
# The roles that the policies exempt, those of the parameter and of a copying build included. And that of the
# function that only reads.
GUARDED_ROLES = [
    FUNCTION_ROLE,
    *[
        role(PIPELINES, name)
        for name in (
            "role-dev-cfn-gitops-provisioning",
            "role-dev-cfn-gitops-read",
            "role-dev-codepipeline-cfn",
            "role-dev-codedeploy-cfn",
            "role-dev-codebuild-replication-shop",
            "cfn-gitops-dev-deployment",
            "emergency",
        )
    ],
]
# The managed policies of both functions' roles.
POLICIES_OF_FUNCTIONS = [
    f"arn:aws:iam::{PIPELINES}:policy/policy-dev-cfn-gitops-{name}" for name in ("read", "change-sets")
]
# Rules whose targets the function's policy admits: the environment's own, and a pipeline's.
RULES = [
    regional("events", f"rule/event-rule-dev-{name}")
    for name in ("cfn-gitops-health", "codepipeline-exec-cfn-shop")
]
APPROVE = "codepipeline:PutApprovalResult"
READ_A_PIPELINE = """codepipeline:GetPipeline codepipeline:GetPipelineExecution codepipeline:GetPipelineState
    codepipeline:ListActionExecutions codepipeline:ListPipelineExecutions"""
READ_A_CHANGE_SET = "cloudformation:DescribeChangeSet cloudformation:DescribeStacks"
# Ways to deploy without an approval, or to become one who approves.
CHANGE_A_PIPELINE = "codepipeline:CreatePipeline codepipeline:UpdatePipeline codepipeline:RollbackStage"
DEPLOY = """cloudformation:CreateChangeSet cloudformation:CreateStack cloudformation:ExecuteChangeSet
    cloudformation:UpdateStack cloudformation:SetAlias cloudformation:RemoveAlias"""
BECOME_A_ROLE = """iam:AcquireRole iam:CreateRole iam:PassRole iam:UpdateAssumeRolePolicy
    iam:AttachRolePolicy iam:PutRolePolicy iam:DeleteRolePolicy"""
BECOME_A_USER = """iam:CreateAccessKey iam:CreateLoginProfile iam:CreateUser iam:UpdateAccessKey
    iam:UpdateLoginProfile iam:UpdateUser"""
CHANGE_A_FUNCTION = """lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:AddPermission
    lambda:PutResourcePolicy lambda:CreateAlias lambda:CreateFunctionUrlConfig
    lambda:PutFunctionConcurrency lambda:PutFunctionEventInvokeConfig"""
CHANGE_A_POLICY = "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion"
INVOKE = "lambda:InvokeAsync lambda:InvokeFunction lambda:InvokeFunctionUrl"
_OF_AN_ENVIRONMENT = [
    (CHANGE_A_PIPELINE, PIPELINE),
    *[(DEPLOY, stack) for stack in (DEPLOYED_STACK, PIPELINE_STACK, PROVIDER_STACK, PROJECT_STACK)],
    *[(CHANGE_A_FUNCTION, function) for function in (*FUNCTIONS, *READ_FUNCTIONS)],
    *[("events:PutRule events:PutTargets", rule) for rule in RULES],
    *[(BECOME_A_ROLE, guarded) for guarded in GUARDED_ROLES[:-1]],
    *[(CHANGE_A_POLICY, policy) for policy in POLICIES_OF_FUNCTIONS],
]
AROUND_AN_APPROVAL = [*_OF_AN_ENVIRONMENT, (BECOME_A_ROLE, GUARDED_ROLES[-1]), (BECOME_A_USER, APPROVER)]
# The role of the permission set that approves without named approvers.
PERMISSION_SET = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_dev-approvers_0123456789abcdef"
PRD_FUNCTION = f"anybody {role(PIPELINES, 'role-prd-cfn-gitops')} under control"
LIKE_A_MIRROR = [
    "mirror",
    "user-prd-codecommit-mirroring",
    "user-dev2-shop-mirror",
    "user-dev-mirror",
    "user-dev-shop-mirror2",
    "user-dev-codecommit-mirroring2",
    "team/user-dev-shop-mirror",
    "user-dev-x/mirror2",
]
LIKE_AN_EXEMPTION = [
    *[
        role(PIPELINES, name)
        for name in (
            "user-dev-shop-mirror",
            "emergency2",
            "role-dev-codebuild-cfn",
            "role-dev-codedeploy-cfn",
            "role-dev-codepipeline-cfn",
            "role-prd-cfn-gitops",
            "role-dev2-cfn-gitops",
            "role-dev-cfn-gitops2",
            "role-dev-replication-x",
            "role-prd-codebuild-replication-shop",
        )
    ],
    *[user(PIPELINES, name) for name in ("role-dev-cfn-gitops", "emergency")],
]


def on(reference):
    return {"codecommit:References": reference}


PROTECTED = [on("refs/heads/development"), on("refs/heads/master"), on("refs/heads/review/login")]
FREE = [
    on("refs/heads/feature"),
    on("refs/heads/development2"),
    on("refs/heads/a/development"),
    on("refs/heads/Development"),
    on("refs/heads/review"),
    on("refs/tags/master"),
    on("refs/notes/commits"),
    {},
]

MAY = [
    *[(who, READ, REPOSITORY, {}) for who in (POWER_USER, READER)],
    *[(who, LISTS, "*", {}) for who in (POWER_USER, READER)],
    (POWER_USER, WORK, REPOSITORY, {}),
    # The last is git's first request, which names no reference.
    *[(POWER_USER, CHANGE_A_BRANCH, REPOSITORY, reference) for reference in FREE],
    *[
        (who, *call)
        for who in (POWER_USER, READER)
        for call in (
            (MANAGE_ONES_OWN, _ALICE, {}),
            ("iam:CreateServiceSpecificCredential", _ALICE, FOR_CODECOMMIT),
        )
    ],
    # The protection covers only this environment's branches.
    *[
        (who, actions, other, keys)
        for who in (STRONG_POWER_USER, STRONG_READER, UNDER_CONTROL)
        for other in OF_OTHERS
        for actions, keys in ((CHANGE_A_BRANCH, PROTECTED[0]), (f"{TAKE_AWAY} {LIFT_RULES}", {}))
    ],
    *[(who, BECOME_ANOTHER, user(PIPELINES, "bob"), {}) for who in (STRONG_POWER_USER, STRONG_READER)],
    *[
        (who, READ_A_PASSWORD, regional("secretsmanager", "secret:other-AbC123"), {})
        for who in (STRONG_POWER_USER, STRONG_READER)
    ],
    # The mirror users may still push, even if they have these policies, and under the control policy.
    *[
        (f"{mirror} in {group('group-dev-power-users')}", "codecommit:GitPush", REPOSITORY, PROTECTED[0])
        for mirror in MIRRORS
    ],
    *[
        (f"{mirror} under control", "codecommit:GitPush", own, reference)
        for mirror, own in zip(MIRRORS, OWN, strict=True)
        for reference in PROTECTED
    ],
    *[(APPROVING, APPROVE, approval, {}) for approval in APPROVALS],
    (APPROVING, READ_A_PIPELINE, PIPELINE, {}),
    (APPROVING, READ_A_CHANGE_SET, DEPLOYED_STACK, {}),
    (APPROVING, "codepipeline:ListPipelines", "*", {}),
    # Observers and approvers, and an administrator even with the control policy.
    *[
        (who, "lambda:InvokeFunction", READ_FUNCTION, {})
        for who in (OBSERVING, APPROVING, f"{OBSERVING} under control")
    ],
    *[
        (who, INVOKE, function, {})
        for who in (ADMINISTRATOR, UNDER_CONTROL, ROOT)
        for function in READ_FUNCTIONS
    ],
    *[
        (ADMINISTRATOR, f"{INVOKE} {CHANGE_A_FUNCTION}", function, {})
        for function in (*FUNCTIONS, *READ_FUNCTIONS)
    ],
    *[(ADMINISTRATOR, CHANGE_A_POLICY, policy, {}) for policy in POLICIES_OF_FUNCTIONS],
    # In an account with the control policy: an approver whom it names, and the function, which template.yaml
    # limits.
    *[(f"{APPROVER} {_A_MEMBER} under control", APPROVE, approval, {}) for approval in APPROVALS],
    *[(f"anybody {FUNCTION_ROLE} under control", APPROVE, approval, {}) for approval in APPROVALS],
    *[
        (f"anybody {role(PIPELINES, name)} under control", actions, resource, {})
        for name in (
            "role-dev-cfn-gitops",
            "role-dev-cfn-gitops-provisioning",
            "role-dev-codepipeline-cfn",
            "role-dev-codedeploy-cfn",
            "emergency",
        )
        for actions, resource in AROUND_AN_APPROVAL
    ],
    # Neither another environment nor the actions that run a pipeline are denied.
    *[
        (UNDER_CONTROL, actions, resource.replace("-dev", "-prd"), {})
        for actions, resource in [(APPROVE, APPROVALS[0]), (INVOKE, FUNCTION), *_OF_AN_ENVIRONMENT]
    ],
    (UNDER_CONTROL, BECOME_A_USER, user(PIPELINES, "bob"), {}),
    *[
        (UNDER_CONTROL, CHANGE_A_POLICY, f"arn:aws:iam::{PIPELINES}:policy/{name}", {})
        for name in ("policy-dev-thumbnails", "administrators")
    ],
    # Their own stacks, roles, functions and rules, and what the runbook needs after a failed deployment.
    (UNDER_CONTROL, DEPLOY, MY_STACK, {}),
    *[
        (UNDER_CONTROL, BECOME_A_ROLE, role(PIPELINES, name), {})
        for name in ("role-dev-thumbnails", "administrator", "role-dev-codebuild-cfn")
    ],
    (
        UNDER_CONTROL,
        f"{INVOKE} {CHANGE_A_FUNCTION}",
        regional("lambda", "function:lambda-dev-thumbnails"),
        {},
    ),
    (UNDER_CONTROL, "events:PutTargets", regional("events", "rule/event-rule-dev-nightly"), {}),
    (
        UNDER_CONTROL,
        "cloudformation:DeleteStack cloudformation:ContinueUpdateRollback cloudformation:RollbackStack",
        DEPLOYED_STACK,
        {},
    ),
    # Secrets Manager invokes the function by its own name, and an exempt identity rotates.
    (f"anybody {role(PIPELINES, 'emergency')} under control", "secretsmanager:RotateSecret", PASSWORD, {}),
    (
        UNDER_CONTROL,
        (
            "codepipeline:StartPipelineExecution codepipeline:StopPipelineExecution"
            " codepipeline:RetryStageExecution"
        ),
        PIPELINE,
        {},
    ),
    # A whole account: calls that are not protected.
    *[(UNDER_CONTROL, CHANGE_A_BRANCH, REPOSITORY, reference) for reference in FREE],
    (UNDER_CONTROL, BECOME_ANOTHER, user(PIPELINES, "bob"), {}),
    (UNDER_CONTROL, READ_A_PASSWORD, regional("secretsmanager", "secret:other-AbC123"), {}),
    # Exempt principals: those that create, update and delete these resources, and emergency roles.
    *[
        (f"anybody {role(PIPELINES, name)} under control", *call)
        for name in (
            "role-dev-cfn-gitops",
            "role-dev-cfn-gitops-provisioning",
            "role-dev-codebuild-replication-shop",
            "emergency",
        )
        for call in (
            (CHANGE_A_BRANCH, REPOSITORY, PROTECTED[0]),
            (f"{TAKE_AWAY} {LIFT_RULES}", REPOSITORY, {}),
            (BECOME_ANOTHER, MIRRORS[0], {}),
            (READ_A_PASSWORD, PASSWORD, {}),
            (INVOKE, FUNCTION, {}),
        )
    ],
    *[
        (f"anybody {mirror} under control", *call)
        for mirror in MIRRORS
        for call in ((f"{TAKE_AWAY} {LIFT_RULES}", REPOSITORY, {}), (READ_A_PASSWORD, PASSWORD, {}))
    ],
    # Another environment's function, with its own mirror's password.
    (PRD_FUNCTION, READ_A_PASSWORD, PASSWORD.replace("-dev-", "-prd-"), {}),
]

MAY_NOT = [
    # An author alone neither approves nor deploys, and an approver only approves.
    *[
        (
            who,
            (
                "codepipeline:StartPipelineExecution codepipeline:RetryStageExecution"
                " codepipeline:GetPipelineState"
            ),
            PIPELINE,
            {},
        )
        for who in (POWER_USER, READER)
    ],
    *[
        (who, actions, resource, {})
        for who in (POWER_USER, READER, APPROVING, OBSERVING)
        for actions, resource in [*AROUND_AN_APPROVAL, *[(INVOKE, function) for function in FUNCTIONS]]
    ],
    # An observer does nothing else, and neither readers nor power users observe.
    *[
        (OBSERVING, actions, resource, {})
        for actions, resource in (
            (APPROVE, APPROVALS[0]),
            (READ_A_PIPELINE, PIPELINE),
            (READ_A_CHANGE_SET, DEPLOYED_STACK),
            (f"{READ} {WORK}", REPOSITORY),
            (LISTS, "*"),
            (READ_A_PASSWORD, PASSWORD),
            (MANAGE_ONES_OWN, _ALICE),
            ("lambda:GetFunction lambda:GetFunctionConfiguration lambda:GetPolicy", READ_FUNCTION),
            ("logs:GetLogEvents", regional("logs", "log-group:/aws/lambda/cfn-gitops-dev-read:log-stream:a")),
            ("codepipeline:StartPipelineExecution", PIPELINE),
        )
    ],
    *[(who, INVOKE, READ_FUNCTION, {}) for who in (POWER_USER, READER)],
    (APPROVING, APPROVE, f"{PIPELINE}/Deploy/Another", {}),
    (APPROVING, READ_A_CHANGE_SET, PIPELINE_STACK, {}),
    # An account with the control policy: a member of the group whom it does not name, and any identity
    # outside of the group.
    *[
        (who, APPROVE, approval, {})
        for who in (f"{APPROVING} under control", UNDER_CONTROL, ROOT)
        for approval in APPROVALS
    ],
    *[
        (f"anybody {role(PIPELINES, name)} under control", APPROVE, APPROVALS[0], {})
        for name in (
            "emergency",
            "role-dev-cfn-gitops-provisioning",
            "role-dev-codepipeline-cfn",
            "role-dev-codedeploy-cfn",
            "role-dev-cfn-gitops2",
            "approver",
        )
    ],
    *[
        (who, actions, resource, {})
        for who in (UNDER_CONTROL, ROOT)
        for actions, resource in AROUND_AN_APPROVAL
    ],
    *[
        (UNDER_CONTROL, actions, resource.replace(REGION, "us-east-1"), {})
        for actions, resource in [(APPROVE, APPROVALS[0]), (INVOKE, FUNCTION), *_OF_AN_ENVIRONMENT]
        if REGION in resource
    ],
    # The function can deploy. The roles of pipelines and of deployed stacks do not invoke it, even with such
    # a policy.
    *[
        (who, INVOKE, function, {})
        for function in FUNCTIONS
        for who in (
            UNDER_CONTROL,
            ROOT,
            f"{APPROVING} with everything under control",
            *[
                f"anybody {role(PIPELINES, name)} under control"
                for name in (
                    "role-dev-codepipeline-cfn",
                    "role-dev-codedeploy-cfn",
                    "role-dev-cfn-gitops-read",
                )
            ],
        )
    ],
    *[(who, f"{READ} {WORK}", other, {}) for who in (POWER_USER, READER) for other in OF_OTHERS],
    # A user manages only their own credentials.
    *[
        (who, *call)
        for who in (POWER_USER, READER)
        for call in (
            *[(MANAGE_ONES_OWN, user(PIPELINES, name), {}) for name in ("bob", "alice2")],
            *[
                ("iam:CreateServiceSpecificCredential", _ALICE, keys)
                for keys in ({}, {"iam:ServiceSpecificCredentialServiceName": "cassandra.amazonaws.com"})
            ],
            ("iam:CreateServiceSpecificCredential", user(PIPELINES, "bob"), FOR_CODECOMMIT),
        )
    ],
    # The protection, attached to any principal with any other permissions.
    *[
        (who, *call)
        for who in (STRONG_POWER_USER, STRONG_READER, STRONG_APPROVER, UNDER_CONTROL, ROOT)
        for call in (
            *[(CHANGE_A_BRANCH, REPOSITORY, reference) for reference in PROTECTED],
            (CHANGE_A_BRANCH, REPOSITORY.replace(REGION, "us-east-1"), PROTECTED[0]),
            *[
                (f"{TAKE_AWAY} {LIFT_RULES}", repository, {})
                for repository in (REPOSITORY, REPOSITORY.replace(REGION, "us-east-1"))
            ],
            *[(BECOME_ANOTHER, mirror, {}) for mirror in MIRRORS],
            # By its name, because a call for a missing secret is evaluated with the name.
            *[
                (READ_A_PASSWORD, secret, {})
                for secret in (
                    PASSWORD,
                    PASSWORD.replace(REGION, "us-east-1"),
                    PASSWORD.removesuffix("-mirror-AbC123"),
                )
            ],
        )
    ],
    *[(who, CHANGE_TEMPLATES, "*", {}) for who in (STRONG_POWER_USER, STRONG_READER, STRONG_APPROVER)],
    # A mirror user in a group creates no login, and its own protection is the groups'.
    *[
        row
        for mirror in MIRRORS
        for row in (
            (
                f"{mirror} in {group('group-dev-power-users')}",
                f"{MANAGE_LOGINS} iam:CreateServiceSpecificCredential",
                mirror,
                FOR_CODECOMMIT,
            ),
            (
                f"{mirror} in {group('group-dev-power-users')} with everything",
                f"{TAKE_AWAY} {LIFT_RULES}",
                REPOSITORY,
                {},
            ),
        )
    ],
    # Neither protection exempts a user with a name or a path like the mirror's, nor a role.
    *[
        (f"{user(PIPELINES, name)} {protection}", "codecommit:GitPush", REPOSITORY, PROTECTED[0])
        for protection in (
            f"in {group('group-dev-power-users')}",
            f"in {group('group-dev-power-users')} with everything under control",
        )
        for name in LIKE_A_MIRROR
    ],
    *[
        (f"anybody {who} under control", action, resource, keys)
        for who in LIKE_AN_EXEMPTION
        for action, resource, keys in (
            ("codecommit:GitPush", REPOSITORY, PROTECTED[0]),
            (TAKE_AWAY, REPOSITORY, {}),
            (BECOME_ANOTHER, MIRRORS[1], {}),
        )
    ],
    *[
        (who, "iam:CreateUser iam:UpdateUser", user(PIPELINES, "user-dev-x/a-mirror"), {})
        for who in (STRONG_POWER_USER, STRONG_READER)
    ],
    (PRD_FUNCTION, READ_A_PASSWORD, PASSWORD, {}),
    # The named approvers replace the permission set.
    (f"anybody {role(PIPELINES, PERMISSION_SET)} under control", APPROVE, APPROVALS[0], {}),
]
