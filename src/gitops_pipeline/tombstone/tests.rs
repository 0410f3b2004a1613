use crate::gitops_pipeline::tombstone::*;

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
