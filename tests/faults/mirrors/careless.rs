//! Products that lack a care: no check notices them in the kind world, and one does in the world of
//! a single setting.

use std::time::Duration;

use crate::happy_path::play_in;
use crate::scenarios::scenario_called;
use test_support::careless::{Careless, Lack};

const CARELESS: &[Careless] = &[
    Careless {
        setting: "late-things",
        lack: Lack::AsksOnce("ListUserTags"),
        story: "mirrors_create_and_delete",
        says: "there is no IAM user of that name",
    },
    Careless {
        setting: "late-lists",
        lack: Lack::AsksOnce("ListServiceSpecificCredentials"),
        story: "mirrors_login_calls",
        says: "credentials that this resource did not issue",
    },
    Careless {
        setting: "late-logins",
        lack: Lack::AsksOnce("GitPush"),
        story: "mirrors_create_and_delete",
        says: "the login is not accepted",
    },
    Careless {
        setting: "replicas-differ",
        lack: Lack::AsksOnce("ListServiceSpecificCredentials"),
        story: "mirrors_rotation_between_updates",
        says: "LimitExceeded",
    },
    Careless {
        setting: "short-pages",
        lack: Lack::ReadsOnePage("GitLab.ListMirrors"),
        story: "mirrors_killed_push_then_rotation: 1m",
        says: "setSecret",
    },
    Careless {
        setting: "slow-answers",
        lack: Lack::GivesUpAfter(Duration::from_millis(200)),
        story: "mirrors_create_and_delete",
        says: "the connection was lost",
    },
    Careless {
        setting: "older-gitlab",
        lack: Lack::Repeats("GitLab.CreateMirror"),
        story: "mirrors_create_and_delete",
        says: "a mirror that is disabled",
    },
    Careless {
        setting: "one-broken-mirror",
        lack: Lack::Drops("GitLab.ListMirrors", r#""url":null"#),
        story: "mirrors_killed_push_then_rotation: 1m",
        says: "creating the push mirror",
    },
    // It does not see that the request has ended, or that a Delete has been here.
    Careless {
        setting: "delivered-twice",
        lack: Lack::Reads("ListUserTags", "cfn-gitops:ended-attempt", "other"),
        story: "mirrors_login_deleted_beside_a_later_credential: the secret is deleted",
        says: "what is not ours changed",
    },
    Careless {
        setting: "late-copies",
        lack: Lack::Reads("ListUserTags", "cfn-gitops:deletion", "other"),
        story: "mirrors_create_and_delete",
        says: "1-Create after",
    },
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    for careless in CARELESS {
        careless.assert_shown(|story, mixture| {
            play_in(&scenario_called(story), mixture);
        });
    }
}
