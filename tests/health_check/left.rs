//! Mirrors that a deletion leaves in GitLab: the reason names them, each health check does, and the
//! remedy ends that.

use std::time::Duration;

use serde_json::json;

use crate::alarms;
use crate::fixture::{
    Looked, PROJECT, REPOSITORY, SECRET, assert_problem, diagnosed, fake, look, properties,
};
use fake_aws::clients::Clients;
use fake_aws::{FakeAws, FaultKind, On};

fn mirrors(fake: &FakeAws) -> Vec<u64> {
    fake.look(|aws| {
        let project = aws.gitlab.project("gitlab.example.com", PROJECT);
        let mirrors = project.expect("a project").mirrors.keys();
        mirrors.copied().collect()
    })
}

/// Health checks of three days with the mirror `id`, and one after its remedy.
async fn assert_lasts_until_the_remedy(fake: &FakeAws, id: u64) {
    let mut checks: Vec<Looked> = vec![];
    let mut problem = String::new();
    for _ in 0..3 {
        checks.push(look(fake).await);
        problem = checks.last().expect("a check").unhealthy();
        assert!(
            problem.contains(&format!("push mirror {id} of project")),
            "{problem}"
        );
        tokio::time::sleep(Duration::from_hours(24)).await;
    }
    assert_eq!(alarms::raised(&checks), ["MirrorsAlarm"]);
    assert_problem(fake, "without a credential", &["Remove it in the project"]).await;
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).mirrors.remove(&id));
    let (_, command) = problem
        .split_once("aws secretsmanager delete-secret --secret-id ")
        .expect("it");
    let (name, _) = command
        .split_once(" --force-delete-without-recovery")
        .expect("it");
    let secrets = Clients::over(fake.connector("person")).secrets;
    let call = secrets.delete_secret().secret_id(name);
    call.force_delete_without_recovery(true)
        .send()
        .await
        .expect("a secret");
    checks.push(look(fake).await);
    checks[3].assert_healthy();
    assert_eq!(alarms::raised(&checks), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn mirror_of_an_unreachable_gitlab_lasts_in_the_checks() {
    let (fake, mut stack) = fake().await;
    let [id] = mirrors(&fake)[..] else { panic!() };
    fake.break_from_now(
        On::Operation("GitLab.DeleteMirror"),
        FaultKind::InternalError500,
    );
    let deleted = stack.delete().await;
    assert!(
        deleted.note().contains(&format!("push mirror {id}")),
        "{deleted:?}"
    );
    fake.mend();
    assert_lasts_until_the_remedy(&fake, id).await;
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
    let mut changed = properties("user-dev-mirror", PROJECT, REPOSITORY);
    changed["RotationSerial"] = json!("2");
    stack.update(&changed, None).await.assert_success();
    assert_eq!(mirrors(&fake).len(), 2);
    fake.push_to_gitlab(PROJECT, "main", "c2");
    tokio::time::sleep(Duration::from_mins(10)).await;
    let subject = "another push mirror of project platform/infra";
    let problem = "its latest push failed, and no secret names it";
    assert_problem(&fake, subject, &[problem]).await;
    let deleted = stack.delete().await;
    assert!(
        deleted
            .note()
            .contains(&format!("push mirror {first} of project")),
        "{deleted:?}"
    );
    assert_eq!(mirrors(&fake), [first]);
    assert_lasts_until_the_remedy(&fake, first).await;
}

#[tokio::test(start_paused = true)]
async fn sound_deletion_leaves_no_record() {
    let (fake, mut stack) = fake().await;
    let deleted = stack.delete().await;
    assert_eq!(deleted.note(), "");
    assert!(fake.look(|aws| aws.secrets.keys().all(|name| !name.contains("left"))));
    let checks = diagnosed(&fake).await;
    assert!(
        checks.iter().all(|(_, problem)| problem.is_none()),
        "{checks:?}"
    );
}
