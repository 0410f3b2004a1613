//! Stacks that take longer than an invocation, than the request, or than Lambda continues it.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::checks::assert_nothing_remains;
use crate::fixture::{CHILD, changed, in_account_with, properties, ruled, with};
use fake_aws::request::Service;
use fake_aws::{Entry, FakeAws, Fault, FaultKind, On, Options, redacted};
use test_support::custom_resource::{
    FUNCTION, LAMBDA_MAX_LIFETIME, ParentStack, RequestOutcome, StackRequest, deliver_all,
};

/// A function's timeout that is shorter than the stack's operation.
const SHORT: Duration = Duration::from_secs(60);

fn slow(resource_takes: Duration) -> Options {
    Options {
        resource_takes,
        ..Options::default()
    }
}

/// Longer than [`SHORT`].
fn several_invocations() -> Options {
    slow(Duration::from_secs(100))
}

/// Checks a Create that takes several invocations in an account with these faults.
fn create(
    inject: impl FnOnce(&FakeAws),
    check: impl AsyncFnOnce(&FakeAws, &ParentStack, &StackRequest),
) {
    in_account_with(several_invocations(), async |fake, stack| {
        inject(fake);
        stack.lifetime = SHORT;
        let create = stack.request("Create", None, &ruled(), None);
        deliver_all(fake, &create, false).await;
        assert_eq!(fake.faults_left(), 0, "nothing was continued");
        check(fake, stack, &create).await;
        stack.lifetime = LAMBDA_MAX_LIFETIME;
        stack.delete_id(CHILD, &ruled()).await;
        assert_nothing_remains(fake);
    });
}

/// The only answer to the request.
async fn only_answer(stack: &ParentStack, request: &StackRequest) -> RequestOutcome {
    assert_eq!(request.responses(&stack.fake).len(), 1, "{}", request.name);
    stack.heard(request).await
}

#[test]
fn slow_create_gets_one_response_from_its_last_invocation() {
    let nothing = |_: &FakeAws| {};
    create(nothing, async |fake, stack, create| {
        only_answer(stack, create).await.assert_success();
        let invocations = fake.invocations();
        assert!(invocations.len() > 1, "{}", invocations.len());
        for (index, invoked) in invocations.iter().enumerate() {
            assert_eq!(invoked.payload["Continuation"]["Hop"], index + 1);
            assert_eq!(invoked.payload["Event"], create.event);
            assert_eq!(invoked.function, FUNCTION);
        }
        assert_eq!(fake.count("CreateStack"), 1);
    });
}

#[test]
fn failed_continuation_is_repeated() {
    for kind in [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::RequestHangs,
        FaultKind::KilledBefore,
        FaultKind::Throttled,
    ] {
        let inject = |fake: &FakeAws| fake.inject("1-Create.1", Fault::on("Invoke", 0, kind));
        create(inject, async |_, stack, create| {
            let answer = only_answer(stack, create).await;
            assert!(answer.is_success(), "{kind:?}: {answer:?}");
        });
    }
}

#[test]
fn unconfirmed_continuation_gets_one_response() {
    for kind in [
        FaultKind::AnswerLost,
        FaultKind::AnswerHangs,
        FaultKind::KilledAfter,
    ] {
        let inject = |fake: &FakeAws| fake.inject("1-Create.1", Fault::on("Invoke", 0, kind));
        create(inject, async |fake, _, create| {
            // The invocation that was begun and the event that came again both see the end.
            let answers = create.responses(fake);
            assert!(!answers.is_empty(), "{kind:?}");
            for answer in answers {
                assert_eq!(answer.json()["Status"], "SUCCESS", "{kind:?}");
                let hands_over = answer.caller == "1-Create.1";
                assert!(!hands_over, "who hands over does not answer");
            }
            let hand_overs = fake.invocations().len();
            assert_eq!(fake.count("Invoke"), hand_overs, "{kind:?}: invoked twice");
        });
    }
}

#[test]
fn continuation_that_never_succeeds_is_the_reason() {
    for (kind, error, repeats) in [
        (FaultKind::Denied, "AccessDenied", Duration::ZERO),
        // It is repeated for a quarter of the time that is kept for the response.
        (FaultKind::Throttled, "", SHORT / 8 / 4),
    ] {
        let inject = |fake: &FakeAws| fake.break_from_now(On::Operation("Invoke"), kind);
        create(inject, async |fake, stack, create| {
            let answer = only_answer(stack, create).await;
            let reason = format!("continuing the request in another invocation: {error}");
            answer.assert_reason([&reason]);
            let journal = fake.journal();
            let calls = journal.iter().filter(|call| call.operation == "Invoke");
            let calls: Vec<Duration> = calls.map(|call| call.at).collect();
            let took = calls[calls.len() - 1].saturating_sub(calls[0]);
            let difference = took.abs_diff(repeats);
            assert!(difference < Duration::from_millis(2), "{kind:?}: {took:?}");
            let is_own = matches!(&answer, RequestOutcome::Failed { id, .. } if id == CHILD);
            assert!(is_own, "{answer:?}");
        });
    }
}

#[test]
fn slow_update_and_slow_delete_get_one_response() {
    in_account_with(several_invocations(), async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        stack.lifetime = SHORT;
        let update = stack.request_update(&changed(ruled()));
        let delete = stack.request("Delete", Some(CHILD), &changed(ruled()), None);
        for request in [&update, &delete] {
            let before = fake.invocations().len();
            deliver_all(fake, request, false).await;
            only_answer(stack, request).await.assert_success();
            assert!(fake.invocations().len() > before, "{}", request.name);
        }
        assert_nothing_remains(fake);
        stack.resource = None;
    });
}

#[test]
fn long_request_survives_kills_and_late_deliveries() {
    in_account_with(slow(Duration::from_mins(5)), async |fake, stack| {
        for caller in ["1-Create.1", "1-Create.2+.1"] {
            fake.inject(caller, Fault::at(12, FaultKind::KilledAfter));
        }
        stack.delivers_twice = true;
        stack.create(&properties()).await.assert_success();
        assert_eq!(fake.faults_left(), 0);
        let journal = fake.journal();
        let creates = |call: &&Entry| call.operation == "CreateStack" && call.outcome == "ok";
        assert_eq!(journal.iter().filter(creates).count(), 1);
        let answers = fake.responses();
        assert!(answers.len() > 1, "nothing was delivered twice");
        assert!(answers.iter().all(|one| one.json() == answers[0].json()));
    });
}

#[test]
fn stack_beyond_the_service_timeout_fails_and_is_deleted() {
    in_account_with(slow(Duration::from_mins(30)), async |fake, stack| {
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        expect!["waiting for stack gitops-dev-shop (CREATE_IN_PROGRESS): no time was left. Repeat the stack operation, with a longer ServiceTimeout if it has one - CFG-105"].assert_eq(&redacted(answer.reason()));
        // CloudFormation deletes resources that are still being created.
        fake.options(|options| options.resource_takes = Duration::from_secs(5));
        stack.delete_id(CHILD, &properties()).await;
        assert_nothing_remains(fake);
    });
}

#[test]
fn short_service_timeout_gets_its_response_in_one_invocation() {
    in_account_with(slow(Duration::from_mins(5)), async |fake, stack| {
        let hurried = with(properties(), "ServiceTimeout", json!("120"));
        let create = stack.request("Create", None, &hurried, None);
        let answer = stack.deliver(&create).await;
        expect!["waiting for stack gitops-dev-shop (CREATE_IN_PROGRESS): no time was left. Repeat the stack operation, with a longer ServiceTimeout if it has one - CFG-105"].assert_eq(&redacted(answer.reason()));
        assert_eq!(fake.count("Invoke"), 0, "no caller would wait for the rest");
        let responses = create.responses(fake);
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0].caller, "1-Create.1");
    });
}

#[test]
fn request_is_not_continued_more_often_than_lambda_allows() {
    // Invocations of a minute: an hour would need a longer chain than Lambda allows.
    in_account_with(slow(Duration::from_mins(30)), async |fake, stack| {
        stack.lifetime = SHORT;
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        expect!["waiting for stack gitops-dev-shop (CREATE_IN_PROGRESS): continuing the request in another invocation: 14 invocations have already continued it. Increase the function's timeout, then repeat the stack operation - CFG-107"].assert_eq(&redacted(answer.reason()));
        let hops = fake.count("Invoke");
        assert!(hops < 16, "Lambda would have stopped it: {hops}");
        assert_eq!(fake.responses().len(), 1);
    });
}

/// The last invocation has no answer at all, and an earlier one the cause.
#[test]
fn time_limit_names_the_call_that_failed_in_an_earlier_invocation() {
    in_account_with(Options::default(), async |fake, stack| {
        stack.lifetime = SHORT;
        fake.break_from_now(On::Operation("CreateStack"), FaultKind::InternalError500);
        let hurried = with(properties(), "ServiceTimeout", json!("100"));
        let create = stack.request("Create", None, &hurried, None);
        let silence = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            fake.break_from_now(
                On::Service(Service::CloudFormation),
                FaultKind::RequestHangs,
            );
        };
        let (answer, ()) = tokio::join!(stack.deliver(&create), silence);
        assert_eq!(fake.count("Invoke"), 1);
        answer.assert_reason([
            "CloudFormation CreateStack: HTTP 500 (InternalFailure",
            "no time was left",
        ]);
    });
}
