//! The checks detect their defects. Each mutant is the real product behind a wire that adds
//! one defect.

use crate::checks;
use crate::fixture::USER;
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::gitlab::{HOST, REDIRECT_HOST};
use fake_aws::iam::Iam;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, body_of, invented,
    operation_of, replace_in_body,
};
use fake_aws::schedules::SingleFault;
use fake_aws::{Caller, FakeAws, FaultKind, Options};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It does not remove mirrors.
    KeepsMirrors,
    /// It removes any mirror that it finds.
    RemovesHandmade,
    /// It sets the former credential to inactive before the new one is used.
    DeactivatesFirst,
    /// It creates enabled mirrors, before their login is verified.
    EnablesAtOnce,
    /// It never enables its mirrors.
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
}

impl misbehaving::Mutant for Mutant {
    async fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let creates = operation == "GitLab.CreateMirror";
        let body = body_of(&request);
        let moves = body.contains("RemoveFromVersionId") && body.contains("AWSCURRENT");
        let issues = operation == "CreateServiceSpecificCredential";
        let is_repeated = honest.name().ends_with(".2");
        match self {
            Mutant::KeepsMirrors if operation == "GitLab.DeleteMirror" => {
                return Ok(invented(204, "{}"));
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
            Mutant::MovesNothing if moves => return Ok(invented(200, "{}")),
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
            _ => {}
        }
        honest.call(request).await
    }
}

#[test]
fn every_mutant_is_detected() {
    let late = Options {
        login_late: std::time::Duration::from_secs(5),
        ..Options::default()
    };
    let on_time = Options::default();
    for (mutant, scenario, options, says) in [
        (
            Mutant::KeepsMirrors,
            "mirrors_create_and_delete",
            &on_time,
            "left behind in platform/team/infra",
        ),
        (
            Mutant::KeepsMirrors,
            "mirrors_schedule_then_two_rotations",
            &on_time,
            "a mirror that is disabled",
        ),
        (
            Mutant::RemovesHandmade,
            "mirrors_create_and_delete",
            &on_time,
            "what is not ours changed",
        ),
        (
            Mutant::DeactivatesFirst,
            "mirrors_new_password",
            &on_time,
            "the login in the secret does not work",
        ),
        (
            Mutant::EnablesAtOnce,
            "mirrors_new_password",
            &late,
            "Authentication failed",
        ),
        (
            Mutant::NeverEnables,
            "mirrors_create_and_delete",
            &on_time,
            "keeps it disabled",
        ),
        (
            Mutant::EncodesTheLogin,
            "mirrors_create_and_delete",
            &on_time,
            "Authentication failed",
        ),
        (
            Mutant::SendsTheTokenAway,
            "mirrors_create_and_delete",
            &on_time,
            "GitLab's token was sent to gitlab.elsewhere.example",
        ),
        (
            Mutant::MovesNothing,
            "mirrors_schedule_then_two_rotations",
            &on_time,
            "the login in the secret does not work",
        ),
    ] {
        let scenario = scenarios()
            .into_iter()
            .find(|known| known.story.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = || {
            paused(scenario.play(options.clone(), &[]));
        };
        assert_noticed(mutant, says, play);
    }
}

/// The checks of the two stories notice nothing without a fault: only then a request comes again.
#[test]
fn mutants_of_a_repeated_request_need_a_fault() {
    for (mutant, scenario, caller, says) in [
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
        let mut scenarios = scenarios().into_iter();
        let scenario = scenarios.find(|known| known.story.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = |faults: &[SingleFault]| {
            paused(scenario.play(Options::default(), faults));
        };
        let pass =
            move |fake, honest, request| misbehaving::Mutant::pass(mutant, fake, honest, request);
        let without = misbehaving::past(pass, || play(&[]));
        assert!(without.is_ok(), "{mutant:?} was noticed without a fault");
        let fault = SingleFault {
            caller: caller.to_owned(),
            index: 4,
            kind: FaultKind::KilledBefore,
        };
        assert_noticed(mutant, says, || play(std::slice::from_ref(&fault)));
    }
}
