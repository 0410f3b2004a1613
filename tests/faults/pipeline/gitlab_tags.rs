//! Pipelines whose change sets are approved by tags in GitLab: what a Create and an Update check.

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{CHILD, PARENT, changed, fake, in_account, paused, properties, stack, with};
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use fake_aws::{FakeAws, FaultKind, On, Options, redacted};
use test_support::custom_resource::asked;
use test_support::propagation::ExistenceChecks;

const PROJECT: &str = "platform/shop";

/// The properties of a pipeline that a tag approves.
fn tagged() -> Value {
    let gitlab = json!({
        "Url": "https://gitlab.example.com", "TokenSecretId": "gitlab/shop", "Project": PROJECT});
    let approving = json!({"FromGitLab": "true"});
    with(with(properties(), "GitLab", gitlab), "Approval", approving)
}

/// A project whose token is in a secret. Returns its number.
fn project(fake: &FakeAws) -> u64 {
    fake.gitlab_token("gitlab/shop");
    fake.gitlab_project(PROJECT, &["main"])
}

fn protect(fake: &FakeAws, names: &[&str]) {
    for name in names {
        fake.protect_tags(PROJECT, name, &[json!({"access_level": 40})]);
    }
}

/// A rule for all tags, which admits Developers too.
fn expose(fake: &FakeAws) {
    fake.protect_tags(PROJECT, "*", &[json!({"access_level": 30})]);
}

/// GitLab does not answer.
fn break_gitlab(fake: &FakeAws) {
    let operation = On::Operation("GitLab.GetProject");
    fake.break_from_now(operation, FaultKind::InternalError500);
}

/// The settings of approvals in the child stack.
fn stored(fake: &FakeAws) -> Value {
    output(fake, "Approvals")
}

/// The number of the project that the child stack stores.
fn stored_number(fake: &FakeAws) -> Value {
    output(fake, "Reporting")["ProjectNumber"].take()
}

fn output(fake: &FakeAws, name: &str) -> Value {
    fake.look(|aws| {
        let child = aws.stacks.named(CHILD).expect("a child stack");
        let output = child.outputs.get(name);
        output.map_or(Value::Null, |text| {
            serde_json::from_str(text).expect("JSON")
        })
    })
}

#[test]
fn create_needs_protected_tags_before_it_changes_anything() {
    in_account(async |fake, stack| {
        project(fake);
        protect(fake, &["deploy/*"]);
        let outcome = stack.create(&tagged()).await;
        expect!["Approval.FromGitLab: no protected tag matches reject/dev/shop/… in the project. Protect `reject/*` for Maintainers - CFG-102"].assert_eq(&redacted(outcome.reason()));
        assert!(fake.look(|aws| aws.stacks.named(CHILD).is_none()));
        protect(fake, &["reject/*"]);
        expose(fake);
        let outcome = stack.create(&tagged()).await;
        expect![[r#"Approval.FromGitLab: the protected tag "*" matches deploy/… and admits Developers. Remove that entry, or replace the rule by one that does not match `deploy/…` - CFG-102"#]].assert_eq(&redacted(outcome.reason()));
        fake.arrange(|aws| {
            let tags = &mut aws.gitlab.project_mut(PROJECT).records.tags;
            tags.protected.pop();
            tags.job_tokens_push = Some(true);
        });
        let outcome = stack.create(&tagged()).await;
        expect![[r#"Approval.FromGitLab: the project allows CI jobs to push, and they act as the users who started them. Reject requests that wait in AWS, then switch off "Allow Git push requests to the repository" in Settings > CI/CD > Job token permissions - CFG-102"#]].assert_eq(&redacted(outcome.reason()));
        switch_merge_requests_off(fake);
        let outcome = stack.create(&tagged()).await;
        expect!["Approval.FromGitLab: merge requests are switched off in the project, so GitLab does not show who wrote and merged a change. Reject requests that wait in AWS, then switch merge requests on in Settings, General, Visibility, project features, permissions - CFG-102"].assert_eq(&redacted(outcome.reason()));
        assert!(fake.look(|aws| aws.stacks.named(CHILD).is_none()));
    });
}

fn switch_merge_requests_off(fake: &FakeAws) {
    fake.change(|aws| {
        let records = &mut aws.gitlab.project_mut(PROJECT).records;
        records.switched_off.insert("merge_requests");
    });
}

#[test]
fn update_needs_merge_requests_before_it_changes_anything() {
    in_account(async |fake, stack| {
        project(fake);
        protect(fake, &["deploy/*", "reject/*"]);
        stack.create(&properties()).await.assert_success();
        switch_merge_requests_off(fake);
        let outcome = stack.update(&tagged(), None).await;
        outcome.assert_reason(["Approval.FromGitLab: merge requests are switched off"]);
        assert_eq!(stored(fake), Value::Null);
        // Nothing is left in the end.
        fake.arrange(|aws| aws.secrets.remove("gitlab/shop"));
    });
}

#[test]
fn number_of_the_project_is_stored_and_survives_an_outage() {
    in_account(async |fake, stack| {
        let number = project(fake);
        protect(fake, &["deploy/*", "reject/*"]);
        stack.create(&tagged()).await.assert_success();
        let expected = json!({"AllowAuthor": false});
        assert_eq!(stored(fake)["FromGitLab"], expected);
        assert_eq!(stored_number(fake), number);
        break_gitlab(fake);
        let updated = stack.update(&changed(tagged()), None).await;
        updated.assert_success();
        assert_eq!(stored(fake)["FromGitLab"], expected);
        assert_eq!(stored_number(fake), number);
        let mut other = tagged();
        other["GitLab"]["Project"] = json!("platform/other");
        let outcome = stack.update(&other, None).await;
        outcome.assert_reason(["looking up project"]);
        fake.mend();
        stack.update(&properties(), None).await.assert_success();
        assert_eq!(stored(fake), Value::Null);
        break_gitlab(fake);
        let outcome = stack.update(&tagged(), None).await;
        outcome.assert_reason(["looking up project"]);
        fake.mend();
        // Nothing is left in the end.
        fake.arrange(|aws| aws.secrets.remove("gitlab/shop"));
    });
}

/// The checks of the doctor that have a problem with the tags.
async fn diagnosis(fake: &FakeAws, name: &str, approvals: FunctionApprovals) -> String {
    let found = asked(fake, name, &json!({"Doctor": {"EnvID": "dev"}}), approvals).await;
    let checks = found["Checks"].as_array().expect("a list").iter();
    let of_tags = checks.filter(|check| check.to_string().contains("the tags that approve"));
    of_tags.map(|check| format!("{check:#}\n")).collect::<Vec<_>>().concat()
}

#[test]
fn doctor_names_a_rule_that_admits_others() {
    paused(async {
        // Without the invariants: the stack of the owner is foreign to them.
        let fake = &fake(Options::default());
        project(fake);
        protect(fake, &["deploy/*", "reject/*"]);
        stack(fake).create(&tagged()).await.assert_success();
        fake.stack("shop", "CREATE_COMPLETE", &[]);
        fake.arrange(|aws| {
            let owner = aws.stacks.named_mut("shop").expect("the owner's stack");
            PARENT.clone_into(&mut owner.id);
        });
        let by_gitlab = FunctionApprovals::GitLab;
        assert_eq!(diagnosis(fake, "healthy", by_gitlab).await, "");
        expose(fake);
        expect![[r#"
            {
              "Problem": "the tags that approve in GitLab: the protected tag \"*\" matches deploy/… and admits Developers",
              "Remedy": "Remove that entry, or replace the rule by one that does not match `deploy/…`",
              "Subject": "pipeline codepipeline-dev-cfn-shop in GitLab"
            }
        "#]].assert_eq(&diagnosis(fake, "exposed", by_gitlab).await);
        for approvals in [FunctionApprovals::Denied, FunctionApprovals::NoChanges] {
            let found = diagnosis(fake, &format!("{approvals:?}"), approvals).await;
            assert_eq!(found, "", "{approvals:?}");
        }
        switch_merge_requests_off(fake);
        expect![[r#"
            {
              "Problem": "the tags that approve in GitLab: merge requests are switched off in the project, so GitLab does not show who wrote and merged a change",
              "Remedy": "Reject requests that wait in AWS, then switch merge requests on in Settings, General, Visibility, project features, permissions",
              "Subject": "pipeline codepipeline-dev-cfn-shop in GitLab"
            }
        "#]].assert_eq(&diagnosis(fake, "without merge requests", by_gitlab).await);
    });
}

const NEW_TOKEN: ExistenceChecks = ExistenceChecks {
    account: |options| {
        let fake = fake(options);
        project(&fake);
        protect(&fake, &["deploy/*", "reject/*"]);
        let stack = stack(&fake);
        (fake, stack)
    },
    wanted: tagged,
    calls: &["DescribeSecret", "GetSecretValue"],
};

#[test]
fn create_finds_a_token_that_was_stored_just_before() {
    NEW_TOKEN.create_waits_for_new_things();
    let schedules = NEW_TOKEN.create_waits_at_each_call();
    assert_eq!(schedules, 2);
    let mut missing = tagged();
    missing["GitLab"]["TokenSecretId"] = json!("gitlab/typo");
    let reason = "no such secret in this account and region";
    NEW_TOKEN.missing_fails_after_a_minute("Create", &missing, reason);
}
