//! Change sets without changes, which the function approves: `Approval.AutoApprove`.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use serde_json::Value;

use crate::fixture::{
    CHILD, SHOP, Subject, check_health, deliver, event, fake, in_account, records,
};
use crate::steps::{ReportWord, changes};
use fake_aws::schedules::{Moment, SingleFault};
use fake_aws::{AwsState, Caller, FakeAws, FaultKind, On, Pipeline, Schedules, redacted};
use test_support::child_settings::set_child_settings;
use test_support::custom_resource::answered_once;

const RUN: &str = "run-1";
const SUBJECT: Subject = (RUN, Some("Approval"));
const EMPTY: &str = "The submitted information didn't contain changes. Submit different information to create a \
    change set.";

/// An execution whose approval waits. Its change set failed for `reason`, or has changes.
async fn wait(fake: &FakeAws, reason: Option<&str>) {
    for step in [
        ReportWord::Start(RUN),
        ReportWord::Source(RUN, 0),
        ReportWord::Request(RUN),
    ] {
        step.take(fake, SHOP).await;
    }
    fake.arrange(|aws| set_approves(aws, true));
    request(fake, "token-1", reason);
}

fn set_approves(aws: &mut AwsState, approves: bool) {
    let set = |settings: &mut Value| settings["ApprovesNoChanges"] = approves.into();
    set_child_settings(aws, CHILD, set);
}

pub fn pipeline(aws: &mut AwsState) -> &mut Pipeline {
    let pipeline = aws.pipelines.get_mut(&SHOP.pipeline());
    pipeline.expect("a pipeline")
}

/// CodePipeline requests an approval, and the former request has ended.
fn request(fake: &FakeAws, token: &'static str, reason: Option<&str>) {
    fake.change(|aws| {
        let (key, now) = (SHOP.change_set(), aws.now);
        aws.stacks.change_sets.insert(key.clone(), vec![], now);
        if let Some(reason) = reason {
            aws.stacks.change_sets.fail(&key, reason);
        }
        pipeline(aws).running = vec![("Approval", Some(token))];
    });
}

/// The token of the request that waits. `None` if none does.
pub fn waiting(fake: &FakeAws) -> Option<&'static str> {
    fake.look(|aws| {
        let running = &aws.pipelines[&SHOP.pipeline()].running;
        running.first().and_then(|(_, token)| *token)
    })
}

/// The descriptions of the statuses whose name has this end.
pub fn statuses(fake: &FakeAws, end: &str) -> Vec<String> {
    let statuses = records(fake).statuses.into_iter();
    let named = statuses.filter(|one| one.name.ends_with(end));
    named.map(|one| one.description).collect()
}

#[test]
fn empty_change_set_is_approved_and_shown_as_such() {
    for is_event_lost in [false, true] {
        in_account(async |fake| {
            wait(fake, Some(EMPTY)).await;
            if is_event_lost {
                check_health(fake).await;
            } else {
                deliver(fake, SHOP, SUBJECT, "asked").await;
            }
            assert_eq!(waiting(fake), None);
            deliver(fake, SHOP, SUBJECT, "approved").await;
            assert_eq!(fake.count("PutApprovalResult"), 1);
            assert_eq!(statuses(fake, "/approval"), ["Approved: no changes"]);
        });
    }
}

type Change = fn(&mut AwsState);

#[test]
fn any_other_request_waits_for_a_person() {
    let quoted = format!("Template error: Description: {EMPTY}");
    let nothing: Change = |_| {};
    let rows: [(_, Change); 5] = [
        (None, nothing),
        (Some("Transform AWS::Include failed"), nothing),
        (Some(&quoted), nothing),
        // A contradiction.
        (Some(EMPTY), |aws| {
            let (key, now) = (SHOP.change_set(), aws.now);
            aws.stacks.change_sets.insert(key.clone(), changes(), now);
            aws.stacks.change_sets.fail(&key, EMPTY);
        }),
        // The pipeline does not have the property.
        (Some(EMPTY), |aws| set_approves(aws, false)),
    ];
    for (at, (reason, arrange)) in rows.into_iter().enumerate() {
        in_account(async |fake| {
            wait(fake, reason).await;
            fake.arrange(arrange);
            deliver(fake, SHOP, SUBJECT, "asked").await;
            check_health(fake).await;
            assert_eq!(waiting(fake), Some("token-1"), "{at}");
            assert_eq!(fake.count("PutApprovalResult"), 0);
        });
    }
}

#[test]
fn denied_approval_is_an_error_and_the_execution_is_reported() {
    in_account(async |fake| {
        wait(fake, Some(EMPTY)).await;
        fake.break_from_now(On::Operation("PutApprovalResult"), FaultKind::Denied);
        let event = event(fake, SHOP, SUBJECT, "denied");
        let answer = answered_once(fake, "denied", &event).await;
        let error = answer.expect("not killed").expect_err("it is denied");
        expect!["ending the request for approval of pipeline codepipeline-dev-cfn-shop: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: codepipeline:PutApprovalResult on resource: arn:aws:codepipeline:eu-central-1:123456789012:codepipeline-dev-cfn-shop/Deploy/Approval because no identity-based policy allows the codepipeline:PutApprovalResult action. Deploy the provider stack again, or allow codepipeline:PutApprovalResult in a policy of the function's role - CFG-201"].assert_eq(&redacted(&error));
        assert_eq!(waiting(fake), Some("token-1"));
        assert!(!statuses(fake, "/approval").is_empty());
        fake.mend();
    });
}

/// The calls of a delivery that approves.
fn faults() -> Vec<SingleFault> {
    let journal = in_account(async |fake| {
        wait(fake, Some(EMPTY)).await;
        deliver(fake, SHOP, SUBJECT, "asked").await;
        fake.journal_of("asked.1")
    });
    let faults = journal.iter().flat_map(SingleFault::each_different);
    faults.collect()
}

#[test]
fn single_fault_ends_in_one_approval() {
    let mut schedules = Schedules::default();
    schedules.single_faults(faults(), SingleFault::to_string, |faults| {
        in_account(async |fake| {
            wait(fake, Some(EMPTY)).await;
            for fault in faults {
                fault.inject(fake);
            }
            deliver(fake, SHOP, SUBJECT, "asked").await;
            check_health(fake).await;
            assert_eq!(waiting(fake), None);
            let mut runs = fake.change(|aws| pipeline(aws).executions[0].actions.clone());
            runs.retain(|run| run.name == "Approval" && run.status == "Succeeded");
            assert_eq!(runs.len(), 1);
            fake.clone()
        })
    });
    schedules.report("single faults while the function approves");
}

/// Delivers the event, and at this moment CodePipeline requests the next approval: the first change
/// set or the next one is empty, and the other one is not. Returns whether the delivery has such a
/// call.
fn play(first: Option<&str>, next: Option<&'static str>, moment: Moment) -> bool {
    let is_delivery = |_: &FakeAws, caller: &Caller| caller.name() == "asked.1";
    let former = Arc::new(Mutex::new(None));
    let seen_before = Arc::clone(&former);
    let happen = move |fake: &FakeAws| {
        *seen_before.lock().expect("no panic") = waiting(fake);
        request(fake, "token-2", next);
    };
    let calls = moment.play(is_delivery, happen, async |seen| {
        let fake = fake(&[SHOP]).await;
        wait(&fake, first).await;
        deliver(&fake, SHOP, SUBJECT, "asked").await;
        if seen.calls() > moment.call {
            let former = *former.lock().expect("no panic");
            let (waited, waits) = (former == Some("token-1"), waiting(&fake) == Some("token-2"));
            assert!(first.is_some() || waited, "approved with changes");
            assert!(next.is_some() || waits, "approved with changes");
        }
    });
    calls > moment.call
}

#[test]
fn request_with_changes_is_never_approved() {
    let mut schedules = Schedules::default();
    for (first, next) in [(Some(EMPTY), None), (None, Some(EMPTY))] {
        for is_after in [false, true] {
            let moment = |call| Moment { call, is_after };
            let name = |call| format!("{first:?}, then {next:?} at {:?}", moment(call));
            schedules.each_call(name, |call| play(first, next, moment(call)));
        }
    }
    schedules.report("next requests while the function approves");
}
