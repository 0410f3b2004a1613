//! Which commits are new: those since the last deployed one, if a person has looked at that one.
//! Otherwise an author of the changes could approve them by a tag.

use std::time::Duration;

use crate::fixture::{BRANCH, COMMITS};
use crate::gitlab_approvals::{
    ANN, BOB, DAN, DEPLOYED, approve_run_0, create, executions, in_scene, notes, project,
    roll_back_to, with_key,
};
use crate::gitlab_attacks::assert_refused;
use fake_aws::AwsState;
use fake_aws::gitlab::history::PushEvent;

/// The summary of the function's approval.
const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// How the approval of the last deployed execution ended.
fn end_approval_of_run_0(aws: &mut AwsState, status: &'static str) {
    executions(aws)[0].actions[0].status = status;
}

/// Before this one, an execution of `commit` was approved by the function.
fn function_approves(aws: &mut AwsState, commit: &str) {
    executions(aws)[0].changed -= Duration::from_mins(1);
    let mut run = executions(aws)[0].clone();
    "run-00".clone_into(&mut run.id);
    run.revision = Some(commit.to_owned());
    run.changed = aws.now;
    run.actions[0].text = Some(SUMMARY);
    executions(aws).insert(1, run);
}

/// So many commits are between the last deployed one and the one that waits.
pub fn put_between(aws: &mut AwsState, number: usize) {
    let between = (0..number).map(|at| format!("between-{at}"));
    let ends = [DEPLOYED, COMMITS[0]].map(str::to_owned);
    let [first, last] = ends.map(std::iter::once);
    let line: Vec<String> = first.chain(between).chain(last).collect();
    let pairs = line
        .windows(2)
        .map(|pair| (pair[1].clone(), pair[0].clone()));
    project(aws).records.history.parents.extend(pairs);
    project(aws).commits.extend(line);
}

// claim: commit-that-ran-before-is-not-approved
#[test]
#[allow(clippy::too_many_lines)] // A table.
fn tag_decides_nothing_if_no_person_saw_a_former_commit() {
    const NONE: &str = "none of the latest";
    const SAME: &str = "its commit is the last";
    const MERGE: &str = "merge requests";
    const UNKNOWN: &str = "does not show the commits";
    assert_refused(&[
        ("first deployment", NONE, ANN, |aws, _| {
            executions(aws).remove(0);
        }),
        ("only what the function approved", NONE, ANN, |aws, _| {
            approve_run_0(aws, Some(SUMMARY));
        }),
        ("deployed without an approval", NONE, ANN, |aws, _| {
            executions(aws)[0].actions.clear();
        }),
        ("author of what needed no approval", MERGE, DAN, |aws, _| {
            function_approves(aws, COMMITS[0]);
            executions(aws)[1].actions.clear();
        }),
        ("approval that waits", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "InProgress");
        }),
        ("approval that was rejected", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "Failed");
        }),
        ("approval of an unknown state", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "Skipped");
        }),
        ("approval of an earlier attempt", NONE, ANN, |aws, _| {
            let now = aws.now;
            executions(aws)[0].begin("Approval", now);
            executions(aws)[0].end("Approval", "Skipped", None, now);
        }),
        ("approval of another action", NONE, ANN, |aws, _| {
            executions(aws)[0].actions[0].name = "Review";
        }),
        ("rolled back to what needed none", NONE, ANN, |aws, _| {
            executions(aws)[0].actions.clear();
            roll_back_to(aws, DEPLOYED);
        }),
        (
            "author of what the function approved",
            MERGE,
            DAN,
            |aws, _| {
                function_approves(aws, COMMITS[0]);
            },
        ),
        ("deployed before", SAME, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[0].to_owned());
        }),
        (
            "deployed before, with another image",
            SAME,
            DAN,
            |aws, _| {
                executions(aws)[0].revision = Some(COMMITS[0].to_owned());
                function_approves(aws, COMMITS[0]);
            },
        ),
        ("rolled back to the same", SAME, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[0].to_owned());
            roll_back_to(aws, COMMITS[0]);
        }),
        // The function approved the commit that the rollback deployed again.
        ("rolled back to what nobody saw", NONE, ANN, |aws, _| {
            approve_run_0(aws, Some(SUMMARY));
            roll_back_to(aws, DEPLOYED);
        }),
        ("rolled back to what is not listed", NONE, ANN, |aws, _| {
            roll_back_to(aws, "long-ago");
        }),
        ("older than the deployed one", UNKNOWN, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[1].to_owned());
            let (tip, parent) = (COMMITS[1].to_owned(), COMMITS[0].to_owned());
            let project = project(aws);
            project.branches.insert(BRANCH.to_owned(), tip.clone());
            project.records.history.parents.insert(tip, parent);
        }),
        ("unknown former commit", UNKNOWN, ANN, |aws, _| {
            executions(aws)[0].revision = Some("unknown".to_owned());
        }),
        ("too many commits", "more than 100", ANN, |aws, _| {
            put_between(aws, 100);
        }),
    ]);
}

/// The commit that is undone: Bob's, which followed the one that waits.
const BAD: &str = COMMITS[1];

/// A push to the pipeline's branch.
fn push_by(aws: &mut AwsState, user: u64, from: Option<&str>, to: Option<&str>) {
    let now = aws.now;
    let project = project(aws);
    match to {
        Some(to) => project.branches.insert(BRANCH.to_owned(), to.to_owned()),
        None => project.branches.remove(BRANCH),
    };
    let [from, to] = [from, to].map(|end| end.map(str::to_owned));
    let push = PushEvent::of("branch", BRANCH, from, to, user, now);
    project.records.history.events.push(push);
}

/// The commit that waits was deployed after Bob's approval in GitLab. Then Bob pushed another one,
/// whose deployment a person approved too. So the execution that waits is an undo.
fn undo(aws: &mut AwsState) {
    executions(aws)[0].revision = Some(BAD.to_owned());
    let mut first = executions(aws)[0].clone();
    "run-00".clone_into(&mut first.id);
    first.revision = Some(COMMITS[0].to_owned());
    first.changed -= Duration::from_secs(20);
    first.actions[0].text = Some("cfn-gitops: approved in GitLab by @bob (22), tag deploy/a");
    executions(aws).insert(0, first);
    let parents = &mut project(aws).records.history.parents;
    parents.insert(BAD.to_owned(), COMMITS[0].to_owned());
    push_by(aws, BOB, Some(COMMITS[0]), Some(BAD));
}

/// The first execution of the commit that waits.
fn first(aws: &mut AwsState) -> &mut fake_aws::Execution {
    &mut executions(aws)[0]
}

/// The undo of a commit whose first deployment was approved with this summary.
fn undo_approved_with(aws: &mut AwsState, summary: &'static str) {
    undo(aws);
    first(aws).actions[0].text = Some(summary);
}

/// A person approved a deployment before the first one of the commit that waits.
fn deployed_before(aws: &mut AwsState) {
    let mut former = first(aws).clone();
    "run-of-former".clone_into(&mut former.id);
    former.revision = Some(DEPLOYED.to_owned());
    former.changed -= Duration::from_secs(20);
    executions(aws).insert(0, former);
}

const BY_ANN: &str = "cfn-gitops: approved in GitLab by @ann (21), tag deploy/a";
const BY_DAN: &str = "cfn-gitops: approved in GitLab by @dan (23), tag deploy/a";

/// Ann has made none of the commits, so she may approve twice.
#[test]
fn same_person_approves_a_commit_of_others_and_its_undo() {
    for summary in [BY_ANN, "approved in AWS"] {
        in_scene(async |scene| {
            scene.fake.arrange(|aws| {
                undo_approved_with(aws, summary);
                deployed_before(aws);
            });
            scene.tag(ANN, &scene.deploy);
            scene.tell(&scene.deploy, "tag").await;
            scene.assert_decided(&scene.deploy);
        });
    }
}

/// `AllowAuthor` was true, so that the author alone has looked at the commit.
// claim: author-alone-does-not-approve-an-undo
#[test]
fn undo_is_not_approved_by_an_author_who_approved_before() {
    const MERGE: &str = "merge requests";
    const FIRST: &str = "no person has approved one before it";
    assert_refused(&[
        ("author who approved", MERGE, DAN, |aws, _| {
            undo_approved_with(aws, BY_DAN);
            deployed_before(aws);
        }),
        ("author, approved in AWS", MERGE, DAN, |aws, _| {
            undo_approved_with(aws, "fine");
            deployed_before(aws);
        }),
        ("author who approved twice", MERGE, DAN, |aws, _| {
            undo_approved_with(aws, BY_DAN);
            let mut second = first(aws).clone();
            "run-of-second".clone_into(&mut second.id);
            executions(aws).insert(1, second);
            deployed_before(aws);
        }),
        ("first deployment", FIRST, DAN, |aws, _| {
            undo_approved_with(aws, BY_DAN);
        }),
        ("first one that a person approved", FIRST, ANN, |aws, _| {
            undo_approved_with(aws, BY_ANN);
            deployed_before(aws);
            executions(aws)[0].actions.clear();
        }),
    ]);
}

/// Neither Ann nor Dan, who made the commit that is deployed again, has made the one that is undone.
#[test]
fn undo_is_approved_by_another_person_than_the_undone_author() {
    let rows: [fn(&mut AwsState, &str); 5] = [
        |_, _| {},
        // The branch was moved back by another person.
        |aws, _| push_by(aws, BOB, Some(BAD), Some(COMMITS[0])),
        // The next commit waits already.
        |aws, _| push_by(aws, ANN, Some(BAD), Some("next")),
        // Ann has approved the commit that is undone.
        |aws, tag| create(aws, ANN, &with_key(tag), BAD),
        // It ran once more, and was rejected.
        |aws, _| {
            let mut second = first(aws).clone();
            "run-000".clone_into(&mut second.id);
            second.status = "Failed";
            second.actions[0].status = "Failed";
            executions(aws).insert(1, second);
        },
    ];
    for (at, happen) in rows.into_iter().enumerate() {
        for user in [ANN, DAN] {
            in_scene(async |scene| {
                scene.fake.arrange(|aws| {
                    undo(aws);
                    happen(aws, &scene.deploy);
                    if at == 2 {
                        let next = ("next".to_owned(), BAD.to_owned());
                        project(aws).commits.insert(next.0.clone());
                        project(aws).records.history.parents.extend([next]);
                    }
                });
                scene.tag(user, &scene.deploy);
                scene.tell(&scene.deploy, "tag").await;
                assert!(
                    scene.answer().is_some(),
                    "{at} {user}: {}",
                    notes(&scene.fake)
                );
            });
        }
    }
}

// claim: undone-author-does-not-approve-the-undo
#[test]
#[allow(clippy::too_many_lines)] // A table.
fn undo_is_not_approved_by_who_made_the_undone_commits() {
    const PUSH: &str = "has pushed one of its commits";
    const UNKNOWN: &str = "does not show the commits";
    const REWIND: &str = "has moved the branch back";
    assert_refused(&[
        ("pusher", PUSH, BOB, |aws, _| undo(aws)),
        ("author by address", "is an author of one", ANN, |aws, _| {
            undo(aws);
            let emails = &mut project(aws).records.history.author_emails;
            emails.insert(
                BAD.to_owned(),
                format!("{ANN}-ann@users.noreply.example.com"),
            );
        }),
        ("merger", "merge requests", ANN, |aws, _| {
            undo(aws);
            let records = &mut project(aws).records;
            records
                .merge_requests
                .insert(BAD.to_owned(), vec![(9, "merged")]);
            records.details.entry(9).or_default().merge_user = Some(ANN);
        }),
        ("pusher by a tag", PUSH, ANN, |aws, _| {
            undo(aws);
            create(aws, ANN, "v2", BAD);
        }),
        ("many branches at once", PUSH, ANN, |aws, _| {
            undo(aws);
            let mut push = PushEvent::of("branch", "a", None, None, ANN, aws.now);
            push.hide_among(4);
            project(aws).records.history.events.push(push);
        }),
        ("moved back", REWIND, ANN, |aws, _| {
            undo(aws);
            push_by(aws, ANN, Some(BAD), Some(COMMITS[0]));
        }),
        ("removed and created again", REWIND, ANN, |aws, _| {
            undo(aws);
            push_by(aws, ANN, Some(BAD), None);
            push_by(aws, ANN, None, Some(COMMITS[0]));
        }),
        ("never deployed", UNKNOWN, ANN, |aws, _| {
            undo(aws);
            executions(aws).remove(0);
        }),
        ("deployment that failed", UNKNOWN, ANN, |aws, _| {
            undo(aws);
            first(aws).status = "Failed";
        }),
        ("approved by the function only", UNKNOWN, ANN, |aws, _| {
            undo(aws);
            first(aws).actions[0].text = Some(SUMMARY);
        }),
        ("deployed without an approval", UNKNOWN, ANN, |aws, _| {
            undo(aws);
            first(aws).actions.clear();
        }),
        ("more than GitLab lists", "more than 100", ANN, |aws, _| {
            undo(aws);
            let line: Vec<String> = (0..100).map(|at| format!("between-{at}")).collect();
            let ends = [COMMITS[0].to_owned(), BAD.to_owned()];
            let [start, end] = ends.map(std::iter::once);
            let line: Vec<String> = start.chain(line).chain(end).collect();
            let pairs = line
                .windows(2)
                .map(|pair| (pair[1].clone(), pair[0].clone()));
            project(aws).records.history.parents.extend(pairs);
            project(aws).commits.extend(line);
        }),
    ]);
}
