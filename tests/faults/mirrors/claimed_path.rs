//! The path of a project passes to another project. Nothing happens there, and the mirror stays in
//! the project whose number its record has.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::{Value, json};

use crate::checks::{our_mirrors, value};
use crate::fixture::{
    PROJECT, REPOSITORY, elsewhere, in_account, mirror, properties, serial, with,
};
use fake_aws::FakeAws;
use fake_aws::gitlab::{REDIRECT_HOST, Scope};
use test_support::Rotated;
use test_support::custom_resource::RollBack;
use test_support::defects::{ANY, Defect::Changes};

/// The path of the project after it moved.
const LEGACY: &str = "platform/legacy";

/// The project moves, and GitLab redirects its former path. Returns its number.
fn rename(fake: &FakeAws) -> u64 {
    fake.change(|aws| {
        let project = aws.gitlab.project_mut(PROJECT);
        LEGACY.clone_into(&mut project.path);
        project.former_path = Some(PROJECT.to_owned());
        project.id
    })
}

/// The project moves, and another one takes its path. Returns their numbers.
fn claim(fake: &FakeAws) -> (u64, u64) {
    let former = rename(fake);
    let other = fake.gitlab_project(PROJECT, &["main", "development"]);
    fake.protect(PROJECT, &["main", "dev*"]);
    (former, other)
}

/// The properties with this project.
fn of(project: &impl ToString) -> Value {
    with(
        properties(),
        "Mirrors",
        json!([mirror(&project.to_string(), REPOSITORY)]),
    )
}

/// How many mirrors of ours the project has.
fn count(fake: &FakeAws, project: &str) -> usize {
    let mirrors = fake.mirrors(project);
    mirrors.iter().filter(|mirror| mirror.is_ours()).count()
}

/// The former project has the only mirror.
#[track_caller]
fn assert_kept(fake: &FakeAws) {
    fake.mirrors_work(LEGACY, REPOSITORY).expect("it pushes");
    assert_eq!((count(fake, LEGACY), count(fake, PROJECT)), (1, 0));
}

#[test]
fn update_of_a_claimed_path_is_rejected_and_rolled_back() {
    let tags = with(properties(), "Tags", json!({"Team": "shop"}));
    let renamed = with(
        properties(),
        "SecretName",
        json!("codecommit-mirror/user-dev-b"),
    );
    let mut reasons = BTreeSet::new();
    for changed in [tags, renamed, serial(&properties(), 2)] {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            claim(fake);
            let kept = value(&fake.snapshot());
            let updated = stack.update(&changed, None).await;
            reasons.insert(updated.reason().to_owned());
            assert_kept(fake);
            assert_eq!(value(&fake.snapshot()), kept);
        });
    }
    expect!["Mirrors[0].GitLabProject platform/team/infra leads to project 42 now, and it was project 40. cfn-gitops changes nothing in project 42. Set Mirrors[0].GitLabProject: 40 to keep the former project, or Mirrors[0].GitLabProject: 42 to use the other one - CFG-424"].assert_eq(&Vec::from_iter(reasons).join("\n"));
}

#[test]
fn number_of_the_former_project_keeps_its_mirror() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let (former, _) = claim(fake);
        let before = fake.mirrors(LEGACY);
        stack.update(&of(&former), None).await.assert_success();
        assert_eq!(fake.mirrors(LEGACY), before);
        assert_kept(fake);
        stack.update(&serial(&of(&former), 2), None).await.assert_success();
        assert_kept(fake);
        stack.delete().await.assert_success();
        assert_eq!((count(fake, LEGACY), count(fake, PROJECT)), (0, 0));
    });
}

#[test]
fn number_of_the_other_project_moves_the_mirror() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let (_, other) = claim(fake);
        stack.update(&of(&other), None).await.assert_success();
        fake.mirrors_work(PROJECT, REPOSITORY).expect("it pushes");
        assert_eq!((count(fake, LEGACY), count(fake, PROJECT)), (0, 1));
    });
}

/// The number of a path counts in its GitLab only.
#[test]
fn same_path_in_another_gitlab_is_another_project() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let other = fake.gitlab_project_at(REDIRECT_HOST, PROJECT, &["main"]);
        fake.gitlab_token_for("gitlab/other", REDIRECT_HOST, Scope::Api);
        stack.update(&elsewhere("gitlab/other"), None).await.assert_success();
        let stored = value(&fake.snapshot()).expect("a login");
        assert_eq!(stored["mirrors"][0]["gitLabProjectNumber"], other);
        let projects = fake.look(our_mirrors).into_iter();
        let mirrors: Vec<_> = projects.map(|(_, mirror)| mirror.id).collect();
        let of_other = fake.look(|aws| aws.gitlab.projects[&other].mirrors.clone());
        assert_eq!(mirrors, of_other.into_keys().collect::<Vec<_>>());
    });
}

/// Another resource of the stack fails after the remedy, so the path returns.
#[test]
fn rollback_to_a_claimed_path_stays_in_the_former_project() {
    for is_renewed in [false, true] {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            let (former, _) = claim(fake);
            let mut remedy = of(&former);
            if is_renewed {
                remedy = serial(&remedy, 2);
            }
            let updated = stack.update(&remedy, Some(RollBack::UpdateBack)).await;
            updated.assert_success();
            assert_kept(fake);
        });
    }
}

#[test]
fn rotation_of_a_claimed_path_renews_the_former_mirror() {
    in_account(async |fake, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        let (former, _) = claim(fake);
        let before = fake.mirrors(LEGACY);
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        assert_kept(fake);
        assert_ne!(fake.mirrors(LEGACY), before);
        // The numbers stay in the records.
        let stored = value(&fake.snapshot()).expect("a login");
        assert_eq!(stored["mirrors"][0]["gitLabProjectNumber"], former);
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        assert_kept(fake);
    });
}

#[test]
fn delete_of_a_claimed_path_removes_the_former_mirror() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        claim(fake);
        // A person's mirror in the other project.
        let url =
            format!("https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/{REPOSITORY}");
        fake.manual_mirror(PROJECT, &url, None, true);
        let deleted = stack.delete().await;
        deleted.assert_success();
        assert_eq!(deleted.note(), "");
        assert_eq!(count(fake, LEGACY), 0);
        assert_eq!(fake.mirrors(PROJECT).len(), 1);
    });
}

/// A path that leads nowhere else changes nothing.
#[test]
fn moved_project_keeps_its_mirror() {
    in_account(async |fake, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        rename(fake);
        let tags = with(properties(), "Tags", json!({"Team": "shop"}));
        stack.update(&tags, None).await.assert_success();
        assert_eq!(count(fake, LEGACY), 1);
        // The new path is that of the same project.
        let before = fake.mirrors(LEGACY);
        stack.update(&of(&LEGACY), None).await.assert_success();
        assert_eq!(fake.mirrors(LEGACY), before);
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        fake.mirrors_work(LEGACY, REPOSITORY).expect("it pushes");
        stack.delete().await.assert_success();
        assert_eq!(count(fake, LEGACY), 0);
    });
}

#[test]
fn project_that_is_given_by_both_names_is_rejected() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let number = fake.look(|aws| aws.gitlab.named(PROJECT).id).to_string();
        let both = [PROJECT, &number].map(|project| mirror(project, REPOSITORY));
        let twice = with(properties(), "Mirrors", json!(both));
        let updated = stack.update(&twice, None).await;
        updated.assert_reason(["Mirrors[1] mirrors the same project", "CFG-102"]);
        assert_eq!(count(fake, PROJECT), 1);
    });
}

/// After a restore of an older backup, GitLab gave the mirror's number to another mirror.
#[test]
fn mirror_to_another_host_is_left_and_named() {
    let mut shown = vec![];
    for change in ["delete", "password", "removed"] {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            let id = fake.change(|aws| {
                let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
                let own = mirrors.filter(|mirror| mirror.is_ours()).last().expect("a mirror");
                own.url = "https://backup.example.com/team/infra.git".to_owned();
                own.id
            });
            let note = match change {
                "delete" => stack.delete().await.note().to_owned(),
                "password" => {
                    stack.update(&serial(&properties(), 2), None).await.reason().to_owned()
                }
                _ => {
                    let none = json!({"UserName": crate::fixture::USER});
                    let removed = stack.update(&none, None).await;
                    stack.update(&properties(), None).await.assert_success();
                    removed.note().to_owned()
                }
            };
            shown.push(format!("{change}: {note}"));
            let left = fake.mirrors(PROJECT);
            let left = left.iter().find(|mirror| mirror.id == id).expect("the mirror");
            assert!(left.enabled, "{change}");
        });
    }
    expect![[r#"
        delete: push mirror 101 of project platform/team/infra (40) leads to https://backup.example.com/team/infra.git, and not to repository codecommit-dev-cfn-infra of its record. cfn-gitops does not change it. Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416
        password: reading push mirror 101 of project platform/team/infra (40): GitLab shows its address as https://backup.example.com/team/infra.git, and not as https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/codecommit-dev-cfn-infra. If a proxy before GitLab rewrites addresses in responses, let it pass this one unchanged. If GitLab's page shows that address, too, another mirror has this number, as after a restore of a backup: remove the mirror from Mirrors, update the stack, and add it again - CFG-421
        removed: push mirror 101 of project platform/team/infra (40) leads to https://backup.example.com/team/infra.git, and not to repository codecommit-dev-cfn-infra of its record. cfn-gitops does not change it. Look in the project's Settings, Repository, Mirroring repositories whether a mirror to the repository is left, and remove that one - CFG-416"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn product_that_calls_by_path_is_noticed() {
    // It calls GitLab by the path of the template.
    let by_path = Changes(ANY, |_, _, request| {
        let path = format!("/projects/{}", PROJECT.replace('/', "%2F"));
        let address = request.uri().replace("/projects/40", &path);
        request.set_uri(address).expect("an address");
    });
    let plays: [(&str, fn()); 4] = [
        (
            "the update",
            update_of_a_claimed_path_is_rejected_and_rolled_back,
        ),
        ("the remedy", number_of_the_former_project_keeps_its_mirror),
        (
            "the rotation",
            rotation_of_a_claimed_path_renews_the_former_mirror,
        ),
        (
            "the delete",
            delete_of_a_claimed_path_removes_the_former_mirror,
        ),
    ];
    for (name, play) in plays {
        by_path.assert_noticed(name, "", play);
    }
}
