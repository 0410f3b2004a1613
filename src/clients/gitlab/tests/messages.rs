//! What GitLab says is the cause. Other causes are named only if it says nothing.

use serde_json::json;

use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, PROJECT, create, described, gitlab, ok};
use crate::clients::gitlab::{CommitRef, GitLabError, NoteTarget};
use crate::clients::http::HttpError;

const LIST: &str = "/remote_mirrors?per_page=100&page=1";

/// The error of a list of mirrors, to which GitLab sends these responses.
async fn rejected(replies: &[(&str, Reply)]) -> GitLabError {
    let script = replies
        .iter()
        .fold(Script::default(), |script, (of, reply)| {
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

/// What the reasons name if GitLab says nothing.
const GUESSES: [&str; 7] = [
    "CFG-408",
    "CFG-409",
    "switched off",
    "Maintainer",
    "no such project",
    "expired, revoked",
    "GitLab.Url",
];

#[tokio::test(start_paused = true)]
async fn message_of_a_denial_is_its_only_cause() {
    // `rejection_message` in `lib/gitlab/auth/user_access_denied_reason.rb`, and others.
    for (status, body, said, code) in [
        (
            403,
            json!({"message": "403 Forbidden - Your account has been blocked."}),
            "been blocked",
            "CFG-412",
        ),
        (
            403,
            json!({"message": "403 Forbidden", "error": "not from your IP"}),
            "from your IP",
            "CFG-412",
        ),
        (
            403,
            json!({"error": "ip", "error_description": "another network"}),
            "another network",
            "CFG-412",
        ),
        (
            401,
            json!({"error": "dpop_error", "error_description": "no proof"}),
            "no proof",
            "CFG-406",
        ),
        (
            401,
            json!({"error": "invalid_token", "error_description": "Token was revoked."}),
            "was revoked",
            "CFG-406",
        ),
        (
            404,
            json!({"message": "404 Repository Not Found"}),
            "Repository Not Found",
            "CFG-412",
        ),
        (
            405,
            json!({"message": "405 Method Not Allowed"}),
            "Not Allowed",
            "CFG-412",
        ),
        (
            422,
            json!({"message": {"error": "no space is left"}}),
            "422: no space is left",
            "CFG-412",
        ),
    ] {
        let error = rejected(&[(LIST, Reply::json(status, body))]).await;
        assert_reason(&error, &[said, code], &GUESSES);
        assert!(!error.is_transient(), "{error}");
    }
}

/// The project was not looked up, so nothing is known of it.
#[tokio::test(start_paused = true)]
async fn failed_look_up_names_no_cause() {
    let missing = || Reply::message(404, "404 Not found");
    let four = |reply: Reply| [(); 4].map(|()| ("", reply.clone()));
    let first = [(LIST, missing())];
    let error = rejected(&[&first[..], &four(Reply::page(502))].concat()).await;
    assert_reason(&error, &["HTTP 502", "CFG-401"], &GUESSES);
    assert!(error.is_transient());
    let forbidden = ("", Reply::message(403, "403 Forbidden"));
    let error = rejected(&[(LIST, missing()), forbidden]).await;
    assert_reason(&error, &["404 Not found", "CFG-412"], &GUESSES);
    let lost = four(Reply::Nothing(HttpError::NoConnection));
    let denied = [(LIST, Reply::message(401, "401 Unauthorized"))];
    let error = rejected(&[&denied[..], &lost].concat()).await;
    assert!(error.is_transient(), "{error}");
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
    let read_only = "You cannot perform write operations on a read-only instance";
    for (status, message) in [
        (400, "Failed to obtain a lock"),
        (409, "409 Conflict: Resource lock"),
        (409, "Another update to this commit status is in progress"),
        (423, "423 Locked"),
        (403, read_only),
        (
            403,
            "403 Forbidden - The repository is temporarily read-only. Please try again later.",
        ),
    ] {
        let post = format!("POST {MIRRORS}");
        let busy = Reply::message(status, message);
        let script = Script::default()
            .then(&post, busy.clone())
            .then(&post, Reply::json(201, described(7)));
        assert_eq!(create(&gitlab(&script)).await.expect("accepted").id, 7);
        let script = Script::default().then_times(4, &post, &busy);
        let error = create(&gitlab(&script)).await.expect_err("still busy");
        script.sent();
        assert!(error.is_transient() && !error.outcome_unknown(), "{error}");
        assert_reason(
            &error,
            &[message.trim_end_matches('.'), "CFG-401"],
            &GUESSES,
        );
    }
    let taken = Reply::message(409, "Name has already been taken");
    let error = rejected(&[(LIST, taken)]).await;
    assert!(!error.is_transient(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn redirect_names_the_remedy_that_applies() {
    let here = "https://gitlab.example.com/api/v4/projects";
    for (to, parts, others) in [
        // GitLab writes its own address, which may have another scheme than the proxy's.
        (
            format!("{here}/81/remote_mirrors"),
            ["project was moved", "CFG-408"],
            "GitLab.Url",
        ),
        (
            here.replace("https:", "http:") + "/81",
            ["project was moved", "CFG-408"],
            "GitLab.Url",
        ),
        (
            "https://git.example.org/gitlab/api/v4/projects/platform%2Finfra".to_owned(),
            [
                "set GitLab.Url to https://git.example.org/gitlab -",
                "CFG-403",
            ],
            "GitLabProject",
        ),
        (
            "https://sso.example.org/login".to_owned(),
            ["login page", "CFG-403"],
            "GitLabProject",
        ),
        (
            "/users/sign_in".to_owned(),
            ["login page", "CFG-403"],
            "GitLabProject",
        ),
    ] {
        let error = rejected(&[(LIST, Reply::page(301).with("location", &to))]).await;
        assert_reason(&error, &parts, &[others]);
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_a_server_shows_its_text() {
    for (status, reply, parts) in [
        (
            500,
            Reply::message(500, "500 Internal Server Error"),
            "500 Internal Server Error; GitLab",
        ),
        (
            503,
            Reply::text(503, "no healthy upstream"),
            "no healthy upstream; GitLab, or a proxy in front of it, is not available",
        ),
        (504, Reply::page(504), "is not available"),
        (
            429,
            Reply::text(429, "Retry later\n"),
            "Retry later; GitLab throttles",
        ),
    ] {
        let error = rejected(&[(); 4].map(|()| (LIST, reply.clone()))).await;
        assert_reason(
            &error,
            &[&format!("HTTP {status}"), parts, "CFG-401"],
            &["<"],
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_report_quotes_gitlab_alone() {
    let commit = CommitRef {
        project: INFRA.to_owned(),
        sha: "c1".to_owned(),
        branch: "main".to_owned(),
    };
    let listed = "/repository/commits/c1/merge_requests?per_page=20&page=1";
    let message = "403 Forbidden - Your account has been blocked.";
    let script = Script::default().then(
        &format!("GET {PROJECT}{listed}"),
        Reply::message(403, message),
    );
    let gitlab = gitlab(&script);
    let listed = gitlab.note_places(&commit, NoteTarget::Commit);
    let error = listed.await.expect_err("rejected");
    assert_reason(
        &error,
        &["has been blocked", "CFG-420"],
        &["One of these", "protected"],
    );
    script.sent();
}
