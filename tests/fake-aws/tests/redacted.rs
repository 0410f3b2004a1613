//! The parts of a text that a snapshot leaves out.

use fake_aws::redacted;

#[test]
fn redaction_keeps_all_but_times_ids_keys_and_ports() {
    let text = "secret arn:aws:secretsmanager:eu-central-1:1:secret:a/b-3Sbi1y of user ACCA: its credential \
        ACCAEXAMPLE1 is inactive since 2026-11-20T12:00:00.5Z, and until 2026-12-01T00:00:00. Push mirror 7 of \
        stack shop/00000000-0000-4000-8000-00000000000f leads to 127.0.0.1:8080 and not to a:8080; /mirrors-left-1943fd658ad5fba7";
    let expected = "secret arn:aws:secretsmanager:eu-central-1:1:secret:a/b-<suffix> of user ACCA: its credential \
        <key> is inactive since <time>, and until <time>. Push mirror 7 of \
        stack shop/<uuid> leads to 127.0.0.1:<port> and not to a:8080; /mirrors-left-<id>";
    assert_eq!(redacted(text), expected);
}
