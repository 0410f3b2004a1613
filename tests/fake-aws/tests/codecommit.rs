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
    let branch = |name: &str| {
        let request = clients.codecommit.get_branch().repository_name(NAME);
        request.branch_name(name).send()
    };
    assert_eq!(
        code(branch("development").await),
        "BranchDoesNotExistException"
    );
    let elsewhere = clients
        .codecommit
        .get_branch()
        .repository_name("other")
        .branch_name("x");
    assert_eq!(
        code(elsewhere.send().await),
        "RepositoryDoesNotExistException"
    );
    let default = |name: &str| {
        let request = clients
            .codecommit
            .update_default_branch()
            .repository_name(NAME);
        request.default_branch_name(name).send()
    };
    assert_eq!(
        code(default("development").await),
        "BranchDoesNotExistException"
    );
    let shown = async || {
        let request = clients.codecommit.get_repository().repository_name(NAME);
        let shown = request.send().await.expect("the repository");
        let shown = shown.repository_metadata.expect("metadata");
        assert_eq!(shown.arn(), Some(ARN));
        shown.default_branch
    };
    assert_eq!(shown().await, None);
    fake.push(NAME, "main", "commit-1");
    fake.push(NAME, "development", "commit-2");
    assert_eq!(
        shown().await.as_deref(),
        Some("main"),
        "the first one pushed"
    );
    default("development").await.expect("it is there now");
    assert_eq!(shown().await.as_deref(), Some("development"));
    let tip = branch("development")
        .await
        .expect("the branch")
        .branch
        .expect("it");
    assert_eq!(tip.commit_id(), Some("commit-2"));
}

#[tokio::test(start_paused = true)]
async fn tags_are_set_and_listed_by_arn() {
    let (_, clients) = world_with_repository();
    let tag = |key: &str| {
        let request = clients.codecommit.tag_resource().resource_arn(ARN);
        request.tags(key, "v").send()
    };
    tag("cfn-gitops:stack-name").await.expect("a tag");
    assert_eq!(
        code(tag("aws:mine").await),
        "InvalidSystemTagUsageException"
    );
    let listed = clients
        .codecommit
        .list_tags_for_resource()
        .resource_arn(ARN)
        .send()
        .await;
    let listed = listed.expect("the repository").tags.unwrap_or_default();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed["cfn-gitops:stack-name"], "v");
    let name = clients
        .codecommit
        .list_tags_for_resource()
        .resource_arn(NAME)
        .send()
        .await;
    assert_eq!(code(name), "InvalidResourceArnException");
    let remove = clients.codecommit.untag_resource().resource_arn(ARN);
    remove
        .tag_keys("cfn-gitops:stack-name")
        .send()
        .await
        .expect("no tag");
    let other = clients
        .codecommit
        .list_tags_for_resource()
        .resource_arn(format!("{ARN}x"));
    assert_eq!(code(other.send().await), "RepositoryDoesNotExistException");
}

#[tokio::test(start_paused = true)]
async fn repository_is_deleted_with_its_associations() {
    let (fake, clients) = world_with_repository();
    create(&clients, "rule", RULE).await.expect("a template");
    associate(&clients, "rule", NAME)
        .await
        .expect("an association");
    let delete = || {
        clients
            .codecommit
            .delete_repository()
            .repository_name(NAME)
            .send()
    };
    assert!(delete().await.expect("deleted").repository_id().is_some());
    assert_eq!(code(delete().await), "AccessDeniedException");
    assert_eq!(
        fake.look(|aws| aws.codecommit.repositories_gone.clone()),
        [NAME]
    );
    remove(&clients, "rule").await.expect("nothing holds it");
}

type Answer = Result<(), String>;

async fn create(clients: &Clients, name: &str, content: &str) -> Answer {
    let request = clients.codecommit.create_approval_rule_template();
    let request = request.approval_rule_template_name(name);
    let created = request.approval_rule_template_content(content).send().await;
    created
        .map(drop)
        .map_err(|error| code::<(), _, _>(Err(error)))
}

async fn associate(clients: &Clients, name: &str, repository: &str) -> Answer {
    let request = clients
        .codecommit
        .associate_approval_rule_template_with_repository();
    let request = request.approval_rule_template_name(name);
    let associated = request.repository_name(repository).send().await;
    associated
        .map(drop)
        .map_err(|error| code::<(), _, _>(Err(error)))
}

async fn remove(clients: &Clients, name: &str) -> Answer {
    let request = clients.codecommit.delete_approval_rule_template();
    let removed = request.approval_rule_template_name(name).send().await;
    removed
        .map(drop)
        .map_err(|error| code::<(), _, _>(Err(error)))
}

fn refused(name: &str) -> Answer {
    Err(format!("{name}Exception"))
}

#[tokio::test(start_paused = true)]
async fn approval_rule_template_in_use_is_not_deleted() {
    let (_, clients) = world_with_repository();
    let codecommit = &clients.codecommit;
    let get = || {
        codecommit
            .get_approval_rule_template()
            .approval_rule_template_name("rule")
            .send()
    };
    assert_eq!(
        code(get().await),
        "ApprovalRuleTemplateDoesNotExistException"
    );
    assert_eq!(
        create(&clients, "rule", "{}").await,
        refused("InvalidApprovalRuleTemplateContent")
    );
    create(&clients, "rule", RULE).await.expect("a template");
    assert_eq!(
        create(&clients, "rule", RULE).await,
        refused("ApprovalRuleTemplateNameAlreadyExists")
    );
    let more = RULE.replace(":1}", ":2}");
    let update = codecommit.update_approval_rule_template_content();
    let update = update
        .approval_rule_template_name("rule")
        .new_rule_content(&more);
    update.send().await.expect("new content");
    let held = get().await.expect("it").approval_rule_template.expect("it");
    assert_eq!(held.approval_rule_template_content(), Some(more.as_str()));

    assert_eq!(
        associate(&clients, "rule", "other").await,
        refused("RepositoryDoesNotExist")
    );
    assert_eq!(
        associate(&clients, "other", NAME).await,
        refused("ApprovalRuleTemplateDoesNotExist")
    );
    associate(&clients, "rule", NAME)
        .await
        .expect("an association");
    associate(&clients, "rule", NAME).await.expect("again");
    assert_eq!(
        remove(&clients, "rule").await,
        refused("ApprovalRuleTemplateInUse")
    );
    let list = codecommit.list_repositories_for_approval_rule_template();
    let listed = list
        .approval_rule_template_name("rule")
        .send()
        .await
        .expect("a list");
    assert_eq!(listed.repository_names(), [NAME]);
    let leave = codecommit.disassociate_approval_rule_template_from_repository();
    let leave = leave
        .approval_rule_template_name("rule")
        .repository_name(NAME);
    leave.clone().send().await.expect("no association");
    leave.send().await.expect("again");
    remove(&clients, "rule").await.expect("it is free");
    remove(&clients, "rule")
        .await
        .expect("deleting an absent one is not an error");
}
