//! What a hostile GitLab could answer to use up the function's memory.

use serde_json::json;

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, described, gitlab, ok};
use crate::clients::gitlab::ErrorKind;

fn pages(query: &str) -> String {
    format!("GET {MIRRORS}?per_page=100{query}")
}

// claim: response-with-too-many-values-is-not-decoded
#[tokio::test(start_paused = true)]
async fn pages_of_a_list_share_the_limits_of_one_answer() {
    // 90 kB each, of which the fourth is too much.
    let page = json!([{"id": 1, "x": "y".repeat(90_000)}]).to_string();
    let page = Reply::text(200, &page).with("x-next-page", "2");
    let script =
        Script::default()
            .then(&pages(""), page.clone())
            .then_times(3, &pages("&page=2"), &page);
    let error = gitlab(&script).mirrors(INFRA).await.expect_err("too large");
    assert_eq!(error.kind, ErrorKind::TooLarge);
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn page_with_more_elements_than_requested_is_rejected() {
    let page = |elements: usize| ok(vec![described(7); elements].into());
    let script = Script::default().then(&pages(""), page(100));
    let mirrors = gitlab(&script).mirrors(INFRA).await.expect("a full page");
    assert_eq!(mirrors.len(), 100);
    let script = Script::default().then(&pages(""), page(101));
    let error = gitlab(&script).mirrors(INFRA).await.expect_err("too many");
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

/// As JSON values they would take up to 80 times as much memory. The limit of bytes excludes that.
// claim: response-with-too-many-values-is-not-decoded
#[tokio::test(start_paused = true)]
async fn answer_with_too_many_values_is_not_decoded() {
    for value in ["0", "[]", "{}", "{\"a\":0}", "[[[[]]]]"] {
        let values = vec![value; 301_000 / (value.len() + 1)].join(",");
        let answer = Reply::text(200, &format!("[{values}]"));
        let script = Script::default().then(&format!("GET {MIRRORS}/7"), answer.clone());
        let error = gitlab(&script).mirror(INFRA, 7).await.expect_err(value);
        assert_eq!(error.kind, ErrorKind::TooLarge, "{value}");
        let refused = Reply::text(404, &format!("[{values}]"));
        let script = Script::default().then(&format!("GET {MIRRORS}/7"), refused);
        let error = gitlab(&script).mirror(INFRA, 7).await.expect_err(value);
        assert_eq!(error.kind, ErrorKind::TooLarge, "{value}");
    }
}
