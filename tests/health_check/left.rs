//! Mirrors that a deletion leaves in GitLab: the reason names them, each health check does, and the
//! remedy ends that.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::alarms;
use crate::fixture::{
    CREDENTIAL, Looked, PROJECT, REPOSITORY, SECRET, USER, diagnosed, fake, look, mirrored_from,
    problem_of, properties,
};
use fake_aws::clients::Clients;
use fake_aws::gitlab::DEVELOPER;
use fake_aws::{FakeAws, FaultKind, On, Service, redacted};
use test_support::custom_resource::{INVENTED_ID, ParentStack, RollBack};

const ANOTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/another/1";
const OTHER_PROJECT: &str = "platform/another";
const OTHER_REPOSITORY: &str = "codecommit-dev-cfn-another";
const OTHER_USER: &str = "user-dev-other";

fn mirrors(fake: &FakeAws) -> Vec<u64> {
    fake.mirrors(PROJECT).iter().map(|mirror| mirror.id).collect()
}

/// The names of the records.
fn records(fake: &FakeAws) -> Vec<String> {
    fake.look(|aws| {
        let names = aws.secrets.keys().filter(|name| name.contains("/mirrors-left-"));
        names.cloned().collect()
    })
}

/// The reason of the latest response.
fn latest_note(fake: &FakeAws) -> String {
    let responses = fake.responses();
    let body = responses.last().expect("a response").json();
    assert_eq!(body["Status"], "SUCCESS", "{body}");
    body["Reason"].as_str().unwrap_or_default().to_owned()
}

/// The finding of health checks of three days with the mirror `id`, and none after its remedy. Only a
/// mirror that is certainly left raises the alarm.
async fn last_until_the_remedy(fake: &FakeAws, id: u64, is_certain: bool) -> String {
    let (subject, metric, alarm) = if is_certain {
        ("without a credential", &[0.0][..], &["MirrorsAlarm"][..])
    } else {
        ("may have left", &[][..], &[][..])
    };
    let mut checks: Vec<Looked> = vec![];
    let mut problems = vec![];
    for _ in 0..3 {
        checks.push(look(fake).await);
        let check = checks.last().expect("a check");
        problems.push(check.texts("Unhealthy").join("\n"));
        assert_eq!(check.values("MirrorHealthy", PROJECT), metric);
        tokio::time::sleep(Duration::from_hours(24)).await;
    }
    problems.dedup();
    let problem = problems.join("\n");
    assert_eq!(alarms::raised(&checks), alarm);
    let shown = redacted(&problem);
    assert!(shown.ends_with(&problem_of(fake, subject).await), "{shown}");
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).mirrors.remove(&id));
    let (_, command) =
        problem.split_once("aws secretsmanager delete-secret --secret-id ").expect("it");
    let (name, _) = command.split_once(" --force-delete-without-recovery").expect("it");
    let secrets = Clients::over(fake.connector("a person")).secrets;
    let call = secrets.delete_secret().secret_id(name);
    call.force_delete_without_recovery(true).send().await.expect("a secret");
    checks.push(look(fake).await);
    checks[3].assert_healthy();
    assert_eq!(alarms::raised(&checks), [""; 0]);
    shown
}

#[tokio::test(start_paused = true)]
async fn mirror_of_an_unreachable_gitlab_lasts_in_the_checks() {
    let mut shown = vec![];
    for (on, kind) in [
        (
            On::Operation("GitLab.DeleteMirror"),
            FaultKind::InternalError500,
        ),
        (On::Service(Service::GitLab), FaultKind::RequestLost),
        (On::Service(Service::GitLab), FaultKind::RequestHangs),
    ] {
        let (fake, mut stack) = fake().await;
        let [id] = mirrors(&fake)[..] else { panic!() };
        fake.break_from_now(on, kind);
        let deleted = stack.delete().await;
        fake.mend();
        shown.push(deleted.note().to_owned());
        shown.push(last_until_the_remedy(&fake, id, true).await);
    }
    expect![[r#"
        push mirror 100 of project platform/infra (40) is left in GitLab (deleting push mirror 100 of project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416
        a mirror of project platform/infra without a credential: push mirror 100 of project platform/infra (40) is left in GitLab (deleting push mirror 100 of project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error). Its login is deleted, so its pushes fail. Remove it in the project's Settings, Repository, Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id codecommit-mirror/user-dev-mirror/mirrors-left-<id> --force-delete-without-recovery
        push mirror 100 of project platform/infra (40) is left in GitLab (looking up push mirror 100 of project platform/infra at https://gitlab.example.com: GitLab did not respond in time). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416
        a mirror of project platform/infra without a credential: push mirror 100 of project platform/infra (40) is left in GitLab (looking up push mirror 100 of project platform/infra at https://gitlab.example.com: GitLab did not respond in time). Its login is deleted, so its pushes fail. Remove it in the project's Settings, Repository, Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id codecommit-mirror/user-dev-mirror/mirrors-left-<id> --force-delete-without-recovery
        push mirror 100 of project platform/infra (40) is left in GitLab (looking up push mirror 100 of project platform/infra at https://gitlab.example.com: GitLab did not respond in time). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416
        a mirror of project platform/infra without a credential: push mirror 100 of project platform/infra (40) is left in GitLab (looking up push mirror 100 of project platform/infra at https://gitlab.example.com: GitLab did not respond in time). Its login is deleted, so its pushes fail. Remove it in the project's Settings, Repository, Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id codecommit-mirror/user-dev-mirror/mirrors-left-<id> --force-delete-without-recovery"#]].assert_eq(&shown.join("\n"));
}

/// The project may be deleted, and its mirrors with it.
#[tokio::test(start_paused = true)]
async fn mirror_of_a_hidden_project_raises_no_alarm() {
    let (fake, mut stack) = fake().await;
    let [id] = mirrors(&fake)[..] else { panic!() };
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).access = None);
    let deleted = stack.delete().await;
    expect!["GitLab at https://gitlab.example.com does not show project platform/infra (40) of push mirror 100. Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(deleted.note());
    expect!["a mirror that the deletion of user user-dev-mirror's credential may have left: GitLab at https://gitlab.example.com does not show project platform/infra (40) of push mirror 100. If it exists and you do not use it, remove it in the project's Settings, Repository, Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id codecommit-mirror/user-dev-mirror/mirrors-left-<id> --force-delete-without-recovery"].assert_eq(&last_until_the_remedy(&fake, id, false).await);
}

/// A person deletes the secret without a recovery window, an Update creates another mirror, and the Delete removes
/// that one.
#[tokio::test(start_paused = true)]
async fn mirror_of_a_deleted_secret_is_named_by_the_delete() {
    let (fake, mut stack) = fake().await;
    let [first] = mirrors(&fake)[..] else {
        panic!()
    };
    fake.change(|aws| aws.secrets.remove(SECRET));
    let mut changed = properties(USER, PROJECT, REPOSITORY);
    changed["RotationSerial"] = json!("2");
    stack.update(&changed, None).await.assert_success();
    assert_eq!(mirrors(&fake).len(), 2);
    fake.push_to_gitlab(PROJECT, "main", "c2");
    tokio::time::sleep(Duration::from_mins(10)).await;
    let deleted = stack.delete().await;
    expect!["push mirror 100 of project platform/infra to repository codecommit-dev-cfn-infra is left in GitLab, because no record names it; the repository may be another account's, or a person may have created the mirror. Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(deleted.note());
    assert_eq!(mirrors(&fake), [first]);
    expect!["a mirror that the deletion of user user-dev-mirror's credential may have left: push mirror 100 of project platform/infra to repository codecommit-dev-cfn-infra is left in GitLab, because no record names it; the repository may be another account's, or a person may have created the mirror. If it exists and you do not use it, remove it in the project's Settings, Repository, Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id codecommit-mirror/user-dev-mirror/mirrors-left-<id> --force-delete-without-recovery"].assert_eq(&last_until_the_remedy(&fake, first, false).await);
}

/// A stack whose properties name two projects. Returns the IDs of their mirrors.
async fn two_projects() -> (FakeAws, ParentStack, [u64; 2]) {
    let (fake, mut stack) = fake().await;
    fake.gitlab_project(OTHER_PROJECT, &["main"]);
    fake.repository(OTHER_REPOSITORY);
    let mut both = properties(USER, PROJECT, REPOSITORY);
    let other = json!({"GitLabProject": OTHER_PROJECT, "RepositoryName": OTHER_REPOSITORY});
    both["Mirrors"].as_array_mut().expect("a list").push(other);
    stack.update(&both, None).await.assert_success();
    let ids = [PROJECT, OTHER_PROJECT].map(|project| fake.mirrors(project)[0].id);
    (fake, stack, ids)
}

#[tokio::test(start_paused = true)]
async fn record_names_the_project_of_the_mirror_that_is_left() {
    for hangs in [false, true] {
        let (fake, mut stack, [deleted, left]) = two_projects().await;
        let mut properties = properties(USER, PROJECT, REPOSITORY);
        if hangs {
            // The time limit cuts the deletion.
            properties["ServiceTimeout"] = json!("20");
            fake.break_from_now(On::Project(OTHER_PROJECT), FaultKind::RequestHangs);
        } else {
            let denied = Some(DEVELOPER);
            fake.change(|aws| aws.gitlab.project_mut(OTHER_PROJECT).access = denied);
        }
        let request = stack.request("Delete", Some(SECRET), &properties, None);
        let answer = stack.deliver(&request).await;
        let names = |id| answer.note().contains(&format!("push mirror {id} of"));
        assert!(names(left) && !names(deleted), "{answer:?}");
        let check = look(&fake).await;
        assert_eq!(check.values("MirrorHealthy", OTHER_PROJECT), [0.0]);
        assert_eq!(check.subjects(), [OTHER_PROJECT], "{check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mirrors_of_two_projects_are_recorded_for_each() {
    let (fake, mut stack, _) = two_projects().await;
    fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
    stack.delete().await.assert_success();
    let check = look(&fake).await;
    assert_eq!(check.subjects(), [OTHER_PROJECT, PROJECT], "{check:?}");
}

#[tokio::test(start_paused = true)]
async fn second_deletion_is_recorded_again() {
    let (fake, mut stack) = fake().await;
    for number in 1..=2 {
        let id = *mirrors(&fake).last().expect("a mirror");
        fake.break_from_now(
            On::Operation("GitLab.DeleteMirror"),
            FaultKind::InternalError500,
        );
        stack.delete().await.assert_success();
        fake.mend();
        assert_eq!(records(&fake).len(), number);
        let problem = look(&fake).await.unhealthy();
        assert!(problem.contains(&format!("push mirror {id} ")), "{problem}");
        let again = properties(USER, PROJECT, REPOSITORY);
        stack.create(&again).await.assert_success();
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_succeeds_without_its_record() {
    for operation in ["CreateSecret", "DeleteSecret"] {
        let (fake, mut stack) = fake().await;
        fake.deny(&format!("secretsmanager:{operation}"), "mirrors-left");
        fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
        let deleted = stack.delete().await;
        assert!(deleted.note().ends_with("CFG-416"), "{deleted:?}");
        assert_eq!(records(&fake).is_empty(), operation == "CreateSecret");
    }
}

/// The response does not wait for Secrets Manager.
#[tokio::test(start_paused = true)]
async fn record_takes_half_of_the_time_left_at_most() {
    let (fake, mut stack) = fake().await;
    let mut short = properties(USER, PROJECT, REPOSITORY);
    short["ServiceTimeout"] = json!("20");
    stack.update(&short, None).await.assert_success();
    fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestHangs);
    fake.break_from_now(On::Operation("CreateSecret"), FaultKind::RequestHangs);
    let deleted = stack.delete().await;
    assert!(deleted.note().ends_with("CFG-416"), "{deleted:?}");
}

/// The Create has failed and deleted everything, or it is a second delivery. The mirror is of another stack.
#[tokio::test(start_paused = true)]
async fn mirror_beside_a_deletion_of_nothing_is_no_finding() {
    let (fake, _) = fake().await;
    fake.user(OTHER_USER);
    let mut another = ParentStack::called(&fake, CREDENTIAL, ANOTHER_STACK);
    another.starts_counting_at(10);
    let id = format!("codecommit-mirror/{OTHER_USER}");
    let properties = properties(OTHER_USER, PROJECT, REPOSITORY);
    another.delete_id(&id, &properties).await;
    expect!["push mirror 100 of project platform/infra to repository codecommit-dev-cfn-infra is left in GitLab, because no record names it; the repository may be another account's, or a person may have created the mirror. Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(&latest_note(&fake));
    assert_eq!(records(&fake), [""; 0]);
    look(&fake).await.assert_healthy();
}

/// Deletions that leave nothing, beside a mirror of another secret in some of them.
async fn delete_soundly(case: &str, fake: &FakeAws, stack: &mut ParentStack) {
    let mut changed = properties(USER, PROJECT, REPOSITORY);
    match case {
        "replacement" | "rollback of a replacement" | "deletion of a new secret alone" => {
            changed["SecretName"] = json!("codecommit-mirror/user-dev-changed");
            let roll_back = match case {
                "replacement" => None,
                "rollback of a replacement" => Some(RollBack::UpdateBack),
                _ => Some(RollBack::DeleteNewOnly),
            };
            stack.update(&changed, roll_back).await.assert_success();
        }
        "replacement of the user" => {
            fake.user(OTHER_USER);
            changed["UserName"] = json!(OTHER_USER);
            stack.update(&changed, None).await.assert_success();
        }
        "migration" => {
            mirrored_from(fake, OTHER_USER, PROJECT, REPOSITORY).await;
            stack.delete().await.assert_success();
        }
        "Create without a response" => {
            fake.user(OTHER_USER);
            let properties = properties(OTHER_USER, PROJECT, REPOSITORY);
            let mut another = ParentStack::called(fake, CREDENTIAL, ANOTHER_STACK);
            another.starts_counting_at(10);
            another.delete_id(INVENTED_ID, &properties).await;
        }
        "slow look for other mirrors" => {
            let list = On::Operation("GitLab.ListMirrors");
            fake.break_from_now(list, FaultKind::RequestHangs);
            stack.delete().await.assert_success();
            fake.mend();
        }
        _ => stack.delete().await.assert_success(),
    }
}

#[tokio::test(start_paused = true)]
async fn sound_deletion_leaves_no_record() {
    for case in [
        "deletion",
        "replacement",
        "rollback of a replacement",
        "deletion of a new secret alone",
        "replacement of the user",
        "migration",
        "Create without a response",
        "slow look for other mirrors",
    ] {
        let (fake, mut stack) = fake().await;
        // CloudFormation shows the update of the resource.
        fake.change(|aws| aws.stacks.declared.clear());
        delete_soundly(case, &fake, &mut stack).await;
        assert_eq!(latest_note(&fake), "", "{case}");
        assert_eq!(records(&fake), [""; 0], "{case}");
        let checks = diagnosed(&fake).await;
        let is_healthy = checks.iter().all(|(_, problem)| problem.is_none());
        assert!(is_healthy, "{case}: {checks:?}");
    }
}
