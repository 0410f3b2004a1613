use crate::gitops_pipeline::names::*;

#[test]
fn the_longest_names_are_within_their_limits() {
    let names = Names::of("abcdefghij", "abcdefghijklmnopqrst").expect("30 characters");
    assert_eq!(names.event_rule().len(), 64);
    assert!(names.provisioning_role().len() <= 64);
    assert!(names.stack().len() <= 128);
    assert!(names.pipeline().len() <= 100);
    assert!(names.repository().len() <= 100);
    assert!(names.approval_rule_template().len() <= 100);
    assert_eq!(Names::of("abcdefghij", "abcdefghijklmnopqrstu"), None);
    let longest_env = Names::of(&"e".repeat(29), "p").expect("30 characters");
    assert!(longest_env.provisioning_role().len() <= 64);
}

#[test]
fn two_projects_never_share_a_name() {
    assert_eq!(Names::of("dev-a", "b"), None);
    let names = Names::of("dev", "a-b").expect("names");
    assert_eq!(Names::of_stack(&names.stack()), Some(names.clone()));
    assert_eq!(Names::of_repository(&names.repository()), Some(names));
    for no_stack in [
        "gitops-pipeline",
        "gitops-",
        "gitops--x",
        "Gitops-dev-x",
        "",
    ] {
        assert_eq!(Names::of_stack(no_stack), None, "{no_stack}");
    }
}

#[test]
fn a_place_is_read_from_any_arn() {
    let place = Place::of_arn("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/s/id")
        .expect("a place");
    assert_eq!(place.role("r"), "arn:aws-cn:iam::123456789012:role/r");
    assert_eq!(
        place.arn("codepipeline", "p"),
        "arn:aws-cn:codepipeline:cn-north-1:123456789012:p"
    );
    assert!(
        place
            .pipeline_console("p")
            .starts_with("https://cn-north-1.console.amazonaws.cn/")
    );
    assert_eq!(Place::of_arn("stack"), None);
    assert_eq!(Place::of_arn("arn:aws:iam::123456789012:role/r"), None);
}
