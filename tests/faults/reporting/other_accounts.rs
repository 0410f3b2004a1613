//! Another account with the same `EnvID` and `ProjectID`, and another project with the same
//! environment in GitLab, report to the same project: nothing is posted again and again.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;

use crate::fixture::{
    COMMITS, NUMBER, PROJECT, Reporting, SHOP, catch_up, check_health, deliver, fake, in_account,
    paused, records, records_of,
};
use crate::scenarios::scenario;
use crate::steps::ReportWord;
use crate::steps::ReportWord::{Approve, Deploy, Deployed, End, Retry};
use crate::steps::waiting;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER, Records, is_open};
use fake_aws::{FakeAws, Schedules, redacted};
use serde_json::Value;

/// The location of the function in `fake-aws`, and of another one.
const HERE: &str = "eu-central-1:123456789012";
const THERE: [&str; 2] = ["eu-central-1:210987654321", "us-east-1:123456789012"];

/// Two accounts whose functions report to one GitLab.
struct Accounts {
    fakes: [FakeAws; 2],
    /// The users of their tokens.
    users: [u64; 2],
}

impl Accounts {
    async fn new(there: &str, users: [u64; 2]) -> Self {
        let fakes = [fake(&[SHOP]).await, fake(&[SHOP]).await];
        fakes[1].arrange(|aws| {
            let child = aws.stacks.named_mut("gitops-dev-shop").expect("a stack");
            child.id = child.id.replace(HERE, there);
        });
        let accounts = Accounts { fakes, users };
        accounts.share(0);
        accounts
    }

    /// The other account sees GitLab as this one has left it.
    fn share(&self, from: usize) {
        let gitlab = self.fakes[from].look(|aws| aws.gitlab.clone());
        self.fakes[1 - from].arrange(|aws| {
            aws.gitlab = gitlab;
            for token in aws.gitlab.tokens.values_mut() {
                token.user = self.users[1 - from];
            }
        });
    }

    /// An execution takes a step in one account, whose event is delivered.
    async fn take(&self, account: usize, step: ReportWord, name: &str) {
        let fake = &self.fakes[account];
        step.take(fake, SHOP).await;
        if step.has_event() {
            deliver(fake, SHOP, step.subject(), name).await;
        }
        self.share(account);
    }

    /// The health checks of both. Returns the number of changes that GitLab accepted.
    async fn check(&self, name: &str) -> usize {
        let mut posted = 0;
        for account in [0, 1] {
            posted += catch_up(&self.fakes[account], SHOP, name).await;
            self.share(account);
        }
        posted
    }

    fn records(&self) -> Records {
        records(&self.fakes[0])
    }
}

/// How often each final state was posted for each address.
fn finals(records: &Records) -> BTreeMap<(String, &'static str), usize> {
    let mut finals = BTreeMap::new();
    for one in records.statuses.iter().filter(|one| !is_open(one.state)) {
        let of = (format!("{} {}", one.name, one.target_url), one.state);
        *finals.entry(of).or_default() += 1;
    }
    finals
}

/// From the waiting approval to the end.
fn ending(id: &'static str, error: Option<&'static str>) -> [ReportWord; 3] {
    let end = if error.is_some() {
        "Failed"
    } else {
        "Succeeded"
    };
    [Approve(id), Deployed(id, error), End(id, end)]
}

/// The course of both executions, action by action.
fn course(first: Option<&'static str>, second: Option<&'static str>) -> Vec<[ReportWord; 2]> {
    let course = |id, error| [&waiting(id, 0)[..], &ending(id, error)].concat();
    let (one, other) = (course("e1", first), course("f1", second));
    let retried = |id| {
        [
            Retry(id),
            Deploy(id),
            Deployed(id, Some("again")),
            End(id, "Failed"),
        ]
    };
    let mut both: Vec<[ReportWord; 2]> = one.into_iter().zip(other).map(|(a, b)| [a, b]).collect();
    if second.is_some() {
        let again = retried("f1").into_iter().map(|step| [ReportWord::Start("e2"), step]);
        both.extend(again);
    }
    both
}

#[test]
fn two_accounts_post_each_final_status_once() {
    let mut schedules = Schedules::one_in(1);
    for there in THERE {
        for users in [[OWN_USER, OWN_USER], [OWN_USER, OTHER_USER]] {
            for (one, other) in [(None, None), (None, Some("Table exists"))] {
                for order in [[0, 1], [1, 0]] {
                    let name = format!("{there} {users:?} {one:?} {other:?} {order:?}");
                    schedules.run(name, || {
                        paused(async {
                            let accounts = Accounts::new(there, users).await;
                            for (at, steps) in course(one, other).into_iter().enumerate() {
                                for account in order {
                                    if !matches!(steps[account], ReportWord::Start("e2")) {
                                        let name = format!("event-{at}-{account}");
                                        accounts.take(account, steps[account], &name).await;
                                    }
                                }
                            }
                            check_settled(&accounts).await;
                        });
                    });
                }
            }
        }
    }
    schedules.report("two accounts with one EnvID and ProjectID");
}

/// Further health checks of both post nothing, and each has its own statuses and note.
async fn check_settled(accounts: &Accounts) {
    for check in 0..2 {
        accounts.check(&format!("check {check}")).await;
    }
    let settled = accounts.records();
    for check in 2..5 {
        assert_eq!(accounts.check(&format!("check {check}")).await, 0);
    }
    let records = accounts.records();
    assert_eq!(records.statuses.len(), settled.statuses.len());
    assert_eq!(records.deployments.len(), settled.deployments.len());
    // With two users, GitLab marks both as retried if one ends its status after it was replaced,
    // so it is posted a second time.
    let most = if accounts.users[0] == accounts.users[1] {
        1
    } else {
        2
    };
    let finals = finals(&records);
    assert!(finals.values().all(|posted| *posted <= most), "{finals:#?}");
    let latest = records.current(COMMITS[0], &SHOP.status());
    assert!(!is_open(latest.last().expect("a status").state));
    let mut notes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for note in &records.notes {
        let place = note.body.split(' ').nth(5).expect("a location");
        *notes.entry((&note.place, place)).or_default() += 1;
        let (account, _) = place.split_once('/').expect("a region");
        let link = format!("/timeline#{account})");
        assert!(note.body.contains(&link), "{}", note.body);
    }
    assert_eq!(notes.len(), 4, "one of each account on two merge requests");
    assert!(notes.values().all(|count| *count == 1), "{notes:?}");
}

/// The summary of the whole health check.
fn unhealthy(summary: &Value, subject: &str) -> Option<String> {
    let mut found = summary["Unhealthy"].as_array().into_iter().flatten();
    let found = found.find(|one| one["Subject"] == subject);
    let text = |member: &Value| member.as_str().expect("text").to_owned();
    found.map(|one| format!("{}. {}", text(&one["Problem"]), text(&one["Remedy"][0])))
}

#[test]
fn health_check_names_the_address_of_another_account() {
    paused(async {
        let accounts = Accounts::new(THERE[0], [OWN_USER, OWN_USER]).await;
        for account in [0, 1] {
            for step in [&waiting("e1", 0)[..], &ending("e1", None)].concat() {
                accounts.take(account, step, "event").await;
            }
        }
        let summary = check_health(&accounts.fakes[0]).await;
        let subject = format!("pipeline {}", SHOP.pipeline());
        let found = unhealthy(&summary, &subject).expect("a finding");
        expect!["another pipeline or tool reports to its project in GitLab as dev/shop (https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/executions/e1/timeline#210987654321). Each commit shows only the latest status of both. Give one of them another EnvID, ProjectID or project in GitLab: a project in GitLab has each EnvID with ProjectID once"].assert_eq(&redacted(&found));
    });
    in_account(async |fake| {
        scenario("report_ends: deployed").play(fake).await;
        let summary = check_health(fake).await;
        let subject = format!("pipeline {}", SHOP.pipeline());
        assert_eq!(unhealthy(&summary, &subject), None);
    });
}

/// Another project of the same repository, with the default environment in GitLab.
const CART: Reporting = Reporting {
    env_id: "dev",
    project_id: "cart",
    environment: "dev",
    project: PROJECT,
};

/// Both pipelines deploy the first commit, and `CART`'s fails with this error.
async fn deploy_both(fake: &FakeAws, error: Option<&'static str>) {
    for (of, id, error) in [(SHOP, "e1", None), (CART, "f1", error)] {
        for (at, step) in [&waiting(id, 0)[..], &ending(id, error)].concat().iter().enumerate() {
            step.take(fake, of).await;
            if step.has_event() {
                deliver(fake, of, step.subject(), &format!("{id}-{at}")).await;
            }
        }
    }
}

#[test]
fn shared_environment_is_a_finding_and_repeats_no_record() {
    let mut findings = BTreeSet::new();
    for error in [None, Some("Table exists")] {
        paused(async {
            let fake = fake(&[SHOP, CART]).await;
            fake.arrange(|aws| {
                let stack = aws.stacks.named_mut("cfnstack-dev-cart").expect("a stack");
                let url = "https://cart.example.com".to_owned();
                stack.outputs.insert("SiteUrl".to_owned(), url);
            });
            deploy_both(&fake, error).await;
            let states = || {
                let records = records(&fake);
                let states = records.deployments.iter().map(|one| one.state);
                states.collect::<Vec<_>>()
            };
            let after_events = states();
            let changes = fake.count("GitLab.UpdateEnvironment");
            let mut summary = Value::Null;
            for _ in 0..4 {
                summary = check_health(&fake).await;
            }
            let expected = error.map_or(vec!["success"], |_| vec!["success", "failed"]);
            assert_eq!((after_events, states()), (expected.clone(), expected));
            assert_eq!(fake.count("GitLab.UpdateEnvironment"), changes);
            let subject = format!("environment dev of project {NUMBER} in GitLab");
            let found = unhealthy(&summary, &subject).expect("a finding");
            findings.insert(found);
        });
    }
    expect!["codepipeline-dev-cfn-cart and codepipeline-dev-cfn-shop record their deployments in it, and GitLab cannot distinguish them: one record stands for the same end of several. Give each an environment of its own: set Report.EnvironmentName (in templates/project.yaml GitLabEnvironmentName), for example to dev-cart"].assert_eq(&redacted(&Vec::from_iter(findings).join("\n")));
}

/// The latest records of an environment do not reach back to the execution.
#[test]
fn record_is_not_repeated_after_many_others() {
    in_account(async |fake| {
        scenario("report_ends: deployed").play(fake).await;
        fake.change(|aws| {
            let now = fake_aws::World::instant(aws.now);
            let records = records_of(aws);
            for _ in 0..70 {
                for sha in [COMMITS[1], "c0ffee0000000003"] {
                    records.create_deployment("dev", sha, "main", "success", &now);
                }
            }
        });
        assert_eq!(catch_up(fake, SHOP, "health check").await, 0);
    });
}
