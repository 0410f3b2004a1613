use std::time::Duration;

use super::*;
use crate::clients::gitlab::RefChange;

/// Commits of lines such as `c0 a c1, c0 t c1`: each is a parent of the next one.
fn commits(lines: &str) -> Vec<Commit> {
    let mut parents = BTreeMap::<&str, Vec<String>>::new();
    for line in lines.split(", ") {
        let line: Vec<&str> = line.split(' ').collect();
        for pair in line.windows(2) {
            parents.entry(pair[1]).or_default().push(pair[0].to_owned());
        }
    }
    let commits = parents.into_iter().map(|(id, parents)| Commit {
        id: id.to_owned(),
        parents,
        emails: vec![],
    });
    commits.collect()
}

/// Pushes such as `- c0, c0 c1`, the oldest first. `*` is one of several branches, and `-` no
/// commit.
fn pushes(text: &str) -> Vec<ProjectPush> {
    let pushes = text.split(", ").zip(1..).map(|(push, second)| {
        let end = |end: &str| (end != "-").then(|| end.to_owned());
        let (from, to) = push.split_once(' ').unwrap_or(("-", "-"));
        ProjectPush {
            project: 15,
            author: 25,
            is_of_tags: false,
            name: (push != "*").then(|| "main".to_owned()),
            change: RefChange::Moved,
            from: end(from),
            to: end(to),
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        }
    });
    pushes.collect()
}

/// The pushes after that of `c1`, in each order of the events, and if GitLab writes them twice.
fn check(lines: &str, events: &str) -> Result<String, Doubt> {
    let (listed, mut pushes) = (commits(lines), pushes(events));
    let mut found = vec![];
    for _ in 0..2 {
        for _ in 0..pushes.len() {
            pushes.rotate_left(1);
            let later = check_pushes(["c0", "c1"], &listed, "main", &pushes);
            let later = later.map(|it| it.iter().map(|ends| ends.join(" ")).collect::<Vec<_>>());
            found.push(later.map(|it| it.join(", ")));
        }
        pushes.extend_from_within(..);
        pushes.reverse();
    }
    let first = found.swap_remove(0);
    assert!(found.iter().all(|one| *one == first), "{events}: {found:?}");
    first
}

#[test]
fn pushes_that_only_add_commits_lead_to_the_commit() {
    for (lines, events, later) in [
        ("c0 c1", "- c0, c0 c1", ""),
        ("c0 a c1", "b c0, c0 c1", ""),
        ("c0 a c1", "- c0, c0 a, a c1", ""),
        ("c0 c1, c0 t c1", "- c0, c0 c1", ""),
        ("c0 m c1, c0 t m, c0 u c1", "- c0, c0 m, m c1", ""),
        ("c0 c1", "- c0, *, c0 c1", ""),
        // The branch was elsewhere before, even at the commit itself.
        ("c0 c1", "- c1, c1 c0, c0 c1", ""),
        ("c0 c1", "p q, q -, - r, r p, p c0, c0 c1", ""),
        ("c0 c1", "- c0, c0 c1, c1 c2, c2 c3", "c1 c2, c2 c3"),
        // They take commits away, as GitLab's merge bases show.
        ("c0 c1", "- c0, c0 c1, c1 c0", "c1 c0"),
        ("c0 a c1", "- c0, c0 c1, c1 a, a c1", "c1 a, a c1"),
    ] {
        assert_eq!(check(lines, events).as_deref(), Ok(later), "{events}");
    }
}

#[test]
fn other_pushes_do_not_lead_to_the_commit() {
    use InAws::{BulkPush, Moved};
    for (lines, events) in [
        ("c0 c1", "- c0"),
        ("c0 a c1", "- c0, c0 a"),
        ("c0 c1", "*, b c0"),
        ("c0 c1", "- c0, *"),
        ("c0 a c1", "- c0, c0 a, *"),
    ] {
        assert_eq!(check(lines, events), Err(Doubt::NoPush), "{events}");
    }
    for (lines, events, doubt) in [
        ("c0 a c1", "- c0, *, a c1", BulkPush),
        ("c0 a c1", "- c0, a c1", Moved),
        ("c0 c1", "c0 c1", Moved),
        // Moved back, or away.
        ("c0 c1", "- c0, c0 x, x c0, c0 c1", Moved),
        ("c0 c1", "- c0, c0 b, b c0, c0 c1", Moved),
        ("c0 c1", "- c0, c0 x, x c1", Moved),
        ("c0 a c1", "- c0, c0 a, a x, x a, a c1", Moved),
        ("c0 c1", "- c0, c0 -, - c0, c0 c1", Moved),
        ("c0 c1", "- c0, c0 -, - c1", Moved),
        ("c0 c1", "- c0, c0 c1, c1 -, - c1", Moved),
        ("c0 c1", "- c0, c0 c1, x y", Moved),
        // The commit is in the middle of a push.
        ("c0 c1", "- c0, c0 c2", Moved),
    ] {
        assert_eq!(check(lines, events), Err(doubt.into()), "{lines}: {events}");
    }
}

#[test]
fn only_an_ancestor_by_the_listed_parents_is_shown() {
    let listed = commits("c0 a c1, b t c1");
    for (ancestor, is_one) in [
        ("c0", true),
        ("a", true),
        ("b", true),
        ("c1", false),
        ("x", false),
    ] {
        assert_eq!(descends(&listed, "c1", ancestor), is_one, "{ancestor}");
    }
    assert!(!descends(&listed, "x", "c0") && !descends(&listed, "a", "b"));
}
