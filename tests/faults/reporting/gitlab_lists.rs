//! Long lists in GitLab, whose pages have no headers: a part of one proves nothing.

use serde_json::json;

use crate::gitlab_approvals::{ANN, rule, tags};
use crate::gitlab_attacks::assert_refused;
use fake_aws::AwsState;

// claim: list-that-is-cut-short-approves-nothing
#[test]
fn what_stands_beyond_the_first_page_counts() {
    fn others(aws: &mut AwsState) {
        for number in 0..110 {
            rule(aws, &format!("v{number}/*"), json!({"access_level": 40}));
        }
    }
    assert_refused(&[
        ("late rule", "admits Developers", ANN, |aws, _| {
            others(aws);
            rule(aws, "deploy/dev/*", json!({"access_level": 30}));
        }),
        ("late key", "write access", ANN, |aws, _| {
            tags(aws).deploy_keys = [false; 110].to_vec();
            tags(aws).deploy_keys.push(true);
        }),
        (
            "endless rules",
            "does not show what is needed",
            ANN,
            |aws, _| {
                (0..47).for_each(|_| others(aws));
            },
        ),
    ]);
}
