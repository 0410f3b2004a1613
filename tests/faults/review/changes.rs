//! Changes by other people and services, by the names that stories use.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::is_of_function;
use crate::fixture::{CHILD, LOGIN, PIPELINE, PROJECT, STACK, changed, uuid};
use crate::steps::MergeRequest;
use fake_aws::stacks::Finding;
use fake_aws::{FakeAws, FaultKind, On};
use test_support::child_settings::set_child_settings;

/// The longest operation on a stack.
const TAKES: Duration = Duration::from_secs(30);

/// The merge requests of a fork, and into another branch.
pub const FORK: u64 = 6;
pub const ELSEWHERE: u64 = 7;

/// Each change set that the deliveries of a story may create.
const EACH_CHANGE_SET: usize = 9;

pub fn change_merge_request(fake: &FakeAws, change: &MergeRequest) {
    let (_, iid) = change.branch.name();
    match change.state.as_deref() {
        None => {}
        Some("closed") => fake.set_merge_request_state(PROJECT, iid, "closed"),
        Some("opened") => fake.set_merge_request_state(PROJECT, iid, "opened"),
        Some(other) => panic!("no merge request is {other}"),
    }
    fake.describe_merge_request(PROJECT, iid, |one| {
        if let Some(head) = &change.head {
            one.head.clone_from(head);
        }
        one.commits_behind = change.behind.unwrap_or(one.commits_behind);
    });
}

/// Applies the change of this name, such as `the deployed stack is deleted`, or the one with a
/// subject, such as `{denied: DescribeChangeSet}`.
///
/// # Panics
/// If there is none.
pub fn apply(fake: &FakeAws, change: &Value) {
    if let Value::Object(members) = change {
        let (name, value) = members.iter().next().expect("a change");
        let text = value.as_str().unwrap_or_default();
        return match name.as_str() {
            "drift" => drift(fake, value),
            "denied" => fake.deny(&format!("cloudformation:{text}"), ""),
            "change sets fail" => fail_change_sets(fake, text),
            "a hook fails" => {
                fail_change_sets(fake, "The following hook(s) failed: [Private::Guard::Hook]");
                let finding = finding(text, Some("Private::Guard::Hook"));
                fake.change(|aws| aws.stacks.change_sets.invalid.push(finding));
            }
            "change sets are invalid" => fake.invalidate_change_sets(STACK, finding(text, None)),
            "Report.Notes" => set_notes(fake, value == true),
            "a person deploys again" => deploy_again(fake, text),
            "conflicts of statuses" => {
                let number = usize::try_from(value.as_u64().expect("a number")).expect("few");
                fake.change(|aws| aws.gitlab.status_conflicts = number);
            }
            "disabled" => set_state(fake, text, "DISABLED"),
            "enabled" => set_state(fake, text, "ENABLED"),
            "pipelines may only" => restrict(fake, text),
            _ => panic!("no change is called {change}"),
        };
    }
    match change.as_str().unwrap_or_default() {
        "the deployed stack is deleted" => delete_stack(fake),
        "the branch was deployed" => fake.deploy(STACK, &changed(), TAKES),
        "an operation on the deployed stack" => fake.keep_stack_busy(STACK, TAKES),
        "the public can read the project" => {
            fake.arrange(|aws| aws.gitlab.project_mut(PROJECT).records.is_public = true);
        }
        "posting a status fails" => {
            let posts = On::Operation("GitLab.PostStatus");
            fake.break_from_now(posts, FaultKind::InternalError500);
        }
        "nothing fails" => fake.mend(),
        "the builds run" => fake.change(|aws| {
            for build in aws.builds.values_mut() {
                (build.status, build.ended) = ("IN_PROGRESS", None);
            }
        }),
        "a person starts the builds" => fake.change(|aws| {
            for build in aws.builds.values_mut() {
                "c1".clone_into(&mut build.source_version);
            }
        }),
        "a killed delivery left a change set" => leave_change_set(fake),
        "merge requests of a fork and into another branch" => open_others(fake),
        "another project takes the path" => drop(fake.pass_path(PROJECT, "platform/moved")),
        "nothing is denied" => fake.allow(),
        _ => panic!("no change is called {change}"),
    }
}

/// Resources of the deployed stack that are no longer as in its template.
fn drift(fake: &FakeAws, resources: &Value) {
    for (logical_id, status) in resources.as_object().expect("resources") {
        assert_eq!(status, "MODIFIED", "no other drift is known");
        fake.drift(STACK, logical_id, "MODIFIED");
    }
}

fn fail_change_sets(fake: &FakeAws, reason: &str) {
    for _ in 0..EACH_CHANGE_SET {
        fake.fail_next_change_set(STACK, reason);
    }
}

fn finding(reason: &str, hook: Option<&'static str>) -> Finding {
    Finding {
        logical_id: "Orders".to_owned(),
        kind: "AWS::SQS::Queue".to_owned(),
        reason: reason.to_owned(),
        fails: true,
        hook,
    }
}

/// `Report.Notes`
fn set_notes(fake: &FakeAws, are_wanted: bool) {
    fake.arrange(|aws| {
        let set = |settings: &mut Value| settings["Report"]["Notes"] = are_wanted.into();
        set_child_settings(aws, CHILD, set);
    });
}

/// A person deploys the commit again after a later one. The execution has this status.
fn deploy_again(fake: &FakeAws, status: &str) {
    let known = ["Succeeded", "Stopped", "InProgress"];
    let found = known.into_iter().find(|known| *known == status);
    let status = found.unwrap_or_else(|| panic!("no execution is {status}"));
    fake.change(|aws| {
        let executions = &mut aws.pipelines.get_mut(PIPELINE).expect("a pipeline").executions;
        let mut bad = executions[0].clone();
        (bad.id, bad.revision) = ("bad".to_owned(), Some("bad".to_owned()));
        let mut undo = executions[0].clone();
        (undo.id, undo.status) = ("undo".to_owned(), status);
        undo.start_by("arn:aws:sts::123456789012:assumed-role/Administrator/jane");
        executions.extend([bad, undo]);
        let project = aws.gitlab.project_mut(PROJECT);
        project.commits.insert("bad".to_owned());
    });
}

/// A person disables or enables a part of the pipeline.
fn set_state(fake: &FakeAws, part: &str, state: &str) {
    assert_eq!(part, "the rule of review branches");
    fake.change(|aws| {
        let name = "event-rule-dev-codepipeline-exec-rev-shop".to_owned();
        let key = ("AWS::Events::Rule".to_owned(), name);
        aws.made.get_mut(&key).expect("a rule").properties["State"] = state.into();
    });
}

/// The only actions of the role that executes change sets.
fn restrict(fake: &FakeAws, action: &str) {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    let policy = json!({ "Statement": statement }).to_string();
    fake.arrange(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| iam.role_policies.attached = policy);
    });
}

/// A person deletes the deployed stack, and with it its change sets.
pub fn delete_stack(fake: &FakeAws) {
    fake.change(|aws| {
        aws.stacks.all.retain(|_, stack| stack.name != STACK);
        let change_sets = aws.stacks.change_sets.of(STACK);
        let keys: Vec<_> =
            change_sets.map(|one| (one.stack_name.clone(), one.name.clone())).collect();
        for key in keys {
            aws.stacks.change_sets.remove(&key);
        }
    });
}

/// One of each build, as the function names it.
fn leave_change_set(fake: &FakeAws) {
    let builds: Vec<String> = fake.look(|aws| aws.builds.keys().cloned().collect());
    for build in builds {
        let name = format!("plan-{}", uuid(&build));
        assert!(is_of_function(&name));
        fake.change_set(STACK, &name);
    }
}

/// Both have the branch and its newest commit.
pub fn open_others(fake: &FakeAws) {
    let (branch, iid) = LOGIN;
    let head = fake.look(|aws| {
        let details = &aws.gitlab.named(PROJECT).records.details;
        details[&iid].head.clone()
    });
    for iid in [FORK, ELSEWHERE] {
        fake.merge_request(PROJECT, iid, branch, &head, "opened");
    }
    fake.describe_merge_request(PROJECT, FORK, |one| one.is_from_fork = true);
    fake.describe_merge_request(PROJECT, ELSEWHERE, |one| {
        "master".clone_into(&mut one.target_branch);
    });
}
