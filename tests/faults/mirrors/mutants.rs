//! The checks detect their defects. Each mutant is the real product behind a wire that adds
//! one defect.

use std::time::Duration;

use serde_json::Value;

use crate::by_hand::{create_credential, has_succeeded};
use crate::checks;
use crate::fixture::{SECRET, USER, options};
use crate::scenarios::scenario_called;
use crate::unseen::create_behind_a_proxy;
use fake_aws::explore::paused;
use fake_aws::gitlab::{ANOTHER_PERSON, HOST, Language, REDIRECT_HOST};
use fake_aws::iam::Iam;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, body_of, invented,
    operation_of, replace_body, replace_in_body, replace_json, send_twice,
};
use fake_aws::schedules::SingleFault;
use fake_aws::secrets::PENDING;
use fake_aws::secrets::versions::forget_pending;
use fake_aws::{Caller, FakeAws, FaultKind, Options};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    KeepsMirrors,
    /// It removes any mirror that it finds.
    RemovesHandmade,
    /// It sets the former credential to inactive before the new one is used.
    DeactivatesFirst,
    /// It creates enabled mirrors, before their login is verified.
    EnablesAtOnce,
    NeverEnables,
    /// It encodes the login in a mirror's address.
    EncodesTheLogin,
    /// It sends the token to another host.
    SendsTheTokenAway,
    /// It assumes that AWSCURRENT was moved.
    MovesNothing,
    /// It activates the user's credentials when a request is delivered again.
    ActivatesWhenRepeated,
    /// It reports a protected branch when a request is delivered again.
    ImaginesProtection,
    /// It lets the SDK retry the call that issues.
    IssuesTwice,
    /// It deletes any credential that it finds.
    DeletesForeign,
    AnswersTwice,
    /// It writes the password into a response.
    DisclosesThePassword,
    /// It does not delete a superseded credential.
    KeepsTheOldOne,
    /// It deletes a credential that another person creates after its first SUCCESS.
    DeletesLaterOnes,
    /// It ends a rotation and leaves AWSPENDING.
    KeepsPending,
    /// It removes AWSPENDING as soon as GitLab is called.
    DropsPending,
    /// It takes a secret that it may not read for one that was never created.
    TakesDeniedForAbsent,
    /// It takes each address that GitLab shows for the right one.
    OverlooksAddresses,
    /// It spells an address in another way only if GitLab's message is in English.
    ReadsEnglish,
}

impl misbehaving::Mutant for Mutant {
    async fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let creates = operation == "GitLab.CreateMirror";
        let body = body_of(&request);
        let moves = |label| body.contains("RemoveFromVersionId") && body.contains(label);
        let issues = operation == "CreateServiceSpecificCredential";
        let deletes = operation == "DeleteServiceSpecificCredential";
        let responds = operation == "PutResponse";
        let is_repeated = honest.name().ends_with(".2");
        match self {
            Mutant::KeepsMirrors if operation == "GitLab.DeleteMirror" => {
                return Ok(invented(204, ""));
            }
            Mutant::RemovesHandmade if operation == "GitLab.ListMirrors" => {
                fake.change(|aws| {
                    for project in aws.gitlab.projects.values_mut() {
                        project.mirrors.retain(|_, mirror| mirror.is_ours());
                    }
                });
            }
            Mutant::DeactivatesFirst if issues => fake.change(|aws| {
                for held in checks::ours(aws) {
                    aws.deactivate(USER, &held.id);
                }
            }),
            Mutant::EnablesAtOnce if creates => {
                replace_in_body(&mut request, "\"enabled\":false", "\"enabled\":true");
            }
            Mutant::NeverEnables if operation == "GitLab.UpdateMirror" => {
                replace_in_body(&mut request, "\"enabled\":true", "\"enabled\":false");
            }
            Mutant::EncodesTheLogin if creates => {
                replace_in_body(&mut request, "=@", "%3D@");
            }
            Mutant::SendsTheTokenAway if operation.ends_with("Mirror") => {
                let mut again = request.try_clone().expect("a request in memory");
                let elsewhere = request.uri().replace(HOST, REDIRECT_HOST);
                again.set_uri(elsewhere).expect("an address");
                honest.call(again).await?;
            }
            Mutant::MovesNothing if moves("AWSCURRENT") => return Ok(invented(200, "{}")),
            Mutant::KeepsPending if moves("AWSPENDING") => return Ok(invented(200, "{}")),
            Mutant::DropsPending if operation.contains("Mirror") => drop_pending(&fake),
            Mutant::ActivatesWhenRepeated
                if is_repeated && operation == "ListServiceSpecificCredentials" =>
            {
                fake.change(|aws| {
                    for held in checks::ours(aws) {
                        let activate = |iam: &mut Iam| iam.set_active(USER, &held.id, "Active");
                        aws.iam.change(aws.now, activate).expect("it is there");
                    }
                });
            }
            Mutant::ImaginesProtection
                if is_repeated && operation == "GitLab.ListProtectedBranches" =>
            {
                return Ok(invented(200, r#"[{"id":1,"name":"main"}]"#));
            }
            Mutant::IssuesTwice if issues => send_twice(&honest, &request).await?,
            Mutant::AnswersTwice if responds => send_twice(&honest, &request).await?,
            Mutant::DeletesForeign => delete_foreign(&fake),
            Mutant::DeletesLaterOnes if has_succeeded(&fake) => {
                create_credential(&fake);
                if deletes {
                    delete_foreign(&fake);
                }
            }
            Mutant::DisclosesThePassword if responds => {
                let password = fake.every_secret_ever().pop().unwrap_or_default();
                let disclosing = format!("\"Password\":\"{password}\",\"Status\"");
                replace_in_body(&mut request, "\"Status\"", &disclosing);
            }
            Mutant::TakesDeniedForAbsent if operation == "DescribeSecret" => {
                let response = honest.call(request).await?;
                let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
                return Ok(if text.contains("AccessDenied") {
                    invented(400, r#"{"__type":"ResourceNotFoundException"}"#)
                } else {
                    response
                });
            }
            Mutant::KeepsTheOldOne if deletes => {
                // The wire responds that it does not exist.
                return Ok(invented(200, "<DeleteServiceSpecificCredentialResponse/>"));
            }
            Mutant::ReadsEnglish if creates => {
                return create_as_english_demands(&honest, &request).await;
            }
            Mutant::OverlooksAddresses if operation.contains("Mirror") => {
                let response = honest.call(request).await?;
                return Ok(replace_json(response, |json| {
                    let text = json.to_string().replace("proxy.", "git-codecommit.");
                    *json = serde_json::from_str(&text).expect("JSON");
                }));
            }
            _ => {}
        }
        honest.call(request).await
    }
}

/// Creates a mirror as `is_taken` did: with the plain address first, and with a slash at the end if
/// GitLab's message names it as taken in English.
async fn create_as_english_demands(honest: &Caller, request: &HttpRequest) -> Response {
    let mut body: Value = serde_json::from_str(&body_of(request)).expect("JSON");
    let url = body["url"].as_str().expect("an address").to_owned();
    let plain = url.replace(":443/", "/").trim_end_matches('/').to_owned();
    let send = async |body: &Value| {
        let mut sent = request.try_clone().expect("a request in memory");
        replace_body(&mut sent, body.to_string());
        honest.call(sent).await
    };
    body["url"] = plain.as_str().into();
    let response = send(&body).await?;
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    if !text.contains("already been taken") {
        return Ok(response);
    }
    body["url"] = format!("{plain}/").into();
    send(&body).await
}

/// Deletes the credentials of other people.
fn delete_foreign(fake: &FakeAws) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            for user in iam.users.values_mut() {
                user.credentials.retain(|one| one.issued_by != ANOTHER_PERSON);
            }
        });
    });
}

fn drop_pending(fake: &FakeAws) {
    fake.change(|aws| {
        let secret = aws.secrets.get_mut(SECRET);
        let pending = secret.as_ref().and_then(|secret| secret.at_stage(PENDING));
        if let Some(pending) = pending.map(str::to_owned) {
            forget_pending(secret.expect("it has a version"), &pending);
        }
    });
}

#[test]
fn every_mutant_is_detected() {
    for (scenario, mutants) in [
        (
            "mirrors_create_and_delete",
            &[
                (Mutant::KeepsMirrors, "left behind in platform/team/infra"),
                (Mutant::RemovesHandmade, "what is not ours changed"),
                (Mutant::NeverEnables, "keeps it disabled"),
                (Mutant::EncodesTheLogin, "Authentication failed"),
                (Mutant::SendsTheTokenAway, "GitLab's token was sent to"),
            ][..],
        ),
        (
            "mirrors_new_password",
            &[
                (Mutant::DeactivatesFirst, "the secret does not work"),
                (Mutant::KeepsTheOldOne, "2 live and 0 inactive credentials"),
                (Mutant::EnablesAtOnce, "Authentication failed"),
            ],
        ),
        (
            "mirrors_schedule_then_two_rotations",
            &[
                (Mutant::KeepsMirrors, "a mirror that is disabled"),
                (Mutant::MovesNothing, "the secret does not work"),
                (Mutant::DropsPending, "no rotation of it is in progress"),
            ],
        ),
        (
            "mirrors_rotation_without_a_free_place",
            &[(Mutant::KeepsPending, "AWSPENDING is left")],
        ),
        (
            "mirrors_login_created: with a repository",
            &[
                (Mutant::IssuesTwice, "2 live and 0 inactive credentials"),
                (Mutant::AnswersTwice, "answered 2 times"),
                (Mutant::DisclosesThePassword, "a secret in an answer"),
                (Mutant::DeletesLaterOnes, "what is not ours changed"),
            ],
        ),
        (
            "mirrors_login_beside_a_foreign_credential",
            &[(Mutant::DeletesForeign, "what is not ours changed")],
        ),
    ] {
        let scenario = scenario_called(scenario);
        for (mutant, reason) in mutants {
            // Otherwise, a mirror may push before its login is verified.
            let options = options(|options| options.login_late = Duration::from_secs(5));
            let play = || drop(paused(scenario.play(options, &[])));
            assert_noticed(*mutant, reason, play);
        }
    }
}

#[test]
fn mutant_that_takes_denied_for_absent_is_detected() {
    let play = crate::denied::denied_clean_up_after_a_replacement_fails;
    assert_noticed(
        Mutant::TakesDeniedForAbsent,
        "DescribeSecret is missing",
        play,
    );
}

#[test]
fn product_that_overlooks_addresses_is_detected() {
    let play = || create_behind_a_proxy(Options::default());
    play();
    assert_noticed(Mutant::OverlooksAddresses, "Success", play);
}

/// In English, no check can detect it.
#[test]
fn product_that_reads_english_is_detected_in_others() {
    let scenario = scenario_called("mirrors_new_password");
    for language in Language::ALL {
        let options = options(|options| options.gitlab.language = language);
        let play = || drop(paused(scenario.play(options.clone(), &[])));
        if language == Language::English {
            let pass = move |fake, honest, request| {
                misbehaving::Mutant::pass(Mutant::ReadsEnglish, fake, honest, request)
            };
            assert!(misbehaving::past(pass, play).is_ok(), "noticed in English");
        } else {
            assert_noticed(
                Mutant::ReadsEnglish,
                language.taken().trim_end_matches('。'),
                play,
            );
        }
    }
}

/// Only a fault lets a request come again.
#[test]
fn mutants_of_a_repeated_request_are_detected() {
    for (mutant, scenario, caller, reason) in [
        (
            Mutant::ActivatesWhenRepeated,
            "mirrors_leaked_password_stays_inactive",
            "2-Update.1",
            "active: true",
        ),
        (
            Mutant::ImaginesProtection,
            "mirrors_create_refused: a group alone protects branches",
            "1-Create.1",
            "Success",
        ),
    ] {
        let fault = SingleFault {
            caller: caller.to_owned(),
            index: 4,
            kind: FaultKind::KilledBefore,
        };
        let scenario = scenario_called(scenario);
        let play = || drop(paused(scenario.play(Options::default(), &[fault])));
        assert_noticed(mutant, reason, play);
    }
}
