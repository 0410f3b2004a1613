//! A mirror whose project's path leads to another project, or whose number another mirror got.

use expect_test::expect;

use crate::fixture::{PROJECT, REPOSITORY, fake, look};
use fake_aws::FakeAws;

/// The project moves, and another one takes its path.
fn claim(fake: &FakeAws) {
    fake.change(|aws| {
        let project = aws.gitlab.project_mut(PROJECT);
        "platform/legacy".clone_into(&mut project.path);
        project.former_path = Some(PROJECT.to_owned());
    });
    fake.gitlab_project(PROJECT, &["main"]);
}

#[tokio::test(start_paused = true)]
async fn claimed_path_is_a_finding() {
    let (fake, _) = fake().await;
    claim(&fake);
    let before = fake.mirrors("platform/legacy");
    let looked = look(&fake).await;
    assert_eq!(looked.values("MirrorHealthy", PROJECT), [0.0]);
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: GitLabProject platform/infra leads to project 41 now, and it was project 40. cfn-gitops changes nothing in project 41. Set GitLabProject: 40 to keep the former project, or GitLabProject: 41 to use the other one"].assert_eq(&looked.unhealthy());
    assert_eq!(fake.mirrors("platform/legacy"), before);
    assert_eq!(fake.mirrors(PROJECT), []);
    fake.mirrors_work("platform/legacy", REPOSITORY).expect("it pushes");
}

#[tokio::test(start_paused = true)]
async fn deleted_mirror_of_a_claimed_path_is_a_finding() {
    let (fake, _) = fake().await;
    claim(&fake);
    fake.change(|aws| aws.gitlab.project_mut("platform/legacy").mirrors.clear());
    let looked = look(&fake).await;
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: GitLabProject platform/infra leads to project 41 now, and it was project 40. cfn-gitops changes nothing in project 41; it is gone (100 at https://gitlab.example.com). Set GitLabProject: 40 to keep the former project, or GitLabProject: 41 to use the other one. Create it again: update its stack with a new RotationSerial"].assert_eq(&looked.unhealthy());
    assert_eq!(fake.mirrors(PROJECT), []);
    assert_eq!(fake.mirrors("platform/legacy"), []);
}

#[tokio::test(start_paused = true)]
async fn moved_project_is_healthy() {
    let (fake, _) = fake().await;
    fake.change(|aws| {
        let project = aws.gitlab.project_mut(PROJECT);
        "platform/legacy".clone_into(&mut project.path);
        project.former_path = Some(PROJECT.to_owned());
    });
    let looked = look(&fake).await;
    assert!(looked.is_healthy(PROJECT), "{}", looked.summary);
}

/// GitLab was restored from an older backup, and gave the number again.
#[tokio::test(start_paused = true)]
async fn mirror_to_another_host_is_a_finding() {
    let (fake, _) = fake().await;
    fake.change(|aws| {
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
        for mirror in mirrors {
            mirror.url = "https://backup.example.com/team/infra.git".to_owned();
        }
    });
    let before = fake.mirrors(PROJECT);
    let looked = look(&fake).await;
    assert_eq!(looked.values("MirrorHealthy", PROJECT), [0.0]);
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: push mirror 100 of project platform/infra (40) leads to https://backup.example.com/team/infra.git, and not to repository codecommit-dev-cfn-infra of its record. cfn-gitops does not change it. Look in the project's Settings, Repository, Mirroring repositories whether a mirror to the repository is left, and remove that one"].assert_eq(&looked.unhealthy());
    assert_eq!(fake.mirrors(PROJECT), before);
}
