use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use expect_test::expect;

use super::{check_environment, check_region, is_listed, is_same_url, missing, token_in};
use crate::clients::gitlab::api::token_error::TokenError;

#[test]
fn value_that_is_not_a_token_is_rejected() {
    let absent = token_in(r#"{"other": "x"}"#, "token");
    assert_eq!(absent, Err(TokenError::NoMember("token".to_owned())));
    let number = token_in(r#"{"token": 7}"#, "token");
    assert_eq!(number, Err(TokenError::NoMember("token".to_owned())));
}

#[test]
fn text_around_a_token_is_rejected_and_not_shown() {
    for (value, fault) in [
        ("", "it is empty"),
        ("  ", "it is empty"),
        (r#"{"token": ""}"#, "it is empty"),
        ("two glpat-1", "characters that no token has"),
        ("a\nb: glpat-1", "characters that no token has"),
        ("ü", "characters that no token has"),
        ("null", "characters that no token has"),
        ("<glpat-1>", "characters that no token has"),
        (r"glpat-1\n", "characters that no token has"),
        ("\u{feff}glpat-1", "byte order mark"),
        (r#""glpat-1""#, "quotes or brackets"),
        ("'glpat-1'", "quotes or brackets"),
        (r#"["glpat-1"]"#, "quotes or brackets"),
        (r#"[{"token": "glpat-1"}]"#, "quotes or brackets"),
        (r#"{"token": "\"glpat-1\""}"#, "quotes or brackets"),
        ("GITLAB_TOKEN=glpat-1", "a name before the token"),
        ("export GITLAB_TOKEN=glpat-1", "a name before the token"),
        ("token=glpat-1\r\n", "a name before the token"),
        ("GL_PAT_2=glpat-1", "a name before the token"),
        ("oauth2:glpat-1", "a name before the token"),
        ("https://oauth2:glpat-1@gitlab.com", "it is an address"),
        ("token: glpat-1", "a name before the token"),
        ("PRIVATE-TOKEN:glpat-1", "a name before the token"),
        ("Bearer glpat-1", "a name before the token"),
        ("Authorization: Bearer glpat-1", "a name before the token"),
        (r#"{"token": "A=glpat-1"}"#, "a name before the token"),
    ] {
        let error = token_in(value, "token").expect_err(value).to_string();
        assert!(error.contains(fault), "{value}: {error}");
        assert!(!error.contains("glpat"), "{error}");
    }
}

#[test]
fn token_of_another_kind_is_named() {
    for (value, kind) in [
        ("gldt-1", "a deploy token"),
        ("glrt-1", "a runner's authentication token"),
        (r#"{"token": "glcbt-64_1"}"#, "the token of a CI/CD job"),
        ("glft-1", "a feed token"),
        ("gloas-1", "the secret of an OAuth application"),
    ] {
        assert_eq!(token_in(value, "token"), Err(TokenError::OtherKind(kind)));
    }
}

#[test]
fn arn_that_names_no_secret_here_is_explained() {
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gitlab/token";
    for (secret, own, is_here) in [
        (arn, Some("eu-central-1"), true),
        (arn, Some("eu-west-1"), false),
        (arn, None, true),
        ("gitlab/token", Some("eu-west-1"), true),
    ] {
        assert_eq!(
            check_region(secret, own).is_ok(),
            is_here,
            "{secret} {own:?}"
        );
    }
    assert_eq!(missing(arn), TokenError::PartialArn);
    for whole in [format!("{arn}-a1B2c3"), "gitlab/token".to_owned()] {
        assert_eq!(missing(&whole), TokenError::Missing);
    }
}

#[test]
fn value_or_its_member_is_the_token() {
    let (one, other) = (r#"{"token": "one", "b": 7}"#, r#"{"token": " one "}"#);
    for (value, token) in [
        (" glpat-1\n", "glpat-1"),
        ("12345", "12345"),
        (one, "one"),
        (other, "one"),
        // The prefix of an instance is a part of the token.
        ("glpat-aA0_-.01.1a2b3c", "glpat-aA0_-.01.1a2b3c"),
        ("corp:glpat-1", "corp:glpat-1"),
        ("my/own+prefix@x-1", "my/own+prefix@x-1"),
    ] {
        assert_eq!(token_in(value, "token").expect(value).expose(), token);
    }
}

#[test]
fn broken_json_is_named_with_its_place() {
    let byte_order_mark = "it begins with a byte order mark (line 1, column 1)";
    let twice = "an object in it has a name twice (line 1, column 18)";
    for (value, why) in [
        (" {token:glpat-1}", "it is not JSON (line 1, column 3)"),
        ("\u{feff}{\"token\":\"glpat-1\"}", byte_order_mark),
        (r#"{"token":1,"token":"glpat-2"}"#, twice),
    ] {
        let error = TokenError::NotJson(why.to_owned());
        assert_eq!(token_in(value, "token"), Err(error), "{value}");
    }
}

#[test]
fn fingerprint_is_listed_with_or_without_colons() {
    let fingerprint = "13C321F463786CFF";
    for tag in [
        "13C321F463786CFF",
        "13:C3:21:F4:63:78:6C:FF",
        "00 13:c3:21:f4:63:78:6c:ff  01",
    ] {
        assert!(is_listed(fingerprint, tag), "{tag}");
    }
    for tag in [
        "",
        "*",
        "13C321F463786CF",
        "13C321F463786CFF00",
        "13C3 21F463786CFF",
    ] {
        assert!(!is_listed(fingerprint, tag), "{tag}");
    }
}

#[test]
fn tag_compares_scheme_host_port_and_path() {
    let url = "https://gitlab.example.com";
    for tagged in [url, &format!("{url}/"), "https://GitLab.example.com:443//"] {
        assert!(is_same_url(tagged, url), "{tagged}");
    }
    for tagged in [
        "",
        "*",
        "gitlab.example.com",
        "http://gitlab.example.com",
        "https://gitlab.example.com:8443",
        "https://gitlab.example.com/gitlab",
        "https://gitlab.example.com.example.org",
        "https://gitlab.example.com@example.org",
        "https://example.org/https://gitlab.example.com",
    ] {
        assert!(!is_same_url(tagged, url), "{tagged}");
    }
    assert!(!is_same_url("no url", "no url"));
}

// claim: token-of-another-environment-is-not-read
#[test]
fn token_of_another_environment_is_rejected() {
    let secret = |env: Option<&str>| {
        let tag = |value: &str| Tag::builder().key("cfn-gitops:env").value(value).build();
        let tags = env.map(|env| vec![tag(env)]);
        DescribeSecretOutput::builder().set_tags(tags).build()
    };
    for (tagged, own, is_allowed) in [
        (None, Some("dev"), true),
        (None, None, true),
        (Some("dev"), Some("dev"), true),
        (Some("prd"), Some("dev"), false),
        (Some("Dev"), Some("dev"), false),
        (Some("dev"), Some("dev2"), false),
        (Some("prd"), None, false),
        (Some(""), Some("dev"), false),
    ] {
        let checked = check_environment(&secret(tagged), own);
        assert_eq!(checked.is_ok(), is_allowed, "{tagged:?} {own:?}");
    }
    let fault = check_environment(&secret(Some("prd")), Some("dev")).expect_err("not allowed");
    expect!["the secret's owner allows its token for environment prd only (tag cfn-gitops:env), and this function is that of dev. The token was neither read nor sent"].assert_eq(&fault.to_string());
}
