//! The answer to the question which deployments of a project can be started again.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{PROJECT, TOKEN, answer, create_pipeline, empty_world};
use cfn_gitops::answers::Question;
use fake_aws::gitlab::Scope;
use fake_aws::request::Service;
use fake_aws::{Entry, Execution, FakeAws, FaultKind, On, Pipeline, redacted};

const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const REPOSITORY: &str = "codecommit-dev-cfn-shop";
const BRANCH: &str = "development";
const ID: &str = "00000000-0000-4000-8000-000000000003";

fn commit(digit: char) -> String {
    String::from(digit).repeat(40)
}

fn properties() -> Value {
    json!({
        "EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": BRANCH},
        "GitLab": {
            "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": PROJECT,
        },
    })
}

fn change_pipeline(fake: &FakeAws, change: impl FnOnce(&mut Pipeline)) {
    fake.change(|aws| change(aws.pipelines.get_mut(PIPELINE).expect("the pipeline")));
}

/// A project whose branch has the commits `1` and `2` in GitLab and in CodeCommit, and a pipeline
/// without executions.
async fn world_of(properties: &Value) -> FakeAws {
    let fake = empty_world();
    fake.gitlab_project(PROJECT, &["main"]);
    fake.gitlab_token(TOKEN);
    let mut stack = create_pipeline(&fake, properties).await;
    for digit in ['1', '2'] {
        fake.push_to_gitlab(PROJECT, BRANCH, &commit(digit));
        fake.push_without_event(REPOSITORY, BRANCH, &commit(digit));
    }
    let mut pushed = properties.clone();
    pushed["RenderingSerial"] = json!("1");
    stack.update(&pushed, None).await.assert_success();
    change_pipeline(&fake, |pipeline| pipeline.executions.clear());
    fake
}

/// The same, which has deployed `1` and then `2`.
async fn world() -> FakeAws {
    let fake = world_of(&properties()).await;
    for (id, digit) in [("e1", '1'), ("e2", '2')] {
        execute(&fake, id, digit, &["Succeeded"], "Succeeded").await;
    }
    fake
}

/// Adds an execution with these attempts of Deploy, each a minute after the others.
async fn execute(
    fake: &FakeAws,
    id: &str,
    digit: char,
    attempts: &[&'static str],
    status: &'static str,
) {
    for attempt in attempts {
        tokio::time::sleep(Duration::from_mins(1)).await;
        fake.change(|aws| {
            let now = aws.now;
            let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
            if !pipeline.executions.iter().any(|one| one.id == id) {
                let execution = Execution::with_status(id.to_owned(), status, now);
                pipeline.executions.push(execution);
            }
            let mut executions = pipeline.executions.iter_mut();
            let execution = executions.find(|one| one.id == id).expect("just added");
            execution.revision = Some(commit(digit));
            execution.begin("Deploy", now);
            execution.end("Deploy", attempt, None, now);
        });
    }
}

/// Changes an execution.
fn change_execution(fake: &FakeAws, id: &str, change: impl FnOnce(&mut Execution)) {
    change_pipeline(fake, |pipeline| {
        let mut executions = pipeline.executions.iter_mut();
        change(executions.find(|one| one.id == id).expect("the execution"));
    });
}

async fn ask(fake: &FakeAws, execution_id: Option<&str>) -> Value {
    let mut members = json!({"ProjectID": "shop"});
    if let Some(id) = execution_id {
        members["ExecutionId"] = json!(id);
    }
    let text = json!({"Deployments": members}).to_string();
    let function = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev-read";
    let question = Question::parse(&text, &Value::Null, function).expect("valid").expect("one");
    let before = fake.journal_of("reader").len();
    let begun = tokio::time::Instant::now();
    let answer = answer(fake, &question.topic, Duration::from_secs(290)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(50),
        "{:?}",
        begun.elapsed()
    );
    assert!(fake.journal_of("reader")[before..].iter().all(Entry::reads));
    answer
}

fn set_rule(fake: &FakeAws, state: &str) {
    let name = "event-rule-dev-codepipeline-exec-cfn-shop".to_owned();
    let key = ("AWS::Events::Rule".to_owned(), name);
    fake.change(|aws| {
        aws.made.get_mut(&key).expect("the rule").properties["State"] = json!(state);
    });
}

/// Each deployment on a line, and then the other members.
fn lines(answer: &Value) -> String {
    let mut rest = answer.clone();
    let mut lines = vec![];
    for list in ["Deployments", "Holds", "NotRead"] {
        for one in rest[list].take().as_array().expect("a list") {
            lines.push(format!("{list}: {one}"));
        }
        rest.as_object_mut().expect("members").remove(list);
    }
    lines.push(rest.to_string());
    let text = lines.join("\n");
    let text = ['1', '2', '3'].iter().fold(text, |text, digit| {
        text.replace(&commit(*digit), &format!("<{digit}>"))
    });
    redacted(&text)
}

/// A member of each deployment with its execution.
fn each(answer: &Value, member: &str) -> String {
    let all = answer["Deployments"].as_array().expect("a list").iter();
    let shown = all.map(|one| {
        let id = one["ExecutionId"].as_str().expect("an ID");
        format!("{id} {}", one.get(member).unwrap_or(&json!("-")))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn problems(answer: &Value, list: &str) -> String {
    let all = answer[list].as_array().expect("a list").iter();
    let shown = all.map(|one| one["Problem"].as_str().expect("a problem"));
    redacted(&shown.collect::<Vec<_>>().join("\n"))
}

/// The texts up to the causes.
fn doing(problems: &str) -> String {
    let lines = problems.lines().map(|line| line.split(": Access").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("; ")
}

#[tokio::test(start_paused = true)]
async fn answer_has_all_that_undo_shows() {
    let fake = world().await;
    let answer = ask(&fake, None).await;
    expect![[r#"
        Deployments: {"At":"<time>","Author":"Jane Doe","Commit":"<2>","ExecutionId":"e2","InBranch":{"Contained":true},"IsDeployedNow":true,"Revisions":[{"ActionName":"Source","RevisionType":"COMMIT_ID","RevisionValue":"<2>"}],"Status":"Succeeded","Title":"Change 22222222"}
        Deployments: {"At":"<time>","Author":"Jane Doe","Commit":"<1>","ExecutionId":"e1","InBranch":{"Contained":true},"IsDeployedNow":false,"Revisions":[{"ActionName":"Source","RevisionType":"COMMIT_ID","RevisionValue":"<1>"}],"Status":"Succeeded","Title":"Change 11111111"}
        {"Branch":"development","EnvID":"dev","ExecutionMode":"QUEUED","Format":2,"HasApproval":true,"Pipeline":"codepipeline-dev-cfn-shop","ProjectID":"shop"}"#]].assert_eq(&lines(&answer));
}

/// The one whose action Deploy ended last is deployed.
#[tokio::test(start_paused = true)]
async fn deployments_are_in_the_order_of_their_ends() {
    let fake = world().await;
    change_execution(&fake, "e2", |it| it.status = "Failed");
    execute(&fake, "e3", '1', &["Succeeded"], "Succeeded").await;
    change_execution(&fake, "e3", |it| it.rolls_back = Some("e2".to_owned()));
    let answer = ask(&fake, None).await;
    expect!["e3 true, e2 false, e1 true"].assert_eq(&each(&answer, "IsDeployedNow"));
    expect![[r#"e3 true, e2 "-", e1 "-""#]].assert_eq(&each(&answer, "IsRollback"));
    expect![[r#"e3 "-", e2 true, e1 "-""#]].assert_eq(&each(&answer, "HasFailed"));
    // A retry of an earlier execution's stage.
    execute(&fake, "e1", '1', &["Failed", "Succeeded"], "Succeeded").await;
    let answer = ask(&fake, None).await;
    expect!["e1 true, e3 true, e2 false"].assert_eq(&each(&answer, "IsDeployedNow"));
    assert_eq!(answer.get("Later"), None);
}

#[tokio::test(start_paused = true)]
async fn later_attempt_may_have_changed_the_stack() {
    for (attempt, status) in [("Failed", "Failed"), ("InProgress", "InProgress")] {
        let fake = world().await;
        execute(&fake, "e3", '3', &[attempt], status).await;
        let answer = ask(&fake, None).await;
        assert_eq!(each(&answer, "IsDeployedNow"), "e2 null, e1 false");
        let later = &answer["Later"];
        assert_eq!(later["Status"], attempt);
        assert_eq!(later["Commit"], json!(commit('3')));
    }
}

#[tokio::test(start_paused = true)]
async fn ten_deployments_of_many_executions_are_shown() {
    let fake = world_of(&properties()).await;
    let names: Vec<String> = (0..14).map(|number| format!("e{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let status = if number % 7 == 0 {
            "Failed"
        } else {
            "Succeeded"
        };
        execute(&fake, name, '1', &[status], status).await;
    }
    let answer = ask(&fake, None).await;
    expect![[
        r#"e13 "-", e12 "-", e11 "-", e10 "-", e9 "-", e8 "-", e6 "-", e5 "-", e4 "-", e3 "-""#
    ]]
    .assert_eq(&each(&answer, "HasFailed"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_in_another_execution_mode() {
    let mut shown = vec![];
    for mode in ["PARALLEL", "FUTURE", "QUEUED"] {
        let fake = world().await;
        change_pipeline(&fake, |it| it.properties["ExecutionMode"] = json!(mode));
        let answer = ask(&fake, None).await;
        assert_eq!(answer["ExecutionMode"], mode);
        shown.push(answer["Obstacle"]["Problem"].as_str().unwrap_or("none").to_owned());
    }
    let fake = world().await;
    change_pipeline(&fake, |it| {
        it.properties["Stages"][0]["Actions"][0]["Name"] = json!("Other");
    });
    shown.push(ask(&fake, None).await["Obstacle"].to_string());
    let fake = world_of(&properties()).await;
    shown.push(ask(&fake, None).await["Obstacle"].to_string());
    fake.change(|aws| aws.pipelines.clear());
    shown.push(ask(&fake, None).await["Obstacle"].to_string());
    expect![[r#"
        codepipeline-dev-cfn-shop has the ExecutionMode PARALLEL, in which CodePipeline may deploy another commit than the named one, so nothing is started
        codepipeline-dev-cfn-shop has the ExecutionMode FUTURE, in which CodePipeline may deploy another commit than the named one, so nothing is started
        none
        {"Problem":"codepipeline-dev-cfn-shop has no source action Source that reads a branch","Remedy":["Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"]}
        {"Problem":"CodePipeline lists no deployment of codepipeline-dev-cfn-shop","Remedy":["See what failed: ",["cfn-gitops","failures","shop","--env","dev"]]}
        {"Problem":"pipeline codepipeline-dev-cfn-shop does not exist","Remedy":["See the projects: ",["cfn-gitops","status","--env","dev"]]}"#]].assert_eq(&shown.join("\n"));
}

/// A source action without its revision would read the newest one.
#[tokio::test(start_paused = true)]
async fn deployment_without_a_revision_is_not_started() {
    let mut with_image = properties();
    with_image["ImageSource"] = json!({"RepositoryName": "team/base"});
    let fake = world_of(&with_image).await;
    execute(&fake, "e1", '1', &["Succeeded"], "Succeeded").await;
    change_pipeline(&fake, |it| it.image = "sha256:0a1b2c".to_owned());
    let answer = ask(&fake, None).await;
    expect![[r#"e1 {"Problem":"the revision sha256:0a1b2c of source action Image is not of the form IMAGE_DIGEST","Remedy":["Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"]}"#]].assert_eq(&each(&answer, "Obstacle"));
    let digest = format!("sha256:{}", "5e".repeat(32));
    change_pipeline(&fake, |it| it.image.clone_from(&digest));
    let answer = ask(&fake, None).await;
    assert_eq!(each(&answer, "Obstacle"), "e1 \"-\"");
    let expected = json!([
        {"ActionName": "Source", "RevisionType": "COMMIT_ID", "RevisionValue": commit('1')},
        {"ActionName": "Image", "RevisionType": "IMAGE_DIGEST", "RevisionValue": digest},
    ]);
    assert_eq!(answer["Deployments"][0]["Revisions"], expected);
    assert_eq!(answer["Deployments"][0]["Image"], json!(digest));
    assert_eq!(
        answer["ImageRule"],
        "event-rule-dev-codepipeline-exec-ecr-shop"
    );
    change_pipeline(&fake, |it| {
        it.properties["Stages"][0]["Actions"][1]["ActionTypeId"]["Provider"] = json!("S3");
    });
    expect![[r#"e1 {"Problem":"source action Image of codepipeline-dev-cfn-shop has the provider S3, whose revision this version of cfn-gitops cannot name","Remedy":["Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"]}"#]].assert_eq(&each(&ask(&fake, None).await, "Obstacle"));
    change_execution(&fake, "e1", |it| it.revision = None);
    let answer = ask(&fake, None).await;
    expect![[r#"e1 {"Problem":"CodePipeline shows no revision of source action Source for execution e1","Remedy":["Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"]}"#]].assert_eq(&each(&answer, "Obstacle"));
    expect![[r#"e1 {"Contained":null,"Problem":"CodePipeline shows no commit of execution e1","Remedy":["Choose another deployment"]}"#]].assert_eq(&each(&answer, "InBranch"));
}

#[tokio::test(start_paused = true)]
async fn all_that_holds_a_new_execution_is_shown() {
    let mut properties = properties();
    properties["Deploy"] = json!({
        "Window": {"Cron": "0 0 9-17 ? * MON-FRI *", "TimeZone": "Europe/Berlin"},
    });
    let fake = world_of(&properties).await;
    execute(&fake, "e1", '1', &["Succeeded"], "Succeeded").await;
    execute(&fake, "e2", '2', &["InProgress"], "InProgress").await;
    execute(&fake, "e3", '2', &["InProgress"], "FUTURE").await;
    execute(&fake, "e4", '2', &["Succeeded"], "InProgress").await;
    change_execution(&fake, "e4", |it| it.begin("Approval", it.changed));
    set_rule(&fake, "DISABLED");
    change_pipeline(&fake, |pipeline| {
        pipeline.running = vec![("Approval", Some("token"))];
        pipeline.disabled = vec![("Deploy", "sale\u{2028}until Monday")];
    });
    let answer = ask(&fake, None).await;
    let holds = answer["Holds"].as_array().expect("a list").iter();
    let shown: Vec<String> = holds.map(ToString::to_string).collect();
    expect![[r#"
        {"ExecutionId":"e3","Holds":null,"Problem":"execution e3 (commit 22222222) has the status FUTURE, which this version of cfn-gitops does not know"}
        {"ExecutionId":"e2","Holds":true,"Problem":"execution e2 (commit 22222222) is in progress. This one follows it","Remedy":["To stop it after its actions in progress: ",["aws","codepipeline","stop-pipeline-execution","--pipeline-name","codepipeline-dev-cfn-shop","--pipeline-execution-id","e2","--reason","undo"]]}
        {"ExecutionId":"e4","Holds":true,"Problem":"execution e4 (commit 22222222) waits for an approval, and this one would wait behind it","Remedy":["Reject it first: ",["cfn-gitops","reject","shop","--env","dev"]],"Stage":"Deploy"}
        {"Holds":true,"Problem":"held by the disabled transition into stage Deploy, by arn:aws:iam::123456789012:user/jane (sale until Monday)","Remedy":["To end the freeze: ",["cfn-gitops","thaw","shop","--env","dev"]],"Stage":"Deploy"}
        {"Holds":null,"Problem":"stage Deploy has the window 0 0 9-17 ? * MON-FRI * in Europe/Berlin: outside of it the execution waits","Remedy":["To override the window, once the execution waits there: ",["aws","codepipeline","override-stage-condition","--pipeline-name","codepipeline-dev-cfn-shop","--stage-name","Deploy","--condition-type","BEFORE_ENTRY","--pipeline-execution-id","<its ID>"]],"Stage":"Deploy"}
        {"Holds":false,"Problem":"event rule event-rule-dev-codepipeline-exec-cfn-shop is disabled, so a push starts nothing. It does not hold this one","Remedy":["To end the freeze: ",["cfn-gitops","thaw","shop","--env","dev"]]}"#]].assert_eq(&redacted(&shown.join("\n")));
}

#[tokio::test(start_paused = true)]
async fn unknown_state_of_a_rule_is_not_read() {
    let fake = world().await;
    set_rule(&fake, "FUTURE");
    let answer = ask(&fake, None).await;
    assert_eq!(answer["Holds"], json!([]));
    expect!["the state of event rule event-rule-dev-codepipeline-exec-cfn-shop is FUTURE, which this version of cfn-gitops does not know"].assert_eq(&problems(&answer, "NotRead"));
}

/// Only what the failed call would have shown is left out.
#[tokio::test(start_paused = true)]
async fn each_failing_call_is_named_and_the_rest_is_shown() {
    let mut shown = vec![];
    for operation in [
        "DescribeStacks",
        "GetPipeline",
        "ListActionExecutions",
        "ListPipelineExecutions",
        "GetPipelineState",
        "DescribeRule",
        "GetCommit",
    ] {
        for kind in [
            FaultKind::Denied,
            FaultKind::Throttled,
            FaultKind::RequestHangs,
        ] {
            let fake = world().await;
            let whole = ask(&fake, None).await;
            fake.break_from_now(On::Operation(operation), kind);
            let answer = ask(&fake, None).await;
            let problem = problems(&answer, "NotRead");
            assert!(
                problem.contains(operation) || kind == FaultKind::Denied,
                "{problem}"
            );
            assert!(!problem.is_empty(), "{operation} {kind:?}");
            if kind == FaultKind::Denied {
                let lost = whole.as_object().expect("members").iter();
                let lost = lost.filter(|(name, value)| answer.get(name) != Some(value));
                let lost: Vec<_> = lost.map(|(name, _)| name.as_str()).collect();
                shown.push(format!("{operation}: {lost:?} {}", doing(&problem)));
            }
        }
    }
    expect![[r#"
        DescribeStacks: ["Deployments", "NotRead"] looking up stack gitops-dev-shop
        GetPipeline: ["Branch", "Deployments", "ExecutionMode", "HasApproval", "NotRead"] looking up pipeline codepipeline-dev-cfn-shop
        ListActionExecutions: ["Deployments", "NotRead"] listing the actions of pipeline codepipeline-dev-cfn-shop
        ListPipelineExecutions: ["Deployments", "NotRead"] listing the executions of pipeline codepipeline-dev-cfn-shop
        GetPipelineState: ["NotRead"] looking up the state of pipeline codepipeline-dev-cfn-shop
        DescribeRule: ["NotRead"] looking up event rule event-rule-dev-codepipeline-exec-cfn-shop; looking up event rule event-rule-dev-codepipeline-exec-ecr-shop; looking up event rule event-rule-dev-codepipeline-exec-rev-shop
        GetCommit: ["Deployments", "NotRead"] looking up commit 1111111111111111111111111111111111111111 of repository codecommit-dev-cfn-shop"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn authors_of_another_account_are_not_read() {
    let fake = world().await;
    change_pipeline(&fake, |it| {
        it.properties["Stages"][0]["Actions"][0]["RoleArn"] =
            json!("arn:aws:iam::444455556666:role/source");
    });
    let answer = ask(&fake, None).await;
    assert_eq!(fake.count("GetCommit"), 0);
    expect!["authors are not read: the repository is in another account"]
        .assert_eq(&problems(&answer, "NotRead"));
}

#[tokio::test(start_paused = true)]
async fn branch_contains_its_tip_and_its_ancestors() {
    let fake = world().await;
    execute(&fake, "e3", '3', &["Succeeded"], "Succeeded").await;
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    let answer = ask(&fake, None).await;
    expect![[r#"e3 {"Contained":false}, e2 {"Contained":true}, e1 {"Contained":true}"#]]
        .assert_eq(&each(&answer, "InBranch"));
    // One look at the branch for all commits.
    assert_eq!(fake.count("GitLab.GetBranch"), 1);
    fake.change(|aws| drop(aws.gitlab.project_mut(PROJECT).branches.remove(BRANCH)));
    let answer = ask(&fake, None).await;
    expect![[r#"e3 {"Contained":false,"Problem":"the branch does not exist in GitLab"}, e2 {"Contained":false,"Problem":"the branch does not exist in GitLab"}, e1 {"Contained":false,"Problem":"the branch does not exist in GitLab"}"#]].assert_eq(&each(&answer, "InBranch"));
}

/// The path leads to another project now.
#[tokio::test(start_paused = true)]
async fn commit_is_looked_up_by_the_number() {
    let fake = world().await;
    fake.pass_path(PROJECT, "platform/moved");
    fake.arrange(|aws| {
        let other = aws.gitlab.projects.get_mut(&99).expect("the other project");
        other.branches.clear();
    });
    let answer = ask(&fake, None).await;
    assert_eq!(
        answer["Deployments"][0]["InBranch"],
        json!({"Contained": true})
    );
}

/// A look-up in GitLab delays the rest for 20 s at most.
#[tokio::test(start_paused = true)]
async fn gitlab_that_fails_or_hangs_affects_only_its_members() {
    let mut shown = vec![];
    for (on, kind) in [
        (On::Service(Service::GitLab), FaultKind::RequestHangs),
        (On::Operation("GitLab.GetBranch"), FaultKind::Denied),
        (
            On::Operation("GitLab.GetMergeBase"),
            FaultKind::InternalError500,
        ),
    ] {
        let fake = world().await;
        let whole = ask(&fake, None).await;
        fake.break_from_now(on, kind);
        let mut answer = ask(&fake, None).await;
        shown.push(each(&answer, "InBranch"));
        for number in 0..2 {
            answer["Deployments"][number]["InBranch"] =
                whole["Deployments"][number]["InBranch"].clone();
        }
        assert_eq!(answer, whole);
    }
    let fake = world().await;
    fake.change(|aws| drop(aws.secrets.remove(TOKEN)));
    shown.push(each(&ask(&fake, None).await, "InBranch"));
    let mut without = properties();
    without.as_object_mut().expect("properties").remove("GitLab");
    let fake = world_of(&without).await;
    execute(&fake, "e1", '1', &["Succeeded"], "Succeeded").await;
    shown.push(each(&ask(&fake, None).await, "InBranch"));
    expect![[r#"
        e2 {"Contained":null,"Problem":"GitLab GET /projects/40/repository/branches/development: no response, 2 attempts; there was no time to read branch development at https://gitlab.example.com","Remedy":["Try again later"]}, e1 {"Contained":null,"Problem":"GitLab GET /projects/40/repository/branches/development: no response, 2 attempts; there was no time to read branch development at https://gitlab.example.com","Remedy":["Try again later"]}
        e2 {"Code":"CFG-407","Contained":null,"Problem":"looking up branch development of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden","Remedy":["Give the token's user this right in the project, or switch on this part of the project"]}, e1 {"Code":"CFG-407","Contained":null,"Problem":"looking up branch development of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden","Remedy":["Give the token's user this right in the project, or switch on this part of the project"]}
        e2 {"Contained":true}, e1 {"Code":"CFG-401","Contained":null,"Problem":"looking up whether commit 2222222222222222222222222222222222222222 contains 1111111111111111111111111111111111111111 in project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error","Remedy":["Try again in some minutes. If it stays so, look at GitLab's own logs or status page"]}
        e2 {"Code":"CFG-404","Contained":null,"Problem":"reading GitLab's token from secret gitlab/token: no such secret in this account and region","Remedy":["Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token"]}, e1 {"Code":"CFG-404","Contained":null,"Problem":"reading GitLab's token from secret gitlab/token: no such secret in this account and region","Remedy":["Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token"]}
        e1 {"Contained":null,"Problem":"the pipeline has no GitLab in its properties, or GitLab has not shown its project yet","Remedy":["Look for the commit in the branch in GitLab yourself"]}"#]].assert_eq(&shown.join("\n"));
}

/// A pipeline with an execution whose actions before Deploy succeeded.
async fn following(status: &'static str) -> FakeAws {
    let fake = world().await;
    fake.change(|aws| {
        let now = aws.now;
        let mut execution = Execution::with_status(ID.to_owned(), status, now);
        execution.revision = Some(commit('1'));
        for action in ["Source", "Build"] {
            execution.begin(action, now);
            execution.end(action, "Succeeded", None, now);
        }
        aws.pipelines
            .get_mut(PIPELINE)
            .expect("the pipeline")
            .executions
            .push(execution);
    });
    fake
}

/// The state of the execution, as one line.
async fn followed(fake: &FakeAws) -> String {
    let calls = fake.count("GitLab.GetBranch");
    let answer = ask(fake, Some(ID)).await;
    assert_eq!(fake.count("GitLab.GetBranch"), calls);
    let execution = answer["Execution"].to_string();
    let others = [problems(&answer, "Holds"), problems(&answer, "NotRead")];
    let text = format!("{execution} {}", others.join(" ")).replace(&commit('1'), "<1>");
    redacted(text.trim_end())
}

#[tokio::test(start_paused = true)]
async fn state_of_an_execution_is_shown_until_its_end() {
    let fake = following("InProgress").await;
    let mut shown = vec![followed(&fake).await];
    change_execution(&fake, ID, |it| it.begin("Approval", it.changed));
    change_pipeline(&fake, |it| it.running = vec![("Approval", Some("token"))]);
    shown.push(followed(&fake).await);
    change_pipeline(&fake, |it| it.running.clear());
    change_execution(&fake, ID, |it| {
        it.end("Approval", "Succeeded", None, it.changed);
        it.begin("Deploy", it.changed);
    });
    shown.push(followed(&fake).await);
    change_execution(&fake, ID, |it| {
        it.end("Deploy", "Succeeded", None, it.changed);
        it.status = "Succeeded";
    });
    shown.push(followed(&fake).await);
    expect![[r#"
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Stage":"Deploy","Status":"InProgress"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"},{"Action":"Approval","Stage":"Approval","Status":"InProgress"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Stage":"Deploy","Status":"InProgress","WaitsForApproval":{"Action":"Approval","Stage":"Deploy","Url":"https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/view?region=eu-central-1"}}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"},{"Action":"Approval","Stage":"Approval","Status":"Succeeded"},{"Action":"Deploy","Stage":"Deploy","Status":"InProgress"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Stage":"Deploy","Status":"InProgress"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"},{"Action":"Approval","Stage":"Approval","Status":"Succeeded"},{"Action":"Deploy","Stage":"Deploy","Status":"Succeeded"}],"ExecutionId":"<uuid>","HasDeployed":true,"IsEnd":true,"Status":"Succeeded"}"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn end_without_a_success_is_shown_with_its_cause() {
    let fake = following("Failed").await;
    change_execution(&fake, ID, |it| {
        it.begin("Approval", it.changed);
        it.end("Approval", "Failed", Some("not\n/today"), it.changed);
    });
    let mut shown = vec![followed(&fake).await];
    let fake = following("Failed").await;
    change_execution(&fake, ID, |it| {
        it.begin("Deploy", it.changed);
        it.end(
            "Deploy",
            "Failed",
            Some("value-of-a-parameter is not valid"),
            it.changed,
        );
    });
    shown.push(followed(&fake).await);
    shown.push(followed(&following("Failed").await).await);
    shown.push(followed(&following("Superseded").await).await);
    shown.push(followed(&following("FUTURE").await).await);
    shown.push(followed(&world().await).await);
    shown.push(followed(&empty_world()).await);
    let fake = following("Failed").await;
    fake.break_from_now(On::Operation("DescribeStacks"), FaultKind::Denied);
    shown.push(doing(&followed(&fake).await));
    expect![[r#"
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"},{"Action":"Approval","Stage":"Approval","Status":"Failed"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":true,"Rejection":{"At":"<time>","By":"arn:aws:sts::123456789012:assumed-role/Approver/jane","Commit":"<1>","ExecutionId":"<uuid>","Reason":"not /today","Title":"Change <1>"},"Status":"Failed"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"},{"Action":"Deploy","Stage":"Deploy","Status":"Failed"}],"ExecutionId":"<uuid>","Failure":{"Action":"Deploy","At":"<time>","Cause":"the reason is not shown, because it may contain a value of a parameter","Commit":"<1>","ExecutionId":"<uuid>","NotListed":"CloudFormation does not find the stack","Remedy":["Correct the cause, then merge or start an execution. Without a correction, revert the merge request"],"StackName":"cfnstack-dev-shop","Stage":"Deploy","Title":"Change <1>"},"HasDeployed":false,"IsEnd":true,"Status":"Failed"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","Failure":{"At":"<time>","Cause":"CodePipeline shows no action that failed: a condition of a stage may have, for example an alarm","Commit":"<1>","ExecutionId":"<uuid>","StackName":"cfnstack-dev-shop","Title":"Change <1>"},"HasDeployed":false,"IsEnd":true,"Status":"Failed"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":true,"Status":"Superseded"}
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Status":"FUTURE"}
        {"Actions":[],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false}  CodePipeline does not list execution <uuid> of codepipeline-dev-cfn-shop
        {"Actions":[],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false}  pipeline codepipeline-dev-cfn-shop does not exist
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","Failure":{"At":"<time>","Cause":"the cause was not read, because the stack that the pipeline deploys is not known","Commit":"<1>","ExecutionId":"<uuid>","Title":"Change <1>"},"HasDeployed":false,"IsEnd":true,"Status":"Failed"}  looking up stack gitops-dev-shop"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn each_failing_call_about_an_execution_is_named() {
    let mut shown = vec![];
    for operation in [
        "ListPipelineExecutions",
        "ListActionExecutions",
        "GetPipelineState",
    ] {
        for kind in [
            FaultKind::Denied,
            FaultKind::Throttled,
            FaultKind::RequestHangs,
        ] {
            let fake = following("InProgress").await;
            fake.break_from_now(On::Operation(operation), kind);
            let text = followed(&fake).await;
            if kind == FaultKind::Denied {
                shown.push(doing(&text));
            }
        }
    }
    expect![[r#"
        {"Actions":[],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false}  listing the executions of pipeline codepipeline-dev-cfn-shop
        {"Actions":[],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Stage":"Deploy","Status":"InProgress"}  listing the actions of execution <uuid> of pipeline codepipeline-dev-cfn-shop
        {"Actions":[{"Action":"Source","Stage":"Source","Status":"Succeeded"},{"Action":"Build","Stage":"Build","Status":"Succeeded"}],"ExecutionId":"<uuid>","HasDeployed":false,"IsEnd":false,"Status":"InProgress"}  looking up the state of pipeline codepipeline-dev-cfn-shop"#]].assert_eq(&shown.join("\n"));
}
