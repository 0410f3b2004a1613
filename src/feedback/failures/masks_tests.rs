use super::*;

/// A text, and the shown part of it.
fn assert_masked(cases: &[(&str, &str)]) {
    for (text, shown) in cases {
        assert_eq!(masked(text), *shown, "{text}");
    }
}

fn assert_shown(texts: &[&str]) {
    for text in texts {
        assert_eq!(masked(text), *text);
    }
}

#[test]
fn token_is_masked_wherever_it_stands() {
    for Token {
        prefix,
        min,
        others,
    } in TOKENS
    {
        let kinds = ["A1", others].concat();
        let secret: String = kinds.chars().cycle().take(*min).collect();
        let shown = masked(&format!("<{prefix}{secret}> 'x{prefix}{secret}'"));
        assert!(!shown.contains(&secret), "{shown}");
        let short: String = kinds.chars().cycle().take(min - 1).collect();
        let example = format!("<{prefix}{short}>");
        let is_assignment = prefix.ends_with('=');
        assert!(is_assignment || masked(&example) == example, "{example}");
    }
}

#[test]
fn named_secret_is_masked() {
    assert_masked(&[
        ("DB_PASSWORD=hunter2 x", "DB_PASSWORD=***** x"),
        (
            r#"{"password": "hunter 2","a":1}"#,
            r#"{"password": "*****","a":1}"#,
        ),
        (r#"{\"password\":\"hunter2\"}"#, r#"{\"password\":\"*****""#),
        ("dbPassword: 'hunter 2'", "dbPassword: '*****'"),
        ("--password hunter2 --x", "--password ***** --x"),
        (
            "//registry.npmjs.org/:_authToken=abc",
            "//registry.npmjs.org/:_authToken=*****",
        ),
        (
            "aws_secret_access_key = wJalr/x+y",
            "aws_secret_access_key = *****",
        ),
        ("SecretAccessKey: wJalr/x+y", "SecretAccessKey: *****"),
        (
            "export AWS_SESSION_TOKEN=\"a/b\"",
            "export AWS_SESSION_TOKEN=\"*****\"",
        ),
        ("Authorization: Basic dTpw", "Authorization: *****"),
        (
            r#""authorization": "Bearer abc""#,
            r#""authorization": "*****""#,
        ),
        (
            r#"Authorization: Digest username="a", response="b""#,
            "Authorization: *****",
        ),
        (r#"password="a\"b" c"#, r#"password="*****" c"#),
        (
            "curl -H 'PRIVATE-TOKEN: abc'",
            "curl -H 'PRIVATE-TOKEN: *****'",
        ),
        ("sent Bearer abcdefghijklmnop1", "sent Bearer *****"),
        ("?X-Amz-Signature=0a1b&b=2", "?X-Amz-Signature=*****"),
        (
            "https://a.example/b?sv=1&sig=abc",
            "https://a.example/b?sv=1&sig=*****",
        ),
    ]);
}

/// Passwords that begin like the name of a variable, a placeholder or an operator.
#[test]
fn secret_that_begins_with_punctuation_is_masked() {
    for secret in [
        "!kJ8xQz91Lm",
        "$ecr3t",
        "$SECRET!",
        "${x}123",
        "$(x)123",
        "<hunter>2",
        "*8hJ",
        "***8",
        ":hunter2",
        "{x}123",
        "{{x}}123",
        "{hunter2",
        "any1",
    ] {
        let named = format!("DB_PASSWORD={secret}");
        assert_masked(&[(&named, "DB_PASSWORD=*****")]);
        let in_json = format!(r#"{{"password": "{secret}","a":1}}"#);
        assert_masked(&[(&in_json, r#"{"password": "*****","a":1}"#)]);
        let option = format!("--password '{secret}' --x");
        assert_masked(&[(&option, "--password '*****' --x")]);
        let header = format!("Authorization: {secret}");
        assert_masked(&[(&header, "Authorization: *****")]);
    }
}

#[test]
fn secret_of_several_words_is_masked() {
    assert_masked(&[
        ("Password: hunter 2 b\nc", "Password: *****\nc"),
        ("passphrase: null hunter 2", "passphrase: *****"),
        ("password: \"any, hunter 2\"", "password: \"*****\""),
        ("--password \"hunter 2\" --x", "--password \"*****\" --x"),
    ]);
}

#[test]
fn secret_behind_any_operator_is_masked() {
    for operator in [":=", "==", "===", "!=", "?=", "||=", "=>"] {
        let (text, shown) = (
            format!("password {operator} \"hunter2\""),
            format!("password {operator} \"*****\""),
        );
        assert_masked(&[(&text, &shown)]);
    }
}

#[test]
fn name_of_a_secret_is_shown() {
    assert_shown(&[
        "token: ${TOKEN}",
        "PASSWORD=$PASSWORD",
        "password: string;",
        "{ password: undefined, port: 5432 }",
        "token=null",
        "password=***",
        "PASSWORD=$(aws ecr get-login-password)",
        "password: {{ .Values.password }}",
        "{token: ${TOKEN}}",
        "password=<your-password>",
        "password: |",
        "use of undeclared type `token::Stream`",
        "SyntaxError: Unexpected token } in JSON at position 12",
        "aws ecr get-login-password | docker login --username AWS --password-stdin",
        "on resource: arn:aws:secretsmanager:eu-central-1:…:secret:prod/db-AbCdEf",
        "bearer authentication",
        "npm_config_registry_of_this_company_is_set",
        "AWS::SecretsManager::Secret",
    ]);
}

#[test]
fn login_in_an_address_is_masked() {
    assert_masked(&[
        (
            "at https://u:p@git.example.com/x",
            "at https://*****@git.example.com/x",
        ),
        ("postgres://app:p/w@db:5432/x", "postgres://*****@db:5432/x"),
    ]);
    assert_shown(&[
        "404 Not Found - GET https://registry.npmjs.org/@acme%2fshop - Not found",
        "http://127.0.0.1:4566/_health",
    ]);
}

#[test]
fn account_number_and_key_are_removed_from_each_line() {
    assert_masked(&[(
        "role arn:aws:iam::210987654321:role/x\narn:aws:s3:::b/k/1 of 210987654321",
        "role arn:aws:iam::…:role/x\narn:aws:s3:::b/… of …",
    )]);
}

/// A line of a key.
const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

#[test]
fn private_key_is_masked_as_a_whole() {
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let (begin, end) = (
            format!("-----BEGIN {kind}PRIVATE KEY-----"),
            format!("-----END {kind}PRIVATE KEY-----"),
        );
        let key = [&*begin, LINE, LINE, "wMzfS1s=", &*end].join("\n");
        assert_eq!(masked(&format!("a\n{key}\nb")), "a\n*****\nb");
        let in_json = key.replace('\n', "\\n");
        assert_eq!(
            masked(&format!("{{\"k\":\"{in_json}\"}}")),
            "{\"k\":\"*****\"}"
        );
    }
    let pgp = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nx\n-----END PGP PRIVATE KEY BLOCK-----";
    assert_eq!(masked(pgp), MASK);
    assert_shown(&["-----BEGIN CERTIFICATE-----", "-----END PUBLIC KEY-----"]);
}

#[test]
fn part_of_a_private_key_is_masked() {
    let beginning = format!(
        "a\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n{LINE}\n{LINE}\nwMzfS1s="
    );
    assert_eq!(masked(&beginning), "a\n*****");
    assert_eq!(
        masked(&format!("{beginning}\nError: b")),
        "a\n*****Error: b"
    );
    let end = format!("a b\n{LINE}\n{LINE}\nwMzfS1s=\n-----END PRIVATE KEY-----\nError: b");
    assert_eq!(masked(&end), "a b\n*****\nError: b");
    let middle = format!("a\n#8 0.4 {LINE}\n#8 0.4 {LINE}\nb");
    assert_eq!(masked(&middle), "a\n#8 0.4 *****\n#8 0.4 *****\nb");
    // Hashes of files, and one word that looks like a line.
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_shown(&[&format!("{hash}\n{hash}"), &format!("a {LINE}\nb")]);
}
