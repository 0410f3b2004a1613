"""Everything that is added to MiniStack when it starts, and nothing of it changed on disk."""

from __future__ import annotations

from . import (
    alarm_states,
    alarms,
    approval_rules,
    codecommit_api,
    codecommit_resource,
    codepipeline_api,
    codepipeline_resource,
    conditions,
    custom_resources,
    dashboards,
    ecr_api,
    ecr_resource,
    enforcement,
    event_rules,
    event_targets,
    function_environment,
    function_lineage,
    function_logs,
    function_metrics,
    iam_deletion,
    native_resources,
    pipeline_actions,
    pipeline_target,
    resource_schemas,
    response_urls,
    rotation,
    rotation_resource,
    secret_listing,
    secret_resource,
    secret_versions,
    service_specific_credentials,
    stack_events,
    stack_operations,
    stack_order,
    stack_roles,
    stack_rollback,
    stack_throttling,
    user_tags,
)


def install(endpoint: str) -> None:
    enforcement.install()
    service_specific_credentials.install()
    user_tags.install()
    iam_deletion.install()
    secret_versions.install()
    rotation.install()
    secret_listing.install()
    codecommit_api.install()
    approval_rules.install()
    codecommit_resource.install()
    ecr_api.install()
    response_urls.at(endpoint)
    custom_resources.install()
    conditions.install()
    stack_rollback.install()
    stack_order.install()
    stack_roles.install()
    stack_operations.install()
    native_resources.install()
    rotation_resource.install()
    secret_resource.install()
    ecr_resource.install()
    resource_schemas.install()
    stack_events.install()
    event_rules.install()
    event_targets.install()
    stack_throttling.install()
    alarms.install()
    dashboards.install()
    alarm_states.install()
    pipeline_actions.at(endpoint)
    codepipeline_api.install()
    codepipeline_resource.install()
    pipeline_target.install()
    function_environment.install(endpoint)
    function_lineage.install()
    function_logs.install()
    function_metrics.install()
