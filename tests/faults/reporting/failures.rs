//! The failed resources of a deployment, in its status and its note.

use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, ResourceEvent};

use crate::account::PARAMETER;
use crate::checks::check;
use crate::fixture::{COMMITS, SHOP, catch_up, deliver_once, in_account, records};
use crate::scripts::{Script, Step, script_of};

use Step::{Approve, Source, Start, Wait};

const STACK: &str = "cfnstack-dev-shop";
const TABLE: &str = "AWS::DynamoDB::Table";
/// The reason that the script's error repeats.
const REASON: &str = "Table shop-orders already exists";

fn resource(logical_id: &'static str, kind: &'static str, reason: &'static str) -> ResourceEvent {
    ResourceEvent {
        logical_id,
        kind,
        status: "CREATE_FAILED",
        reason,
        physical_id: String::new(),
    }
}

fn failed() -> Vec<ResourceEvent> {
    vec![
        resource("Orders", TABLE, REASON),
        resource("Topic", "AWS::SNS::Topic", "Resource creation cancelled"),
    ]
}

/// Plays the script. When the deployment begins, `fail` arranges how the stack fails.
async fn play(fake: &FakeAws, fail: impl Fn()) {
    let script = script_of("failed deployment");
    for (at, step) in script.steps.iter().enumerate() {
        step.take(fake, SHOP).await;
        if matches!(step, Approve(_)) {
            fail();
        }
        if step.has_event() {
            deliver_once(fake, SHOP, step.subject(), &format!("event-{at}")).await;
        }
    }
    check(fake, SHOP, &script.expected);
}

/// The text of each of the function's notes.
fn notes(fake: &FakeAws) -> Vec<String> {
    let notes = records(fake).notes.into_iter();
    let own = notes.filter(|note| note.user != OTHER_USER);
    own.map(|note| note.body).collect()
}

#[track_caller]
fn assert_notes(fake: &FakeAws, part: &str) {
    let notes = notes(fake);
    let is_right = !notes.is_empty() && notes.iter().all(|note| note.contains(part));
    assert!(is_right, "{part}: {notes:#?}");
}

#[test]
fn failed_resources_are_listed_in_the_note() {
    let row = format!("- `Orders` (`{TABLE}`): `{REASON}`");
    for lacks_operation_ids in [false, true] {
        for page_length in [None, Some(1)] {
            in_account(async |fake| {
                fake.arrange(|aws| {
                    aws.options.lacks_operation_ids = lacks_operation_ids;
                    aws.options.page_length = page_length;
                });
                play(fake, || fake.fail_deployment(STACK, &failed())).await;
                assert_notes(fake, &row);
                assert_notes(fake, "\n1 other was cancelled, because one failed.");
            });
        }
    }
}

#[test]
fn cause_in_a_nested_stack_is_listed_without_values() {
    in_account(async |fake| {
        play(fake, || {
            let secret = format!("Bucket {PARAMETER} already exists").leak();
            let inner = [resource("Bucket", "AWS::S3::Bucket", secret)];
            let name = "cfnstack-dev-shop-Data-1A2B3C4D5E6F";
            let id = fake.failed_nested_stack(STACK, name, &inner);
            let embedded = "Embedded stack x was not successfully created: The following resource(s) failed to create: [Bucket]. ";
            let mut outer = resource("Data", "AWS::CloudFormation::Stack", embedded);
            outer.physical_id = id;
            fake.fail_deployment(STACK, &[outer]);
        })
        .await;
        assert_notes(
            fake,
            "- `Data/Bucket` (`AWS::S3::Bucket`): `Bucket … already exists`",
        );
    });
}

#[test]
fn nothing_is_listed_without_proof() {
    // The function's role may not read the events of another stack.
    in_account(async |fake| {
        fake.deny("cloudformation:DescribeStackEvents", "stack/cfnstack-");
        play(fake, || fake.fail_deployment(STACK, &failed())).await;
        assert_notes(
            fake,
            "because the function may not read the events of this stack",
        );
    });
    // The stack was not changed.
    in_account(async |fake| {
        play(fake, || ()).await;
        assert_notes(fake, "The failed resources are not listed, because ");
    });
}

/// A person updates the stack before the function reads its events, and another execution waits.
#[test]
fn later_operation_is_not_listed() {
    in_account(async |fake| {
        play(fake, || {
            fake.fail_deployment(STACK, &failed());
            fake.fail_direct_update(
                STACK,
                &[resource("Other", TABLE, "Another reason of another one")],
            );
        })
        .await;
        assert!(notes(fake).iter().all(|note| !note.contains("`Other`")));
        assert_notes(fake, "The failed resources are not listed, because ");
    });
    in_account(async |fake| {
        play(fake, || fake.fail_deployment(STACK, &failed())).await;
        let steps = [Start("e2"), Source("e2", 1), Wait("e2")];
        Script::new("a later commit waits", &[&steps])
            .play(fake)
            .await;
        catch_up(fake, SHOP, "health check").await;
        let earlier = records(fake).notes.into_iter();
        let mut earlier = earlier.filter(|note| note.body.contains(COMMITS[0]));
        assert!(earlier.any(|note| note.body.contains("`Orders`")));
    });
}
