//! The branches of a mirror, compared on both sides.

use std::time::Duration;

use crate::fixture::{Looked, PROJECT, REPOSITORY, diagnosed, fake, look};
use fake_aws::{FakeAws, FaultKind, On, gitlab};

/// A push to GitLab of which no mirror begins a run.
fn push_without_mirroring(fake: &FakeAws, branch: &str, commit: &str) {
    fake.change(|aws| {
        let now = aws.now;
        let project = aws.gitlab.project_mut(PROJECT);
        gitlab::history::record(project, branch, commit, now);
        project
            .branches
            .insert(branch.to_owned(), commit.to_owned());
        project.commits.insert(commit.to_owned());
    });
}

/// A push that the mirror has copied to CodeCommit.
async fn push(fake: &FakeAws, commit: &str) {
    fake.push_to_gitlab(PROJECT, "main", commit);
    tokio::time::sleep(Duration::from_mins(5)).await;
}

fn lag(looked: &Looked) -> f64 {
    looked.value("MirrorLagSeconds", PROJECT)
}

fn foreign(looked: &Looked) -> f64 {
    assert!(!looked.has_failed(), "{}", looked.summary);
    looked.value("ForeignTips", PROJECT)
}

fn is_about(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 30.0
}

#[tokio::test(start_paused = true)]
async fn push_that_gitlab_never_began_has_a_lag() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    tokio::time::sleep(Duration::from_hours(30)).await;
    push_without_mirroring(&fake, "main", "c2");
    tokio::time::sleep(Duration::from_mins(20)).await;
    let looked = look(&fake).await;
    assert!(is_about(lag(&looked), 1200.0), "{}", lag(&looked));
    assert!(foreign(&looked) < 0.5);
    assert!((looked.value("MirrorHealthy", PROJECT) - 1.0).abs() < 1e-9);
    // Without its event, the time of the commit counts.
    fake.change(|aws| {
        aws.gitlab
            .project_mut(PROJECT)
            .records
            .history
            .events
            .clear();
    });
    assert!(is_about(lag(&look(&fake).await), 1200.0));
    fake.push_to_gitlab(PROJECT, "main", "c3");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(is_about(lag(&look(&fake).await), 0.0));
}

#[tokio::test(start_paused = true)]
async fn old_commit_counts_from_its_push() {
    let (fake, _) = fake().await;
    push_without_mirroring(&fake, "topic", "old");
    tokio::time::sleep(Duration::from_hours(100)).await;
    // Its ancestor is the tip of the branch, so the branch is fast-forwarded.
    push_without_mirroring(&fake, "main", "old");
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(is_about(lag(&look(&fake).await), 120.0));
}

#[tokio::test(start_paused = true)]
async fn commit_that_the_mirror_did_not_push_is_foreign() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    // GitLab has the second one in another branch.
    push_without_mirroring(&fake, "topic", "c2");
    for commit in ["unknown", "c2"] {
        fake.push(REPOSITORY, "main", commit);
        let looked = look(&fake).await;
        assert!((foreign(&looked) - 1.0).abs() < 1e-9, "{commit}");
        let texts = looked.texts("Unhealthy").join("\n");
        assert!(
            texts.contains("branch main") && texts.contains(commit),
            "{texts}"
        );
        let checks = diagnosed(&fake).await;
        let problems: Vec<_> = checks.iter().filter(|(_, found)| found.is_some()).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    // The next push replaces it.
    push(&fake, "c3").await;
    assert!(foreign(&look(&fake).await) < 0.5);
}

#[tokio::test(start_paused = true)]
async fn rewound_branch_lags_and_is_not_foreign() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    push(&fake, "c2").await;
    push_without_mirroring(&fake, "main", "c1");
    for waited in [
        Duration::ZERO,
        Duration::from_mins(20),
        Duration::from_hours(720),
    ] {
        tokio::time::sleep(waited).await;
        let looked = look(&fake).await;
        assert!(foreign(&looked) < 0.5, "{waited:?}");
        assert!(lag(&looked) >= waited.as_secs_f64() - 1.0);
    }
    // A branch that GitLab deleted stays in CodeCommit, and proves nothing.
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).branches.remove("main"));
    let looked = look(&fake).await;
    assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
}

#[tokio::test(start_paused = true)]
async fn event_that_comes_late_is_read_by_the_second_look() {
    let (fake, _) = fake().await;
    push(&fake, "c1").await;
    push(&fake, "c2").await;
    push_without_mirroring(&fake, "main", "c1");
    let events = |aws: &mut fake_aws::AwsState| {
        std::mem::take(&mut aws.gitlab.project_mut(PROJECT).records.history.events)
    };
    let late = fake.change(events);
    let later = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        fake.change(|aws| aws.gitlab.project_mut(PROJECT).records.history.events = late);
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
    let journal = fake.journal();
    let calls = journal[before..]
        .iter()
        .map(|entry| entry.operation.as_str());
    let about_branches = calls.filter(|operation| {
        ["Branch", "Mirror", "MergeBase", "Event"]
            .iter()
            .any(|part| operation.contains(part))
    });
    let expected = [
        "GitLab.GetMirror",
        "GitLab.ListProtectedBranches",
        "GitLab.ListBranches",
        "GetBranch",
    ];
    assert_eq!(about_branches.collect::<Vec<_>>(), expected);
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
            let what = format!("{operation} {kind:?}");
            assert!(
                looked.texts("Unhealthy").is_empty(),
                "{what}: {}",
                looked.summary
            );
            assert!(looked.values("ForeignTips", PROJECT).is_empty(), "{what}");
            assert!(
                (looked.value("MirrorHealthy", PROJECT) - 1.0).abs() < 1e-9,
                "{what}"
            );
        }
    }
}
