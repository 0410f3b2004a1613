//! The branches of a mirror, compared on both sides.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::fixture::{Looked, PROJECT, REPOSITORY, fake, look, problem_of, project_world_with};
use fake_aws::gitlab::history::{PushEvent, record};
use fake_aws::{AwsState, FakeAws, FaultKind, On};

/// A push to GitLab of which no mirror begins a run.
fn push_without_mirroring(fake: &FakeAws, branch: &str, commit: &str) {
    fake.change(|aws| {
        let now = aws.now;
        let project = aws.gitlab.project_mut(PROJECT);
        record(project, branch, commit, now);
        let (branch, tip) = (branch.to_owned(), commit.to_owned());
        project.branches.insert(branch, tip);
        project.commits.insert(commit.to_owned());
    });
}

/// A push that the mirror has copied to CodeCommit.
async fn push(fake: &FakeAws, commit: &str) {
    fake.push_to_gitlab(PROJECT, "main", commit);
    tokio::time::sleep(Duration::from_mins(5)).await;
}

/// The events of the project's pushes.
fn events(aws: &mut AwsState) -> &mut Vec<PushEvent> {
    &mut aws.gitlab.project_mut(PROJECT).records.history.events
}

/// The number of foreign tips. Fails unless everything was checked.
fn foreign(looked: &Looked) -> f64 {
    assert!(!looked.has_failed(), "{}", looked.summary);
    looked.value("ForeignTips", PROJECT)
}

/// A health check that finds a lag of about so many seconds.
async fn look_with_lag(fake: &FakeAws, seconds: f64) -> Looked {
    let looked = look(fake).await;
    let lag = looked.value("MirrorLagSeconds", PROJECT);
    assert!((lag - seconds).abs() < 30.0, "{lag}");
    looked
}

#[tokio::test(start_paused = true)]
async fn push_that_gitlab_never_began_has_a_lag() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    tokio::time::sleep(Duration::from_hours(30)).await;
    push_without_mirroring(&fake, "main", "c2");
    tokio::time::sleep(Duration::from_mins(20)).await;
    let looked = look_with_lag(&fake, 1200.0).await;
    assert!(foreign(&looked) < 0.5 && looked.is_healthy(PROJECT));
    // Without its event, the time of the commit counts.
    fake.change(|aws| events(aws).clear());
    look_with_lag(&fake, 1200.0).await;
    fake.push_to_gitlab(PROJECT, "main", "c3");
    tokio::time::sleep(Duration::from_mins(10)).await;
    look_with_lag(&fake, 0.0).await;
}

#[tokio::test(start_paused = true)]
async fn old_commit_counts_from_its_push() {
    let (fake, _) = fake().await;
    push_without_mirroring(&fake, "topic", "old");
    tokio::time::sleep(Duration::from_hours(100)).await;
    // Its ancestor is the tip of the branch, so the branch is fast-forwarded.
    push_without_mirroring(&fake, "main", "old");
    tokio::time::sleep(Duration::from_mins(2)).await;
    look_with_lag(&fake, 120.0).await;
}

#[tokio::test(start_paused = true)]
async fn commit_that_the_mirror_did_not_push_is_foreign() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    // GitLab has the second one in another branch.
    push_without_mirroring(&fake, "topic", "c2");
    let mut shown = vec![];
    for commit in ["unknown", "c2"] {
        fake.push(REPOSITORY, "main", commit);
        let looked = look(&fake).await;
        assert!((foreign(&looked) - 1.0).abs() < 1e-9, "{commit}");
        shown.push(looked.unhealthy());
    }
    expect![[r#"
        branch main of repository codecommit-dev-cfn-infra: its commit unknown was never in the branch of GitLab's project platform/infra, so the mirror did not push it. Find out who pushed it, then push to GitLab, which replaces it
        branch main of repository codecommit-dev-cfn-infra: its commit c2 was never in the branch of GitLab's project platform/infra, so the mirror did not push it. Find out who pushed it, then push to GitLab, which replaces it"#]].assert_eq(&shown.join("\n"));
    // The next push replaces it.
    push(&fake, "c3").await;
    assert!(foreign(&look(&fake).await) < 0.5);
}

/// A mirror that has pushed twice, after which GitLab's branch was rewound.
async fn rewound() -> FakeAws {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    push(&fake, "c2").await;
    push_without_mirroring(&fake, "main", "c1");
    fake
}

#[tokio::test(start_paused = true)]
async fn rewound_branch_lags_and_is_not_foreign() {
    let fake = rewound().await;
    for waited in [0, 20, 720 * 60].map(Duration::from_mins) {
        tokio::time::sleep(waited).await;
        let looked = look(&fake).await;
        assert!(foreign(&looked) < 0.5, "{waited:?}");
        assert!(looked.value("MirrorLagSeconds", PROJECT) >= waited.as_secs_f64() - 1.0);
    }
    // A branch that GitLab deleted stays in CodeCommit, and proves nothing.
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).branches.remove("main"));
    look(&fake).await.assert_healthy();
}

#[tokio::test(start_paused = true)]
async fn event_that_comes_late_is_read_by_the_second_look() {
    let fake = rewound().await;
    let late = fake.change(|aws| std::mem::take(events(aws)));
    let later = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        fake.change(|aws| *events(aws) = late);
    };
    let (looked, ()) = tokio::join!(look(&fake), later);
    assert!(foreign(&looked) < 0.5);
}

#[tokio::test(start_paused = true)]
async fn equal_branches_take_one_call_each() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    let before = fake.journal().len();
    assert!(foreign(&look(&fake).await) < 0.5);
    let mut calls = fake.journal().split_off(before);
    calls.retain(|entry| {
        let parts = ["Branch", "Mirror", "MergeBase", "Event"];
        parts.iter().any(|part| entry.operation.contains(part))
    });
    let calls: Vec<_> = calls.iter().map(|entry| &*entry.operation).collect();
    let expected = [
        "GitLab.GetMirror",
        "GitLab.ListProtectedBranches",
        "GitLab.ListBranches",
        "GetBranch",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test(start_paused = true)]
async fn comparison_that_fails_is_not_a_fault() {
    for operation in [
        "GitLab.ListBranches",
        "GitLab.ListEvents",
        "GitLab.GetMergeBase",
        "GetBranch",
    ] {
        for kind in [
            FaultKind::Denied,
            FaultKind::InternalError500,
            FaultKind::RequestLost,
        ] {
            let (fake, _) = fake().await;
            fake.push(REPOSITORY, "main", "unknown");
            fake.break_from_now(On::Operation(operation), kind);
            let looked = look(&fake).await;
            let what = format!("{operation} {kind:?}: {}", looked.summary);
            assert!(looked.texts("Unhealthy").is_empty(), "{what}");
            assert!(looked.values("ForeignTips", PROJECT).is_empty(), "{what}");
            assert!(looked.is_healthy(PROJECT), "{what}");
        }
    }
}

const OTHERS: usize = 120;

/// A change of a project whose pipeline deploys `main` and reviews `review/*`.
fn change(fake: &FakeAws, how: &str) {
    fake.change(|aws| {
        let project = aws.gitlab.project_mut(PROJECT);
        let tip = project.branches["main"].clone();
        match how {
            "sound" => {}
            "rule removed" | "rule of a group" | "not read" => {
                project.protected = ["review/*".to_owned(), "stable".to_owned()].into();
            }
            "renamed" => {
                project.protected = ["review/*".to_owned(), "trunk".to_owned()].into();
                project.branches = [("trunk".to_owned(), tip)].into();
                "trunk".clone_into(&mut project.default_branch);
            }
            "emptied" => project.branches.clear(),
            "no rule for reviews" => drop(project.protected.remove("review/*")),
            "after a hundred others" => {
                project.protected = ["*".to_owned()].into();
                "aaa/0".clone_into(&mut project.default_branch);
                let others = (0..OTHERS).map(|number| (format!("aaa/{number}"), tip.clone()));
                project.branches.extend(others);
            }
            _ => panic!("{how}"),
        }
    });
    if how == "rule of a group" {
        fake.protect_by_group(PROJECT, &["main"]);
    }
    if how == "after a hundred others" {
        for number in 0..OTHERS {
            fake.push(REPOSITORY, &format!("aaa/{number}"), "c1");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn branch_that_a_pipeline_needs_is_looked_up() {
    let mut shown = vec![];
    for how in [
        "sound",
        "rule removed",
        "rule of a group",
        "renamed",
        "not read",
        "emptied",
        "no rule for reviews",
        "after a hundred others",
    ] {
        let review = json!({"Review": {"Branches": "review/*"}});
        let (fake, _) = project_world_with(review, &["main", "review/*"]).await;
        change(&fake, how);
        if how == "not read" {
            fake.break_from_now(On::Operation("GitLab.GetBranch"), FaultKind::Denied);
        }
        if !["renamed", "emptied"].contains(&how) {
            push_without_mirroring(&fake, "main", "c2");
            tokio::time::sleep(Duration::from_secs(7230)).await;
        }
        let looked = look(&fake).await;
        let is_healthy = looked.is_healthy(PROJECT);
        let lags = looked.value("MirrorLagSeconds", PROJECT) > 900.0;
        let doctor = problem_of(&fake, "the mirror of project").await;
        let unhealthy = looked.unhealthy();
        let (_, found) = unhealthy.split_once(": ").unwrap_or_default();
        assert!(found.is_empty() || found == doctor, "{found}");
        shown.push(format!(
            "{how}: healthy {is_healthy}, lags {lags}. {doctor}"
        ));
    }
    expect![[r#"
        sound: healthy true, lags true. CodeCommit has lacked a commit, or its latest push has not succeeded, for 120 minutes (100 at https://gitlab.example.com): the last push that succeeded ended at <time>. Press the mirror's update button in the project's Settings, Repository, Mirroring repositories, and read there why it fails
        rule removed: healthy false, lags false. branch main of project platform/infra, which pipeline codepipeline-dev-cfn-infra deploys, is not protected, so GitLab does not mirror it. Protect it in the project itself (Settings, Repository, Protected branches): a group's protection does not count. Or set OnlyProtectedBranches to false. Then press the mirror's update button
        rule of a group: healthy false, lags false. branch main of project platform/infra, which pipeline codepipeline-dev-cfn-infra deploys, is not protected, so GitLab does not mirror it. Protect it in the project itself (Settings, Repository, Protected branches): a group's protection does not count. Or set OnlyProtectedBranches to false. Then press the mirror's update button
        renamed: healthy false, lags false. project platform/infra has no branch main, which pipeline codepipeline-dev-cfn-infra deploys. Set BranchMap (in the templates: BranchName) to the branch that is deployed now, and protect that one. Or push the former branch again
        not read: healthy false, lags false. looking up branch main of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Give the token's user this right in the project, or switch on this part of the project
        emptied: healthy true, lags false. 
        no rule for reviews: healthy false, lags true. branch review/* of project platform/infra, which pipeline codepipeline-dev-cfn-infra reviews, is not protected, so GitLab does not mirror it. Protect it in the project itself (Settings, Repository, Protected branches): a group's protection does not count. Or set OnlyProtectedBranches to false. Then press the mirror's update button
        after a hundred others: healthy true, lags true. CodeCommit has lacked a commit, or its latest push has not succeeded, for 120 minutes (100 at https://gitlab.example.com): the last push that succeeded ended at <time>. Press the mirror's update button in the project's Settings, Repository, Mirroring repositories, and read there why it fails"#]].assert_eq(&shown.join("\n"));
}
