//! The products. [`SETTINGS`](crate::worlds::SETTINGS) has the settings.

use std::time::Duration;

use fake_aws::FakeAws;
use fake_aws::gitlab::{ANOTHER_PERSON, HOST, REDIRECT_HOST};
use fake_aws::interceptor::{HttpRequest, replace_in_body};
use fake_aws::secrets::PENDING;
use fake_aws::secrets::versions::forget_pending;

use super::Defect::{
    Believes, Changes, Copies, Drops, GivesUpAfter, Ignores, Invents, Needs, Omits, PollsFor,
    Reads, ReadsOnePage, Repeats, Sends, Shows,
};
use super::{ANY, Product};
use crate::secrecy::PARAMETER;

/// In place of an operation that undoes another one.
const NOTHING: &str = "none";

const ENABLED: &str = r#""enabled":true"#;
const DISABLED: &str = r#""enabled":false"#;
const NO_SECRET: &str = r#"{"__type":"ResourceNotFoundException"}"#;
const IDENTIFIED: &str = r#"{"id":1,"status":"success"}"#;

pub(super) const PRODUCTS: &[Product] = &[
    // It keeps mirrors.
    Invents("GitLab.DeleteMirror", 204, "").in_story(
        "mirrors_create_and_delete",
        "left behind in platform/team/infra",
    ),
    Invents("GitLab.DeleteMirror", 204, "").in_story(
        "mirrors_schedule_then_two_rotations",
        "a mirror that is disabled",
    ),
    // It removes any mirror that it finds.
    Changes("GitLab.ListMirrors", remove_manual_mirrors)
        .in_story("mirrors_create_and_delete", "what is not ours changed"),
    // It never enables a mirror, or does so before the login is verified.
    Sends("GitLab.UpdateMirror", ENABLED, DISABLED)
        .in_story("mirrors_create_and_delete", "keeps it disabled"),
    Sends("GitLab.CreateMirror", DISABLED, ENABLED)
        .in_story("mirrors_new_password", "Authentication failed")
        .only_with("late-logins"),
    // It encodes the login in a mirror's address.
    Sends("GitLab.CreateMirror", "=@", "%3D@")
        .in_story("mirrors_create_and_delete", "Authentication failed"),
    Copies(HOST, REDIRECT_HOST).in_story("mirrors_create_and_delete", "GitLab's token was sent to"),
    // It sets the former credential to inactive before the new one is used, or keeps it.
    Changes("CreateServiceSpecificCredential", deactivate)
        .in_story("mirrors_new_password", "the secret does not work"),
    Omits("DeleteServiceSpecificCredential", "")
        .in_story("mirrors_new_password", "2 live and 0 inactive credentials"),
    Omits("UpdateSecretVersionStage", r#""AWSCURRENT""#).in_story(
        "mirrors_schedule_then_two_rotations",
        "the secret does not work",
    ),
    // It removes AWSPENDING as soon as GitLab is called, or leaves it at the end of a rotation.
    Changes(ANY, drop_pending).in_story(
        "mirrors_schedule_then_two_rotations",
        "no rotation of it is in progress",
    ),
    Omits("UpdateSecretVersionStage", r#""AWSPENDING""#).in_story(
        "mirrors_rotation_without_a_free_place",
        "AWSPENDING is left",
    ),
    Repeats("CreateServiceSpecificCredential", NOTHING).in_story(
        "mirrors_login_created: with a repository",
        "2 live and 0 inactive credentials",
    ),
    Repeats("PutResponse", NOTHING).in_story(
        "mirrors_login_created: with a repository",
        "answered 2 times",
    ),
    Changes("PutResponse", show_a_secret).in_story(
        "mirrors_login_created: with a repository",
        "a secret in an answer",
    ),
    Changes(ANY, |fake, _, _| delete_foreign(fake)).in_story(
        "mirrors_login_beside_a_foreign_credential",
        "what is not ours changed",
    ),
    // It activates the user's credentials when a request is delivered again.
    Changes("ListServiceSpecificCredentials", activate_when_repeated)
        .in_story("mirrors_leaked_password_stays_inactive", "active: true")
        .only_with("delivered-twice"),
    // In English alone, it reads that another mirror has the address. It takes other messages for
    // those about a setting.
    Reads("GitLab.CreateMirror", "vergeben", "keep_divergent_refs")
        .in_story("mirrors_new_password", "ist bereits")
        .only_with("german"),
    Reads("GitLab.CreateMirror", "存在します", "keep_divergent_refs")
        .in_story("mirrors_new_password", "はすでに")
        .only_with("japanese"),
    Reads("GitLab.CreateMirror", "zajęte", "keep_divergent_refs")
        .in_story("mirrors_new_password", "zostało już")
        .only_with("polish"),
    Believes("ListUserTags", "")
        .in_story(
            "mirrors_create_and_delete",
            "there is no IAM user of that name",
        )
        .only_with("late-things"),
    Believes("ListServiceSpecificCredentials", "")
        .in_story(
            "mirrors_login_calls",
            "credentials that this resource did not issue",
        )
        .only_with("late-lists"),
    Believes("GitPush", "")
        .in_story("mirrors_create_and_delete", "the login is not accepted")
        .only_with("late-logins"),
    Believes("ListServiceSpecificCredentials", "")
        .in_story("mirrors_rotation_between_updates", "LimitExceeded")
        .only_with("replicas-differ"),
    // It takes a page without a header for the last one. Full pages have none.
    ReadsOnePage("GitLab.ListMirrors")
        .in_story("mirrors_killed_push_then_rotation: 1m", "setSecret")
        .only_with("short-pages"),
    GivesUpAfter(Duration::from_millis(200))
        .in_story("mirrors_create_and_delete", "the connection was lost")
        .only_with("slow-answers"),
    Repeats("GitLab.CreateMirror", NOTHING)
        .in_story("mirrors_create_and_delete", "a mirror that is disabled")
        .only_with("older-gitlab"),
    Drops("GitLab.ListMirrors", r#""url":null"#)
        .in_story(
            "mirrors_killed_push_then_rotation: 1m",
            "creating the push mirror",
        )
        .only_with("one-broken-mirror"),
    // It does not see that the request has ended, or that a Delete has been here.
    Reads("ListUserTags", "cfn-gitops:ended-attempt", "other")
        .in_story(
            "mirrors_login_deleted_beside_a_later_credential: the secret is deleted",
            "what is not ours changed",
        )
        .only_with("delivered-twice"),
    Reads("ListUserTags", "cfn-gitops:deletion", "other")
        .in_story("mirrors_create_and_delete", "1-Create after")
        .only_with("late-copies"),
    Believes("ListUserTags", "")
        .in_story(
            "mirrors_login_replacement_abandoned: another secret",
            "1-Create after",
        )
        .only_with("late-tags")
        .beside("late-copies"),
    Believes("DescribeSecret", "")
        .in_story(
            "mirrors_added_and_removed",
            "recording the request in secret",
        )
        .only_with("late-secrets")
        .beside("delivered-twice"),
    Omits("UpdateSecretVersionStage", r#""AWSPENDING""#)
        .in_story(
            "mirrors_manual_change_after_rotation: another value is stored",
            "AWSPENDING is left",
        )
        .only_with("pending-stays"),
    Sends("PutSecretValue", r#""AWSPENDING","#, "")
        .in_story("mirrors_killed_push_then_rotation: 1m", "setSecret")
        .only_with("pending-goes-early"),
    PollsFor("GitLab.GetMirror", Duration::from_mins(1))
        .in_story(
            "mirrors_create_and_delete",
            "GitLab did not respond in time",
        )
        .only_with("slow-pushes"),
    // It takes a secret that is being deleted for the one that it needs.
    Reads("DescribeSecret", "DeletedDate", "Other")
        .in_story(
            "mirrors_create_refused: silent mode",
            "it was marked for deletion",
        )
        .only_with("slow-deletions"),
    Reads(ANY, "uploading", "finished")
        .in_story(
            "mirrors_killed_push_then_update: 1m",
            "a push in progress since",
        )
        .only_with("unknown-statuses"),
    Needs("GitLab.GetMirror", "mirror_branch_regex")
        .in_story("mirrors_create_and_delete", "looking up push mirror")
        .only_with("free-gitlab"),
    Shows("GitLab.GetMirror", "last_error")
        .in_story(
            "mirrors_create_refused: a push that diverges",
            "a secret in an answer",
        )
        .only_with("logins-in-errors"),
    Repeats("PutResponse", NOTHING).in_story("pipeline_create_and_delete", "answered 2 times"),
    Omits("DeleteApprovalRuleTemplate", "").in_story(
        "pipeline_with_an_approval_rule",
        "approval rule template approval-dev-cfn-shop is left",
    ),
    // It does not see that a Delete has been here.
    Invents("DescribeSecret", 400, NO_SECRET).in_story(
        "pipeline_create_canceled_at_once: 0s",
        "a child stack is left",
    ),
    Invents("GetBranch", 200, r#"{"branch":{"commitId":"imagined"}}"#).in_story(
        "pipeline_create_and_delete",
        r#".stacks[0].parameters.BranchExists: "true" instead of "false""#,
    ),
    // It deletes the retained repository, or replaces it.
    Changes("DeleteSecret", delete_repositories).in_story(
        "pipeline_repository_retained",
        "codecommit-dev-cfn-shop is gone",
    ),
    Changes("DeleteSecret", replace_repositories)
        .in_story("pipeline_repository_retained", "should have been retained"),
    Sends("UpdateStack", "Days%22%3A%2090", "Days%22%3A%2030")
        .in_story("pipeline_changed", "RetentionInDays: 30 instead of 90"),
    Believes("ListPipelineExecutions", "")
        .in_story("pipeline_first_push", r#"commit-1 {"commit-1": 2}"#)
        .only_with("late-executions"),
    // Its tokens show that CloudFormation signed each Create long before.
    Sends("CreateStack", "gitops-1795176", "gitops-0795176")
        .in_story("pipeline_created_again", "1-Create after")
        .only_with("late-copies"),
    PollsFor("DescribeStacks", Duration::from_mins(1))
        .in_story(
            "pipeline_approval_rule_added_and_removed",
            "looking up stack",
        )
        .only_with("slow-resources"),
    // It does not look again for the stack whose ID `CreateStack` has returned.
    Believes("DescribeStacks", "Stack with id arn:")
        .in_story(
            "pipeline_create_canceled_at_once: 2s",
            "a child stack is left",
        )
        .only_with("late-stacks"),
    // It does not compare the stack's status with its latest event, which may be an older one.
    Reads("DescribeStackEvents", "PhysicalResourceId", "Other")
        .in_story("pipeline_changed", "CloudFormation gave no reason")
        .only_with("late-events"),
    // No read shows the stack yet, so it sends the creation again, and fails if that is rejected.
    Reads("CreateStack", "TokenAlreadyExistsException", "Other")
        .in_story("pipeline_create_and_delete", "has already been used")
        .only_with("seen-tokens-refused")
        .beside("late-stacks"),
    // It does not wait in a status that it does not know.
    Reads(ANY, "_SETTLING_IN_PROGRESS", "_SETTLING")
        .in_story("pipeline_changed", "it is UPDATE_SETTLING")
        .only_with("unknown-statuses"),
    // It does not wait for an execution that reads its source.
    Reads("ListPipelineExecutions", "InProgress", "Succeeded")
        .in_story("pipeline_first_push", r#"commit-1 {"commit-1": 2}"#)
        .only_with("slow-sources"),
    Invents("GitLab.CreateDeployment", 201, IDENTIFIED)
        .in_story("report_ends: deployed", "deployment of"),
    Sends("GitLab.PostStatus", r#":"failed""#, r#":"success""#)
        .in_story("report_failed_build: once", "status of"),
    // It does not change a note after the approval has ended.
    Invents("GitLab.UpdateNote", 200, IDENTIFIED)
        .in_story("report_ends: rejected", "wait for an approval"),
    Repeats("GitLab.CreateNote", "GitLab.DeleteNote")
        .in_story("report_failed_build: once", "on merge_requests/"),
    Changes(ANY, show_a_parameter).in_story("report_ends: retried stage that waits", PARAMETER),
    // An empty page is the last one.
    Reads("GetLogEvents", "Token", "Other")
        .in_story(
            "report_build_in_codebuild: a private project",
            "tests failed",
        )
        .only_with("empty-log-pages"),
    Needs("DescribeStackEvents", "OperationId")
        .in_story(
            "report_failed_resources: a later update by a person",
            "are not listed, because",
        )
        .only_with("no-operation-ids"),
    // It compares GitLab's times with the clock of AWS.
    Ignores("date")
        .in_story("report_ends: failed deployment", "posted again")
        .only_with("clock-behind")
        .beside("delivered-twice"),
    Ignores("date")
        .in_story(
            "report_rolled_back: by an alarm",
            "instead of c0ffee0000000001",
        )
        .only_with("clock-ahead"),
    // The health check does not look again for a log that was late.
    Reads("GitLab.ListNotes", " may be incomplete", "")
        .in_story(
            "report_build_in_codebuild: a private project",
            "1 of 7 tests failed",
        )
        .only_with("late-logs"),
    // It keeps its change set, deletes that of a person, or executes its own.
    Omits("DeleteChangeSet", "").in_story("review_changed_template", "left: [("),
    Changes("DeleteChangeSet", delete_change_set_of_a_person)
        .in_story("review_changed_template", "change sets of others"),
    Changes("DeleteChangeSet", execute_own_change_set)
        .in_story("review_changed_template", "executed: ["),
    // It does not see that a later commit was pushed.
    Reads("GetBranch", r#""c2""#, r#""c1""#)
        .in_story("review_of_a_failed_build", "instead of one of"),
    Repeats("GitLab.CreateNote", "GitLab.DeleteNote")
        .in_story("review_changed_template", "instead of one of"),
    // It edits a note of another environment.
    Changes("GitLab.CreateNote", edit_others_note)
        .in_story("review_changed_template", "notes of others"),
    Changes(ANY, show_a_parameter).in_story("review_changed_template", "a secret in:"),
    // It gives CloudFormation a template that has a transform.
    Changes("CreateChangeSet", run_a_transform).in_story("review_changed_template", "ran macros"),
    Omits("GitLab.PostStatus", "").in_story("review_changed_template", "success: []"),
    // It does not see that the public can read the project, or that a rule is disabled.
    Reads(ANY, r#""visibility":"public""#, r#""visibility":"private""#)
        .in_story("review_in_a_public_project: by default", "left: 1"),
    Reads(ANY, r#""DISABLED""#, r#""ENABLED""#).in_story("review_lost_push_while_frozen", "c1: [("),
    PollsFor("DescribeChangeSet", Duration::from_secs(12))
        .in_story(
            "review_behind_the_deployed_branch: of no commit",
            "0 notes instead of one",
        )
        .only_with("slow-change-sets"),
    Reads("DescribeChangeSet", "NextToken", "Other")
        .in_story(
            "review_behind_the_deployed_branch: of no commit",
            "1 notes instead of one",
        )
        .only_with("short-pages"),
];

fn remove_manual_mirrors(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| {
        for project in aws.gitlab.projects.values_mut() {
            project.mirrors.retain(|_, mirror| mirror.is_ours());
        }
    });
}

/// Sets the function's credentials to active or inactive.
fn set_own(fake: &FakeAws, active: bool) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            let credentials = iam.users.values_mut().flat_map(|user| &mut user.credentials);
            let own = credentials.filter(|one| one.issued_by != ANOTHER_PERSON);
            own.for_each(|one| one.active = active);
        });
    });
}

fn deactivate(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    set_own(fake, false);
}

fn activate_when_repeated(fake: &FakeAws, invocation: &str, _: &mut HttpRequest) {
    if invocation.ends_with(".2") {
        set_own(fake, true);
    }
}

/// Deletes the credentials of other people.
pub fn delete_foreign(fake: &FakeAws) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            for user in iam.users.values_mut() {
                user.credentials.retain(|one| one.issued_by != ANOTHER_PERSON);
            }
        });
    });
}

fn drop_pending(fake: &FakeAws, _: &str, request: &mut HttpRequest) {
    if request.uri().contains(HOST) {
        fake.change(|aws| {
            for secret in aws.secrets.values_mut() {
                if let Some(pending) = secret.at_stage(PENDING).map(str::to_owned) {
                    forget_pending(secret, &pending);
                }
            }
        });
    }
}

fn show_a_secret(fake: &FakeAws, _: &str, request: &mut HttpRequest) {
    let password = fake.every_secret_ever().pop().unwrap_or_default();
    let shown = format!(r#""Password":"{password}","Status""#);
    replace_in_body(request, r#""Status""#, &shown);
}

fn show_a_parameter(_: &FakeAws, _: &str, request: &mut HttpRequest) {
    replace_in_body(request, "-->", &format!("--> {PARAMETER}"));
}

fn delete_repositories(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| {
        let names: Vec<String> = aws.codecommit.repositories.keys().cloned().collect();
        for name in names {
            aws.codecommit.remove(&name);
        }
    });
}

fn replace_repositories(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| {
        let held = aws.codecommit.repositories.clone();
        for name in held.keys() {
            aws.codecommit.remove(name);
        }
        aws.codecommit.repositories = held;
    });
}

fn delete_change_set_of_a_person(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    for (stack, name) in fake.all_change_sets() {
        if name == "persons-own" {
            fake.delete_change_set(&stack, &name);
        }
    }
}

fn execute_own_change_set(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    let is_own = |name: &str| name.starts_with("plan-") && !name.ends_with("persons-own");
    for (stack, name) in fake.all_change_sets() {
        if is_own(&name) {
            fake.execute_change_set(&stack, &name);
        }
    }
}

fn edit_others_note(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| {
        let notes = aws.gitlab.projects.values_mut().flat_map(|one| &mut one.records.notes);
        notes
            .filter(|note| note.body.contains("Other"))
            .for_each(|note| note.body.push('x'));
    });
}

fn run_a_transform(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| aws.stacks.change_sets.macros_run.push("AWS::Include".to_owned()));
}
