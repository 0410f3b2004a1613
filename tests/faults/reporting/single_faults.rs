//! One fault at every call of AWS and of GitLab.

use crate::checks::{check, check_harmless};
use crate::fixture::{PROJECT, SHOP, catch_up, deliver, event, fake, paused};
use crate::scripts::{Script, scripts};
use fake_aws::custom_resource::answered_once;
use fake_aws::{FakeAws, Fault, FaultKind, On, Schedules, Service};

/// Plays a script with this fault in the first delivery of its event `at`, and Lambda's retries.
async fn play(fake: &FakeAws, script: &Script, fault: Option<(usize, Fault)>) {
    if let Some((at, fault)) = fault {
        fake.inject(&format!("event-{at}.1"), fault);
    }
    for (at, step) in script.steps.iter().enumerate() {
        step.take(fake, SHOP).await;
        if step.has_event() {
            deliver(fake, SHOP, step.subject(), &format!("event-{at}")).await;
        }
    }
}

/// Each fault at a call of a delivery whose calls are not like those of an earlier script.
fn places(script: &Script, known: &mut Vec<String>) -> Vec<(usize, Fault)> {
    paused(async {
        let fake = fake(&[SHOP]).await;
        play(&fake, script, None).await;
        let mut places = vec![];
        for at in 0..script.steps.len() {
            let caller = format!("event-{at}.1");
            let journal = fake.journal();
            let calls = journal.iter().filter(|entry| entry.caller == caller);
            let calls: Vec<_> = calls.collect();
            let course = calls.iter();
            let course: Vec<_> = course
                .map(|call| format!("{} {:?}", call.operation, call.params.get("state")))
                .collect();
            let course = course.join(", ");
            if known.contains(&course) {
                continue;
            }
            known.push(course);
            for (index, call) in calls.iter().enumerate() {
                // It makes no difference whether a read whose response is lost was executed.
                let kinds = FaultKind::EACH.into_iter();
                let kinds = kinds.filter(|kind| !(kind.executes() && call.reads()));
                places.extend(kinds.map(|kind| (at, Fault::at(index, kind))));
            }
        }
        places
    })
}

#[test]
fn single_fault_ends_in_the_last_state() {
    let mut schedules = Schedules::default();
    let mut known = vec![];
    for script in scripts() {
        for (at, fault) in places(&script, &mut known) {
            let name = format!("{}: {fault:?} at event-{at}.1", script.name);
            schedules.run(name, || {
                paused(async {
                    let fake = fake(&[SHOP]).await;
                    play(&fake, &script, Some((at, fault))).await;
                    assert_eq!(fake.faults_left(), 0);
                    if script.left == 0 {
                        check(&fake, SHOP, &script.expected);
                    }
                    let posted = catch_up(&fake, SHOP, "health check").await;
                    assert_eq!(posted, script.left, "{}", fake.transcript());
                    check(&fake, SHOP, &script.expected);
                });
            });
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} single faults at calls of AWS and GitLab");
    assert!(schedules > 300);
}

/// While a service fails, events are lost. Nothing happens to the pipeline, and the health check
/// reports what was lost.
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
                    paused(async {
                        let fake = fake(&[SHOP]).await;
                        fake.break_from_now(On::Service(service), kind);
                        let broken = play(&fake, &script, None);
                        broken.await;
                        check_harmless(&fake);
                        fake.mend();
                        catch_up(&fake, SHOP, "health check").await;
                        check(&fake, SHOP, &script.expected);
                    });
                });
            }
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} services that fail during a script");
}

/// Lambda would deliver the event twice more, and an alarm counts the errors of the function.
#[test]
fn report_that_fails_for_good_is_no_error_of_the_function() {
    paused(async {
        let script = &scripts()[0];
        for is_hidden in [true, false] {
            let fake = fake(&[SHOP]).await;
            for step in &script.steps {
                step.take(&fake, SHOP).await;
            }
            fake.change(|aws| {
                if is_hidden {
                    aws.gitlab.project_mut(PROJECT).access = None;
                } else {
                    aws.gitlab.tokens.clear();
                }
            });
            for (at, step) in script.steps.iter().enumerate() {
                let event = event(&fake, SHOP, step.subject(), &format!("event-{at}"));
                let answer = answered_once(&fake, &fake.caller(&event.name), &event).await;
                let answer = answer.expect("not killed").expect("no error");
                let report = &answer["Report"];
                assert_eq!(report["Posted"], 0, "{}", fake.transcript());
                assert_ne!(report["Rejected"], 0, "{}", fake.transcript());
            }
            check_harmless(&fake);
        }
    });
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
                    paused(async {
                        let fake = fake(&[SHOP]).await;
                        for (step_at, step) in script.steps.iter().enumerate() {
                            step.take(&fake, SHOP).await;
                            if step_at == at {
                                fake.change(|aws| aws.gitlab.status_conflicts = conflicts);
                            }
                            if step.has_event() {
                                let name = format!("event-{step_at}");
                                deliver(&fake, SHOP, step.subject(), &name).await;
                            }
                        }
                        fake.change(|aws| aws.gitlab.status_conflicts = 0);
                        if script.left > 0 {
                            catch_up(&fake, SHOP, "health check").await;
                        }
                        check(&fake, SHOP, &script.expected);
                    });
                });
            }
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} conflicts of GitLab");
}
