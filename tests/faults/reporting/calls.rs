//! The calls of each kind of event.

use crate::fixture::in_account;
use crate::scenarios::scenario;
use fake_aws::Service;

const DEPLOYED: &str = "report_ends: deployed";

#[test]
fn calls_per_event_are_as_documented() {
    // An action of a story, and its event's calls of AWS and of GitLab.
    let rows = [
        ("start without a commit", DEPLOYED, 0, (2, 0)),
        ("start", DEPLOYED, 1, (6, 3)),
        // Two policies and one type are compared. After it has created a note, it looks for a
        // second one.
        ("approval with a note", "report_waiting", 3, (14, 8)),
        // It ends the note on two merge requests, with the changes that CloudFormation shows, and
        // looks for one on the commit.
        ("approved", DEPLOYED, 4, (12, 10)),
        // It creates the environment, whose address is set afterwards.
        ("first deployed", DEPLOYED, 5, (8, 4)),
        // It edits the notes on two merge requests, and looks for one on the commit.
        ("end", DEPLOYED, 6, (13, 11)),
    ];
    for (kind, story, action, documented) in rows {
        in_account(async |fake| {
            scenario(story).play(fake).await;
            let mut calls = fake.journal_of(&format!("event-{action}"));
            let all = calls.len();
            calls.retain(|call| call.service == Service::GitLab);
            let (of_aws, of_gitlab) = (all - calls.len(), calls.len());
            fake_aws::figure!("calls: {kind}: {of_aws} of AWS, {of_gitlab} of GitLab");
            assert_eq!((of_aws, of_gitlab), documented, "{kind}");
        });
    }
}
