//! Products that lack a care: no check notices them without a setting, and one does with it.

use std::time::Duration;

use crate::happy_path::play_in;
use crate::scenarios::scenario_called;
use test_support::careless::{ANY, Careless, Lack, assert_each_shown};

const CARELESS: &[Careless] = &[
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
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("mirrors", CARELESS, |story, mixture| {
        play_in(&scenario_called(story), mixture);
    });
}
