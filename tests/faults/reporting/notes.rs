//! The note about a change set: how it ends, and the notes of others beside it.

use crate::checks::check;
use crate::fixture::{
    COMMITS, PROJECT, SHOP, catch_up, check_health, deliver_once, in_account, records, records_of,
};
use crate::scripts::{Script, Step, script_of, waiting};
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, FaultKind, On, Schedules};

use Step::{Approve, Build, Deployed, End, Retry, Source, Start, Wait};

use FaultKind::{Denied, InternalError500, RequestHangs};

/// The function's notes, which are all notes that begin with a marker.
fn notes(fake: &FakeAws) -> Vec<String> {
    let notes = records(fake).notes.into_iter();
    let own = notes.filter(|note| note.user != OTHER_USER);
    own.map(|note| note.body).collect()
}

const ENDINGS: [(&str, &str); 4] = [
    (
        "deployed",
        "**Changes to `dev` were approved and deployed**",
    ),
    ("rejected", "**Changes to `dev` were rejected**"),
    (
        "stopped while it waits",
        "**Changes to `dev` no longer need an approval**",
    ),
    ("waiting", "**Changes to `dev` wait for an approval**"),
];

#[test]
fn note_says_how_the_approval_ended() {
    let row = "| `Orders` | `AWS::DynamoDB::Table` | **replaced** because of `TableName` |";
    for (name, headline) in ENDINGS {
        let script = script_of(name);
        in_account(async |fake| {
            script.play(fake).await;
            check(fake, SHOP, &script.expected);
            assert_notes(fake, |note| note.contains(headline) && note.contains(row));
        });
        if name == "waiting" {
            continue;
        }
        // If the approval ended before its note, there is none.
        in_account(async |fake| {
            for (at, step) in script.steps.iter().enumerate() {
                step.take(fake, SHOP).await;
                if step.has_event() && !matches!(step, Step::Wait(_)) {
                    deliver_once(fake, SHOP, step.subject(), &format!("event-{at}")).await;
                }
            }
            script.ends(fake).await;
            assert_eq!(notes(fake), Vec::<String>::new());
        });
    }
}

/// A project without merge requests has commits: the note is there, and nothing fails.
#[test]
fn note_goes_to_the_commit_without_merge_requests() {
    in_account(async |fake| {
        fake.change(|aws| {
            let records = &mut aws.gitlab.project_mut(PROJECT).records;
            records.switched_off.insert("merge_requests");
        });
        let script = script_of("waiting");
        script.play(fake).await;
        catch_up(fake, SHOP, "health check").await;
        assert_notes(fake, |note| note.contains("wait for an approval"));
        let notes = records(fake).notes;
        let mut own = notes.iter().filter(|note| note.user != OTHER_USER);
        assert!(
            own.all(|note| note.place.starts_with("commits/")),
            "{notes:?}"
        );
    });
}

/// Fails unless there are notes, and each is as expected.
#[track_caller]
fn assert_notes(fake: &FakeAws, is_expected: impl Fn(&str) -> bool) {
    let notes = notes(fake);
    let is_right = !notes.is_empty() && notes.iter().all(|note| is_expected(note));
    assert!(is_right, "{notes:?}");
}

/// A newer execution of the commit ends before the approval of the former one does: the links of
/// the former one's note still decide.
#[test]
fn note_that_waits_is_kept_until_its_approval_ends() {
    let rerun = [Start("e2"), Source("e2", 0)];
    let not_built = [Build("e2", Some("tests failed")), End("e2", "Failed")];
    let stopped = [End("e2", "Stopped")];
    let superseded = [End("e1", "Superseded")];
    let approved = [Approve("e1"), Deployed("e1", None), End("e1", "Succeeded")];
    let failed = "The build for `dev` failed";
    for (second, first, end) in [
        (&not_built[..], &superseded[..], failed),
        (&not_built, &approved, failed),
        (&stopped, &superseded, "no longer need an approval"),
        (&stopped, &approved, "were approved"),
    ] {
        in_account(async |fake| {
            let before = Script::new("before", &[&waiting("e1", 0), &rerun, second]);
            before.play(fake).await;
            catch_up(fake, SHOP, "first health check").await;
            assert_notes(fake, |note| note.contains("wait for an approval"));
            let after = Script::new("after", &[&waiting("e1", 0), &rerun, second, first]);
            after
                .play_steps(fake, before.steps.len()..after.steps.len())
                .await;
            catch_up(fake, SHOP, "health check").await;
            check(fake, SHOP, &[]);
            assert_notes(fake, |note| {
                note.contains(end) && note.contains("| `Orders` |")
            });
        });
    }
}

/// Deletes the notes of the function, as a person may.
fn delete_notes(fake: &FakeAws) {
    fake.change(|aws| records_of(aws).notes.retain(|note| note.user == OTHER_USER));
}

#[test]
fn deleted_note_is_made_again_by_a_failure_only() {
    for (name, expected) in [("failed deployment", 2), ("deployed", 0)] {
        in_account(async |fake| {
            let script = script_of(name);
            let last = script.steps.len() - 1;
            script.play_steps(fake, 0..last).await;
            delete_notes(fake);
            script.play_steps(fake, last..script.steps.len()).await;
            assert_eq!(notes(fake).len(), expected, "{name}");
        });
    }
}

/// A commit whose build fails has had no note.
#[test]
fn failure_has_a_note_that_its_retry_ends() {
    let failed = [Build("e1", Some("tests failed")), End("e1", "Failed")];
    let again = [Retry("e1"), Build("e1", None), Wait("e1")];
    let deployed = [Approve("e1"), Deployed("e1", None), End("e1", "Succeeded")];
    in_account(async |fake| {
        let begun = [Start("e1"), Source("e1", 0)];
        let script = Script::new("retried build", &[&begun, &failed, &again, &deployed]);
        script.play_steps(fake, 0..4).await;
        assert_notes(fake, |note| note.contains("The build for `dev` failed"));
        script.play_steps(fake, 4..7).await;
        assert_notes(fake, |note| note.contains("wait for an approval"));
        script.play_steps(fake, 7..10).await;
        assert_eq!(notes(fake).len(), 2);
        assert_notes(fake, |note| {
            note.contains("were approved and deployed") && !note.contains("failure")
        });
    });
}

#[test]
fn note_of_an_earlier_commit_stays_as_it_is() {
    in_account(async |fake| {
        // Both commits are in one merge request.
        fake.change(|aws| {
            let of_commits = &mut records_of(aws).merge_requests;
            of_commits.insert(COMMITS[1].to_owned(), vec![(4, "merged"), (5, "opened")]);
        });
        script_of("failed build").play(fake).await;
        let before = notes(fake);
        let next = [Approve("e2"), Deployed("e2", None), End("e2", "Succeeded")];
        Script::new("next", &[&waiting("e2", 1), &next])
            .play(fake)
            .await;
        catch_up(fake, SHOP, "health check").await;
        let after = notes(fake);
        assert_eq!((before.len(), after.len()), (2, 4));
        assert!(before.iter().all(|note| after.contains(note)), "{after:?}");
    });
}

/// The note, if the deploy role's policies are only this one.
async fn write_note(fake: &FakeAws, action: &str) {
    let allow =
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
    fake.change(|aws| {
        let now = aws.now;
        aws.iam
            .change(now, |iam| iam.role_policies.attached = allow);
    });
    let script = script_of("waiting");
    script.play(fake).await;
    check(fake, SHOP, &script.expected);
}

#[test]
fn note_names_the_rights_that_pipelines_lack() {
    let missing = "**Pipelines may not create `AWS::DynamoDB::Table` (`dynamodb:CreateTable`), delete \
        `AWS::DynamoDB::Table` (`dynamodb:DeleteTable`) in `dev`.**\n\nAdd a policy that allows it to DeployPolicyArns";
    for (allowed, expected) in [("sns:*", true), ("dynamodb:*", false), ("*", false)] {
        in_account(async |fake| {
            write_note(fake, allowed).await;
            assert_notes(fake, |note| note.contains(missing) == expected);
        });
    }
}

/// The note is worth more than the comparison.
#[test]
fn note_is_written_if_rights_cannot_be_read() {
    let read = "ListRolePolicies GetRolePolicy ListAttachedRolePolicies GetPolicy GetPolicyVersion DescribeType";
    for operation in read.split(' ') {
        for kind in [Denied, InternalError500, RequestHangs] {
            in_account(async |fake| {
                fake.break_from_now(On::Operation(operation), kind);
                write_note(fake, "sns:*").await;
                assert_notes(fake, |note| {
                    note.contains("| `Orders` |") && !note.contains("Pipelines may not")
                });
            });
        }
    }
}

/// Two comments of 160 kB have more than the limit of a response.
#[test]
fn comments_of_others_do_not_suppress_the_note() {
    let mut schedules = Schedules::default();
    for commit in [0, 1] {
        let places = match commit {
            0 => vec!["merge_requests/4".to_owned(), "merge_requests/5".to_owned()],
            _ => vec![format!("commits/{}", COMMITS[1])],
        };
        for (count, length) in [(2, 160_000), (1, 1_000_000), (100, 4_000), (25, 10)] {
            schedules.run(format!("{count} of {length} on {places:?}"), || {
                in_account(async |fake| {
                    fake.change(|aws| {
                        let records = records_of(aws);
                        for place in &places {
                            for _ in 0..count {
                                records.create_note(place, &"x".repeat(length), OTHER_USER);
                            }
                        }
                    });
                    let mut script = script_of("waiting");
                    for step in &mut script.steps {
                        if let Step::Source(_, of) = step {
                            *of = commit;
                        }
                    }
                    script.expected[0].commit = commit;
                    script.play(fake).await;
                    check_health(fake).await;
                    check(fake, SHOP, &script.expected);
                    assert_eq!(notes(fake).len(), places.len());
                });
            });
        }
    }
    schedules.report("kinds of comments beside a note");
}

/// Requests that only contain the commit do not displace the one that it comes from.
#[test]
fn requests_that_the_commit_comes_from_are_first() {
    in_account(async |fake| {
        for iid in 10..17 {
            fake.merge_request(PROJECT, iid, "feature", COMMITS[0], "opened");
            let is_from_fork = iid < 12;
            fake.describe_merge_request(PROJECT, iid, |one| {
                // A fork can open any number whose head is the commit.
                one.is_from_fork = is_from_fork;
                one.head = if is_from_fork { COMMITS[0] } else { "later" }.to_owned();
            });
        }
        fake.merge_request(PROJECT, 3, "login", "head", "merged");
        fake.merge_request(PROJECT, 3, "login", COMMITS[0], "merged");
        fake.describe_merge_request(PROJECT, 3, |one| {
            "head".clone_into(&mut one.head);
            one.merge_commit = Some(COMMITS[0].to_owned());
        });
        script_of("stopped while it waits").play(fake).await;
        let notes = records(fake).notes.into_iter();
        let places: Vec<String> = notes.map(|note| note.place).collect();
        assert_eq!(places[0], "merge_requests/3", "{places:?}");
        assert!(places.len() == 5 && !places.contains(&"merge_requests/10".to_owned()));
    });
}

/// The value of the stack's parameter before a failed deployment, and that of its change set. `None`
/// if CloudFormation does not find it.
type Operation = (&'static str, Option<&'static str>);

/// The status of a deployment that failed for `reason`.
async fn failed_status(
    fake: &FakeAws,
    (before, own): Operation,
    reason: &'static str,
    visibility: &'static str,
) -> String {
    const APPROVE: usize = 4;
    fake.arrange(|aws| {
        let records = &mut aws.gitlab.project_mut(PROJECT).records;
        (records.is_public, records.is_internal) =
            (visibility == "public", visibility == "internal");
        let stack = aws.stacks.named_mut("cfnstack-dev-shop").expect("a stack");
        stack.parameters = [("Size".to_owned(), before.to_owned())].into();
    });
    let steps = [
        Approve("e1"),
        Deployed("e1", Some(reason)),
        End("e1", "Failed"),
    ];
    let script = Script::new("failed", &[&waiting("e1", 0), &steps]);
    let execute = || {
        fake.arrange(|aws| {
            let executed = aws
                .stacks
                .change_sets
                .executed
                .last_mut()
                .expect("a change set");
            executed.parameters = own.map(|value| [("Size".to_owned(), value.to_owned())].into());
            if own.is_none() {
                aws.stacks.change_sets.executed.clear();
            }
        });
    };
    script.play_with(fake, APPROVE, execute).await;
    let records = records(fake);
    let status = records.current(COMMITS[0], &SHOP.status());
    status.last().expect("a status").description.clone()
}

/// CloudFormation's reason may have a parameter's value: that of the operation, and not that of the
/// stack, which was rolled back.
#[test]
fn status_shows_no_value_of_the_operation() {
    const NEW: Operation = ("small", Some("newsecretvalue"));
    const MASKED: Operation = ("small", Some("****"));
    const UNKNOWN: Operation = ("small", None);
    const MAPPING: &str = "Template error: Unable to get mapping for M::newsecretvalue::k";
    const TAKEN: &str = "Stack s is in the state UPDATE_ROLLBACK_COMPLETE. Db CREATE_FAILED: newsecretvalue already exists";
    const CUSTOM: &str = "Received response status [FAILED] from custom resource. Message returned: no newsecretvalue (RequestId: 1)";
    const PLAIN: &str = "The runtime is not supported";
    for (operation, reason, visibility, shown) in [
        (NEW, MAPPING, "private", "mapping for M::…::k"),
        (MASKED, MAPPING, "private", "mapping for …::…::…"),
        (UNKNOWN, MAPPING, "private", "mapping for …::…::…"),
        (
            MASKED,
            TAKEN,
            "private",
            "Db CREATE_FAILED: … already exists",
        ),
        (
            UNKNOWN,
            TAKEN,
            "private",
            "Db CREATE_FAILED: … already exists",
        ),
        (NEW, PLAIN, "public", PLAIN),
        (UNKNOWN, PLAIN, "private", "the reason is not shown"),
        // Written by a custom resource.
        (NEW, CUSTOM, "private", "Message returned: no … (RequestId"),
        (NEW, CUSTOM, "internal", "Message returned: …"),
        (NEW, CUSTOM, "public", "Message returned: …"),
        (MASKED, CUSTOM, "private", "Message returned: …"),
        (
            NEW,
            "no bmV3c2VjcmV0dmFsdWU= in it",
            "private",
            "no … in it",
        ),
        (NEW, "no new-secret.value in it", "private", "no … in it"),
    ] {
        in_account(async |fake| {
            let status = failed_status(fake, operation, reason, visibility).await;
            assert!(status.contains(shown), "{reason}: {status}");
            assert!(!status.contains("newsecretvalue"), "{status}");
            assert!(!status.ends_with("no newsecretvalue"), "{status}");
        });
    }
}

/// A later execution may have changed the stack before the failure is reported.
#[test]
fn status_before_a_later_execution_hides_values() {
    in_account(async |fake| {
        fake.arrange(|aws| {
            let stack = aws.stacks.named_mut("cfnstack-dev-shop").expect("a stack");
            stack.parameters = [("Size".to_owned(), "small".to_owned())].into();
        });
        let steps = [
            Approve("e1"),
            Deployed("e1", Some("no newsecretvalue")),
            End("e1", "Failed"),
        ];
        let script = Script::new("failed", &[&waiting("e1", 0), &steps, &waiting("e2", 1)]);
        for step in &script.steps {
            step.take(fake, SHOP).await;
        }
        catch_up(fake, SHOP, "health check").await;
        let records = records(fake);
        let status = records.current(COMMITS[0], &SHOP.status());
        let description = &status.last().expect("a status").description;
        assert!(
            description.contains("the reason is not shown"),
            "{description}"
        );
    });
}
