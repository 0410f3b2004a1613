"""Installs every addition to MiniStack, in memory. MiniStack's files stay as they are."""

from importlib import import_module

from tests.local.aws.cloudformation import response_urls
from tests.local.aws.codepipeline import actions as pipeline_actions
from tests.local.aws.lambda_ import environment as function_environment

# The order matters: a later patch may wrap a function that an earlier one replaced.
_ADDITIONS = (
    "iam.resource_policies",
    "iam.policy_language",
    "iam.enforcement",
    "s3.permissions",
    "s3.bucket_resource",
    "iam.service_specific_credentials",
    "iam.user_tags",
    "iam.deletion",
    "iam.group_resource",
    "iam.policy_sizes",
    "servicequotas.api",
    "secretsmanager.versions",
    "secretsmanager.rotation",
    "secretsmanager.listing",
    "codecommit.api",
    "codecommit.approval_rules",
    "codecommit.differences",
    "codecommit.resource",
    "ecr.api",
    "cloudformation.custom_resources",
    "cloudformation.conditions",
    "cloudformation.template_errors",
    "cloudformation.stack_rollback",
    "cloudformation.stack_order",
    "cloudformation.template_urls",
    # Within stack_roles: the actual states are read with the role's permissions.
    "cloudformation.drift_change_sets",
    "cloudformation.stack_roles",
    "cloudformation.stack_operations",
    "cloudformation.change_set_names",
    "cloudformation.native_resources",
    "secretsmanager.rotation_resource",
    "cloudformation.resource_schemas",
    "cloudformation.stack_events",
    # After stack_events: an operation begins with an event that it reports.
    "cloudformation.stack_operation_ids",
    "cloudformation.exports",
    "cloudformation.early_validation",
    # After the others of CloudFormation: it wraps every read call.
    "cloudformation.lost_characters",
    "absent_members",
    "lambda_.states",
    "lambda_.vpc",
    "events.lambda_target",
    "events.targets",
    "events.log_target",
    "events.buses",
    "cloudformation.stack_throttling",
    "cloudwatch.alarms",
    "cloudwatch.dashboards",
    "codepipeline.api",
    "codepipeline.resource",
    "sns.notification_rules",
    "codebuild.started_builds",
    "events.started_targets",
    "lambda_.logs",
    "lambda_.metrics",
    # Last: it wraps IAM's operations and CloudFormation's steps as the patches above leave them.
    "iam.propagation",
)


def install(endpoint: str) -> None:
    response_urls.at(endpoint)
    pipeline_actions.at(endpoint)
    function_environment.install(endpoint)
    # A module may keep a function of MiniStack when it is loaded, so all are loaded before the first patch.
    for module in [import_module(f"tests.local.aws.{name}") for name in _ADDITIONS]:
        module.install()
