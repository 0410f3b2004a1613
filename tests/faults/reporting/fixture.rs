//! Pipelines that report to GitLab, and the deliveries of their events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use cfn_custom_resource::Clock;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::aws::SdkClients;
use cfn_gitops::clients::gitlab::UnreachableGitLabs;
use cfn_gitops::clients::http::Http;
use cfn_gitops::feedback::reporting;
use cfn_gitops::feedback::reporting::{ReportError, Reported};
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::gitops_pipeline::{GitOpsPipeline, health};
use serde_json::{Value, json};

use crate::account::{GITLAB, PARAMETER, REPOSITORY, RESOURCE, TOKEN, VARIABLE, account, request};
use crate::secrecy::OUTPUT;
use fake_aws::clients::sdk_config;
use fake_aws::gitlab::records::Records;
use fake_aws::{AwsState, FakeAws};
use test_support::custom_resource::{ParentStack, StackRequest, answered_once, deliver_all};
use test_support::secrecy::{assert_none_shown, record, wire};

pub use crate::account::{BRANCH, NUMBER, PROJECT, records};
pub use fake_aws::explore::paused;

/// Other projects of this GitLab.
pub const CHILD: &str = "gitops-dev-shop";
pub const BROKEN_PROJECT: &str = "platform/broken";
pub const OTHER_PROJECT: &str = "platform/other";
/// The output of the deployed stack.
pub const SITE: &str = "https://shop.example.com";
/// The commits of the tests. The first one is in a merge request.
pub const COMMITS: [&str; 2] = ["c0ffee0000000001", "c0ffee0000000002"];

/// The time that the health check looks back.
const DAY: Duration = Duration::from_hours(24);

/// A pipeline: its environment, its project, and its environment in GitLab.
#[derive(Clone, Copy, Debug)]
pub struct Reporting {
    pub env_id: &'static str,
    pub project_id: &'static str,
    pub environment: &'static str,
    /// `GitLab.Project`: the path of the project, or its number.
    pub project: &'static str,
}

/// The pipeline of most tests.
pub const SHOP: Reporting = Reporting {
    env_id: "dev",
    project_id: "shop",
    environment: "dev",
    project: PROJECT,
};

impl Reporting {
    pub fn pipeline(&self) -> String {
        format!("codepipeline-{}-cfn-{}", self.env_id, self.project_id)
    }

    pub fn status(&self) -> String {
        format!("cfn-gitops/{}/{}", self.env_id, self.project_id)
    }

    /// A part of the first line of each note about a commit.
    pub fn marker(&self) -> String {
        format!("deployment {}/{} ", self.env_id, self.project_id)
    }

    fn stack(&self) -> String {
        format!("cfnstack-{}-{}", self.env_id, self.project_id)
    }

    /// The key of its change set.
    pub fn change_set(&self) -> (String, String) {
        let name = format!("changeset-{}-{}", self.env_id, self.project_id);
        (self.stack(), name)
    }

    pub fn properties(&self) -> Value {
        json!({
            "EnvID": self.env_id,
            "ProjectID": self.project_id,
            "BranchMap": {(self.env_id): BRANCH},
            "Source": {"RepositoryName": REPOSITORY},
            "Build": {"EnvironmentVariables": {"Password": VARIABLE}},
            "Deploy": {"ActionMode": "CHANGE_SET"},
            "GitLab": {"Url": GITLAB, "TokenSecretId": TOKEN, "Project": self.project},
            "Report": {"EnvironmentName": self.environment, "EnvironmentUrlOutput": "SiteUrl"},
        })
    }
}

thread_local! {
    /// The accounts of earlier schedules, by their pipelines.
    static PREPARED: RefCell<BTreeMap<String, FakeAws>> = const { RefCell::new(BTreeMap::new()) };
}

/// The account with these pipelines, which have not run. Their creation takes as long as a
/// schedule, so each thread creates them once.
pub async fn fake(pipelines: &[Reporting]) -> FakeAws {
    record();
    let key = format!("{pipelines:?}");
    let known = PREPARED.with_borrow(|prepared| prepared.get(&key).map(FakeAws::fork));
    if let Some(fake) = known {
        return fake;
    }
    let fake = prepared(pipelines).await;
    PREPARED.with_borrow_mut(|prepared| prepared.insert(key, fake.fork()));
    fake.fork()
}

/// Plays in the account of most tests.
pub fn in_account<T>(play: impl AsyncFnOnce(&FakeAws) -> T) -> T {
    paused(async {
        let fake = fake(&[SHOP]).await;
        let result = play(&fake).await;
        fake.assert_unbroken();
        result
    })
}

async fn prepared(pipelines: &[Reporting]) -> FakeAws {
    with_stacks(pipelines).await.0
}

/// The account, and the stacks that declare the pipelines.
pub async fn with_stacks(pipelines: &[Reporting]) -> (FakeAws, Vec<ParentStack>) {
    record();
    let mut parents = vec![];
    let fake = account(COMMITS[0], &[OUTPUT]);
    for project in [BROKEN_PROJECT, OTHER_PROJECT] {
        fake.gitlab_project(project, &[BRANCH]);
    }
    for (number, one) in pipelines.iter().enumerate() {
        let id = format!("5f3b2c10-0000-11f0-8000-{number:012}");
        let arn = format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/p{number}/{id}");
        let mut parent = ParentStack::called(&fake, RESOURCE, &arn);
        parent.starts_counting_at(number * 10);
        parent.create(&one.properties()).await.assert_success();
        parents.push(parent);
        fake.stack(&one.stack(), "UPDATE_COMPLETE", &[]);
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    fake.arrange(|aws| {
        for project in aws.gitlab.projects.values_mut() {
            project.commits.extend(COMMITS.map(str::to_owned));
        }
        let requests = vec![(4, "merged"), (5, "opened")];
        let of_commits = &mut records_of(aws).merge_requests;
        of_commits.insert(COMMITS[0].to_owned(), requests);
        for one in pipelines {
            let pipeline = aws.pipelines.get_mut(&one.pipeline());
            pipeline.expect("a pipeline").executions.clear();
            let now = aws.now;
            let stack = aws.stacks.named_mut(&one.stack()).expect("a stack");
            stack.outputs.insert("SiteUrl".to_owned(), SITE.to_owned());
            let password = || "Password".to_owned();
            stack.outputs.insert(password(), OUTPUT.to_owned());
            stack.parameters.insert(password(), PARAMETER.to_owned());
            stack.arrange("UPDATE_COMPLETE", None, None, now);
        }
    });
    assert_none_shown(&fake);
    (fake, parents)
}

/// GitLab's records of the project, for a change.
pub fn records_of(aws: &mut AwsState) -> &mut Records {
    &mut aws.gitlab.project_mut(NUMBER).records
}

/// The state of the first commit's status of a pipeline. `None` if it was not reported.
pub fn shown(fake: &FakeAws, of: Reporting) -> Option<&'static str> {
    fake.look(|aws| {
        let records = &aws.gitlab.named(NUMBER).records;
        let statuses = records.current(COMMITS[0], &of.status());
        statuses.last().map(|status| status.state)
    })
}

/// The subject of an event: the execution, and its action unless it is about the execution itself.
pub type Subject = (&'static str, Option<&'static str>);

/// The whole health check of the environment. Returns its summary.
pub async fn check_health(fake: &FakeAws) -> Value {
    let event = json!({"HealthCheck": {"EnvID": SHOP.env_id}});
    let check = request(fake, event, "check");
    let checked = answered_once(fake, "check", &check).await;
    checked.expect("not killed").expect("a summary")["HealthCheck"].take()
}

/// EventBridge's event of a change of an execution, or of one of its actions.
pub fn event(fake: &FakeAws, of: Reporting, subject: Subject, name: &str) -> StackRequest {
    let (execution, action) = subject;
    let detail_type = match action {
        Some(_) => "CodePipeline Action Execution State Change",
        None => "CodePipeline Pipeline Execution State Change",
    };
    let mut detail = json!({"pipeline": of.pipeline(), "execution-id": execution, "version": 1});
    if let Some(action) = action {
        detail["action"] = json!(action);
    }
    let event = json!({
        "version": "0",
        "id": "9b0f0d6e-0000-4000-8000-000000000000",
        "detail-type": detail_type,
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": "2026-11-20T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    });
    request(fake, event, name)
}

/// Delivers an event as Lambda does: again, if a delivery fails or is killed.
pub async fn deliver(fake: &FakeAws, of: Reporting, subject: Subject, name: &str) {
    deliver_all(fake, &event(fake, of, subject, name), false).await;
}

/// Delivers an event once. Returns the number of changes that GitLab accepted.
pub async fn deliver_once(fake: &FakeAws, of: Reporting, subject: Subject, name: &str) -> u64 {
    let event = event(fake, of, subject, name);
    let answer = answered_once(fake, name, &event).await.expect("not killed").expect("a report");
    if answer["Ignored"].is_string() {
        return 0;
    }
    assert_eq!(answer["Report"]["Rejected"], 0);
    answer["Report"]["Posted"].as_u64().expect("a number")
}

/// The health check of a pipeline's executions. Returns the number of changes that GitLab accepted.
pub async fn catch_up(fake: &FakeAws, of: Reporting, name: &str) -> usize {
    let reports = catch_up_with(fake, of, name, &UnreachableGitLabs::default()).await;
    let reports = reports.unwrap_or_else(|error| panic!("{error}"));
    let failed: Vec<_> = reports.iter().flat_map(|one| &one.failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
    reports.iter().map(|one| one.accepted).sum()
}

/// The same, except where GitLab is `unreachable`.
pub async fn catch_up_with(
    fake: &FakeAws,
    of: Reporting,
    name: &str,
    unreachable: &UnreachableGitLabs,
) -> Result<Vec<Reported>, ReportError> {
    let wire = wire(fake, &fake.caller(name));
    let http = Http::from(wire.clone());
    let aws = SdkClients::new(&sdk_config(wire), &http);
    let since = fake.now() - DAY;
    let pipeline = of.pipeline();
    let listed = health::list_executions(&aws, &pipeline).await.expect("a response");
    let changed = reporting::changed_since(&listed.expect("a pipeline"), since);
    let clock = Clock::starting_at(fake.now());
    let clients = Clients { aws, http, clock };
    let pipelines = GitOpsPipeline::new(clients.clone(), FunctionApprovals::NoChanges);
    let stack = format!("gitops-{}-{}", of.env_id, of.project_id);
    let child = pipelines.look_up_child(&stack).await?;
    let settings = child.and_then(|child| child.settings);
    reporting::catch_up(&clients, settings, changed, unreachable).await
}
