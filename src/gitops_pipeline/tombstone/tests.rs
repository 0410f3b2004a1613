use crate::gitops_pipeline::tombstone::*;

#[test]
fn request_of_the_same_second_is_superseded_if_it_created() {
    let request = |signed, hash: &str| RequestKey {
        signed,
        hash: hash.to_owned(),
    };
    let found_nothing = PipelineTombstone {
        signed: 100,
        made_by: None,
    };
    assert!(found_nothing.supersedes(&request(99, "a")));
    assert!(found_nothing.supersedes(&request(100, "a")));
    assert!(!found_nothing.supersedes(&request(101, "a")));
    let found_something = PipelineTombstone {
        made_by: Some("a".to_owned()),
        ..found_nothing.clone()
    };
    assert!(found_something.supersedes(&request(99, "b")));
    assert!(found_something.supersedes(&request(100, "a")));
    assert!(!found_something.supersedes(&request(100, "b")));
    for mark in [found_nothing, found_something] {
        assert_eq!(PipelineTombstone::from_text(&mark.to_text()), mark);
    }
    assert!(!PipelineTombstone::from_text("rubbish").supersedes(&request(1, "a")));
}

#[test]
fn tombstone_belongs_to_one_project_and_one_owner() {
    let names = ResourceNames::new("dev", "shop").expect("names");
    let owner = |stack_id: &str| Owner {
        stack_id: stack_id.to_owned(),
        logical_id: "Project".to_owned(),
    };
    let name = secret_name(&names, &owner("one"));
    assert!(name.starts_with("cfn-gitops-dev/deletions/shop-"));
    assert_ne!(name, secret_name(&names, &owner("another")));
    // Secrets Manager parses a hyphen and six characters at the end of a name as an ARN's suffix.
    assert!(name.len() - name.rfind('-').expect("a hyphen") > 7);
}
