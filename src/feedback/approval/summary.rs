//! The summaries of approvals in CodePipeline.

/// The summary of the function's approval.
pub const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// How the summary of a person's decision in GitLab begins. The person and the tag follow.
pub const BY_PERSON: [&str; 2] = [
    "cfn-gitops: approved in GitLab by ",
    "cfn-gitops: rejected in GitLab by ",
];

/// Who decided in GitLab, and by which tag, according to the summary of an approval.
pub fn person_of(summary: &str) -> Option<&str> {
    let mut texts = BY_PERSON.iter();
    texts.find_map(|text| Some(summary.split_once(text)?.1))
}
