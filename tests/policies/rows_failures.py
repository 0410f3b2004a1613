"""Reads of failed builds and deployments by the function, for its reports to GitLab. Part of rows_rights.py.

An attacker can invoke the function with any event, so these rows are also what such an attacker can reach at
most.
"""

from tests.templates.deployed import ACCOUNT
from tests.templates.named import *

STREAM = "log-stream:5f1d2c90-0000-4000-8000-000000000001"
# CloudFormation names a nested stack after its parent:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html
NESTED_STACK = stack_arn("cfnstack-dev-infra-Network-1A2B3C4D5E6F")
EVENTS_OF_STACKS = """cloudformation:DescribeEvents cloudformation:DescribeStackEvents
    cloudformation:DescribeStacks cloudformation:DescribeChangeSet"""
# Other ways to read a log, some of which show more than one group, and a way to read what a group masks.
OTHER_READS_OF_LOGS = """logs:FilterLogEvents logs:GetLogRecord logs:GetLogObject logs:GetLogGroupFields
    logs:StartQuery logs:GetQueryResults logs:StartLiveTail logs:DescribeLogStreams logs:CreateExportTask
    logs:PutSubscriptionFilter logs:Unmask"""
CHANGES_OF_LOGS = (
    "logs:PutLogEvents logs:DeleteLogStream logs:DeleteLogGroup logs:PutRetentionPolicy"
    " logs:DeleteDataProtectionPolicy"
)

FAILURES_MAY = [
    ("FunctionRole", "codebuild:BatchGetBuilds", BUILD_PROJECT, {}),
    *[("FunctionRole", "logs:GetLogEvents", f"{group}:{STREAM}", {}) for group in (BUILD_LOG, REVIEW_LOG)],
    *[("FunctionRole", EVENTS_OF_STACKS, stack, {}) for stack in (DEPLOYED_STACK, NESTED_STACK)],
]

FAILURES_MAY_NOT = [
    (
        "FunctionRole",
        """codebuild:ListBuildsForProject codebuild:StartBuild codebuild:RetryBuild codebuild:StopBuild
        codebuild:UpdateProject codebuild:BatchGetProjects""",
        BUILD_PROJECT,
        {},
    ),
    *[
        ("FunctionRole", f"{OTHER_READS_OF_LOGS} {CHANGES_OF_LOGS}", f"{group}:{STREAM}", {})
        for group in (BUILD_LOG, REVIEW_LOG)
    ],
    # Other log groups: its own, those of other builds, of deployed functions, and those whose names only
    # begin alike.
    *[
        ("FunctionRole", f"logs:GetLogEvents {OTHER_READS_OF_LOGS}", log, {})
        for log in (
            OWN_LOG,
            *[
                f"{log_group(name)}:{STREAM}"
                for name in (
                    "/aws/codebuild/codebuild-dev-replication-infra",
                    "/aws/codebuild/codebuild-dev-cfn",
                    "/aws/codebuild/unrelated",
                    "/aws/lambda/lambda-dev-thumbnails",
                    "a/aws/codebuild/codebuild-dev-cfn-infra",
                    "RDSOSMetrics",
                    "anything",
                )
            ],
        )
    ],
    *[
        ("FunctionRole", "logs:GetLogEvents", f"{group.replace('-dev-', f'-{env}-')}:{STREAM}", {})
        for group in (BUILD_LOG, REVIEW_LOG)
        for env in ("prd", "dev2")
    ],
    *[
        ("FunctionRole", "logs:GetLogEvents", f"{group.replace(ACCOUNT, '999999999999')}:{STREAM}", {})
        for group in (BUILD_LOG, REVIEW_LOG)
    ],
    # The other roles of the machinery read no log.
    *[
        (principal, f"logs:GetLogEvents {OTHER_READS_OF_LOGS}", f"{group}:{STREAM}", {})
        for principal in (
            "ProvisioningRole",
            "CodePipelineCFnRole",
            "CodeBuildCFnRole",
            "ReviewCodeBuildCFnRole",
            "EventsRuleRole",
        )
        for group in (BUILD_LOG, REVIEW_LOG)
    ],
    *[
        ("FunctionRole", EVENTS_OF_STACKS, stack_arn(name), {})
        for name in ("cfnstack-prd-infra", "cfnstack-dev2-infra", "cfnstack-dev", "anything")
    ],
]
