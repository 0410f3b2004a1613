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

/// In place of an operation that undoes another one.
const NOTHING: &str = "none";

const ENABLED: &str = r#""enabled":true"#;
const DISABLED: &str = r#""enabled":false"#;
const NO_SECRET: &str = r#"{"__type":"ResourceNotFoundException"}"#;
const IDENTIFIED: &str = r#"{"id":1,"status":"success"}"#;
const DEVELOPER: &str = r#""access_level":30"#;
const MAINTAINER: &str = r#""access_level":40"#;

/// A value that notes must not show.
const PARAMETER: &str = "SentinelOfAParameter/+=";
const PARAMETER_IN_A_NOTE: &str = "--> SentinelOfAParameter/+=";

pub(super) const PRODUCTS: &[Product] = &[
    // It keeps mirrors.
    Invents("GitLab.DeleteMirror", 204, "")
        .in_story("mirrors_create_and_delete")
        .says("left behind in platform/team/infra"),
    Invents("GitLab.DeleteMirror", 204, "")
        .in_story("mirrors_schedule_then_two_rotations")
        .says("a mirror that is disabled"),
    // It removes any mirror that it finds.
    Changes("GitLab.ListMirrors", remove_manual_mirrors)
        .in_story("mirrors_create_and_delete")
        .says("what is not ours changed"),
    // It never enables a mirror, or does so before the login is verified.
    Sends("GitLab.UpdateMirror", ENABLED, DISABLED)
        .in_story("mirrors_create_and_delete")
        .says("keeps it disabled"),
    Sends("GitLab.CreateMirror", DISABLED, ENABLED)
        .in_story("mirrors_new_password")
        .only_with("late-logins")
        .says("Authentication failed"),
    // It encodes the login in a mirror's address.
    Sends("GitLab.CreateMirror", "=@", "%3D@")
        .in_story("mirrors_create_and_delete")
        .says("Authentication failed"),
    Copies(HOST, REDIRECT_HOST)
        .in_story("mirrors_create_and_delete")
        .says("GitLab's token was sent to"),
    // It sets the former credential to inactive before the new one is used, or keeps it.
    Changes("CreateServiceSpecificCredential", deactivate)
        .in_story("mirrors_new_password")
        .says("the secret does not work"),
    Omits("DeleteServiceSpecificCredential", "")
        .in_story("mirrors_new_password")
        .says("2 live and 0 inactive credentials"),
    Omits("UpdateSecretVersionStage", r#""AWSCURRENT""#)
        .in_story("mirrors_schedule_then_two_rotations")
        .says("the secret does not work"),
    // It removes AWSPENDING as soon as GitLab is called, or leaves it at the end of a rotation.
    Changes(ANY, drop_pending)
        .in_story("mirrors_schedule_then_two_rotations")
        .says("no rotation of it is in progress"),
    Omits("UpdateSecretVersionStage", r#""AWSPENDING""#)
        .in_story("mirrors_rotation_without_a_free_place")
        .says("AWSPENDING is left"),
    Repeats("CreateServiceSpecificCredential", NOTHING)
        .in_story("mirrors_login_created: with a repository")
        .says("2 live and 0 inactive credentials"),
    Repeats("PutResponse", NOTHING)
        .in_story("mirrors_login_created: with a repository")
        .says("answered 2 times"),
    Changes("PutResponse", show_a_secret)
        .in_story("mirrors_login_created: with a repository")
        .says("a secret in an answer"),
    Changes(ANY, |fake, _, _| delete_foreign(fake))
        .in_story("mirrors_login_beside_a_foreign_credential")
        .says("what is not ours changed"),
    // It activates the user's credentials when a request is delivered again.
    Changes("ListServiceSpecificCredentials", activate_when_repeated)
        .in_story("mirrors_leaked_password_stays_inactive")
        .only_with("delivered-twice")
        .says("active: true"),
    // In English alone, it reads that another mirror has the address. It takes other messages for
    // those about a setting.
    Reads("GitLab.CreateMirror", "vergeben", "keep_divergent_refs")
        .in_story("mirrors_new_password")
        .only_with("german")
        .says("ist bereits"),
    Reads("GitLab.CreateMirror", "存在します", "keep_divergent_refs")
        .in_story("mirrors_new_password")
        .only_with("japanese")
        .says("はすでに"),
    Reads("GitLab.CreateMirror", "zajęte", "keep_divergent_refs")
        .in_story("mirrors_new_password")
        .only_with("polish")
        .says("zostało już"),
    Believes("ListUserTags", "")
        .in_story("mirrors_create_and_delete")
        .only_with("late-things")
        .says("there is no IAM user of that name"),
    Believes("ListServiceSpecificCredentials", "")
        .in_story("mirrors_login_calls")
        .only_with("late-lists")
        .says("credentials that this resource did not issue"),
    Believes("GitPush", "")
        .in_story("mirrors_create_and_delete")
        .only_with("late-logins")
        .says("the login is not accepted"),
    Believes("ListServiceSpecificCredentials", "")
        .in_story("mirrors_rotation_between_updates")
        .only_with("replicas-differ")
        .says("LimitExceeded"),
    // It takes a page without a header for the last one. Full pages have none.
    ReadsOnePage("GitLab.ListMirrors")
        .in_story("mirrors_killed_push_then_rotation: 1m")
        .only_with("short-pages")
        .says("setSecret"),
    GivesUpAfter(Duration::from_millis(200))
        .in_story("mirrors_create_and_delete")
        .only_with("slow-answers")
        .says("the connection was lost"),
    Repeats("GitLab.CreateMirror", NOTHING)
        .in_story("mirrors_create_and_delete")
        .only_with("older-gitlab")
        .says("a mirror that is disabled"),
    Drops("GitLab.ListMirrors", r#""url":null"#)
        .in_story("mirrors_killed_push_then_rotation: 1m")
        .only_with("one-broken-mirror")
        .says("creating the push mirror"),
    // It does not see that the request has ended, or that a Delete has been here.
    Reads("ListUserTags", "cfn-gitops:ended-attempt", "other")
        .in_story("mirrors_login_deleted_beside_a_later_credential: the secret is deleted")
        .only_with("delivered-twice")
        .says("what is not ours changed"),
    Reads("ListUserTags", "cfn-gitops:deletion", "other")
        .in_story("mirrors_create_and_delete")
        .only_with("late-copies")
        .says("1-Create after"),
    Believes("ListUserTags", "")
        .in_story("mirrors_login_replacement_abandoned: another secret")
        .only_with("late-tags")
        .beside("late-copies")
        .says("1-Create after"),
    Believes("DescribeSecret", "")
        .in_story("mirrors_added_and_removed")
        .only_with("late-secrets")
        .beside("delivered-twice")
        .says("recording the request in secret"),
    Omits("UpdateSecretVersionStage", r#""AWSPENDING""#)
        .in_story("mirrors_manual_change_after_rotation: another value is stored")
        .only_with("pending-stays")
        .says("AWSPENDING is left"),
    Sends("PutSecretValue", r#""AWSPENDING","#, "")
        .in_story("mirrors_killed_push_then_rotation: 1m")
        .only_with("pending-goes-early")
        .says("setSecret"),
    PollsFor("GitLab.GetMirror", Duration::from_mins(1))
        .in_story("mirrors_create_and_delete")
        .only_with("slow-pushes")
        .says("GitLab did not respond in time"),
    // It takes a secret that is being deleted for the one that it needs.
    Reads("DescribeSecret", "DeletedDate", "Other")
        .in_story("mirrors_create_refused: silent mode")
        .only_with("slow-deletions")
        .says("it was marked for deletion"),
    Reads(ANY, "uploading", "finished")
        .in_story("mirrors_killed_push_then_update: 1m")
        .only_with("unknown-statuses")
        .says("a push in progress since"),
    Needs("GitLab.GetMirror", "mirror_branch_regex")
        .in_story("mirrors_create_and_delete")
        .only_with("free-gitlab")
        .says("looking up push mirror"),
    Shows("GitLab.GetMirror", "last_error")
        .in_story("mirrors_create_refused: a push that diverges")
        .only_with("logins-in-errors")
        .says("a secret in an answer"),
    Repeats("PutResponse", NOTHING)
        .in_story("pipeline_create_and_delete")
        .says("answered 2 times"),
    Omits("DeleteApprovalRuleTemplate", "")
        .in_story("pipeline_with_an_approval_rule")
        .says("approval rule template approval-dev-cfn-shop is left"),
    // It does not see that a Delete has been here.
    Invents("DescribeSecret", 400, NO_SECRET)
        .in_story("pipeline_create_canceled_at_once: 0s")
        .says("a child stack is left"),
    Invents("GetBranch", 200, r#"{"branch":{"commitId":"imagined"}}"#)
        .in_story("pipeline_create_and_delete")
        .says(r#".stacks[0].parameters.BranchExists: "true" instead of "false""#),
    // It deletes the retained repository.
    Changes("DeleteSecret", delete_repositories)
        .in_story("pipeline_repository_retained")
        .says("codecommit-dev-cfn-shop is gone"),
    Sends("UpdateStack", "Days%22%3A%2090", "Days%22%3A%2030")
        .in_story("pipeline_changed")
        .says("RetentionInDays: 30 instead of 90"),
    Believes("ListPipelineExecutions", "")
        .in_story("pipeline_first_push")
        .only_with("late-executions")
        .says(r#"commit-1 {"commit-1": 2}"#),
    // Its tokens show that CloudFormation signed each Create long before.
    Sends("CreateStack", "gitops-1795176", "gitops-0795176")
        .in_story("pipeline_created_again")
        .only_with("late-copies")
        .says("1-Create after"),
    PollsFor("DescribeStacks", Duration::from_mins(1))
        .in_story("pipeline_approval_rule_added_and_removed")
        .only_with("slow-resources")
        .says("looking up stack"),
    // It does not look again for the stack whose ID `CreateStack` has returned.
    Believes("DescribeStacks", "Stack with id arn:")
        .in_story("pipeline_create_canceled_at_once: 2s")
        .only_with("late-stacks")
        .says("a child stack is left"),
    // It does not compare the stack's status with its latest event, which may be an older one.
    Reads("DescribeStackEvents", "PhysicalResourceId", "Other")
        .in_story("pipeline_changed")
        .only_with("late-events")
        .says("CloudFormation gave no reason"),
    // No read shows the stack yet, so it sends the creation again, and fails if that is rejected.
    Reads("CreateStack", "TokenAlreadyExistsException", "Other")
        .in_story("pipeline_create_and_delete")
        .only_with("seen-tokens-refused")
        .beside("late-stacks")
        .says("has already been used"),
    // It does not wait in a status that it does not know.
    Reads(ANY, "_SETTLING_IN_PROGRESS", "_SETTLING")
        .in_story("pipeline_changed")
        .only_with("unknown-statuses")
        .says("it is UPDATE_SETTLING"),
    // It does not wait for an execution that reads its source.
    Reads("ListPipelineExecutions", "InProgress", "Succeeded")
        .in_story("pipeline_first_push")
        .only_with("slow-sources")
        .says(r#"commit-1 {"commit-1": 2}"#),
    Invents("GitLab.CreateDeployment", 201, IDENTIFIED)
        .in_story("report_ends: deployed")
        .says("deployment of"),
    Sends("GitLab.PostStatus", r#":"failed""#, r#":"success""#)
        .in_story("report_failed_build: once")
        .says("status of"),
    // It does not change a note after the approval has ended.
    Invents("GitLab.UpdateNote", 200, IDENTIFIED)
        .in_story("report_ends: rejected")
        .says("wait for an approval"),
    Repeats("GitLab.CreateNote", "GitLab.DeleteNote")
        .in_story("report_failed_build: once")
        .says("on merge_requests/"),
    Sends(ANY, "-->", PARAMETER_IN_A_NOTE)
        .in_story("report_ends: retried stage that waits")
        .says(PARAMETER),
    // It takes a Developer for a Maintainer, and a rule for Developers for one for Maintainers.
    Reads("GitLab.GetMember", DEVELOPER, MAINTAINER)
        .in_story("approve_another_user: a Developer of a group")
        .says("cfn-gitops: approved in GitLab"),
    Reads("GitLab.ListProtectedTags", DEVELOPER, MAINTAINER)
        .in_story("approve_open_to_others: a wider rule")
        .says("cfn-gitops: approved in GitLab"),
    // An empty page is the last one.
    Reads("GetLogEvents", "Token", "Other")
        .in_story("report_build_in_codebuild: a private project")
        .only_with("empty-log-pages")
        .says("tests failed"),
    Needs("DescribeStackEvents", "OperationId")
        .in_story("report_failed_resources: a later update by a person")
        .only_with("no-operation-ids")
        .says("are not listed, because"),
    // It compares GitLab's times with the clock of AWS.
    Ignores("date")
        .in_story("report_ends: failed deployment")
        .only_with("clock-behind")
        .beside("delivered-twice")
        .says("posted again"),
    Ignores("date")
        .in_story("report_rolled_back: by an alarm")
        .only_with("clock-ahead")
        .says("instead of c0ffee0000000001"),
    // The health check does not look again for a log that was late.
    Reads("GitLab.ListNotes", " may be incomplete", "")
        .in_story("report_build_in_codebuild: a private project")
        .only_with("late-logs")
        .says("1 of 7 tests failed"),
    // It keeps its change set, deletes that of a person, or executes its own.
    Omits("DeleteChangeSet", "")
        .in_story("review_changed_template")
        .says("left: [("),
    Changes("DeleteChangeSet", delete_change_set_of_a_person)
        .in_story("review_changed_template")
        .says("change sets of others"),
    Changes("DeleteChangeSet", execute_own_change_set)
        .in_story("review_changed_template")
        .says("executed: ["),
    // It does not see that a later commit was pushed.
    Reads("GetBranch", r#""c2""#, r#""c1""#)
        .in_story("review_of_a_failed_build")
        .says("instead of one of"),
    Repeats("GitLab.CreateNote", "GitLab.DeleteNote")
        .in_story("review_changed_template")
        .says("instead of one of"),
    // It edits a note of another environment.
    Changes("GitLab.CreateNote", edit_others_note)
        .in_story("review_changed_template")
        .says("notes of others"),
    Sends(ANY, "-->", PARAMETER_IN_A_NOTE)
        .in_story("review_changed_template")
        .says("a secret in:"),
    // It gives CloudFormation a template that has a transform.
    Changes("CreateChangeSet", run_a_transform)
        .in_story("review_changed_template")
        .says("ran macros"),
    Omits("GitLab.PostStatus", "")
        .in_story("review_changed_template")
        .says("success: []"),
    // It does not see that the public can read the project, or that a rule is disabled.
    Reads(ANY, r#""visibility":"public""#, r#""visibility":"private""#)
        .in_story("review_in_a_public_project: by default")
        .says("left: 1"),
    Reads(ANY, r#""DISABLED""#, r#""ENABLED""#)
        .in_story("review_lost_push_while_frozen")
        .says("c1: [("),
    PollsFor("DescribeChangeSet", Duration::from_secs(12))
        .in_story("review_behind_the_deployed_branch: of no commit")
        .only_with("slow-change-sets")
        .says("0 notes instead of one"),
    Reads("DescribeChangeSet", "NextToken", "Other")
        .in_story("review_behind_the_deployed_branch: of no commit")
        .only_with("short-pages")
        .says("1 notes instead of one"),
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

fn delete_repositories(fake: &FakeAws, _: &str, _: &mut HttpRequest) {
    fake.change(|aws| {
        let names: Vec<String> = aws.codecommit.repositories.keys().cloned().collect();
        for name in names {
            aws.codecommit.remove(&name);
        }
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
