use crate::gitops_pipeline::approval_rule::*;

#[test]
fn content_names_the_branch_and_the_approvers() {
    let everybody = ApprovalRule {
        approvers_needed: 2,
        approval_pool_members: Vec::new(),
    };
    assert_eq!(
        content(&everybody, "master"),
        r#"{"DestinationReferences":["refs/heads/master"],"Statements":[{"NumberOfApprovalsNeeded":2,"Type":"Approvers"}],"Version":"2018-11-08"}"#
    );
    let some = ApprovalRule {
        approvers_needed: 1,
        approval_pool_members: vec!["CodeCommitApprovers:123456789012:Lead/*".to_owned()],
    };
    assert!(
        content(&some, "master")
            .contains(r#""ApprovalPoolMembers":["CodeCommitApprovers:123456789012:Lead/*"]"#)
    );
}
