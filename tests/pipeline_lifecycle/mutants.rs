//! The checks notice what they are for: products that overreach, forget or repeat themselves.
//!
//! Each mutant is the real product behind a wire that makes it misbehave in one way.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use crate::project::paused;
use crate::support::{Caller, Options, World};
use crate::table_of_lives::lives;

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// It answers CloudFormation twice.
    AnswersTwice,
    /// It forgets the approval rule template.
    KeepsTheRule,
    /// It does not see that a Delete has been here.
    OverlooksMarks,
    /// It says that a branch is there which is not.
    ImaginesTheBranch,
    /// It deletes the retained repository.
    DeletesTheRepository,
    /// It does not set what the template says about deletion.
    SendsAnotherTemplate,
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

fn invented(status: u16, body: &'static str) -> HttpResponse {
    let status = status.try_into().expect("a status");
    HttpResponse::new(status, SdkBody::from(body))
}

impl HttpConnector for Wire {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let body = String::from_utf8_lossy(&body).into_owned();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let puts = request.method() == "PUT";
        HttpConnectorFuture::new(async move {
            match wire.mutant {
                Mutant::AnswersTwice if puts => {
                    let again = request.try_clone().expect("a request in memory");
                    wire.honest.call(again).await?;
                }
                Mutant::KeepsTheRule if operation == "DeleteApprovalRuleTemplate" => {
                    return Ok(invented(200, r#"{"approvalRuleTemplateId":"it"}"#));
                }
                Mutant::OverlooksMarks if operation == "DescribeSecret" => {
                    return Ok(invented(400, r#"{"__type":"ResourceNotFoundException"}"#));
                }
                Mutant::ImaginesTheBranch if operation == "GetBranch" => {
                    return Ok(invented(200, r#"{"branch":{"commitId":"imagined"}}"#));
                }
                Mutant::DeletesTheRepository if operation == "DeleteSecret" => {
                    wire.world.change(|aws| {
                        crate::support::codecommit::remove(aws, crate::project::REPOSITORY);
                    });
                }
                Mutant::SendsAnotherTemplate if body.contains("Action=UpdateStack") => {
                    let other =
                        body.replace("RetentionInDays%22%3A%2090", "RetentionInDays%22%3A%2030");
                    request
                        .headers_mut()
                        .insert("content-length", other.len().to_string());
                    *request.body_mut() = SdkBody::from(other);
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
            Mutant::AnswersTwice,
            "create and delete",
            "answered 2 times",
        ),
        (
            Mutant::KeepsTheRule,
            "create and delete with an approval rule",
            "approval rule template approval-dev-cfn-shop is left",
        ),
        (
            Mutant::OverlooksMarks,
            "create cancelled at once",
            "a child stack is left",
        ),
        (
            Mutant::ImaginesTheBranch,
            "create and delete",
            ".stacks[0].parameters.BranchExists: \"true\" instead of \"false\"",
        ),
        (
            Mutant::DeletesTheRepository,
            "create that retains its repository",
            "codecommit-dev-cfn-shop is gone",
        ),
        (
            Mutant::SendsAnotherTemplate,
            "changing update",
            "RetentionInDays: 30 instead of 90",
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
