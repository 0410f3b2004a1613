//! The checks detect their defects. Each mutant is the real product behind a wire that adds
//! one defect.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::checks;
use crate::fixture::USER;
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::gitlab::{HOST, REDIRECT_HOST};
use fake_aws::mutants::{self as misbehaving, assert_noticed, body_of, invented, replace_body};
use fake_aws::{Caller, FakeAws, Options};

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
}

impl misbehaving::Mutant for Mutant {
    fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> HttpConnectorFuture {
        let body = body_of(&request);
        let is_gitlab = request.uri().contains("/remote_mirrors");
        let method = request.method().to_owned();
        let makes = is_gitlab && method == "POST" && body.contains("url");
        let moves = body.contains("RemoveFromVersionId") && body.contains("AWSCURRENT");
        let issues = body.contains("Action=CreateServiceSpecificCredential&");
        HttpConnectorFuture::new(async move {
            match self {
                Mutant::KeepsMirrors if is_gitlab && method == "DELETE" => {
                    return Ok(invented(204, "{}"));
                }
                Mutant::RemovesHandmade if is_gitlab && method == "GET" => {
                    fake.change(|aws| {
                        for project in aws.gitlab.projects.values_mut() {
                            project.mirrors.retain(|_, mirror| mirror.is_ours());
                        }
                    });
                }
                Mutant::DeactivatesFirst if issues => fake.change(|aws| {
                    let now = aws.now;
                    for held in checks::ours(aws) {
                        let set = |iam: &mut fake_aws::iam::Iam| {
                            iam.set_active(USER, &held.id, "Inactive")
                        };
                        aws.iam.change(now, set).expect("it is there");
                    }
                }),
                Mutant::EnablesAtOnce if makes => {
                    replace_body(
                        &mut request,
                        body.replace("\"enabled\":false", "\"enabled\":true"),
                    );
                }
                Mutant::NeverEnables if is_gitlab && method == "PUT" => {
                    replace_body(
                        &mut request,
                        body.replace("\"enabled\":true", "\"enabled\":false"),
                    );
                }
                Mutant::EncodesTheLogin if makes => {
                    replace_body(&mut request, body.replace("=@", "%3D@"));
                }
                Mutant::SendsTheTokenAway if is_gitlab => {
                    let mut again = request.try_clone().expect("a request in memory");
                    let elsewhere = request.uri().replace(HOST, REDIRECT_HOST);
                    again.set_uri(elsewhere).expect("an address");
                    honest.call(again).await?;
                }
                Mutant::MovesNothing if moves => return Ok(invented(200, "{}")),
                _ => {}
            }
            honest.call(request).await
        })
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
            "create and delete",
            &on_time,
            "left behind in platform/team/infra",
        ),
        (
            Mutant::KeepsMirrors,
            "schedule attached, then two rotations",
            &on_time,
            "a mirror that is disabled",
        ),
        (
            Mutant::RemovesHandmade,
            "create and delete",
            &on_time,
            "what is not ours changed",
        ),
        (
            Mutant::DeactivatesFirst,
            "new password by the template",
            &on_time,
            "the login in the secret does not work",
        ),
        (
            Mutant::EnablesAtOnce,
            "new password by the template",
            &late,
            "Authentication failed",
        ),
        (
            Mutant::NeverEnables,
            "create and delete",
            &on_time,
            "keeps it disabled",
        ),
        (
            Mutant::EncodesTheLogin,
            "create and delete",
            &on_time,
            "Authentication failed",
        ),
        (
            Mutant::SendsTheTokenAway,
            "create and delete",
            &on_time,
            "GitLab's token was sent to gitlab.elsewhere.example",
        ),
        (
            Mutant::MovesNothing,
            "schedule attached, then two rotations",
            &on_time,
            "the login in the secret does not work",
        ),
    ] {
        let scenario = scenarios().into_iter().find(|known| known.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = || {
            paused(scenario.play(options.clone(), &[]));
        };
        let first = assert_noticed(mutant, says, play);
        fake_aws::figure!("mutant {mutant:?}: noticed: {first}");
    }
}
