//! Responses with which a hostile GitLab could use up the function's memory.

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, gitlab};
use crate::clients::gitlab::ErrorKind;

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
