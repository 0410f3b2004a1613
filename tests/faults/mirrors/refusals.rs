//! GitLab's rejections, and the stack's reasons: each with its own text, with nothing
//! created, and with the former resources still working.

use serde_json::{Value, json};

use crate::checks::{self, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, TOKEN, both, fake, in_account,
    properties, stack,
};
use fake_aws::explore::paused;
use fake_aws::gitlab::{DEVELOPER, HOST};
use fake_aws::request::Service;
use fake_aws::{FakeAws, Options, Scope};
use fake_aws::{FaultKind, On};
use test_support::custom_resource::{RequestOutcome, answers_are_sound};

/// A situation: its setup, and its reason.
pub struct Situation {
    pub name: &'static str,
    pub arrange: fn(&FakeAws),
    pub says: &'static [&'static str],
}

fn access(fake: &FakeAws, level: Option<u64>) {
    for project in [PROJECT, OTHER_PROJECT] {
        fake.change(|aws| aws.gitlab.project_mut(project).access = level);
    }
}

fn token_secret(fake: &FakeAws, change: fn(&mut fake_aws::secrets::Secret)) {
    fake.change(|aws| change(aws.secrets.get_mut(TOKEN).expect("the token's secret")));
}

pub fn situations() -> Vec<Situation> {
    let situation = |name, arrange, says| Situation {
        name,
        arrange,
        says,
    };
    vec![
        situation(
            "a token that GitLab does not know",
            |fake| fake.change(|aws| aws.gitlab.tokens.clear()),
            &["401", "secret gitlab/token, key \"token\""],
        ),
        situation(
            "a token that may only read",
            |fake| {
                fake.change(|aws| aws.gitlab.tokens.clear());
                fake.gitlab_token_for(TOKEN, HOST, Scope::ReadApi);
            },
            &["scope `api`", "secret gitlab/token"],
        ),
        situation(
            "a Developer's token",
            |fake| access(fake, Some(DEVELOPER)),
            &["Maintainer", "30"],
        ),
        situation(
            "a project that the token's user cannot see",
            |fake| access(fake, None),
            &["404", "no such project"],
        ),
        situation(
            "push mirrors switched off",
            |fake| fake.options(|options| options.gitlab.mirroring_disabled = true),
            &["push mirrors are switched off for the instance"],
        ),
        situation(
            "silent mode",
            |fake| fake.options(|options| options.gitlab.silent = true),
            &["keeps it disabled", "silent mode"],
        ),
        situation(
            "an unprotected branch",
            |fake| {
                fake.protect(PROJECT, &["development"]);
                fake.protect(OTHER_PROJECT, &["mai"]);
            },
            &["RequiredBranches", "branch main", "not protected"],
        ),
        situation(
            "a project whose group alone protects branches",
            |fake| {
                for project in [PROJECT, OTHER_PROJECT] {
                    fake.protect(project, &[]);
                    fake.protect_by_group(project, &["main", "dev*"]);
                }
            },
            &["would push every branch", "itself protects none"],
        ),
        situation(
            "a branch that a group protects",
            |fake| {
                for project in [PROJECT, OTHER_PROJECT] {
                    fake.protect(project, &["development"]);
                    fake.protect_by_group(project, &["main"]);
                }
            },
            &["RequiredBranches", "branch main", "a group's protection"],
        ),
        situation(
            "ten manual mirrors",
            |fake| {
                for project in [PROJECT, OTHER_PROJECT] {
                    let held = fake.mirrors(project).len();
                    for number in held..10 {
                        let url = format!("https://example.com/{number}");
                        fake.manual_mirror(project, &url, None, true);
                    }
                }
            },
            &["Maximum number of push mirrors (10)", "disable or remove"],
        ),
        situation(
            "a push that diverges",
            |fake| {
                for repository in [REPOSITORY, OTHER_REPOSITORY] {
                    fake.push(repository, "main", "theirs");
                }
            },
            &["Some refs have diverged", "refs/heads/main"],
        ),
        situation(
            "a user without the right to push",
            |fake| fake.take_git_push(crate::fixture::USER),
            &["403", "codecommit:GitPush"],
        ),
        situation(
            "a GitLab that sends the token elsewhere",
            |fake| fake.options(|options| options.gitlab.redirects = true),
            &["302", "the token is not sent there"],
        ),
        situation(
            "a GitLab out of reach",
            |fake| fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost),
            &["GitLab did not respond"],
        ),
        situation(
            "a GitLab that is out of order",
            |fake| fake.break_from_now(On::Service(Service::GitLab), FaultKind::InternalError500),
            &["500", "internal error"],
        ),
        situation(
            "a GitLab that is asked too often",
            |fake| fake.break_from_now(On::Service(Service::GitLab), FaultKind::Throttled),
            &["429"],
        ),
        situation(
            "a GitLab in maintenance",
            |fake| fake.options(|options| options.gitlab.read_only = true),
            &["read-only instance", "accepts the request later"],
        ),
        situation(
            "a token whose secret is gone",
            |fake| drop(fake.change(|aws| aws.secrets.remove(TOKEN))),
            &[TOKEN],
        ),
        situation(
            "a token that its owner has not tagged",
            |fake| token_secret(fake, |secret| secret.tags.clear()),
            &["cfn-gitops:gitlab-url", "tag"],
        ),
        situation(
            "a token that is meant for another host",
            |fake| {
                token_secret(fake, |secret| {
                    let url = "https://gitlab.elsewhere.example".to_owned();
                    secret.tags.insert("cfn-gitops:gitlab-url".to_owned(), url);
                });
            },
            &["gitlab.elsewhere.example", "gitlab.example.com"],
        ),
        situation(
            "a secret without that member",
            |fake| {
                token_secret(fake, |secret| {
                    for version in secret.versions.values_mut() {
                        "{\"other\":\"word\"}".clone_into(&mut version.value.text);
                    }
                });
            },
            &["token"],
        ),
        situation(
            "a token in quotes",
            |fake| {
                token_secret(fake, |secret| {
                    for version in secret.versions.values_mut() {
                        "\"glpat-1\"".clone_into(&mut version.value.text);
                    }
                });
            },
            &["it has quotes or brackets", TOKEN],
        ),
        situation(
            "a token's secret that the function must not read",
            |fake| fake.deny("secretsmanager:GetSecretValue", TOKEN),
            &[TOKEN, "AccessDenied"],
        ),
    ]
}

/// The properties of a situation.
pub fn asked(properties: Value) -> Value {
    let mut properties = properties;
    for mirror in properties["Mirrors"].as_array_mut().expect("a list") {
        mirror["KeepDivergentRefs"] = json!(true);
    }
    properties
}

fn says(situation: &Situation, answer: &RequestOutcome) {
    let reason = answer.reason();
    for part in situation.says {
        assert!(
            reason.contains(part),
            "{}: {part} is not in {answer:?}",
            situation.name
        );
    }
}

#[test]
fn create_denied_by_gitlab_has_the_reason_and_leaves_nothing() {
    for situation in situations() {
        paused(async {
            let fake = fake(Options::default());
            (situation.arrange)(&fake);
            let foreign = fake.look(checks::foreign);
            let mut stack = stack(&fake);
            let answer = stack.create(&asked(properties())).await;
            says(&situation, &answer);
            fake.mend();
            // If GitLab stayed unreachable, nothing was created there either.
            fake.assert_holds_in(situation.name, checks::nothing_remains);
            assert_eq!(fake.look(checks::foreign), foreign, "{}", situation.name);
            answers_are_sound(&fake);
            fake.assert_unbroken();
        });
    }
}

#[test]
fn update_denied_by_gitlab_keeps_the_login_and_mirrors() {
    let of_other_project = |fake: &FakeAws, arrange: fn(&FakeAws)| {
        // The first project is unchanged: only the added one is rejected.
        let before = fake.snapshot().gitlab.projects;
        arrange(fake);
        fake.change(|aws| {
            let first = before.values().next().expect("a project").clone();
            aws.gitlab.projects.insert(first.id, first);
        });
    };
    let names = [
        "a Developer's token",
        "a project that the token's user cannot see",
        "an unprotected branch",
        "a project whose group alone protects branches",
        "a branch that a group protects",
        "ten manual mirrors",
        "a push that diverges",
    ];
    let mut tried = 0;
    for situation in situations() {
        if !names.contains(&situation.name) {
            continue;
        }
        tried += 1;
        in_account(async |fake, stack, _| {
            let (before, after) = (asked(properties()), asked(both()));
            stack.create(&before).await.assert_success();
            let watch = Watch::begin(fake);
            of_other_project(fake, situation.arrange);
            if situation.name == "a push that diverges" {
                fake.push(REPOSITORY, "main", "first-of-main");
            }
            watch.expect(checks::pairs(&before));
            let answer = stack.update(&after, None).await;
            says(&situation, &answer);
            fake.assert_holds_in(situation.name, |aws| checks::at_rest(aws, &before, false));
            watch.expect_nothing();
            stack.delete().await.assert_success();
            fake.assert_holds(checks::nothing_remains);
        });
    }
    assert_eq!(tried, names.len());
}
