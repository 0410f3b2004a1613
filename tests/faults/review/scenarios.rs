//! One event of each kind, and its expected result.

use serde_json::{Value, json};

use crate::account::PARAMETER;
use crate::checks::{Others, check_harmless, check_note, own_notes};
use crate::fixture::{
    CHILD, DEPLOYED, LOGIN, NOTE_TEXT, Output, STACK, changed, check_health, deliver, push,
    records, succeed, uuid,
};
use fake_aws::FakeAws;
use fake_aws::gitlab::records::Status as CommitStatus;
use fake_aws::stacks::Finding;

/// The commit of the review branch.
pub const COMMIT: &str = "2b3c4d5e00000002";

/// The event that begins a scenario.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// The end of a build.
    Build { build: String, event: Value },
    /// A health check.
    HealthCheck,
}

use Shown::{Note, Repaired, Status};

/// The expected result.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A note with this text.
    Note(&'static str),
    /// The commit status of the drift, in this state and with this text.
    Status(&'static str, &'static str),
    /// Nothing. The pipeline's stack is as in its template again.
    Repaired,
}

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    prepare: fn(&FakeAws) -> Trigger,
    pub shown: Shown,
}

fn scenario(name: &'static str, prepare: fn(&FakeAws) -> Trigger, shown: Shown) -> Scenario {
    Scenario {
        name,
        prepare,
        shown,
    }
}

/// One of each kind.
pub fn scenarios() -> Vec<Scenario> {
    vec![
        scenario(
            "changed template",
            |fake| review(fake, changed()),
            Note(NOTE_TEXT),
        ),
        scenario("failed build", failed_build, Note("phase `FAILED`")),
        scenario("blocked template", blocked, Note("it has a transform")),
        scenario("missing stack", missing_stack, Note("does not exist yet")),
        scenario(
            "rejected change set",
            rejected,
            Note("CloudFormation rejects"),
        ),
        scenario(
            "failed change set",
            failed_change_set,
            Note("`The following hook(s) failed: [Private::Guard::Hook]`"),
        ),
        scenario("failed hook", change_set_with_a_failed_hook, Note(HOOKED)),
        scenario(
            "invalid change set",
            |fake| invalid_change_set(fake, "extraneous key [Delay] is not permitted"),
            Note("Orders (AWS::SQS::Queue) /Resources/Orders/Properties: extraneous key [Delay]"),
        ),
        scenario(
            "invalid value",
            |fake| invalid_change_set(fake, &format!("{PARAMETER} is not an allowed value")),
            Note("Orders (AWS::SQS::Queue) /Resources/Orders/Properties: the reason is not shown"),
        ),
        scenario(
            "drift of the deployed stack",
            drift,
            Status("failed", "Orders"),
        ),
        scenario("drift of the pipeline's stack", drift_of_child, Repaired),
        scenario(
            "unpackaged template",
            unpackaged,
            Note("names local files in `Child.TemplateURL`"),
        ),
        scenario(
            "unreadable template",
            |fake| review(fake, json!("Resources: [")),
            Note("not valid YAML (line 2, column 1)"),
        ),
        scenario(
            "unreadable configuration",
            |fake| review_of(fake, &configured(Some("{"))),
            Note("not JSON (line 1, column 1)"),
        ),
        scenario(
            "missing configuration",
            |fake| review_of(fake, &configured(None)),
            Note("stored no `dev.json`"),
        ),
    ]
}

fn review(fake: &FakeAws, template: Value) -> Trigger {
    review_of(fake, &Output::of(template))
}

fn review_of(fake: &FakeAws, output: &Output) -> Trigger {
    let build = push(fake, LOGIN, COMMIT);
    let event = succeed(fake, &build, output);
    Trigger::Build { build, event }
}

/// The output with this file as the template configuration.
pub fn configured(text: Option<&str>) -> Output {
    Output {
        configuration: text.map(|text| json!(text)),
        ..Output::of(changed())
    }
}

fn failed_build(fake: &FakeAws) -> Trigger {
    let build = push(fake, LOGIN, COMMIT);
    let event = fake.end_build(&build, "FAILED");
    Trigger::Build { build, event }
}

fn blocked(fake: &FakeAws) -> Trigger {
    let mut template = changed();
    template["Transform"] = json!("AWS::Serverless-2016-10-31");
    review(fake, template)
}

fn unpackaged(fake: &FakeAws) -> Trigger {
    let mut template = changed();
    let properties = json!({"TemplateURL": "./child.yaml"});
    let child = json!({"Type": "AWS::CloudFormation::Stack", "Properties": properties});
    template["Resources"]["Child"] = child;
    review(fake, template)
}

pub fn missing_stack(fake: &FakeAws) -> Trigger {
    fake.arrange(|aws| {
        aws.stacks.all.retain(|_, stack| stack.name != STACK);
        for name in ["changeset-dev-shop", "persons-own"] {
            let key = (STACK.to_owned(), name.to_owned());
            aws.stacks.change_sets.remove(&key);
        }
    });
    review(fake, changed())
}

fn rejected(fake: &FakeAws) -> Trigger {
    let mut template = changed();
    // The configuration has it, and the template does not.
    template["Parameters"] = json!({"Key": {"Type": "String", "NoEcho": true}});
    review(fake, template)
}

/// The message is hidden.
const HOOKED: &str =
    "[Private::Guard::Hook]: Orders (AWS::SQS::Queue): Hook failed with message: …";

const HOOK: &str = "The following hook(s) failed: [Private::Guard::Hook]";

/// Each change set that a delivery may create.
fn failed_change_set(fake: &FakeAws) -> Trigger {
    for _ in 0..9 {
        fake.fail_next_change_set(STACK, HOOK);
    }
    review(fake, changed())
}

/// CloudFormation's own reason has only the name of the validation.
fn invalid_change_set(fake: &FakeAws, reason: &str) -> Trigger {
    let finding = Finding {
        logical_id: "Orders".to_owned(),
        kind: "AWS::SQS::Queue".to_owned(),
        reason: reason.to_owned(),
        fails: true,
        hook: None,
    };
    fake.invalidate_change_sets(STACK, finding);
    review(fake, changed())
}

/// The message may quote a value of the template, which no person has approved.
fn change_set_with_a_failed_hook(fake: &FakeAws) -> Trigger {
    let finding = Finding {
        logical_id: "Orders".to_owned(),
        kind: "AWS::SQS::Queue".to_owned(),
        reason: format!("Hook failed with message: {PARAMETER} is not encrypted"),
        fails: true,
        hook: Some("Private::Guard::Hook"),
    };
    fake.change(|aws| aws.stacks.change_sets.invalid.push(finding));
    failed_change_set(fake)
}

fn drift(fake: &FakeAws) -> Trigger {
    fake.drift(STACK, "Orders", "MODIFIED");
    Trigger::HealthCheck
}

fn drift_of_child(fake: &FakeAws) -> Trigger {
    fake.drift(CHILD, "ReviewRule", "MODIFIED");
    fake.drift(CHILD, "ReviewLogGroup", "DELETED");
    Trigger::HealthCheck
}

impl Scenario {
    /// Arranges the scenario. Others' resources are read afterwards.
    pub fn begin(&self, fake: &FakeAws) -> (Trigger, Others) {
        let trigger = (self.prepare)(fake);
        let others = Others::of(fake);
        // The repair executes a change set, which deletes all others of the stack.
        let others = match self.shown {
            Repaired => others.without_change_sets_of(CHILD),
            _ => others,
        };
        (trigger, others)
    }

    /// Fails unless GitLab shows the end, and nothing else was changed.
    pub fn check(&self, fake: &FakeAws, trigger: &Trigger, others: &Others) {
        check_harmless(fake, others);
        match (self.shown, trigger) {
            (Note(text), Trigger::Build { build, .. }) => {
                check_note(fake, LOGIN.1, build, text);
                check_review_status(fake, build);
            }
            (Status(state, text), _) => check_status(fake, state, text),
            _ => {
                fake.look(|aws| {
                    let child = aws.stacks.named(CHILD).expect("the pipeline's stack");
                    let (drifts, status) = (&child.drifts, child.status);
                    let is_repaired = drifts.is_empty() && status == "UPDATE_COMPLETE";
                    assert!(is_repaired, "{drifts:?} {status}");
                });
                check_status(fake, "success", "as in its template");
                assert_eq!(own_notes(fake, LOGIN.1), Vec::<String>::new());
            }
        }
    }
}

impl Trigger {
    /// Delivers it as Lambda does.
    pub async fn deliver(&self, fake: &FakeAws, name: &str) {
        match self {
            Trigger::Build { event, .. } => deliver(fake, event, name).await,
            Trigger::HealthCheck => check_health(fake, name).await,
        }
    }
}

/// Fails unless the commit has one status of the review, with the same result as the note.
pub fn check_review_status(fake: &FakeAws, build: &str) {
    let records = records(fake);
    let shown = records.current(COMMIT, "cfn-gitops/dev/shop/review");
    assert_eq!(shown.len(), 1, "{shown:?}");
    let (status, note) = (shown[0], &own_notes(fake, LOGIN.1)[0]);
    let has_failed = [
        "failed**",
        "CloudFormation rejects",
        "stored no",
        "no value",
        "is not a template",
    ];
    let has_failed = has_failed.iter().any(|text| note.contains(text));
    let state = if has_failed { "failed" } else { "success" };
    assert_eq!(status.state, state, "{note} {status:?}");
    assert!(status.target_url.contains(uuid(build)), "{status:?}");
    assert!(!status.description.contains(['`', '*']), "{status:?}");
}

/// Fails unless the deployed commit has one status of its stack's drift.
pub fn check_status(fake: &FakeAws, state: &str, text: &str) {
    let records = records(fake);
    let shown = records.current(DEPLOYED, "cfn-gitops/dev/shop/drift");
    let is_right = |one: &CommitStatus| one.state == state && one.description.contains(text);
    assert!(shown.len() == 1 && is_right(shown[0]), "{shown:?}");
}
