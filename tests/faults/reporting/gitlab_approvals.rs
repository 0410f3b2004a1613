//! Approvals by tags in GitLab: `Approval.FromGitLab`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::approvals::{pipeline, set_outputs, statuses, waiting};
use crate::fixture::{
    BRANCH, COMMITS, PROJECT, SHOP, Subject, check_health, deliver, event, in_account, records,
};
use crate::steps::Step;
use fake_aws::gitlab::Project;
use fake_aws::gitlab::history::PushEvent;
use fake_aws::gitlab::tags::{Tag, Tags, push};
use fake_aws::{AwsState, Execution, FakeAws};
use test_support::custom_resource::{StackRequest, deliver_all};

pub const RUN: &str = "run-1";
pub const SUBJECT: Subject = (RUN, Some("Approval"));
/// The commit of the last deployed execution.
pub const DEPLOYED: &str = "first-of-機能/ログイン";
/// Maintainers. Dan has made the commit that waits.
pub const ANN: u64 = 21;
pub const BOB: u64 = 22;
pub const DAN: u64 = 23;
/// A Developer.
pub const EVE: u64 = 24;

/// An execution that waits, and the tags that decide.
pub struct Scene {
    pub fake: FakeAws,
    pub deploy: String,
    pub reject: String,
}

/// Plays in a new scene.
pub fn in_scene<T>(play: impl AsyncFnOnce(&Scene) -> T) -> T {
    in_account(async |fake| play(&Scene::begin(fake).await).await)
}

impl Scene {
    pub async fn begin(fake: &FakeAws) -> Self {
        let people = [("ann", 40), ("bob", 40), ("dan", 40), ("eve", 30)];
        let people = people.map(|(name, level)| fake.gitlab_user(PROJECT, name, level));
        assert_eq!(people, [ANN, BOB, DAN, EVE]);
        fake.arrange(|aws| {
            let former = Execution::with_status("run-0".to_owned(), "Succeeded", aws.now);
            executions(aws).push(former);
            executions(aws)[0].revision = Some(DEPLOYED.to_owned());
            approve_run_0(aws, Some("looks fine"));
            let now = aws.now;
            push_by_dan(project(aws), now);
            allow_author(aws, false);
            rule(aws, "deploy/*", json!({"access_level": 40}));
            rule(aws, "reject/*", json!({"access_level": 40}));
        });
        for step in [Step::Start(RUN), Step::Source(RUN, 0), Step::Request(RUN)] {
            step.take(fake, SHOP).await;
        }
        fake.change(|aws| request(aws, "token-1"));
        let [deploy, reject] = shown_tags(fake).await;
        Scene {
            fake: fake.clone(),
            deploy,
            reject,
        }
    }

    /// A user creates a tag on the execution's commit.
    pub fn tag(&self, user: u64, name: &str) {
        self.fake.change(|aws| create(aws, user, name, COMMITS[0]));
    }

    /// CodeCommit's event of a tag, with Lambda's retries.
    pub async fn tell(&self, tag: &str, name: &str) {
        deliver_all(&self.fake, &tag_event(&self.fake, tag, name), false).await;
    }

    /// How the latest approval of the execution ended, and its summary. `None` while it waits.
    pub fn answer(&self) -> Option<(&'static str, &'static str)> {
        self.fake.look(|aws| {
            let mut executions = aws.pipelines[&SHOP.pipeline()].executions.iter();
            let execution = executions.find(|one| one.id == RUN)?;
            let mut attempts = execution.actions.iter().rev();
            let approval = attempts.find(|run| run.name == "Approval")?;
            let ended = approval.status != "InProgress";
            ended.then(|| (approval.status, approval.text.unwrap_or_default()))
        })
    }

    /// Fails unless Ann has decided by this tag.
    #[track_caller]
    pub fn assert_decided(&self, tag: &str) {
        let is_approved = tag == self.deploy;
        let (status, decided) = if is_approved {
            ("Succeeded", "approved")
        } else {
            ("Failed", "rejected")
        };
        let summary = format!("cfn-gitops: {decided} in GitLab by @ann ({ANN}), tag {tag}");
        let expected = Some((status, summary.as_str()));
        assert_eq!(self.answer(), expected, "{}", notes(&self.fake));
    }
}

pub fn executions(aws: &mut AwsState) -> &mut Vec<Execution> {
    &mut pipeline(aws).executions
}

/// The last deployed execution was approved with this summary.
pub fn approve_run_0(aws: &mut AwsState, summary: Option<&'static str>) {
    let now = aws.now;
    let run = &mut executions(aws)[0];
    run.actions.clear();
    run.begin("Approval", now);
    run.end("Approval", "Succeeded", summary, now);
}

/// A rollback of an execution with the commit that waits, to `commit`.
pub fn roll_back_to(aws: &mut AwsState, commit: &str) {
    let now = aws.now;
    let mut deployed = Execution::with_status("run-00".to_owned(), "Succeeded", now);
    deployed.revision = Some(COMMITS[0].to_owned());
    let mut rollback = Execution::with_status("run-000".to_owned(), "Succeeded", now);
    rollback.revision = Some(commit.to_owned());
    rollback.rolls_back = Some("run-00".to_owned());
    executions(aws).splice(1..1, [deployed, rollback]);
}

pub fn project(aws: &mut AwsState) -> &mut Project {
    aws.gitlab.project_mut(PROJECT)
}

pub fn tags(aws: &mut AwsState) -> &mut Tags {
    &mut project(aws).records.tags
}

/// A rule with this entry.
pub fn rule(aws: &mut AwsState, name: &str, entry: Value) {
    tags(aws).protected.push((name.to_owned(), vec![entry]));
}

/// A user creates a tag, and GitLab has to allow it.
pub fn create(aws: &mut AwsState, user: u64, name: &str, commit: &str) {
    let tag = Some(Tag::lightweight(commit));
    let now = aws.now;
    push(project(aws), user, &[(name, tag)], now).expect("a tag that GitLab allows");
}

/// A user deletes a tag.
pub fn delete(aws: &mut AwsState, user: u64, name: &str) {
    let now = aws.now;
    push(project(aws), user, &[(name, None)], now).expect("GitLab allows it");
}

/// The settings of the pipeline's child stack.
pub fn allow_author(aws: &mut AwsState, allow_author: bool) {
    let (stack_name, change_set_name) = SHOP.change_set();
    let settings = json!({
        "StackName": stack_name, "ChangeSetName": change_set_name, "AutoApprove": false,
        "FromGitLab": {"Project": project(aws).id, "AllowAuthor": allow_author},
    });
    let output = ("Approvals".to_owned(), settings.to_string());
    set_outputs(aws, |outputs| outputs.extend([output]));
}

/// The function approves change sets without changes.
fn auto_approve(aws: &mut AwsState) {
    set_outputs(aws, |outputs| {
        let stored = outputs.get_mut("Approvals").expect("settings");
        *stored = stored.replace("\"AutoApprove\":false", "\"AutoApprove\":true");
    });
}

/// CodePipeline requests the approval of the action that runs.
pub fn request(aws: &mut AwsState, token: &'static str) {
    let now = aws.now;
    let pipeline = pipeline(aws);
    pipeline.running = vec![("Approval", Some(token))];
    pipeline.running_since = vec![now];
}

/// Dan has requested, merged and pushed the commit that waits.
fn push_by_dan(project: &mut Project, now: Duration) {
    let (commit, from) = (COMMITS[0].to_owned(), DEPLOYED.to_owned());
    project.branches.insert(BRANCH.to_owned(), commit.clone());
    let records = &mut project.records;
    let details = records.details.entry(4).or_default();
    (details.author, details.merge_user) = (DAN, Some(DAN));
    "topic".clone_into(&mut details.source_branch);
    records.history.parents.insert(commit.clone(), from.clone());
    let push = PushEvent::of("branch", BRANCH, Some(from), Some(commit), DAN, now);
    records.history.events.push(push);
}

/// The tags that the note of the waiting change set shows, in a copy of the account.
pub async fn shown_tags(fake: &FakeAws) -> [String; 2] {
    let copy = fake.fork();
    check_health(&copy).await;
    let note = notes(&copy);
    ["deploy/dev/shop/", "reject/dev/shop/"].map(|start| {
        let at = note.find(start).unwrap_or_else(|| panic!("no tag: {note}"));
        note[at..at + start.len() + 16].to_owned()
    })
}

/// CodeCommit's event of a new tag. Its commit is another one: only the name may count.
/// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
pub fn tag_event(fake: &FakeAws, tag: &str, name: &str) -> StackRequest {
    let mut request = event(fake, SHOP, SUBJECT, name);
    request.event["detail-type"] = json!("CodeCommit Repository State Change");
    request.event["source"] = json!("aws.codecommit");
    request.event["detail"] = json!({
        "event": "referenceCreated", "repositoryName": "given", "repositoryId": "1",
        "referenceType": "tag", "referenceName": tag,
        "referenceFullName": format!("refs/tags/{tag}"), "commitId": COMMITS[1],
    });
    request
}

/// The text of all notes.
pub fn notes(fake: &FakeAws) -> String {
    let notes = records(fake).notes.into_iter();
    notes.map(|note| note.body).collect()
}

#[test]
fn decision_in_gitlab_ends_the_request_and_names_the_person() {
    for (rejects, is_event_lost) in [(false, false), (false, true), (true, false), (true, true)] {
        in_scene(async |scene| {
            let fake = &scene.fake;
            deliver(fake, SHOP, SUBJECT, "asked").await;
            let (tag, next, decided) = if rejects {
                (&scene.reject, Step::End(RUN, "Failed"), "ejected")
            } else {
                (&scene.deploy, Step::Deploy(RUN), "pproved")
            };
            if is_event_lost {
                // The request waits for longer than the health check looks back.
                tokio::time::sleep(Duration::from_hours(60)).await;
                scene.tag(ANN, tag);
                check_health(fake).await;
            } else {
                scene.tag(ANN, tag);
                scene.tell(tag, "tag").await;
            }
            scene.assert_decided(tag);
            next.take(fake, SHOP).await;
            deliver(fake, SHOP, SUBJECT, "ended").await;
            let shown = statuses(fake, "/approval").pop().unwrap_or_default();
            let by = format!("{decided} in GitLab by @ann");
            assert!(shown.contains(&by) && shown.contains(tag), "{shown}");
            let note = notes(fake);
            assert!(note.contains(&by.replace('@', "`@")), "{note}");
        });
    }
}

/// After the deletion of the rejection, Ann's tag approves.
// claim: unproved-rejection-holds-the-approval-back
#[test]
fn unproved_rejection_holds_the_approval_back() {
    let rejections: [fn(&Scene); 2] = [
        // Dan has made the commit.
        |scene| scene.tag(DAN, &scene.reject),
        // Eve, a Developer, pushes four tags at once after it.
        |scene| {
            scene.tag(BOB, &scene.reject);
            let changes = ["a", "b", "c", "d"];
            let changes = changes.map(|name| (name, Some(Tag::lightweight(COMMITS[0]))));
            scene.fake.gitlab_tags(PROJECT, EVE, &changes);
        },
    ];
    for reject in rejections {
        in_scene(async |scene| {
            let fake = &scene.fake;
            reject(scene);
            tokio::time::sleep(Duration::from_secs(2)).await;
            scene.tag(ANN, &scene.deploy);
            scene.tell(&scene.deploy, "tag").await;
            deliver(fake, SHOP, SUBJECT, "asked").await;
            assert_eq!(scene.answer(), None);
            let note = notes(fake);
            assert!(note.contains("has a rejection"), "{note}");
            fake.change(|aws| delete(aws, BOB, &scene.reject));
            check_health(fake).await;
            scene.assert_decided(&scene.deploy);
        });
    }
}

/// The commit that waits runs a second time, after the function has approved its first change set,
/// which was empty.
// claim: commit-that-ran-before-is-not-approved
#[test]
fn commit_that_the_function_approved_still_needs_another_person() {
    for user in [DAN, ANN] {
        in_scene(async |scene| {
            let fake = &scene.fake;
            fake.arrange(|aws| {
                auto_approve(aws);
                let (key, now) = (SHOP.change_set(), aws.now);
                aws.stacks.change_sets.insert(key.clone(), vec![], now);
                let reason = "No updates are to be performed.";
                aws.stacks.change_sets.fail(&key, reason);
            });
            deliver(fake, SHOP, SUBJECT, "asked").await;
            assert_eq!(waiting(fake), None, "not approved by itself");
            let again = [
                Step::Deploy(RUN),
                Step::Deployed(RUN, None),
                Step::End(RUN, "Succeeded"),
                Step::Start("run-2"),
                Step::Source("run-2", 0),
                Step::Request("run-2"),
            ];
            for step in again {
                step.take(fake, SHOP).await;
            }
            fake.change(|aws| request(aws, "token-2"));
            let [deploy, _] = shown_tags(fake).await;
            scene.tag(user, &deploy);
            scene.tell(&deploy, "tag").await;
            check_health(fake).await;
            let expected = (user == DAN).then_some("token-2");
            assert_eq!(waiting(fake), expected, "{user}: {}", notes(fake));
        });
    }
}

/// The tag of another request.
pub fn with_key(tag: &str) -> String {
    format!("{}0123456789abcdef", &tag[..tag.len() - 16])
}

/// Ann creates a tag with an annotation.
fn annotate(aws: &mut AwsState, name: &str, commit: &str) {
    let (now, tag) = (aws.now, Some(Tag::annotated(commit)));
    push(project(aws), ANN, &[(name, tag)], now).expect("GitLab allows it");
}

/// Ann creates the tag after each of these, unless it exists then.
#[test]
fn harmless_circumstances_are_no_doubt() {
    let rows: [fn(&mut AwsState, &str); 10] = [
        |aws, _| {
            allow_author(aws, true);
            let details = project(aws).records.details.get_mut(&4);
            details.expect("a merge request").author = ANN;
        },
        // A first deployment.
        |aws, _| {
            allow_author(aws, true);
            executions(aws).remove(0);
        },
        // It was deployed, and rolled back.
        |aws, _| roll_back_to(aws, DEPLOYED),
        // There is a newer commit.
        |aws, _| {
            let (tip, parent) = (COMMITS[1].to_owned(), COMMITS[0].to_owned());
            project(aws).branches.insert(BRANCH.to_owned(), tip.clone());
            project(aws).records.history.parents.insert(tip, parent);
        },
        // Ann has tagged the release before, with an annotation.
        |aws, _| {
            annotate(aws, "v1", "c-of-the-last-release");
        },
        // She has approved the last deployment, and deleted the tag.
        |aws, tag| {
            create(aws, ANN, &with_key(tag), DEPLOYED);
            delete(aws, ANN, &with_key(tag));
        },
        // She has approved the commit in another environment, or has rejected it here.
        |aws, tag| {
            let name = with_key(tag).replace("/dev/", "/prd/");
            create(aws, ANN, &name, COMMITS[0]);
        },
        |aws, tag| {
            let name = with_key(tag).replace("deploy/", "reject/");
            create(aws, ANN, &name, COMMITS[0]);
        },
        // She has removed four branches at once.
        |aws, _| {
            let (from, now) = (Some(COMMITS[0].to_owned()), aws.now);
            let mut push = PushEvent::of("branch", "a", from, None, ANN, now);
            push.hide_among(4);
            project(aws).records.history.events.push(push);
        },
        // It is annotated, and its event is written twice.
        |aws, tag| {
            annotate(aws, tag, COMMITS[0]);
            let events = &mut project(aws).records.history.events;
            events.extend_from_within(events.len() - 1..);
        },
    ];
    for (at, arrange) in rows.into_iter().enumerate() {
        in_scene(async |scene| {
            scene.fake.arrange(|aws| {
                arrange(aws, &scene.deploy);
                if !tags(aws).all.contains_key(&scene.deploy) {
                    create(aws, ANN, &scene.deploy, COMMITS[0]);
                }
            });
            scene.tell(&scene.deploy, "tag").await;
            assert!(scene.answer().is_some(), "{at}: {}", notes(&scene.fake));
            scene.assert_decided(&scene.deploy);
        });
    }
}
