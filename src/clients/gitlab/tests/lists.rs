//! A list is read to its end, even if the headers about its pages are missing or wrong.

use serde_json::{Value, json};

use super::script::{Reply, Script};
use super::{INFRA, PROJECT, gitlab, ok};
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::transport::Area;
use crate::clients::gitlab::{ErrorKind, GitLabError};

fn page_of(numbers: &[u64]) -> Reply {
    ok(numbers.iter().map(|id| json!({"id": id})).collect())
}

fn get(size: usize, number: usize) -> String {
    format!("GET {PROJECT}/protected_branches?per_page={size}&page={number}")
}

fn numbers(count: u64) -> Vec<u64> {
    (0..count).collect()
}

async fn read(script: &Script, reading: Reading) -> Result<(Vec<u64>, bool), GitLabError> {
    let id = |one: &Value| one["id"].as_u64();
    let gitlab = gitlab(script);
    let call = gitlab.get(
        Area::Project(INFRA),
        "/protected_branches",
        "listing the protected branches of",
    );
    let listed = call.read(reading, id).await?;
    script.sent();
    Ok((listed.elements, listed.is_complete))
}

/// The pages that are sent, each with its headers, have all numbers below `count`.
async fn assert_all_read(count: u64, pages: &[(usize, &[(&'static str, &str)])]) {
    let all = numbers(count);
    let (mut script, mut rest) = (Script::default(), all.as_slice());
    for (number, (length, headers)) in pages.iter().enumerate() {
        let (page, others) = rest.split_at(*length);
        let mut reply = page_of(page);
        for (name, value) in *headers {
            reply = reply.with(name, value);
        }
        script = script.then(&get(100, number + 1), reply);
        rest = others;
    }
    let read = read(&script, Reading::ALL).await;
    assert_eq!(read, Ok((all, true)), "{pages:?}");
}

#[tokio::test(start_paused = true)]
async fn list_ends_with_a_page_that_is_not_full() {
    let next = |page: &'static str| [("x-next-page", page)];
    let last: [(&str, &str); 1] = next("");
    assert_all_read(0, &[(0, &[])]).await;
    assert_all_read(7, &[(7, &last)]).await;
    // Without headers, also because a proxy removed them.
    assert_all_read(110, &[(100, &[]), (10, &[])]).await;
    assert_all_read(200, &[(100, &last), (100, &last), (0, &[])]).await;
    assert_all_read(
        110,
        &[(100, &[("x-total", "110")]), (10, &[("x-total", "110")])],
    )
    .await;
    // Short pages: elements that the user may not see, or a server with a lower limit.
    assert_all_read(5, &[(2, &next("2")), (0, &next("3")), (3, &last)]).await;
    let link = "<https://gitlab.example.com/api/v4/x?page=2>; rel=\"next\"";
    assert_all_read(5, &[(2, &[("link", link)]), (3, &[])]).await;
    assert_all_read(5, &[(2, &[("x-total", "5")]), (3, &[("x-total", "5")])]).await;
    let lower = [("x-per-page", "50")];
    assert_all_read(110, &[(50, &lower), (50, &lower), (10, &lower)]).await;
    let later = [("x-page", "1"), ("x-total-pages", "2")];
    assert_all_read(5, &[(2, &later), (3, &[])]).await;
    // A total that counts elements which the user may not see.
    assert_all_read(2, &[(2, &[("x-total", "5")]), (0, &[("x-total", "5")])]).await;
}

// claim: endless-response-is-cut-off
#[tokio::test(start_paused = true)]
async fn list_without_an_end_is_not_complete() {
    let endless = |page: &Reply| {
        let pages = (1..=51).map(|number| get(100, number));
        pages.fold(Script::default(), |script, get| {
            script.then(&get, page.clone())
        })
    };
    let full = page_of(&numbers(100));
    for page in [&full, &ok(json!([])).with("x-next-page", "2")] {
        let read = read(&endless(page), Reading::ALL).await;
        assert!(!read.expect("a part").1);
    }
    let gitlab = gitlab(&endless(&full));
    let call = gitlab.get(Area::Project(INFRA), "/protected_branches", "listing");
    let listed = call.list(Reading::ALL, |one| one["id"].as_u64()).await;
    assert_eq!(listed.expect_err("a part").kind, ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn large_page_is_read_in_smaller_ones() {
    let all = numbers(21);
    let large = || Reply::text(200, &" ".repeat(300_001));
    let script = |last: Reply| {
        let script = Script::default().then(&get(20, 1), large()).then(&get(4, 1), large());
        let script = script
            .then(&get(1, 1), page_of(&all[..1]))
            .then(&get(1, 2), last)
            .then(&get(1, 3), page_of(&all[2..3]))
            .then(&get(1, 4), page_of(&all[3..4]));
        let script = (1..5).fold(script, |script, number| {
            let of = number * 4..number * 4 + 4;
            script.then(&get(4, number + 1), page_of(&all[of]))
        });
        script.then(&get(20, 2), page_of(&all[20..]))
    };
    let read_all = read(&script(page_of(&all[1..2])), Reading::COMMENTS).await;
    assert_eq!(read_all, Ok((all.clone(), true)));
    let (found, is_complete) = read(&script(large()), Reading::COMMENTS).await.expect("most");
    assert!(is_complete && found.len() == 20 && !found.contains(&1));
    let strict = read(&script(large()), Reading::first(20, 100)).await;
    assert_eq!(strict.expect_err("large").kind, ErrorKind::TooLarge);
    // Its smaller pages would begin elsewhere.
    let short = page_of(&all[..2]).with("x-next-page", "2");
    let script = Script::default().then(&get(20, 1), short).then(&get(20, 2), large());
    let shifted = read(&script, Reading::COMMENTS).await;
    assert_eq!(shifted.expect_err("large").kind, ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn first_elements_need_no_further_page() {
    let script = Script::default().then(&get(20, 1), page_of(&numbers(20)));
    let read = read(&script, Reading::first(20, 20)).await;
    assert_eq!(read, Ok((numbers(20), false)));
}

#[tokio::test(start_paused = true)]
async fn page_that_is_not_as_requested_is_an_error() {
    for page in [
        page_of(&numbers(101)),
        ok(json!({"id": 1})),
        ok(json!([{"id": "one"}])),
        Reply::empty(200),
    ] {
        let script = Script::default().then(&get(100, 1), page);
        let error = read(&script, Reading::ALL).await.expect_err("no list");
        assert_eq!(error.kind, ErrorKind::UnexpectedResponse { status: 200 });
    }
}
