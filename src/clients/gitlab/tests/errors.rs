//! Every error of GitLab has its own text with a remedy.

use expect_test::expect;
use serde_json::{Value, json};

use super::messages::rows;
use super::script::{Reply, Script};
use super::{INFRA, MIRRORS, PASSWORD, PROJECT, TOKEN, create, described, gitlab, ok, settings};
use crate::clients::gitlab::{
    CommitRef, ErrorKind, ErrorScope, GitLab, GitLabError, Rejection, RetryTime, Sent, StatusState,
};
use crate::clients::http::{HttpError, TlsError};

/// The request that lists the mirrors of the project.
const LIST: &str = "GET /projects/platform%2Finfra/remote_mirrors?per_page=100&page=1";

pub(super) fn project_with(level: &Value) -> Reply {
    ok(json!({"id": 42, "permissions": {"project_access": level, "group_access": null}}))
}

fn unauthorized() -> Reply {
    Reply::message(401, "401 Unauthorized")
}

fn commit() -> CommitRef<'static> {
    CommitRef {
        project: INFRA,
        sha: "c1".to_owned(),
        branch: "main".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_deployment_names_the_archive_or_the_environment() {
    let mut reasons = vec![];
    for is_archived in [true, false] {
        let shown = json!({
            "id": 42,
            "archived": is_archived,
            "permissions": {"project_access": {"access_level": 40}},
        });
        let denied = Reply::message(403, "403 Forbidden");
        let script = Script::default().then(&format!("POST {PROJECT}/deployments"), denied);
        let script = script.then(&format!("GET {PROJECT}"), ok(shown));
        let gitlab = gitlab(&script);
        let created = gitlab.create_deployment(&commit(), "dev", StatusState::Success).await;
        reasons.push(created.expect_err("denied").reason().to_string());
        script.sent();
    }
    expect![[r#"
        creating a deployment to environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. The project is archived. Unarchive it in its Settings, General, Advanced, or remove GitLab from the resource - CFG-419
        creating a deployment to environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. If the commit's statuses are posted, the environment is protected: let the token's user deploy to it in the project's Settings, CI/CD, Protected environments - CFG-419"#]].assert_eq(&reasons.join("\n"));
}

/// A Maintainer may not do every part of a report, and the remedies of push mirrors do not help.
#[tokio::test(start_paused = true)]
async fn rejected_report_is_not_blamed_on_mirrors() {
    let commit = commit();
    let mut reasons = vec![];
    for (status, message) in [
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (403, "403 Forbidden - you are blocked."),
        (404, "404 Commit Not Found"),
        (400, "the mirror limit is exceeded"),
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
            let listed = gitlab.commit_places(&commit);
            reasons.push(listed.await.expect_err("rejected").reason().to_string());
            script.sent();
        }
    }
    // The level of the access changes no reason.
    reasons.dedup();
    expect![[r#"
        listing the merge requests of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 401: 401 Unauthorized. Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only - CFG-419
        listing the merge requests of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only - CFG-419
        listing the merge requests of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden - you are blocked. GitLab's message is all that is known - CFG-420
        listing the merge requests of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 404: 404 Commit Not Found. Follow GitLab's message. If the commit is only in CodeCommit, push it to GitLab - CFG-420
        listing the merge requests of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 400: the mirror limit is exceeded. GitLab's message is all that is known - CFG-420"#]].assert_eq(&reasons.join("\n"));
}

fn path_of(call: &str) -> &'static str {
    match call {
        "statuses" => "/repository/commits/c1/statuses?ref=main&name=x&per_page=100&page=1",
        "environments" => "/environments?name=dev&per_page=100&page=1",
        _ => "/repository/branches/main",
    }
}

async fn read(call: &str, gitlab: &GitLab) -> Result<(), GitLabError> {
    let commit = commit();
    match call {
        "statuses" => gitlab.commit_statuses(&commit, "x").await.map(drop),
        "environments" => gitlab.environment(INFRA, "dev").await.map(drop),
        _ => gitlab.branch(INFRA, "main").await.map(drop),
    }
}

/// The cause is in the project that explains the denial: a part of it is switched off, or
/// restricted to members.
#[tokio::test(start_paused = true)]
async fn switched_off_part_is_no_missing_right() {
    let mut reasons = vec![];
    for [call, member, access, level] in rows(
        "
        statuses | repository | disabled | 40
        statuses | builds | disabled | 40
        statuses | builds | private | 10
        statuses | builds | private | 40
        environments | repository | disabled | 40
        environments | builds | disabled | 40
        environments | environments | disabled | 40
        environments | environments | private | 0
        environments | merge_requests | disabled | 40
        branch | repository | disabled | 40
        branch | merge_requests | disabled | 40
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
        let error = read(call, &gitlab).await;
        let reason = error.expect_err("denied").reason();
        reasons.push(format!("{call}, {member} {access}, {level}: {reason}"));
        script.sent();
    }
    expect![[r#"
        statuses, repository disabled, 40: reading status x of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. The repository is switched off in the project. Change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        statuses, builds disabled, 40: reading status x of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only - CFG-419
        statuses, builds private, 10: reading status x of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. CI/CD is restricted to the project's members, and GitLab does not show that the token's user is one with the role Reporter. Add the user to the project, or change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        statuses, builds private, 40: reading status x of commit c1 in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only - CFG-419
        environments, repository disabled, 40: looking up environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. The repository is switched off in the project. Change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        environments, builds disabled, 40: looking up environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. CI/CD is switched off in the project. Change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        environments, environments disabled, 40: looking up environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Environments are switched off in the project. Change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        environments, environments private, 0: looking up environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Environments are restricted to the project's members, and GitLab does not show that the token's user is one with the role Reporter. Add the user to the project, or change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        environments, merge_requests disabled, 40: looking up environment dev in project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden. Check, for example, whether the branch is protected, and the token's user may neither push nor merge to it; the user has less than the role Developer, or no confirmed e-mail address; the namespace is read-only - CFG-419
        branch, repository disabled, 40: looking up branch main of project platform/infra at https://gitlab.example.com: HTTP 404: 404 Repository Not Found. The repository is switched off in the project. Change that in the project's Settings, General, Visibility, project features, permissions - CFG-422
        branch, merge_requests disabled, 40: looking up branch main of project platform/infra at https://gitlab.example.com: HTTP 404: 404 Repository Not Found. GitLab's message is all that is known - CFG-412"#]].assert_eq(&reasons.join("\n"));
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
    let mut reasons = vec![];
    for message in [
        "Requests to the local network are not allowed",
        "Username needs to start with an alphanumeric character",
        "Host cannot be resolved or invalid",
    ] {
        let blocked = format!("is blocked: {message}");
        let error = made(400, json!({"message": {"url": [blocked]}})).await;
        assert!(
            error.kind.is_rejection(Rejection::AddressBlocked),
            "{error}"
        );
        reasons.push(error.reason().to_string());
    }
    let error = made(422, json!({"error": "url is missing, url is empty"})).await;
    reasons.push(error.reason().to_string());
    expect![[r#"
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 400: url is blocked: Requests to the local network are not allowed. If GitLab may not send requests there, let an administrator allow this address (Admin, Settings, Network, Outbound requests). If GitLab cannot resolve the host name of CodeCommit, correct the DNS of the GitLab server. If it rejects the username, set UserName to a name that begins with a letter or a digit - CFG-411
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 400: url is blocked: Username needs to start with an alphanumeric character. If GitLab may not send requests there, let an administrator allow this address (Admin, Settings, Network, Outbound requests). If GitLab cannot resolve the host name of CodeCommit, correct the DNS of the GitLab server. If it rejects the username, set UserName to a name that begins with a letter or a digit - CFG-411
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 400: url is blocked: Host cannot be resolved or invalid. If GitLab may not send requests there, let an administrator allow this address (Admin, Settings, Network, Outbound requests). If GitLab cannot resolve the host name of CodeCommit, correct the DNS of the GitLab server. If it rejects the username, set UserName to a name that begins with a letter or a digit - CFG-411
        creating the push mirror of project platform/infra at https://gitlab.example.com: HTTP 422: url is missing, url is empty. GitLab's message is all that is known - CFG-412"#]].assert_eq(&reasons.join("\n"));

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
        let script = Script::default().then(LIST, reply);
        let error = gitlab(&script).mirrors(INFRA).await.expect_err("a redirect");
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
