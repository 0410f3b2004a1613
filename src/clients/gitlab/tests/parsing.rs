//! Parses a mirror's description and messages.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{CLONE_URL, described};
use crate::clients::gitlab::api::sanitize::{Unredacted, message, shown, without_logins};
use crate::clients::gitlab::mirrors::mirror::{Mirror, PushStatus, Settings};
use crate::clients::gitlab::mirrors::mirror_address::Destination;
use crate::common::password::Password;

fn read(description: &serde_json::Value) -> Mirror {
    Mirror::parse(description).expect("a mirror")
}

#[test]
fn mirror_is_parsed_as_gitlab_describes_it() {
    let mut description = described(101_486);
    description["enabled"] = json!(true);
    description["update_status"] = json!("failed");
    description["last_update_started_at"] = json!("2026-11-20T07:55:00.864Z");
    description["last_update_at"] = json!("2026-11-20T08:55:01+01:00");
    description["last_successful_update_at"] = json!("2026-11-20T07:55:02.000-00:00");
    description["last_error"] = json!("13:remote: denied\n");
    description["mirror_branch_regex"] = json!("");
    let at = |milliseconds| {
        let since = Duration::from_secs(1_795_161_300) + Duration::from_millis(milliseconds);
        Some(SystemTime::UNIX_EPOCH + since)
    };
    assert_eq!(
        read(&description),
        Mirror {
            id: 101_486,
            destination: Destination::parse(CLONE_URL),
            enabled: true,
            settings: Settings {
                only_protected_branches: true,
                has_branch_regex: false,
                keep_divergent_refs: false,
            },
            status: PushStatus::Failed,
            last_error: Some(Unredacted::new("13:remote: denied")),
            started_at: at(864),
            updated_at: at(1000),
            succeeded_at: at(2000),
        }
    );
}

#[test]
fn missing_members_have_a_default() {
    let mirror = read(&json!({"id": 1}));
    assert!(mirror.enabled);
    assert_eq!(mirror.status, PushStatus::None);
    assert_eq!(mirror.succeeded_at, None);
    assert!(!mirror.settings.keep_divergent_refs);
    assert!(!mirror.leads_to(CLONE_URL));
    let odd = json!({"id": 1, "update_status": "resting", "last_update_at": "yesterday",
        "mirror_branch_regex": null, "url": null, "enabled": null});
    let mirror = read(&odd);
    assert_eq!(
        (mirror.status, mirror.updated_at),
        (PushStatus::Other, None)
    );
}

#[test]
fn every_push_status_is_known() {
    for (word, status) in [
        ("none", PushStatus::None),
        ("scheduled", PushStatus::Scheduled),
        ("started", PushStatus::Started),
        ("finished", PushStatus::Finished),
        ("failed", PushStatus::Failed),
        ("to_retry", PushStatus::ToRetry),
    ] {
        let description = json!({"id": 1, "update_status": word});
        assert_eq!(read(&description).status, status);
    }
}

fn leading_to(url: &str) -> Mirror {
    read(&json!({"id": 1, "url": url}))
}

#[test]
fn mirror_leads_to_a_repository_with_any_login() {
    let host = "git-codecommit.eu-central-1.amazonaws.com";
    for url in [
        CLONE_URL.to_owned(),
        format!("{CLONE_URL}/"),
        CLONE_URL.replace("://", "://*****:*****@"),
        CLONE_URL.replace("://", "://user@"),
        CLONE_URL.replace(host, "GIT-CodeCommit.eu-central-1.amazonaws.com:443"),
    ] {
        assert!(leading_to(&url).leads_to(CLONE_URL), "{url}");
        assert!(leading_to(CLONE_URL).leads_to(&url), "{url}");
    }
}

#[test]
fn mirror_to_another_address_does_not_lead_there() {
    for url in [
        CLONE_URL.replace("https", "http"),
        CLONE_URL.replace("infra", "infra2"),
        CLONE_URL.replace("infra", "Infra"),
        CLONE_URL.replace("eu-central-1", "eu-west-1"),
        CLONE_URL.replace(".com/", ".com:8443/"),
        CLONE_URL.replace("https://git", "https://x@evil.example.org/git"),
        String::new(),
    ] {
        assert!(!leading_to(&url).leads_to(CLONE_URL), "{url}");
    }
}

/// A proxy may put the login anywhere in an address that it rewrites.
#[test]
fn destination_never_shows_a_login() {
    let host = "https://git.example.com";
    for (shown, text) in [
        ("", "no address"),
        ("git.example.com/r", "no address"),
        ("https://u:p%40git.example.com/r", "no address"),
        ("https://u%3Ap%40git.example.com/r", "no address"),
        ("https://u:p@git.example.com/r", "/r"),
        ("https://u%3Ap@git.example.com/r", "/r"),
        ("https://a@b:p@git.example.com/r", "/r"),
        ("https://git.example.com/r?login=u:p#u:p", "/r"),
        ("https://git.example.com/https://u:p@example.com/r", "/…"),
        ("https://git.example.com/u%3Ap%40example.com/r", "/…"),
        ("https://git.example.com/u/cGFzc3dvcmQ=/r", "/…"),
        ("https://git.example.com/u/cGFzc3dvcmQ%3D/r", "/…"),
        ("https://git.example.com/v1%252Fr", "/…"),
        ("https://git.example.com/v1%2Fr%2dx.git", "/v1%2Fr%2dx.git"),
        ("https://GIT.example.com:443/r\nx", "/rx"),
    ] {
        let expected = match text {
            "no address" => text.to_owned(),
            path => format!("{host}{path}"),
        };
        assert_eq!(Destination::parse(shown).to_string(), expected, "{shown}");
    }
    let long = format!("{host}/{}", "r".repeat(5000));
    assert!(Destination::parse(&long).to_string().len() < 400);
}

#[test]
fn mirror_needs_an_id_of_gitlabs_database() {
    for id in [
        json!(null),
        json!("1"),
        json!(-1),
        json!(1.5),
        json!(1_u64 << 63),
    ] {
        assert_eq!(Mirror::parse(&json!({"id": id})), None, "{id}");
    }
    assert!(Mirror::parse(&json!({"id": i64::MAX})).is_some());
}

#[test]
fn message_of_every_form_is_shown() {
    let several = json!({"message": {"url": ["is bad", "is long"], "base": ["Too many"]}});
    let described = json!({"error": "invalid_token", "error_description": "Token was revoked."});
    for (body, text) in [
        (json!({"message": "404 Not found"}), "404 Not found"),
        (several, "Too many; url is bad, is long"),
        (json!({"message": {"error": {"a": 1}}}), "a 1"),
        (json!({"message": "a", "error": "b"}), "a; b"),
        (json!({"message": "a", "error": "a"}), "a"),
        (json!({"error": "404 Not Found"}), "404 Not Found"),
        (described, "Token was revoked."),
        (json!({"message": null}), ""),
        (json!({"other": "x"}), ""),
        (json!(["x"]), ""),
    ] {
        assert_eq!(message(&body), text, "{body}");
    }
}

// claim: gitlab-message-is-one-short-line
#[test]
fn message_is_one_short_line() {
    assert_eq!(shown(" a\n\tb\u{0}c\u{202E}d \r\n"), "a b c d");
    // `Gitlab::Auth::GroupSaml::SsoEnforcer` names such an address.
    let sso = "Log in at https://gitlab.example.com/groups/g/-/saml/sso?token=abc123, then again?";
    assert_eq!(
        shown(sso),
        "Log in at https://gitlab.example.com/groups/g/-/saml/sso then again?"
    );
    let long = shown(&"ä".repeat(1000));
    assert_eq!(long.chars().count(), 300);
    assert!(long.ends_with('…'));
}

#[test]
fn password_is_removed_before_a_text_is_shortened() {
    let passwords = ["5EcReT+old=1234567890", "5EcReT+new=1234567890"].map(Password::new);
    for length in 0..310 {
        for password in &passwords {
            let text = format!("{} {}", "x".repeat(length), password.expose());
            let shown = Unredacted::new(text).shown(&passwords);
            assert!(
                !shown.contains("5E") && shown.chars().count() <= 300,
                "{shown}"
            );
        }
    }
}

#[test]
fn words_like_logins_are_hidden_from_a_reader_without_them() {
    const PASSWORD: &str = "aZ3/bQ+9kd0LmNpQrStUvWxYz1234567890AbCd==";
    for (text, shown) in [
        (format!("rejected ({PASSWORD}), retry"), "rejected (*****), retry"),
        (
            PASSWORD.replace('/', "%2F").replace('+', "%2B").to_lowercase(),
            "*****",
        ),
        (
            format!("no user-dev-mirror-at-123456789012:{PASSWORD}"),
            "no *****:*****",
        ),
        (
            "rejected aZb/bQ+ckdoLmNpQrStUvWxYzabcdefghijAbCd==".to_owned(),
            "rejected *****",
        ),
        (format!("https://a:{PASSWORD}@host/x: 403"), "https://*****@host/x: 403"),
        (
            "13:unable to access 'https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/codecommit-dev-cfn-shop2/'"
                .to_owned(),
            "13:unable to access 'https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/codecommit-dev-cfn-shop2/'",
        ),
    ] {
        assert_eq!(Unredacted::new(text).shown_without_words_like_logins(), shown);
    }
}

#[test]
fn every_login_in_a_text_is_masked() {
    for (text, masked) in [
        ("https://a:b@c/d", "https://*****@c/d"),
        ("'https://a:b@c/d': no", "'https://*****@c/d': no"),
        ("ssh://a@c http://a:b@e", "ssh://*****@c http://*****@e"),
        ("https://a:b/c?d@e@f", "https://*****@f"),
        ("https://a:secretcutoff", "https://*****"),
        (
            "https://token@c/@scope/package",
            "https://*****@scope/package",
        ),
        (
            "https://a:b@c/@scope/package",
            "https://*****@scope/package",
        ),
    ] {
        assert_eq!(without_logins(text), masked);
    }
    for text in [
        "https://a:80/b?c, https://[::1]:80/",
        "at https://a:443: no",
        "at https://a: no (://",
        "nobody@example.com",
        "https://c/@scope/package",
    ] {
        assert_eq!(without_logins(text), text);
    }
}

#[test]
fn mirror_to_another_region_leads_to_another_repository() {
    let in_region = |host: &str| {
        let url = format!("https://{host}/v1/repos/infra");
        leading_to(&url).may_lead_to("infra", Some("eu-central-1"))
    };
    for host in [
        "git-codecommit.eu-central-1.amazonaws.com",
        "git-codecommit-fips.eu-central-1.amazonaws.com",
        "git-codecommit.proxy.example.org",
        "vpce-1.git-codecommit.eu-west-1.vpce.amazonaws.com",
    ] {
        assert!(in_region(host), "{host}");
    }
    for host in [
        "git-codecommit.eu-west-1.amazonaws.com",
        "git-codecommit.cn-north-1.amazonaws.com.cn",
    ] {
        assert!(!in_region(host), "{host}");
    }
    assert!(leading_to(CLONE_URL).may_lead_to("infra", None));
    assert!(!leading_to(CLONE_URL).may_lead_to("other", Some("eu-central-1")));
}
