//! The calls of each kind of event.

use crate::fixture::{SHOP, deliver_once, in_account};
use crate::scripts::{Script, Step, scripts};
use fake_aws::Service;

/// The calls of AWS and of GitLab by the last event of the script up to a step.
fn calls_at(script: &Script, is_last: impl Fn(&Step) -> bool) -> (usize, usize) {
    in_account(async |fake| {
        for (at, step) in script.steps.iter().enumerate() {
            step.take(fake, SHOP).await;
            let name = format!("event-{at}");
            if step.has_event() {
                deliver_once(fake, SHOP, step.subject(), &name).await;
            }
            if is_last(step) {
                let calls = fake.journal_of(&name).into_iter();
                let (gitlab, aws): (Vec<_>, Vec<_>) =
                    calls.partition(|entry| entry.service == Service::GitLab);
                return (aws.len(), gitlab.len());
            }
        }
        panic!("{} has no such step", script.name);
    })
}

#[test]
fn calls_per_event_are_as_documented() {
    let scripts = scripts();
    let deployed = &scripts[0];
    let waiting = &scripts[1];
    let mut shown = vec![];
    let mut count = |kind: &'static str, calls: (usize, usize)| {
        fake_aws::figure!("calls: {kind}: {} of AWS, {} of GitLab", calls.0, calls.1);
        shown.push((kind, calls));
    };
    let is_start = |step: &Step| matches!(step, Step::Start(_));
    let is_source = |step: &Step| matches!(step, Step::Source(..));
    let is_wait = |step: &Step| matches!(step, Step::Wait(_));
    let is_approved = |step: &Step| matches!(step, Step::Approve(_));
    let is_deployed = |step: &Step| matches!(step, Step::Deployed(..));
    let is_end = |step: &Step| matches!(step, Step::End(..));
    count("start without a commit", calls_at(deployed, is_start));
    count("start", calls_at(deployed, is_source));
    count("approval with a note", calls_at(waiting, is_wait));
    count("approved", calls_at(deployed, is_approved));
    // It creates the environment, whose address is set afterwards.
    count("first deployed", calls_at(deployed, is_deployed));
    count("end", calls_at(deployed, is_end));
    let documented = [
        ("start without a commit", (2, 0)),
        ("start", (5, 3)),
        // An event of the approval reads the settings twice. Two policies and one type are
        // compared. After it has created a note, it looks for a second one.
        ("approval with a note", (14, 8)),
        // It ends the note on two merge requests, and looks for one on the commit.
        ("approved", (7, 10)),
        ("first deployed", (8, 7)),
        ("end", (6, 5)),
    ];
    assert_eq!(shown, documented);
}
