//! GitLab's message is the cause. Other causes are named only if there is no message.

use expect_test::expect;
use serde_json::json;

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, PROJECT, create, described, gitlab, ok};
use crate::clients::gitlab::{GitLabError, Note, NotePlace, NoteText, RetryTime, Sent};
use crate::clients::http::HttpError;

const LIST: &str = "/remote_mirrors?per_page=100&page=1";

/// The error of a list of mirrors, to which GitLab sends these responses.
async fn rejected(replies: &[(&str, Reply)]) -> GitLabError {
    let script = replies.iter().fold(Script::default(), |script, (of, reply)| {
        script.then(&format!("GET {PROJECT}{of}"), reply.clone())
    });
    let error = gitlab(&script).mirrors(INFRA).await.expect_err("rejected");
    script.sent();
    error
}

/// The rows of a table whose cells are separated by ` | `.
pub(super) fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    table.trim().lines().map(|row| {
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        cells.try_into().expect("as many cells as columns")
    })
}

/// The request of a mirror has no second form, and nothing was read before it.
#[tokio::test(start_paused = true)]
async fn write_of_a_report_that_a_firewall_rejects_has_its_size() {
    let note = Note::of(3, 2);
    let text = NoteText {
        whole: &"x".repeat(9_652),
        short: "short",
    };
    let path = format!("PUT {PROJECT}/merge_requests/3/notes/2");
    let mut reasons = vec![];
    for (reply, is_blocked) in [
        (Reply::page(403), true),
        (Reply::page(406), true),
        (Reply::text(403, "Request blocked"), true),
        (Reply::message(403, "Forbidden"), true),
        (Reply::message(413, "Request size limit exceeded"), true),
        (Reply::page(404), false),
        (
            Reply::message(403, "403 Forbidden - namespace is read-only"),
            false,
        ),
    ] {
        let times = if is_blocked { 2 } else { 1 };
        let script = Script::default().then_times(times, &path, &reply);
        let edited = gitlab(&script).edit_note(INFRA, &note, text).await;
        reasons.push(edited.expect_err("rejected").reason().to_string());
        script.sent();
        // The whole one is rejected, and the short one passes.
        if is_blocked {
            let script = Script::default().then(&path, reply).then(&path, ok(json!({"id": 2})));
            let edited = gitlab(&script).edit_note(INFRA, &note, text).await;
            assert!(edited.expect("an answer"));
            assert_eq!(script.sent()[1].json()["body"], "short");
        }
    }
    let script = Script::default().then_times(2, &path, &Reply::page(403));
    let whole = NoteText {
        short: text.whole,
        ..text
    };
    let edited = gitlab(&script).edit_note(INFRA, &note, whole).await;
    reasons.push(edited.expect_err("rejected").reason().to_string());
    reasons.dedup();
    expect![[r#"
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 403: a page without a message; a firewall or proxy in front of GitLab rejects this request (16 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 406: a page without a message; a firewall or proxy in front of GitLab rejects this request (16 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 403: Request blocked; a firewall or proxy in front of GitLab rejects this request (16 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 403: Forbidden; a firewall or proxy in front of GitLab rejects this request (16 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 413: Request size limit exceeded; a firewall or proxy in front of GitLab rejects this request (16 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 404: a page without a message; the response is not JSON of GitLab's API. Check that GitLab.Url leads to GitLab, and not to a proxy or a login page - CFG-403
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden - namespace is read-only. GitLab's message is all that is known - CFG-420
        editing note 2 on merge request 3 of project platform/infra at https://gitlab.example.com: HTTP 403: a page without a message; a firewall or proxy in front of GitLab rejects this request (9,663 bytes). Exempt the function's requests to /api/v4 from the firewall's rules about the size and the text of a body - CFG-403"#]].assert_eq(&reasons.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn note_that_is_not_deleted_is_an_error() {
    let marker = "<!-- cfn-gitops";
    let note = |id: u64| json!({"id": id, "author": {"id": 7}, "body": format!("{marker} -->")});
    let locked = Reply::message(423, "423 Locked");
    let path = format!("{PROJECT}/merge_requests/3/notes");
    let list = "?activity_filter=only_comments&sort=asc&per_page=20&page=1";
    let script = Script::default()
        .then(&format!("GET {path}{list}"), ok(json!([note(1), note(2)])))
        .then_times(4, &format!("DELETE {path}/2"), &locked);
    let gitlab = gitlab(&script);
    let text = format!("{marker} -->");
    let places = [NotePlace::MergeRequest(3)];
    let text = NoteText {
        whole: &text,
        short: &text,
    };
    let written = gitlab.write_note(INFRA, &places, Some(7), marker, text);
    let error = written.await.expect_err("a second note is left");
    assert_eq!(error.retry, RetryTime::Later, "{error}");
    script.sent();
}

/// The project was not looked up, so nothing is known of it.
#[tokio::test(start_paused = true)]
async fn failed_look_up_names_no_cause() {
    let missing = || Reply::message(404, "404 Not found");
    let four = |reply: Reply| [(); 4].map(|()| ("", reply.clone()));
    let first = [(LIST, missing())];
    let error = rejected(&[&first[..], &four(Reply::page(502))].concat()).await;
    expect!["listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 502: a page without a message; GitLab, or a proxy in front of it, is not available. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401"].assert_eq(&error.reason().to_string());
    assert_eq!(error.retry, RetryTime::Later);
    let forbidden = ("", Reply::message(403, "403 Forbidden"));
    let error = rejected(&[(LIST, missing()), forbidden]).await;
    expect!["listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 404: 404 Not found. GitLab's message is all that is known - CFG-412"].assert_eq(&error.reason().to_string());
    let lost = four(Reply::Nothing(HttpError::NoConnection));
    let denied = [(LIST, Reply::message(401, "401 Unauthorized"))];
    let error = rejected(&[&denied[..], &lost].concat()).await;
    assert_eq!(error.retry, RetryTime::Later, "{error}");
}

#[tokio::test(start_paused = true)]
async fn denial_of_other_reads_is_not_blamed_on_mirrors() {
    let maintainer = ok(json!({"id": 42, "permissions": {"project_access": {"access_level": 40}}}));
    let script = Script::default()
        .then(
            &format!("GET {PROJECT}/protected_branches?per_page=100&page=1"),
            Reply::message(403, "403 Forbidden"),
        )
        .then(&format!("GET {PROJECT}"), maintainer)
        .then(
            "GET /personal_access_tokens/self",
            Reply::message(401, "401 Unauthorized"),
        );
    let gitlab = gitlab(&script);
    let reasons = [
        gitlab.protected_branches(INFRA).await.expect_err("denied"),
        gitlab.own_user_id().await.expect_err("no token"),
    ]
    .map(|error| error.reason().to_string());
    expect![[r#"
        listing the protected branches of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Give the token's user this right in the project, or switch on this part of the project - CFG-407
        looking up the token's user at https://gitlab.example.com: HTTP 401: GitLab rejects the token (401 Unauthorized) from secret gitlab/infra, key "token". It is expired, revoked or not of this GitLab. Store a valid token with `aws secretsmanager put-secret-value --secret-id gitlab/infra --secret-string file:///dev/stdin` - CFG-406"#]].assert_eq(&reasons.join("\n"));
    script.sent();
}

/// GitLab did nothing, so also a request that is not repeated otherwise is sent again.
#[tokio::test(start_paused = true)]
async fn state_that_passes_is_retried_and_not_final() {
    let mut reasons = vec![];
    for [status, message] in rows(
        "
        400 | Failed to obtain a lock
        409 | 409 Conflict: Resource lock
        409 | Another update to this commit status is in progress
        423 | 423 Locked
        403 | You cannot perform write operations on a read-only instance
        ",
    ) {
        let status = status.parse().expect("a status");
        let post = format!("POST {MIRRORS}");
        let busy = Reply::message(status, message);
        let script = Script::default()
            .then(&post, busy.clone())
            .then(&post, Reply::json(201, described(7)));
        assert_eq!(create(&gitlab(&script)).await.expect("accepted").id, 7);
        let script = Script::default().then_times(4, &post, &busy);
        let error = create(&gitlab(&script)).await.expect_err("still busy");
        script.sent();
        assert_eq!(
            (error.retry, error.sent),
            (RetryTime::Later, Sent::Yes),
            "{error}"
        );
        reasons.push(error.reason().to_string());
    }
    expect![[r#"
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 400: Failed to obtain a lock. Try again later: this state of GitLab passes. A report is repeated by the health check - CFG-401
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 409: 409 Conflict: Resource lock. Try again later: this state of GitLab passes. A report is repeated by the health check - CFG-401
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 409: Another update to this commit status is in progress. Try again later: this state of GitLab passes. A report is repeated by the health check - CFG-401
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 423: 423 Locked. Try again later: this state of GitLab passes. A report is repeated by the health check - CFG-401
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 403: You cannot perform write operations on a read-only instance. Try again later: this state of GitLab passes. A report is repeated by the health check - CFG-401"#]].assert_eq(&reasons.join("\n"));
    // GitLab translates this one, so it decides nothing in English either.
    let read_only =
        "403 Forbidden - The repository is temporarily read-only. Please try again later.";
    let error = rejected(&[(LIST, Reply::message(403, read_only))]).await;
    assert_eq!(error.retry, RetryTime::Never, "{error}");
}

#[tokio::test(start_paused = true)]
async fn redirect_of_a_moved_project_has_its_number() {
    // GitLab writes its own address, which may have another scheme than the proxy's.
    for (to, number) in [
        ("https://x/api/v4/projects/81/remote_mirrors", Some(81)),
        ("http://x/api/v4/projects/81", Some(81)),
        ("https://x/api/v4/projects/platform%2Finfra", None),
        ("/users/sign_in", None),
    ] {
        let error = rejected(&[(LIST, Reply::page(301).with("location", to))]).await;
        assert_eq!(error.moved_to(), number, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_a_server_shows_its_text() {
    let mut reasons = vec![];
    for [status, body] in rows(
        r#"
        500 | {"message": "500 Internal Server Error"}
        503 | no healthy upstream
        504 | <!DOCTYPE html><p>Oops</p>
        429 | Retry later
        "#,
    ) {
        let reply = Reply::text(status.parse().expect("a status"), body);
        let error = rejected(&[(); 4].map(|()| (LIST, reply.clone()))).await;
        reasons.push(error.reason().to_string());
    }
    expect![[r#"
        listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 500: 500 Internal Server Error; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401
        listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 503: no healthy upstream; GitLab, or a proxy in front of it, is not available. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401
        listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 504: a page without a message; GitLab, or a proxy in front of it, is not available. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401
        listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 429: Retry later; GitLab throttles the requests. Try again later. A report is repeated by the health check - CFG-401"#]].assert_eq(&reasons.join("\n"));
}
