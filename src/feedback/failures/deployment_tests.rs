//! Which resources are listed, by what CodePipeline and CloudFormation return.

use std::collections::BTreeMap;
use std::iter::repeat;

use expect_test::expect;
use serde::Deserialize;

use self::account::{Account, Described, ENDED, Event, ROOT, STACK, Stage, arn, event, open};
use super::*;
use crate::feedback::failures::stack_operation::{SUCCEEDED, UNEXPECTED};
use crate::gitops_pipeline::executions::actions::ActionState;
use crate::gitops_pipeline::observe::pipeline_settings::tests::settings;

#[path = "tests/account.rs"]
mod account;

const CHANGE_SET: &str = "changeset-dev-shop";
const EXECUTED: &str =
    "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/changeset-dev-shop/1";
const CREATED: Stage = Stage {
    action: CREATE_CHANGE_SET,
    ..ENDED
};
/// The reason of the failed resource in most tests.
const REASON: &str = "Table shop-orders already exists in stack";

/// The failed attempt `a1` of an action of the execution `e1`.
fn action(name: &str, summary: &str) -> Action {
    Action {
        name: name.to_owned(),
        attempt: "a1".to_owned(),
        stage: DEPLOY.to_owned(),
        state: ActionState::Failed,
        status: "Failed".to_owned(),
        summary: summary.to_owned(),
        by: String::new(),
        external_id: String::new(),
    }
}

/// An update with one table that fails, and its rollback.
fn failed_update() -> Vec<Event> {
    let rows: [&[&str]; 6] = [
        &["", STACK, "CREATE_IN_PROGRESS", "User Initiated"],
        &[
            "Earlier",
            "AWS::SQS::Queue",
            "CREATE_FAILED",
            "An earlier failure",
        ],
        &["", STACK, "UPDATE_IN_PROGRESS", "User Initiated"],
        &["Orders", "AWS::DynamoDB::Table", "CREATE_FAILED", REASON],
        &[
            "",
            STACK,
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to create: [Orders]. ",
        ],
        &["", STACK, "UPDATE_ROLLBACK_COMPLETE", ""],
    ];
    rows.map(event).to_vec()
}

/// The account after `events`, whose change set was executed.
fn account(events: Vec<Event>) -> Account {
    let latest = events.iter().rev().find(|one| one.id.is_empty());
    let status = latest.map_or_else(String::new, |one| one.status.clone());
    let described = Described {
        status: status.leak(),
        change_set: EXECUTED.to_owned(),
        ..Described::default()
    };
    Account {
        stage: vec![ENDED],
        stacks: [(String::new(), vec![described])].into(),
        events: [(String::new(), events)].into(),
        change_sets: [(EXECUTED.to_owned(), ("CREATE_COMPLETE", "", vec![]))].into(),
        findings: vec![],
        page: 3,
        denied: None,
        calls: vec![],
    }
}

/// A summary that repeats the reason of the table, and names it.
const QUOTED: &str = "Failed to execute change set. Current stack status: UPDATE_ROLLBACK_COMPLETE. \
     Reason: Orders: Table shop-orders already exists in stack";

async fn read_as(
    account: Account,
    action: Action,
    has_change_set: bool,
    audience: Audience<'_>,
) -> Result<FailedDeployment, Unlisted> {
    let (aws, _) = open(account);
    let of = FailedAction {
        pipeline: &settings(has_change_set),
        execution_id: "e1",
        is_newest: true,
        action: &action,
        audience,
    };
    read(&aws, &of).await.map_err(unlisted)
}

fn unlisted(stop: Unread) -> Unlisted {
    match stop {
        Stop::Nothing(why) => why,
        Stop::Failed(error) => panic!("{error}"),
    }
}

async fn deployed(account: Account, summary: &str) -> Result<FailedDeployment, Unlisted> {
    read_as(account, action(DEPLOY, summary), true, Audience::Members).await
}

fn paths(read: &FailedDeployment) -> Vec<&str> {
    read.resources.iter().map(|one| one.path.as_str()).collect()
}

/// A case of the table of recorded failures. The command's reader has the same ones:
/// `tests/cli/test_stack_failures.py`.
#[derive(Deserialize)]
struct Recorded {
    /// With the source of its texts, if CloudFormation wrote them.
    case: String,
    /// The events of each stack, the oldest one first. The root stack has no name, and `one-two` is
    /// nested in `one`.
    events: BTreeMap<String, Vec<Vec<String>>>,
    /// The stacks that contain these nested ones instead.
    #[serde(default)]
    parents: BTreeMap<String, String>,
    /// The ID of the newest operation, if CloudFormation returns it.
    operation: Option<String>,
    /// The reason of the change set that failed after these events.
    change_set: Option<String>,
    #[serde(default)]
    findings: Vec<[String; 5]>,
    /// In order: the path, the type, and a part of the shown reason.
    listed: Vec<[String; 3]>,
    cancelled: usize,
    /// Why the function lists none. The command alone reads deletions and imports.
    function: Option<String>,
}

impl Recorded {
    fn account(&self) -> Account {
        let events = |rows: &Vec<Vec<String>>| -> Vec<Event> {
            let row = |row: &Vec<String>| {
                let row: Vec<&str> = row.iter().map(String::as_str).collect();
                event(&row)
            };
            rows.iter().map(row).collect()
        };
        let mut account = account(events(&self.events[""]));
        for (key, rows) in self.events.iter().filter(|(key, _)| !key.is_empty()) {
            let named = || key.rsplit_once('-').map_or("", |(parent, _)| parent).to_owned();
            let parent = self.parents.get(key).cloned().unwrap_or_else(named);
            let nested = Described {
                status: "DELETE_COMPLETE",
                parent: Some(parent.leak()),
                ..Described::default()
            };
            account.stacks.insert(key.clone(), vec![nested]);
            account.events.insert(key.clone(), events(rows));
        }
        if self.operation.is_some() {
            operations(&mut account, &[("UPDATE_STACK", "o1")]);
        }
        account.findings.clone_from(&self.findings);
        account
    }

    async fn read(&self) -> Result<FailedDeployment, Unlisted> {
        let mut account = self.account();
        let Some(why) = &self.change_set else {
            return deployed(account, "No reason was provided").await;
        };
        account.stage = vec![CREATED];
        let failed = ("FAILED", &*why.clone().leak(), vec![]);
        account.change_sets.insert(CHANGE_SET.to_owned(), failed);
        let failed = action(CREATE_CHANGE_SET, &format!("Creating it failed: {why}"));
        read_as(account, failed, true, Audience::Members).await
    }
}

#[tokio::test(start_paused = true)]
async fn recorded_failures_are_listed_from_the_first_cause() {
    let table = include_str!("../../../tests/fixtures/stack_failures.json");
    let table: Vec<Recorded> = serde_json::from_str(table).expect("the table");
    for one in table {
        let (case, read) = (&one.case, one.read().await);
        if let Some(why) = &one.function {
            let read = read.map_err(|it| it.because);
            assert_eq!(read, Err(why.as_str()), "{case}");
            continue;
        }
        let read = read.unwrap_or_else(|why| panic!("{case}: {why:?}"));
        let expected = one.listed.iter().map(|[.., reason]| reason.as_str()).chain(repeat(""));
        let listed = read.resources.iter().zip(expected).map(|(found, part)| {
            let is_shown = found.reason.contains(part);
            let reason = if is_shown { part } else { &found.reason };
            [&found.path, &found.resource_type, reason].map(ToOwned::to_owned)
        });
        let listed: Vec<[String; 3]> = listed.collect();
        assert_eq!(listed, one.listed, "{case}");
        assert_eq!((read.cancelled, read.more), (one.cancelled, 0), "{case}");
    }
}

/// Of the stage, the change set and the error, what has to be true so that resources are listed.
#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines)] // A table of cases.
async fn resources_are_listed_only_with_proof() {
    type Change = fn(&mut Account);
    type Row = (
        &'static str,
        bool,
        &'static str,
        Change,
        Result<(), Unlisted>,
    );
    const OTHER: Stage = Stage {
        execution: "e2",
        status: "InProgress",
        ..ENDED
    };
    /// No later execution is known.
    const MAYBE_EARLIER: Unlisted = Unlisted {
        is_late: true,
        ..NOT_LATEST
    };
    let rows: [Row; 30] = [
        ("quoted", true, QUOTED, |_| (), Ok(())),
        (
            "quoted, without a change set",
            false,
            QUOTED,
            |_| (),
            Ok(()),
        ),
        (
            "quoted without its resource",
            false,
            REASON,
            |_| (),
            Err(UNPROVEN),
        ),
        (
            "quoted in part",
            false,
            "Orders: Table shop-orders already exists",
            |_| (),
            Err(UNPROVEN),
        ),
        (
            "only the stack is quoted",
            false,
            "The following resource(s) failed to create: [Orders]. ",
            |_| (),
            Err(UNPROVEN),
        ),
        (
            "a change set by hand, without a change set",
            false,
            QUOTED,
            |it| {
                stack(it)[0].change_set = EXECUTED.replace("changeset-dev-shop", "by-hand");
            },
            Err(UNPROVEN),
        ),
        ("executed", true, "No reason was provided", |_| (), Ok(())),
        (
            "a direct update by hand",
            true,
            QUOTED,
            |it| stack(it)[0].change_set = String::new(),
            Err(UNPROVEN),
        ),
        (
            "neither",
            false,
            "No reason was provided",
            |_| (),
            Err(UNPROVEN),
        ),
        (
            "not updatable",
            false,
            "Stack:x is in ROLLBACK_COMPLETE state and can not be updated",
            |_| (),
            Err(UNPROVEN),
        ),
        (
            "gone",
            true,
            "ChangeSet [changeset-dev-shop] does not exist (Service: x)",
            |_| (),
            Err(NOT_EXECUTED),
        ),
        (
            "not executed",
            true,
            "Access denied",
            |it| {
                let waiting = ("CREATE_COMPLETE", "", vec![]);
                it.change_sets.insert(CHANGE_SET.to_owned(), waiting);
            },
            Err(NOT_EXECUTED),
        ),
        (
            "another change set",
            true,
            QUOTED,
            |it| {
                stack(it)[0].change_set = EXECUTED.replace("changeset-dev-shop", "by-hand");
            },
            Err(UNPROVEN),
        ),
        (
            "another execution waits",
            true,
            QUOTED,
            |it| it.stage = vec![OTHER],
            Ok(()),
        ),
        (
            "another execution",
            false,
            QUOTED,
            |it| it.stage = vec![OTHER],
            Err(MAYBE_EARLIER),
        ),
        (
            "it began afterwards",
            false,
            QUOTED,
            |it| it.stage = vec![ENDED, OTHER],
            Err(MAYBE_EARLIER),
        ),
        (
            "a retry",
            true,
            QUOTED,
            |it| {
                it.stage = vec![Stage {
                    attempt: "a2",
                    action_status: "InProgress",
                    ..ENDED
                }];
            },
            Err(MAYBE_EARLIER),
        ),
        (
            "a retry that failed",
            true,
            QUOTED,
            |it| {
                it.stage = vec![Stage {
                    attempt: "a2",
                    ..ENDED
                }];
            },
            Err(MAYBE_EARLIER),
        ),
        (
            "an unknown status",
            true,
            QUOTED,
            |it| {
                it.stage = vec![Stage {
                    action_status: "FUTURE_VALUE",
                    ..ENDED
                }];
            },
            Err(NOT_ENDED),
        ),
        (
            "an operation that runs",
            true,
            QUOTED,
            |it| {
                stack(it)[0].status = "UPDATE_IN_PROGRESS";
            },
            Err(BUSY),
        ),
        (
            "a cleanup",
            true,
            QUOTED,
            |it| {
                const CLEANUP: &str = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
                it.events.get_mut("").expect("events")[5].status = CLEANUP.to_owned();
                stack(it)[0].status = CLEANUP;
            },
            Ok(()),
        ),
        (
            "an end that is not shown yet",
            true,
            QUOTED,
            |it| {
                it.stage = vec![Stage {
                    action_status: "InProgress",
                    ..ENDED
                }];
            },
            Err(NOT_ENDED),
        ),
        (
            "a later description",
            true,
            QUOTED,
            |it| {
                stack(it)[0].status = "UPDATE_COMPLETE";
            },
            Err(DIFFERS),
        ),
        (
            "a later operation",
            true,
            QUOTED,
            |it| {
                let mut after = stack(it)[0].clone();
                after.operations = vec![("UPDATE_STACK", "o2")];
                stack(it).push(after.clone());
                stack(it).push(after);
            },
            Err(CHANGED),
        ),
        (
            "a change set that was created meanwhile",
            true,
            QUOTED,
            |it| {
                operations(it, &[("UPDATE_STACK", "o1")]);
                let mut after = stack(it)[0].clone();
                after.operations.insert(0, ("CREATE_CHANGESET", "o2"));
                stack(it).push(after.clone());
                stack(it).push(after);
            },
            Ok(()),
        ),
        (
            "its operation",
            true,
            QUOTED,
            |it| operations(it, &[("ROLLBACK", "o2"), ("UPDATE_STACK", "o1")]),
            Ok(()),
        ),
        (
            "another operation",
            true,
            QUOTED,
            |it| operations(it, &[("UPDATE_STACK", "o2"), ("UPDATE_STACK", "o1")]),
            Err(DIFFERS),
        ),
        (
            "a deletion",
            true,
            QUOTED,
            |it| operations(it, &[("DELETE_STACK", "o2")]),
            Err(DIFFERS),
        ),
        (
            "an unknown operation",
            true,
            QUOTED,
            |it| operations(it, &[("FUTURE_VALUE", "o1")]),
            Err(DIFFERS),
        ),
        (
            "another stack's role",
            true,
            QUOTED,
            |it| {
                it.denied = Some(("DescribeStackEvents", arn("")));
            },
            Err(DENIED),
        ),
    ];
    for (name, has_change_set, summary, change, expected) in rows {
        let mut account = account(failed_update());
        if !has_change_set {
            stack(&mut account)[0].change_set = String::new();
        }
        change(&mut account);
        let failed = action(DEPLOY, summary);
        let read = read_as(account, failed, has_change_set, Audience::Members).await;
        assert_eq!(
            read.as_ref().map(drop).map_err(|it| *it),
            expected,
            "{name}"
        );
        if let Ok(read) = read {
            assert_eq!(paths(&read), ["Orders"], "{name}");
        }
    }
}

/// The failures of the test's update, read after a later execution has begun.
#[tokio::test(start_paused = true)]
async fn other_attempt_is_final_if_a_later_execution_is_known() {
    for (execution, is_late) in [("e2", false), ("e1", true)] {
        let mut account = account(failed_update());
        account.stage = vec![Stage {
            execution,
            attempt: "a2",
            ..ENDED
        }];
        let (aws, _) = open(account);
        let of = FailedAction {
            pipeline: &settings(true),
            execution_id: "e1",
            is_newest: false,
            action: &action(DEPLOY, QUOTED),
            audience: Audience::Members,
        };
        let expected = Unlisted {
            is_late,
            ..NOT_LATEST
        };
        let read = read(&aws, &of).await.map_err(unlisted);
        assert_eq!(read, Err(expected), "{execution}");
    }
}

/// A request has an ID of its own, and a resource may fail for the same reason again.
#[tokio::test(start_paused = true)]
async fn reason_with_the_id_of_its_request_is_a_proof() {
    const WITH_ID: &str =
        "Resource handler returned message: \"no\" (RequestToken: 1-2, HandlerErrorCode: NotFound)";
    for (summary, is_proven) in [
        (WITH_ID.to_owned(), true),
        (WITH_ID.replace("1-2", "1-3"), false),
    ] {
        let mut events = failed_update();
        events[3].reason = WITH_ID.to_owned();
        let mut account = account(events);
        stack(&mut account)[0].change_set = String::new();
        let failed = action(DEPLOY, &summary);
        let read = read_as(account, failed, false, Audience::Members).await;
        assert_eq!(read.is_ok(), is_proven, "{read:?}");
    }
}

fn stack(account: &mut Account) -> &mut Vec<Described> {
    account.stacks.get_mut("").expect("the stack")
}

#[tokio::test(start_paused = true)]
async fn status_of_an_unreadable_stack_is_not_known() {
    let mut account = account(failed_update());
    let shown = stack_status(&open(account.clone()).0, ROOT).await;
    assert_eq!(shown, Some(StackStatus::UpdateRollbackComplete));
    account.denied = Some(("DescribeStacks", ROOT.to_owned()));
    assert_eq!(stack_status(&open(account.clone()).0, ROOT).await, None);
    assert_eq!(stack_status(&open(account).0, "absent").await, None);
}

/// The operations of the stack, whose newest update in the events is `o1`.
fn operations(account: &mut Account, operations: &[(&'static str, &'static str)]) {
    stack(account)[0].operations = operations.to_vec();
    for event in account.events.get_mut("").expect("events") {
        event.operation = Some("o1");
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_or_import_after_the_failure_lists_nothing() {
    for (status, expected) in [
        ("DELETE_FAILED", UNEXPECTED),
        ("IMPORT_COMPLETE", UNEXPECTED),
        ("UPDATE_COMPLETE", SUCCEEDED),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", SUCCEEDED),
        ("FUTURE_VALUE", UNEXPECTED),
    ] {
        let mut events = failed_update();
        events.push(event(&["", STACK, status, ""]));
        assert_eq!(
            deployed(account(events), QUOTED).await,
            Err(expected),
            "{status}"
        );
    }
    // The description is newer than the events, of which the latest ones may be missing.
    let mut events = failed_update();
    events.push(event(&["", STACK, "UPDATE_COMPLETE", ""]));
    let mut account = account(events);
    stack(&mut account)[0].status = "UPDATE_ROLLBACK_COMPLETE";
    assert_eq!(deployed(account, QUOTED).await, Err(DIFFERS));
}

#[tokio::test(start_paused = true)]
async fn of_200_failed_resources_20_are_listed() {
    let mut events = failed_update();
    let last = events.split_off(4);
    events.extend((0..199).map(|number| {
        event(&[
            &format!("Queue{number}"),
            "AWS::SQS::Queue",
            "CREATE_FAILED",
            "Rate exceeded",
        ])
    }));
    events.extend(last);
    let read = deployed(account(events), QUOTED).await.expect("resources");
    assert_eq!(
        (read.resources.len(), read.more, read.cancelled),
        (20, 180, 0)
    );
    assert_eq!(paths(&read)[..2], ["Orders", "Queue0"]);
    let note = render(&read, "https://example.com");
    assert!(
        note.contains("\n180 more are in the [console](https://example.com)."),
        "{note}"
    );
}

/// A nested stack whose update failed, with a parameter.
fn nested(reason: &str, is_creation: bool) -> Account {
    let verb = if is_creation { "CREATE" } else { "UPDATE" };
    let begins = format!("{verb}_IN_PROGRESS");
    let mut failed = event(&["Data", STACK, &format!("{verb}_FAILED"), reason, "data"]);
    failed.properties =
        r#"{"TemplateURL": "x", "Parameters": {"Name": "hunter2-is-it", "Size": 4711}}"#.to_owned();
    let mut account = account(vec![
        event(&["", STACK, "UPDATE_IN_PROGRESS", "User Initiated"]),
        failed,
        event(&["", STACK, "UPDATE_ROLLBACK_COMPLETE", ""]),
    ]);
    account.events.insert(
        "data".to_owned(),
        vec![
            event(&["", STACK, &begins, "User Initiated"]),
            event(&[
                "Queue",
                "AWS::SQS::Queue",
                "CREATE_FAILED",
                "Queue hunter2-is-it of old-secret and 4711 is broken",
            ]),
            event(&["", STACK, &format!("{verb}_FAILED"), "x"]),
        ],
    );
    let described = Described {
        status: "UPDATE_FAILED",
        parent: Some(""),
        parameters: vec![("Name", "old-secret")],
        ..Described::default()
    };
    account.stacks.insert("data".to_owned(), vec![described]);
    account
}

#[tokio::test(start_paused = true)]
async fn values_of_nested_stacks_are_not_shown() {
    const EMBEDDED: &str = "Embedded stack x was not successfully created: The following resource(s) failed to create: [Queue]. ";
    let read = deployed(nested(EMBEDDED, true), "No reason was provided").await;
    let read = read.expect("resources");
    assert_eq!(paths(&read), ["Data/Queue"]);
    assert_eq!(read.resources[0].reason, "Queue … of … and … is broken");
    // CloudFormation describes the former values, and defaults are not passed.
    let read = deployed(nested(EMBEDDED, false), "No reason was provided").await;
    assert_eq!(read.expect("resources").resources[0].reason, HIDDEN_REASON);
    let mut denied = nested(EMBEDDED, true);
    denied.denied = Some(("DescribeStackEvents", arn("data")));
    let denied = deployed(denied, "No reason was provided").await;
    assert_eq!(paths(&denied.expect("resources")), ["Data"]);
}

/// The reason may repeat the former value of a parameter that the change set does not have, or not
/// with `NoEcho`: a rollback restores it.
#[tokio::test(start_paused = true)]
async fn former_value_that_is_unknown_is_not_shown() {
    const SIZE: (&str, &str) = ("Size", "small");
    let shown = async |of_stack: &[_], of_change_set: &[_]| {
        let mut account = account(failed_update());
        let stack = account.stacks.get_mut("").expect("a stack");
        stack[0].parameters = of_stack.to_vec();
        let change_set = account.change_sets.get_mut(EXECUTED).expect("a change set");
        change_set.2 = of_change_set.to_vec();
        let read = deployed(account, "No reason was provided").await;
        read.expect("resources").resources[0].reason.contains("shop-orders")
    };
    let former = [("Password", "****"), SIZE];
    assert!(!shown(&former, &[("PasswordArn", "arn:x"), SIZE]).await);
    assert!(!shown(&former, &[("Password", "4711"), SIZE]).await);
    assert!(!shown(&[("Name", "old"), SIZE], &[("Title", "new"), SIZE]).await);
    assert!(shown(&[SIZE], &[("Title", "new"), SIZE]).await);
}

/// Others than members do not read what code of a user wrote.
#[tokio::test(start_paused = true)]
async fn reasons_are_shown_by_the_audience() {
    let rows: [&[&str]; 6] = [
        &["", STACK, "UPDATE_IN_PROGRESS", "User Initiated"],
        &[
            "Seed",
            "Custom::Seed",
            "CREATE_FAILED",
            "Data hunter2 must be an object",
        ],
        &["Bucket", "AWS::S3::Bucket", "HOOK", "it is hunter2"],
        &[
            "Bucket",
            "AWS::S3::Bucket",
            "CREATE_FAILED",
            "The following hook(s) failed: [My::Org::Hook]",
        ],
        &[
            "Role",
            "AWS::IAM::Role",
            "CREATE_FAILED",
            "User: arn:aws:sts::123456789012:assumed-role/role-dev-codedeploy-cfn/x is not authorized to perform: iam:CreateUser on resource: x because no identity-based policy allows the iam:CreateUser action",
        ],
        &["", STACK, "UPDATE_ROLLBACK_COMPLETE", ""],
    ];
    let mut table = String::new();
    for audience in [Audience::Members, Audience::Others] {
        let failed = action(DEPLOY, "No reason was provided");
        let read = read_as(account(rows.map(event).to_vec()), failed, true, audience).await;
        table += &render(&read.expect("resources"), "https://example.com");
    }
    expect![[r#"
        - `Seed` (`Custom::Seed`): `Data hunter2 must be an object`
        - `Bucket` (`AWS::S3::Bucket`): `The following hook(s) failed: [My::Org::Hook]. Hook failed with message: it is hunter2`
        - `Role` (`AWS::IAM::Role`): `pipelines may not call iam:CreateUser. No policy can allow it: remove it from the template, and deploy it by hand (x)`

        CloudFormation has restored the former version.
        - `Seed` (`Custom::Seed`): `the reason is not shown, because it may contain a value of a parameter`
        - `Bucket` (`AWS::S3::Bucket`): `The following hook(s) failed: [My::Org::Hook]. Hook failed with message: …`
        - `Role` (`AWS::IAM::Role`): `pipelines may not call iam:CreateUser. No policy can allow it: remove it from the template, and deploy it by hand (x)`

        CloudFormation has restored the former version.
    "#]].assert_eq(&table);
}

#[tokio::test(start_paused = true)]
async fn note_lists_the_rollback_and_the_cancelled_ones() {
    let mut events = failed_update();
    events.truncate(5);
    events.extend([
        event(&[
            "Topic",
            "AWS::SNS::Topic",
            "CREATE_FAILED",
            "Resource creation cancelled",
        ]),
        event(&[
            "Old",
            "AWS::SQS::Queue",
            "UPDATE_FAILED",
            &format!("a`|\n/close <img> @all {}", "x".repeat(700)),
        ]),
        event(&[
            "",
            STACK,
            "UPDATE_ROLLBACK_FAILED",
            "The following resource(s) failed to update: [Old]. ",
        ]),
    ]);
    let read = deployed(account(events), QUOTED).await.expect("resources");
    let note = render(&read, "https://example.com").replace(&"x".repeat(560), "x*560");
    expect![[r#"
        - `Orders` (`AWS::DynamoDB::Table`): `Table shop-orders already exists in stack`
        - `Old` (`AWS::SQS::Queue`): `In the rollback: a /close <img> @all x*560x…`

        1 other was cancelled, because one failed.

        CloudFormation could not restore the former version: the stack is in `UPDATE_ROLLBACK_FAILED`.
    "#]]
    .assert_eq(&note);
}

#[tokio::test(start_paused = true)]
async fn findings_of_a_change_set_are_listed() {
    const WHY: &str =
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]";
    let with = |why| {
        let mut account = account(failed_update());
        account.stage = vec![CREATED];
        account.change_sets.insert(
            CHANGE_SET.to_owned(),
            ("FAILED", why, vec![("Name", "hunter2-is-it")]),
        );
        let finding = [
            "VALIDATION_ERROR",
            "o9",
            "Orders",
            "AWS::DynamoDB::Table",
            "Unsupported property [hunter2-is-it]",
        ];
        account.findings = vec![finding.map(ToOwned::to_owned)];
        account
    };
    let failed = || {
        action(
            CREATE_CHANGE_SET,
            &format!("Creating the change set failed: {WHY}"),
        )
    };
    let read = read_as(with(WHY), failed(), true, Audience::Members).await.expect("findings");
    assert_eq!(paths(&read), ["Orders"]);
    assert_eq!(
        read.resources[0].reason,
        "/Resources/Orders: Unsupported property […]"
    );
    // One that an earlier execution left behind.
    let other = read_as(
        with("Circular dependency"),
        failed(),
        true,
        Audience::Members,
    )
    .await;
    assert_eq!(other, Err(OTHER_CHANGE_SET));
    // That of another execution, which failed with the same text, before or meanwhile.
    let later = Stage {
        execution: "e2",
        attempt: "a2",
        ..CREATED
    };
    for stage in [vec![later.clone()], vec![CREATED, later]] {
        let mut account = with(WHY);
        account.stage = stage;
        let other = read_as(account, failed(), true, Audience::Members).await;
        assert_eq!(other.map_err(|why| why.because), Err(NOT_LATEST.because));
    }
}

#[tokio::test(start_paused = true)]
async fn events_without_a_beginning_prove_nothing() {
    let mut events = failed_update();
    events.drain(..3);
    assert_eq!(deployed(account(events), QUOTED).await, Err(UNPROVEN));
    let mut gone = account(failed_update());
    gone.stacks.clear();
    assert_eq!(deployed(gone, QUOTED).await, Err(NO_STACK));
}

/// No resource fails if another stack imports an export.
#[tokio::test(start_paused = true)]
async fn own_reason_of_the_stack_is_shown_without_values() {
    const WHY: &str = "Export hunter2-is-it cannot be deleted as it is in use by other-stack";
    let rows: [&[&str]; 3] = [
        &["", STACK, "UPDATE_IN_PROGRESS", "User Initiated"],
        &["", STACK, "UPDATE_ROLLBACK_IN_PROGRESS", WHY],
        &["", STACK, "UPDATE_ROLLBACK_COMPLETE", ""],
    ];
    let failed = action(DEPLOY, WHY);
    let mut account = account(rows.map(event).to_vec());
    // Its values are unknown.
    account.change_sets.clear();
    let read = read_as(account, failed, true, Audience::Members).await.expect("resources");
    assert_eq!(paths(&read), [ROOT]);
    let shown = "Export … cannot be deleted as it is in use by …";
    assert_eq!(read.resources[0].reason, shown);
}
