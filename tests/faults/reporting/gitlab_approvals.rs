//! Approvals by tags in GitLab: `Approval.FromGitLab`.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::approvals::{pipeline, set_outputs, statuses};
use crate::fixture::{
    BRANCH, COMMITS, PROJECT, SHOP, Subject, check_health, deliver, event, in_account, records,
};
use crate::steps::ReportWord;
use crate::tag_changes::user_of;
use fake_aws::gitlab::Project;
use fake_aws::gitlab::history::{PUSHER, PushEvent};
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
            let now = aws.now;
            let mut former = Execution::with_status("run-0".to_owned(), "Succeeded", now);
            former.revision = Some(DEPLOYED.to_owned());
            former.begin("Approval", now);
            former.end("Approval", "Succeeded", Some("looks fine"), now);
            executions(aws).push(former);
            push_by_dan(project(aws), now);
            allow_author(aws, false);
            rule(aws, "deploy/*", json!({"access_level": 40}));
            rule(aws, "reject/*", json!({"access_level": 40}));
        });
        for step in [
            ReportWord::Start(RUN),
            ReportWord::Source(RUN, 0),
            ReportWord::Request(RUN),
        ] {
            step.take(fake, SHOP).await;
        }
        fake.change(|aws| request(aws, "token-1"));
        deliver(fake, SHOP, SUBJECT, "requested").await;
        // Its journal begins with the note.
        Scene::of(&fake.fork())
    }

    /// The account, whose latest note shows the tags.
    pub fn of(fake: &FakeAws) -> Self {
        let [deploy, reject] = shown_tags(fake);
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
            let approval = execution.actions.iter().rev().find(|run| run.name == "Approval")?;
            let ended = approval.status != "InProgress";
            ended.then(|| (approval.status, approval.text.unwrap_or_default()))
        })
    }

    /// Fails unless Ann has decided by this tag.
    #[track_caller]
    pub fn assert_decided(&self, tag: &str) {
        self.assert_decided_by("ann", tag);
    }

    /// Fails unless this person has.
    #[track_caller]
    pub fn assert_decided_by(&self, person: &str, tag: &str) {
        let is_approved = tag.starts_with("deploy/");
        let (status, decided) = if is_approved {
            ("Succeeded", "approved")
        } else {
            ("Failed", "rejected")
        };
        let id = user_of(person);
        let summary = format!("cfn-gitops: {decided} in GitLab by @{person} ({id}), tag {tag}");
        let expected = Some((status, summary.as_str()));
        assert_eq!(self.answer(), expected, "{}", notes(&self.fake));
    }
}

pub fn executions(aws: &mut AwsState) -> &mut Vec<Execution> {
    &mut pipeline(aws).executions
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
        "FromGitLab": {"AllowAuthor": allow_author},
    });
    let output = ("Approvals".to_owned(), settings.to_string());
    set_outputs(aws, |outputs| outputs.extend([output]));
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
    details.head.clone_from(&commit);
    let history = &mut records.history;
    history.parents.insert(commit.clone(), vec![from.clone()]);
    let pushes = [
        PushEvent::of("branch", BRANCH, None, Some(from.clone()), PUSHER, now),
        PushEvent::of("branch", BRANCH, Some(from), Some(commit), DAN, now),
    ];
    history.events.extend(pushes);
}

/// The tags by whose links the latest note decides.
pub fn shown_tags(fake: &FakeAws) -> [String; 2] {
    let note = records(fake).notes.pop().expect("a note").body;
    ["[`deploy/", "[`reject/"].map(|start| {
        let at = note.find(start).unwrap_or_else(|| panic!("no tag: {note}"));
        note[at + 2..].split('`').next().unwrap_or_default().to_owned()
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
    let mut descriptions = BTreeSet::new();
    for (rejects, is_event_lost) in [(false, false), (false, true), (true, false), (true, true)] {
        in_scene(async |scene| {
            let fake = &scene.fake;
            deliver(fake, SHOP, SUBJECT, "asked").await;
            let (tag, next, decided) = if rejects {
                (&scene.reject, ReportWord::End(RUN, "Failed"), "ejected")
            } else {
                (&scene.deploy, ReportWord::Deploy(RUN), "pproved")
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
            descriptions.insert(shown);
            let by = format!("{decided} in GitLab by `@ann");
            let note = notes(fake);
            assert!(note.contains(&by), "{note}");
        });
    }
    expect![[r#"
        Approved in GitLab by @ann (21), tag deploy/dev/shop/b13826af0ab84046
        Rejected in GitLab by @ann (21), tag reject/dev/shop/b13826af0ab84046"#]]
    .assert_eq(&Vec::from_iter(descriptions).join("\n"));
}
