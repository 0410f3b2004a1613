//! One fault at every call of AWS and of GitLab.

use crate::checks::check_harmless;
use crate::fixture::{PROJECT, SHOP, event, in_account};
use crate::scenarios::{self, Reports, scenario, scenarios, take_all};
use fake_aws::{FaultKind, On, Schedules, Service};
use test_support::custom_resource::answered_once;
use test_support::runner::Account;
use test_support::single_faults::play_with_single_faults;
use test_support::worlds::Place;

#[test]
fn single_fault_ends_in_the_last_state() {
    let (stories, place) = (Reports::stories(), Place::default());
    let (what, kinds) = ("single faults at calls of reports", FaultKind::EACH);
    let schedules = play_with_single_faults::<Reports>(what, &stories, &place, &kinds, 12);
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
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        for service in services {
            for kind in [FaultKind::InternalError500, FaultKind::Denied] {
                schedules.run(format!("{}: {service} {kind:?}", scenario.name()), || {
                    in_account(async |fake| {
                        fake.break_from_now(On::Service(service), kind);
                        scenario.play_with(fake, 0, || {}).await;
                        check_harmless(fake);
                        fake.mend();
                        scenario.ends(fake).await;
                    });
                });
            }
        }
    }
    schedules.report("services that fail during a story");
}

/// Lambda would deliver the event twice more, and an alarm counts the errors of the function.
#[test]
fn report_that_fails_for_good_is_no_error_of_the_function() {
    for is_hidden in [true, false] {
        in_account(async |fake| {
            take_all(fake, "report_ends: deployed", &[SHOP]).await;
            fake.change(|aws| {
                if is_hidden {
                    aws.gitlab.project_mut(PROJECT).access = None;
                } else {
                    aws.gitlab.tokens.clear();
                }
            });
            let deployed = scenario("report_ends: deployed");
            for at in deployed.events() {
                let subject = scenarios::event(&deployed.actions[at]).expect("an event");
                let event = event(fake, SHOP, subject, &format!("event-{at}"));
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
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        for conflicts in [1, 3] {
            for at in scenario.events() {
                let name = format!("{}: {conflicts} conflicts at {at}", scenario.name());
                schedules.run(name, || {
                    in_account(async |fake| {
                        let conflict =
                            || fake.change(|aws| aws.gitlab.status_conflicts = conflicts);
                        scenario.play_with(fake, at, conflict).await;
                        fake.change(|aws| aws.gitlab.status_conflicts = 0);
                        scenario.check_after_events(fake).await;
                    });
                });
            }
        }
    }
    schedules.report("conflicts of GitLab");
}
