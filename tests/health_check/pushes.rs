//! Pushes whose events were lost: the metrics and the summary of the check that finds them.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{
    Looked, PROJECT, REPOSITORY as MIRRORED, TOKEN, create_pipeline, diagnose, empty_world,
    fake as mirror, look_as, problem_of,
};
use fake_aws::{Execution, FakeAws, FaultKind, On};
use test_support::custom_resource::ParentStack;

const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const REPOSITORY: &str = "codecommit-dev-cfn-shop";
const BRANCH: &str = "機能/ログイン";
const EVENT_RULE: &str = "event-rule-dev-codepipeline-exec-cfn-shop";

fn properties() -> Value {
    json!({"EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": BRANCH}})
}

fn properties_with_gitlab() -> Value {
    let mut properties = properties();
    properties["GitLab"] = json!({
        "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": PROJECT,
    });
    properties
}

/// A pipeline that runs `tip`. GitLab's branch has `c1`.
async fn deployed(properties: &Value, tip: &str) -> (FakeAws, ParentStack) {
    let fake = empty_world();
    fake.gitlab_project(PROJECT, &["main"]);
    fake.gitlab_token(TOKEN);
    fake.push_to_gitlab(PROJECT, BRANCH, "c1");
    let stack = create_pipeline(&fake, properties).await;
    fake.push(REPOSITORY, BRANCH, tip);
    look_as(&fake, "first push", Duration::from_secs(300)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    (fake, stack)
}

/// A pipeline that has deployed `c1`, whose next push is lost.
async fn with_lost_push(properties: &Value) -> FakeAws {
    let (fake, _) = deployed(properties, "c1").await;
    fake.push_to_gitlab(PROJECT, BRANCH, "c2");
    fake.push_without_event(REPOSITORY, BRANCH, "c2");
    fake
}

/// A pipeline whose only execution, of `tip`, an update has canceled.
async fn with_canceled_execution(properties: &Value, tip: &str) -> FakeAws {
    let (fake, mut stack) = deployed(properties, tip).await;
    let mut changed = properties.clone();
    changed["Approval"] = json!({"CustomData": "Look"});
    stack.update(&changed, None).await.assert_success();
    tokio::time::sleep(Duration::from_secs(10)).await;
    fake
}

/// A health check that counts so many missed pushes, after which the pipeline has so many executions.
async fn look(fake: &FakeAws, missed: &[f64], executions: usize) -> Looked {
    let looked = look_as(fake, "health check", Duration::from_secs(300)).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    let context = &looked.summary;
    assert_eq!(looked.values("MissedPushes", PIPELINE), missed, "{context}");
    let found = fake.look(|aws| aws.pipelines[PIPELINE].executions.len());
    assert_eq!(found, executions, "{context}");
    looked
}

/// Changes the executions of the pipeline, the oldest of which is first.
fn change_executions(fake: &FakeAws, change: impl FnOnce(&mut Vec<Execution>)) {
    fake.change(|aws| {
        let pipeline = aws.pipelines.get_mut(PIPELINE);
        change(&mut pipeline.expect("the pipeline").executions);
    });
}

#[tokio::test(start_paused = true)]
async fn missed_push_is_started_and_counted() {
    let fake = with_lost_push(&properties()).await;
    let looked = look(&fake, &[1.0], 2).await;
    assert_eq!(looked.texts("Started"), [PIPELINE]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    look(&fake, &[], 2).await;
}

/// A key whose policy does not name the function's role.
#[tokio::test(start_paused = true)]
async fn branch_of_a_repository_with_a_denied_key_is_not_checked() {
    let fake = with_lost_push(&properties()).await;
    fake.arrange(|aws| {
        let held = aws.codecommit.repositories.get_mut(REPOSITORY);
        held.expect("the repository").key_error = Some("EncryptionKeyAccessDeniedException");
    });
    let found = diagnose(&fake, Duration::from_secs(300)).await;
    expect![[r#"
        [
          {
            "Code": "CFG-206",
            "Problem": "looking up branch 機能/ログイン of repository codecommit-dev-cfn-shop: EncryptionKeyAccessDeniedException: An encryption key could not be accessed",
            "Remedy": [
              "Allow the function's role kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey on the repository's key in the key's policy (kms:ViaService codecommit), and deny them in no policy"
            ]
          }
        ]"#]].assert_eq(&format!("{:#}", found["NotChecked"]));
    // `HealthCheckFailed` is 1.
    let looked = look_as(&fake, "health check", Duration::from_secs(300)).await;
    assert!(looked.has_failed(), "{}", looked.summary);
}

/// CodePipeline may return fewer executions than a hundred in a page.
#[tokio::test(start_paused = true)]
async fn missed_push_behind_a_page_of_rollbacks_is_started() {
    let fake = with_lost_push(&properties()).await;
    change_executions(&fake, |executions| {
        for id in ["rollback-1", "rollback-2"] {
            let mut rollback = executions[0].clone();
            (rollback.id, rollback.rolls_back) = (id.to_owned(), Some("failed".to_owned()));
            executions.push(rollback);
        }
    });
    look(&fake, &[1.0], 4).await;
}

#[tokio::test(start_paused = true)]
async fn missed_push_behind_a_failed_execution_is_started_once() {
    let fake = with_lost_push(&properties()).await;
    let fail_before_the_commit = |execution: &mut Execution| {
        (execution.status, execution.revision) = ("Failed", None);
    };
    // The push before the lost one.
    change_executions(&fake, |executions| {
        let mut failed = executions[0].clone();
        failed.id = "failed".to_owned();
        fail_before_the_commit(&mut failed);
        executions.push(failed);
    });
    look(&fake, &[1.0], 3).await;
    change_executions(&fake, |executions| {
        executions.last_mut().map(fail_before_the_commit).expect("it");
    });
    tokio::time::sleep(Duration::from_mins(15)).await;
    look(&fake, &[], 3).await;
}

/// A person deploys `c1` again.
fn undo(fake: &FakeAws) {
    change_executions(fake, |executions| {
        let mut undo = executions[0].clone();
        "undo".clone_into(&mut undo.id);
        undo.start_by("arn:aws:sts::123456789012:assumed-role/Administrator/jane");
        executions.push(undo);
    });
}

#[tokio::test(start_paused = true)]
async fn missed_push_after_an_undo_is_only_reported() {
    let fake = with_lost_push(&properties()).await;
    undo(&fake);
    // An earlier commit is deployed again, and not the one that is deployed.
    change_executions(&fake, |executions| {
        executions[1].revision = Some("c0".to_owned());
    });
    for _ in 0..2 {
        let looked = look(&fake, &[1.0], 2).await;
        assert!(looked.texts("Started").is_empty());
        tokio::time::sleep(Duration::from_mins(15)).await;
    }
    // The end of a freeze does not start it either, so it is not held.
    freeze(&fake);
    expect!["no execution has its latest commit c2, and none is started: a person started the newest execution with another commit. Deploy the latest commit: `aws codepipeline start-pipeline-execution --name codepipeline-dev-cfn-shop`. Or revert it in GitLab"].assert_eq(&problem_of(&fake, "branch").await);
    // The operator starts the latest commit.
    change_executions(&fake, |executions| {
        let mut started = executions[1].clone();
        (started.id, started.revision) = ("tip".to_owned(), Some("c2".to_owned()));
        executions.push(started);
    });
    look(&fake, &[], 3).await;
}

#[tokio::test(start_paused = true)]
async fn undo_of_an_executed_tip_is_not_reported() {
    let fake = with_lost_push(&properties()).await;
    look(&fake, &[1.0], 2).await;
    undo(&fake);
    look(&fake, &[], 3).await;
}

fn freeze(fake: &FakeAws) {
    set_rule(fake, "DISABLED");
}

fn set_rule(fake: &FakeAws, state: &str) {
    fake.change(|aws| {
        let key = ("AWS::Events::Rule".to_owned(), EVENT_RULE.to_owned());
        aws.made.get_mut(&key).expect("the rule").properties["State"] = json!(state);
    });
}

/// A new pipeline would run at once, and the update of its rule would end the freeze.
#[tokio::test(start_paused = true)]
async fn first_push_of_a_frozen_project_starts_nothing() {
    let fake = empty_world();
    let mut stack = create_pipeline(&fake, &properties()).await;
    freeze(&fake);
    fake.push_without_event(REPOSITORY, BRANCH, "c1");
    for serial in ["1", "2"] {
        let looked = look_as(&fake, "health check", Duration::from_secs(300)).await;
        assert!(looked.texts("Created").is_empty(), "{}", looked.summary);
        assert_eq!(looked.values("MissedPushes", PIPELINE), [1.0]);
        looked.assert_healthy();
        let mut changed = properties();
        changed["RenderingSerial"] = json!(serial);
        stack.update(&changed, None).await.assert_success();
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
    }
    let found = diagnose(&fake, Duration::from_secs(300)).await;
    let held = format!("held by the disabled event rule {EVENT_RULE}");
    let checks = found["Checks"].as_array().expect("a list");
    assert!(checks.iter().any(|it| it["Held"] == held), "{found}");
    set_rule(&fake, "ENABLED");
    let looked = look(&fake, &[], 1).await;
    assert_eq!(looked.texts("Created"), [PIPELINE]);
}

#[tokio::test(start_paused = true)]
async fn missed_push_of_a_frozen_environment_is_only_counted() {
    let lost = with_lost_push(&properties()).await;
    let canceled = with_canceled_execution(&properties(), "c1").await;
    for (fake, commit) in [(lost, "c2"), (canceled, "c1")] {
        freeze(&fake);
        for _ in 0..2 {
            let looked = look(&fake, &[1.0], 1).await;
            assert!(looked.texts("Started").is_empty());
        }
        let found = diagnose(&fake, Duration::from_secs(300)).await;
        let subject = format!("commit {commit} of branch {BRANCH} of pipeline {PIPELINE}");
        let held = json!({
            "Subject": subject, "Held": format!("held by the disabled event rule {EVENT_RULE}"),
            "Remedy": ["To end the freeze: ", ["cfn-gitops", "thaw", "shop", "--env", "dev"]],
        });
        let checks = found["Checks"].as_array().expect("a list");
        assert!(checks.contains(&held), "{found}");
        assert!(
            checks.iter().all(|it| it.get("Problem").is_none()),
            "{found}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tip_that_gitlab_does_not_contain_is_not_started() {
    let tip = "pushed-with-a-stolen-password";
    let canceled = with_canceled_execution(&properties_with_gitlab(), tip).await;
    let lost = with_lost_push(&properties_with_gitlab()).await;
    lost.push_without_event(REPOSITORY, BRANCH, tip);
    for fake in [&canceled, &lost] {
        let looked = look(fake, &[], 1).await;
        assert_eq!(looked.values("ForeignTips", PROJECT), [1.0]);
    }
    // The mirror's next push.
    lost.push_without_event(REPOSITORY, BRANCH, "c2");
    look(&lost, &[1.0], 2).await;
}

/// A rejection lasts until a person acts, so it must not switch the comparison off.
#[tokio::test(start_paused = true)]
async fn missed_push_is_started_if_gitlab_fails_and_not_if_it_rejects() {
    let (branch, events) = ("GitLab.GetBranch", "GitLab.ListEvents");
    let (started, reported) = (2, 1);
    let mut shown = vec![];
    for (operation, kind, tip, executions) in [
        (branch, FaultKind::Denied, "c2", reported),
        (branch, FaultKind::Throttled, "c2", started),
        (branch, FaultKind::InternalError500, "c2", started),
        (branch, FaultKind::RequestLost, "c2", started),
        (branch, FaultKind::RequestHangs, "c2", started),
        // GitLab has answered that the branch does not contain it.
        (events, FaultKind::InternalError500, "c3", reported),
        (events, FaultKind::Denied, "c3", reported),
    ] {
        let fake = with_lost_push(&properties_with_gitlab()).await;
        fake.push_without_event(REPOSITORY, BRANCH, tip);
        fake.break_from_now(On::Operation(operation), kind);
        let unhealthy = look(&fake, &[1.0], executions).await.texts("Unhealthy");
        shown.extend(unhealthy.iter().map(|text| format!("{operation} {kind:?}: {text}")));
    }
    expect![[r#"
        GitLab.GetBranch Denied: pipeline codepipeline-dev-cfn-shop: it does not run commit c2: looking up branch 機能/ログイン of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Give the token's user this right in the project, or switch on this part of the project
        GitLab.ListEvents InternalError500: pipeline codepipeline-dev-cfn-shop: it does not run commit c3: listing the pushes of project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page
        GitLab.ListEvents Denied: pipeline codepipeline-dev-cfn-shop: it does not run commit c3: listing the pushes of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Give the token's user this right in the project, or switch on this part of the project"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn slow_gitlab_delays_no_other_missed_push() {
    let mut properties = properties_with_gitlab();
    let fake = with_lost_push(&properties).await;
    for project in ["blog", "site"] {
        properties["ProjectID"] = json!(project);
        create_pipeline(&fake, &properties).await;
        fake.push(&format!("codecommit-dev-cfn-{project}"), BRANCH, "c1");
    }
    // It also starts the lost push of the first pipeline.
    look_as(&fake, "first push", Duration::from_secs(300)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    for project in ["blog", "shop", "site"] {
        let repository = format!("codecommit-dev-cfn-{project}");
        fake.push_without_event(&repository, BRANCH, "c3");
    }
    fake.break_from_now(On::Operation("GitLab.GetBranch"), FaultKind::RequestHangs);
    // The second look is after a minute, and GitLab may take 20 seconds.
    let looked = look_as(&fake, "health check", Duration::from_secs(100)).await;
    assert_eq!(looked.texts("Started").len(), 3, "{}", looked.summary);
}

/// Only the check of the mirror reads GitLab.
#[tokio::test(start_paused = true)]
async fn foreign_tip_of_a_pipeline_without_gitlab_is_not_started() {
    let (fake, _) = mirror().await;
    let mut properties = properties();
    properties["BranchMap"] = json!({"dev": "main"});
    properties["Source"] = json!({"RepositoryName": MIRRORED});
    fake.push_to_gitlab(PROJECT, "main", "c1");
    tokio::time::sleep(Duration::from_mins(5)).await;
    create_pipeline(&fake, &properties).await;
    look_as(&fake, "first push", Duration::from_secs(300)).await;
    fake.push_without_event(MIRRORED, "main", "pushed-with-a-stolen-password");
    let looked = look(&fake, &[], 1).await;
    assert_eq!(looked.values("ForeignTips", PROJECT), [1.0]);
    // The mirror's next push.
    fake.push_to_gitlab(PROJECT, "main", "c2");
    tokio::time::sleep(Duration::from_mins(5)).await;
    look(&fake, &[], 2).await;
}

#[tokio::test(start_paused = true)]
async fn canceled_execution_is_started_and_not_counted() {
    let fake = with_canceled_execution(&properties(), "c1").await;
    expect!["an update of the pipeline canceled the execution of its latest commit c1. Wait for the next health check, which starts one. It does not if the event rule is disabled, GitLab's branch does not contain the commit, or GitLab rejects the look-up"].assert_eq(&problem_of(&fake, "branch").await);
    let looked = look(&fake, &[], 2).await;
    assert!(looked.texts("Started").is_empty());
}
