//! How often AWS and GitLab answer, for one account in one region.

use fake_aws::{Rate, Service};

pub fn rates() -> Vec<Rate> {
    documented().into_iter().chain(assumed()).collect()
}

/// Secrets Manager User Guide, "AWS Secrets Manager quotas": for each account and region, not
/// adjustable. That a bucket contains one second's refill is an assumption. Of GitLab's rates, this is
/// the smallest one: 1,200 requests a minute (GitLab Dedicated, "Authenticated user rate limits").
fn documented() -> [Rate; 8] {
    let rate = |operations, rate| Rate::shared_by(Service::SecretsManager, operations, rate, rate);
    [
        rate(&["CreateSecret"], 50.0),
        rate(&["DeleteSecret"], 50.0),
        rate(
            &["PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage"],
            50.0,
        ),
        rate(&["TagResource", "UntagResource"], 50.0),
        rate(&["ListSecrets"], 100.0),
        rate(&["GetSecretValue"], 10_000.0),
        rate(&["DescribeSecret"], 40_000.0),
        Rate::of(Service::GitLab, 20.0, 40.0),
    ]
}

/// Rates that AWS does not document. IAM's buckets are one for each API and more ("For each IAM
/// API, a number of token buckets might apply", AWS Security Blog). Here all reads share one, and
/// all changes share one, which is stricter.
fn assumed() -> [Rate; 9] {
    let cloudformation =
        |operations| Rate::shared_by(Service::CloudFormation, operations, 5.0, 10.0);
    let codepipeline = |operations| Rate::shared_by(Service::CodePipeline, operations, 10.0, 20.0);
    [
        Rate::shared_by(
            Service::Iam,
            &["GetUser", "ListUserTags", "ListServiceSpecificCredentials"],
            40.0,
            80.0,
        ),
        Rate::shared_by(
            Service::Iam,
            &[
                "TagUser",
                "UntagUser",
                "CreateServiceSpecificCredential",
                "ResetServiceSpecificCredential",
                "UpdateServiceSpecificCredential",
                "DeleteServiceSpecificCredential",
            ],
            15.0,
            30.0,
        ),
        // "Cloud Formation rate caps describe-stacks to 5 calls per second and this cannot be
        // increased": a user, aws/aws-sam-cli issue 2671.
        cloudformation(&["DescribeStacks"]),
        cloudformation(&["DescribeStackEvents"]),
        cloudformation(&["CreateStack", "UpdateStack", "DeleteStack"]),
        codepipeline(&["ListPipelineExecutions"]),
        codepipeline(&["GetPipelineState"]),
        Rate::of(Service::CodeCommit, 20.0, 40.0),
        // "Rate Exceeded" or 429, without a figure: CodeCommit User Guide, Troubleshooting.
        Rate::of(Service::Git, 20.0, 40.0),
    ]
}
