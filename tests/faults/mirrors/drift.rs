//! Drift that another person causes: an Update without a change corrects it, and a
//! Delete succeeds.

use expect_test::expect;
use serde_json::json;

use crate::changes::{self, delete_secret};
use crate::checks;
use crate::fixture::{PROJECT, REPOSITORY, SECRET, TOKEN, both, elsewhere, in_account, properties};
use fake_aws::gitlab::REDIRECT_HOST;
use fake_aws::{AwsState, Scope, redacted};

#[test]
fn delete_without_the_secret_deletes_the_credential() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        delete_secret(fake);
        stack.delete().await.assert_success();
        // Only the secret had the mirror's ID.
        fake.look(|aws| assert!(checks::ours(aws).is_empty()));
    });
}

#[test]
fn delete_without_gitlab_deletes_the_credential_and_warns() {
    for name in [
        "GitLab hangs",
        "GitLab becomes unreachable",
        "GitLab is out of order",
        "the token's secret is deleted",
        "a token that GitLab does not know",
    ] {
        in_account(async |fake, stack, _| {
            stack.create(&both()).await.assert_success();
            let mirrors = fake.look(checks::our_mirrors);
            changes::apply(fake, &json!(name));
            let deleted = stack.delete().await;
            assert!(deleted.is_success(), "{name}: {deleted:?}");
            fake.look(|aws| {
                let is_left = aws.secrets.contains_key(SECRET);
                assert!(checks::ours(aws).is_empty() && !is_left, "{name}");
            });
            for (_, mirror) in mirrors {
                let id = mirror.id.to_string();
                assert!(deleted.note().contains(&id), "{name}: {id}: {deleted:?}");
            }
        });
    }
}

#[test]
fn mirror_of_a_former_gitlab_is_removed_with_the_former_token() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        fake.gitlab_project_at(REDIRECT_HOST, "moved/infra", &["main"]);
        fake.gitlab_token_for("gitlab/other", REDIRECT_HOST, Scope::Api);
        let mut moved = elsewhere("gitlab/other");
        moved["Mirrors"][0]["GitLabProject"] = json!("moved/infra");
        stack.update(&moved, None).await.assert_success();
        let of = |path: &str| {
            let all = fake.look(checks::our_mirrors);
            all.iter().filter(|(project, _)| project == path).count()
        };
        assert_eq!((of(PROJECT), of("moved/infra")), (0, 1));
        // With proof of the deletion, the password stays.
        assert_eq!(fake.count("CreateServiceSpecificCredential"), 1);
        fake.mirrors_work("moved/infra", REPOSITORY).expect("it works");
        stack.delete().await.assert_success();
        assert_eq!((of(PROJECT), of("moved/infra")), (0, 0));
    });
}

#[test]
fn mirror_that_a_former_gitlab_keeps_is_recorded_for_health_checks() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let former = checks::value(&fake.snapshot()).expect("a login");
        changes::apply(fake, &json!("GitLab moves to another address"));
        let updated = stack.update(&elsewhere(TOKEN), None).await;
        updated.assert_success();
        expect!["push mirror 101 of project platform/team/infra (40) is left at the former GitLab.Url https://gitlab.example.com (reading GitLab's token from secret gitlab/token: the secret's owner allows its token for https://gitlab.elsewhere.example (tag cfn-gitops:gitlab-url), and not for https://gitlab.example.com. The token was neither read nor sent). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(&redacted(updated.note()));
        let recorded = fake.look(|aws| {
            let is_record = |name: &&String| name.contains("/mirrors-left-");
            let names = aws.secrets.keys().filter(is_record);
            let descriptions = names.map(|name| aws.secrets[name].description.clone());
            descriptions.collect::<Vec<_>>()
        });
        let id = former["mirrors"][0]["mirrorId"].to_string();
        assert!(
            recorded.len() == 1 && format!("{recorded:?}").contains(&id),
            "{recorded:?}"
        );
        let is_dead = |aws: &AwsState| {
            let text = |name: &str| former[name].as_str().expect("a text").to_owned();
            !aws.login_works(&text("username"), &text("password"))
        };
        assert!(fake.look(is_dead));
    });
}
