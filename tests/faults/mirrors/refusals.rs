//! What GitLab does not do, and what the stack says of it: each with its own words, with nothing
//! left behind, and with what was there before still at work.

use serde_json::{Value, json};

use crate::checks::{self, Watch};
use crate::scene::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, TOKEN, both, properties, stack, world,
};
use fake_aws::custom_resource::{Answer, answers_are_sound};
use fake_aws::explore::paused;
use fake_aws::faults::{FaultKind, On};
use fake_aws::gitlab::{DEVELOPER, HOST};
use fake_aws::request::Service;
use fake_aws::{Options, Scope, World};

/// A situation: how it comes about, and what has to be said of it.
struct Situation {
    name: &'static str,
    arrange: fn(&World),
    says: &'static [&'static str],
}

fn access(world: &World, level: Option<u64>) {
    for project in [PROJECT, OTHER_PROJECT] {
        world.change(|aws| aws.gitlab.project_mut(project).access = level);
    }
}

fn token_secret(world: &World, change: fn(&mut fake_aws::secrets::Secret)) {
    world.change(|aws| change(aws.secrets.get_mut(TOKEN).expect("the token's secret")));
}

#[allow(clippy::too_many_lines)] // A list.
fn situations() -> Vec<Situation> {
    let situation = |name, arrange, says| Situation {
        name,
        arrange,
        says,
    };
    vec![
        situation(
            "a token that GitLab does not know",
            |world| world.change(|aws| aws.gitlab.tokens.clear()),
            &["401", "secret gitlab/token, key \"token\""],
        ),
        situation(
            "a token that may only read",
            |world| {
                world.change(|aws| aws.gitlab.tokens.clear());
                world.gitlab_token_for(TOKEN, HOST, Scope::ReadApi);
            },
            &["scope `api`", "secret gitlab/token"],
        ),
        situation(
            "a Developer's token",
            |world| access(world, Some(DEVELOPER)),
            &["Maintainer", "30"],
        ),
        situation(
            "a project that the token's user cannot see",
            |world| access(world, None),
            &["404", "no such project"],
        ),
        situation(
            "push mirrors switched off",
            |world| world.options(|options| options.gitlab.mirroring_disabled = true),
            &["switched push mirrors off for the instance"],
        ),
        situation(
            "silent mode",
            |world| world.options(|options| options.gitlab.silent = true),
            &["keeps it disabled", "silent mode"],
        ),
        situation(
            "a branch that nobody protects",
            |world| {
                world.protect(PROJECT, &["development"]);
                world.protect(OTHER_PROJECT, &["mai"]);
            },
            &["RequiredBranches", "branch main", "not protected"],
        ),
        situation(
            "a project whose group alone protects branches",
            |world| {
                for project in [PROJECT, OTHER_PROJECT] {
                    world.protect(project, &[]);
                    world.protect_by_group(project, &["main", "dev*"]);
                }
            },
            &["would push every branch", "itself protects none"],
        ),
        situation(
            "a branch that a group protects",
            |world| {
                for project in [PROJECT, OTHER_PROJECT] {
                    world.protect(project, &["development"]);
                    world.protect_by_group(project, &["main"]);
                }
            },
            &["RequiredBranches", "branch main", "a group's protection"],
        ),
        situation(
            "ten mirrors that somebody made",
            |world| {
                for project in [PROJECT, OTHER_PROJECT] {
                    let held = world.mirrors(project).len();
                    for number in held..10 {
                        let url = format!("https://example.com/{number}");
                        world.handmade_mirror(project, &url, None, true);
                    }
                }
            },
            &["Maximum number of push mirrors (10)", "disable or remove"],
        ),
        situation(
            "a push that diverges",
            |world| {
                for repository in [REPOSITORY, OTHER_REPOSITORY] {
                    world.push(repository, "main", "theirs");
                }
            },
            &["Some refs have diverged", "refs/heads/main"],
        ),
        situation(
            "a user without the right to push",
            |world| world.take_git_push(crate::scene::USER),
            &["403", "codecommit:GitPush"],
        ),
        situation(
            "a GitLab that sends the token elsewhere",
            |world| world.options(|options| options.gitlab.redirects = true),
            &["302", "where the token is not taken"],
        ),
        situation(
            "a GitLab out of reach",
            |world| world.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost),
            &["GitLab did not answer"],
        ),
        situation(
            "a GitLab that is out of order",
            |world| world.break_from_now(On::Service(Service::GitLab), FaultKind::InternalError500),
            &["500", "out of order"],
        ),
        situation(
            "a GitLab that is asked too often",
            |world| world.break_from_now(On::Service(Service::GitLab), FaultKind::Throttled),
            &["429"],
        ),
        situation(
            "a token whose secret is gone",
            |world| drop(world.change(|aws| aws.secrets.remove(TOKEN))),
            &[TOKEN],
        ),
        situation(
            "a token that its owner has not tagged",
            |world| token_secret(world, |secret| secret.tags.clear()),
            &["cfn-gitops:gitlab-url", "tag"],
        ),
        situation(
            "a token that is meant for another host",
            |world| {
                token_secret(world, |secret| {
                    let url = "https://gitlab.elsewhere.example".to_owned();
                    secret.tags.insert("cfn-gitops:gitlab-url".to_owned(), url);
                });
            },
            &["gitlab.elsewhere.example", "gitlab.example.com"],
        ),
        situation(
            "a secret without that member",
            |world| {
                token_secret(world, |secret| {
                    for version in secret.versions.values_mut() {
                        "{\"other\":\"word\"}".clone_into(&mut version.value.text);
                    }
                });
            },
            &["token"],
        ),
        situation(
            "a token's secret that the function must not read",
            |world| world.deny("secretsmanager:GetSecretValue", TOKEN),
            &[TOKEN, "AccessDenied"],
        ),
    ]
}

/// What a situation needs of the properties.
fn asked(properties: Value) -> Value {
    let mut properties = properties;
    for mirror in properties["Mirrors"].as_array_mut().expect("a list") {
        mirror["KeepDivergentRefs"] = json!(true);
    }
    properties
}

fn says(situation: &Situation, answer: &Answer, world: &World) {
    let reason = answer.reason();
    for part in situation.says {
        assert!(
            reason.contains(part),
            "{}: {part} is not in {answer:?}\n{}",
            situation.name,
            world.told()
        );
    }
}

#[test]
fn a_create_that_gitlab_does_not_allow_says_why_and_leaves_nothing() {
    for situation in situations() {
        paused(async {
            let world = world(Options::default());
            (situation.arrange)(&world);
            let foreign = world.look(checks::foreign);
            let mut stack = stack(&world);
            let answer = stack.create(&asked(properties())).await;
            says(&situation, &answer, &world);
            world.mend();
            // Where GitLab stayed out of reach nothing was made there either.
            let left = world.look(checks::nothing_left);
            left.unwrap_or_else(|left| panic!("{}: {left}\n{}", situation.name, world.told()));
            assert_eq!(world.look(checks::foreign), foreign, "{}", situation.name);
            answers_are_sound(&world);
            world.assert_unbroken();
        });
    }
}

#[test]
fn an_update_that_gitlab_does_not_allow_keeps_what_works() {
    let of_other_project = |world: &World, arrange: fn(&World)| {
        // The first project stays as it is: only what is added is refused.
        let before = world.snapshot().gitlab.projects;
        arrange(world);
        world.change(|aws| {
            let first = before.values().next().expect("a project").clone();
            aws.gitlab.projects.insert(first.id, first);
        });
    };
    let names = [
        "a Developer's token",
        "a project that the token's user cannot see",
        "a branch that nobody protects",
        "a project whose group alone protects branches",
        "a branch that a group protects",
        "ten mirrors that somebody made",
        "a push that diverges",
    ];
    let mut tried = 0;
    for situation in situations() {
        if !names.contains(&situation.name) {
            continue;
        }
        tried += 1;
        paused(async {
            let world = world(Options::default());
            let mut stack = stack(&world);
            let (before, after) = (asked(properties()), asked(both()));
            assert!(stack.create(&before).await.is_success());
            let watch = Watch::begin(&world);
            of_other_project(&world, situation.arrange);
            if situation.name == "a push that diverges" {
                world.push(REPOSITORY, "main", "first-of-main");
            }
            watch.expect(checks::pairs(&before));
            let answer = stack.update(&after, None).await;
            says(&situation, &answer, &world);
            world
                .look(|aws| checks::at_rest(aws, &before, false))
                .unwrap_or_else(|broken| {
                    panic!("{}: {broken}\n{}", situation.name, world.told());
                });
            watch.expect_nothing();
            assert!(stack.delete().await.is_success());
            world.look(checks::nothing_left).expect("nothing");
            world.assert_unbroken();
        });
    }
    assert_eq!(tried, names.len());
}
