//! GitLab's message is the cause. Other causes are named only if there is no message.

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

fn assert_reason(error: &GitLabError, parts: &[&str], others: &[&str]) {
    let reason = error.reason().to_string();
    assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
    assert!(!others.iter().any(|part| reason.contains(part)), "{reason}");
}

/// The rows of a table whose cells are separated by ` | `.
pub(super) fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    table.trim().lines().map(|row| {
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        cells.try_into().expect("as many cells as columns")
    })
}

/// The causes that the reasons name if GitLab sends no message.
const GUESSES: [&str; 7] = [
    "CFG-408",
    "CFG-409",
    "switched off",
    "Maintainer",
    "does not show the project",
    "expired, revoked",
    "GitLab.Url",
];

#[tokio::test(start_paused = true)]
async fn message_of_a_denial_is_its_only_cause() {
    // `rejection_message` in `lib/gitlab/auth/user_access_denied_reason.rb`, and others.
    for [status, body, said, code] in rows(
        r#"
        403 | {"message": "403 Forbidden - Your account has been blocked."} | been blocked | CFG-412
        403 | {"message": "403 Forbidden", "error": "not from your IP"} | from your IP | CFG-412
        403 | {"error": "ip", "error_description": "another network"} | another network | CFG-412
        401 | {"error": "dpop_error", "error_description": "no proof"} | no proof | CFG-406
        401 | {"error": "invalid_token", "error_description": "Token was revoked."} | was revoked | CFG-406
        405 | {"message": "405 Method Not Allowed"} | Not Allowed | CFG-412
        422 | {"message": {"error": "no space is left"}} | 422: no space is left | CFG-412
        403 | Forbidden by policy 7 | HTTP 403: Forbidden by policy 7; | CFG-403
        "#,
    ) {
        let status = status.parse().expect("a status");
        let error = rejected(&[(LIST, Reply::text(status, body))]).await;
        // Plain text is of GitLab's own limits, or of a proxy:
        // https://github.com/rack/rack-attack#responses
        let others = &GUESSES[..GUESSES.len() - usize::from(code == "CFG-403")];
        assert_reason(&error, &[said, code], others);
        assert_eq!(error.retry, RetryTime::Never, "{error}");
    }
}

/// The request of a mirror has no second form, and nothing was read before it.
#[tokio::test(start_paused = true)]
async fn write_of_a_report_that_a_firewall_rejects_has_its_size() {
    let note = Note::of("/merge_requests/3/notes/2", "");
    let text = NoteText {
        whole: &"x".repeat(9_652),
        short: "short",
    };
    let path = format!("PUT {PROJECT}/merge_requests/3/notes/2");
    let says = |bytes: &str| {
        format!("a firewall or proxy in front of GitLab rejects this request ({bytes} bytes)")
    };
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
        let error = edited.expect_err("rejected").to_string();
        assert_eq!(error.contains(&says("16")), is_blocked, "{error}");
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
    let error = edited.expect_err("rejected");
    assert_reason(
        &error,
        &[&says("9,663"), "CFG-403"],
        &GUESSES[..GUESSES.len() - 1],
    );
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
    assert_reason(&error, &["HTTP 502", "CFG-401"], &GUESSES);
    assert_eq!(error.retry, RetryTime::Later);
    let forbidden = ("", Reply::message(403, "403 Forbidden"));
    let error = rejected(&[(LIST, missing()), forbidden]).await;
    assert_reason(&error, &["404 Not found", "CFG-412"], &GUESSES);
    let lost = four(Reply::Nothing(HttpError::NoConnection));
    let denied = [(LIST, Reply::message(401, "401 Unauthorized"))];
    let error = rejected(&[&denied[..], &lost].concat()).await;
    assert_eq!(error.retry, RetryTime::Later, "{error}");
}

#[tokio::test(start_paused = true)]
async fn denial_of_other_reads_is_not_blamed_on_mirrors() {
    let maintainer =
        || ok(json!({"id": 42, "permissions": {"project_access": {"access_level": 40}}}));
    let script = Script::default()
        .then(
            &format!("GET {PROJECT}/protected_tags?per_page=100&page=1"),
            Reply::message(403, "403 Forbidden"),
        )
        .then(&format!("GET {PROJECT}"), maintainer())
        .then(
            &format!("GET {PROJECT}/members/all/7"),
            Reply::message(403, "403 Forbidden"),
        )
        .then(&format!("GET {PROJECT}"), maintainer())
        .then("GET /users/7", Reply::message(404, "404 User Not Found"))
        .then(
            "GET /personal_access_tokens/self",
            Reply::message(401, "401 Unauthorized"),
        );
    let gitlab = gitlab(&script);
    for error in [
        gitlab.protected_tags(INFRA).await.expect_err("denied"),
        gitlab.member_level(INFRA, 7).await.expect_err("denied"),
    ] {
        assert_reason(
            &error,
            &["403 Forbidden", "CFG-407"],
            &["mirror", "CFG-409"],
        );
    }
    let error = gitlab.user(7).await.expect_err("no user");
    assert_reason(&error, &["404 User Not Found"], &GUESSES);
    let error = gitlab.own_user_id().await.expect_err("no token");
    assert_reason(&error, &["expired, revoked", "CFG-406"], &[]);
    script.sent();
}

/// GitLab did nothing, so also a request that is not repeated otherwise is sent again.
#[tokio::test(start_paused = true)]
async fn state_that_passes_is_retried_and_not_final() {
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
        assert_reason(
            &error,
            &[message.trim_end_matches('.'), "CFG-401"],
            &GUESSES,
        );
    }
    // GitLab translates this one, so it decides nothing in English either.
    let read_only =
        "403 Forbidden - The repository is temporarily read-only. Please try again later.";
    let error = rejected(&[(LIST, Reply::message(403, read_only))]).await;
    assert_eq!(error.retry, RetryTime::Never, "{error}");
}

#[tokio::test(start_paused = true)]
async fn redirect_names_the_remedy_that_applies() {
    // GitLab writes its own address, which may have another scheme than the proxy's.
    for [to, said, code, other] in rows(
        "
        https://gitlab.example.com/api/v4/projects/81/remote_mirrors | was moved | CFG-408 | GitLab.Url
        http://gitlab.example.com/api/v4/projects/81 | was moved | CFG-408 | GitLab.Url
        https://git.example.org/gl/api/v4/projects/platform%2Finfra | GitLab.Url to https://git.example.org/gl - | CFG-403 | GitLabProject
        https://sso.example.org/login | login page | CFG-403 | GitLabProject
        /users/sign_in | login page | CFG-403 | GitLabProject
        ",
    ) {
        let error = rejected(&[(LIST, Reply::page(301).with("location", to))]).await;
        assert_reason(&error, &[said, code], &[other]);
        let number = (said == "was moved").then_some(81);
        assert_eq!(error.moved_to(), number, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_a_server_shows_its_text() {
    for [status, body, said] in rows(
        r#"
        500 | {"message": "500 Internal Server Error"} | 500 Internal Server Error; GitLab
        503 | no healthy upstream | no healthy upstream; GitLab, or a proxy in front of it, is not available
        504 | <!DOCTYPE html><p>Oops</p> | is not available
        429 | Retry later | Retry later; GitLab throttles
        "#,
    ) {
        let http = format!("HTTP {status}");
        let reply = Reply::text(status.parse().expect("a status"), body);
        let error = rejected(&[(); 4].map(|()| (LIST, reply.clone()))).await;
        assert_reason(&error, &[&http, said, "CFG-401"], &["<"]);
    }
}
