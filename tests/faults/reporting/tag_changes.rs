//! Tags and other changes before a decision, by the names that the stories `approve_*` use.

use serde::Deserialize;
use serde_json::Value;

use crate::fixture::COMMITS;
use crate::gitlab_approvals::{ANN, BOB, DAN, EVE, project, tags};
use crate::steps::commit;
use fake_aws::AwsState;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER};
use fake_aws::gitlab::tags::{Tag, User, push, release};

/// A tag, by default the one that approves the commit that waits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tagged {
    by: String,
    /// `None` for the one that approves.
    name: Option<String>,
    on: String,
    /// No rule protects tags meanwhile.
    unprotected: bool,
    /// Tags `a`, `b` and `c` are pushed with it.
    others: bool,
}

impl Default for Tagged {
    fn default() -> Self {
        Tagged {
            by: "ann".to_owned(),
            name: None,
            on: "c1".to_owned(),
            unprotected: false,
            others: false,
        }
    }
}

fn user_of(name: &str) -> u64 {
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

impl Tagged {
    /// A user creates it, or deletes it, and GitLab has to allow it. `deploy` is the tag that
    /// approves.
    pub fn push(&self, aws: &mut AwsState, deploy: &str, is_deleted: bool) {
        let at = commit(&self.on).expect("a commit of stories");
        let tag = (!is_deleted).then(|| Tag::lightweight(COMMITS[at]));
        let mut names = vec![self.name.as_deref().unwrap_or(deploy)];
        if self.others {
            names.extend(["a", "b", "c"]);
        }
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

/// Applies the change of this name. `deploy` is the tag that approves.
///
/// # Panics
/// If there is none.
pub fn apply(aws: &mut AwsState, deploy: &str, change: &Value) {
    let now = aws.now;
    if let Some(name) = change["rule"].as_str() {
        let rule = (name.to_owned(), vec![change["entry"].clone()]);
        tags(aws).protected.push(rule);
        return;
    }
    for (kind, bot) in [("a Maintainer", false), ("a bot", true)] {
        if let Some(name) = change[kind].as_str() {
            return add_user(aws, user_of(name), bot);
        }
    }
    if let Some(name) = change["a job releases it for"].as_str() {
        let released = release(project(aws), user_of(name), deploy, COMMITS[0], now);
        return released.expect("GitLab allows it");
    }
    match change.as_str().unwrap_or_default() {
        "the tag names another object" => {
            let other = Tag::annotated(COMMITS[0]);
            tags(aws).all.insert(deploy.to_owned(), other);
        }
        "the events are forgotten" => project(aws).records.history.events.clear(),
        "Ann is blocked" => aws.gitlab.users.get_mut(&ANN).expect("Ann").state = "blocked",
        "Ann is a member no more" => drop(tags(aws).members.remove(&ANN)),
        "the rules are removed" => tags(aws).protected.clear(),
        "the rule is of another environment" => {
            "deploy/prd/*".clone_into(&mut tags(aws).protected[0].0);
        }
        "a deploy key can push" => tags(aws).deploy_keys = vec![false, true],
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

/// A user who is a Maintainer.
fn add_user(aws: &mut AwsState, id: u64, bot: bool) {
    let ann = aws.gitlab.users[&ANN].clone();
    aws.gitlab.users.insert(id, User { bot, ..ann });
    tags(aws).members.insert(id, 40);
}
