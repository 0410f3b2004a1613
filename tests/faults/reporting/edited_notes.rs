//! A person edits the notes, or another user has written them.

use crate::fixture::{PROJECT, SHOP, catch_up, check_health, in_account, records, records_of};
use crate::notes::notes;
use crate::scenarios::play_steps;
use crate::steps::ReportWord::{Approve, Deployed, End, Reject};
use crate::steps::waiting;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER};

/// A person hides the changes while they wait. The end lists those that CloudFormation shows.
#[test]
fn end_lists_the_changes_of_cloudformation_and_not_of_the_note() {
    for (steps, is_shown) in [
        (
            &[Approve("e1"), Deployed("e1", None), End("e1", "Succeeded")][..],
            true,
        ),
        (
            &[Approve("e1"), Deployed("e1", None), End("e1", "Succeeded")],
            false,
        ),
        (
            &[
                Approve("e1"),
                Deployed("e1", Some("no")),
                End("e1", "Failed"),
            ],
            true,
        ),
        (&[Reject("e1"), End("e1", "Failed")], true),
        (&[Reject("e1"), End("e1", "Failed")], false),
    ] {
        in_account(async |fake| {
            play_steps(fake, &waiting("e1", 0), |_| ()).await;
            for _ in 0..2 {
                fake.change(|aws| {
                    for note in &mut records_of(aws).notes {
                        note.body = note.body.replace("`Orders`", "`Harmless`");
                    }
                });
            }
            for step in steps {
                step.take(fake, SHOP).await;
            }
            if !is_shown {
                fake.change(|aws| {
                    aws.stacks.change_sets.executed.clear();
                    aws.stacks.change_sets.remove(&SHOP.change_set());
                });
            }
            catch_up(fake, SHOP, "first").await;
            let note = notes(fake).concat();
            assert!(
                !note.contains("Harmless") && !note.contains("wait for"),
                "{note}"
            );
            assert_eq!(note.contains("| `Orders` |"), is_shown, "{note}");
            assert_eq!(catch_up(fake, SHOP, "second").await, 0);
        });
    }
}

/// Another bot has the token since. Only a Maintainer may edit the former one's note.
#[test]
fn note_of_a_former_user_does_not_wait_for_ever() {
    for may_edit in [true, false] {
        in_account(async |fake| {
            play_steps(fake, &waiting("e1", 0), |_| ()).await;
            fake.change(|aws| {
                for note in &mut records_of(aws).notes {
                    note.user = OTHER_USER;
                }
                if !may_edit {
                    aws.gitlab.project_mut(PROJECT).access = Some(30);
                }
            });
            for step in [Approve("e1"), Deployed("e1", None), End("e1", "Succeeded")] {
                step.take(fake, SHOP).await;
            }
            check_health(fake).await;
            let left = records(fake).notes.into_iter();
            let left: Vec<_> = left.filter(|note| note.body.contains("wait for an")).collect();
            assert_eq!(left.is_empty(), may_edit, "{left:?}");
            let own = records(fake).notes.into_iter();
            let own: Vec<_> = own.filter(|note| note.user == OWN_USER).collect();
            assert_eq!(own.len(), left.len(), "{own:?}");
            for note in own {
                assert!(note.body.contains("were approved and deployed"), "{note:?}");
                assert!(left.iter().any(|one| one.place == note.place), "{note:?}");
            }
            let before = records(fake).notes;
            check_health(fake).await;
            assert_eq!(records(fake).notes, before);
        });
    }
}
