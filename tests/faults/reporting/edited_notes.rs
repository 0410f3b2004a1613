//! A person edits the notes by which others decide in GitLab.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;

use crate::fixture::{
    COMMITS, PROJECT, SHOP, catch_up, check_health, in_account, records, records_of,
};
use crate::gitlab_approvals::{ANN, BOB, Scene, in_scene, notes, shown_tags};
use crate::scenarios::play_steps;
use crate::steps::ReportWord::{Approve, Deployed, End, Reject};
use crate::steps::waiting;
use fake_aws::gitlab::Firewall;
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER};
use fake_aws::{FakeAws, FaultKind, On, Schedules, redacted};

/// An event of the request, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// A person changes the kind of a change in one note.
    Edit,
    /// A person writes the text of the function again.
    EditBack,
    /// Ann creates the tag that the notes show.
    Tag,
    /// The health check.
    Look,
    /// The health check, while GitLab does not respond to a call.
    FailingLook,
}
use Act::{Edit, EditBack, FailingLook, Look, Tag};

const ACTS: [Act; 6] = [Edit, EditBack, Tag, Look, FailingLook, Look];

/// The calls that fail.
const CALLS: [&str; 4] = [
    "GitLab.ListNotes",
    "GitLab.ListEvents",
    "GitLab.GetTag",
    "GitLab.ListMergeRequests",
];

/// Changes the note in the last place. It was edited now.
fn edit(fake: &FakeAws, change: impl Fn(&str) -> String) {
    fake.change(|aws| {
        let now = aws.now;
        let note = records_of(aws).notes.last_mut().expect("a note");
        (note.body, note.updated) = (change(&note.body), now);
    });
}

fn shown(fake: &FakeAws) -> String {
    records(fake).notes.last().expect("a note").body.clone()
}

fn tampered(body: &str) -> String {
    assert!(body.contains("added"), "{body}");
    body.replace("added", "modified")
}

/// A request, and the state of its notes.
struct Request<'a> {
    scene: &'a Scene,
    /// The latest text of the function.
    written: String,
    /// Whether Ann's tag decides: the notes were right when she created it, and no person has
    /// edited one since. `None` before there is a tag.
    decides: Option<bool>,
}

impl Request<'_> {
    async fn look(&mut self) {
        check_health(&self.scene.fake).await;
        self.written = shown(&self.scene.fake);
    }

    async fn play(&mut self, act: Act, call: &'static str) {
        let fake = &self.scene.fake;
        tokio::time::sleep(Duration::from_secs(1)).await;
        match act {
            Edit | EditBack => {
                edit(fake, |_| match act {
                    Edit => tampered(&self.written),
                    _ => self.written.clone(),
                });
                self.decides = self.decides.map(|_| false);
            }
            Tag => {
                let [deploy, _] = shown_tags(fake);
                self.scene.tag(ANN, &deploy);
                self.decides = Some(shown(fake) == self.written);
            }
            FailingLook => {
                fake.break_from_now(On::Operation(call), FaultKind::InternalError500);
                check_health(fake).await;
                fake.mend();
            }
            Look => self.look().await,
        }
    }
}

/// Each different order of the acts.
fn orders() -> Vec<Vec<Act>> {
    fn extend(order: &[Act], rest: &[Act], all: &mut Vec<Vec<Act>>) {
        if rest.is_empty() {
            all.push(order.to_vec());
        }
        for (at, act) in rest.iter().enumerate() {
            if !rest[..at].contains(act) {
                let others = [&rest[..at], &rest[at + 1..]].concat();
                extend(&[order, &[*act]].concat(), &others, all);
            }
        }
    }
    let mut all = vec![];
    extend(&[], &ACTS, &mut all);
    all
}

// claim: edited-note-decides-nothing
#[test]
fn tag_decides_only_by_a_note_that_no_person_edited() {
    let mut schedules = Schedules::default();
    for (number, order) in orders().into_iter().enumerate() {
        let call = CALLS[number % CALLS.len()];
        schedules.run(format!("{order:?} without {call}"), || {
            in_scene(async |scene| {
                let mut request = Request {
                    scene,
                    written: shown(&scene.fake),
                    decides: None,
                };
                for act in &order {
                    request.play(*act, call).await;
                    if scene.answer().is_some() {
                        break;
                    }
                    let has_to_decide = *act == Look && request.decides == Some(true);
                    assert!(!has_to_decide, "not approved: {}", notes(&scene.fake));
                }
                request.look().await;
                let is_decided = scene.answer().is_some();
                assert_eq!(is_decided, request.decides == Some(true));
                if is_decided {
                    return scene.assert_decided(&scene.deploy);
                }
                let refused = format!("`{}` decides nothing", scene.deploy);
                let note = notes(&scene.fake);
                assert_eq!(note.contains(&refused), request.decides.is_some(), "{note}");
                // The next look changes nothing, and the next tag decides.
                let before = records(&scene.fake).notes;
                request.look().await;
                assert_eq!(records(&scene.fake).notes, before);
                let [deploy, _] = shown_tags(&scene.fake);
                scene.tag(BOB, &deploy);
                request.look().await;
                scene.assert_decided_by("bob", &deploy);
            });
        });
    }
    schedules.report("orders of edits of a note, a tag and looks");
}

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
            let note = notes(fake);
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

/// A change of the notes after Ann's tag, and whether the tag decides all the same.
type Change = (&'static str, fn(&FakeAws), bool);

const CHANGES: [Change; 5] = [
    // The function writes its note there after it has decided.
    (
        "a new merge request",
        |fake| {
            fake.merge_request(PROJECT, 9, "topic-2", COMMITS[0], "opened");
            let now = fake.look(|aws| aws.now);
            fake.describe_merge_request(PROJECT, 9, |one| one.created = Some(now));
        },
        true,
    ),
    (
        "a merge request of before",
        |fake| {
            fake.merge_request(PROJECT, 9, "topic-2", COMMITS[0], "opened");
        },
        false,
    ),
    ("a reaction", |fake| edit(fake, ToOwned::to_owned), false),
    (
        "a deleted note",
        |fake| fake.change(|aws| drop(records_of(aws).notes.pop())),
        false,
    ),
    (
        "no note is left",
        |fake| fake.change(|aws| records_of(aws).notes.clear()),
        false,
    ),
];

#[test]
fn changed_notes_need_the_next_tag() {
    let mut descriptions = BTreeSet::new();
    for (name, change, is_approved) in CHANGES {
        in_scene(async |scene| {
            let fake = &scene.fake;
            scene.tag(ANN, &scene.deploy);
            tokio::time::sleep(Duration::from_secs(1)).await;
            change(fake);
            check_health(fake).await;
            assert_eq!(
                scene.answer().is_some(),
                is_approved,
                "{name}: {}",
                notes(fake)
            );
            if is_approved {
                return;
            }
            // The status states why, once.
            let records = records(fake);
            let name_of_status = format!("{}/approval", SHOP.status());
            let status = records.current(COMMITS[0], &name_of_status).pop();
            let status = status.expect("a status");
            assert_eq!(status.state, "pending", "{name}: {status:?}");
            descriptions.insert(status.description.clone());
            assert_eq!(catch_up(fake, SHOP, "second").await, 0, "{name}");
            let [deploy, reject] = shown_tags(fake);
            assert_eq!(
                [&deploy, &reject],
                [
                    &format!("{}-2", scene.deploy),
                    &format!("{}-2", scene.reject)
                ]
            );
            scene.tag(ANN, &deploy);
            check_health(fake).await;
            scene.assert_decided(&deploy);
        });
    }
    expect!["Waits for an approval by the new links of the note, which was changed. deploy/dev/shop/b13826af0ab84046 decides nothing"].assert_eq(&Vec::from_iter(descriptions).join("\n"));
}

/// A person changes a note, and hides it from the function, which writes another one beside it.
#[test]
fn hidden_note_lets_no_tag_decide_until_it_is_deleted() {
    let hide: [fn(&str) -> String; 2] = [
        |body| tampered(&body.replace("<!-- cfn", "<!-- ")),
        |body| tampered(body) + &"x".repeat(300_000),
    ];
    for hide in hide {
        in_scene(async |scene| {
            let fake = &scene.fake;
            let kept = records(fake).notes.len() - 1;
            edit(fake, hide);
            check_health(fake).await;
            assert_eq!(records(fake).notes.len(), kept + 2);
            let mut tagged = String::new();
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let [deploy, _] = shown_tags(fake);
                if deploy != tagged {
                    scene.tag(ANN, &deploy);
                }
                tagged = deploy;
                check_health(fake).await;
                assert_eq!(scene.answer(), None, "{}", notes(fake));
            }
            fake.change(|aws| drop(records_of(aws).notes.remove(kept)));
            let [deploy, _] = shown_tags(fake);
            check_health(fake).await;
            if deploy != tagged {
                scene.tag(ANN, &deploy);
                check_health(fake).await;
            }
            scene.assert_decided(&deploy);
        });
    }
}

/// A right that is missing at times does not change the note, nor does a tag of another request.
#[test]
fn waiting_note_that_shows_the_same_is_kept() {
    in_scene(async |scene| {
        let fake = &scene.fake;
        edit(fake, |body| {
            body.replace(
                "\nA Maintainer",
                "\n**A right is missing.**\n\nA Maintainer",
            )
        });
        let before = records(fake).notes;
        check_health(fake).await;
        let (names, _) = scene.deploy.rsplit_once('/').expect("a key");
        let other = format!("{names}/0123456789abcdef");
        scene.tag(ANN, &other);
        scene.tell(&other, "other").await;
        assert_eq!(records(fake).notes, before);
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.tag(ANN, &scene.deploy);
        check_health(fake).await;
        scene.assert_decided(&scene.deploy);
    });
}

/// GitLab writes the event of a tag in the background.
#[test]
fn tag_decides_when_its_event_follows() {
    in_scene(async |scene| {
        let fake = &scene.fake;
        let before = records(fake).notes;
        scene.tag(ANN, &scene.deploy);
        let mut event = None;
        fake.change(|aws| event = records_of(aws).history.events.pop());
        tokio::time::sleep(Duration::from_secs(1)).await;
        check_health(fake).await;
        assert_eq!((scene.answer(), records(fake).notes), (None, before));
        fake.change(|aws| records_of(aws).history.events.extend(event));
        check_health(fake).await;
        scene.assert_decided(&scene.deploy);
    });
}

/// GitLab has only the short form of the note, as long as a firewall rejects the whole one. A
/// person may have written it, too.
#[test]
fn short_note_decides_only_behind_a_firewall() {
    let mut written = BTreeSet::new();
    for is_blocked in [true, false] {
        in_scene(async |scene| {
            let fake = &scene.fake;
            fake.change(|aws| records_of(aws).notes.clear());
            fake.options(|options| options.gitlab.firewall = Some(Firewall::Text("`Orders`")));
            check_health(fake).await;
            written.extend(records(fake).notes.into_iter().map(|note| note.body));
            tokio::time::sleep(Duration::from_secs(1)).await;
            scene.tag(ANN, &scene.deploy);
            tokio::time::sleep(Duration::from_secs(1)).await;
            if !is_blocked {
                fake.options(|options| options.gitlab.firewall = None);
            }
            check_health(fake).await;
            assert_eq!(scene.answer().is_some(), is_blocked, "{}", notes(fake));
        });
    }
    expect![[r#"
        <!-- cfn-gitops deployment dev/shop c0ffee0000000001 123456789012/eu-central-1 -->
        **Changes to `dev` wait for an approval**: [execution](https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/executions/run-1/timeline#123456789012) of project shop

        The reason and the changes are in AWS: a firewall or proxy in front of GitLab rejects the whole note.

        <!-- change set -->
        Commit `c0ffee00`, stack `cfnstack-dev-shop`: 1 **replaced**, 1 added

        A Maintainer decides by a tag on this commit: [`deploy/dev/shop/b13826af0ab84046`](https://gitlab.example.com/platform/infra/-/tags/new?tag_name=deploy%2Fdev%2Fshop%2Fb13826af0ab84046&ref=c0ffee0000000001) deploys these changes, [`reject/dev/shop/b13826af0ab84046`](https://gitlab.example.com/platform/infra/-/tags/new?tag_name=reject%2Fdev%2Fshop%2Fb13826af0ab84046&ref=c0ffee0000000001) rejects them.
    "#]].assert_eq(&redacted(&Vec::from_iter(written).join("\n")));
}

/// A tag that is refused for another reason does not decide later by an edited note.
#[test]
fn corrected_rule_needs_the_next_tag() {
    in_scene(async |scene| {
        let fake = &scene.fake;
        let rules = fake.look(|aws| aws.gitlab.named(PROJECT).records.tags.protected.clone());
        let protect = |rules: Vec<_>| {
            fake.change(|aws| records_of(aws).tags.protected = rules);
        };
        protect(vec![]);
        scene.tag(ANN, &scene.deploy);
        check_health(fake).await;
        expect![[r#"
            <!-- cfn-gitops deployment dev/shop c0ffee0000000001 123456789012/eu-central-1 -->
            **Changes to `dev` wait for an approval**: [execution](https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/executions/run-1/timeline#123456789012) of project shop

            <!-- change set -->
            Commit `c0ffee00`, stack `cfnstack-dev-shop`: 1 **replaced**, 1 added

            | Resource | Type | Change |
            |---|---|---|
            | `Orders` | `AWS::DynamoDB::Table` | **replaced** because of `TableName` |
            | `Carts` | `AWS::DynamoDB::Table` | added |

            A Maintainer decides by a tag on this commit: [`deploy/dev/shop/b13826af0ab84046-2`](https://gitlab.example.com/platform/infra/-/tags/new?tag_name=deploy%2Fdev%2Fshop%2Fb13826af0ab84046-2&ref=c0ffee0000000001) deploys these changes, [`reject/dev/shop/b13826af0ab84046-2`](https://gitlab.example.com/platform/infra/-/tags/new?tag_name=reject%2Fdev%2Fshop%2Fb13826af0ab84046-2&ref=c0ffee0000000001) rejects them.

            `deploy/dev/shop/b13826af0ab84046` decides nothing: no protected tag matches deploy/dev/shop/… in the project.

            Protect `deploy/*` for Maintainers.
        "#]].assert_eq(&redacted(&shown(fake)));
        protect(rules);
        check_health(fake).await;
        assert_eq!(scene.answer(), None);
        let [deploy, _] = shown_tags(fake);
        scene.tag(ANN, &deploy);
        check_health(fake).await;
        scene.assert_decided(&deploy);
    });
}
