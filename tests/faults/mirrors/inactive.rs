//! A person has set the credential to inactive, because its password leaked, and it cannot be
//! replaced: a change fails, and its rollback succeeds. Nothing activates the credential.

use serde_json::json;

use crate::checks;
use crate::fixture::{USER, fake, in_account, properties, serial, stack, with};
use crate::refusals::{Situation, asked, situations};
use fake_aws::explore::paused;
use fake_aws::gitlab::ANOTHER_PERSON;
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, FaultKind, On, Options, Schedules};
use test_support::custom_resource::answers_are_sound;

/// A person sets the credential to inactive. Returns its ID. From now on it is inactive or deleted.
fn deactivate(fake: &FakeAws) -> String {
    let leaked = fake.look(checks::ours).remove(0).id;
    fake.change(|aws| aws.deactivate(USER, &leaked));
    let id = leaked.clone();
    fake.at_every_instant(move |aws| {
        let is_active = checks::ours(aws)
            .iter()
            .any(|one| one.id == id && one.active);
        if is_active {
            return Err(format!("{id} is active again"));
        }
        Ok(())
    });
    leaked
}

/// Another person takes the user's second slot.
fn take_slot(fake: &FakeAws) {
    fake.change(|aws| aws.issue(USER, ANOTHER_PERSON).expect("a free slot"));
}

fn fail_to_issue(fake: &FakeAws, kind: FaultKind) {
    fake.break_from_now(On::Operation("CreateServiceSpecificCredential"), kind);
}

/// The causes that prevent a replacement: those that prevent a Create in GitLab, and more.
fn causes() -> Vec<Situation> {
    let cause = |name, arrange, says| Situation {
        name,
        arrange,
        says,
    };
    let mut causes = situations();
    // The saved mirrors work without these branches, so the rollback replaces the credential.
    causes.retain(|cause| !cause.says.contains(&"RequiredBranches"));
    causes.extend([
        cause("a foreign credential", take_slot, &["did not issue: ACCA"]),
        cause(
            "no policy allows the function to issue",
            |fake| fake.deny("iam:CreateServiceSpecificCredential", USER),
            &["issuing the service-specific credential", "AccessDenied"],
        ),
        cause(
            "a policy denies it",
            |fake| fail_to_issue(fake, FaultKind::DeniedExplicitly),
            &["issuing the service-specific credential", "explicit deny"],
        ),
        cause(
            "IAM throttles the call",
            |fake| fail_to_issue(fake, FaultKind::Throttled),
            &["issuing"],
        ),
        cause(
            "the user cannot be tagged",
            |fake| fake.deny("iam:TagUser", USER),
            &["tagging user"],
        ),
        cause(
            "the secret cannot be written",
            |fake| fake.deny("secretsmanager:PutSecretValue", USER),
            &["AccessDenied"],
        ),
        cause(
            "GitLab fails only if a mirror is created",
            |fake| {
                let create = On::Operation("GitLab.CreateMirror");
                fake.break_from_now(create, FaultKind::InternalError500);
            },
            &["500"],
        ),
    ]);
    causes
}

/// The reason of the latest response.
fn latest_reason(fake: &FakeAws) -> String {
    let body = fake.responses().last().expect("a response").json();
    body["Reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn rollback_leaves_a_credential_inactive_for_every_cause() {
    let before = asked(properties());
    let tags = json!([{"Key": "team", "Value": "a"}]);
    for change in [serial(&before, 2), with(before.clone(), "Tags", tags)] {
        for Situation {
            name,
            arrange,
            says,
        } in causes()
        {
            in_account(async |fake, stack, _| {
                stack.create(&before).await.assert_success();
                let leaked = deactivate(fake);
                arrange(fake);
                // It fails, and its rollback succeeds.
                stack.update(&change, None).await.assert_reason(says);
                let warning = latest_reason(fake);
                for part in says
                    .iter()
                    .chain(&[leaked.as_str(), "stays inactive", "CFG-311"])
                {
                    assert!(warning.contains(part), "{name}: {part} is not in {warning}");
                }
                let held = fake.look(checks::ours);
                let held: Vec<_> = held.iter().map(|one| (&one.id, one.active)).collect();
                assert_eq!(held, [(&leaked, false)], "{name}");
                answers_are_sound(fake);
            });
        }
    }
}

/// A change and its rollback while another person holds the second slot, and a change after it is
/// free.
async fn play(arrange: fn(&FakeAws), faults: &[SingleFault]) -> FakeAws {
    let fake = fake(Options::default());
    let mut stack = stack(&fake);
    stack.create(&properties()).await.assert_success();
    let leaked = deactivate(&fake);
    arrange(&fake);
    for fault in faults {
        fault.inject(&fake);
    }
    let failed = stack.update(&serial(&properties(), 2), None).await;
    assert!(!failed.is_success(), "{failed:?}");
    fake.look(|aws| assert!(checks::ours(aws).iter().any(|one| one.id == leaked)));
    fake.mend();
    fake.change(|aws| {
        for credential in aws.credentials(USER) {
            if credential.issued_by == ANOTHER_PERSON {
                aws.withdraw(USER, &credential.id);
            }
        }
    });
    stack
        .update(&serial(&properties(), 3), None)
        .await
        .assert_success();
    fake.assert_holds(|aws| checks::at_rest(aws, &serial(&properties(), 3), false));
    stack.delete().await.assert_success();
    fake.assert_holds(checks::nothing_remains);
    answers_are_sound(&fake);
    fake.assert_unbroken();
    fake
}

#[test]
fn no_fault_in_the_rollback_activates_a_credential() {
    let mut schedules = Schedules::one_in(3);
    let denied: fn(&FakeAws) = |fake| fail_to_issue(fake, FaultKind::DeniedExplicitly);
    for (cause, arrange) in [("foreign", take_slot as fn(&FakeAws)), ("denied", denied)] {
        let journal = paused(play(arrange, &[])).journal();
        let calls = journal.iter().filter(|call| call.caller.contains("Update"));
        let faults = calls.flat_map(SingleFault::each_different);
        let name = |fault: &SingleFault| format!("{cause}: {fault}");
        schedules.single_faults(faults, name, |faults| paused(play(arrange, faults)));
    }
    let schedules = schedules.report("single faults around an inactive credential");
    assert!(schedules > 50);
}
