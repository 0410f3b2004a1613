//! The checks detect their defects: mutants that overreach, omit calls or repeat them.
//!
//! Each mutant is the real product behind a wire that adds one defect.

use crate::fixture::paused;
use crate::scenarios::scenarios;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, invented,
    operation_of, replace_in_body, send_twice,
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
    async fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        match self {
            Mutant::AnswersTwice if operation == "PutResponse" => {
                send_twice(&honest, &request).await?;
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
                fake.change(|aws| {
                    aws.codecommit.remove(crate::fixture::REPOSITORY);
                });
            }
            Mutant::SendsAnotherTemplate if operation == "UpdateStack" => {
                let days = |days| format!("RetentionInDays%22%3A%20{days}");
                replace_in_body(&mut request, &days(90), &days(30));
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
            Mutant::AnswersTwice,
            "pipeline_create_and_delete",
            "answered 2 times",
        ),
        (
            Mutant::KeepsTheRule,
            "pipeline_with_an_approval_rule",
            "approval rule template approval-dev-cfn-shop is left",
        ),
        (
            Mutant::OverlooksMarks,
            "pipeline_create_canceled_at_once: 0s",
            "a child stack is left",
        ),
        (
            Mutant::ImaginesTheBranch,
            "pipeline_create_and_delete",
            ".stacks[0].parameters.BranchExists: \"true\" instead of \"false\"",
        ),
        (
            Mutant::DeletesTheRepository,
            "pipeline_repository_retained",
            "codecommit-dev-cfn-shop is gone",
        ),
        (
            Mutant::SendsAnotherTemplate,
            "pipeline_changed",
            "RetentionInDays: 30 instead of 90",
        ),
    ];
    for (mutant, scenario, reason) in mutants {
        let scenario = scenarios().into_iter().find(|known| known.story.name == scenario);
        let scenario = scenario.expect("that scenario");
        let play = || {
            paused(scenario.play(Options::default(), &[]));
        };
        assert_noticed(mutant, reason, play);
    }
}
