//! The commit statuses of an execution and of its approval.

use std::sync::Arc;

use super::facts::Facts;
use super::round::Round;
use crate::clients::gitlab::{CommitStatus, GitLabError, StatusState};
use crate::feedback::execution::Execution;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan;
use crate::feedback::reporting::plan::{StatusPost, Topic};
use crate::feedback::reporting::statuses::Statuses;

/// The statuses of one name.
struct Status {
    topic: Topic,
    name: String,
    desired: Option<CommitStatus>,
    shown: Statuses,
}

/// Posts the statuses of both names together: the first one of a name joins the GitLab pipeline
/// that holds those of the other.
pub(super) async fn report(round: &mut Round<'_>) -> Result<(), ReportError> {
    let facts = Arc::clone(&round.facts);
    let status = |topic, suffix, desired| Status {
        topic,
        name: plan::status_name(facts.context.names(), suffix),
        desired,
        shown: Statuses::default(),
    };
    let execution = status(Topic::Execution, "", of_execution(round, &facts).await);
    let approval = status(Topic::Approval, plan::APPROVAL_SUFFIX, of_approval(&facts));
    let mut both = [execution, approval];
    let (mut pipeline_id, mut done) = (round.pipeline_id, Vec::<StatusPost>::new());
    loop {
        for status in &mut both {
            status.desired.take_if(|_| !round.is_open(status.topic));
        }
        if both.iter().all(|status| status.desired.is_none()) {
            return Ok(());
        }
        for status in &mut both {
            status.read(round, &facts).await;
        }
        both[0].explain(&facts).await;
        let home =
            |of: fn(&Statuses) -> Option<u64>| both.iter().rev().find_map(|it| of(&it.shown));
        pipeline_id = home(Statuses::home).or(home(Statuses::latest_home)).or(pipeline_id);
        let mut posts = vec![];
        for status in both.iter().filter(|it| round.is_open(it.topic)) {
            let of_status =
                status.desired.iter().flat_map(|it| plan::status_posts(it, &status.shown));
            posts.extend(of_status.map(|post| (status, post)));
        }
        posts.retain(|(_, post)| !done.contains(post));
        let mut is_repeated = false;
        for (status, post) in posts {
            let request = send(&facts, status, &post, &mut pipeline_id);
            if round.send(status.topic, request).await {
                is_repeated = true;
            } else {
                done.push(post);
            }
        }
        round.pipeline_id = pipeline_id;
        if !is_repeated {
            return Ok(());
        }
        round.pause().await?;
    }
}

async fn of_execution(round: &mut Round<'_>, facts: &Facts<'_>) -> Option<CommitStatus> {
    if !facts.includes(Topic::Execution) {
        return None;
    }
    let summarized = facts.summarized().await;
    desired(facts, round.reported.settle(Topic::Execution, summarized)?)
}

/// Sends a request. The first status of a name joins the pipeline with the number `pipeline_id`.
async fn send(
    facts: &Facts<'_>,
    status: &Status,
    post: &StatusPost,
    pipeline_id: &mut Option<u64>,
) -> Result<bool, GitLabError> {
    let (gitlab, commit) = (facts.context.gitlab(), &facts.context.commit);
    if let Some(id) = post.ended_in {
        return gitlab.end_commit_status(commit, &post.status, id).await;
    }
    let home = status.shown.home().or(*pipeline_id);
    let posted = gitlab.post_commit_status(commit, &post.status, home).await?;
    *pipeline_id = posted.pipeline_id;
    if let Some(author) = posted.author {
        facts.context.author.get_or_init(|| author);
    }
    Ok(true)
}

/// The status of the `execution` with this text.
fn desired(facts: &Facts<'_>, execution: &Execution) -> Option<CommitStatus> {
    let (names, settings) = (facts.context.names(), facts.context.settings());
    plan::execution_status(execution, names, settings, &facts.url())
}

/// The status of the approval.
fn of_approval(facts: &Facts<'_>) -> Option<CommitStatus> {
    let (names, settings) = (facts.context.names(), facts.context.settings());
    let status = plan::approval_status(&facts.execution, names, settings, &facts.url());
    status.filter(|_| facts.includes(Topic::Approval))
}

impl Status {
    /// Reads the statuses that GitLab shows.
    async fn read(&mut self, round: &mut Round<'_>, facts: &Facts<'_>) {
        let (gitlab, commit) = (facts.context.gitlab(), &facts.context.commit);
        let read = Statuses::read(gitlab, commit, &self.name, &facts.url()).await;
        let read = if self.desired.is_some() {
            round.reported.settle(self.topic, read)
        } else {
            read.ok()
        };
        self.shown = read.unwrap_or_default();
        round.reported.others.extend(self.shown.other.clone());
    }

    /// Names the first cause of a failure that GitLab does not show.
    async fn explain(&mut self, facts: &Facts<'_>) {
        let failed = self.desired.as_ref().filter(|it| it.state == StatusState::Failed);
        let Some(failed) = failed else {
            return;
        };
        let is_shown = plan::is_shown(failed, &self.shown);
        if (!is_shown || self.shown.is_hidden_once(failed))
            && let Ok(summarized) = facts.summarized().await
        {
            if !is_shown {
                facts.unreported.get_or_init(|| ());
            }
            self.desired = desired(facts, &facts.explained(summarized).await);
        }
    }
}
