//! `Review`: the branches that are reviewed before they are merged.

use super::types::{Drift, Spec};
use crate::common::iam_wildcard::NamePattern;
use crate::gitops_pipeline::names::DEPLOYED_STACK;
use cfn_custom_resource::{Object, ValidationErrors};

/// Rejects properties that exclude a review or a report of drift.
pub fn check(spec: &Spec, object: &Object, errors: &mut ValidationErrors) {
    check_deployment(spec, errors);
    let Some(review) = &spec.review else {
        return;
    };
    if !object.is_set("GitLab") {
        errors.add("Review", "needs GitLab");
    }
    if spec.cross_account_source().is_some() {
        errors.add(
            "Review",
            "must not be set with Source.RepositoryArn: CodeBuild clones repositories of its own \
             account",
        );
    }
    if spec.image.is_some() {
        errors.add(
            "Review",
            "must not be set with ImageSource: the build of a review has no image",
        );
    }
    // It contains no `?`, so that it matches as EventBridge's does.
    let pattern = NamePattern::new(&review.branches);
    let deployed = spec.branch_map.iter();
    for (env_id, branch) in deployed.filter(|(_, branch)| pattern.matches(branch)) {
        errors.add(
            "Review.Branches",
            format!("must not match {branch}, the branch of {env_id} in BranchMap"),
        );
    }
}

/// Rejects another stack than the environment's, whose change sets the function's role may not
/// create. `property` needs them.
fn check_stack_name(spec: &Spec, property: &str, errors: &mut ValidationErrors) {
    let own = DEPLOYED_STACK.prefix(&spec.names.env_id);
    let stack_name = spec.deploy.stack_name.as_ref();
    if stack_name.is_some_and(|name| !name.starts_with(&own)) {
        errors.add(
            "Deploy.StackName",
            format!("must begin with {own} with {property}: the function creates change sets of no other stack"),
        );
    }
}

/// The function's permissions for change sets name the stacks and the deploy role of the
/// environment.
fn check_deployment(spec: &Spec, errors: &mut ValidationErrors) {
    let property = match (&spec.review, spec.drift) {
        (Some(_), _) => "Review",
        (None, Drift::Report) => "Drift",
        (None, Drift::Disabled) => return,
    };
    check_stack_name(spec, property, errors);
    let deploy_role = spec.names.deploy_role();
    if spec.own_deploy_role().is_some() {
        errors.add(
            "Deploy.RoleArn",
            format!("must be {deploy_role} with {property}: the function passes no other role to CloudFormation"),
        );
    }
}
