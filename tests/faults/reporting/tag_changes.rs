//! Tags and other changes before a decision, by the names that the stories `approve_*` use.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::approvals::pipeline;
use crate::fixture::{BRANCH, COMMITS};
use crate::gitlab_approvals::{
    ANN, BOB, DAN, DEPLOYED, EVE, allow_author, executions, project, tags,
};
use fake_aws::gitlab::Project;
use fake_aws::gitlab::history::PushEvent;
use fake_aws::gitlab::merge_requests;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER};
use fake_aws::gitlab::tags::{Tag, User, push, release};
use fake_aws::{AwsState, Execution};

/// A tag, by default the one that approves the commit that waits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tagged {
    pub by: String,
    /// `KEY` stands for that of the request, and `STEM` for the key without its last digit.
    name: String,
    on: String,
    annotated: bool,
    /// No rule protects tags meanwhile.
    unprotected: bool,
    /// Tags `a`, `b` and `c` are pushed with it.
    others: bool,
}

impl Default for Tagged {
    fn default() -> Self {
        Tagged {
            by: "ann".to_owned(),
            name: "deploy/dev/shop/KEY".to_owned(),
            on: "c1".to_owned(),
            annotated: false,
            unprotected: false,
            others: false,
        }
    }
}

pub fn user_of(name: &str) -> u64 {
    match name {
        "ann" => ANN,
        "bob" => BOB,
        "dan" => DAN,
        "eve" => EVE,
        "own" => OWN_USER,
        "another" => OTHER_USER,
        _ => panic!("no user is called {name}"),
    }
}

/// The commit or the annotation of this name.
fn object(name: &str) -> String {
    match name {
        "c0" => DEPLOYED,
        "c1" => COMMITS[0],
        "c2" => COMMITS[1],
        "annotation of c1" => return Tag::annotated(COMMITS[0]).target,
        other => other,
    }
    .to_owned()
}

/// A text of a story, which is read once.
fn stay(text: &str) -> &'static str {
    text.to_owned().leak()
}

impl Tagged {
    /// The name of the tag. `deploy` is the one that approves.
    pub fn name(&self, deploy: &str) -> String {
        let key = &deploy[deploy.len() - 16..];
        self.name.replace("KEY", key).replace("STEM", &key[..15])
    }

    /// A user creates it, or deletes it, and GitLab has to allow it.
    pub fn push(&self, aws: &mut AwsState, deploy: &str, is_deleted: bool) {
        let on = object(&self.on);
        let tag = if self.annotated {
            Tag::annotated(&on)
        } else {
            Tag::lightweight(&on)
        };
        let name = self.name(deploy);
        let mut names = vec![name.as_str()];
        if self.others {
            names.extend(["a", "b", "c"]);
        }
        let tag = (!is_deleted).then_some(tag);
        let changes: Vec<_> = names.iter().map(|name| (*name, tag.clone())).collect();
        let rules = tags(aws).protected.clone();
        if self.unprotected {
            tags(aws).protected.clear();
        }
        let now = aws.now;
        push(project(aws), user_of(&self.by), &changes, now).expect("GitLab allows it");
        tags(aws).protected = rules;
    }
}

/// GitLab's event of a push, by default to the pipeline's branch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pushed {
    by: String,
    branch: String,
    /// It is a tag, which was pushed before Dan moved the branch.
    tag: Option<String>,
    from: Option<String>,
    to: Option<String>,
    /// The event is of four at once.
    many: bool,
    /// GitLab has a new kind of event, or a new action.
    new: Option<String>,
}

impl Default for Pushed {
    fn default() -> Self {
        Pushed {
            by: "ann".to_owned(),
            branch: BRANCH.to_owned(),
            tag: None,
            from: None,
            to: None,
            many: false,
            new: None,
        }
    }
}

impl Pushed {
    pub fn push(&self, aws: &mut AwsState) {
        let mut at = aws.now;
        let [from, to] = [&self.from, &self.to].map(|end| end.as_deref().map(object));
        let (kind, name) = match &self.tag {
            Some(tag) => ("tag", tag),
            None => ("branch", &self.branch),
        };
        if self.tag.is_some() {
            at = at.saturating_sub(Duration::from_mins(1));
        } else if self.branch == BRANCH {
            let branches = &mut project(aws).branches;
            branches.remove(BRANCH);
            branches.extend(to.clone().map(|to| (BRANCH.to_owned(), to)));
        }
        let mut event = PushEvent::of(kind, name, from, to, user_of(&self.by), at);
        if self.many {
            event.hide_among(4);
        }
        match self.new.as_deref() {
            Some("kind") => event.kind = "of the future",
            Some(_) => event.action = "of the future",
            None => {}
        }
        let events = &mut project(aws).records.history.events;
        let is_earlier = |one: &&PushEvent| one.at <= event.at;
        let index = events.iter().take_while(is_earlier).count();
        events.insert(index, event);
    }
}

/// How the commit that waits came to the pipeline's branch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Lines such as `c0 a c1`: each commit is a parent of the next one. No other commit has parents.
    of: String,
    /// The pushes since that of `c0`, such as `dan c0 c1`, the oldest first. `-` stands for none.
    /// `dan c0 c1 *` has one event with three other branches, and `dan *` is of four others.
    #[serde(default)]
    pushes: String,
}

impl Told {
    pub fn tell(&self, aws: &mut AwsState) {
        let now = aws.now;
        let project = project(aws);
        let history = &mut project.records.history;
        history.parents.clear();
        history.events.retain(|event| event.from.is_none());
        for line in self.of.split(", ") {
            let line: Vec<String> = line.split(' ').map(object).collect();
            for pair in line.windows(2) {
                let parents = history.parents.entry(pair[1].clone()).or_default();
                parents.push(pair[0].clone());
            }
            project.commits.extend(line);
        }
        let end = |end: Option<&str>| end.filter(|end| *end != "-").map(object);
        let mut tip = Some(COMMITS[0].to_owned());
        for push in self.pushes.split(", ").filter(|push| !push.is_empty()) {
            let words: Vec<&str> = push.split(' ').collect();
            let (by, from, to) = (
                user_of(words[0]),
                end(Some(words[1])),
                end(words.get(2).copied()),
            );
            let mut event = PushEvent::of("branch", BRANCH, from, to.clone(), by, now);
            if words.last() == Some(&"*") {
                event.hide_among(4);
                event.action = "pushed";
            }
            if words[1] != "*" {
                tip = to;
            }
            history.events.push(event);
        }
        let tip = tip.map(|tip| (BRANCH.to_owned(), tip));
        project.branches.remove(BRANCH);
        project.branches.extend(tip);
    }
}

/// Changes the merge request of the commit that waits.
pub fn change_merge_request(aws: &mut AwsState, change: &Map<String, Value>) {
    let (project, iid) = (project(aws), 4);
    for (name, value) in change {
        let text = value.as_str().unwrap_or_default();
        let details = project.records.details.entry(iid).or_default();
        match name.as_str() {
            "author" => details.author = user_of(text),
            "merged by" => details.merge_user = Some(user_of(text)),
            "head" => details.head = object(text),
            "merge commit" => details.merge_commit = Some(object(text)),
            "squash" => details.squash_commit = Some(object(text)),
            "commits" => details.commits = text.split(' ').map(ToOwned::to_owned).collect(),
            "many commits" => {
                let number = text.parse().expect("a number");
                details.commits = vec!["t1".to_owned(); number];
            }
            "the same" => {
                let same = details.clone();
                project.records.details.insert(5, same);
                let all = project.records.merge_requests.values_mut();
                all.for_each(|it| it.push((5, stay(text))));
            }
            "description" => details.description = text.repeat(100_000),
            "state" => merge_requests::set_state(project, iid, stay(text)),
            _ => panic!("no merge request has {name}"),
        }
    }
}

/// The executions before the one that waits are these, the oldest first. Each is a commit with the
/// person who has approved it, `person` for one in AWS, or with more of it.
pub fn put_before(aws: &mut AwsState, before: &[Map<String, Value>]) {
    let now = aws.now;
    let executions = executions(aws);
    executions.drain(..executions.len() - 1);
    for (at, (commit, more)) in before.iter().flatten().enumerate() {
        let mut one = execution(at, more, now);
        one.revision = Some(object(commit));
        let ago = u64::try_from(before.len() - at).expect("a few");
        one.changed = now.saturating_sub(Duration::from_secs(20 * ago));
        executions.insert(at, one);
    }
}

/// Without its commit.
fn execution(at: usize, more: &Value, now: Duration) -> Execution {
    let text = |name: &str| more[name].as_str().map(stay);
    let status = text("status").unwrap_or("Succeeded");
    let mut one = Execution::with_status(format!("run-0{at}"), status, now);
    let by = more.as_str().or_else(|| text("by")).unwrap_or("person");
    let summary = match by {
        "none" => return one,
        "rollback" => {
            one.rolls_back = Some(format!("run-0{}", at - 1));
            return one;
        }
        "person" => "looks fine",
        "function" => "cfn-gitops: the change set has no changes",
        name => {
            let by = format!("@{name} ({}), tag deploy/a", user_of(name));
            stay(&format!("cfn-gitops: approved in GitLab by {by}"))
        }
    };
    let action = text("action").unwrap_or("Approval");
    one.begin(action, now);
    let ended = text("approval").unwrap_or("Succeeded");
    one.end(action, ended, Some(summary), now);
    if let Some(later) = text("later attempt") {
        one.begin(action, now);
        one.end(action, later, None, now);
    }
    one
}

/// Applies the change of this name. `deploy` is the tag that approves.
///
/// # Panics
/// If there is none.
pub fn apply(aws: &mut AwsState, deploy: &str, change: &Value) {
    let now = aws.now;
    if let Some(name) = change["rule"].as_str() {
        let rule = (name.to_owned(), vec![change["entry"].clone()]);
        return tags(aws).protected.push(rule);
    }
    if let Some(number) = change["commits"].as_u64() {
        let [from, to] = ["from", "to"].map(|end| object(change[end].as_str().expect("a commit")));
        return put_between(project(aws), from, number, to);
    }
    let Some((name, value)) = change.as_object().and_then(|it| it.iter().next()) else {
        return apply_plain(aws, deploy, change.as_str().unwrap_or_default());
    };
    let text = value.as_str().unwrap_or_default();
    match name.as_str() {
        "a Maintainer" => add_user(aws, user_of(text), false),
        "a bot" => add_user(aws, user_of(text), true),
        "a job releases it for" => {
            let released = release(project(aws), user_of(text), deploy, COMMITS[0], now);
            released.expect("GitLab allows it");
        }
        "other rules" => {
            let rule = |number| (format!("v{number}/*"), vec![json!({"access_level": 40})]);
            let rules = (0..value.as_u64().expect("a number")).map(rule);
            tags(aws).protected.extend(rules);
        }
        "address of c1" | "address of t1" => {
            let commit = object(&name["address of ".len()..]);
            let emails = &mut project(aws).records.history.author_emails;
            emails.insert(commit, text.to_owned());
        }
        "message of c1" | "message of t1" => {
            let commit = object(&name["message of ".len()..]);
            let messages = &mut project(aws).records.history.messages;
            messages.insert(commit, text.to_owned());
        }
        "tag v1.0 is" => {
            let tag = match text {
                "annotated" => Tag::annotated(COMMITS[0]),
                commit => Tag::lightweight(&object(commit)),
            };
            tags(aws).all.insert("v1.0".to_owned(), tag);
        }
        _ => panic!("no change is called {name}"),
    }
}

/// So many commits are between two others.
fn put_between(project: &mut Project, from: String, number: u64, to: String) {
    let between = (0..number).map(|at| format!("between-{at}"));
    let [first, last] = [from, to].map(std::iter::once);
    let line: Vec<String> = first.chain(between).chain(last).collect();
    let pairs = line.windows(2).map(|pair| (pair[1].clone(), vec![pair[0].clone()]));
    project.records.history.parents.extend(pairs);
    project.commits.extend(line);
}

fn apply_plain(aws: &mut AwsState, deploy: &str, change: &str) {
    match change {
        "authors may approve" => allow_author(aws, true),
        "the transition is disabled" => {
            pipeline(aws).disabled = vec![("Deploy", "freeze")];
        }
        "the transition is enabled" => pipeline(aws).disabled.clear(),
        "more pushes than GitLab lists" => {
            let events = &mut project(aws).records.history.events;
            let push = events.last().expect("a push").clone();
            events.extend(vec![push; 5_170]);
        }
        "the execution stops" => {
            executions(aws).last_mut().expect("one").status = "Stopping";
        }
        "Ann shows her address" => {
            let ann = aws.gitlab.users.get_mut(&ANN).expect("Ann");
            ann.public_email = Some("Ann@Example.com".to_owned());
        }
        "the tag's event is the first one" => {
            project(aws).records.history.events.rotate_right(1);
        }
        "the tag's event is written twice" => {
            let events = &mut project(aws).records.history.events;
            events.extend_from_within(events.len() - 1..);
        }
        "GitLab shows another project" => show_another_project(aws),
        // A new project has the former path.
        "the project was moved, and another one is there" => {
            let mut other = project(aws).clone();
            other.id = 41;
            "platform/moved".clone_into(&mut project(aws).path);
            aws.gitlab.projects.insert(41, other);
        }
        "the tag names another object" => {
            let other = Tag::annotated(COMMITS[0]);
            tags(aws).all.insert(deploy.to_owned(), other);
        }
        "the tag's event is forgotten" => {
            let events = &mut project(aws).records.history.events;
            events.retain(|event| event.kind != "tag");
        }
        "the branch has the commit" => {
            let tip = COMMITS[0].to_owned();
            project(aws).branches.insert(BRANCH.to_owned(), tip);
        }
        "Ann is blocked" => aws.gitlab.users.get_mut(&ANN).expect("Ann").state = "blocked",
        "Ann is a member no more" => drop(tags(aws).members.remove(&ANN)),
        "the rules are removed" => tags(aws).protected.clear(),
        "the rule is of another environment" => {
            "deploy/prd/*".clone_into(&mut tags(aws).protected[0].0);
        }
        "a deploy key can push" => tags(aws).deploy_keys = vec![false, true],
        "the 111th deploy key can push" => {
            tags(aws).deploy_keys = [&[false; 110][..], &[true]].concat();
        }
        "a deploy key can read" => tags(aws).deploy_keys = vec![false],
        "the project is a pull mirror" => tags(aws).is_pull_mirror = true,
        "CI jobs can push" => tags(aws).job_tokens_push = Some(true),
        "CI jobs cannot push" => tags(aws).job_tokens_push = Some(false),
        "releases are switched off" => tags(aws).has_no_releases = true,
        "the project was moved" => {
            project(aws).former_path = Some("platform/former".to_owned());
        }
        _ => panic!("no change is called {change}"),
    }
}

/// GitLab responds to the project's number with another project, which has everything.
fn show_another_project(aws: &mut AwsState) {
    let mut own = aws.gitlab.projects.remove(&40).expect("the project");
    let mut other = own.clone();
    (own.id, other.id) = (41, 99);
    "40".clone_into(&mut other.path);
    aws.gitlab.projects.extend([(41, own), (99, other)]);
}

/// A user who is a Maintainer.
fn add_user(aws: &mut AwsState, id: u64, bot: bool) {
    let ann = aws.gitlab.users[&ANN].clone();
    aws.gitlab.users.insert(id, User { bot, ..ann });
    tags(aws).members.insert(id, 40);
}
