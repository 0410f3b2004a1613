//! The checks detect their defects: mutants that overreach, omit calls or repeat them.
//!
//! Each mutant is the real product behind a wire that adds one defect.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::fixture::paused;
use crate::scenario_table::scenarios;
use fake_aws::mutants::{
    self as misbehaving, assert_noticed, body_of, invented, replace_body, send_twice,
};
use fake_aws::{Caller, FakeAws, Options};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It answers CloudFormation twice.
    AnswersTwice,
    /// It does not delete the approval rule template.
    KeepsTheRule,
    /// It does not see that a Delete has been here.
    OverlooksMarks,
    /// It reports a missing branch as existing.
    ImaginesTheBranch,
    /// It deletes the retained repository.
    DeletesTheRepository,
    /// It does not set the template's deletion policy.
    SendsAnotherTemplate,
}

impl misbehaving::Mutant for Mutant {
    fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> HttpConnectorFuture {
        let body = body_of(&request);
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let puts = request.method() == "PUT";
        HttpConnectorFuture::new(async move {
            match self {
                Mutant::AnswersTwice if puts => send_twice(&honest, &request).await?,
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
                    fake.change(|aws| {
                        fake_aws::codecommit::remove(aws, crate::fixture::REPOSITORY);
                    });
                }
                Mutant::SendsAnotherTemplate if body.contains("Action=UpdateStack") => {
                    let other =
                        body.replace("RetentionInDays%22%3A%2090", "RetentionInDays%22%3A%2030");
                    replace_body(&mut request, other);
                }
                _ => {}
            }
            honest.call(request).await
        })
    }
}

#[test]
fn every_mutant_is_detected() {
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
    for (mutant, scenario, says) in mutants {
        let scenario = scenarios().into_iter().find(|known| known.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = || {
            paused(scenario.play(Options::default(), None));
        };
        let first = assert_noticed(mutant, says, play);
        fake_aws::figure!("mutant {mutant:?}: noticed: {first}");
    }
}
