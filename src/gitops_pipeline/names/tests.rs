use crate::gitops_pipeline::names::*;

#[test]
fn longest_names_are_within_their_limits() {
    let names = ResourceNames::new("abcdefghij", "abcdefghijklmnopqrst").expect("30 characters");
    assert_eq!(names.event_rule().len(), 64);
    assert!(names.provisioning_role().len() <= 64);
    assert!(names.stack().len() <= 128);
    assert!(names.pipeline().len() <= 100);
    assert!(names.repository().len() <= 100);
    assert!(names.approval_rule_template().len() <= 100);
    assert_eq!(
        ResourceNames::new("abcdefghij", "abcdefghijklmnopqrstu"),
        None
    );
    let longest_env = ResourceNames::new(&"e".repeat(29), "p").expect("30 characters");
    assert!(longest_env.provisioning_role().len() <= 64);
}

#[test]
fn two_projects_never_share_a_name() {
    assert_eq!(ResourceNames::new("dev-a", "b"), None);
    let names = ResourceNames::new("dev", "a-b").expect("names");
    assert_eq!(ResourceNames::from_stack_name(&names.stack()), Some(names));
    for no_stack in [
        "gitops-pipeline",
        "gitops-",
        "gitops--x",
        "Gitops-dev-x",
        "",
    ] {
        assert_eq!(ResourceNames::from_stack_name(no_stack), None, "{no_stack}");
    }
}

#[test]
fn location_is_read_from_any_arn() {
    let location =
        AwsLocation::from_arn("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/s/id")
            .expect("a location");
    assert_eq!(location.role("r"), "arn:aws-cn:iam::123456789012:role/r");
    assert_eq!(
        location.arn("codepipeline", "p"),
        "arn:aws-cn:codepipeline:cn-north-1:123456789012:p"
    );
    assert!(
        location
            .pipeline_console("p")
            .starts_with("https://cn-north-1.console.amazonaws.cn/")
    );
    assert_eq!(AwsLocation::from_arn("stack"), None);
    assert_eq!(
        AwsLocation::from_arn("arn:aws:iam::123456789012:role/r"),
        None
    );
}
