//! One fault at every call of AWS and of GitLab.

use std::collections::BTreeSet;

use crate::checks::{check, check_harmless};
use crate::fixture::{PROJECT, SHOP, catch_up, event, in_account};
use crate::scripts::{Script, script_of, scripts, take_all};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, FaultKind, On, Schedules, Service};
use test_support::custom_resource::answered_once;

/// Plays every step, and delivers its event with Lambda's retries. The health check posts only what
/// no event is about.
async fn play_and_check(fake: &FakeAws, script: &Script) -> FakeAws {
    script.play_with(fake, 0, || {}).await;
    if script.left == 0 {
        check(fake, SHOP, &script.expected);
    }
    let posted = catch_up(fake, SHOP, "health check").await;
    assert_eq!(posted, script.left, "{}", script.name);
    check(fake, SHOP, &script.expected);
    fake.clone()
}

/// Each fault at a call of a first delivery whose calls are not like those of an earlier script.
fn faults(script: &Script, known: &mut BTreeSet<String>) -> Vec<SingleFault> {
    let journal = in_account(async |fake| play_and_check(fake, script).await.journal());
    let mut faults = vec![];
    for at in 0..script.steps.len() {
        let caller = format!("event-{at}.1");
        let calls = journal.iter().filter(|call| call.caller == caller);
        let course = calls.clone();
        let course =
            course.map(|call| format!("{} {:?}", call.operation, call.params.get("state")));
        if known.insert(course.collect::<Vec<_>>().join(", ")) {
            faults.extend(calls.flat_map(SingleFault::each_different));
        }
    }
    faults
}

#[test]
fn single_fault_ends_in_the_last_state() {
    let mut schedules = Schedules::default();
    let mut known = BTreeSet::new();
    for script in scripts() {
        let name =
            |one: &SingleFault| format!("{}: {:?} at {}", script.name, one.fault(), one.caller);
        schedules.single_faults(faults(&script, &mut known), name, |faults| {
            in_account(async |fake| {
                for fault in faults {
                    fault.inject(fake);
                }
                play_and_check(fake, &script).await
            })
        });
    }
    let schedules = schedules.report("single faults at calls of AWS and GitLab");
    assert!(schedules > 300);
}

/// While a service fails, events are lost. Nothing happens to the pipeline, and the health check
/// reports the lost states.
#[test]
fn service_that_fails_for_hours_only_delays_the_report() {
    let services = [
        Service::GitLab,
        Service::SecretsManager,
        Service::CloudFormation,
        Service::CodePipeline,
    ];
    let mut schedules = Schedules::default();
    for script in scripts() {
        for service in services {
            for kind in [FaultKind::InternalError500, FaultKind::Denied] {
                schedules.run(format!("{}: {service} {kind:?}", script.name), || {
                    in_account(async |fake| {
                        fake.break_from_now(On::Service(service), kind);
                        script.play_with(fake, 0, || {}).await;
                        check_harmless(fake);
                        fake.mend();
                        script.ends(fake).await;
                    });
                });
            }
        }
    }
    schedules.report("services that fail during a script");
}

/// Lambda would deliver the event twice more, and an alarm counts the errors of the function.
#[test]
fn report_that_fails_for_good_is_no_error_of_the_function() {
    for is_hidden in [true, false] {
        in_account(async |fake| {
            take_all(fake, "deployed", &[SHOP]).await;
            fake.change(|aws| {
                if is_hidden {
                    aws.gitlab.project_mut(PROJECT).access = None;
                } else {
                    aws.gitlab.tokens.clear();
                }
            });
            for (at, step) in script_of("deployed").steps.iter().enumerate() {
                let event = event(fake, SHOP, step.subject(), &format!("event-{at}"));
                let answer = answered_once(fake, &event.name, &event).await;
                let answer = answer.expect("not killed").expect("no error");
                let report = &answer["Report"];
                assert_eq!(report["Posted"], 0);
                assert_ne!(report["Rejected"], 0);
            }
            check_harmless(fake);
        });
    }
}

/// GitLab responds with 409 while it updates the commit's pipeline.
#[test]
fn conflicts_of_gitlab_are_retried() {
    let mut schedules = Schedules::default();
    for script in scripts() {
        for conflicts in [1, 3] {
            for at in 0..script.steps.len() {
                let name = format!("{}: {conflicts} conflicts at {at}", script.name);
                schedules.run(name, || {
                    in_account(async |fake| {
                        let conflict =
                            || fake.change(|aws| aws.gitlab.status_conflicts = conflicts);
                        script.play_with(fake, at, conflict).await;
                        fake.change(|aws| aws.gitlab.status_conflicts = 0);
                        if script.left > 0 {
                            catch_up(fake, SHOP, "health check").await;
                        }
                        check(fake, SHOP, &script.expected);
                    });
                });
            }
        }
    }
    schedules.report("conflicts of GitLab");
}
