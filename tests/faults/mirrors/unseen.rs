//! Answers that do not show what a request has done: an invocation must not do it again without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::checks::{at_rest, nothing_remains, our_mirrors};
use crate::fixture::{REPOSITORY, both, in_account, in_account_with, properties, serial};
use crate::scenarios::Mirrors;
use fake_aws::interceptor::{
    HttpConnector, HttpRequest, Response, operation_of, past, replace_json,
};
use fake_aws::{Caller, FakeAws, Options};
use test_support::runner::play_with_frozen_reads;
use test_support::{Rotated, RotationStep};

const HOST: &str = "git-codecommit.eu-central-1.amazonaws.com";

/// The answers that describe mirrors.
const ALL: &[&str] = &[
    "GitLab.ListMirrors",
    "GitLab.GetMirror",
    "GitLab.CreateMirror",
    "GitLab.UpdateMirror",
];

/// A proxy before GitLab that changes a member of the mirrors in some answers. Proxies rewrite
/// addresses in bodies: nginx's `sub_filter`
/// (<https://nginx.org/en/docs/http/ngx_http_sub_module.html>), Apache's `mod_substitute`
/// (<https://httpd.apache.org/docs/2.4/mod/mod_substitute.html>).
#[derive(Clone)]
struct Proxy {
    operations: &'static [&'static str],
    member: &'static str,
    /// The other form of the value. `None` removes the member.
    form: fn(&Value) -> Option<Value>,
    is_on: Arc<AtomicBool>,
}

impl Proxy {
    fn new(
        operations: &'static [&'static str],
        member: &'static str,
        form: fn(&Value) -> Option<Value>,
    ) -> Self {
        let is_on = Arc::new(AtomicBool::new(true));
        Proxy {
            operations,
            member,
            form,
            is_on,
        }
    }

    fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    /// Plays in an account with GitLab behind it.
    fn play(&self, play: impl FnOnce()) {
        let proxy = self.clone();
        let pass = move |_, honest, request| proxy.clone().pass(honest, request);
        past(pass, play).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }

    async fn pass(self, honest: Caller, request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let response = honest.call(request).await?;
        let is_mirrors = self.operations.contains(&operation.as_str());
        if !is_mirrors || !self.is_on.load(Ordering::Relaxed) {
            return Ok(response);
        }
        Ok(replace_json(response, |body| match body {
            Value::Array(mirrors) => mirrors.iter_mut().for_each(|mirror| self.change(mirror)),
            mirror => self.change(mirror),
        }))
    }

    fn change(&self, mirror: &mut Value) {
        let Some(members) = mirror.as_object_mut() else {
            return;
        };
        if let Some(former) = members.remove(self.member) {
            let shown = (self.form)(&former);
            members.extend(shown.map(|shown| (self.member.to_owned(), shown)));
        }
    }
}

/// The address with a part of it replaced.
fn replaced(url: &Value, part: &str, by: &str) -> Option<Value> {
    Some(json!(url.as_str()?.replace(part, by)))
}

/// How often `operation` was called.
fn count(fake: &FakeAws, operation: &str) -> usize {
    let journal = fake.journal();
    let calls = journal.iter().filter(|call| call.operation == operation);
    calls.count()
}

type Form = fn(&Value) -> Option<Value>;

/// Forms of the address, and the text that a reason has for each.
const OTHER_ADDRESSES: [(Form, &str); 15] = [
    (|_| Some(Value::Null), "as no address"),
    (|_| None, "as no address"),
    (|_| Some(json!("")), "as no address"),
    (|_| Some(json!(7)), "as no address"),
    (|_| Some(json!([])), "as no address"),
    (|_| Some(json!("/v1/repos/r")), "as no address"),
    (|url| replaced(url, "@", "%40"), "as no address"),
    (
        |url| replaced(url, HOST, "proxy.example.com"),
        "as https://proxy.example.com/v1/repos/codecommit-dev-cfn-infra",
    ),
    (
        |url| replaced(url, "cfn-infra", "cfn-other"),
        "amazonaws.com/v1/repos/codecommit-dev-cfn-other",
    ),
    (
        |url| replaced(url, "cfn-infra", "cfn-infra.git"),
        "cfn-infra.git",
    ),
    (|url| replaced(url, "cfn-infra", "cfn-INFRA"), "cfn-INFRA"),
    (
        |url| replaced(url, "cfn-infra", "cfn%2Dinfra"),
        "cfn%2Dinfra",
    ),
    (
        |url| replaced(url, "https://", "http://"),
        "as http://git-codecommit",
    ),
    (|url| replaced(url, ".com/", ".com:8443/"), ".com:8443/v1"),
    (
        |url| replaced(url, "https://", "https://proxy.example.com/https://"),
        "as https://proxy.example.com/…",
    ),
];

/// Forms of the address that lead to the same repository.
const SAME_ADDRESSES: [Form; 6] = [
    |url| replaced(url, HOST, "Git-CodeCommit.EU-central-1.amazonaws.com"),
    |url| replaced(url, ".com/", ".com:443/"),
    |url| replaced(url, "cfn-infra", "cfn-infra/"),
    |url| replaced(url, "*****:*****@", ""),
    |url| replaced(url, "*****:*****@", "%2A%2A:%2A%2A@"),
    |url| replaced(url, "https://", "HTTPS://"),
];

/// No more than a Create that fails for another reason needs.
fn is_short(fake: &FakeAws, posts: usize) {
    assert!(
        count(fake, "GitLab.CreateMirror") <= posts,
        "{}",
        fake.transcript()
    );
    assert!(count(fake, "PutSecretValue") <= 6, "{}", fake.transcript());
}

#[test]
fn create_with_another_address_fails_at_once_and_names_it() {
    for (form, text) in OTHER_ADDRESSES {
        Proxy::new(ALL, "url", form).play(|| {
            in_account(async |fake, stack, _| {
                let created = stack.create(&properties()).await;
                created.assert_reason(["shows its address", text, REPOSITORY, "CFG-421"]);
                is_short(fake, 1);
                assert_eq!(count(fake, "GitLab.DeleteMirror"), 1, "{text}");
                fake.assert_holds(nothing_remains);
            });
        });
    }
}

/// A Create with a GitLab whose proxy rewrites addresses.
pub fn create_behind_a_proxy(mut options: Options) {
    options.gitlab.rewrites_addresses = true;
    in_account_with(options, async |fake, stack, _| {
        let created = stack.create(&both()).await;
        created.assert_reason(["shows its address as https://proxy.eu-central-1", "CFG-421"]);
        is_short(fake, 2);
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn create_with_another_form_of_the_same_address_succeeds() {
    for form in SAME_ADDRESSES {
        Proxy::new(ALL, "url", form).play(|| {
            in_account(async |fake, stack, _| {
                stack.create(&properties()).await.assert_success();
                is_short(fake, 1);
                stack.delete().await.assert_success();
                fake.assert_holds(nothing_remains);
            });
        });
    }
}

/// One kind of answer shows the address as it is, another one does not.
#[test]
fn address_that_changes_after_the_creation_fails_at_once() {
    for operations in [&ALL[1..], &ALL[1..2], &ALL[2..3], &ALL[3..]] {
        for (form, text) in [OTHER_ADDRESSES[0], OTHER_ADDRESSES[7]] {
            Proxy::new(operations, "url", form).play(|| {
                in_account(async |fake, stack, _| {
                    let created = stack.create(&properties()).await;
                    created.assert_reason(["shows its address", text, "CFG-421"]);
                    is_short(fake, 1);
                    fake.assert_holds(nothing_remains);
                });
            });
        }
    }
}

/// The saved login and its mirror stay, and the rollback succeeds.
#[test]
fn update_and_rotation_with_another_address_change_nothing() {
    for operations in [ALL, &ALL[..1], &ALL[1..], &ALL[2..3], &ALL[3..]] {
        for (form, text) in OTHER_ADDRESSES {
            let proxy = Proxy::new(operations, "url", form);
            proxy.play(|| {
                in_account(async |fake, stack, rotation| {
                    proxy.switch(false);
                    stack.create(&properties()).await.assert_success();
                    let before = (fake.look(our_mirrors), count(fake, "PutSecretValue"));
                    proxy.switch(true);
                    let updated = stack.update(&serial(&properties(), 2), None).await;
                    updated.assert_reason(["shows its address", text, "CFG-421"]);
                    let is_listed = operations == &ALL[..1];
                    if !is_listed {
                        let rotated = rotation.rotate().await;
                        let Rotated::Failed { reason, .. } = rotated else {
                            panic!("{rotated:?}");
                        };
                        assert!(reason.contains(text), "{reason}");
                    }
                    assert_eq!(fake.look(our_mirrors), before.0);
                    // GitLab rejects the first spelling of an address that another mirror has.
                    assert!(count(fake, "GitLab.CreateMirror") <= 5);
                    assert!(count(fake, "PutSecretValue") - before.1 <= 16);
                    fake.assert_holds(|aws| at_rest(aws, &properties(), true));
                    stack.delete().await.assert_success();
                    fake.assert_holds(nothing_remains);
                });
            });
        }
    }
}

#[test]
fn rotation_ends_if_a_later_step_shows_another_address() {
    for (form, text) in [OTHER_ADDRESSES[0], OTHER_ADDRESSES[7]] {
        let proxy = Proxy::new(ALL, "url", form);
        proxy.play(|| {
            in_account(async |fake, stack, rotation| {
                proxy.switch(false);
                stack.create(&properties()).await.assert_success();
                rotation.begin().expect("none is pending");
                rotation.step(RotationStep::Create).await.expect("it works");
                proxy.switch(true);
                let rotated = rotation.resume_from(RotationStep::Set).await;
                let Rotated::Failed { reason, .. } = rotated else {
                    panic!("{rotated:?}");
                };
                assert!(reason.contains(text), "{reason}");
                fake.assert_holds(|aws| at_rest(aws, &properties(), true));
            });
        });
    }
}

/// The number in an answer is not that of the mirror.
#[test]
fn mirror_with_another_number_is_not_created_without_end() {
    let forms: [Form; 4] = [
        |_| Some(json!(1_u64 << 63)),
        |id| Some(json!(id.as_u64()? + 1000)),
        |_| None,
        |id| Some(json!(id.to_string())),
    ];
    for operations in [&ALL[2..3], ALL] {
        for form in forms {
            let proxy = Proxy::new(operations, "id", form);
            proxy.play(|| {
                in_account(async |fake, stack, _| {
                    let created = stack.create(&properties()).await;
                    is_short(fake, 2);
                    let left = fake.look(our_mirrors).len();
                    if created.is_success() {
                        assert_eq!(left, 1);
                        stack.delete().await.assert_success();
                        fake.assert_holds(nothing_remains);
                    } else {
                        let enabled = |aws: &_| our_mirrors(aws).iter().any(|(_, one)| one.enabled);
                        assert!(left < 2 && !fake.look(enabled), "{}", fake.transcript());
                    }
                });
            });
        }
    }
}

#[test]
fn change_that_no_read_shows_is_not_repeated_without_end() {
    assert!(play_with_frozen_reads::<Mirrors>() > 500);
}
