//! The checks notice what they are for: products that leak, overreach, repeat themselves or tell.
//!
//! Each mutant is the real product behind a wire that makes it misbehave in one way.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::lives::lives;
use crate::support::explore::paused;
use crate::support::{Caller, Options, World};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// It lets the SDK repeat the call that issues.
    IssuesTwice,
    /// It deletes whatever credential it finds.
    DeletesForeign,
    /// It answers CloudFormation twice.
    AnswersTwice,
    /// It writes the password into an answer.
    TellsThePassword,
    /// It forgets to delete what it superseded.
    KeepsTheOldOne,
}

thread_local! {
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// What the product of this test sends through: as it is, or as a mutant.
pub fn wire(world: &World, caller: &Caller) -> SharedHttpConnector {
    match MUTANT.get() {
        None => caller.connector(),
        Some(mutant) => SharedHttpConnector::new(Wire {
            mutant,
            world: world.clone(),
            honest: Arc::new(caller.clone()),
        }),
    }
}

#[derive(Clone)]
struct Wire {
    mutant: Mutant,
    world: World,
    honest: Arc<Caller>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Wire({:?})", self.mutant)
    }
}

impl HttpConnector for Wire {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let does =
            |action: &str| String::from_utf8_lossy(&body).contains(&format!("Action={action}&"));
        let puts = request.method() == "PUT";
        let issues = does("CreateServiceSpecificCredential");
        let deletes = does("DeleteServiceSpecificCredential");
        HttpConnectorFuture::new(async move {
            match wire.mutant {
                Mutant::IssuesTwice if issues => {
                    let again = request.try_clone().expect("a request in memory");
                    wire.honest.call(again).await?;
                }
                Mutant::AnswersTwice if puts => {
                    let again = request.try_clone().expect("a request in memory");
                    wire.honest.call(again).await?;
                }
                Mutant::DeletesForeign => wire.world.change(|aws| {
                    let now = aws.now;
                    aws.iam.change(now, |iam| {
                        for user in iam.users.values_mut() {
                            user.credentials
                                .retain(|c| c.issued_by != crate::checks::SOMEBODY_ELSE);
                        }
                    });
                }),
                Mutant::TellsThePassword if puts => {
                    let secrets = wire.world.every_secret_ever();
                    let told = secrets.last().cloned().unwrap_or_default();
                    let told = String::from_utf8_lossy(&body)
                        .replace("\"Status\"", &format!("\"Told\":\"{told}\",\"Status\""));
                    request
                        .headers_mut()
                        .insert("content-length", told.len().to_string());
                    *request.body_mut() = SdkBody::from(told);
                }
                Mutant::KeepsTheOldOne if deletes => {
                    // The wire says that it is gone.
                    let fake = "<DeleteServiceSpecificCredentialResponse/>";
                    let status = 200.try_into().expect("a status");
                    return Ok(
                        aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(
                            status,
                            SdkBody::from(fake),
                        ),
                    );
                }
                _ => {}
            }
            wire.honest.call(request).await
        })
    }
}

/// Plays a life with a mutant, and answers what the checks said.
fn noticed(mutant: Mutant, life: &str) -> Option<String> {
    let life = lives()
        .into_iter()
        .find(|known| known.name == life)
        .expect("that life");
    MUTANT.set(Some(mutant));
    let played = catch_unwind(AssertUnwindSafe(|| {
        paused(life.play(Options::default(), None));
    }));
    MUTANT.set(None);
    let panic = played.err()?;
    Some(crate::support::panics::text(&*panic))
}

#[test]
fn a_product_that_misbehaves_is_noticed() {
    let mutants = [
        (
            Mutant::IssuesTwice,
            "create and delete",
            "credentials of ours instead of one",
        ),
        (
            Mutant::DeletesForeign,
            "life beside another user's credential",
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
            Mutant::KeepsTheOldOne,
            "rotation",
            "credentials of ours instead of one",
        ),
    ];
    for (mutant, life, says) in mutants {
        let Some(text) = noticed(mutant, life) else {
            panic!("{mutant:?} went unnoticed");
        };
        let first: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(160)
            .collect();
        figure!("mutant {mutant:?}: noticed: {first}");
        assert!(
            text.contains(says),
            "{mutant:?} was noticed for another reason: {text}"
        );
    }
}
