use crate::gitops_pipeline::pushes::*;

fn event(detail: &str, extra: &str) -> String {
    format!(
        r#"{{"source":"aws.codecommit","detail-type":"CodeCommit Repository State Change",
                "time":"2026-11-20T12:00:00Z","detail":{{{detail}}}{extra}}}"#
    )
}

const CREATED: &str = r#""event":"referenceCreated","repositoryName":"codecommit-dev-cfn-shop",
        "referenceType":"branch","referenceName":"development","commitId":"c0ffee""#;

#[test]
fn event_names_the_waiting_stack() {
    let named = event(CREATED, r#","StackName":"gitops-prd-other""#);
    let push = BranchPush::parse(&named).expect("a push");
    assert_eq!(push.stack_name().as_deref(), Some("gitops-prd-other"));
    for other in ["", r#","StackName":"a-foreign-stack""#] {
        let push = BranchPush::parse(&event(CREATED, other)).expect("a push");
        assert_eq!(push.stack_name(), None, "{other}");
    }
}

#[test]
fn event_of_tag_or_deletion_is_not_a_first_push() {
    let deleted = CREATED.replace("referenceCreated", "referenceDeleted");
    let tag = CREATED.replace(r#""branch""#, r#""tag""#);
    for detail in [deleted, tag, String::new()] {
        assert!(BranchPush::parse(&event(&detail, "")).is_none(), "{detail}");
    }
    let of_another = event(CREATED, "").replace("aws.codecommit", "aws.ecr");
    assert!(BranchPush::parse(&of_another).is_none());
}
