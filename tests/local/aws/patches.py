"""Installs every addition to MiniStack, in memory. MiniStack's files stay as they are.

The order matters: a later patch may wrap a function that an earlier one replaced.
"""

from __future__ import annotations

from tests.local.aws.cloudformation import (
    conditions,
    change_set_names,
    custom_resources,
    drift_change_sets,
    early_validation,
    lost_characters,
    native_resources,
    resource_schemas,
    response_urls,
    stack_events,
    stack_operations,
    stack_order,
    stack_roles,
    stack_rollback,
    stack_throttling,
    template_urls,
)
from tests.local.aws.cloudwatch import alarms, dashboards
from tests.local.aws.codebuild import event_target as build_target, started_builds
from tests.local.aws.codecommit import api as codecommit_api, approval_rules, differences, resource as codecommit_resource
from tests.local.aws.codepipeline import (
    actions as pipeline_actions,
    api as codepipeline_api,
    event_target as pipeline_target,
    resource as codepipeline_resource,
)
from tests.local.aws.ecr import api as ecr_api
from tests.local.aws.events import (
    bus_policy_resource,
    buses as event_buses,
    lambda_target,
    log_target,
    targets as event_targets,
)
from tests.local.aws.iam import (
    deletion as iam_deletion,
    effective_policies,
    enforcement,
    group_resource,
    policy_language,
    principals,
    propagation as iam_propagation,
    resource_policies,
    service_specific_credentials,
    user_tags,
)
from tests.local.aws.lambda_ import (
    environment as function_environment,
    logs as function_logs,
    metrics as function_metrics,
)
from tests.local.aws.s3 import bucket_resource, permissions as bucket_permissions
from tests.local.aws.secretsmanager import (
    listing as secret_listing,
    rotation,
    rotation_resource,
    versions as secret_versions,
)
from tests.local.aws.sns import notification_rules, topic_keys


def install(endpoint: str) -> None:
    resource_policies.install()
    principals.install()
    effective_policies.install()
    policy_language.install()
    enforcement.install()
    bucket_permissions.install()
    bucket_resource.install()
    service_specific_credentials.install()
    user_tags.install()
    iam_deletion.install()
    group_resource.install()
    secret_versions.install()
    rotation.install()
    secret_listing.install()
    codecommit_api.install()
    approval_rules.install()
    differences.install()
    codecommit_resource.install()
    ecr_api.install()
    _install_cloudformation(endpoint)
    lambda_target.install()
    event_targets.install()
    log_target.install()
    event_buses.install()
    bus_policy_resource.install()
    stack_throttling.install()
    alarms.install()
    dashboards.install()
    pipeline_actions.at(endpoint)
    codepipeline_api.install()
    codepipeline_resource.install()
    pipeline_target.install()
    topic_keys.install()
    notification_rules.install()
    started_builds.install()
    build_target.install()
    function_environment.install(endpoint)
    function_logs.install()
    function_metrics.install()
    # Last: it wraps IAM's operations and CloudFormation's steps as the patches above leave them.
    iam_propagation.install()


def _install_cloudformation(endpoint: str) -> None:
    response_urls.at(endpoint)
    custom_resources.install()
    conditions.install()
    stack_rollback.install()
    stack_order.install()
    template_urls.install()
    # Within stack_roles: the actual states are read with the role's permissions.
    drift_change_sets.install()
    stack_roles.install()
    stack_operations.install()
    change_set_names.install()
    native_resources.install()
    rotation_resource.install()
    resource_schemas.install()
    stack_events.install()
    early_validation.install()
    # Last: it wraps every read call.
    lost_characters.install()
