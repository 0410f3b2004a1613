//! The answer about all projects: a row of each, even of one that cannot be read.

use std::time::Duration;

use cfn_gitops::answers::{AskedAbout, Question};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::fixture::{
    TOKEN, answer, answer_about, create_pipeline, dev, empty_world, look, mirrored_from,
};
use fake_aws::{
    Entry, Execution, FakeAws, FaultKind, On, Pipeline, ResourceChange, ResourceEvent, Service,
    redacted,
};
use test_support::custom_resource::ParentStack;

const CHILD: &str = "gitops-dev-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const DEPLOYED: &str = "cfnstack-dev-shop";
const CHANGE_SET: &str = "changeset-dev-shop";
const RULE: &str = "event-rule-dev-codepipeline-exec-cfn-shop";
const REPOSITORY: &str = "codecommit-dev-cfn-shop";
const BRANCH: &str = "development";
const COMMITS: [&str; 2] = ["c0ffee0000000001", "c0ffee0000000002"];
/// The values of a parameter with `NoEcho`, and of another one.
const MASKED: &str = "SentinelOfNoEcho/+=";
const PLAIN: &str = "SentinelOfAParameter/+=";
const TABLE: &str = "AWS::DynamoDB::Table";

/// An attempt of an action: its name, its status, and CodePipeline's text.
type Attempt = (&'static str, &'static str, Option<&'static str>);

fn properties() -> Value {
    json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "Deploy": {"ActionMode": "CHANGE_SET"},
        "GitLab": {
            "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": "platform/shop",
        },
    })
}

/// A project whose pipeline has deployed the first commit.
async fn shop(properties: &Value) -> (FakeAws, ParentStack) {
    let fake = empty_world();
    fake.gitlab_project("platform/shop", &[BRANCH]);
    fake.gitlab_token(TOKEN);
    let stack = create_pipeline(&fake, properties).await;
    fake.push_without_event(REPOSITORY, BRANCH, COMMITS[0]);
    look(&fake).await;
    let template = json!({
        "Parameters": {"Password": {"Type": "String", "NoEcho": true}, "Size": {"Type": "String"}},
        "Resources": {"Orders": {"Type": TABLE, "Properties": {"TableName": "orders"}}},
    });
    fake.deployed_stack(
        DEPLOYED,
        &template,
        &[("Password", MASKED), ("Size", PLAIN)],
    );
    fake.arrange(|aws| {
        aws.remember_secret(MASKED);
        aws.remember_secret(PLAIN);
        let stack = aws.stacks.named_mut(DEPLOYED).expect("just deployed");
        stack.outputs.insert("Size".to_owned(), PLAIN.to_owned());
        aws.pipelines.get_mut(PIPELINE).expect("a pipeline").executions.clear();
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    run(
        &fake,
        "e1",
        0,
        "Succeeded",
        &[("Deploy", "Succeeded", None)],
    );
    (fake, stack)
}

fn change_pipeline(fake: &FakeAws, change: impl FnOnce(&mut Pipeline)) {
    fake.change(|aws| change(aws.pipelines.get_mut(PIPELINE).expect("a pipeline")));
}

/// An execution of this commit, with these attempts.
fn run(fake: &FakeAws, id: &str, commit: usize, status: &'static str, attempts: &[Attempt]) {
    fake.change(|aws| {
        let now = aws.now;
        let mut execution = Execution::with_status(id.to_owned(), status, now);
        execution.revision = Some(COMMITS[commit].to_owned());
        for (action, status, text) in attempts {
            execution.begin(action, now);
            execution.end(action, status, *text, now);
        }
        let pipeline = aws.pipelines.get_mut(PIPELINE).expect("a pipeline");
        pipeline.executions.push(execution);
    });
}

/// The execution `e2` waits for its approval, with these changes.
fn wait(fake: &FakeAws, changes: Vec<ResourceChange>) {
    run(
        fake,
        "e2",
        1,
        "InProgress",
        &[("Approval", "InProgress", None)],
    );
    change_pipeline(fake, |pipeline| {
        pipeline.running = vec![("Approval", Some("token"))];
    });
    let key = (DEPLOYED.to_owned(), CHANGE_SET.to_owned());
    fake.change(|aws| {
        let now = aws.now;
        aws.stacks.change_sets.insert(key, changes, now);
    });
}

fn change(logical_id: &'static str, replacement: Option<&'static str>) -> ResourceChange {
    ResourceChange {
        action: replacement.map_or("Add", |_| "Modify"),
        logical_id,
        resource_type: TABLE,
        replacement,
        value: PLAIN,
    }
}

/// The whole answer. Nothing was changed for it.
async fn asked(fake: &FakeAws) -> Value {
    let before = fake.journal().len();
    let answer = answer(fake, &AskedAbout::Projects(None), Duration::from_secs(290)).await;
    assert!(fake.journal()[before..].iter().all(Entry::reads));
    answer
}

/// The only row.
async fn row(fake: &FakeAws) -> Value {
    let answer = asked(fake).await;
    assert_eq!(answer["NotRead"], json!([]), "{answer}");
    let [row] = &answer["Projects"].as_array().expect("a list")[..] else {
        panic!("not one: {answer}");
    };
    row.clone()
}

/// Compares some members of the only row.
async fn check(fake: &FakeAws, members: &[&str], expected: Expect) {
    let row = row(fake).await;
    let shown = members.iter().map(|name| format!("{name}: {}", row[*name]));
    let text = shown.collect::<Vec<_>>().join("\n");
    expected.assert_eq(&redacted(&text));
}

#[tokio::test(start_paused = true)]
async fn sound_project_has_no_problem() {
    let (fake, _) = shop(&properties()).await;
    let row = row(&fake).await.to_string().replace(",\"", ",\n\"");
    expect![[r#"
        {"Approvals":[],
        "Branch":"development",
        "ChildStack":{"Name":"gitops-dev-shop",
        "Status":"UPDATE_COMPLETE"},
        "Deployed":{"At":"<time>",
        "Commit":"c0ffee0000000001",
        "ExecutionId":"e1",
        "Title":"Change c0ffee0000000001"},
        "Freeze":{"Executions":[],
        "HasApproval":true,
        "Rules":["event-rule-dev-codepipeline-exec-cfn-shop"],
        "Stage":"Deploy"},
        "HasPipeline":true,
        "Holds":[],
        "IsOutdated":false,
        "NeedsFunction":[],
        "Newest":{"At":"<time>",
        "Commit":"c0ffee0000000001",
        "ExecutionId":"e1",
        "Status":"Succeeded",
        "Title":"Change c0ffee0000000001"},
        "NotRead":[],
        "Owner":{"Exists":true,
        "LogicalId":"Project",
        "StackId":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>",
        "StackName":"shop",
        "Status":"CREATE_COMPLETE"},
        "Pipeline":"codepipeline-dev-cfn-shop",
        "Problems":[],
        "ProjectID":"shop",
        "Version":1}"#]]
    .assert_eq(&redacted(&row));
}

#[tokio::test(start_paused = true)]
async fn project_without_a_push_has_no_pipeline() {
    let fake = empty_world();
    create_pipeline(&fake, &json!({"EnvID": "dev", "ProjectID": "shop"})).await;
    check(
        &fake,
        &[
            "HasPipeline",
            "Branch",
            "Newest",
            "Freeze",
            "Problems",
            "NotRead",
        ],
        expect![[r#"
            HasPipeline: false
            Branch: "development"
            Newest: null
            Freeze: {"Executions":[],"Rules":["event-rule-dev-codepipeline-exec-cfn-shop"]}
            Problems: []
            NotRead: []"#]],
    )
    .await;
}

/// Without the function, their event rules start nothing, or a build whose result nothing reads.
#[tokio::test(start_paused = true)]
async fn properties_that_need_the_function_are_named() {
    let mut properties = properties();
    properties["Source"] = json!({"Paths": {"Includes": ["shop/**"]}});
    properties["Review"] = json!({"Branches": "review/*"});
    let fake = empty_world();
    fake.gitlab_project("platform/shop", &[BRANCH]);
    fake.gitlab_token(TOKEN);
    create_pipeline(&fake, &properties).await;
    check(
        &fake,
        &["NeedsFunction"],
        expect![[r#"NeedsFunction: ["Source.Paths","Review"]"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_approval_has_its_change_set() {
    let (fake, _) = shop(&properties()).await;
    wait(
        &fake,
        vec![change("Carts", None), change("Orders", Some("True"))],
    );
    check(
        &fake,
        &["Deployed", "Newest", "Approvals", "Failure"],
        expect![[r#"
            Deployed: {"At":"<time>","Commit":"c0ffee0000000001","ExecutionId":"e1","Title":"Change c0ffee0000000001"}
            Newest: {"At":"<time>","Commit":"c0ffee0000000002","ExecutionId":"e2","Status":"InProgress","Title":"Change c0ffee0000000002"}
            Approvals: [{"Action":"Approval","ActionExecutionId":"e2-attempt-0","ChangeSet":{"Counts":{"Added":1,"Imported":0,"Modified":0,"PossiblyReplaced":0,"Removed":0,"Replaced":1,"Undetermined":0},"Name":"changeset-dev-shop","Resources":[{"Effect":"replaced","IsDeleted":true,"LogicalId":"Orders","Properties":[],"ReplacedBecauseOf":["TableName"],"Type":"AWS::DynamoDB::Table"},{"Effect":"added","LogicalId":"Carts","Properties":[],"Type":"AWS::DynamoDB::Table"}]},"Commit":"c0ffee0000000002","ExecutionId":"e2","Stage":"Deploy","Title":"Change c0ffee0000000002","Url":"https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/view?region=eu-central-1"}]
            Failure: null"#]],
    )
    .await;
    // A later request replaces the change set, so whether this one waits is read after it.
    let journal = fake.journal();
    let last = |operation| journal.iter().rposition(|call| call.operation.as_str() == operation);
    assert!(last("DescribeChangeSet") < last("GetPipelineState"));
}

/// The waiting approval in the answer about this project alone.
async fn asked_approval(fake: &FakeAws) -> (Value, Value) {
    let answer = asked_for(fake, "shop").await;
    let row = &answer["Projects"][0];
    (row["Approvals"][0].clone(), row["NotRead"].clone())
}

/// The deploy role's policies allow this action alone.
fn allow_only(fake: &FakeAws, action: &str) {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    let policy = json!({"Statement": statement}).to_string();
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| iam.role_policies.attached = policy);
    });
}

#[tokio::test(start_paused = true)]
async fn answer_about_one_project_has_the_missing_rights() {
    let mut without = properties();
    without.as_object_mut().expect("an object").remove("GitLab");
    for properties in [properties(), without] {
        let (fake, _) = shop(&properties).await;
        wait(&fake, vec![change("Carts", None)]);
        let (approval, not_read) = asked_approval(&fake).await;
        assert_eq!(approval["MissingRights"], json!([]), "{not_read}");
        allow_only(&fake, "sns:*");
        let (approval, not_read) = asked_approval(&fake).await;
        assert_eq!(not_read, json!([]));
        expect![[r#"[{"Problem":"Pipelines may not create AWS::DynamoDB::Table (dynamodb:CreateTable) in dev","Remedy":["Add policy-dev-deploys-data of templates/deployed-services.yaml to DeployPolicyArns of the environment's stack"]}]"#]].assert_eq(&approval["MissingRights"].to_string());
        let of_all = row(&fake).await;
        assert_eq!(of_all["Approvals"][0].get("MissingRights"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_not_compared_hide_nothing_else() {
    let (fake, _) = shop(&properties()).await;
    wait(&fake, vec![change("Carts", None)]);
    allow_only(&fake, "sns:*");
    let read = "ListRolePolicies GetRolePolicy ListAttachedRolePolicies GetPolicy GetPolicyVersion DescribeType";
    for operation in read.split(' ') {
        for kind in [FaultKind::Denied, FaultKind::RequestHangs] {
            let broken = fake.fork();
            broken.break_from_now(On::Operation(operation), kind);
            let began = tokio::time::Instant::now();
            let (approval, not_read) = asked_approval(&broken).await;
            assert!(began.elapsed() < Duration::from_secs(55), "{operation}");
            assert_eq!(approval["ChangeSet"]["Counts"]["Added"], 1, "{approval}");
            let is_cut = kind == FaultKind::RequestHangs;
            // The other types are compared.
            let is_partial = operation == "DescribeType" && !is_cut;
            let rights = approval.get("MissingRights");
            assert_eq!(rights.is_some(), is_partial, "{operation}");
            let problem = not_read[0]["Problem"].as_str().expect("a problem");
            let expected = if is_cut {
                "the rights of role"
            } else {
                "AccessDenied"
            };
            assert!(problem.contains(expected), "{operation}: {problem}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn types_beyond_the_limit_are_not_read() {
    let (fake, _) = shop(&properties()).await;
    let of_type = |number| ResourceChange {
        resource_type: format!("AWS::Test::Type{number}").leak(),
        ..change("Carts", None)
    };
    wait(&fake, (0..31).map(of_type).collect());
    let (approval, not_read) = asked_approval(&fake).await;
    assert_eq!(approval["MissingRights"], json!([]));
    let text = "compared for 30 resource types, and not for 1 more";
    assert!(not_read.to_string().contains(text), "{not_read}");
}

/// The function may not read the policies of another role.
#[tokio::test(start_paused = true)]
async fn rights_of_another_deploy_role_are_not_compared() {
    let mut other = properties();
    other["Deploy"]["RoleArn"] = json!("arn:aws:iam::123456789012:role/role-dev-own");
    let (fake, _) = shop(&other).await;
    wait(&fake, vec![change("Carts", None)]);
    allow_only(&fake, "sns:*");
    let (approval, not_read) = asked_approval(&fake).await;
    assert_eq!(approval["ChangeSet"]["Counts"]["Added"], 1, "{approval}");
    assert_eq!((approval.get("MissingRights"), not_read), (None, json!([])));
}

#[tokio::test(start_paused = true)]
async fn freeze_has_what_runs_and_waits_before_its_stage() {
    let (fake, _) = shop(&properties()).await;
    wait(&fake, vec![change("Carts", None)]);
    let built = ("Build", "Succeeded", None);
    run(&fake, "e3", 1, "InProgress", &[built]);
    run(
        &fake,
        "e4",
        1,
        "InProgress",
        &[("Build", "InProgress", None)],
    );
    check(&fake, &["Freeze"], expect![[r#"Freeze: {"Executions":[{"Commit":"c0ffee0000000002","ExecutionId":"e4","Title":"Change c0ffee0000000002"},{"Commit":"c0ffee0000000002","ExecutionId":"e3","IsWaitingBefore":true,"Stage":"Deploy","Title":"Change c0ffee0000000002"}],"HasApproval":true,"Rules":["event-rule-dev-codepipeline-exec-cfn-shop"],"Stage":"Deploy"}"#]]).await;
    let key = ("AWS::Events::Rule".to_owned(), RULE.to_owned());
    fake.change(|aws| drop(aws.made.remove(&key)));
    assert_eq!(row(&fake).await["Freeze"]["Rules"], json!([]));
    // The event rules can be frozen all the same.
    fake.break_from_now(On::Operation("GetPipelineState"), FaultKind::Denied);
    assert_eq!(row(&fake).await["Freeze"], json!({"Rules": []}));
}

/// People freeze during an incident.
#[tokio::test(start_paused = true)]
async fn rules_are_read_while_an_operation_runs() {
    let (fake, _) = shop(&properties()).await;
    set_rule(&fake, "DISABLED");
    let frozen = |row: &Value| {
        let holds: Vec<_> = row["Holds"].as_array().expect("a list").iter().collect();
        assert_eq!(holds[0]["Rule"], RULE, "{row}");
        assert_eq!(row["Freeze"]["Rules"], json!([RULE]), "{row}");
    };
    for status in ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"] {
        let updating = fake.fork();
        updating.change(|aws| aws.stacks.named_mut(CHILD).expect("it").status = status);
        frozen(&row(&updating).await);
    }
}

#[tokio::test(start_paused = true)]
async fn project_without_gitlab_has_its_change_set_too() {
    let mut without = properties();
    without.as_object_mut().expect("an object").remove("GitLab");
    let (fake, _) = shop(&without).await;
    wait(&fake, vec![change("Carts", None)]);
    let row = row(&fake).await;
    assert_eq!(
        row["Approvals"][0]["ChangeSet"]["Counts"]["Added"], 1,
        "{row}"
    );
}

#[tokio::test(start_paused = true)]
async fn long_change_set_is_counts() {
    let (fake, _) = shop(&properties()).await;
    let id = |number: usize| -> &'static str { format!("Table{number}").leak() };
    wait(
        &fake,
        (0..101).map(|number| change(id(number), None)).collect(),
    );
    let row = row(&fake).await;
    let shown = &row["Approvals"][0]["ChangeSet"];
    assert_eq!(
        (&shown["Counts"]["Added"], shown.get("Resources")),
        (&json!(101), None)
    );
}

#[tokio::test(start_paused = true)]
async fn failed_build_has_its_phase_and_no_line_of_its_log() {
    let (fake, _) = shop(&properties()).await;
    let text = "Build terminated with state: FAILED";
    run(&fake, "e2", 1, "Failed", &[("Build", "Failed", Some(text))]);
    let build = fake.start_build("codebuild-dev-cfn-shop");
    change_pipeline(&fake, |pipeline| {
        pipeline.executions[1].run_as("Build", &build);
    });
    let message = "Error while executing command: npm test. Reason: exit status 1";
    fake.fail_build(&build, "BUILD", message, &["a line of the log"]);
    let row = row(&fake).await;
    assert!(!row.to_string().contains("a line of the log"));
    check(&fake, &["Failure", "Deployed"], expect![[r#"
        Failure: {"Action":"Build","At":"<time>","Cause":"The build failed in phase BUILD: COMMAND_EXECUTION_ERROR","Commit":"c0ffee0000000002","ExecutionId":"e2","Remedy":["Read its log: ",["aws","logs","tail","/aws/codebuild/codebuild-dev-cfn-shop","--log-stream-names","<uuid>","--since","4w"]],"StackName":"cfnstack-dev-shop","Title":"Change c0ffee0000000002"}
        Deployed: {"At":"<time>","Commit":"c0ffee0000000001","ExecutionId":"e1","Title":"Change c0ffee0000000001"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn missing_template_has_its_remedy_and_no_resources() {
    let (fake, _) = shop(&properties()).await;
    let text = "File [root-stack-shop.yaml] does not exist in artifact [BuildArtifact]";
    let attempt = ("CreateChangeSet", "Failed", Some(text));
    run(&fake, "e2", 1, "Failed", &[attempt]);
    check(&fake, &["Failure"], expect![[r#"Failure: {"Action":"CreateChangeSet","At":"<time>","Cause":"File [root-stack-shop.yaml] does not exist in artifact [BuildArtifact]. Set DeployTemplatePath (Deploy.TemplatePath, Deploy.TemplateConfiguration) to its path in the build's output, deploy that, and start an execution","Commit":"c0ffee0000000002","ExecutionId":"e2","StackName":"cfnstack-dev-shop","StackStatus":"CREATE_COMPLETE","Title":"Change c0ffee0000000002"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn stopped_build_is_not_a_failed_command() {
    let (fake, _) = shop(&properties()).await;
    run(
        &fake,
        "e2",
        1,
        "Failed",
        &[(
            "Build",
            "Failed",
            Some("Build terminated with state: STOPPED"),
        )],
    );
    let build = fake.start_build("codebuild-dev-cfn-shop");
    change_pipeline(&fake, |pipeline| {
        pipeline.executions[1].run_as("Build", &build);
    });
    fake.end_build(&build, "STOPPED");
    let row = row(&fake).await;
    expect!["The build was stopped"].assert_eq(row["Failure"]["Cause"].as_str().expect("a cause"));
}

#[tokio::test(start_paused = true)]
async fn failed_deployment_lists_the_resources_of_nested_stacks() {
    let (fake, _) = shop(&properties()).await;
    wait(&fake, vec![change("Carts", None)]);
    approve(&fake);
    let reason = format!("Bucket {PLAIN} already exists, and {MASKED}").leak();
    let inner = [failed("Bucket", "AWS::S3::Bucket", reason)];
    let id = fake.failed_nested_stack(DEPLOYED, "cfnstack-dev-shop-Data-1A2B3C4D5E6F", &inner);
    let embedded = "Embedded stack x was not successfully created: The following resource(s) failed to create: [Bucket]. ";
    let mut outer = failed("Data", "AWS::CloudFormation::Stack", embedded);
    outer.physical_id = id;
    fake.fail_deployment(DEPLOYED, &[outer]);
    end(&fake, Some("Bucket already exists"));
    check(&fake, &["Failure", "Deployed", "Approvals"], expect![[r#"
        Failure: {"Action":"Deploy","At":"<time>","Cause":"Data/Bucket (AWS::S3::Bucket): the reason is not shown, because it may contain a value of a parameter","Commit":"c0ffee0000000002","ExecutionId":"e2","Remedy":["Correct the cause, then merge or start an execution. Without a correction, revert the merge request"],"Resources":[{"Path":"Data/Bucket","Reason":"the reason is not shown, because it may contain a value of a parameter","Type":"AWS::S3::Bucket"}],"StackName":"cfnstack-dev-shop","StackStatus":"UPDATE_ROLLBACK_COMPLETE","Stage":"Deploy","Title":"Change c0ffee0000000002"}
        Deployed: {"At":"<time>","Commit":"c0ffee0000000001","ExecutionId":"e1","Title":"Change c0ffee0000000001"}
        Approvals: []"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn denied_type_without_a_policy_gets_all_its_actions() {
    const DENIED: &str = "Resource handler returned message: \"User: arn:aws:sts::123456789012:assumed-role/role-dev-codedeploy-cfn/x is not authorized to perform: rds:CreateDBSubnetGroup on resource: * because no identity-based policy allows the rds:CreateDBSubnetGroup action\"";
    let (fake, _) = shop(&properties()).await;
    wait(&fake, vec![change("Carts", None)]);
    approve(&fake);
    let denied = |id| failed(id, "AWS::RDS::DBSubnetGroup", DENIED);
    fake.fail_deployment(DEPLOYED, &[denied("One"), denied("Other")]);
    end(&fake, Some("no"));
    let row = row(&fake).await;
    let [one, other] = [0, 1].map(|number| row["Failure"]["Resources"][number]["Reason"].clone());
    expect![[r#""pipelines may not call rds:CreateDBSubnetGroup. Add a policy that allows it to DeployPolicyArns of the environment's stack. All that the type needs, with the names of your resources in place of ARN: {\"Action\":[\"rds:AddTagsToResource\",\"rds:CreateDBSubnetGroup\",\"rds:DeleteDBSubnetGroup\",\"rds:DescribeDBSubnetGroups\",\"rds:ListTagsForResource\",\"rds:ModifyDBSubnetGroup\",\"rds:RemoveTagsFromResource\"],\"Effect\":\"Allow\",\"Resource\":\"ARN\"}""#]].assert_eq(&one.to_string());
    // Only the first one has the statement. Here its type is not read.
    fake.break_from_now(On::Operation("DescribeType"), FaultKind::RequestHangs);
    let row = self::row(&fake).await;
    assert_eq!(row["Failure"]["Resources"][0]["Reason"], other);
}

/// The approval of `e2` is given, and its deployment begins.
fn approve(fake: &FakeAws) {
    let key = (DEPLOYED.to_owned(), CHANGE_SET.to_owned());
    fake.change(|aws| {
        let executed = aws.stacks.change_sets.execute(&key);
        aws.stacks.named_mut(DEPLOYED).expect("a stack").change_set_id = executed;
        let now = aws.now;
        let pipeline = aws.pipelines.get_mut(PIPELINE).expect("a pipeline");
        pipeline.running.clear();
        pipeline.executions[1].end("Approval", "Succeeded", Some("fine"), now);
        pipeline.executions[1].begin("Deploy", now);
    });
}

/// The deployment of `e2` fails.
fn end(fake: &FakeAws, text: Option<&'static str>) {
    fake.change(|aws| {
        let now = aws.now;
        let pipeline = aws.pipelines.get_mut(PIPELINE).expect("a pipeline");
        pipeline.executions[1].end("Deploy", "Failed", text, now);
        pipeline.executions[1].status = "Failed";
    });
}

fn failed(logical_id: &'static str, kind: &'static str, reason: &'static str) -> ResourceEvent {
    ResourceEvent {
        logical_id,
        kind,
        status: "CREATE_FAILED",
        reason,
        physical_id: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn rejection_by_a_person_is_not_a_failure() {
    let (fake, _) = shop(&properties()).await;
    run(
        &fake,
        "e2",
        1,
        "Failed",
        &[("Approval", "Failed", Some("not\ntoday"))],
    );
    check(&fake, &["Rejection", "Failure"], expect![[r#"
        Rejection: {"At":"<time>","By":"arn:aws:sts::123456789012:assumed-role/Approver/jane","Commit":"c0ffee0000000002","ExecutionId":"e2","Reason":"not today","Title":"Change c0ffee0000000002"}
        Failure: null"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn approval_that_codepipeline_ended_is_a_failure() {
    let (fake, _) = shop(&properties()).await;
    run(&fake, "e2", 1, "Failed", &[("Approval", "Failed", None)]);
    let row = row(&fake).await;
    assert_eq!(row["Failure"]["Action"], "Approval", "{row}");
    assert_eq!(row["Rejection"], Value::Null, "{row}");
}

/// Each approver can write any text.
#[tokio::test(start_paused = true)]
async fn rejection_before_a_failure_hides_neither() {
    let (fake, _) = shop(&properties()).await;
    let text = Some("an alarm");
    run(&fake, "e2", 1, "Failed", &[("Deploy", "Failed", text)]);
    let text = Some("no. cfn-gitops: rejected in GitLab by olivia");
    for id in ["e3", "e4"] {
        run(&fake, id, 1, "Failed", &[("Approval", "Failed", text)]);
    }
    let row = row(&fake).await;
    assert_eq!(row["Failure"]["ExecutionId"], "e2", "{row}");
    assert_eq!(row["Rejection"]["ExecutionId"], "e4", "{row}");
    assert!(
        row["Rejection"]["By"].to_string().ends_with("/jane\""),
        "{row}"
    );
}

/// The values of another stack are not those to hide.
#[tokio::test(start_paused = true)]
async fn rollback_is_shown_with_its_failure() {
    let (fake, _) = shop(&properties()).await;
    let text = Some("an alarm");
    run(&fake, "e2", 1, "Failed", &[("Deploy", "Failed", text)]);
    run(
        &fake,
        "e3",
        0,
        "Succeeded",
        &[("Deploy", "Succeeded", None)],
    );
    change_pipeline(&fake, |pipeline| {
        pipeline.executions[2].rolls_back = Some("e2".to_owned());
    });
    check(&fake, &["Deployed", "Newest", "Failure"], expect![[r#"
        Deployed: {"At":"<time>","Commit":"c0ffee0000000001","ExecutionId":"e3","Title":"Change c0ffee0000000001"}
        Newest: {"At":"<time>","Commit":"c0ffee0000000001","ExecutionId":"e3","IsRollback":true,"Status":"Succeeded","Title":"Change c0ffee0000000001"}
        Failure: {"Action":"Deploy","At":"<time>","Cause":"the reason is not shown, because it may contain a value of a parameter","Commit":"c0ffee0000000002","ExecutionId":"e2","NotListed":"CodePipeline shows another execution or attempt as the latest one of the stage","Remedy":["Correct the cause, then merge or start an execution. Without a correction, revert the merge request"],"StackName":"cfnstack-dev-shop","StackStatus":"CREATE_COMPLETE","Stage":"Deploy","Title":"Change c0ffee0000000002"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn each_freeze_is_one_entry() {
    let (fake, _) = shop(&properties()).await;
    set_rule(&fake, "DISABLED");
    change_pipeline(&fake, |pipeline| {
        pipeline.disabled = vec![("Deploy", "a freeze")];
    });
    check(&fake, &["Holds"], expect![[r#"Holds: [{"Held":"held by the disabled event rule event-rule-dev-codepipeline-exec-cfn-shop","Remedy":["To end the freeze: ",["cfn-gitops","thaw","shop","--env","dev"]],"Rule":"event-rule-dev-codepipeline-exec-cfn-shop"},{"By":"arn:aws:iam::123456789012:user/jane","Held":"held by the disabled transition into stage Deploy","Reason":"a freeze","Remedy":["To end the freeze: ",["cfn-gitops","thaw","shop","--env","dev"]],"Since":"<time>","Stage":"Deploy"}]"#]]).await;
}

fn set_rule(fake: &FakeAws, state: &str) {
    fake.change(|aws| {
        let key = ("AWS::Events::Rule".to_owned(), RULE.to_owned());
        aws.made.get_mut(&key).expect("the rule").properties["State"] = json!(state);
    });
}

/// By the names of their stacks. A nested one is not a project's.
#[tokio::test(start_paused = true)]
async fn project_without_a_pipeline_stack_is_a_row() {
    let fake = empty_world();
    for (name, status) in [
        ("project-dev-cart", "ROLLBACK_COMPLETE"),
        ("project-dev-form", "REVIEW_IN_PROGRESS"),
        ("project-dev-form-Data-1A2B3C4D5E6F", "CREATE_FAILED"),
    ] {
        fake.stack(name, status, &[]);
    }
    fake.change(|aws| {
        let id = |name| aws.stacks.named(name).expect("made").id.clone();
        let (root, nested) = (
            id("project-dev-form"),
            id("project-dev-form-Data-1A2B3C4D5E6F"),
        );
        aws.stacks.roots.insert(nested, root);
    });
    let answer = asked(&fake).await;
    let rows = answer["Projects"].as_array().expect("rows").iter();
    let rows = rows.map(|row| {
        format!(
            "{}: {} {}",
            row["ProjectID"], row["Owner"]["Status"], row["Problems"]
        )
    });
    expect![[r#"
        "cart": "ROLLBACK_COMPLETE" [{"Problem":"its status is ROLLBACK_COMPLETE: its creation failed","Remedy":["See why: ",["cfn-gitops","failures","cart","--env","dev"]],"Subject":"stack project-dev-cart"}]
        "form": "REVIEW_IN_PROGRESS" []"#]].assert_eq(&rows.collect::<Vec<_>>().join("\n"));
}

/// It declares the first project, too.
#[tokio::test(start_paused = true)]
async fn failure_of_the_environments_stack_is_shown_once() {
    let (fake, _) = shop(&properties()).await;
    let id = fake.change(|aws| {
        let stack = aws.stacks.named_mut("shop").expect("the owner");
        stack.status = "UPDATE_ROLLBACK_COMPLETE";
        stack.id.clone()
    });
    let mut environment = dev("user-dev-*");
    environment.stack_id = Some(id);
    let topic = AskedAbout::Projects(None);
    let answer = answer_about(&fake, environment, &topic, Duration::from_secs(290)).await;
    expect![[r#"{"Name":"shop","Problem":"its status is UPDATE_ROLLBACK_COMPLETE: its latest update failed and was rolled back","Remedy":["See why: ",["cfn-gitops","failures","--env","dev"]],"Status":"UPDATE_ROLLBACK_COMPLETE"}"#]].assert_eq(&answer["Stack"].to_string());
    assert_eq!(answer["Projects"][0]["Problems"], json!([]), "{answer}");
}

/// The name of its stack begins otherwise than those of other projects.
#[tokio::test(start_paused = true)]
async fn first_project_without_a_pipeline_stack_is_a_row() {
    let fake = empty_world();
    fake.stack("cfn-gitops-dev", "CREATE_COMPLETE", &[]);
    let id = fake.look(|aws| aws.stacks.named("cfn-gitops-dev").expect("made").id.clone());
    fake.declare(&id, "Project", "Custom::GitOpsPipeline", "gitops-dev-infra");
    let first = json!({"StackId": id, "PipelineStack": "gitops-dev-infra", "Secret": "infra"});
    let settings = json!({"EnvID": "dev", "StackId": id, "FirstProject": first});
    for members in [json!({}), json!({"ProjectID": "infra"})] {
        let question = json!({"Projects": members}).to_string();
        let question = Question::parse(&question, &settings, "").expect("valid");
        let Question { environment, topic } = question.expect("a question");
        let time = Duration::from_secs(290);
        let answer = answer_about(&fake, environment, &topic, time).await;
        let row = &answer["Projects"][0];
        let found = &row["Problems"][0]["Problem"];
        assert_eq!(found, "it does not exist, so pushes deploy nothing");
        assert_eq!(row["ProjectID"], "infra");
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_is_shown_as_gitlab_lists_it() {
    let (fake, _) = shop(&properties()).await;
    assert_eq!(row(&fake).await.get("Mirrors"), None);
    mirrored_from(&fake, "user-dev-shop", "platform/shop", REPOSITORY).await;
    check(&fake, &["Mirrors", "NotRead"], expect![[r#"
        Mirrors: [{"Subject":"the mirror of project platform/shop to repository codecommit-dev-cfn-shop"}]
        NotRead: []"#]]).await;
    fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestHangs);
    let began = tokio::time::Instant::now();
    let answer = asked(&fake).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    let row = &answer["Projects"][0];
    assert_eq!(
        (row.get("Mirrors"), &row["HasPipeline"]),
        (None, &json!(true))
    );
    expect![[r#"[{"Problem":"https://gitlab.example.com did not answer in time, so none of its projects was read","Remedy":["Try again. ",["cfn-gitops","check","--env","dev"]," shows whether it responds to this machine"]}] [{"Problem":"the mirrors of project platform/shop at https://gitlab.example.com are not read","Remedy":["Correct the cause, which is shown for this GitLab or its token, and try again"]}]"#]].assert_eq(&format!("{} {}", answer["NotRead"], row["NotRead"]));
}

/// Its mirror may be of another stack.
#[tokio::test(start_paused = true)]
async fn rejected_token_leaves_the_mirrors_unread() {
    let (fake, _) = shop(&properties()).await;
    fake.change(|aws| {
        let tokens = aws.gitlab.tokens.values_mut();
        tokens.for_each(|token| token.is_revoked = true);
    });
    let answer = asked(&fake).await;
    let unread = [&answer["NotRead"], &answer["Projects"][0]["NotRead"]];
    let problems = unread.map(|list| list[0]["Problem"].to_string());
    expect![[r#"
        "listing the push mirrors of project platform/shop at https://gitlab.example.com: HTTP 401: GitLab rejects the token (Token was revoked. You have to re-authorize from the user) from secret gitlab/token, key \"token\""
        "the mirrors of project platform/shop at https://gitlab.example.com are not read""#]].assert_eq(&problems.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn project_that_does_not_respond_delays_no_other() {
    let (fake, _) = shop(&properties()).await;
    let mut other = properties();
    other["ProjectID"] = json!("other");
    other["GitLab"]["Project"] = json!("platform/other");
    fake.gitlab_project("platform/other", &[BRANCH]);
    create_pipeline(&fake, &other).await;
    fake.break_from_now(On::Project("platform/other"), FaultKind::RequestHangs);
    let topic = AskedAbout::Projects(None);
    let answer = answer(&fake, &topic, Duration::from_secs(8)).await;
    let rows = answer["Projects"].as_array().expect("a list").iter();
    let unread = rows.map(|row| format!("{}: {}", row["ProjectID"], row["NotRead"]));
    let unread = unread.chain([answer["NotRead"].to_string()]);
    expect![[r#"
        "other": [{"Problem":"the mirrors of project platform/other at https://gitlab.example.com are not read","Remedy":["Correct the cause, which is shown for this GitLab or its token, and try again"]}]
        "shop": []
        [{"Problem":"https://gitlab.example.com: there was no time to read 1 of 2 projects","Remedy":["Run the doctor, which takes longer: ",["cfn-gitops","doctor","--env","dev"]]}]"#]].assert_eq(&unread.collect::<Vec<_>>().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn one_project_is_asked_for_alone() {
    let (fake, _) = shop(&properties()).await;
    fake.stack("gitops-dev-other", "CREATE_COMPLETE", &[]);
    for (name, rows) in [("shop", 1), ("absent", 0)] {
        let answer = asked_for(&fake, name).await;
        assert_eq!(
            answer["Projects"].as_array().map(Vec::len),
            Some(rows),
            "{answer}"
        );
    }
}

async fn asked_for(fake: &FakeAws, project: &str) -> Value {
    let question = json!({"Projects": {"EnvID": "dev", "ProjectID": project}}).to_string();
    let question = Question::parse(&question, &Value::Null, "").expect("valid");
    let topic = question.expect("a question").topic;
    answer(fake, &topic, Duration::from_secs(290)).await
}

/// Each call fails permanently.
#[tokio::test(start_paused = true)]
async fn failing_call_is_not_read_and_never_an_error() {
    let (fake, _) = shop(&properties()).await;
    wait(&fake, vec![change("Carts", None)]);
    let before = fake.journal().len();
    let sound = asked(&fake).await["Projects"][0].take();
    let calls = fake.journal().split_off(before);
    let mut operations: Vec<&'static str> =
        calls.iter().map(|it| &*it.operation.clone().leak()).collect();
    operations.sort_unstable();
    operations.dedup();
    expect!["DescribeChangeSet DescribeRule DescribeSecret DescribeStackResource DescribeStacks GetBranch GetPipelineState GetSecretValue GitLab.GetProject GitLab.ListMirrors ListActionExecutions ListImports ListPipelineExecutions ListPipelines ListStacks"].assert_eq(&operations.join(" "));
    for operation in operations {
        for kind in [
            FaultKind::Denied,
            FaultKind::Throttled,
            FaultKind::RequestHangs,
        ] {
            let broken = fake.fork();
            broken.break_from_now(On::Operation(operation), kind);
            let began = tokio::time::Instant::now();
            let alone = asked_for(&broken, "shop").await;
            let took = began.elapsed();
            assert!(took < Duration::from_secs(55), "{operation} {took:?}");
            let began = tokio::time::Instant::now();
            let answer = asked(&broken).await;
            let took = began.elapsed();
            assert!(took < Duration::from_secs(225), "{operation} {took:?}");
            let holds = answer["Projects"][0].get("Holds");
            if matches!(operation, "DescribeRule" | "GetPipelineState") {
                assert_eq!(holds, None, "{operation} {kind:?}");
            }
            // A call that hangs hides nothing that others show.
            for answer in [&answer, &alone] {
                let row = &answer["Projects"][0];
                let is_shown = row.get("Pipeline").is_some() || operation == "DescribeStacks";
                assert!(is_shown || operation == "ListStacks", "{operation} {row}");
            }
            let row = &answer["Projects"][0];
            if is_of_gitlab(operation) {
                let mut row = row.clone();
                row.as_object_mut().expect("a row").remove("Mirrors");
                let unread = row["NotRead"].as_array_mut().expect("a list");
                unread.retain(|it| !it["Problem"].to_string().contains("the mirrors of"));
                assert_eq!(row, sound, "{operation} {kind:?}");
                continue;
            }
            let not_read = match operation {
                "ListImports" | "ListPipelines" | "ListStacks" => &answer["NotRead"],
                _ => &row["NotRead"],
            };
            assert_ne!(*not_read, json!([]), "{operation} {kind:?}");
        }
    }
}

/// Whether the call is one of the reads of GitLab.
fn is_of_gitlab(operation: &str) -> bool {
    operation.contains("Secret") || operation.starts_with("GitLab.")
}
