//! The checks detect their defects: mutants that leak, overreach, repeat calls or disclose secrets.
//!
//! Each mutant is the real product behind a wire that adds one defect.

use crate::by_hand::{create_credential, has_succeeded};
use crate::checks::ANOTHER_PERSON;
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::iam::Credential;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, invented,
    operation_of, replace_in_body, send_twice,
};
use fake_aws::{AwsState, Caller, FakeAws, Options};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It lets the SDK retry the call that issues.
    IssuesTwice,
    /// It deletes any credential that it finds.
    DeletesForeign,
    /// It answers CloudFormation twice.
    AnswersTwice,
    /// It writes the password into an answer.
    TellsThePassword,
    /// It does not delete a superseded credential.
    KeepsTheOldOne,
    /// It deletes a credential that another person creates after its first SUCCESS.
    DeletesLaterOnes,
}

impl misbehaving::Mutant for Mutant {
    async fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let puts = operation == "PutResponse";
        let issues = operation == "CreateServiceSpecificCredential";
        let deletes = operation == "DeleteServiceSpecificCredential";
        match self {
            Mutant::IssuesTwice if issues => send_twice(&honest, &request).await?,
            Mutant::AnswersTwice if puts => send_twice(&honest, &request).await?,
            Mutant::DeletesForeign => fake.change(|aws| {
                let now = aws.now;
                aws.iam.change(now, |iam| {
                    for user in iam.users.values_mut() {
                        user.credentials
                            .retain(|c| c.issued_by != crate::checks::ANOTHER_PERSON);
                    }
                });
            }),
            Mutant::DeletesLaterOnes if has_succeeded(&fake) => {
                create_credential(&fake);
                let foreign = |aws: &mut AwsState| {
                    let now = aws.now;
                    aws.iam.change(now, |iam| {
                        let user = iam.users.get_mut(crate::USER).expect("the user");
                        let is_foreign = |c: &Credential| c.issued_by == ANOTHER_PERSON;
                        user.credentials.retain(|one| !is_foreign(one));
                    });
                };
                if deletes {
                    fake.change(foreign);
                }
            }
            Mutant::TellsThePassword if puts => {
                let secrets = fake.every_secret_ever();
                let told = secrets.last().cloned().unwrap_or_default();
                let told = format!("\"Told\":\"{told}\",\"Status\"");
                replace_in_body(&mut request, "\"Status\"", &told);
            }
            Mutant::KeepsTheOldOne if deletes => {
                // The wire responds that it does not exist.
                return Ok(invented(200, "<DeleteServiceSpecificCredentialResponse/>"));
            }
            _ => {}
        }
        honest.call(request).await
    }
}

#[test]
fn every_mutant_is_detected() {
    let mutants = [
        (
            Mutant::IssuesTwice,
            "create and delete",
            "credentials of ours instead of one",
        ),
        (
            Mutant::DeletesForeign,
            "scenario beside another user's credential",
            "a foreign credential was touched",
        ),
        (
            Mutant::AnswersTwice,
            "create and delete",
            "answered 2 times",
        ),
        (
            Mutant::TellsThePassword,
            "create and delete",
            "a secret in an answer",
        ),
        (
            Mutant::DeletesLaterOnes,
            "create and delete",
            "a foreign credential was touched",
        ),
        (
            Mutant::KeepsTheOldOne,
            "rotation",
            "credentials of ours instead of one",
        ),
    ];
    for (mutant, scenario, says) in mutants {
        let scenario = scenarios().into_iter().find(|known| known.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = || {
            paused(scenario.play(Options::default(), &[]));
        };
        assert_noticed(mutant, says, play);
    }
}
