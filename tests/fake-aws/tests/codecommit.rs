//! Repositories, branches, tags and approval rule templates: CodeCommit's API Reference.

use super::code;
use fake_aws::{FakeAws, clients::Clients};

const NAME: &str = "codecommit-dev-cfn-shop";
const ARN: &str = "arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-shop";
const RULE: &str =
    r#"{"Version":"2018-11-08","Statements":[{"Type":"Approvers","NumberOfApprovalsNeeded":1}]}"#;

fn world_with_repository() -> (FakeAws, Clients) {
    let (fake, clients) = super::world_and_clients();
    fake.repository(NAME);
    (fake, clients)
}

#[tokio::test(start_paused = true)]
async fn branch_exists_after_a_push_and_can_then_be_the_default() {
    let (fake, clients) = world_with_repository();
    let client = &clients.codecommit;
    let branch = async |repository: &str, name: &str| {
        let get = send!(client, get_branch, repository_name: repository, branch_name: name);
        code(get.await)
    };
    let default = async |name: &str| {
        code(
            send!(client, update_default_branch, repository_name: NAME, default_branch_name: name)
                .await,
        )
    };
    let shown = async || {
        let get = send!(client, get_repository, repository_name: NAME).await;
        let shown = get.expect("the repository").repository_metadata;
        shown.expect("metadata").default_branch.unwrap_or_default()
    };
    let no_branch = "BranchDoesNotExistException";
    assert_eq!(branch(NAME, "development").await, no_branch);
    assert_eq!(
        branch("other", "x").await,
        "RepositoryDoesNotExistException"
    );
    assert_eq!(default("development").await, no_branch);
    assert_eq!(shown().await, "");
    fake.push(NAME, "main", "commit-1");
    fake.push(NAME, "development", "commit-2");
    assert_eq!(shown().await, "main", "the first one pushed");
    assert_eq!(branch(NAME, "development").await, "none");
    assert_eq!(default("development").await, "none");
    assert_eq!(shown().await, "development");
}

#[tokio::test(start_paused = true)]
async fn tags_are_set_and_listed_by_arn() {
    let (_, clients) = world_with_repository();
    let client = &clients.codecommit;
    let tag = |key: &str| {
        let call = client.tag_resource().resource_arn(ARN);
        call.tags(key, "v").send()
    };
    tag("cfn-gitops:stack-name").await.expect("a tag");
    assert_eq!(
        code(tag("aws:mine").await),
        "InvalidSystemTagUsageException"
    );
    let list = |arn: &str| send!(client, list_tags_for_resource, resource_arn: arn);
    let listed = list(ARN).await.expect("the repository").tags.expect("tags");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed["cfn-gitops:stack-name"], "v");
    assert_eq!(code(list(NAME).await), "InvalidResourceArnException");
    let other = list(&format!("{ARN}x")).await;
    assert_eq!(code(other), "RepositoryDoesNotExistException");
}

#[tokio::test(start_paused = true)]
async fn approval_rule_template_in_use_is_not_deleted() {
    let (fake, clients) = world_with_repository();
    let client = &clients.codecommit;
    let create = async |content: &str| {
        let call = client.create_approval_rule_template().approval_rule_template_name("rule");
        code(call.approval_rule_template_content(content).send().await)
    };
    let associate = async |name: &str, repository: &str| {
        let call = client.associate_approval_rule_template_with_repository();
        let call = call.approval_rule_template_name(name);
        code(call.repository_name(repository).send().await)
    };
    let leave = async || {
        let call = client.disassociate_approval_rule_template_from_repository();
        let call = call.approval_rule_template_name("rule");
        code(call.repository_name(NAME).send().await)
    };
    let remove = async || {
        let call = client.delete_approval_rule_template();
        code(call.approval_rule_template_name("rule").send().await)
    };
    let delete = async || code(send!(client, delete_repository, repository_name: NAME).await);
    let no_template = "ApprovalRuleTemplateDoesNotExistException";
    let get = send!(client, get_approval_rule_template, approval_rule_template_name: "rule");
    assert_eq!(code(get.await), no_template);
    let invalid = "InvalidApprovalRuleTemplateContentException";
    assert_eq!(create("{}").await, invalid);
    assert_eq!(create(RULE).await, "none");
    let exists = "ApprovalRuleTemplateNameAlreadyExistsException";
    assert_eq!(create(RULE).await, exists);

    let no_repository = "RepositoryDoesNotExistException";
    assert_eq!(associate("rule", "other").await, no_repository);
    assert_eq!(associate("other", NAME).await, no_template);
    assert_eq!(associate("rule", NAME).await, "none");
    assert_eq!(associate("rule", NAME).await, "none", "again");
    let is_used = "ApprovalRuleTemplateInUseException";
    assert_eq!(remove().await, is_used);
    assert_eq!(leave().await, "none");
    assert_eq!(leave().await, "none", "again");
    assert_eq!(associate("rule", NAME).await, "none");
    assert_eq!(delete().await, "none");
    assert_eq!(delete().await, "AccessDeniedException");
    assert_eq!(
        remove().await,
        "none",
        "a deleted repository has no association"
    );
    assert_eq!(remove().await, "none", "again");
    let gone = fake.look(|aws| aws.codecommit.repositories_gone.clone());
    assert_eq!(gone, [NAME]);
}
