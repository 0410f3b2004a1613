//! A pipeline whose branches are reviewed, pushes to them, and the deliveries of their events.

use std::cell::RefCell;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use cfn_custom_resource::Clock;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::health_check::{Checker, Environment, Mode, Schedule};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde_json::{Value, json};

use crate::account::{
    BRANCH, GITLAB, PARAMETER, PROPERTY, REPOSITORY, RESOURCE, TOKEN, VARIABLE, account, request,
};
use fake_aws::clients::sdk_config;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER};
use fake_aws::{Execution, FakeAws, Reaction};
use test_support::custom_resource::{ParentStack, answered_once, deliver_all};
use test_support::secrecy::{self, record, wire};

pub use crate::account::{PROJECT, records};
pub use fake_aws::explore::paused;

/// The stack that the pipeline deploys.
pub const STACK: &str = "cfnstack-dev-shop";
/// The pipeline's stack.
pub const CHILD: &str = "gitops-dev-shop";
pub const PIPELINE: &str = "codepipeline-dev-cfn-shop";
/// The branch of most tests, and its merge request.
pub const LOGIN: (&str, u64) = ("検証/login", 4);
/// Another branch, and its merge request.
pub const CART: (&str, u64) = ("検証/cart", 5);
/// The deployed commit.
pub const DEPLOYED: &str = "1a2b3c4d00000001";
/// How the function's notes about the environment begin.
pub const MARKER: &str = "<!-- cfn-gitops review dev/shop 123456789012/eu-central-1 ";

/// The path of the template in the build's output.
const TEMPLATE: &str = "ひな形.json";
const BUCKET: &str = "s3-dev-codepipeline-artifact-123456789012-eu-central-1";
/// The time of a health check.
const CHECK_TIME: Duration = Duration::from_mins(10);

fn properties() -> Value {
    json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "BranchMap": {"dev": BRANCH},
        "Source": {"RepositoryName": REPOSITORY},
        "Build": {"EnvironmentVariables": {"Password": VARIABLE}},
        "Deploy": {
            "ActionMode": "CHANGE_SET",
            "TemplatePath": TEMPLATE,
            "TemplateConfiguration": "dev.json",
        },
        "GitLab": {"Url": GITLAB, "TokenSecretId": TOKEN, "Project": PROJECT},
        "Report": {"EnvironmentName": "dev"},
        "Review": {"Branches": "検証/*"},
        "Drift": "Report",
    })
}

/// The template of the deployed stack.
pub fn deployed() -> Value {
    json!({
        "Parameters": {"Stage": {"Type": "String"}, "Key": {"Type": "String", "NoEcho": true}},
        "Resources": {
            "Orders": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Stage"}}},
        },
    })
}

/// The text in the note about [`changed`].
pub const NOTE_TEXT: &str = "1 **replaced**, 1 added";

/// The template of a branch: it replaces a queue and adds another one.
pub fn changed() -> Value {
    let mut template = deployed();
    template["Resources"]["Orders"]["Properties"] = json!({"QueueName": PROPERTY});
    template["Resources"]["Mailer"] = json!({"Type": "AWS::SQS::Queue"});
    template
}

/// The template configuration.
pub fn configuration() -> Value {
    json!({"Parameters": {"Stage": PARAMETER, "Key": PARAMETER}, "Tags": {"Team": "shop"}})
}

thread_local! {
    /// The account of earlier schedules.
    static PREPARED: RefCell<Option<FakeAws>> = const { RefCell::new(None) };
}

/// The account with the pipeline, its deployed stack, and others' resources. Its creation takes as
/// long as a schedule, so each thread creates it once.
pub async fn fake() -> FakeAws {
    if PREPARED.with_borrow(Option::is_none) {
        // A copy, whose clock does not depend on this runtime.
        PREPARED.set(Some(prepared().await.fork()));
    }
    let known = PREPARED.with_borrow(|prepared| prepared.as_ref().map(FakeAws::fork));
    let fake = known.expect("just prepared");
    record();
    // The first schedule of a thread has the same random pauses as the others.
    fastrand::seed(7);
    fake
}

/// Plays in the account.
pub fn in_account<T>(play: impl AsyncFnOnce(&FakeAws) -> T) -> T {
    paused(async {
        let fake = fake().await;
        let result = play(&fake).await;
        fake.assert_unbroken();
        result
    })
}

async fn prepared() -> FakeAws {
    let fake = account(DEPLOYED, &[]);
    fake.stack("owner", "CREATE_COMPLETE", &[]);
    let owner = fake.look(|aws| aws.stacks.named("owner").expect("a stack").id.clone());
    let mut stack = ParentStack::called(&fake, RESOURCE, &owner);
    stack.create(&properties()).await.assert_success();
    let (id, _) = stack.resource.expect("a resource");
    fake.declare(&owner, RESOURCE.logical_id, RESOURCE.resource_type, &id);
    let parameters = [("Stage", PARAMETER), ("Key", PARAMETER)];
    fake.deployed_stack(STACK, &deployed(), &parameters);
    tokio::time::sleep(Duration::from_mins(1)).await;
    arrange_others(&fake);
    fake
}

/// Others' resources: an execution and a change set of the pipeline, change sets of a person, of
/// which two have names such as the function's, and notes.
fn arrange_others(fake: &FakeAws) {
    fake.change_set(STACK, "changeset-dev-shop");
    for name in ["persons-own", "plan-persons-own", "drift-persons-own"] {
        fake.change_set(STACK, name);
    }
    fake.change_set(CHILD, "persons-own");
    fake.arrange(|aws| {
        let now = aws.now;
        let pipeline = aws.pipelines.get_mut(PIPELINE);
        let mut execution = Execution::with_status("e1".to_owned(), "Succeeded", now);
        execution.revision = Some(DEPLOYED.to_owned());
        pipeline.expect("a pipeline").executions = vec![execution];
        let project = aws.gitlab.project_mut(PROJECT);
        project.commits.insert(DEPLOYED.to_owned());
        for (_, iid) in [LOGIN, CART] {
            let place = format!("merge_requests/{iid}");
            for (body, user) in notes_of_others() {
                project.records.create_note(&place, &body, user);
            }
        }
    });
}

/// A person's note, a copy of the function's note, and the function's notes of others.
fn notes_of_others() -> [(String, u64); 5] {
    let other = "<!-- cfn-gitops review prd/shop 123456789012/eu-central-1 build 1 -->\nOther";
    let same_names = "<!-- cfn-gitops review dev/shop 210987654321/eu-central-1 build 1 -->\nOther";
    let approval = "<!-- cfn-gitops deployment dev/shop c0ffee -->\nAn approval";
    [
        ("Looks good".to_owned(), OTHER_USER),
        (format!("{MARKER}build 1 -->\nCopied"), OTHER_USER),
        (other.to_owned(), OWN_USER),
        (same_names.to_owned(), OWN_USER),
        (approval.to_owned(), OWN_USER),
    ]
}

/// A build's output: JSON, or the text of a file. `None` if the build stores no such file.
#[derive(Clone, Debug)]
pub struct Output {
    pub template: Value,
    pub configuration: Option<Value>,
}

impl Output {
    pub fn of(template: Value) -> Self {
        Output {
            template,
            configuration: Some(configuration()),
        }
    }
}

/// A commit reaches the branch in CodeCommit. Returns the build that the event rule starts.
pub fn push_to_codecommit(fake: &FakeAws, branch: &str, commit: &str) -> String {
    let mut reactions = fake.push(REPOSITORY, branch, commit);
    let Some(Reaction::BuildStarted { build, .. }) = reactions.pop() else {
        panic!("the push starts no build: {reactions:?}");
    };
    build
}

/// The same for a commit that GitLab has in the branch's merge request.
pub fn push(fake: &FakeAws, (branch, iid): (&str, u64), commit: &str) -> String {
    let build = push_to_codecommit(fake, branch, commit);
    fake.merge_request(PROJECT, iid, branch, commit, "opened");
    build
}

/// A push whose event CodeCommit does not deliver.
pub fn lose_push(fake: &FakeAws, (branch, iid): (&str, u64), commit: &str) {
    fake.change(|aws| {
        let repository = aws.codecommit.repositories.get_mut(REPOSITORY);
        repository.expect("a repository").push(branch, commit);
    });
    fake.merge_request(PROJECT, iid, branch, commit, "opened");
}

/// The builds of a head: their IDs, and whether the function started them.
pub fn builds_of(fake: &FakeAws, (branch, _): (&str, u64), commit: &str) -> Vec<(String, bool)> {
    let version = format!("refs/heads/{branch}^{{{commit}}}");
    fake.look(|aws| {
        let builds = aws.builds.values();
        let of_head = builds.filter(|build| build.source_version == version);
        let shown = of_head.map(|build| (build.id.clone(), build.token.is_some()));
        shown.collect()
    })
}

/// The branch and its merge request are gone: it was merged, or dropped.
pub fn delete_branch(fake: &FakeAws, (branch, iid): (&str, u64)) {
    fake.delete_branch(REPOSITORY, branch);
    fake.set_merge_request_state(PROJECT, iid, "closed");
}

/// The build succeeds with `output`. Returns its event.
pub fn succeed(fake: &FakeAws, build: &str, output: &Output) -> Value {
    let prefix = format!("review/shop/{}", uuid(build));
    let template = (TEMPLATE, &output.template);
    let configuration = output.configuration.iter().map(|content| ("dev.json", content));
    for (path, content) in configuration.chain([template]) {
        let text = content.as_str().map_or_else(|| content.to_string(), ToOwned::to_owned);
        fake.put_object(BUCKET, &format!("{prefix}/{path}"), &text);
    }
    fake.end_build(build, "SUCCEEDED")
}

/// A push of `changed()` whose build has succeeded: the build and its event.
pub fn pushed(fake: &FakeAws, branch: (&str, u64), commit: &str) -> (String, Value) {
    let build = push(fake, branch, commit);
    let event = succeed(fake, &build, &Output::of(changed()));
    (build, event)
}

/// The random part of a build's ID.
pub fn uuid(build: &str) -> &str {
    build.rsplit(':').next().unwrap_or_default()
}

/// Delivers an event as Lambda does: again if a delivery fails or is killed, and once more.
pub async fn deliver(fake: &FakeAws, event: &Value, name: &str) {
    deliver_all(fake, &request(fake, event.clone(), name), true).await;
}

/// The function's result, or its error.
type Answer = Result<Value, String>;

/// Delivers an event once. `None` if it was killed.
pub async fn deliver_once(fake: &FakeAws, event: &Value, name: &str) -> Option<Answer> {
    answered_once(fake, name, &request(fake, event.clone(), name)).await
}

/// A health check that looks at everything. It is delivered as Lambda does.
pub async fn check_health(fake: &FakeAws, name: &str) {
    for attempt in 1..=3 {
        let caller = fake.caller(&format!("{name}.{attempt}"));
        let checking = check_health_once(fake, wire(fake, &caller));
        if Box::pin(caller.run(checking)).await.finished().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_mins(attempt)).await;
    }
}

async fn check_health_once(fake: &FakeAws, connector: SharedHttpConnector) {
    let http = Http::from(connector.clone());
    let clients = &Clients::new(&sdk_config(connector), http, Clock::starting_at(fake.now()));
    let credentials = MirrorCredential::new(clients.clone());
    let dev = Environment {
        id: "dev".to_owned(),
        user_names: "user-dev-*".to_owned(),
        credential_age_days: None,
        first_project: None,
        stack_id: None,
    };
    let pipelines = GitOpsPipeline::new(clients.clone(), FunctionApprovals::Denied);
    let emit = |line: Value| secrecy::note(line.to_string());
    let checker = Checker {
        environment: &dev,
        clients,
        mirror_credential: &credentials,
        gitops_pipeline: &pipelines,
        mode: Mode::Check(&emit),
        schedule: Schedule {
            began: fake.now(),
            interval: None,
        },
    };
    secrecy::note(checker.check(CHECK_TIME).await.to_string());
}

/// A health check, and the one of the next day: it deletes the change sets that remain from an hour
/// ago.
pub async fn check_health_for_a_day(fake: &FakeAws) {
    check_health(fake, "health check").await;
    tokio::time::sleep(Duration::from_hours(23)).await;
    check_health(fake, "next day's health check").await;
}
