//! Whether the commit that waits is ahead: each push of the branch since the last deployed commit
//! only added commits. Pure functions of GitLab's records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::plan::{Doubt, InAws};
use crate::clients::gitlab::{Commit, ProjectPush};

/// GitLab's records of a commit that is ahead.
pub struct Ahead {
    /// The commits since the last deployed one that a person approved.
    pub commits: Vec<Commit>,
    /// The pushes since days before the first of these deployments, the newest first.
    pub pushes: Vec<ProjectPush>,
}

/// Whether `commit` comes after `ancestor` by the parents of the listed `commits`.
pub fn descends(commits: &[Commit], commit: &str, ancestor: &str) -> bool {
    let (mut seen, mut left) = (BTreeSet::new(), vec![commit]);
    while let Some(one) = left.pop() {
        let listed = commits.iter().filter(|listed| listed.id == one);
        for parent in listed.flat_map(|listed| &listed.parents) {
            if parent == ancestor {
                return true;
            }
            if seen.insert(parent) {
                left.push(parent);
            }
        }
    }
    false
}

/// Checks that the pushes of `branch` since that of the commit `base` lead to `commit`, and only
/// added some of the listed `commits`. Returns the pushes after that of `commit`, each as the
/// branch's commits before and after it: only GitLab shows whether they only added commits too.
///
/// # Errors
/// If they do not, or if GitLab does not show that.
pub fn check_pushes<'p>(
    [base, commit]: [&str; 2],
    commits: &[Commit],
    branch: &str,
    pushes: &'p [ProjectPush],
) -> Result<Vec<[&'p str; 2]>, Doubt> {
    let of_branch = || pushes.iter().filter(|push| push.is_of_branch(branch));
    let first = of_branch().filter(|push| push.to.as_deref() == Some(base));
    let first = first.min_by_key(|push| push.at);
    let since = first.map_or(SystemTime::UNIX_EPOCH, |first| first.at);
    let is_bulk = |push: &ProjectPush| !push.is_of_tags && push.name.is_none();
    let has_bulk = pushes.iter().any(|push| is_bulk(push) && push.at >= since);
    // Only a bulk push explains an event that is missing between others.
    let gap = Err(if has_bulk {
        InAws::BulkPush
    } else {
        InAws::Moved
    }
    .into());
    let Some(tips) = first.and_then(|first| follow(first, of_branch())) else {
        return gap;
    };
    let end = tips.iter().position(|tip| *tip == commit);
    let known = &tips[..end.map_or(tips.len(), |end| end + 1)];
    if !known.windows(2).all(|it| descends(commits, it[1], it[0])) {
        return gap;
    }
    match end {
        Some(end) => Ok(tips[end..].windows(2).map(|it| [it[0], it[1]]).collect()),
        // GitLab writes the event of a push in the background.
        None => Err(Doubt::NoPush),
    }
}

/// The commits that a branch had since the push `base`: each push begins where the one before it
/// ended. The order of the events is not that of the pushes, and GitLab may write an event twice
/// (`app/workers/repositories/post_receive_worker.rb`). `None` if one of the pushes is left over.
fn follow<'p>(
    base: &'p ProjectPush,
    of_branch: impl Iterator<Item = &'p ProjectPush> + Clone,
) -> Option<Vec<&'p str>> {
    let ends = |push: &'p ProjectPush| (push.from.as_deref(), push.to.as_deref());
    let (mut tips, mut known) = (vec![base.to.as_deref()?], BTreeSet::from([ends(base)]));
    let mut next = BTreeMap::<_, BTreeSet<_>>::new();
    for (from, to) in of_branch.clone().map(ends) {
        if !known.contains(&(from, to)) {
            next.entry(from).or_default().insert(to);
        }
    }
    while let Some(to) = next.remove(&tips.last().copied()) {
        // Two pushes that began at the same commit: the branch was there twice.
        let [to] = Vec::from_iter(to)[..] else {
            return None;
        };
        known.insert((tips.last().copied(), to));
        tips.push(to?);
    }
    let mut since = of_branch.filter(|push| push.at >= base.at);
    let is_complete = since.all(|push| known.contains(&ends(push)));
    is_complete.then_some(tips)
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod tests;
