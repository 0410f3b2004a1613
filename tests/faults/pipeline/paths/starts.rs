//! Which pushes start the pipeline.
use super::{FIRST, MATCHING, OTHER, deliver, event_of, push, running};
use crate::checks::assert_runs;
use crate::fixture::{BRANCH, REPOSITORY, delete_branch, deliver_events, in_project};
use fake_aws::{FaultKind, On};

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
