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
    for (prefixes, min, others) in TOKENS {
        for prefix in prefixes {
            let kinds = ["A1", others].concat();
            let text = |length| kinds.chars().cycle().take(length).collect::<String>();
            let (secret, short) = (text(min), text(min - 1));
            let shown = masked(&format!("<{prefix}{secret}> 'x{prefix}{secret}'"));
            assert!(!shown.contains(&secret), "{shown}");
            let example = format!("<{prefix}{short}>");
            let is_assignment = prefix.ends_with('=');
            assert!(is_assignment || masked(&example) == example, "{example}");
        }
    }
}

#[test]
fn line_is_hidden_after_an_assignment_to_a_secret() {
    assert_masked(&[
        ("DB_PASSWORD_PROD=hunter2 x", "DB_PASSWORD_PROD=*****"),
        (
            r#"{"a":1,"dbPassword": "x","b":2}"#,
            r#"{"a":1,"dbPassword": *****"#,
        ),
        (
            r#"{\\\"password\\\":\\\"x\\\"}"#,
            r#"{\\\"password\\\":*****"#,
        ),
        ("$config['password'] => 'x'", "$config['password'] => *****"),
        ("--password hunter2 --x", "--password *****"),
        (
            "['login', '--password', 'x']",
            "['login', '--password', *****",
        ),
        (
            "aws configure set aws_secret_access_key x",
            "aws configure set aws_secret_access_key *****",
        ),
        ("your Secret Access Key: x", "your Secret Access Key: *****"),
        ("<password>x</password>", "<password>*****"),
        (
            "<wsse:Password Type=\"y\">x</wsse:Password>",
            "<wsse:Password *****",
        ),
        ("?password%3Dhunter2", "?password%3D*****"),
        (
            r#"<add key="ApiKey" value="x"/>"#,
            r#"<add key="ApiKey" value=*****"#,
        ),
        (
            "//registry.npmjs.org/:_authToken=x",
            "//registry.npmjs.org/:_authToken=*****",
        ),
        (
            "PWD=/src OLDPWD=/ DBPASS=/x",
            "PWD=/src OLDPWD=/ DBPASS=*****",
        ),
        ("token: null, password: x", "token: null, password: *****"),
        (
            "ParameterKey=DbPassword,ParameterValue=x",
            "ParameterKey=DbPassword,ParameterValue=*****",
        ),
        ("ENV DB_PASSWORD x", "ENV DB_PASSWORD *****"),
        ("bad line `password: x`", "bad line `password: *****"),
        (
            "Ocp-Apim-Subscription-Key: x",
            "Ocp-Apim-Subscription-Key: *****",
        ),
    ]);
    for operator in [":=", "==", "===", "!=", "?=", "||=", "=>", "->"] {
        let shown = masked(&format!("password {operator} hunter2"));
        assert!(
            shown.ends_with("*****") && !shown.contains("hunter"),
            "{shown}"
        );
    }
}

/// A sentence about a secret, a place in a file, an ARN, a type. Each is a usual line of a failed
/// build.
#[test]
fn name_of_a_secret_in_a_sentence_is_shown() {
    assert_shown(&[
        "TypeError: token must be a string",
        "TypeError: Cannot read properties of undefined (reading 'password')",
        "KeyError: 'password'",
        "missing fields ['user', 'password', 'name']",
        "SyntaxError: Unexpected token } in JSON at position 4",
        "SyntaxError: Unexpected token : in JSON at position 12",
        "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
        "src/auth/token.ts:12:5 - error TS2339: Property 'secret' does not exist on type 'Config'.",
        "error TS2322: Type '{ user: string; password: string; }' is not assignable to type 'Login'.",
        "    at validate (/codebuild/output/src1/src/lib/password.js:42:11)",
        "  --> src/token.rs:10:5",
        "error[E0433]: failed to resolve: use of undeclared type `token::Stream<'a>`",
        "error[E0308]: mismatched types: expected `Vec<Token>`, found `Option<Token>`",
        "error: unexpected argument '--token' found",
        "--- PASS: TestLogin (0.00s)",
        "FAILED tests/test_auth.py::test_token - KeyError: 'token'",
        "Error: secret not found: arn:aws:secretsmanager:eu-central-1:…:secret:prod/db-AbCdEf",
        "is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-central-1:…:secret:prod/db-AbCdEf because no identity-based policy allows it",
        "connect ECONNREFUSED secretsmanager.eu-central-1.amazonaws.com:443",
        "invalid key: expected string",
        "An error occurred (ExpiredToken) when calling the PutObject operation: The provided token has expired.",
        "ExpiredToken: The security token included in the request is expired",
        "InvalidClientTokenId: The security token included in the request is invalid.",
        "SignatureDoesNotMatch: The request signature we calculated does not match",
        "CredentialsProviderError: Could not load credentials from any providers",
        "NoCredentialProviders: no valid providers in chain",
        "get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
        "unable to pull secrets or registry auth: execution resource retrieval failed",
        "npm ERR! Unable to authenticate, your authentication token seems to be invalid.",
        "npm ERR! code E401",
        "Error: The argument \"password\" is required, but no definition was found.",
        "Inappropriate value for attribute \"token\": string required.",
        "Parameters: [DbPassword] must have values",
        "W2501 Parameter Password used as MasterUserPassword, therefore NoEcho should be True",
        "CREATE_FAILED AWS::SecretsManager::Secret DbSecret Resource creation cancelled",
        "ERROR: Cannot install google-auth==1.6.3 and google-auth==2.0.0",
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
        "aws ecr get-login-password --region eu-central-1 | docker login -u AWS --password-stdin …",
        "denied: Your authorization token has expired. Reauthenticate and try again.",
        "fatal: could not read Password for 'https://gitlab.com': terminal prompts disabled",
        "ERROR 1045 (28000): Access denied for user 'app'@'db' (using password: YES)",
        "FATAL:  password authentication failed for user \"app\"",
        "gpg: Can't check signature: No public key",
        "missing signature key",
        "Please set GITHUB_TOKEN before you run this",
        "[ERROR]   TokenServiceTest.rejectsExpired:42 expected: <401> but was: <200>",
        "error TS2322: Type '{ token: string | undefined; }' is not assignable to type 'Login'.",
        "password: This field is required.",
        "password: Path `password` is required.",
        "Password: can't be blank",
        "token: expired",
        "Error: Password: must be at least 8 characters long",
        "script.sh: line 4: DB_PASSWORD: unbound variable",
        "cat: /run/secrets/db_password: No such file or directory",
        "error[E0277]: the trait bound `Token: serde::Serialize` is not satisfied",
        "ERROR: failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
        "Error creating bean with name 'tokenFilter': Unsatisfied dependency expressed through field",
        "Resource handler returned message: \"it exists\" (RequestToken: 0c3b5d10-7d4e, HandlerErrorCode: AlreadyExists)",
    ]);
}

#[test]
fn value_in_the_next_lines_is_hidden() {
    assert_masked(&[
        ("password:\n\nhunter2\nnext", "password:\n\n*****\nnext"),
        (
            "  password: |-\n    a\n    b\n  next: c",
            "  password: |-\n*****\n  next: c",
        ),
        (
            "login --password \\\nhunter2\nnext",
            "login --password \\\n*****\nnext",
        ),
        (
            "- name: DB_PASSWORD\n  type: PLAINTEXT\n  scope: x\n  value: x\n  next: c",
            "- name: DB_PASSWORD\n  type: PLAINTEXT\n  scope: x\n  value: *****\n  next: c",
        ),
        (
            "\"ParameterKey\": \"DbPassword\",\n\"ParameterValue\": \"x\"",
            "\"ParameterKey\": \"DbPassword\",\n\"ParameterValue\": *****",
        ),
        (
            "- name: DB_PASSWORD\n  value: x\n  next: c",
            "- name: DB_PASSWORD\n  value: *****\n  next: c",
        ),
        ("\"Value\": 3", "\"Value\": 3"),
    ]);
    let deep = format!("password:\n{}", " x\n".repeat(MAX_VALUE_LINES + 1));
    assert_eq!(masked(&deep), "password:\n*****\n x");
}

#[test]
fn login_in_an_address_is_masked() {
    assert_masked(&[
        ("at https://u:p'/\"@git.example.com/x y", "at https://*****"),
        (
            "at https://user@git.example.com/x y",
            "at https://*****@git.example.com/x y",
        ),
        ("redis://:12/x@host y", "redis://*****"),
        ("https://u:cut", "https://*****"),
    ]);
    assert_shown(&[
        "404 Not Found - GET https://registry.npmjs.org/@acme%2fshop - Not found",
        "GET http://localhost:4873/@acme/shop - by a@example.com",
        "http://127.0.0.1:4566/_health: no answer",
    ]);
}

#[test]
fn long_random_text_is_masked() {
    assert_masked(&[
        ("ok wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY1x", "ok *****"),
        (
            "|  SecretAccessKey |  kQ3vB9zLw0TtYb7RmXc2Nf8HsJd5PgAeUiOq1W4E |",
            "|  SecretAccessKey |  ***** |",
        ),
    ]);
    assert_shown(&[
        "commit bc149d3e7f0a4c5d8e9b1a2f3c4d5e6f7a8b9c0d",
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "EINTEGRITY sha512-kQ3vB9zLw0TtYb7RmXc2Nf8HsJd5PgAeUiOq1W4EkQ3vB9zLw0TtYb7RmXc2Nf8HsJd5PgAeUiOq1W4E==",
        "go.sum: h1:kQ3vB9zLw0TtYb7RmXc2Nf8HsJd5PgAeUiOq1W4E=",
        "arn:aws:cloudformation:eu-central-1:…:stack/cfnstack-dev-shop/0f6b5d10-7d4e-11ef-9c5e-0a1b2c3d4e5f",
        "cfnstack-dev-shop-HandlerServiceRoleFCDC14AE-1XK2J9QZ7P3LM",
        "PipelineBuildSynthCdkBuildProject6BEFA8E6",
        "IAMRoleDBClusterSGIngressFromECSFargateSG4A5B6C7D",
        "/codebuild/output/src2740/src/s3/00/node_modules/AwsSdk2/dist-cjs/runtimeConfig.js",
        "codepipeline-eu-central-1/shop-dev/SourceArti/Xy12AbC",
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
            masked(&format!("{{\"k\":\"{in_json}\"}}\nb")),
            "{\"k\":\"*****\nb"
        );
    }
    assert_shown(&["-----BEGIN CERTIFICATE-----", "-----END PUBLIC KEY-----"]);
}

#[test]
fn part_of_a_private_key_is_masked() {
    let beginning = format!(
        "a\n-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: x\n{LINE}\n{LINE}\nwMzfS1s=\nError: b"
    );
    assert_eq!(masked(&beginning), "a\n*****\nError: b");
    let cut = format!("-----BEGIN PRIVATE KEY-----\n{LINE}\nError: b");
    assert_eq!(masked(&cut), "*****\nError: b");
    let end = format!("a b:\n{LINE}\n{LINE}\n#8 0.4 wMzfS1s=\n-----END PRIVATE KEY-----\nError: b");
    assert_eq!(masked(&end), "a b:\n*****\nError: b");
    let putty = format!("Private-Lines: 2\n{LINE}\nwMzfS1s=\nPrivate-MAC: 1");
    assert_eq!(masked(&putty), "*****\nPrivate-MAC: 1");
}
