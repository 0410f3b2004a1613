//! The note about a change set: how it ends, and the notes of others beside it.

use expect_test::expect;

use crate::checks::check;
use crate::fixture::{
    COMMITS, PROJECT, SHOP, catch_up, check_health, in_account, records, records_of,
};
use crate::scenarios::{play_steps, scenario};
use crate::steps::{ReportWord, waiting};
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, FaultKind, On, Schedules};

use ReportWord::{Approve, Deploy, Deployed, End, Retry};

use FaultKind::{Denied, InternalError500, RequestHangs};

/// The function's notes, which are all notes that begin with a marker.
pub fn notes(fake: &FakeAws) -> Vec<String> {
    let notes = records(fake).notes.into_iter();
    let own = notes.filter(|note| note.user != OTHER_USER);
    own.map(|note| note.body).collect()
}

/// Fails unless there are notes, and each is as expected.
#[track_caller]
fn assert_notes(fake: &FakeAws, is_expected: impl Fn(&str) -> bool) {
    let notes = notes(fake);
    let is_right = !notes.is_empty() && notes.iter().all(|note| is_expected(note));
    assert!(is_right, "{notes:?}");
}

/// The note, if the deploy role's policies are only this one.
async fn write_note(fake: &FakeAws, action: &str) {
    let allow =
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| iam.role_policies.attached = allow);
    });
    let waiting = scenario("report_waiting");
    waiting.play(fake).await;
    check(fake, SHOP, &waiting.expected());
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
                    play_steps(fake, &waiting("e1", commit), |_| ()).await;
                    check_health(fake).await;
                    let mut expected = scenario("report_waiting").expected();
                    expected[0].commit = commit;
                    check(fake, SHOP, &expected);
                    assert_eq!(notes(fake).len(), places.len());
                });
            });
        }
    }
    schedules.report("kinds of comments beside a note");
}

/// Two deliveries at the same time may have written one each.
#[test]
fn second_note_on_a_commit_is_deleted() {
    in_account(async |fake| {
        play_steps(fake, &waiting("e1", 1), |_| ()).await;
        catch_up(fake, SHOP, "health check").await;
        let written = notes(fake).len();
        fake.change(|aws| {
            let records = records_of(aws);
            let mut own = records.notes.iter().filter(|note| note.user != OTHER_USER);
            let note = own.next().cloned().expect("a note");
            assert!(note.place.starts_with("commits/"), "{note:?}");
            records.create_note(&note.place, &note.body, note.user);
        });
        catch_up(fake, SHOP, "health check after two notes").await;
        assert_eq!(notes(fake).len(), written);
    });
}

/// Others can open any number of requests that contain the commit, or whose head it is.
#[test]
fn requests_that_the_commit_comes_from_are_first() {
    in_account(async |fake| {
        for iid in 10..17 {
            fake.merge_request(PROJECT, iid, "feature", COMMITS[0], "opened");
            fake.describe_merge_request(PROJECT, iid, |one| {
                one.is_from_fork = iid < 12;
                one.head = COMMITS[0].to_owned();
            });
        }
        for (iid, is_squash) in [(3, false), (4, true)] {
            fake.merge_request(PROJECT, iid, "login", "head", "merged");
            fake.merge_request(PROJECT, iid, "login", COMMITS[0], "merged");
            fake.describe_merge_request(PROJECT, iid, |one| {
                "head".clone_into(&mut one.head);
                let commit = Some(COMMITS[0].to_owned());
                let place = if is_squash {
                    &mut one.squash_commit
                } else {
                    &mut one.merge_commit
                };
                *place = commit;
            });
        }
        scenario("report_ends: stopped while it waits").play(fake).await;
        let notes = records(fake).notes.into_iter();
        let mut places: Vec<String> = notes.map(|note| note.place).collect();
        places[..2].sort();
        assert_eq!(
            places[..2],
            ["merge_requests/3", "merge_requests/4"],
            "{places:?}"
        );
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
    fake.arrange(|aws| {
        let records = &mut aws.gitlab.project_mut(PROJECT).records;
        (records.is_public, records.is_internal) =
            (visibility == "public", visibility == "internal");
        let stack = aws.stacks.named_mut("cfnstack-dev-shop").expect("a stack");
        stack.parameters = [("Size".to_owned(), before.to_owned())].into();
    });
    if visibility == "unknown" {
        fake.break_from_now(On::Operation("GitLab.GetProject"), Denied);
    }
    let steps = [
        Approve("e1"),
        Deployed("e1", Some(reason)),
        End("e1", "Failed"),
    ];
    let execute = |step| {
        if !matches!(step, Approve(_)) {
            return;
        }
        fake.arrange(|aws| {
            let executed = aws.stacks.change_sets.executed.last_mut().expect("a change set");
            executed.parameters = own.map(|value| [("Size".to_owned(), value.to_owned())].into());
            if own.is_none() {
                aws.stacks.change_sets.executed.clear();
            }
        });
    };
    let steps = [&waiting("e1", 0)[..], &steps].concat();
    play_steps(fake, &steps, execute).await;
    fake.mend();
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
    const ENCODED: &str = "no bmV3c2VjcmV0dmFsdWU= in it";
    const OTHER_SPELLING: &str = "no new-secret.value in it";
    let mut statuses = vec![];
    for (operation, reason, visibility) in [
        (NEW, MAPPING, "private"),
        (MASKED, MAPPING, "private"),
        (UNKNOWN, MAPPING, "private"),
        (MASKED, TAKEN, "private"),
        (UNKNOWN, TAKEN, "private"),
        (NEW, PLAIN, "public"),
        (UNKNOWN, PLAIN, "private"),
        // Written by a custom resource.
        (NEW, CUSTOM, "private"),
        (NEW, CUSTOM, "internal"),
        (NEW, CUSTOM, "public"),
        (NEW, CUSTOM, "unknown"),
        (MASKED, CUSTOM, "private"),
        (NEW, ENCODED, "private"),
        (NEW, OTHER_SPELLING, "private"),
    ] {
        in_account(async |fake| {
            let status = failed_status(fake, operation, reason, visibility).await;
            assert!(!status.contains("newsecretvalue"), "{status}");
            statuses.push(status);
        });
    }
    expect![[r#"
        Deploy failed: Template error: Unable to get mapping for M::…::k
        Deploy failed: Template error: Unable to get mapping for …::…::…
        Deploy failed: Template error: Unable to get mapping for …::…::…
        Deploy failed: Stack … is in the state UPDATE_ROLLBACK_COMPLETE. Db CREATE_FAILED: … already exists
        Deploy failed: Stack … is in the state UPDATE_ROLLBACK_COMPLETE. Db CREATE_FAILED: … already exists
        Deploy failed: The runtime is not supported
        Deploy failed: the reason is not shown, because it may contain a value of a parameter
        Deploy failed: Received response status [FAILED] from custom resource. Message returned: no … (RequestId: 1)
        Deploy failed: Received response status [FAILED] from custom resource. Message returned: …
        Deploy failed: Received response status [FAILED] from custom resource. Message returned: …
        Deploy failed: Received response status [FAILED] from custom resource. Message returned: …
        Deploy failed: Received response status [FAILED] from custom resource. Message returned: …
        Deploy failed: no … in it
        Deploy failed: no … in it"#]]
    .assert_eq(&statuses.join("\n"));
}

/// CodePipeline's text is that of the attempt, and the stack may have been repaired since.
#[test]
fn note_has_the_command_for_the_stacks_present_status() {
    const TEXT: &str = "Stack:arn is in ROLLBACK_FAILED state and can not be updated.";
    const DELETE: &str = "aws cloudformation delete-stack --stack-name cfnstack-dev-shop";
    const REPAIR: &str =
        "aws cloudformation continue-update-rollback --stack-name cfnstack-dev-shop";
    for (status, command) in [
        ("ROLLBACK_COMPLETE", DELETE),
        ("ROLLBACK_FAILED", DELETE),
        ("UPDATE_ROLLBACK_FAILED", REPAIR),
        ("UPDATE_COMPLETE", ""),
    ] {
        in_account(async |fake| {
            play_steps(fake, &waiting("e1", 0), |_| ()).await;
            fake.arrange(|aws| {
                aws.stacks.named_mut("cfnstack-dev-shop").expect("a stack").status = status;
            });
            for step in [
                Approve("e1"),
                Deployed("e1", Some(TEXT)),
                End("e1", "Failed"),
            ] {
                step.take(fake, SHOP).await;
            }
            catch_up(fake, SHOP, "health check").await;
            assert_notes(fake, |note| {
                let commands = [DELETE, REPAIR].into_iter().filter(|one| note.contains(one));
                commands.collect::<String>() == command
            });
        });
    }
}

/// A later commit has created a change set of the same name before the end is reported.
#[test]
fn end_lists_no_changes_of_a_later_commit() {
    in_account(async |fake| {
        play_steps(fake, &waiting("e1", 0), |_| ()).await;
        let failed = [
            Approve("e1"),
            Deployed("e1", Some("no")),
            End("e1", "Failed"),
        ];
        for step in failed.iter().chain(&waiting("e2", 1)) {
            step.take(fake, SHOP).await;
        }
        catch_up(fake, SHOP, "health check").await;
        let notes = notes(fake);
        let lists = COMMITS[..2].iter().map(|commit| {
            let mut of_commit = notes.iter().filter(|note| note.contains(commit));
            of_commit.next().expect("a note").contains("| `Orders` |")
        });
        assert_eq!(lists.collect::<Vec<_>>(), [false, true], "{notes:?}");
    });
}

/// The retry fails before the function has handled the event of its start. It was reported that the
/// first attempt failed, for another reason.
#[test]
fn fast_second_failure_replaces_the_first_cause() {
    in_account(async |fake| {
        let attempt = |cause| [Deployed("e1", Some(cause)), End("e1", "Failed")];
        let first = [
            &waiting("e1", 0)[..],
            &[Approve("e1")],
            &attempt("first cause"),
        ]
        .concat();
        play_steps(fake, &first, |_| ()).await;
        for step in [&[Retry("e1"), Deploy("e1")][..], &attempt("second cause")].concat() {
            step.take(fake, SHOP).await;
        }
        let posted = || catch_up(fake, SHOP, "health check");
        assert!(posted().await > 0);
        assert_eq!(posted().await, 0);
        let records = records(fake);
        let status = records.current(COMMITS[0], &SHOP.status());
        let description = &status.last().expect("a status").description;
        expect!["Deploy failed: second cause"].assert_eq(description);
    });
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
        for step in [&waiting("e1", 0)[..], &steps, &waiting("e2", 1)].concat() {
            step.take(fake, SHOP).await;
        }
        catch_up(fake, SHOP, "health check").await;
        let records = records(fake);
        let status = records.current(COMMITS[0], &SHOP.status());
        let description = &status.last().expect("a status").description;
        expect![
            "Deploy failed: the reason is not shown, because it may contain a value of a parameter"
        ]
        .assert_eq(description);
    });
}
