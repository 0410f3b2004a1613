//! Every error of GitLab has its own text with a remedy.

use serde_json::{Value, json};

use super::messages::rows;
use super::script::{Reply, Script};
use super::{
    INFRA, MIRRORS, PASSWORD, PROJECT, TOKEN, create, described, gitlab, ok, settings, token_source,
};
use crate::clients::gitlab::{
    CommitRef, ErrorKind, ErrorScope, GitLabError, Rejection, RetryTime, Sent,
};
use crate::clients::http::{HttpError, TlsError};

/// The request that lists the mirrors of the project.
const LIST: &str = "GET /projects/platform%2Finfra/remote_mirrors?per_page=100&page=1";

/// The error of a list, after the look-up of the project that explains it.
async fn explained(refusal: Reply, project: Option<Reply>) -> GitLabError {
    let mut script = Script::default().then(&format!("GET {MIRRORS}?per_page=100&page=1"), refusal);
    if let Some(project) = project {
        script = script.then(&format!("GET {PROJECT}"), project);
    }
    let error = gitlab(&script).mirrors(INFRA).await.expect_err("a refusal");
    script.sent();
    error
}

fn project_with(level: &Value) -> Reply {
    ok(json!({"id": 42, "permissions": {"project_access": level, "group_access": null}}))
}

fn unauthorized() -> Reply {
    Reply::message(401, "401 Unauthorized")
}

fn rejected(status: u16, message: &str, cause: Rejection) -> ErrorKind {
    ErrorKind::Rejected {
        status,
        message: message.to_owned(),
        cause,
    }
}

/// The error of a denied list has this kind, and a text with `parts`. It shows no token.
async fn denied(refusal: Reply, project: Option<Reply>, kind: ErrorKind, parts: &[&str]) {
    let error = explained(refusal, project).await;
    let text = error.reason().text();
    assert_eq!(error.kind, kind);
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
}

/// The secret and the key of the token, and the command that stores another one.
const SOURCE: [&str; 2] = [
    "secret gitlab/infra, key \"token\"",
    "put-secret-value --secret-id gitlab/infra",
];

#[tokio::test(start_paused = true)]
async fn rejected_token_names_its_secret_and_key_not_its_value() {
    let rejects = |message: &str| ErrorKind::TokenRejected {
        message: message.to_owned(),
        token: token_source(),
    };
    let expired = json!({"error": "invalid_token", "error_description": "Token is expired."});
    let kind = rejects("Token is expired.");
    denied(Reply::json(401, expired), None, kind, &SOURCE).await;

    // `lib/api/api_guard.rb`
    let message = "Access denied: this operation requires the permission Create Remote Mirror.";
    let granular = json!({"error": "insufficient_granular_scope", "error_description": message});
    let (message, token) = (message.to_owned(), token_source());
    let kind = ErrorKind::InsufficientPermissions { message, token };
    let parts = ["Create Remote Mirror. The token from secret"];
    denied(Reply::json(403, granular), None, kind, &parts).await;
}

#[tokio::test(start_paused = true)]
async fn denial_is_explained_by_the_access_to_the_project() {
    let maintainer = Some(project_with(&json!({"access_level": 40})));
    let message = "401 Unauthorized";
    let kind = rejected(401, message, Rejection::MirrorsDisabled);
    let parts = [
        "push mirrors are switched off",
        "being deleted",
        "external authorization",
    ];
    denied(unauthorized(), maintainer, kind, &parts).await;

    for project in [
        project_with(&Value::Null),
        Reply::message(404, "404 Project Not Found"),
        Reply::page(404),
        Reply::json(200, json!([])),
    ] {
        let kind = rejected(401, message, Rejection::Denied);
        let parts = [message, "scope `api`", "Maintainer"];
        denied(unauthorized(), Some(project), kind, &parts).await;
    }
}

/// A Maintainer may not do every part of a report, and the remedies of push mirrors do not help.
#[tokio::test(start_paused = true)]
async fn rejected_report_is_not_blamed_on_mirrors() {
    let commit = CommitRef {
        project: INFRA,
        sha: "c1".to_owned(),
        branch: "main".to_owned(),
    };
    for (status, message, code) in [
        (401, "401 Unauthorized", "CFG-419"),
        (403, "403 Forbidden", "CFG-419"),
        (403, "403 Forbidden - you are blocked.", "CFG-420"),
        (404, "404 Commit Not Found", "CFG-420"),
        (400, "the mirror limit is exceeded", "CFG-420"),
    ] {
        for level in [30, 40] {
            let listed = "/repository/commits/c1/merge_requests?per_page=20&page=1";
            let rejected = Reply::message(status, message);
            let mut script = Script::default().then(&format!("GET {PROJECT}{listed}"), rejected);
            if ["401 Unauthorized", "403 Forbidden"].contains(&message) {
                let project = project_with(&json!({"access_level": level}));
                script = script.then(&format!("GET {PROJECT}"), project);
            }
            let gitlab = gitlab(&script);
            let listed = gitlab.commit_places(&commit, None);
            let reason = listed.await.expect_err("rejected").reason().to_string();
            assert!(
                reason.contains(message) && reason.contains(code),
                "{reason}"
            );
            let rest = reason.replace(message, "");
            assert!(!rest.contains("mirror"), "{reason}");
            if message.contains("blocked") {
                let guesses = ["for example", "protected"];
                assert!(!guesses.iter().any(|it| rest.contains(it)), "{reason}");
            }
            script.sent();
        }
    }
}

/// The cause is in the project that explains the denial: a part of it is switched off, or
/// restricted to members.
#[tokio::test(start_paused = true)]
async fn switched_off_part_is_no_missing_right() {
    let commit = CommitRef {
        project: INFRA,
        sha: "c1".to_owned(),
        branch: "main".to_owned(),
    };
    let path_of = |call| match call {
        "statuses" => "/repository/commits/c1/statuses?ref=main&name=x&per_page=100&page=1",
        "environments" => "/environments?name=dev&per_page=100&page=1",
        "branch" => "/repository/branches/main",
        _ => "/protected_tags?per_page=100&page=1",
    };
    for [call, member, access, level, shows] in rows(
        "
        statuses | repository | disabled | 40 | The repository is switched off
        statuses | builds | disabled | 40 | for example
        statuses | builds | private | 10 | CI/CD is restricted to the project's members
        statuses | builds | private | 40 | for example
        environments | repository | disabled | 40 | The repository is switched off
        environments | builds | disabled | 40 | CI/CD is switched off
        environments | environments | disabled | 40 | Environments are switched off
        environments | environments | private | 0 | Environments are restricted
        environments | merge_requests | disabled | 40 | for example
        tags | repository | disabled | 40 | The repository is switched off
        tags | repository | private | 0 | The repository is restricted
        tags | merge_requests | disabled | 30 | need a Maintainer
        branch | repository | disabled | 40 | The repository is switched off
        branch | merge_requests | disabled | 40 | Repository Not Found
        ",
    ) {
        let level: u64 = level.parse().expect("a level");
        let path = path_of(call);
        let mut shown =
            json!({"id": 42, "permissions": {"project_access": {"access_level": level}}});
        shown[format!("{member}_access_level")] = json!(access);
        // `require_repository_enabled!` in `lib/api/branches.rb`.
        let denied = match call {
            "branch" => Reply::message(404, "404 Repository Not Found"),
            _ => Reply::message(403, "403 Forbidden"),
        };
        let script = Script::default()
            .then(&format!("GET {PROJECT}{path}"), denied)
            .then(&format!("GET {PROJECT}"), ok(shown));
        let gitlab = gitlab(&script);
        let error = match call {
            "statuses" => gitlab.commit_statuses(&commit, "x").await.map(drop),
            "environments" => gitlab.environment(INFRA, "dev").await.map(drop),
            "branch" => gitlab.branch(INFRA, "main").await.map(drop),
            _ => gitlab.protected_tags(INFRA).await.map(drop),
        };
        let reason = error.expect_err("denied").reason().to_string();
        assert!(
            reason.contains(shows),
            "{member} {access} {level}: {reason}"
        );
        let is_part = shows.contains("switched") || shows.contains("restricted");
        assert_eq!(reason.ends_with("CFG-422"), is_part, "{reason}");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn html_404_is_not_a_missing_mirror() {
    let script = Script::default()
        .then(&format!("GET {MIRRORS}/7"), Reply::page(404))
        .then(&format!("DELETE {MIRRORS}/7"), Reply::page(404));
    let gitlab = gitlab(&script);
    for error in [
        gitlab.mirror(INFRA, 7).await.expect_err("a page"),
        gitlab.delete(INFRA, 7).await.expect_err("a page"),
    ] {
        assert!(error.to_string().contains("HTTP 404: a page"), "{error}");
        assert_eq!((error.sent, error.scope), (Sent::No, ErrorScope::Request));
    }
}

#[tokio::test(start_paused = true)]
async fn sync_of_disabled_mirror_names_silent_mode() {
    let message =
        "Cannot proceed with the push mirroring. Please verify your mirror configuration.";
    let reply = Reply::message(400, message);
    for enabled in [false, true] {
        let mut shown = described(7);
        shown["enabled"] = json!(enabled);
        let script = Script::default()
            .then(&format!("POST {MIRRORS}/7/sync"), reply.clone())
            .then(&format!("GET {MIRRORS}/7"), ok(shown));
        let error = gitlab(&script).sync(INFRA, 7).await.expect_err("rejected");
        let is_disabled = error.kind.is_rejection(Rejection::StaysDisabled);
        assert_eq!(is_disabled, !enabled, "{error}");
        assert_eq!(error.reason().text().contains("silent mode"), !enabled);
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_address_names_the_remedy() {
    let made = async |status, body| {
        let script = Script::default()
            .then(&format!("POST {MIRRORS}"), Reply::json(status, body))
            .then(LIST, ok(json!([])));
        create(&gitlab(&script)).await.expect_err("a refusal")
    };
    for (message, remedy) in [
        (
            "Requests to the local network are not allowed",
            "Outbound requests",
        ),
        (
            "Username needs to start with an alphanumeric character",
            "UserName",
        ),
        ("Host cannot be resolved or invalid", "DNS"),
    ] {
        let blocked = format!("is blocked: {message}");
        let error = made(400, json!({"message": {"url": [blocked]}})).await;
        assert!(
            error.kind.is_rejection(Rejection::AddressBlocked),
            "{error}"
        );
        assert!(error.reason().text().contains(remedy), "{error}");
    }

    let error = made(422, json!({"error": "url is missing, url is empty"})).await;
    assert!(error.to_string().contains("HTTP 422: url is missing, url is empty"));

    let moved = "405 Non GET methods are not allowed for moved projects";
    let error = made(405, json!({"message": moved})).await;
    assert!(
        error.kind.is_rejection(Rejection::ProjectMoved(None)),
        "{error}"
    );
}

// claim: token-for-another-host-is-neither-read-nor-sent
#[tokio::test(start_paused = true)]
async fn redirect_is_reported_and_not_followed() {
    let to = format!("https://user:{TOKEN}@elsewhere.example.org/login?token={TOKEN}#{TOKEN}");
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::page(status).with("location", &to);
        let error = explained(reply, None).await;
        let to = "https://*****@elsewhere.example.org/login".to_owned();
        assert_eq!(error.kind, ErrorKind::Redirected { status, to });
        // The project may have moved, and others have not.
        assert_eq!((error.sent, error.scope), (Sent::No, ErrorScope::Request));
    }
}

#[tokio::test(start_paused = true)]
async fn error_carries_whether_the_request_was_sent_and_may_be_repeated() {
    let post = format!("POST {MIRRORS}");
    let nothing = Reply::Nothing;
    let tls = |error| Reply::Nothing(HttpError::Tls(error));
    let large = Reply::text(201, &" ".repeat(1_000_001));
    let of = |status, message| Reply::message(status, message);
    let lost = (Sent::Unknown, RetryTime::Later, ErrorScope::Unclear);
    let unclear = (Sent::Unknown, RetryTime::Never, ErrorScope::Request);
    let stopped = (Sent::No, RetryTime::Never, ErrorScope::Request);
    let offline = (Sent::No, RetryTime::Later, ErrorScope::GitLab);
    let untrusted = (Sent::No, RetryTime::Never, ErrorScope::GitLab);
    let throttled = (Sent::No, RetryTime::Later, ErrorScope::Unclear);
    let answered = |retry| (Sent::Yes, retry, ErrorScope::Request);
    let transition = "Cannot transition status";
    for (reply, times, expected) in [
        (nothing(HttpError::NoResponse), 1, lost),
        (Reply::Silence, 1, lost),
        (Reply::page(502), 1, lost),
        (of(500, "500 Internal Server Error"), 1, lost),
        (Reply::page(200), 1, unclear),
        (Reply::empty(201), 1, unclear),
        (Reply::json(201, json!({})), 1, unclear),
        (large, 1, unclear),
        (of(400, "bad"), 1, answered(RetryTime::Never)),
        (of(409, "409 Conflict"), 4, answered(RetryTime::Later)),
        (of(400, transition), 1, answered(RetryTime::AfterRead)),
        (of(422, transition), 1, answered(RetryTime::Never)),
        (Reply::page(403), 1, stopped),
        (Reply::page(302), 1, stopped),
        (nothing(HttpError::Unsendable), 1, stopped),
        (Reply::empty(429), 4, throttled),
        (nothing(HttpError::NoConnection), 4, offline),
        (tls(TlsError::ServerFailed), 4, offline),
        (tls(TlsError::Expired), 1, untrusted),
    ] {
        let script = Script::default().then_times(times, &post, &reply).then(LIST, ok(json!([])));
        let error = create(&gitlab(&script)).await.expect_err("a fault");
        let carried = (error.sent, error.retry, error.scope);
        assert_eq!(carried, expected, "{error}");
    }
}

/// Cloudflare's page, a route that GitLab does not have, and a certificate: none is a missing
/// project or a wrong address.
#[tokio::test(start_paused = true)]
async fn error_before_the_api_has_its_own_remedy() {
    let title = |title: &str| Reply::text(403, &format!("<html><title>{title}</title></html>"));
    let unknown = Reply::json(404, json!({"error": "404 Not Found"}));
    for (reply, code, says, other) in [
        (
            title("Just a moment..."),
            "CFG-403",
            "Cloudflare's challenges",
            "login page",
        ),
        (
            title("Checking your browser"),
            "CFG-403",
            "Cloudflare's challenges",
            "login page",
        ),
        (
            Reply::page(403).with("cf-mitigated", "challenge"),
            "CFG-403",
            "Cloudflare",
            "GitLab.Url",
        ),
        (
            Reply::page(403).with("server", "cloudflare"),
            "CFG-403",
            "login page",
            "Cloudflare",
        ),
        (unknown, "CFG-403", "decodes %2F", "no such project"),
        (
            Reply::Nothing(HttpError::Tls(TlsError::CaAsServer)),
            "CFG-402",
            "CA:FALSE",
            "trusted",
        ),
        (
            Reply::Nothing(HttpError::Tls(TlsError::Expired)),
            "CFG-402",
            "Renew",
            "CaCertificate",
        ),
        (
            Reply::Nothing(HttpError::Tls(TlsError::ClientCertificateRequired)),
            "CFG-423",
            "without a client certificate",
            "GitLab.Url",
        ),
    ] {
        let reason = explained(reply, None).await.reason().to_string();
        let has = |part: &str| reason.contains(part);
        assert!(has(code) && has(says) && !has(other), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejection_names_the_call_and_the_gitlab() {
    let refused = Reply::message(400, "no");
    let script = Script::default()
        .then(&format!("POST {MIRRORS}"), refused.clone())
        .then(LIST, refused.clone())
        .then(&format!("PUT {MIRRORS}/7"), refused.clone())
        .then(LIST, refused.clone())
        .then(&format!("PUT {MIRRORS}/7"), refused.clone())
        .then(&format!("DELETE {MIRRORS}/7"), refused);
    let gitlab = gitlab(&script);
    let update = async |enabled| gitlab.update(INFRA, 7, &settings(), enabled).await;
    for (error, doing) in [
        (create(&gitlab).await.err(), "creating the push mirror"),
        (update(true).await.err(), "enabling push mirror 7"),
        (update(false).await.err(), "updating push mirror 7"),
        (
            gitlab.delete(INFRA, 7).await.err(),
            "deleting push mirror 7",
        ),
    ] {
        let at = "of project platform/infra at https://gitlab.example.com: HTTP 400: no";
        let text = error.expect("a refusal").to_string();
        assert_eq!(text, format!("{doing} {at}"));
    }
}

/// Messages that repeat the token or the password, in every spelling.
fn messages_with_secrets() -> Vec<String> {
    let escaped = PASSWORD.replace('+', "%2B").replace('=', "%3D");
    vec![
        format!("bad token {TOKEN}"),
        format!("https://mirror:{PASSWORD}@host/repo is bad"),
        format!("https://mirror:{escaped}@host/repo is bad"),
        format!("https://mirror:{}", &PASSWORD[..20]),
        format!("password: {PASSWORD}, or {escaped}"),
        "https://mirror:another@password@host".to_owned(),
    ]
}

fn assert_no_secret(shown: &str) {
    for secret in [TOKEN, PASSWORD, "SentinelPassword", "another"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

// claim: no-text-from-gitlab-shows-a-secret
#[tokio::test(start_paused = true)]
async fn nothing_that_gitlab_repeats_shows_a_secret() {
    let post = format!("POST {MIRRORS}");
    for tale in messages_with_secrets() {
        let mut scripts = vec![];
        for body in [
            json!({"message": tale}),
            json!({"message": {"url": [tale]}}),
            json!({"message": {&tale: ["is blocked"]}}),
            json!({"message": [tale, {"deep": [[tale]]}]}),
            json!({"error": tale}),
            json!({"error": "invalid_token", "error_description": tale}),
        ] {
            for status in [400, 401, 403, 404, 405, 422, 429, 500] {
                let times = if status == 429 { 4 } else { 1 };
                let reply = Reply::json(status, body.clone());
                let mut script = Script::default().then_times(times, &post, &reply);
                if matches!(status, 400 | 422) && body["error"] != "invalid_token" {
                    script = script.then(LIST, reply);
                }
                scripts.push(script);
            }
            let script = Script::default().then(&post, unauthorized());
            scripts.push(script.then(&format!("GET {PROJECT}"), Reply::json(401, body)));
        }
        for status in [400, 403, 500] {
            scripts.push(Script::default().then(&post, Reply::text(status, &tale)));
        }
        for script in scripts {
            let error = create(&gitlab(&script)).await.expect_err("a refusal");
            script.sent();
            assert_no_secret(&format!("{error} {error:?}"));
        }
        let mut answer = described(7);
        answer["last_error"] = json!(tale);
        answer["url"] = json!(tale);
        let script = Script::default().then(&post, Reply::json(201, answer));
        let gitlab = gitlab(&script);
        let mirror = create(&gitlab).await.expect("a mirror");
        assert_no_secret(&format!("{mirror:?} {gitlab:?}"));
    }
}
