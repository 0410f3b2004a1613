//! An environment that is too large for one health check: the next checks reach the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::fixture::{
    USER, diagnose, empty_world, look_as, look_by_schedule, mirrored, owner, pipeline, tags,
};
use fake_aws::FakeAws;

const STACKS: usize = 36;
const ORPHANS: usize = 3;
const INTERVAL: Duration = Duration::from_mins(15);

/// Enough for about 28 stacks.
const LONG: Duration = Duration::from_secs(10);

/// Enough for about 12 stacks.
const SHORT: Duration = Duration::from_secs(4);

/// An account with a mirror, two pipelines, and more stacks than one check reaches.
async fn large() -> FakeAws {
    let fake = empty_world();
    fake.options(|options| {
        options.page_length = None;
        options.resource_status = Some("");
    });
    mirrored(&fake, USER, "platform/infra", "codecommit-dev-cfn-infra").await;
    pipeline(&fake, "codepipeline-dev-cfn-good", &["Succeeded"]);
    pipeline(&fake, "codepipeline-dev-cfn-bad", &["Failed"]);
    let owner = owner(&fake, "owner");
    for number in 0..STACKS {
        let is_orphan = number % (STACKS / ORPHANS) == 1;
        let owner = if is_orphan { "gone" } else { &owner };
        let name = format!("gitops-dev-p{number:03}");
        fake.stack(&name, "CREATE_COMPLETE", &tags(owner));
    }
    fake
}

#[tokio::test(start_paused = true)]
async fn consecutive_checks_reach_all() {
    for (time, checks) in [(LONG, 2), (SHORT, 5)] {
        let fake = large().await;
        let mut orphans = BTreeSet::new();
        for _ in 0..checks {
            let before = fake.count("DescribeStacks");
            let looked = look_by_schedule(&fake, INTERVAL, time).await;
            assert!(fake.count("DescribeStacks") - before < STACKS);
            // Of the other kinds, each check reaches all.
            let checked = &looked.summary["Checked"];
            assert_eq!(
                (&checked["mirrors"], &checked["credentials"]),
                (&json!(1), &json!(1))
            );
            let unhealthy = looked.texts("Unhealthy").into_iter();
            let found: Vec<_> =
                unhealthy.filter(|text| text.contains("without an owner")).collect();
            let counted = looked.value("OrphanedPipelineStacks", "");
            assert_eq!(counted.to_string(), found.len().to_string());
            orphans.extend(found);
            tokio::time::sleep(INTERVAL).await;
        }
        assert_eq!(orphans.len(), ORPHANS, "{orphans:?}");
        assert_eq!(fake.count("Invoke"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn check_fails_if_those_of_an_hour_do_not_reach_all() {
    let fake = large().await;
    let mut shown = vec![];
    for (interval, time) in [(15, LONG), (15, SHORT), (30, LONG)] {
        let looked = look_by_schedule(&fake, Duration::from_mins(interval), time).await;
        let left = looked.texts("NotChecked");
        shown.extend(left.iter().map(|text| format!("{interval} minutes, {time:?}: {text}")));
        assert_eq!(looked.has_failed(), !left.is_empty());
    }
    expect![[r#"
        15 minutes, 4s: there was no time to check 26 of 38 projects. Divide the environment
        30 minutes, 10s: there was no time to check 8 of 38 projects. Set HealthCheckMinutes to 15, or divide the environment"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn requested_check_fails_if_it_does_not_reach_all() {
    let fake = large().await;
    let looked = look_as(&fake, "requested", LONG).await;
    assert!(looked.has_failed());
    let looked = look_as(&fake, "requested again", LONG * 2).await;
    assert!(!looked.has_failed());
}

#[tokio::test(start_paused = true)]
async fn diagnosis_of_many_is_complete_or_says_that_it_is_not() {
    let fake = large().await;
    for (time, is_complete) in [(LONG * 2, true), (LONG, false)] {
        let found = diagnose(&fake, time).await;
        let checks = found["Checks"].as_array().expect("a list");
        // With the function, the credential and two pipelines.
        assert_eq!(checks.len() == STACKS + 4, is_complete, "{found}");
        let why = found["NotChecked"][0]["Problem"].as_str();
        assert_eq!(why.is_none(), is_complete, "{found}");
        assert!(why.is_none_or(|why| why.contains("no time")));
    }
    assert_eq!(fake.count("Invoke"), 0);
}
