//! Each careless product with the setting that shows it. [`SETTINGS`](crate::worlds::SETTINGS) has
//! the settings.

use std::time::Duration;

use super::{ANY, Careless, Lack};

pub(super) const CARELESS: &[Careless] = &[
    Careless {
        beside: "",
        setting: "late-things",
        lack: Lack::Believes("ListUserTags", ""),
        story: "mirrors_create_and_delete",
        says: "there is no IAM user of that name",
    },
    Careless {
        beside: "",
        setting: "late-lists",
        lack: Lack::Believes("ListServiceSpecificCredentials", ""),
        story: "mirrors_login_calls",
        says: "credentials that this resource did not issue",
    },
    Careless {
        beside: "",
        setting: "late-logins",
        lack: Lack::Believes("GitPush", ""),
        story: "mirrors_create_and_delete",
        says: "the login is not accepted",
    },
    Careless {
        beside: "",
        setting: "replicas-differ",
        lack: Lack::Believes("ListServiceSpecificCredentials", ""),
        story: "mirrors_rotation_between_updates",
        says: "LimitExceeded",
    },
    // It takes a page without a header for the last one. Full pages have none.
    Careless {
        beside: "",
        setting: "short-pages",
        lack: Lack::ReadsOnePage("GitLab.ListMirrors"),
        story: "mirrors_killed_push_then_rotation: 1m",
        says: "setSecret",
    },
    Careless {
        beside: "",
        setting: "slow-answers",
        lack: Lack::GivesUpAfter(Duration::from_millis(200)),
        story: "mirrors_create_and_delete",
        says: "the connection was lost",
    },
    Careless {
        beside: "",
        setting: "older-gitlab",
        lack: Lack::Repeats("GitLab.CreateMirror"),
        story: "mirrors_create_and_delete",
        says: "a mirror that is disabled",
    },
    Careless {
        beside: "",
        setting: "one-broken-mirror",
        lack: Lack::Drops("GitLab.ListMirrors", r#""url":null"#),
        story: "mirrors_killed_push_then_rotation: 1m",
        says: "creating the push mirror",
    },
    // It does not see that the request has ended, or that a Delete has been here.
    Careless {
        beside: "",
        setting: "delivered-twice",
        lack: Lack::Reads("ListUserTags", "cfn-gitops:ended-attempt", "other"),
        story: "mirrors_login_deleted_beside_a_later_credential: the secret is deleted",
        says: "what is not ours changed",
    },
    Careless {
        beside: "",
        setting: "late-copies",
        lack: Lack::Reads("ListUserTags", "cfn-gitops:deletion", "other"),
        story: "mirrors_create_and_delete",
        says: "1-Create after",
    },
    Careless {
        beside: "late-copies",
        setting: "late-tags",
        lack: Lack::Believes("ListUserTags", ""),
        story: "mirrors_login_replacement_abandoned: another secret",
        says: "1-Create after",
    },
    Careless {
        beside: "delivered-twice",
        setting: "late-secrets",
        lack: Lack::Believes("DescribeSecret", ""),
        story: "mirrors_added_and_removed",
        says: "recording the request in secret",
    },
    Careless {
        beside: "",
        setting: "pending-stays",
        lack: Lack::Omits("UpdateSecretVersionStage", r#""AWSPENDING""#),
        story: "mirrors_manual_change_after_rotation: another value is stored",
        says: "AWSPENDING is left",
    },
    Careless {
        beside: "",
        setting: "pending-goes-early",
        lack: Lack::Sends("PutSecretValue", r#""AWSPENDING","#, ""),
        story: "mirrors_killed_push_then_rotation: 1m",
        says: "setSecret",
    },
    Careless {
        beside: "",
        setting: "slow-pushes",
        lack: Lack::PollsFor("GitLab.GetMirror", Duration::from_mins(1)),
        story: "mirrors_create_and_delete",
        says: "GitLab did not respond in time",
    },
    // It takes a secret that is being deleted for the one that it needs.
    Careless {
        beside: "",
        setting: "slow-deletions",
        lack: Lack::Reads("DescribeSecret", "DeletedDate", "Other"),
        story: "mirrors_create_refused: silent mode",
        says: "it was marked for deletion",
    },
    Careless {
        beside: "",
        setting: "unknown-statuses",
        lack: Lack::Reads(ANY, "uploading", "finished"),
        story: "mirrors_killed_push_then_update: 1m",
        says: "a push in progress since",
    },
    Careless {
        beside: "",
        setting: "free-gitlab",
        lack: Lack::Needs("GitLab.GetMirror", "mirror_branch_regex"),
        story: "mirrors_create_and_delete",
        says: "looking up push mirror",
    },
    Careless {
        beside: "",
        setting: "logins-in-errors",
        lack: Lack::Shows("GitLab.GetMirror", "last_error"),
        story: "mirrors_create_refused: a push that diverges",
        says: "a secret in an answer",
    },
    Careless {
        beside: "",
        setting: "late-executions",
        lack: Lack::Believes("ListPipelineExecutions", ""),
        story: "pipeline_first_push",
        says: r#"commit-1 {"commit-1": 2}"#,
    },
    // Its tokens show that CloudFormation signed each Create long before.
    Careless {
        beside: "",
        setting: "late-copies",
        lack: Lack::Sends("CreateStack", "gitops-1795176", "gitops-0795176"),
        story: "pipeline_created_again",
        says: "1-Create after",
    },
    Careless {
        beside: "",
        setting: "slow-resources",
        lack: Lack::PollsFor("DescribeStacks", Duration::from_mins(1)),
        story: "pipeline_approval_rule_added_and_removed",
        says: "looking up stack",
    },
    // It does not look again for the stack whose ID `CreateStack` has returned.
    Careless {
        beside: "",
        setting: "late-stacks",
        lack: Lack::Believes("DescribeStacks", "Stack with id arn:"),
        story: "pipeline_create_canceled_at_once: 2s",
        says: "a child stack is left",
    },
    // It does not compare the stack's status with its latest event, which may be an older one.
    Careless {
        beside: "",
        setting: "late-events",
        lack: Lack::Reads("DescribeStackEvents", "PhysicalResourceId", "Other"),
        story: "pipeline_changed",
        says: "CloudFormation gave no reason",
    },
    // No read shows the stack yet, so it sends the creation again, and fails if that is rejected.
    Careless {
        beside: "late-stacks",
        setting: "seen-tokens-refused",
        lack: Lack::Reads("CreateStack", "TokenAlreadyExistsException", "Other"),
        story: "pipeline_create_and_delete",
        says: "has already been used",
    },
    // It does not wait in a status that it does not know.
    Careless {
        beside: "",
        setting: "unknown-statuses",
        lack: Lack::Reads(ANY, "_SETTLING_IN_PROGRESS", "_SETTLING"),
        story: "pipeline_changed",
        says: "it is UPDATE_SETTLING",
    },
    // It does not wait for an execution that reads its source.
    Careless {
        beside: "",
        setting: "slow-sources",
        lack: Lack::Reads("ListPipelineExecutions", "InProgress", "Succeeded"),
        story: "pipeline_first_push",
        says: r#"commit-1 {"commit-1": 2}"#,
    },
    // An empty page is the last one.
    Careless {
        beside: "",
        setting: "empty-log-pages",
        lack: Lack::Reads("GetLogEvents", "Token", "Other"),
        story: "report_build_in_codebuild: a private project",
        says: "tests failed",
    },
    Careless {
        beside: "",
        setting: "no-operation-ids",
        lack: Lack::Needs("DescribeStackEvents", "OperationId"),
        story: "report_failed_resources: a later update by a person",
        says: "are not listed, because",
    },
    // It compares GitLab's times with the clock of AWS.
    Careless {
        beside: "delivered-twice",
        setting: "clock-behind",
        lack: Lack::Ignores("date"),
        story: "report_ends: failed deployment",
        says: "posted again",
    },
    Careless {
        beside: "",
        setting: "clock-ahead",
        lack: Lack::Ignores("date"),
        story: "report_rolled_back: by an alarm",
        says: "instead of c0ffee0000000001",
    },
    // The health check does not look again for a log that was late.
    Careless {
        beside: "",
        setting: "late-logs",
        lack: Lack::Reads("GitLab.ListNotes", " may be incomplete", ""),
        story: "report_build_in_codebuild: a private project",
        says: "1 of 7 tests failed",
    },
    Careless {
        beside: "",
        setting: "slow-change-sets",
        lack: Lack::PollsFor("DescribeChangeSet", Duration::from_secs(12)),
        story: "review_behind_the_deployed_branch: of no commit",
        says: "0 notes instead of one",
    },
    Careless {
        beside: "",
        setting: "short-pages",
        lack: Lack::Reads("DescribeChangeSet", "NextToken", "Other"),
        story: "review_behind_the_deployed_branch: of no commit",
        says: "1 notes instead of one",
    },
];
