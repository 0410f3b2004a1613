//! Open statuses end with the settings by which they were posted.

use fake_aws::gitlab::records::is_open;
use fake_aws::{FakeAws, FaultKind, On, Service};
use serde_json::{Value, json};
use test_support::custom_resource::ParentStack;
use tokio::time::{Duration, Instant};

use crate::account::REPOSITORY;
use crate::fixture::{
    COMMITS, OTHER_PROJECT, PROJECT, SHOP, catch_up, deliver, paused, records, with_stacks,
};
use crate::scenarios::play_steps;
use crate::steps::{ReportWord, waiting};

/// The changes of the properties, and whether they end the statuses. `None` is a deletion.
fn changes() -> Vec<(Option<Value>, bool)> {
    let changed = |name: &str, value: Value| {
        let mut properties = SHOP.properties();
        properties[name] = value;
        Some(properties)
    };
    let gitlab = |project: &str| {
        let mut gitlab = SHOP.properties()["GitLab"].clone();
        gitlab["Project"] = json!(project);
        gitlab
    };
    let report = |name: &str| json!({"EnvironmentName": "dev", name: "false"});
    vec![
        (None, true),
        (Some(without_gitlab()), true),
        (changed("GitLab", gitlab(OTHER_PROJECT)), true),
        (changed("Report", report("CommitStatus")), true),
        (changed("BranchMap", json!({"dev": "main"})), true),
        (changed("Report", report("Deployments")), false),
        (changed("Tags", json!({"a": "b"})), false),
    ]
}

fn without_gitlab() -> Value {
    let mut properties = SHOP.properties();
    for name in ["GitLab", "Report"] {
        properties[name].take();
    }
    properties
}

/// The states of the commit's open statuses.
fn open(fake: &FakeAws) -> Vec<&'static str> {
    let statuses = records(fake).statuses.into_iter();
    let open = statuses.filter(|one| one.sha == COMMITS[0] && is_open(one.state));
    open.map(|one| one.state).collect()
}

async fn change(stack: &mut ParentStack, properties: Option<&Value>) {
    match properties {
        Some(properties) => stack.update(properties, None).await,
        None => stack.delete().await,
    }
    .assert_success();
}

/// Plays with the stack of the pipeline, while its change set waits.
fn while_waiting(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    paused(async {
        let (fake, mut stacks) = with_stacks(&[SHOP]).await;
        fake.push(REPOSITORY, "main", COMMITS[0]);
        play_steps(&fake, &waiting("e1", 0), |_| ()).await;
        assert_eq!(open(&fake), ["running", "pending"]);
        play(&fake, &mut stacks[0]).await;
        fake.assert_unbroken();
    });
}

#[test]
fn open_statuses_end_with_their_settings() {
    for (properties, ends) in changes() {
        while_waiting(async |fake, stack| {
            change(stack, properties.as_ref()).await;
            assert_eq!(open(fake).is_empty(), ends, "{properties:?}");
            if ends && properties.is_some() {
                ReportWord::End("e1", "Cancelled").take(fake, SHOP).await;
                deliver(fake, SHOP, ("e1", None), "end").await;
                catch_up(fake, SHOP, "health check").await;
                assert!(open(fake).is_empty(), "{properties:?}");
            }
        });
    }
}

#[test]
fn open_statuses_of_another_account_stay() {
    while_waiting(async |fake, stack| {
        fake.change(|aws| {
            for status in &mut aws.gitlab.project_mut(PROJECT).records.statuses {
                status.target_url = status.target_url.replace("123456789012", "210987654321");
            }
        });
        change(stack, None).await;
        assert_eq!(open(fake), ["running", "pending"]);
    });
}

#[test]
fn gitlab_that_fails_delays_no_deletion() {
    let time_of = |fault: Option<FaultKind>| {
        let mut took = Duration::ZERO;
        while_waiting(async |fake, stack| {
            if let Some(kind) = fault {
                fake.break_from_now(On::Service(Service::GitLab), kind);
            }
            let begun = Instant::now();
            change(stack, None).await;
            took = begun.elapsed();
            assert_eq!(open(fake).is_empty(), fault.is_none());
            fake.mend();
        });
        took
    };
    let sound = time_of(None);
    for kind in [FaultKind::RequestHangs, FaultKind::InternalError500] {
        let took = time_of(Some(kind));
        assert!(took < sound + Duration::from_secs(6), "{kind:?} {took:?}");
    }
}
