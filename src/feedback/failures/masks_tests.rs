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
        let (begin, end) = (
            format!("-----BEGIN {kind}PRIVATE KEY-----"),
            format!("-----END {kind}PRIVATE KEY-----"),
        );
        let masked = format!("a b\n-----BEGIN {kind}PRIVATE KEY*****\n*****\nb");
        for lines in [
            &*format!("{LINE}\n{LINE}\nwMzfS1s="),
            &format!("Proc-Type: 4\n\n'{LINE}' +"),
            "",
        ] {
            assert_eq!(shown(&format!("a b\n{begin}\n{lines}\n{end}\nb")), masked);
        }
        let two = format!("{begin}\n{LINE}\n{end}{begin}\n{LINE}\n{end}\nb c");
        assert!(!shown(&two).contains(LINE) && shown(&two).ends_with("\nb c"));
        assert_eq!(
            shown(&format!(
                "a b\n{{\"k\":\"{begin}\\n{LINE}\\n{end}\\n\"}}\nb"
            )),
            "a b\n*****\nb"
        );
    }
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{LINE}\n-----END CERTIFICATE-----");
    assert_eq!(shown(&certificate), certificate);
}

#[test]
fn part_of_a_private_key_is_masked() {
    let begin = "-----BEGIN RSA PRIVATE KEY";
    for (text, expected) in [
        (
            format!("a\n{begin}-----\n{LINE}\n{LINE}\nwMzfS1s=\nError: b"),
            format!("a\n{begin}*****\n*****\nError: b"),
        ),
        (
            format!("{begin}-----\n{LINE}\n{begin}-----\nError: b"),
            format!("{begin}*****\n*****\n{begin}*****\nError: b"),
        ),
        (
            format!("no {begin}-----\nError: b"),
            format!("no {begin}*****\nError: b"),
        ),
        (
            format!(
                "a b:\n{LINE}\n#8 0.4 \"{LINE}\\\nwMzfS1s=\n-----END PRIVATE KEY-----\nError: b"
            ),
            "a b:\n*****\nError: b".to_owned(),
        ),
        (
            format!("Private-Lines: 2\n{LINE}\nwMzfS1s=\nPrivate-MAC: 1"),
            "Private-Lines: 2\n*****\nPrivate-MAC: 1".to_owned(),
        ),
    ] {
        assert_eq!(shown(&text), expected);
    }
}
