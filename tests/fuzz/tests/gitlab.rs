//! Fuzz targets: GitLab's responses, the next page of its lists, a token's secret and its tag.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use cfn_gitops::clients::gitlab::fuzzing::{
    Mirror, ProjectDetails, is_same_url, is_usable, path, read_response, shown, spellings,
    token_in, with_login,
};
use cfn_gitops::clients::http::{Http, HttpError};
use cfn_gitops::common::password::Password;
use fuzz::{Choices, SENTINEL, fuzz, strings_in};

const TOKEN: &str = "glpat-5EcReT";
const URL: &str = "https://gitlab.example.com";
const API: &str = "https://gitlab.example.com/api/v4";

/// Answers are handed to the parser itself: nothing is sent.
#[derive(Debug)]
struct Unreachable;

impl HttpConnector for Unreachable {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::io(HttpError::NoConnection.into())))
    }
}

fn described() -> Value {
    json!({
        "id": 102,
        "url": "https://*****:*****@git-codecommit.eu-central-1.amazonaws.com/v1/repos/r",
        "enabled": true,
        "only_protected_branches": true,
        "keep_divergent_refs": false,
        "mirror_branch_regex": null,
        "update_status": "finished",
        "last_error": format!("fatal: https://user:{SENTINEL}@example.com/r refused"),
        "last_update_at": "2026-11-20T07:55:00.123Z",
        "last_update_started_at": "2026-11-20T08:55:00.123+01:00",
        "last_successful_update_at": "2026-11-20T07:55:00.123Z",
    })
}

fn body(choices: &mut Choices) -> String {
    let seeds = [
        json!([described(), described()]),
        json!({"message": {"base": ["no"], "url": [format!("is {TOKEN} or {SENTINEL}")]}}),
        json!({"error": "insufficient_scope", "error_description": format!("{TOKEN}\n\u{202e}")}),
        json!({"message": format!("https://user:{SENTINEL}@example.com/r already been taken")}),
    ];
    let value = choices.json(&seeds);
    if choices.below(2) == 0 {
        return value.to_string();
    }
    choices.text(&[&value.to_string()])
}

// claim: no-response-shows-a-secret-or-redirects-the-token
// claim: no-text-from-gitlab-shows-a-secret
#[test]
fn no_response_shows_a_secret_or_redirects_the_token() {
    let http = Http::new(SharedHttpConnector::new(Unreachable));
    let password = Password::new(SENTINEL);
    fuzz(|choices| {
        let status = 100 + u16::try_from(choices.below(500)).expect("below 500");
        let status = StatusCode::try_from(status).expect("a status");
        let mut answer = HttpResponse::new(status, SdkBody::from(body(choices)));
        let headers = [
            ("x-next-page", ["2", "", "2/../x"].as_slice()),
            ("retry-after", &["30", "18446744073709551615"]),
            (
                "location",
                &["https://user:s3ntinel@gitlab.example.org/?private_token=glpat-5EcReT"],
            ),
        ];
        for (name, seeds) in headers {
            if choices.below(2) == 0 {
                // The header parser rejects an invalid value.
                let _ = answer.headers_mut().try_insert(name, choices.text(seeds));
            }
        }
        let read = read_response(&answer, URL, TOKEN, &password, http.clone());
        for text in read.shown.iter().chain([&read.message]) {
            assert!(!text.contains(TOKEN) && !text.contains(SENTINEL), "{text}");
        }
        let message = &read.message;
        let length = message.chars().count();
        assert!((1..=300).contains(&length), "{message}");
        assert!(!message.contains(char::is_control), "{message:?}");
        if let Some(json) = read.json {
            let project = ProjectDetails::parse(&json);
            assert_eq!(ProjectDetails::parse(&json), project);
            assert!(strings_in(&json).iter().all(|text| !text.contains(TOKEN)));
        }
    });
}

// claim: no-response-shows-a-secret-or-redirects-the-token
#[test]
fn mirror_is_read_without_the_login_in_its_last_error() {
    fuzz(|choices| {
        let described = choices.json(&[described()]);
        let Some(mirror) = Mirror::parse(&described) else {
            // GitLab's number is a positive one of 63 bits.
            let id = described["id"].as_i64().filter(|id| *id >= 0);
            assert!(id.is_none(), "{described}");
            return;
        };
        assert_eq!(Some(mirror.id), described["id"].as_u64());
        let error = mirror.last_error.map(|error| error.shown([&Password::new("hunter2")]));
        let error = error.unwrap_or_default();
        assert!(error.chars().count() <= 300);
        assert!(!error.contains(char::is_control), "{error:?}");
    });
}

// claim: no-response-shows-a-secret-or-redirects-the-token
#[test]
fn login_in_an_address_is_never_shown() {
    fuzz(|choices| {
        let around = choices.text(&["remote: ", "fatal: unable to access '", "x://y ", ""]);
        let after = choices.text(&["example.com/r.git/'", "h", "[::1]:8080/r"]);
        let text = format!("{around} https://user:{SENTINEL}@{after}");
        let found = shown(&text);
        if !around.contains(SENTINEL) && !after.contains(SENTINEL) {
            assert!(!found.contains(SENTINEL), "{text:?} {found:?}");
        }
        // A text that may be shown is not changed.
        assert_eq!(shown(&found), found);
    });
}

// claim: project-is-one-path-segment
#[test]
fn project_is_one_segment_of_a_path() {
    fuzz(|choices| {
        let project = choices.text(&["platform/infra", "42", "a/b/c.d_e-f"]);
        let address = format!("{API}{}", path(&project, "/remote_mirrors"));
        let parsed = reqwest::Url::parse(&address).expect("an address");
        let name = project.trim_matches('/');
        if [".", ".."].contains(&name) {
            // Decoding rejects it: a project is a number, or has a group.
            return;
        }
        let segments: Vec<&str> = parsed.path_segments().expect("a path").collect();
        assert_eq!(segments.len(), 5, "{project:?} {address}");
        assert_eq!(segments[2], "projects", "{address}");
        assert_eq!(segments[4], "remote_mirrors", "{address}");
        let rest = (parsed.query(), parsed.fragment());
        assert_eq!(rest, (None, None), "{address}");
    });
}

// claim: token-is-a-valid-header-or-rejected
#[test]
fn token_is_a_valid_header_or_rejected() {
    fuzz(|choices| {
        let value = choices.text(&[
            r#"{"token": "s3ntinel", "other": 7}"#,
            r#"{"token": {"token": "s3ntinel"}}"#,
            "s3ntinel\n",
            r#"["s3ntinel"]"#,
        ]);
        let key = choices.text(&["token", "other"]);
        match token_in(&value, &key) {
            Ok(token) => {
                let token = token.expose();
                assert!(!token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()));
                assert!(value.contains(token) || value.contains('\\'), "{value}");
            }
            Err(fault) => {
                let shows = fault.to_string().contains(SENTINEL);
                assert!(!shows || key.contains(SENTINEL), "{fault}");
            }
        }
    });
}

// claim: token-for-another-host-is-neither-read-nor-sent
// claim: safe-address-is-encrypted-or-local
#[test]
fn only_the_gitlab_of_the_tag_is_called() {
    let seeds = [
        "https://gitlab.example.com",
        "https://gitlab.example.com:443/",
        "https://GitLab.example.com/below",
        "http://127.0.0.1:8080",
    ];
    fuzz(|choices| {
        let (tagged, url) = (choices.text(&seeds), choices.text(&seeds));
        if !is_usable(&url) || !is_same_url(&tagged, &url) {
            return;
        }
        let asked = format!("{}/api/v4/metadata", url.trim_end_matches('/'));
        let asked = reqwest::Url::parse(&asked).expect("it is usable");
        let tagged = reqwest::Url::parse(tagged.trim()).expect("it is the same");
        assert_eq!(asked.origin(), tagged.origin());
        let below = tagged.path().trim_end_matches('/');
        assert!(asked.path().starts_with(below));
        assert!(asked.username().is_empty() && asked.password().is_none());
    });
}

// claim: safe-address-is-encrypted-or-local
#[test]
fn login_in_a_mirrors_address_leads_to_the_same_place() {
    fuzz(|choices| {
        let clone_url =
            choices.text(&["https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/r"]);
        let login = choices.text(&["user-dev-m-at-123456789012", "a@b"]);
        let password = Password::new(choices.text(&["pA55w+rd="]));
        for spelling in spellings(&clone_url) {
            let Some(url) = with_login(&spelling, &login, &password) else {
                continue;
            };
            let host = |url: &str| {
                let parsed = reqwest::Url::parse(url).ok()?;
                let port = parsed.port_or_known_default();
                parsed.host_str().map(|host| (host.to_owned(), port))
            };
            // An invalid address has no host.
            if let Some(there) = host(&url) {
                assert_eq!(Some(there), host(&clone_url), "{url}");
            }
        }
    });
}
