//! Drift that another person causes: an Update without a change corrects it, and a
//! Delete succeeds.

use serde_json::json;

use crate::checks;
use crate::fixture::{PROJECT, SECRET, TOKEN, USER, both, in_account, properties, serial, with};
use crate::scenarios::{Event, Scenario};
use fake_aws::explore::paused;
use fake_aws::gitlab::Mirror;
use fake_aws::request::Service;
use fake_aws::secrets::versions::VersionContent;
use fake_aws::{AwsState, FakeAws, FaultKind, On, Options, Schedules};

/// Changes every mirror of ours in the first project.
fn change_mirrors(fake: &FakeAws, change: fn(&mut Mirror)) {
    fake.change(|aws| {
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
        mirrors.filter(|mirror| mirror.is_ours()).for_each(change);
    });
}

/// Removes every mirror of ours.
fn remove_mirrors(fake: &FakeAws) {
    fake.change(|aws| {
        for project in aws.gitlab.projects.values_mut() {
            project.mirrors.retain(|_, mirror| !mirror.is_ours());
        }
    });
}

/// Changes every credential of ours.
fn change_credentials(fake: &FakeAws, change: fn(&mut AwsState, &str, &str)) {
    fake.change(|aws| {
        for credential in checks::ours(aws) {
            change(aws, USER, &credential.id);
        }
    });
}

/// A person stores another value.
fn store(fake: &FakeAws, text: &str) {
    fake.change(|aws| {
        let now = aws.now;
        let secret = aws.secrets.get_mut(SECRET).expect("the secret");
        let content = VersionContent {
            text: text.to_owned(),
            binary: false,
        };
        let token = "by-hand-by-hand-by-hand-by-hand-";
        fake_aws::secrets::versions::add(secret, token, content, &["AWSCURRENT"], now);
    });
}

type Change = (&'static str, fn(&FakeAws));

/// Things that people do.
fn changes() -> Vec<Change> {
    vec![
        ("a mirror removed", remove_mirrors),
        ("a mirror disabled", |fake| {
            change_mirrors(fake, |mirror| mirror.enabled = false);
        }),
        ("a mirror with other settings", |fake| {
            change_mirrors(fake, |mirror| {
                mirror.only_protected_branches = false;
                mirror.keep_divergent_refs = true;
            });
        }),
        ("a mirror that has failed", |fake| {
            change_mirrors(fake, |mirror| {
                mirror.status = "failed";
                mirror.last_error = Some("by a network that is well again".to_owned());
            });
        }),
        ("a credential removed", |fake| {
            change_credentials(fake, AwsState::withdraw);
        }),
        ("a credential set to inactive", |fake| {
            change_credentials(fake, AwsState::deactivate);
        }),
        ("a password reset by hand", |fake| {
            fake.change(|aws| {
                let now = aws.now;
                for credential in checks::ours(aws) {
                    let random = &mut aws.random;
                    let reset = aws
                        .iam
                        .change(now, |iam| iam.reset(USER, &credential.id, random));
                    aws.remember_secret(&reset.expect("it is there").password);
                }
            });
        }),
        ("a value stored by hand", |fake| store(fake, "{\"a\":1}")),
        ("a secret deleted", |fake| {
            fake.change(|aws| aws.secrets.remove(SECRET));
        }),
        ("a mirror and the secret removed", |fake| {
            remove_mirrors(fake);
            fake.change(|aws| aws.secrets.remove(SECRET));
        }),
    ]
}

#[test]
fn no_op_update_heals_every_manual_change() {
    let mut schedules = Schedules::default();
    for (name, change) in changes() {
        if name == "a secret deleted" {
            // Only the secret had the mirrors' IDs: an enabled mirror without a record
            // counts as manual.
            continue;
        }
        for rotated in [false, true] {
            let mut events = vec![Event::Create(both()), Event::ByHand(change)];
            if rotated {
                events.insert(1, Event::Rotate);
            }
            events.push(Event::Update(both()));
            events.push(Event::Rotate);
            let scenario = Scenario {
                name,
                setup: |_| {},
                events,
                delivers_twice: false,
                step_deliveries: 3,
            };
            // A manually broken mirror cannot push until it is corrected.
            schedules.run(format!("{name}, rotated {rotated}"), || {
                paused(scenario.play(Options::default(), &[]));
            });
        }
    }
    schedules.finish();
}

#[test]
fn leaked_password_stays_inactive_until_it_is_replaced() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        change_credentials(fake, AwsState::deactivate);
        let leaked = fake.look(checks::ours);
        fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
        // The rollback succeeds.
        let failed = stack.update(&serial(&properties(), 2), None).await;
        assert!(!failed.is_success(), "{failed:?}");
        fake.look(|aws| {
            let held = checks::ours(aws);
            assert!(held.len() == 1 && held[0].id == leaked[0].id && !held[0].active);
        });
        fake.mend();
        stack.update(&properties(), None).await.assert_success();
        fake.assert_holds(|aws| checks::at_rest(aws, &properties(), false));
        fake.look(|aws| assert_ne!(checks::ours(aws)[0].id, leaked[0].id));
    });
}

#[test]
fn delete_succeeds_after_every_manual_change() {
    let mut all = changes();
    all.push(("a project gone", |fake| {
        fake.change(|aws| aws.gitlab.projects.retain(|_, held| held.path != PROJECT));
    }));
    all.push(("the user gone", |fake| {
        change_credentials(fake, AwsState::withdraw);
        fake.delete_user(USER).expect("nothing in its way");
    }));
    all.push(("everything gone", |fake| {
        remove_mirrors(fake);
        change_credentials(fake, AwsState::withdraw);
        fake.change(|aws| aws.secrets.remove(SECRET));
    }));
    for (name, change) in all {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            change(fake);
            let deleted = stack.delete().await;
            assert!(deleted.is_success(), "{name}: {deleted:?}");
            fake.assert_holds_in(name, |aws| match checks::our_mirrors(aws).first() {
                // Only the secret had its ID.
                Some(_) if name == "a secret deleted" => Ok(()),
                _ => checks::nothing_remains(aws),
            });
        });
    }
}

#[test]
fn delete_without_gitlab_deletes_the_credential_and_warns() {
    let ways: [Change; 5] = [
        ("no answer", |fake| {
            fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestHangs);
        }),
        ("no connection", |fake| {
            fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
        }),
        ("out of order", |fake| {
            fake.break_from_now(On::Service(Service::GitLab), FaultKind::InternalError500);
        }),
        ("no token", |fake| {
            drop(fake.change(|aws| aws.secrets.remove(TOKEN)));
        }),
        ("token revoked", |fake| {
            fake.change(|aws| aws.gitlab.tokens.clear());
        }),
    ];
    for (name, way) in ways {
        in_account(async |fake, stack, _| {
            stack.create(&both()).await.assert_success();
            let numbers: Vec<u64> = fake
                .look(checks::our_mirrors)
                .iter()
                .map(|(_, mirror)| mirror.id)
                .collect();
            way(fake);
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
