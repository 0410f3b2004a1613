//! Which pushes start the pipeline.

use super::{FIRST, Files, MATCHING, OTHER, deliver, event_of, push, running};
use crate::checks::{assert_runs, runs};
use crate::fixture::{BRANCH, PIPELINE, REPOSITORY, delete_branch, deliver_events, in_project};
use fake_aws::{FaultKind, On};

#[test]
fn only_a_push_of_a_matching_file_starts() {
    let unchanged = ("docs/a", "1");
    let pushes: [(&str, &Files, usize); 8] = [
        ("changed", MATCHING, 1),
        ("another file", OTHER, 0),
        ("nothing", FIRST, 0),
        (
            "added",
            &[FIRST[0], unchanged, FIRST[2], ("services/shop/b/c", "1")],
            1,
        ),
        ("deleted", &[unchanged, FIRST[2]], 1),
        ("moved out", &[unchanged, FIRST[2], ("services/a", "1")], 1),
        (
            "excluded",
            &[FIRST[0], unchanged, FIRST[2], ("services/shop/a.md", "1")],
            0,
        ),
        (
            "almost",
            &[FIRST[0], unchanged, FIRST[2], ("services/shopping/a", "1")],
            0,
        ),
    ];
    for (what, files, times) in pushes {
        in_project(running(), async |fake, _| {
            push(fake, "commit-2", files, "push").await;
            let runs = fake.look(|aws| runs(aws, PIPELINE));
            let ran = runs.get("commit-2").copied().unwrap_or(0);
            assert_eq!(ran, times, "{what}");
            let calls = fake.calls_of("push.1");
            fake_aws::figure!("paths: a push ({what}) makes {calls} calls");
        });
    }
}

#[test]
fn new_branch_always_starts() {
    in_project(running(), async |fake, _| {
        delete_branch(fake);
        push(fake, "commit-2", OTHER, "again").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
        // The same commit again.
        delete_branch(fake);
        push(fake, "commit-2", OTHER, "same").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 2)]);
    });
}

#[test]
fn deleted_branch_starts_nothing() {
    in_project(running(), async |fake, _| {
        let event = event_of(fake, "commit-2", MATCHING);
        delete_branch(fake);
        deliver(fake, &event, "push").await;
        assert_runs(fake, &[("commit-1", 1)]);
    });
}

#[test]
fn unreadable_difference_starts() {
    let many: Vec<(String, &str)> = (0..60).map(|n| (format!("docs/{n}"), "1")).collect();
    for what in ["commit is gone", "denied", "no answer", "too many"] {
        in_project(running(), async |fake, _| {
            let files: Vec<(&str, &str)> = many
                .iter()
                .map(|(path, text)| (path.as_str(), *text))
                .collect();
            let files: Vec<(&str, &str)> = match what {
                "too many" => files.into_iter().chain(FIRST.iter().copied()).collect(),
                _ => OTHER.to_vec(),
            };
            let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-2", &files);
            let operation = On::Operation("GetDifferences");
            match what {
                "commit is gone" => fake.change(|aws| {
                    let held = aws
                        .codecommit
                        .repositories
                        .get_mut(REPOSITORY)
                        .expect("the repository");
                    held.trees.remove("commit-1");
                }),
                "denied" => fake.break_from_now(operation, FaultKind::Denied),
                "no answer" => fake.break_from_now(operation, FaultKind::RequestLost),
                _ => fake.options(|options| options.page_length = Some(1)),
            }
            deliver_events(fake, &reactions, "push").await;
            assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
            fake.mend();
            fake.options(|options| options.page_length = None);
        });
    }
}

#[test]
fn force_push_compares_the_two_trees() {
    in_project(running(), async |fake, _| {
        push(fake, "commit-2", MATCHING, "forth").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
        push(fake, "commit-1", FIRST, "back").await;
        assert_runs(fake, &[("commit-1", 2), ("commit-2", 1)]);
        push(fake, "commit-2", MATCHING, "forth-again").await;
        assert_runs(fake, &[("commit-1", 2), ("commit-2", 2)]);
        push(fake, "amended", MATCHING, "amended").await;
        assert_runs(fake, &[("commit-1", 2), ("commit-2", 2)]);
    });
}
