//! The problems of tokens, pipelines and their stacks, with their remedies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::metrics::GITLAB_TOKEN_DAYS_LEFT;
use super::schedule::days;
use crate::clients::cloudformation::StackStatus;
use crate::clients::gitlab::{ErrorScope, GitLab, GitLabError, ProjectDetails, SUFFICIENT_SCOPES};
use crate::common::commands::{aws, cfn_gitops, create_repository};
use crate::common::ownership::{Owner, write_time};
use crate::feedback::drift::{IN_SYNC, REVERT_DRIFT, revert_command};
use crate::feedback::reporting::OtherReporter;
use crate::gitops_pipeline::child::{Child, RENDERING_VERSION};
use crate::gitops_pipeline::names::{EventRule, ResourceNames, without_attempt};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::pushes::missed_push::MissingPart;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::mirror_credential::health::TokenHealth;
use cfn_custom_resource::{Reason, Remedy};

/// A property whose change creates a pipeline's stack again.
pub const CHANGED_PROPERTY: &str = "a changed property, such as RenderingSerial or Tags (in the templates of a \
    release: the parameter GitLabProjectUrl or ResourceTags)";

/// The problem of a token at the time `now`. `None` if it has none.
pub fn token_problem(token: &TokenHealth, now: SystemTime) -> Option<Reason> {
    const REMEDY: &str = "Create a token with the scope api, and store it in the secret";
    let details = match &token.details {
        Ok(details) => details,
        Err(error) => return Some(error.clone()),
    };
    let problem = |problem: String| Some(Reason::uncoded(problem, REMEDY));
    let scopes = &details.scopes;
    let may_suffice = |scope: &String| SUFFICIENT_SCOPES.contains(&scope.as_str());
    if !scopes.is_empty() && !scopes.iter().any(may_suffice) {
        return problem(format!("its scope is {}", scopes.join(", ")));
    }
    let expires_at = details.expires_at?;
    let left = expires_at.duration_since(now).unwrap_or_default();
    if !GITLAB_TOKEN_DAYS_LEFT.is_wrong(days(left)) {
        return None;
    }
    problem(format!("it expires at {}", write_time(expires_at)))
}

/// The problem of a pipeline's stack `id` in this `status`. `None` if it has content that works, or
/// while an operation runs.
pub fn stack_problem(status: &StackStatus, id: &str) -> Option<Reason> {
    let command = status.command(id);
    let (what, remedy): (_, Remedy) = match status {
        StackStatus::UpdateRollbackFailed => (
            "its update failed and could not be rolled back",
            command?.after("Remove the cause in its events. Then update its resource, which continues the rollback, or run "),
        ),
        StackStatus::UpdateFailed => (
            "its update failed and was not rolled back, so CloudFormation accepts no other one",
            command?.after("Run "),
        ),
        StackStatus::DeleteFailed => (
            "it could not be deleted",
            "Remove the cause in its events, then delete its resource again".into(),
        ),
        status if status.is_only_deletable() => (
            "it was never created completely, so there is no pipeline",
            "Remove the cause in its events, then update its resource with a changed property, such as Tags"
                .into(),
        ),
        StackStatus::ImportRollbackFailed => (
            "an import failed and could not be rolled back",
            "Bring it to an end in the CloudFormation console".into(),
        ),
        _ => return None,
    };
    let problem = format!("its status is {status}: {what}");
    Some(Reason::uncoded(problem, remedy))
}

/// The problem of a pipeline with these `names`, which another one reports, too. The statuses and
/// notes that it posted lead to these addresses.
///
/// `None` if there are none.
pub fn other_reporter_problem(
    names: &ResourceNames,
    others: &BTreeSet<OtherReporter>,
) -> Option<Reason> {
    let ResourceNames { env_id, project_id } = names;
    let (who, address, remedy) = match others.last()? {
        OtherReporter::Person(user) => (
            format!("user {user} of its GitLab"),
            String::new(),
            "Have this person or their tool use another name: the function replaces their status once for each attempt",
        ),
        OtherReporter::Address(address) => (
            "another pipeline or tool".to_owned(),
            match address.as_str() {
                "" => " (without an address)".to_owned(),
                address => format!(" ({})", without_attempt(address)),
            },
            "Give one of them another EnvID, ProjectID or project in GitLab: a project in GitLab has each EnvID with \
             ProjectID once",
        ),
    };
    let problem = format!(
        "{who} reports to its project in GitLab as {env_id}/{project_id}{address}. Each commit shows only the latest \
         status of both"
    );
    Some(Reason::uncoded(problem, remedy))
}

/// The subject and the problem of each environment in GitLab to which several of the pipelines with
/// these `settings` report.
pub fn shared_environments<'a>(
    settings: impl IntoIterator<Item = &'a PipelineSettings>,
) -> Vec<(String, Reason)> {
    let mut pipelines = BTreeMap::<_, Vec<&ResourceNames>>::new();
    for pipeline in settings {
        let report = pipeline.stored.report.as_ref().filter(|it| it.deployments);
        if let Some(it) = report {
            let environment = (&it.access.url, it.project_number, &it.environment_name);
            let of_environment = pipelines.entry(environment).or_default();
            of_environment.push(&pipeline.names);
        }
    }
    let shared = pipelines.into_iter().filter(|(_, names)| names.len() > 1);
    let problem = |((_, project, environment), names): ((_, u64, &String), Vec<&ResourceNames>)| {
        let all: Vec<String> = names.iter().map(|names| names.pipeline()).collect();
        let ResourceNames { env_id, project_id } = names[0];
        let problem = format!(
            "{} record their deployments in it, and GitLab cannot distinguish them: one record stands for the same \
             end of several",
            all.join(" and ")
        );
        let remedy = format!(
            "Give each an environment of its own: set Report.EnvironmentName (in templates/project.yaml \
             GitLabEnvironmentName), for example to {env_id}-{project_id}"
        );
        let subject = format!("environment {environment} of project {project} in GitLab");
        (subject, Reason::uncoded(problem, remedy))
    };
    shared.map(problem).collect()
}

/// Why the project in GitLab prevents what the settings of a pipeline require. `None` if it does
/// not, or if they require nothing of it.
pub async fn project_problem(
    gitlab: &GitLab,
    settings: &PipelineSettings,
    report: &ReportSettings,
) -> Result<Option<Reason>, GitLabError> {
    let has_reviews = settings.stored.review.is_some();
    if !has_reviews && !report.build_log {
        return Ok(None);
    }
    let name = &report.project;
    match gitlab.project(report.project()).await {
        Ok(project) => Ok(review_problem(&project, name)
            .filter(|_| has_reviews)
            .or_else(|| log_problem(&project, name).filter(|_| report.build_log))),
        // No log is posted until the visibility is known.
        Err(error) if report.build_log && error.scope == ErrorScope::Request => {
            let reason = error.reason();
            let problem = format!(
                "{NO_LOGS}, because the visibility of project {name} is unknown: {}",
                reason.problem
            );
            Ok(Some(Reason { problem, ..reason }))
        }
        Err(error) => Err(error),
    }
}

/// Why no branch is reviewed. `None` if merge requests are open.
fn review_problem(project: &ProjectDetails, name: &str) -> Option<Reason> {
    const REMEDY: &str = "Switch them on in its Settings, General, Visibility, project features, permissions, \
        or remove Review";
    (!project.has_merge_requests).then(|| {
        let problem =
            format!("merge requests are switched off in project {name}, so no branch is reviewed");
        Reason::uncoded(problem, REMEDY)
    })
}

const NO_LOGS: &str = "the logs of failed builds are not posted";

/// Why no log of a failed build is posted. `None` if only members see the project.
fn log_problem(project: &ProjectDetails, name: &str) -> Option<Reason> {
    const REMEDY: &str = "Make it private in its Settings, General, Visibility, project features, permissions, \
        or set Report.BuildLog to false (in the templates: ReportToGitLab to true)";
    let what = project.visibility.beyond_members()?;
    let problem = format!("{NO_LOGS}, because project {name} {what}");
    Some(Reason::uncoded(problem, REMEDY))
}

/// The remedy for a stack whose owner does not exist. It deletes nothing, because a person may have
/// kept the stack.
const KEPT_OR_LEFT: &str = "If `cfn-gitops leave` kept it, do nothing. To distinguish kept from left, read \
    docs/how-to/leave.md, Kept or left";

/// The problem of a stack whose owner does not exist.
pub fn orphan_problem(child: &Child) -> Reason {
    let problem = format!(
        "it is without an owner: resource {} of stack {} no longer exists",
        child.owner.logical_id, child.owner.stack_id
    );
    Reason::uncoded(problem, KEPT_OR_LEFT)
}

/// Why the latest operation of a stack has failed. `None` if it has not.
fn failure_of(status: &StackStatus) -> Option<String> {
    use StackStatus::{
        DeleteFailed, ImportRollbackComplete, ImportRollbackFailed, UpdateFailed,
        UpdateRollbackComplete, UpdateRollbackCompleteCleanupInProgress, UpdateRollbackFailed,
    };
    let what = match status {
        status if status.was_never_complete() => "its creation failed",
        status if status.is_rolling_back() => "its latest operation failed and is rolled back",
        UpdateFailed => "its latest update failed",
        UpdateRollbackComplete | UpdateRollbackCompleteCleanupInProgress => {
            "its latest update failed and was rolled back"
        }
        UpdateRollbackFailed | ImportRollbackFailed => {
            "its latest operation failed and could not be rolled back"
        }
        ImportRollbackComplete => "its latest import failed and was rolled back",
        DeleteFailed => "it could not be deleted",
        _ => return None,
    };
    Some(format!("its status is {status}: {what}"))
}

/// The problem of the stack that owns a project, or with an empty `project_id` of the
/// environment's. `None` if its latest operation has not failed.
pub fn owner_problem(status: &StackStatus, env_id: &str, project_id: &str) -> Option<Reason> {
    let problem = failure_of(status)?;
    Some(Reason::uncoded(problem, see_why(env_id, project_id)))
}

fn see_why(env_id: &str, project_id: &str) -> Remedy {
    let project = (!project_id.is_empty()).then_some(project_id);
    let command = cfn_gitops(["failures"]).with(project).with(["--env", env_id]);
    command.after("See why: ")
}

/// That an execution of a project's pipeline failed, in this `action` if it is not empty.
pub fn execution_problem(action: &str, env_id: &str, project_id: &str) -> Reason {
    let problem = match action {
        "" => "an execution has failed since the last success".to_owned(),
        action => format!("an execution has failed in action {action} since the last success"),
    };
    Reason::uncoded(problem, see_why(env_id, project_id))
}

/// The problem of a complete stack without the outputs of a pipeline's, for example after an update
/// by hand. `None` if it has them.
pub fn content_problem(child: &Child) -> Option<Reason> {
    if child.settings.is_some() || !child.status.is_complete() {
        return None;
    }
    let Owner {
        stack_id,
        logical_id,
    } = &child.owner;
    let problem = "it lacks outputs of a pipeline's stack, so nothing is reported to GitLab, no lost push is \
        started, and the function approves and reviews nothing";
    let remedy = format!(
        "Restore them: update resource {logical_id} of stack {stack_id} with {CHANGED_PROPERTY}"
    );
    Some(Reason::uncoded(problem, remedy))
}

/// The problem of a stack `id` whose `part` was deleted by hand. `is_owned` is false if its owner
/// does not exist.
pub fn part_problem(
    part: MissingPart,
    child: &Child,
    settings: &PipelineSettings,
    id: &str,
    is_owned: bool,
) -> Reason {
    let names = &settings.names;
    let problem = match part {
        MissingPart::Repository if settings.repository.name != names.repository() => {
            // Text, because a command would get the profile of this account.
            let create = create_repository(&settings.repository.name);
            let remedy = format!("Create it again in its account: `{create}`. Then push to it");
            return Reason::uncoded("its source repository does not exist", remedy);
        }
        MissingPart::Repository => {
            let (owner, logical_id) = (&child.owner.stack_id, &child.owner.logical_id);
            let problem = "its repository does not exist, and CloudFormation does not restore it";
            if !is_owned {
                return Reason::uncoded(problem, KEPT_OR_LEFT);
            }
            let then = format!(
                ". Then update resource {logical_id} of stack {owner} with {CHANGED_PROPERTY}, and push to \
                 the branch again"
            );
            let remedy = aws(["cloudformation", "delete-stack", "--stack-name", id])
                .after("Delete the stack, which deletes nothing that it deployed: ")
                .then(then);
            return Reason::uncoded(problem, remedy);
        }
        MissingPart::Pipeline => "its pipeline does not exist, so pushes deploy nothing",
        MissingPart::EventRule(EventRule::Push) => {
            "its event rule does not exist, so only the health check starts a push"
        }
        MissingPart::EventRule(EventRule::Image) => {
            "its event rule for the image does not exist, so a push of the image starts nothing"
        }
        MissingPart::EventRule(EventRule::Review) => {
            "its event rule for review branches does not exist, so only the health check starts their builds"
        }
    };
    let role_arn = settings.location.role(&names.provisioning_role());
    let command = revert_command(&names.stack(), &role_arn, &child.parameters, &[]);
    let execute = aws([
        "cloudformation",
        "execute-change-set",
        "--stack-name",
        id,
        "--change-set-name",
        REVERT_DRIFT,
    ]);
    let before = format!("Restore it by a change set. {IN_SYNC}: ");
    let then = " and then, when that is created, ";
    Reason::uncoded(problem, command.after(before).then(execute.after(then)))
}

/// The problem of a stack that an older function rendered. `None` if this one did.
pub fn outdated_problem(child: &Child) -> Option<Reason> {
    let version = child.version.filter(|_| child.is_outdated())?;
    let Owner {
        stack_id,
        logical_id,
    } = &child.owner;
    let name = stack_id.split('/').nth(1).unwrap_or(stack_id);
    let problem =
        format!("its rendering has version {version}, and this function's is {RENDERING_VERSION}");
    // A template of a release over another template would remove what that has.
    let deploy = aws([
        "cloudformation",
        "deploy",
        "--template-file",
        "templates/project.yaml",
        "--stack-name",
        name,
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
    ]);
    let before = format!("Deploy stack {name} again while none of its executions is in progress: ");
    let then = format!(
        " if this is its template (with --role-arn if the stack has a role), sam deploy if template.yaml is, and otherwise with another RenderingSerial of resource \
         {logical_id}"
    );
    Some(Reason::uncoded(problem, deploy.after(before).then(then)))
}
