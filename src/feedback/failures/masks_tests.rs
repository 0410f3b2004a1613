use super::*;

#[test]
fn token_is_masked_wherever_it_stands() {
    for (prefixes, min, others) in TOKENS {
        for prefix in prefixes {
            let kinds = ["A1", others].concat();
            let text = |length| kinds.chars().cycle().take(length).collect::<String>();
            let (secret, short) = (text(min), text(min - 1));
            let shown = masked(&format!("<{prefix}{secret}> 'x{prefix}{secret}'"));
            assert_eq!(shown, format!("<{prefix}*****> 'x{prefix}*****'"));
            let example = format!("<{prefix}{short}>");
            assert_eq!(masked(&example), example);
        }
    }
}

#[test]
fn line_is_hidden_from_the_word_of_a_secret_on() {
    for word in WORDS {
        let joined = word.replace(' ', "");
        let separated = ["_", "-", ".", " "].map(|by| word.replace(' ', by));
        for name in separated.into_iter().chain([joined]) {
            for name in [name.to_ascii_uppercase(), name] {
                assert_eq!(masked(&format!("MY_{name}")), format!("MY_{name}"));
                for rest in ["=x", "s[prod]=x", ": \"x\", y", "\u{e9}x", "> x"] {
                    let shown = masked(&format!("é MY_{name}{rest} glpat-0123456789ab"));
                    assert_eq!(shown, format!("é MY_{name}*****"));
                }
            }
        }
    }
    for (line, shown) in [
        ("Unexpected token } in JSON", "Unexpected token *****"),
        ("tool --token x password", "tool --token *****"),
        ("your Secret Access Key: x", "your Secret *****"),
        ("an api of a key", "an api of a key"),
        (
            "at https://user:x@example.com 210987654321",
            "at https://user:x@example.com 210987654321",
        ),
    ] {
        assert_eq!(masked(line), shown);
    }
}

/// A line of a key.
const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

fn shown(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    let lines: Vec<String> = without_keys(&lines).iter().map(|line| masked(line)).collect();
    lines.join("\n")
}

#[test]
fn private_key_is_masked_as_a_whole() {
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let begin = format!("-----BEGIN {kind}PRIVATE KEY");
        let end = format!("-----END {kind}PRIVATE KEY-----");
        let key = format!("{begin}-----\n{LINE}\n#8 0.4 '{LINE}' +\n{end}");
        for (text, expected) in [
            (format!("a\n{key}\nb"), format!("a\n{begin}*****\n*****\nb")),
            (format!("{key}{key}\nb"), format!("{begin}*****\n*****\nb")),
            (
                format!("a\n{key}").replace('\n', "\\n") + "\nb",
                format!("a\\n{begin}*****\nb"),
            ),
            (
                format!("a\n{begin}-----\n{LINE}\nb"),
                format!("a\n{begin}*****\n*****"),
            ),
            (format!("a\n{LINE}\n{end}\nb"), "*****\nb".to_owned()),
        ] {
            assert_eq!(shown(&text), expected);
        }
    }
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{LINE}\n-----END CERTIFICATE-----");
    assert_eq!(shown(&certificate), certificate);
}
