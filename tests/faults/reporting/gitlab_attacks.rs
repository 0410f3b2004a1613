//! A tag of an earlier request, and a GitLab that cannot be read. They decide nothing. The stories
//! `approve_*` have other tags that decide nothing.

use std::time::Duration;

use crate::approvals::waiting;
use crate::fixture::{SHOP, check_health};
use crate::gitlab_approvals::{
    ANN, RUN, Scene, executions, in_scene, request, shown_tags, tag_event,
};
use crate::steps::ReportWord;
use fake_aws::{FaultKind, On, Service};
use test_support::custom_resource::answered_once;

/// A change of the scene, and its name.
type Change = (&'static str, fn(&Scene));

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
            ReportWord::Reject(RUN).take_at_once(&scene.fake, SHOP);
            begin_approval(scene, 1);
        }),
        ("other execution", |scene| {
            let next = [
                ReportWord::End(RUN, "Stopped"),
                ReportWord::Source("run-2", 0),
            ];
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
            check_health(fake).await;
            assert_eq!(waiting(fake), Some("token-2"), "{name}");
            // The tag that the note shows approves.
            let [deploy, _] = shown_tags(fake);
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
