//! `SelfRepair`: mirrors that were deleted or disabled in GitLab are created again.

use std::time::Duration;

use expect_test::expect;

use crate::fixture::{PROJECT, REPOSITORY, USER, fake, look, look_and_repair, repair};
use cfn_gitops::mirror_credential::rotation::repair::Repair;
use fake_aws::explore::paused;
use fake_aws::gitlab::Gateway;
use fake_aws::{FakeAws, Fault, FaultKind, Schedules};

/// The name under which the repairing health check calls.
const CHECK: &str = "health check";

#[derive(Clone, Copy, Debug)]
enum Broken {
    Deleted,
    Disabled,
}

fn break_mirror(fake: &FakeAws, how: Broken) {
    fake.change(|aws| {
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        match how {
            Broken::Deleted => mirrors.clear(),
            Broken::Disabled => mirrors.values_mut().for_each(|one| one.enabled = false),
        }
    });
}

/// One mirror works, and nothing is left of another one.
fn assert_repaired(fake: &FakeAws) {
    fake.mirrors_work(PROJECT, REPOSITORY).expect("it pushes");
    // A killed delivery may leave a disabled mirror, as docs/project/decisions describes.
    let mirrors = fake.mirrors(PROJECT);
    let enabled = mirrors.iter().filter(|mirror| mirror.enabled);
    assert_eq!(enabled.count(), 1, "{mirrors:?}");
    // A rotation leaves the former credential, inactive.
    let active = fake.look(|aws| {
        let credentials = aws.iam.latest().users[USER].credentials.iter();
        credentials.filter(|one| one.active).count()
    });
    assert_eq!(active, 1);
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn broken_mirror_is_created_again_without_a_schedule() {
    for how in [Broken::Deleted, Broken::Disabled] {
        let (fake, _) = fake().await;
        let credentials = || fake.look(|aws| aws.iam.latest().users[USER].credentials.clone());
        let former = credentials();
        break_mirror(&fake, how);
        let looked = look_and_repair(&fake, &fake.caller(CHECK)).await;
        assert!(!looked.is_healthy(PROJECT), "{how:?}");
        assert_repaired(&fake);
        assert_ne!(former, credentials(), "the former login is not used again");
        let looked = look_and_repair(&fake, &fake.caller("later")).await;
        assert!(looked.is_healthy(PROJECT), "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn second_repair_of_an_hour_is_not_reported_as_one() {
    let (fake, _) = fake().await;
    break_mirror(&fake, Broken::Deleted);
    assert_eq!(repair(&fake, "first", 7).await, Repair::Done);
    break_mirror(&fake, Broken::Deleted);
    assert_eq!(repair(&fake, "second", 7).await, Repair::DoneBefore);
    assert_eq!(repair(&fake, "third", 8).await, Repair::Done);
    assert_repaired(&fake);
}

#[tokio::test(start_paused = true)]
async fn healthy_mirror_and_missing_parameter_change_nothing() {
    let (fake, _) = fake().await;
    let (before, written) = (fake.mirrors(PROJECT), fake.count("PutSecretValue"));
    look_and_repair(&fake, &fake.caller(CHECK)).await;
    assert_eq!(fake.mirrors(PROJECT)[0].id, before[0].id);
    break_mirror(&fake, Broken::Deleted);
    look(&fake).await;
    assert!(fake.mirrors(PROJECT).is_empty());
    assert_eq!(fake.count("PutSecretValue"), written);
}

/// The mirror is healthy, and only the answer about it is not GitLab's.
#[tokio::test(start_paused = true)]
async fn foreign_answer_about_a_mirror_repairs_nothing() {
    for gateway in Gateway::each("GitLab.GetMirror") {
        let (fake, _) = fake().await;
        let before = (fake.mirrors(PROJECT)[0].id, fake.count("PutSecretValue"));
        fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
        let looked = look_and_repair(&fake, &fake.caller(CHECK)).await;
        assert!(!looked.is_healthy(PROJECT), "{gateway:?}");
        let texts = looked.unhealthy();
        let is_named = texts.contains("GitLab's API") && !texts.contains("it is gone");
        assert!(is_named, "{gateway:?}: {texts}");
        let after = (fake.mirrors(PROJECT)[0].id, fake.count("PutSecretValue"));
        assert_eq!(after, before, "{gateway:?}");
    }
}

/// GitLab hides the project from the token's user.
#[tokio::test(start_paused = true)]
async fn hidden_project_is_named_and_not_repaired() {
    let (fake, _) = fake().await;
    let before = fake.mirrors(PROJECT)[0].id;
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).access = None);
    let looked = look_and_repair(&fake, &fake.caller(CHECK)).await;
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: looking up push mirror 100 of project platform/infra at https://gitlab.example.com: HTTP 404: GitLab does not show the project: there is no such project, or the token's user may not see it. Set GitLabProject (of a pipeline: GitLab.Project) to the full path, with all groups, or to the project's number. If it is right, make the token's user a Maintainer of the project"].assert_eq(&looked.unhealthy());
    assert_eq!(fake.mirrors(PROJECT)[0].id, before);
}

/// A new mirror would stay disabled too, so each repair would issue a login and delete it.
#[tokio::test(start_paused = true)]
async fn mirror_that_gitlab_keeps_disabled_gets_no_new_login() {
    let (fake, _) = fake().await;
    let before = (fake.mirrors(PROJECT)[0].id, fake.count("PutSecretValue"));
    fake.change(|aws| aws.options.gitlab.silent = true);
    for hour in 0..3 {
        let looked = look_and_repair(&fake, &fake.caller(&format!("check {hour}"))).await;
        assert!(!looked.is_healthy(PROJECT), "{hour}");
        tokio::time::sleep(Duration::from_mins(80)).await;
    }
    let after = (fake.mirrors(PROJECT)[0].id, fake.count("PutSecretValue"));
    assert_eq!(after, before);
    fake.change(|aws| aws.options.gitlab.silent = false);
    assert!(look_and_repair(&fake, &fake.caller("later")).await.is_healthy(PROJECT));
}

#[tokio::test(start_paused = true)]
async fn repair_whose_push_never_ends_leaves_time_for_the_rest() {
    let (fake, _) = fake().await;
    break_mirror(&fake, Broken::Deleted);
    fake.change(|aws| aws.options.sync_takes = Duration::from_hours(2));
    let began = fake.now();
    look_and_repair(&fake, &fake.caller(CHECK)).await;
    let took = fake.now().duration_since(began).expect("a time");
    assert!(took < Duration::from_mins(10), "{took:?}");
}

/// A fault at one call of the repair. The checks of the next hours repair the rest.
async fn with_fault(how: Broken, fault: Option<Fault>) -> FakeAws {
    fastrand::seed(7);
    let (fake, _) = fake().await;
    break_mirror(&fake, how);
    if let Some(fault) = fault {
        fake.inject(CHECK, fault);
    }
    let caller = fake.caller(CHECK);
    caller.run(look_and_repair(&fake, &caller)).await;
    for hour in 0..3 {
        tokio::time::sleep(Duration::from_mins(80)).await;
        look_and_repair(&fake, &fake.caller(&format!("check {hour}"))).await;
    }
    assert_repaired(&fake);
    fake
}

#[test]
fn no_fault_prevents_the_repair_or_leaves_anything_behind() {
    let mut schedules = Schedules::one_in(4);
    for how in [Broken::Deleted, Broken::Disabled] {
        let calls = paused(with_fault(how, None)).calls_of(CHECK);
        for index in 0..calls {
            for kind in FaultKind::EACH {
                let shown = format!("{how:?}: {kind:?} at {index}");
                schedules.run(&shown, || {
                    paused(with_fault(how, Some(Fault::at(index, kind))))
                });
            }
        }
    }
    let schedules = schedules.report("single faults in the repair of a mirror");
    assert!(schedules > 50);
}
