//! Secrets Manager's rotation, with a function that follows AWS's template.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use serde_json::Value;
use std::time::Duration;

use fake_aws::{
    Answering, Caller, FakeAws, Fault, FaultKind, Rotated, Rotation, RotationStep, Run,
    clients::Clients,
    custom_resource::StackRequest,
    secrets::{CURRENT, PENDING, versions::AbandonedBy},
};

const NAME: &str = "codecommit-mirror/mirror";
const FIRST: &str = "11111111111111111111111111111111";

/// A fake AWS with a secret in it, and its rotation.
async fn scene() -> (FakeAws, Clients, Rotation) {
    let fake = FakeAws::new();
    let clients = Clients::over(fake.connector("test"));
    let create = clients.secrets.create_secret().name(NAME);
    let create = create.client_request_token(FIRST).secret_string("first");
    create.send().await.unwrap();
    let mut rotation = Rotation::of(&fake, NAME, |_, caller| caller.connector());
    rotation.function = template;
    (fake, clients, rotation)
}

/// The steps of the template for any secret ("Lambda rotation functions", User Guide).
fn template(_: FakeAws, caller: Caller, request: StackRequest) -> Answering {
    Box::pin(async move {
        let work = caller.run(answer(&caller, &request.event));
        match work.await {
            Run::Finished(answered) => Some(answered.map(|()| Value::Null)),
            Run::Killed => None,
        }
    })
}

async fn answer(caller: &Caller, event: &Value) -> Result<(), String> {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let (step, arn, token) = (text("Step"), text("SecretId"), text("ClientRequestToken"));
    let secrets = Clients::over(caller.connector()).secrets;
    let described = secrets.describe_secret().secret_id(&arn).send().await;
    let described = described.map_err(|error| error.code().unwrap_or_default().to_owned())?;
    let stages = described.version_ids_to_stages.unwrap_or_default();
    let labels = stages.get(&token).cloned().unwrap_or_default();
    let is_at = |label: &str| labels.iter().any(|held| held == label);
    if is_at(CURRENT) {
        return Ok(());
    }
    if !is_at(PENDING) {
        return Err("the version is not pending".to_owned());
    }
    let pending = secrets
        .get_secret_value()
        .secret_id(&arn)
        .version_id(&token);
    let pending = pending.version_stage(PENDING).send().await;
    match step.as_str() {
        "createSecret" if pending.is_err() => {
            let put = secrets
                .put_secret_value()
                .secret_id(&arn)
                .secret_string("new");
            let put = put.client_request_token(&token).version_stages(PENDING);
            put.send().await.map_err(|error| error.to_string())?;
        }
        "finishSecret" => {
            let holds =
                |(_, labels): &(&String, &Vec<String>)| labels.contains(&CURRENT.to_owned());
            let holder = stages.iter().find(holds).map(|(id, _)| id.clone());
            let request = secrets.update_secret_version_stage().secret_id(&arn);
            let request = request.version_stage(CURRENT).move_to_version_id(&token);
            let request = request.set_remove_from_version_id(holder);
            request.send().await.map_err(|error| error.to_string())?;
        }
        "createSecret" | "setSecret" | "testSecret" => {}
        other => return Err(format!("no step {other}")),
    }
    Ok(())
}

/// The version at each of two labels.
fn labels(fake: &FakeAws) -> (Option<String>, Option<String>) {
    fake.look(|aws| {
        let at = |label| aws.secrets[NAME].at_stage(label).map(str::to_owned);
        (at(CURRENT), at(PENDING))
    })
}

fn steps(fake: &FakeAws) -> Vec<String> {
    let mut callers: Vec<String> = fake
        .journal()
        .into_iter()
        .map(|entry| entry.caller)
        .collect();
    callers.retain(|caller| caller != "test");
    callers.dedup();
    callers
}

#[tokio::test(start_paused = true)]
async fn rotation_names_a_version_and_calls_four_steps() {
    let (fake, _, mut rotation) = scene().await;
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let version = rotation.version().to_owned();
    assert_eq!(
        fake.look(|aws| aws.current(NAME).unwrap().to_owned()),
        "new"
    );
    assert_eq!(labels(&fake), (Some(version), None));
    assert_eq!(
        steps(&fake),
        [
            "rotation-1.createSecret.1",
            "rotation-1.setSecret.1",
            "rotation-1.testSecret.1",
            "rotation-1.finishSecret.1"
        ]
    );
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn awspending_on_the_current_version_is_not_a_rotation() {
    let (fake, _, mut rotation) = scene().await;
    fake.options(|options| options.pending.goes_with_current = false);
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let version = rotation.version().to_owned();
    assert_eq!(labels(&fake), (Some(version.clone()), Some(version)));
    assert_eq!(rotation.rotate().await, Rotated::Finished);
}

#[tokio::test(start_paused = true)]
async fn version_of_another_caller_abandons_the_rotation() {
    for (by, label, is_abandoned) in [
        (AbandonedBy::Nothing, CURRENT, false),
        (AbandonedBy::Current, CURRENT, true),
        (AbandonedBy::Current, "mine", false),
        (AbandonedBy::Any, "mine", true),
    ] {
        let (fake, clients, mut rotation) = scene().await;
        fake.options(|options| options.pending.abandoned_by = by);
        rotation.begin().unwrap();
        let put = clients.secrets.put_secret_value().secret_id(NAME);
        let put = put.version_stages(label).secret_string("by hand");
        put.send().await.unwrap();
        assert_eq!(labels(&fake).1.is_none(), is_abandoned, "{by:?} {label}");
    }
}

#[tokio::test(start_paused = true)]
async fn awspending_removed_by_a_call_of_its_own_fails_the_step() {
    fn removes(_: FakeAws, caller: Caller, request: StackRequest) -> Answering {
        Box::pin(async move {
            let text = |name: &str| request.event[name].as_str().unwrap_or_default().to_owned();
            let secrets = Clients::over(caller.connector()).secrets;
            let remove = secrets.update_secret_version_stage();
            let remove = remove.secret_id(text("SecretId")).version_stage(PENDING);
            let remove = remove.remove_from_version_id(text("ClientRequestToken"));
            remove.send().await.unwrap();
            Some(Ok(Value::Null))
        })
    }
    let (_, _, mut rotation) = scene().await;
    rotation.function = removes;
    rotation.begin().unwrap();
    let failed = rotation.step(RotationStep::Finish).await;
    assert!(matches!(failed, Err(Rotated::Failed { .. })), "{failed:?}");
    rotation.separate_removal_fails = false;
    rotation.begin().unwrap();
    assert_eq!(rotation.step(RotationStep::Finish).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn named_version_without_value_cannot_be_read() {
    let (fake, clients, mut rotation) = scene().await;
    rotation.begin().unwrap();
    let token = rotation.version().to_owned();
    let get = || clients.secrets.get_secret_value().secret_id(NAME);
    let read = get().version_stage(PENDING).send().await;
    assert_eq!(super::code(read), "ResourceNotFoundException");
    let read = get().version_id(&token).send().await;
    assert_eq!(super::code(read), "ResourceNotFoundException");
    assert_eq!(labels(&fake).1, Some(token.clone()));
    let put = |value: &str| {
        let put = clients.secrets.put_secret_value().secret_id(NAME);
        put.client_request_token(&token)
            .version_stages("mine")
            .secret_string(value)
            .send()
    };
    put("filled").await.unwrap();
    let read = get().version_stage(PENDING).send().await.unwrap();
    assert_eq!(read.secret_string(), Some("filled"));
    put("filled").await.unwrap();
    assert_eq!(super::code(put("other").await), "ResourceExistsException");
}

#[tokio::test(start_paused = true)]
async fn rotation_waits_for_awspending_of_another_version() {
    let (fake, _, mut rotation) = scene().await;
    rotation.begin().unwrap();
    let Rotated::Refused(refusal) = rotation.rotate().await else {
        panic!("it began");
    };
    assert!(refusal.contains("A previous rotation isn't complete"));
    fake.change(|aws| aws.secrets.remove(NAME));
    assert!(matches!(rotation.rotate().await, Rotated::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn schedule_without_rotation_calls_only_test_secret() {
    let (fake, clients, mut rotation) = scene().await;
    assert_eq!(rotation.attach_schedule(30, false).await, Rotated::Finished);
    assert_eq!(steps(&fake), ["rotation-1.testSecret.1"]);
    assert_eq!(labels(&fake), (Some(FIRST.to_owned()), None));
    assert_eq!(fake.look(|aws| aws.secrets[NAME].versions.len()), 1);
    let described = clients
        .secrets
        .describe_secret()
        .secret_id(NAME)
        .send()
        .await;
    let described = described.unwrap();
    assert_eq!(described.rotation_enabled, Some(true));
    assert_eq!(
        described.rotation_rules.unwrap().automatically_after_days,
        Some(30)
    );
    assert_eq!(described.last_rotated_date, None);
    assert_eq!(rotation.attach_schedule(30, true).await, Rotated::Finished);
    assert_eq!(steps(&fake).len(), 1 + 4);
    rotation.cancel().unwrap();
    let described = clients
        .secrets
        .describe_secret()
        .secret_id(NAME)
        .send()
        .await;
    assert_eq!(described.unwrap().rotation_enabled, Some(false));
}

#[tokio::test(start_paused = true)]
async fn killed_step_is_delivered_again_as_often_as_set() {
    let (fake, _, mut rotation) = scene().await;
    for attempt in 1..=2 {
        let caller = format!("rotation-1.setSecret.{attempt}");
        fake.inject(&caller, Fault::at(0, FaultKind::KilledAfter));
    }
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    assert!(steps(&fake).contains(&"rotation-1.setSecret.3".to_owned()));

    rotation.deliveries = 1;
    fake.inject(
        "rotation-2.testSecret.1",
        Fault::at(0, FaultKind::KilledBefore),
    );
    assert_eq!(rotation.rotate().await, Rotated::Died(RotationStep::Test));
    assert_eq!(fake.faults_left(), 0);
    let (current, pending) = labels(&fake);
    assert_ne!(current, pending, "AWSPENDING is left behind");
}

#[tokio::test(start_paused = true)]
async fn rotation_restarts_as_a_whole_after_an_error() {
    let (fake, _, mut rotation) = scene().await;
    fake.inject("rotation-1.testSecret.1", Fault::at(0, FaultKind::Denied));
    let failed = rotation.rotate().await;
    assert!(
        matches!(
            failed,
            Rotated::Failed {
                step: RotationStep::Test,
                ..
            }
        ),
        "{failed:?}"
    );
    let (_, pending) = labels(&fake);
    fake.change(|aws| {
        let secret = aws.secrets.get_mut(NAME).unwrap();
        fake_aws::secrets::versions::forget_pending(secret, &pending.unwrap());
    });
    rotation.tries_again = 1;
    fake.inject("rotation-2.testSecret.1", Fault::at(0, FaultKind::Denied));
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    assert!(steps(&fake).contains(&"rotation-2+1.createSecret.1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn every_step_can_come_twice_and_time_can_pass_between_them() {
    let (fake, _, mut rotation) = scene().await;
    rotation.delivers_twice = true;
    rotation.pause = Duration::from_secs(60);
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let steps = steps(&fake);
    assert_eq!(steps.len(), 8);
    assert_eq!(steps[7], "rotation-1.finishSecret.2");
    assert_eq!(fake.journal().last().unwrap().at, Duration::from_secs(240));
}

#[tokio::test(start_paused = true)]
async fn without_another_function_the_product_is_called() {
    let (fake, _, _) = scene().await;
    let mut rotation = Rotation::of(&fake, NAME, |_, caller| caller.connector());
    // A foreign secret: the product changes nothing after any response.
    let before = fake.look(|aws| aws.current(NAME).map(str::to_owned));
    let rotated = rotation.rotate().await;
    assert!(matches!(rotated, Rotated::Failed { .. }), "{rotated:?}");
    assert_eq!(
        fake.look(|aws| aws.current(NAME).map(str::to_owned)),
        before
    );
}

#[tokio::test(start_paused = true)]
async fn versions_without_labels_beyond_a_hundred_are_deleted() {
    let (fake, clients, _) = scene().await;
    let put = |number: usize| {
        let put = clients.secrets.put_secret_value().secret_id(NAME);
        let put = put.client_request_token(format!("{number:032}"));
        put.secret_string(number.to_string()).send()
    };
    let held = || fake.look(|aws| aws.secrets[NAME].versions.len());
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in 2..=120 {
        put(number).await.unwrap();
    }
    assert_eq!(held(), 120, "none is a day old");
    tokio::time::sleep(Duration::from_hours(25)).await;
    put(121).await.unwrap();
    assert_eq!(held(), 100);
    let gone = clients
        .secrets
        .get_secret_value()
        .secret_id(NAME)
        .version_id(FIRST);
    assert_eq!(super::code(gone.send().await), "ResourceNotFoundException");
}
