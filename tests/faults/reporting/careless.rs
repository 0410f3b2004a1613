//! Products that lack a care: no check notices them without a setting, and one does with it.

use crate::fixture::in_account;
use crate::scenarios::scenarios;
use test_support::careless::{Careless, Lack, assert_each_shown};

const CARELESS: &[Careless] = &[
    // An empty page is the last one.
    Careless {
        beside: "",
        setting: "empty-log-pages",
        lack: Lack::Reads("GetLogEvents", "Token", "Other"),
        story: "report_build_in_codebuild: a private project",
        says: "tests failed",
    },
    Careless {
        beside: "",
        setting: "no-operation-ids",
        lack: Lack::Needs("DescribeStackEvents", "OperationId"),
        story: "report_failed_resources: a later update by a person",
        says: "are not listed, because",
    },
    // It compares GitLab's times with the clock of AWS.
    Careless {
        beside: "delivered-twice",
        setting: "clock-behind",
        lack: Lack::Ignores("date"),
        story: "report_ends: failed deployment",
        says: "posted again",
    },
    Careless {
        beside: "",
        setting: "clock-ahead",
        lack: Lack::Ignores("date"),
        story: "report_rolled_back: by an alarm",
        says: "instead of c0ffee0000000001",
    },
    // The health check does not look again for a log that was late.
    Careless {
        beside: "",
        setting: "late-logs",
        lack: Lack::Reads("GitLab.ListNotes", " may be incomplete", ""),
        story: "report_build_in_codebuild: a private project",
        says: "1 of 7 tests failed",
    },
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("reporting", CARELESS, |story, mixture| {
        let mut known = scenarios().iter();
        let scenario = known.find(|known| known.story.name == story).expect("that story");
        in_account(async |fake| scenario.play_in(fake, mixture).await);
    });
}
