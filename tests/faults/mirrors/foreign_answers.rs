//! Answers of a proxy, a gateway or an unknown route instead of GitLab's: they prove nothing.

use std::collections::BTreeSet;

use expect_test::expect;

use crate::checks;
use crate::fixture::{PROJECT, in_account, properties, serial};
use fake_aws::gitlab::Gateway;
use fake_aws::{FakeAws, redacted};
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
    let mut notes = BTreeSet::new();
    for gateway in Gateway::each("GitLab.DeleteMirror") {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            let id = our_mirror(fake);
            fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
            let answer = stack.delete().await;
            answer.assert_success();
            let (named, why) = answer.note().split_once(": ").expect("a cause");
            expect!["push mirror 101 of project platform/team/infra (40) is left in GitLab (deleting push mirror 101 of project platform/team/infra at https://gitlab.example.com"].assert_eq(named);
            let why = why.strip_suffix("). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416");
            notes.insert(why.expect("a remedy").to_owned());
            assert_eq!(our_mirror(fake), id, "{gateway:?}");
            remove_left(fake);
        });
    }
    expect![[r#"
        HTTP 200: a page without a message; the response is not JSON of GitLab's API
        HTTP 302: GitLab redirects to an unnamed address, and the token is not sent there
        HTTP 401: No API key found in request; the response is not JSON of GitLab's API
        HTTP 403: Cloudflare, which is in front of GitLab, checks whether the function is a browser
        HTTP 403: Forbidden; the response is not JSON of GitLab's API
        HTTP 403: a page without a message; the response is not JSON of GitLab's API
        HTTP 404: GitLab's API does not have this path
        HTTP 404: Not Found; the response is not JSON of GitLab's API
        HTTP 404: a page without a message; the response is not JSON of GitLab's API
        HTTP 404: no Route matched with those values; the response is not JSON of GitLab's API"#]]
    .assert_eq(&Vec::from_iter(notes).join("\n"));
}

/// The token's user was removed from the project, or a group restricts addresses: GitLab answers
/// 404 (<https://docs.gitlab.com/user/group/access_and_permissions/>).
#[test]
fn delete_names_the_mirror_of_a_project_that_gitlab_hides() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let hide = |access| fake.change(|aws| aws.gitlab.project_mut(PROJECT).access = access);
        let access = fake.look(|aws| aws.gitlab.named(PROJECT).access);
        hide(None);
        let answer = stack.delete().await;
        answer.assert_success();
        expect!["GitLab at https://gitlab.example.com does not show project platform/team/infra (40) of push mirror 101. Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(&redacted(answer.note()));
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
