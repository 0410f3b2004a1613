//! GitLab's REST API, as far as reporting needs it: `lib/api/commit_statuses.rb`,
//! `lib/api/deployments.rb`, `lib/api/environments.rb`, `lib/api/commits.rb`, `lib/api/notes.rb`
//! and `lib/api/discussions.rb`.

use serde_json::{Value, json};

use crate::{
    gitlab::{
        DEVELOPER, GitLab, MAINTAINER, Project,
        entities::{created, refused, with_status},
        merge_requests,
        pages::page,
        records::{Deployment, Environment, Note, Records, Rejection, Status},
    },
    world::{ApiResponse, ApiResult, AwsError, BAD_PARAMETERS, Call, World, rejected},
};

const STATES: [&str; 5] = ["pending", "running", "success", "failed", "canceled"];

/// `Environment.tiers` in `app/models/environment.rb`.
const TIERS: [&str; 5] = ["production", "staging", "testing", "development", "other"];

/// The response to a call about a project that the caller may see. `None` if it is another call.
pub fn answer(
    gitlab: &mut GitLab,
    world: &mut World,
    call: &Call,
    project: &Project,
    user: u64,
) -> Option<ApiResult> {
    let operation = call.operation.strip_prefix("GitLab.")?;
    let reads = operation.starts_with("List") || operation == "GetMergeRequest";
    let records = &mut gitlab.projects.get_mut(&project.id)?.records;
    records.before_call(&project.commits, &project.default_branch);
    // `create_commit_status` and `create_deployment` are a Developer's
    // (`config/authz/roles/developer.yml`). A status of a protected branch needs the right to
    // update it.
    let is_of_notes = operation.contains("Note") || operation.contains("Discussion");
    let is_protected = operation == "PostStatus" && project.is_protected(call.needed("ref"));
    let least = if is_protected { MAINTAINER } else { DEVELOPER };
    if !reads && !is_of_notes && project.access < Some(least) {
        return Some(Err(refused(403, "403 Forbidden")));
    }
    if let Some(fault) = bad_parameters(operation, call) {
        return Some(Err(rejected(BAD_PARAMETERS, fault)));
    }
    // `protected_for?` in `app/models/project.rb` raises `AmbiguousRefError` for a branch and a tag
    // of one name, and the API does not rescue it.
    let (iid, reference) = (call.needed("iid"), call.needed("ref"));
    let has_tag = project.records.tags.contains_key(reference);
    let is_ambiguous = has_tag && project.branches.contains_key(reference);
    let broken = &gitlab.broken_merge_requests;
    let is_broken = is_of_notes && iid.parse().is_ok_and(|iid| broken.contains(&iid));
    if is_broken || (operation == "PostStatus" && is_ambiguous) {
        let message = "500 Internal Server Error";
        return Some(Err(refused(500, message)));
    }
    if operation == "GetMergeRequest" {
        let iid = call.needed("iid").parse().unwrap_or(0);
        let with_count = call.text("include_diverged_commits_count") == Some("true");
        let shown = merge_requests::shown_alone(project, iid, with_count);
        let shown = shown.ok_or_else(|| refused(404, "404 Not found"));
        return Some(shown.map(|shown| ApiResponse::json(&shown)));
    }
    if ["CreateMergeRequest", "UpdateMergeRequest"].contains(&operation) {
        let project = gitlab.projects.get_mut(&project.id)?;
        return Some(merge_requests::change(call, project));
    }
    if let Some(listed) = listed(operation, call, project) {
        return Some(listed.map(|listed| page(world, call, &listed)));
    }
    if operation == "PostStatus" && gitlab.status_conflicts > 0 {
        // The lock of the commit (`app/services/ci/create_commit_status_service.rb`), and that of
        // the pipeline (`app/services/ci/pipelines/add_job_service.rb`).
        let conflicts = gitlab.status_conflicts;
        gitlab.status_conflicts -= 1;
        let (status, message) = match conflicts % 2 {
            0 => (400, "Failed to obtain a lock"),
            _ => (409, "Another update to this commit status is in progress"),
        };
        return Some(Err(refused(status, message)));
    }
    let records = &mut gitlab.projects.get_mut(&project.id)?.records;
    let now = World::instant_of(world.by_gitlabs_clock());
    let changed = changed(operation, call, project, (records, user), &now)?;
    let or_rejected =
        |(status, message): Rejection| with_status(status, &json!({"message": message}));
    Some(Ok(changed.unwrap_or_else(or_rejected)))
}

fn listed(operation: &str, call: &Call, project: &Project) -> Option<Result<Vec<Value>, AwsError>> {
    let records = &project.records;
    let is_wanted = |name: &str, value: &str| call.text(name).is_none_or(|given| given == value);
    let sha = call.needed("sha");
    let listed: Vec<Value> = match operation {
        "ListStatuses" | "ListMergeRequests" | "ListDiscussions"
            if !project.commits.contains(sha) && !project.branches.contains_key(sha) =>
        {
            return Some(Err(refused(404, "404 Commit Not Found")));
        }
        // `statuses.latest unless to_boolean(params[:all])` in `lib/api/commit_statuses.rb`.
        "ListStatuses" => {
            let with_retried = call.text("all") == Some("true");
            let statuses = records.statuses.iter().filter(|one| {
                one.sha == sha
                    && (with_retried || !one.is_retried)
                    && is_wanted("name", &one.name)
                    && is_wanted("ref", &one.reference)
            });
            statuses.map(shown_status).collect()
        }
        "ListDeployments" => {
            let deployments = records.deployments.iter();
            let mut found: Vec<&Deployment> = deployments
                .filter(|one| is_wanted("environment", &one.environment))
                .filter(|one| is_wanted("status", one.state))
                .collect();
            if call.text("sort") == Some("desc") {
                found.reverse();
            }
            let found = found.into_iter();
            found.map(|one| shown_deployment(records, one)).collect()
        }
        "ListEnvironments" => {
            let environments = records.environments.iter();
            let found = environments.filter(|one| is_wanted("name", &one.name));
            found.map(shown_environment).collect()
        }
        "ListMergeRequests" => {
            let requests = records.merge_requests.get(sha).into_iter().flatten();
            // Newest first (`app/finders/issuable_finder.rb`, `sort`).
            let mut requests: Vec<_> = requests.collect();
            requests.sort_by_key(|(iid, _)| std::cmp::Reverse(*iid));
            let shown = requests.into_iter();
            let shown = shown.map(|(iid, state)| merge_requests::shown(project, *iid, state));
            shown.collect()
        }
        "ListNotes" if !has_merge_request(records, call) => {
            return Some(Err(refused(404, "404 Not found")));
        }
        "ListNotes" => {
            let place = format!("merge_requests/{}", call.needed("iid"));
            // `app/finders/notes_finder.rb`, `notes_filter`.
            let only_comments = call.text("activity_filter") == Some("only_comments");
            let is_listed = |one: &&Note| one.place == place && !(only_comments && one.is_system);
            let notes = records.notes.iter().filter(is_listed).map(shown_note);
            // The default is `sort=desc`.
            match call.text("sort") {
                Some("asc") => notes.collect(),
                _ => notes.rev().collect(),
            }
        }
        "ListDiscussions" => {
            let place = format!("commits/{sha}");
            let notes = records.notes.iter().filter(|one| one.place == place);
            notes.map(shown_discussion).collect()
        }
        _ => return None,
    };
    Some(Ok(listed))
}

/// The violated rule of Grape, which checks parameters before anything else: `requires`,
/// `allow_blank: false` and `values` in the files of this module.
fn bad_parameters(operation: &str, call: &Call) -> Option<String> {
    let (required, filled, state): (&[&str], &[&str], _) = match operation {
        "PostStatus" => (&["state"], &[], "state"),
        "CreateDeployment" => (
            &["environment", "sha", "ref", "tag", "status"],
            &["environment", "sha", "ref"],
            "status",
        ),
        "CreateNote" | "CreateDiscussion" => (&["body"], &[], ""),
        _ => return None,
    };
    let missing = required.iter().find(|name| !call.params.contains_key(**name));
    if let Some(name) = missing {
        return Some(format!("{name} is missing"));
    }
    if let Some(name) = filled.iter().find(|name| call.needed(name).is_empty()) {
        return Some(format!("{name} is empty"));
    }
    let is_valid = state.is_empty() || STATES.contains(&call.needed(state));
    (!is_valid).then(|| format!("{state} does not have a valid value"))
}

fn has_merge_request(records: &Records, call: &Call) -> bool {
    let iid: u64 = call.needed("iid").parse().unwrap_or(0);
    records.merge_requests.values().flatten().any(|(other, _)| *other == iid)
}

type Changed = Result<ApiResponse, Rejection>;

fn changed(
    operation: &str,
    call: &Call,
    project: &Project,
    (records, user): (&mut Records, u64),
    now: &str,
) -> Option<Changed> {
    let id = call.needed("id").parse().unwrap_or(0);
    let state = |name: &str| {
        let given = call.text(name);
        let found = STATES.into_iter().find(|state| Some(*state) == given);
        found.unwrap_or_default()
    };
    let sha = call.needed("sha");
    let body = call.needed("body");
    let no_note = match operation {
        "UpdateDiscussion" | "DeleteDiscussion" => "404 Discussion Not Found",
        _ => "404 Not found",
    };
    let no_note = (404, json!(no_note));
    Some(match operation {
        "PostStatus" if !project.commits.contains(sha) => Err((404, json!("404 Commit Not Found"))),
        "PostStatus" => {
            let name = call.text("name").or(call.text("context"));
            let pipeline_id = call.params.get("pipeline_id").and_then(Value::as_u64);
            let posted = Status {
                id: 0,
                pipeline: 0,
                sha: sha.to_owned(),
                name: name.unwrap_or("default").to_owned(),
                state: state("state"),
                reference: call.needed("ref").to_owned(),
                description: call.needed("description").to_owned(),
                target_url: call.needed("target_url").to_owned(),
                user,
                is_retried: false,
            };
            let saved = records.post_status(posted, pipeline_id);
            saved.map(|saved| created(&shown_status(&saved)))
        }
        "CreateDeployment" => {
            let reference = call.needed("ref");
            let is_known =
                |name: &str| project.commits.contains(name) || project.branches.contains_key(name);
            if !is_known(sha) {
                return Some(Err((400, json!({"sha": ["The commit does not exist"]}))));
            }
            if !is_known(reference) {
                let reason = "The branch or tag does not exist";
                return Some(Err((400, json!({"ref": [reason]}))));
            }
            let (environment, state) = (call.needed("environment"), state("status"));
            let made = records.create_deployment(environment, sha, reference, state, now);
            Ok(created(&shown_deployment(records, &made)))
        }
        // `addressable_url` in `app/models/environment.rb`.
        "UpdateEnvironment" if call.needed("external_url").starts_with("javascript:") => Err((
            400,
            json!({"external_url": ["javascript scheme is not allowed"]}),
        )),
        "UpdateEnvironment" => {
            let found = records.environments.iter_mut().find(|one| one.id == id);
            found.ok_or((404, json!("404 Not found"))).map(|found| {
                if let Some(url) = call.text("external_url") {
                    found.external_url = Some(url.to_owned());
                }
                let tier = TIERS.into_iter().find(|tier| call.text("tier") == Some(tier));
                found.tier = tier.unwrap_or(found.tier);
                ApiResponse::json(&shown_environment(found))
            })
        }
        // No environment has a job to run when it stops.
        "StopEnvironment" => {
            let found = records.environments.iter_mut().find(|one| one.id == id);
            found.ok_or((404, json!("404 Not found"))).map(|found| {
                found.is_stopped = true;
                ApiResponse::json(&shown_environment(found))
            })
        }
        // `rule { ~stopped }.prevent(:destroy_environment)` in
        // `app/policies/environment_policy.rb`. Its deployments are deleted with it
        // (`app/models/environment.rb`).
        "DeleteEnvironment" => match records.environments.iter().position(|one| one.id == id) {
            None => Err((404, json!("404 Not found"))),
            Some(at) if !records.environments[at].is_stopped => Err((403, json!("403 Forbidden"))),
            Some(at) => {
                let name = records.environments.remove(at).name;
                records.deployments.retain(|one| one.environment != name);
                Ok(ApiResponse::plain(204, ""))
            }
        },
        "CreateNote" | "UpdateNote" if !has_merge_request(records, call) => Err(no_note),
        "CreateDiscussion" if !project.commits.contains(sha) => {
            Err((404, json!("404 Commit Not Found")))
        }
        "CreateNote" => {
            let place = format!("merge_requests/{}", call.needed("iid"));
            Ok(created(&shown_note(
                &records.create_note(&place, body, user),
            )))
        }
        "CreateDiscussion" => {
            let place = format!("commits/{sha}");
            let made = records.create_note(&place, body, user);
            Ok(created(&shown_discussion(&made)))
        }
        "UpdateNote" | "UpdateDiscussion" => {
            match records.notes.iter_mut().find(|one| one.id == id) {
                None => Err(no_note),
                // `app/policies/note_policy.rb`, `is_author`. A Maintainer may edit each note:
                // <https://docs.gitlab.com/user/discussions/#edit-a-comment>.
                Some(note) if note.user != user && project.access < Some(MAINTAINER) => {
                    Err((403, json!("403 Forbidden")))
                }
                Some(note) => {
                    body.clone_into(&mut note.body);
                    Ok(ApiResponse::json(&shown_note(note)))
                }
            }
        }
        // `delete_note` in `lib/api/helpers/notes_helpers.rb`.
        "DeleteNote" | "DeleteDiscussion" => {
            match records.notes.iter().position(|one| one.id == id) {
                None => Err(no_note),
                Some(at) if records.notes[at].user != user && project.access < Some(MAINTAINER) => {
                    Err((403, json!("403 Forbidden")))
                }
                Some(at) => {
                    records.notes.remove(at);
                    Ok(ApiResponse::plain(204, ""))
                }
            }
        }
        _ => return None,
    })
}

/// `lib/api/entities/commit_status.rb`.
fn shown_status(status: &Status) -> Value {
    json!({
        "id": status.id,
        "sha": status.sha,
        "ref": status.reference,
        "status": status.state,
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description,
        "pipeline_id": status.pipeline,
        "author": {"id": status.user},
    })
}

/// A commit may have a message of any length. GitLab shows it in each job.
const COMMIT_MESSAGE_LENGTH: usize = 6_000;

/// `lib/api/entities/deployment.rb`. `deployable` is the job of GitLab CI, with its commit
/// (`lib/api/entities/ci/job.rb`, <https://docs.gitlab.com/api/deployments/>). It is null if the
/// API created the deployment.
fn shown_deployment(records: &Records, deployment: &Deployment) -> Value {
    let name = &deployment.environment;
    let environment = records.environments.iter().find(|one| one.name == *name);
    let message = "x".repeat(COMMIT_MESSAGE_LENGTH);
    let job = json!({"id": 7, "name": "deploy", "commit": {"message": message}});
    json!({
        "id": deployment.id,
        "ref": deployment.reference,
        "sha": deployment.sha,
        "environment": environment.map(shown_environment_alone),
        "status": deployment.state,
        "created_at": deployment.created_at,
        "deployable": if deployment.is_from_ci { job } else { Value::Null },
    })
}

/// `lib/api/entities/environment_basic.rb`, in part: a deployment's.
fn shown_environment_alone(environment: &Environment) -> Value {
    json!({
        "id": environment.id,
        "name": environment.name,
        "external_url": environment.external_url,
    })
}

/// `lib/api/entities/environment.rb`.
fn shown_environment(environment: &Environment) -> Value {
    let mut shown = shown_environment_alone(environment);
    shown["tier"] = environment.tier.into();
    let state = if environment.is_stopped {
        "stopped"
    } else {
        "available"
    };
    shown["state"] = state.into();
    shown
}

/// `lib/api/entities/note.rb`.
fn shown_note(note: &Note) -> Value {
    json!({
        "id": note.id, "body": note.body, "author": {"id": note.user}, "system": note.is_system,
    })
}

/// `lib/api/entities/discussion.rb`.
fn shown_discussion(note: &Note) -> Value {
    json!({"id": format!("discussion-{}", note.id), "notes": [shown_note(note)]})
}
