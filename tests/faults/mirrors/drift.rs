//! Drift that another person causes: an Update without a change corrects it, and a
//! Delete succeeds.

use serde_json::json;

use crate::changes::{self, delete_secret};
use crate::checks;
use crate::fixture::{PROJECT, SECRET, both, in_account, properties, with};

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
            let numbers: Vec<u64> = fake
                .look(checks::our_mirrors)
                .iter()
                .map(|(_, mirror)| mirror.id)
                .collect();
            changes::apply(fake, &json!(name));
            let deleted = stack.delete().await;
            assert!(deleted.is_success(), "{name}: {deleted:?}");
            fake.look(|aws| {
                assert!(checks::ours(aws).is_empty(), "{name}: a credential is left");
                assert!(
                    !aws.secrets.contains_key(SECRET),
                    "{name}: the secret is left"
                );
            });
            let body = fake.responses().last().expect("an answer").json();
            let said = body["Reason"].as_str().unwrap_or_default();
            for number in numbers {
                assert!(
                    said.contains(&number.to_string()),
                    "{name}: mirror {number} is not in {body}"
                );
            }
        });
    }
}

#[test]
fn mirror_of_a_former_gitlab_is_removed_with_the_former_token() {
    use fake_aws::Scope;
    use fake_aws::gitlab::REDIRECT_HOST;
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
        fake.mirrors_work("moved/infra", crate::fixture::REPOSITORY)
            .expect("it works");
        stack.delete().await.assert_success();
        assert_eq!((of(PROJECT), of("moved/infra")), (0, 0));
    });
}
