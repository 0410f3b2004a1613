//! Tags in GitLab and events that must decide nothing, with the reason that the note shows. Without
//! the attack, Ann's tag approves: `gitlab_approvals`.

use std::time::Duration;

use serde_json::json;

use crate::approvals::waiting;
use crate::fixture::{BRANCH, COMMITS, SHOP, check_health, deliver};
use crate::gitlab_approvals::{
    ANN, BOB, DAN, DEPLOYED, RUN, SUBJECT, Scene, create, executions, in_scene, notes, project,
    request, rule, shown_tags, tag_event, tags, with_key,
};
use crate::gitlab_ranges::put_between;
use crate::steps::Step;
use fake_aws::gitlab::history::PushEvent;
use fake_aws::gitlab::merge_requests;
use fake_aws::gitlab::tags::{Tag, User};
use fake_aws::{AwsState, FaultKind, On, Service};
use test_support::custom_resource::answered_once;

/// Its name, the reason in the note (empty: there is no tag), who creates the tag, and the events
/// before.
pub type Attack = (&'static str, &'static str, u64, fn(&mut AwsState, &str));
/// A change of the scene, and its name.
type Change = (&'static str, fn(&Scene));
/// In the place of the tag's creator: the attack itself creates the tag, or there is none.
const NO_CREATOR: u64 = 0;

/// Fails if an attack decides, or fails for another reason.
#[track_caller]
pub fn assert_refused(attacks: &[Attack]) {
    let wrong = attacks.iter().filter_map(|(name, reason, user, happen)| {
        in_scene(async |scene| {
            let fake = &scene.fake;
            fake.arrange(|aws| happen(aws, &scene.deploy));
            if *user != NO_CREATOR {
                scene.tag(*user, &scene.deploy);
            }
            deliver(fake, SHOP, SUBJECT, "asked").await;
            scene.tell(&scene.deploy, "tag").await;
            check_health(fake).await;
            let note = notes(fake);
            let told = match *reason {
                "" => !note.contains("decides nothing"),
                reason => note.contains(reason),
            };
            let waits = waiting(fake) == Some("token-1") && scene.answer().is_none();
            (!waits || !told).then(|| format!("{name}: waits {waits}, {note}"))
        })
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn user(aws: &mut AwsState, id: u64) -> &mut User {
    aws.gitlab.users.get_mut(&id).expect("a user")
}

/// A part of a list, whose pages have no headers, proves nothing.
// claim: list-that-is-cut-short-approves-nothing
#[test]
fn what_stands_beyond_the_first_page_counts() {
    fn others(aws: &mut AwsState) {
        for number in 0..110 {
            rule(aws, &format!("v{number}/*"), json!({"access_level": 40}));
        }
    }
    assert_refused(&[
        ("late rule", "admits Developers", ANN, |aws, _| {
            others(aws);
            rule(aws, "deploy/dev/*", json!({"access_level": 30}));
        }),
        ("late key", "write access", ANN, |aws, _| {
            tags(aws).deploy_keys = [false; 110].to_vec();
            tags(aws).deploy_keys.push(true);
        }),
        ("endless rules", "does not show what is", ANN, |aws, _| {
            (0..47).for_each(|_| others(aws));
        }),
    ]);
}

/// The author's address of the commit that waits.
fn write_by(aws: &mut AwsState, email: &str) {
    let emails = &mut project(aws).records.history.author_emails;
    emails.insert(COMMITS[0].to_owned(), email.to_owned());
}

/// Ann has pushed this object to this branch, or four branches (`None`).
fn push_by_ann(aws: &mut AwsState, branch: Option<&str>, to: &str) {
    let (to, now) = (Some(to.to_owned()), aws.now);
    let mut push = PushEvent::of("branch", branch.unwrap_or_default(), None, to, ANN, now);
    if branch.is_none() {
        push.hide_among(4);
    }
    project(aws).records.history.events.push(push);
}

/// A minute before Dan moved the branch to the commit that waits, Ann has pushed this object by this
/// tag, or by four of them (`None`).
fn push_tag_by_ann(aws: &mut AwsState, tag: Option<&str>, to: &str) {
    let (to, at) = (
        Some(to.to_owned()),
        aws.now.saturating_sub(Duration::from_mins(1)),
    );
    let mut push = PushEvent::of("tag", tag.unwrap_or_default(), None, to, ANN, at);
    if tag.is_none() {
        push.hide_among(4);
    }
    let events = &mut project(aws).records.history.events;
    events.insert(0, push);
}

/// The state of the merge request.
fn set_state(aws: &mut AwsState, state: &'static str) {
    merge_requests::set_state(project(aws), 4, state);
}

/// Who has written the merge request, and who has merged it.
fn merge(aws: &mut AwsState, author: u64, merge_user: u64) {
    let details = project(aws).records.details.get_mut(&4);
    let details = details.expect("a merge request");
    (details.author, details.merge_user) = (author, Some(merge_user));
}

// claim: tag-of-an-author-decides-nothing
#[test]
fn tag_of_a_person_who_made_a_commit_decides_nothing() {
    const AUTHOR: &str = "an author of one";
    const MERGE: &str = "merge requests";
    const PUSHED: &str = "has pushed";
    const TOO_LONG: &str = "too much of the merge";
    assert_refused(&[
        ("private address", AUTHOR, ANN, |aws, _| {
            write_by(aws, "21-former-name@users.noreply.gitlab.example.com");
        }),
        ("public address", AUTHOR, ANN, |aws, _| {
            write_by(aws, "ann@example.com");
            user(aws, ANN).public_email = Some("Ann@Example.com".to_owned());
        }),
        ("author of the merge request", MERGE, ANN, |aws, _| {
            merge(aws, ANN, DAN);
        }),
        ("merger", MERGE, ANN, |aws, _| merge(aws, DAN, ANN)),
        ("huge description", TOO_LONG, ANN, |aws, _| {
            merge(aws, ANN, DAN);
            let details = project(aws).records.details.get_mut(&4);
            details.expect("a merge request").description = "x".repeat(400_000);
        }),
        ("pusher under a forged name", PUSHED, DAN, |aws, _| {
            merge(aws, BOB, BOB);
            write_by(aws, "bob@example.com");
        }),
        ("pusher of an earlier commit", PUSHED, ANN, |aws, _| {
            put_between(aws, 3);
            push_by_ann(aws, Some("elsewhere"), "between-1");
        }),
        ("pusher of the source branch", PUSHED, ANN, |aws, _| {
            push_by_ann(aws, Some("topic"), "rebased-since");
        }),
        ("pusher of many branches", PUSHED, ANN, |aws, _| {
            push_by_ann(aws, None, "x");
        }),
        ("author of an open request", MERGE, ANN, |aws, _| {
            merge(aws, ANN, DAN);
            set_state(aws, "opened");
        }),
        ("author of a closed request", MERGE, ANN, |aws, _| {
            merge(aws, ANN, DAN);
            set_state(aws, "closed");
        }),
        ("author of a locked request", MERGE, ANN, |aws, _| {
            merge(aws, ANN, DAN);
            set_state(aws, "locked");
        }),
        ("author in an unknown state", MERGE, ANN, |aws, _| {
            merge(aws, ANN, DAN);
            set_state(aws, "of the future");
        }),
        ("source of a locked request", PUSHED, ANN, |aws, _| {
            set_state(aws, "locked");
            push_by_ann(aws, Some("topic"), "rebased-since");
        }),
    ]);
}

/// Another person or a bot moved the branch afterwards.
// claim: tag-of-an-author-decides-nothing
#[test]
#[allow(clippy::too_many_lines)] // A table.
fn tag_of_a_person_who_pushed_by_a_tag_decides_nothing() {
    const PUSHED: &str = "has pushed";
    assert_refused(&[
        ("lightweight", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, Some("v1.0"), COMMITS[0]);
        }),
        ("earlier commit", PUSHED, ANN, |aws, _| {
            put_between(aws, 3);
            push_tag_by_ann(aws, Some("v1.0"), "between-1");
        }),
        ("annotated", PUSHED, ANN, |aws, _| {
            let tag = Tag::annotated(COMMITS[0]);
            push_tag_by_ann(aws, Some("v1.0"), &tag.target);
            tags(aws).all.insert("v1.0".to_owned(), tag);
        }),
        ("annotated and deleted", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, Some("v1.0"), &Tag::annotated(COMMITS[0]).target);
        }),
        ("annotated and moved", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, Some("v1.0"), &Tag::annotated(COMMITS[0]).target);
            let moved = Tag::lightweight(DEPLOYED);
            tags(aws).all.insert("v1.0".to_owned(), moved);
        }),
        ("many tags", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, None, "x");
        }),
        ("many tags, in an unknown way", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, None, "x");
            project(aws).records.history.events[0].action = "of the future";
        }),
        ("unknown object", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, Some("v1.0"), "x");
            project(aws).records.history.events[0].to = None;
        }),
        ("of no request", PUSHED, ANN, |aws, _| {
            push_tag_by_ann(aws, Some("deploy/dev/shop/x"), COMMITS[0]);
        }),
        ("with an invented key", PUSHED, ANN, |aws, tag| {
            push_tag_by_ann(aws, Some(&with_key(tag)), COMMITS[0]);
        }),
        ("of another project", PUSHED, ANN, |aws, tag| {
            let name = with_key(tag).replace("/shop/", "/blog/");
            push_tag_by_ann(aws, Some(&name), COMMITS[0]);
        }),
        ("the request's own", PUSHED, NO_CREATOR, |aws, tag| {
            create(aws, ANN, tag, COMMITS[0]);
            let events = &mut project(aws).records.history.events;
            events.rotate_right(1);
        }),
        ("squashed since", PUSHED, ANN, |aws, _| {
            let details = project(aws).records.details.get_mut(&4);
            "before-the-squash".clone_into(&mut details.expect("a request").head);
            push_tag_by_ann(aws, Some("v1.0"), "before-the-squash");
        }),
        (
            "neither branch nor tag",
            "does not show what",
            ANN,
            |aws, _| {
                push_tag_by_ann(aws, Some("v1.0"), "x");
                project(aws).records.history.events[0].kind = "of the future";
            },
        ),
    ]);
}

// claim: commit-or-project-of-others-is-not-approved
#[test]
fn commit_or_project_of_others_is_not_approved() {
    const MISSING: &str = "does not contain";
    assert_refused(&[
        ("not merged", MISSING, ANN, |aws, _| {
            let tip = project(aws).branches.get_mut(BRANCH);
            DEPLOYED.clone_into(tip.expect("the branch"));
        }),
        ("branch removed", MISSING, ANN, |aws, _| {
            drop(project(aws).branches.remove(BRANCH));
        }),
        ("execution that stops", "", ANN, |aws, _| {
            executions(aws)[1].status = "Stopping";
        }),
        // GitLab responds to the project's number with another project, which has everything.
        ("other number", "another project", NO_CREATOR, |aws, tag| {
            create(aws, ANN, tag, COMMITS[0]);
            let mut own = aws.gitlab.projects.remove(&40).expect("the project");
            let mut other = own.clone();
            (own.id, other.id) = (41, 99);
            "40".clone_into(&mut other.path);
            aws.gitlab.projects.extend([(41, own), (99, other)]);
        }),
        // The tag is in a new project with the former path.
        ("former path", "", NO_CREATOR, |aws, tag| {
            let mut other = project(aws).clone();
            other.id = 41;
            "platform/moved".clone_into(&mut project(aws).path);
            aws.gitlab.projects.insert(41, other);
            create(aws, ANN, tag, COMMITS[0]);
        }),
    ]);
}

/// Each is created by Ann, and its event is delivered.
// claim: tag-of-another-request-decides-nothing
#[test]
fn tag_with_another_name_decides_nothing() {
    let changed: [fn(&str) -> String; 7] = [
        |name| name.replace("/dev/", "/prd/"),
        |name| name.replace("/shop/", "/blog/"),
        |name| name.replace(&name[16..20], "zzzz"),
        |name| name[..name.len() - 1].to_owned(),
        str::to_uppercase,
        |name| format!("{name}/x"),
        |name| format!("x{name}"),
    ];
    for change in changed {
        in_scene(async |scene| {
            let name = change(&scene.deploy);
            scene.tag(ANN, &name);
            scene.tell(&name, "tag").await;
            check_health(&scene.fake).await;
            assert_eq!(scene.answer(), None, "{name}");
        });
    }
}

/// The change set is the same as before.
fn begin_approval(scene: &Scene, execution: usize) {
    scene.fake.change(|aws| {
        let now = aws.now;
        executions(aws)[execution].begin("Approval", now);
    });
}

/// Another approval waits than the one for which the tag was created.
// claim: tag-of-another-request-decides-nothing
#[test]
fn tag_of_an_earlier_request_decides_nothing() {
    let changes: [Change; 3] = [
        ("other change set", |scene| {
            let (stack, name) = SHOP.change_set();
            scene.fake.replace_change_set(&stack, &name);
        }),
        ("retried stage", |scene| {
            Step::Reject(RUN).take_at_once(&scene.fake, SHOP);
            begin_approval(scene, 1);
        }),
        ("other execution", |scene| {
            let next = [Step::End(RUN, "Stopped"), Step::Source("run-2", 0)];
            for step in next {
                step.take_at_once(&scene.fake, SHOP);
            }
            begin_approval(scene, 2);
        }),
    ];
    for (name, change) in changes {
        in_scene(async |scene| {
            let fake = &scene.fake;
            scene.tag(ANN, &scene.deploy);
            change(scene);
            fake.change(|aws| request(aws, "token-2"));
            tokio::time::sleep(Duration::from_mins(1)).await;
            scene.tell(&scene.deploy, "tag").await;
            let note = notes(fake);
            assert!(note.contains("names another request"), "{name}: {note}");
            check_health(fake).await;
            assert_eq!(waiting(fake), Some("token-2"), "{name}");
            // The tag that the note shows approves.
            let [deploy, _] = shown_tags(fake).await;
            assert_ne!(deploy, scene.deploy, "{name}");
            scene.tag(ANN, &deploy);
            check_health(fake).await;
            assert_eq!(waiting(fake), None, "{name}");
        });
    }
}

/// GitLab's calls that an approval needs.
const CALLS: [&str; 12] = [
    "GitLab.GetProject",
    "GitLab.GetTag",
    "GitLab.GetBranch",
    "GitLab.ListProtectedTags",
    "GitLab.ListDeployKeys",
    "GitLab.GetRelease",
    "GitLab.ListEvents",
    "GitLab.GetUser",
    "GitLab.GetMember",
    "GitLab.GetToken",
    "GitLab.ListCommits",
    "GitLab.ListMergeRequests",
];

// claim: unreadable-gitlab-approves-nothing
#[test]
fn unreadable_gitlab_approves_nothing_until_it_responds() {
    use FaultKind::{Denied, InternalError500, RequestHangs, Throttled};
    let kinds = [RequestHangs, InternalError500, Denied, Throttled];
    let all = kinds.map(|kind| (On::Service(Service::GitLab), kind));
    let each = CALLS.into_iter().zip(kinds.into_iter().cycle());
    let each = each.map(|(call, kind)| (On::Operation(call), kind));
    // `None`: the token is revoked, so GitLab responds with 401.
    for fault in all.into_iter().chain(each).map(Some).chain([None]) {
        in_scene(async |scene| {
            let fake = &scene.fake;
            scene.tag(ANN, &scene.deploy);
            let tokens = fake.look(|aws| aws.gitlab.tokens.clone());
            match fault.clone() {
                Some((on, kind)) => fake.break_from_now(on, kind),
                None => fake.change(|aws| aws.gitlab.tokens.clear()),
            }
            let event = tag_event(fake, &scene.deploy, "tag");
            let _ = answered_once(fake, "tag", &event).await;
            assert_eq!(scene.answer(), None, "{fault:?}");
            fake.mend();
            fake.change(|aws| aws.gitlab.tokens = tokens);
            check_health(fake).await;
            scene.assert_decided(&scene.deploy);
        });
    }
}
