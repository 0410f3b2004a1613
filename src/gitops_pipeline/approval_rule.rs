//! The approval rule: who approves pull requests to the environment's branch.

use serde::Deserialize;
use serde_json::json;

/// CodeCommit's limit for the content of an approval rule template.
/// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateApprovalRuleTemplate.html>
pub const MAX_CONTENT_CHARACTERS: usize = 3000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ApprovalRule {
    pub approvers_needed: u32,
    /// Whose approvals count. Empty if every approval counts.
    pub approval_pool_members: Vec<String>,
}

impl ApprovalRule {
    /// The content of the approval rule template for `branch`, as CodeCommit stores it.
    pub fn content(&self, branch: &str) -> String {
        let mut statement = json!({
            "Type": "Approvers",
            "NumberOfApprovalsNeeded": self.approvers_needed,
        });
        if !self.approval_pool_members.is_empty() {
            statement["ApprovalPoolMembers"] = json!(self.approval_pool_members);
        }
        let content = json!({
            "Version": "2018-11-08",
            "DestinationReferences": [format!("refs/heads/{branch}")],
            "Statements": [statement],
        });
        content.to_string()
    }
}

#[cfg(test)]
mod tests {
    use crate::gitops_pipeline::approval_rule::*;

    #[test]
    fn content_names_the_branch_and_the_approvers() {
        let everybody = ApprovalRule {
            approvers_needed: 2,
            approval_pool_members: Vec::new(),
        };
        assert_eq!(
            everybody.content("master"),
            r#"{"DestinationReferences":["refs/heads/master"],"Statements":[{"NumberOfApprovalsNeeded":2,"Type":"Approvers"}],"Version":"2018-11-08"}"#
        );
        let some = ApprovalRule {
            approvers_needed: 1,
            approval_pool_members: vec!["CodeCommitApprovers:123456789012:Lead/*".to_owned()],
        };
        assert!(
            some.content("master")
                .contains(r#""ApprovalPoolMembers":["CodeCommitApprovers:123456789012:Lead/*"]"#)
        );
    }
}
