//! Changes by other people and services, by the names that stories use.

use serde_json::Value;

use crate::fixture::{BRANCH, GIVEN, REPOSITORY, RULE, change_repository};
use fake_aws::{FakeAws, ResourceAction};

/// Applies the change of this name, or makes CloudFormation fail at a resource: `{create of:
/// EventRule, fails: no such role, times: 1}`.
///
/// # Panics
/// If there is none.
pub fn apply(fake: &FakeAws, change: &Value) {
    let failing = [
        ("create of", ResourceAction::Create),
        ("update of", ResourceAction::Update),
    ];
    for (what, action) in failing {
        if let Some(logical_id) = change[what].as_str() {
            let reason = change["fails"].as_str().expect("a reason");
            let times = change["times"].as_u64().unwrap_or(u64::from(u32::MAX));
            let times = usize::try_from(times).expect("few");
            return fake.fail_resource(logical_id, action, reason, times);
        }
    }
    match change.as_str().unwrap_or_default() {
        "a commit in the given repository" => drop(fake.push(GIVEN, BRANCH, "commit-of-old")),
        "a retained repository" => leave_repository(fake),
        "a foreign repository of the name" => fake.repository(REPOSITORY),
        "a repository in another account" => fake.repository_in_other_account(REPOSITORY),
        "a commit in another account" => {
            fake.repository_in_other_account(REPOSITORY);
            fake.push_in_other_account(REPOSITORY, BRANCH, "commit-of-old");
        }
        "a repository of another child stack" => {
            leave_repository(fake);
            change_repository(fake, |held| {
                held.stack_id = None;
                let tag = ("cfn-gitops:stack-name", "gitops-dev-other");
                held.tags.insert(tag.0.to_owned(), tag.1.to_owned());
            });
        }
        "a foreign approval rule template" => fake.arrange(|aws| {
            let templates = &mut aws.codecommit.rule_templates;
            let theirs = templates["approval-dev-cfn-other"].clone();
            templates.insert(RULE.to_owned(), theirs);
        }),
        "names of prd are denied" => fake.deny("*", "gitops-prd-"),
        _ => panic!("no change is called {change}"),
    }
}

/// A repository that an earlier child stack left behind.
fn leave_repository(fake: &FakeAws) {
    fake.repository(REPOSITORY);
    change_repository(fake, |held| {
        // An earlier stack's, not a foreign one.
        held.stack_id = Some("an earlier child stack".to_owned());
        let tag = ("cfn-gitops:stack-name", "gitops-dev-shop");
        held.tags.insert(tag.0.to_owned(), tag.1.to_owned());
        held.push(BRANCH, "commit-of-old");
    });
}
