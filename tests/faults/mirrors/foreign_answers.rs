//! Answers of a proxy, a gateway or an unknown route instead of GitLab's: they prove nothing.

use crate::checks;
use crate::fixture::{PROJECT, in_account, properties, serial};
use fake_aws::FakeAws;
use fake_aws::gitlab::Gateway;
use test_support::Rotated;

fn our_mirror(fake: &FakeAws) -> u64 {
    let mirrors = fake.mirrors(PROJECT);
    let own = mirrors.iter().find(|mirror| mirror.is_ours());
    own.expect("a mirror").id
}

/// A person removes the mirror that is left, so that the account is as before.
fn remove_left(fake: &FakeAws) {
    fake.change(|aws| {
        aws.options.gitlab.gateway = None;
        let project = aws.gitlab.project_mut(PROJECT);
        project.mirrors.retain(|_, mirror| !mirror.is_ours());
    });
}

#[test]
fn delete_names_the_mirror_that_nothing_shows_as_deleted() {
    for gateway in Gateway::each("GitLab.DeleteMirror") {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            let id = our_mirror(fake);
            fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
            let answer = stack.delete().await;
            answer.assert_success();
            let note = answer.note();
            let left = format!("push mirror {id} of project {PROJECT} (40) is left in GitLab");
            assert!(
                note.contains(&left) && note.contains("CFG-416"),
                "{gateway:?}: {note}"
            );
            assert_eq!(our_mirror(fake), id, "{gateway:?}");
            remove_left(fake);
        });
    }
}

/// The token's user was removed from the project, or a group restricts addresses: GitLab answers
/// 404 (<https://docs.gitlab.com/user/group/access_and_permissions/>).
#[test]
fn delete_names_the_mirror_of_a_project_that_gitlab_hides() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let id = our_mirror(fake);
        let hide = |access| fake.change(|aws| aws.gitlab.project_mut(PROJECT).access = access);
        let access = fake.look(|aws| aws.gitlab.named(PROJECT).access);
        hide(None);
        let answer = stack.delete().await;
        answer.assert_success();
        let note = answer.note();
        let (hidden, remove) = (
            format!("does not show project {PROJECT}"),
            format!("push mirror {id}"),
        );
        let says = |part: &str| note.contains(part);
        assert!(says(&hidden) && says(&remove) && says("CFG-416"), "{note}");
        hide(access);
        remove_left(fake);
    });
}

#[test]
fn rotation_that_cannot_delete_the_former_mirror_fails() {
    for gateway in Gateway::each("GitLab.DeleteMirror") {
        in_account(async |fake, stack, rotation| {
            stack.create(&properties()).await.assert_success();
            let former = our_mirror(fake);
            fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
            let rotated = rotation.rotate().await;
            assert_ne!(rotated, Rotated::Finished, "{gateway:?}");
            let is_there = fake.mirrors(PROJECT).iter().any(|mirror| mirror.id == former);
            assert!(is_there, "{gateway:?}");
            // The next Update deletes it.
            fake.change(|aws| aws.options.gitlab.gateway = None);
            let updated = stack.update(&serial(&properties(), 2), None).await;
            updated.assert_success();
            fake.assert_holds(|aws| checks::at_rest(aws, &serial(&properties(), 2), true));
        });
    }
}
