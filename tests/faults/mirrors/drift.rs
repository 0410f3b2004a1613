//! Drift that another person causes: an Update without a change corrects it, and a
//! Delete succeeds.

use serde_json::json;

use crate::changes::{self, delete_secret};
use crate::checks;
use crate::fixture::{PROJECT, REPOSITORY, SECRET, both, in_account, properties, with};
use fake_aws::Scope;
use fake_aws::gitlab::REDIRECT_HOST;

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
        let gitlab = json!({
            "Url": format!("https://{REDIRECT_HOST}"), "TokenSecretId": "gitlab/other",
        });
        let mut moved = with(properties(), "GitLab", gitlab);
        moved["Mirrors"][0]["GitLabProject"] = json!("moved/infra");
        stack.update(&moved, None).await.assert_success();
        let of = |path: &str| {
            let all = fake.look(checks::our_mirrors);
            all.iter().filter(|(project, _)| project == path).count()
        };
        assert_eq!((of(PROJECT), of("moved/infra")), (0, 1));
        fake.mirrors_work("moved/infra", REPOSITORY).expect("it works");
        stack.delete().await.assert_success();
        assert_eq!((of(PROJECT), of("moved/infra")), (0, 0));
    });
}
