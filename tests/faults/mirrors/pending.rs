//! A rotation whose step fails. If the failure may pass, the rotation is pending, and the same
//! version resumes it. Otherwise the rotation ends, and the next one starts anew. Meanwhile the
//! current login and its mirrors work.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;
use tokio::time::sleep;

use crate::checks::{self, Watch, none_failed};
use crate::fixture::{
    REPOSITORY, SECRET, USER, changes, check_health, fake, properties, rotation, serial, stack,
};
use fake_aws::On;
use fake_aws::custom_resource::ParentStack;
use fake_aws::explore::paused;
use fake_aws::iam::Iam;
use fake_aws::mutants::{self as misbehaving, assert_noticed, body_of, invented};
use fake_aws::request::Service;
use fake_aws::secret_versions::{AbandonedBy, Pending, forget_pending};
use fake_aws::secrets::{CURRENT, PENDING};
use fake_aws::{
    Caller, FakeAws, Fault, FaultKind, Options, Rotated, Rotation, RotationStep, panics,
};

const NOT_COMPLETE: &str = "A previous rotation isn't complete.";

/// A stack with a credential whose secret has a rotation schedule, and what has to work throughout.
struct Scene {
    fake: FakeAws,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
}

async fn scene(options: Options) -> Scene {
    let fake = fake(options);
    let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
    assert!(stack.create(&properties()).await.is_success());
    sleep(Duration::from_hours(1)).await;
    let attached = rotation.attach_schedule(30, false).await;
    assert_eq!(attached, Rotated::Finished);
    let watch = Watch::begin(&fake);
    watch.expect(checks::pairs(&properties()));
    Scene {
        fake,
        stack,
        rotation,
        watch,
    }
}

impl Scene {
    /// Runs the rotation's steps before `step`, lets `harm` happen, and runs `step`, which fails.
    async fn fail_at(&mut self, step: RotationStep, harm: impl FnOnce(&FakeAws)) -> String {
        self.rotation.begin().expect("no rotation is pending");
        for before in RotationStep::ALL
            .into_iter()
            .take_while(|before| *before != step)
        {
            let stepped = self.rotation.step(before).await;
            assert_eq!(stepped, Ok(()), "{}", self.fake.transcript());
        }
        harm(&self.fake);
        self.fails(step).await
    }

    async fn fails(&self, step: RotationStep) -> String {
        match self.rotation.step(step).await {
            Err(Rotated::Failed { reason, .. }) => reason,
            other => panic!("{step}: {other:?}\n{}", self.fake.transcript()),
        }
    }

    fn is_pending(&self, context: &str) {
        let transcript = || self.fake.transcript();
        assert!(self.rotation.is_pending(), "{context}\n{}", transcript());
        let held = self.fake.look(|aws| checks::pending(aws, &properties()));
        held.unwrap_or_else(|broken| panic!("{context}: {broken}\n{}", transcript()));
    }

    fn is_rotated(&self, context: &str) {
        let version = self.rotation.version();
        let transcript = || self.fake.transcript();
        let current = self
            .fake
            .look(|aws| aws.secrets[SECRET].at_stage(CURRENT).map(str::to_owned));
        assert_eq!(
            current.as_deref(),
            Some(version),
            "{context}\n{}",
            transcript()
        );
        self.is_at_rest(&properties(), true, context);
    }

    fn is_at_rest(&self, properties: &Value, after_rotation: bool, context: &str) {
        let held = self
            .fake
            .look(|aws| checks::at_rest(aws, properties, after_rotation));
        held.unwrap_or_else(|broken| panic!("{context}: {broken}\n{}", self.fake.transcript()));
    }

    /// A change of the `RotationSchedule`.
    async fn change_days(&mut self) -> Rotated {
        self.rotation.attach_schedule(60, false).await
    }

    async fn days_cannot_change(&mut self) {
        let pending = self.rotation.version().to_owned();
        let changed = self.change_days().await;
        let is_refused = matches!(&changed, Rotated::Refused(why) if why.contains(NOT_COMPLETE));
        assert!(is_refused, "{changed:?}");
        assert_eq!(self.rotation.version(), pending);
    }

    /// A further rotation succeeds, and the deletion leaves nothing.
    async fn ends_well(mut self, context: &str) {
        sleep(Duration::from_hours(24)).await;
        let again = self.rotation.rotate().await;
        assert_eq!(
            again,
            Rotated::Finished,
            "{context}\n{}",
            self.fake.transcript()
        );
        self.is_rotated(context);
        self.expect_deleted(context).await;
    }

    async fn expect_deleted(mut self, context: &str) {
        self.watch.expect_nothing();
        let deleted = self.stack.delete().await;
        assert!(deleted.is_success(), "{context}: {deleted:?}");
        let left = self.fake.look(checks::nothing_left);
        left.unwrap_or_else(|left| panic!("{context}: {left}\n{}", self.fake.transcript()));
        self.fake.assert_unbroken();
    }
}

/// The services that a step calls, and how each can fail for a while.
fn outages() -> Vec<(Service, FaultKind)> {
    let services = [
        Service::GitLab,
        Service::Iam,
        Service::SecretsManager,
        Service::CodeCommit,
    ];
    let kinds = [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::Throttled,
    ];
    let pairs = services
        .into_iter()
        .flat_map(|service| kinds.map(|kind| (service, kind)));
    pairs
        .chain([(Service::Git, FaultKind::RequestLost)])
        .collect()
}

#[test]
fn outage_of_an_hour_in_any_step_then_reattempt_rotates() {
    let mut tried = 0;
    for (service, kind) in outages() {
        for step in RotationStep::ALL {
            // Only these prove the login anew.
            if service == Service::Git && step == RotationStep::Create {
                continue;
            }
            for same_step in [false, true] {
                let context = format!("{service:?} {kind:?} at {step}, same step {same_step}");
                tried += 1;
                paused(async {
                    let mut scene = scene(Options::default()).await;
                    let breaks = |fake: &FakeAws| fake.break_from_now(On::Service(service), kind);
                    let reason = scene.fail_at(step, breaks).await;
                    assert!(reason.contains("stays pending"), "{context}: {reason}");
                    sleep(Duration::from_hours(1)).await;
                    let still = scene.fails(step).await;
                    assert!(still.contains("stays pending"), "{context}: {still}");
                    scene.fake.mend();
                    scene.is_pending(&context);
                    scene.days_cannot_change().await;
                    check_health(&scene.fake).await;
                    let first = if same_step {
                        step
                    } else {
                        RotationStep::Create
                    };
                    let resumed = scene.rotation.resume_from(first).await;
                    assert_eq!(
                        resumed,
                        Rotated::Finished,
                        "{context}\n{}",
                        scene.fake.transcript()
                    );
                    scene.is_rotated(&context);
                    assert_eq!(scene.change_days().await, Rotated::Finished);
                    scene.ends_well(&context).await;
                });
            }
        }
    }
    fake_aws::figure!("schedules: {tried} outages of an hour in a step of a rotation");
}

/// Every call of a whole rotation: its step, its index among the step's, and whether it changes
/// anything.
fn calls() -> Vec<(RotationStep, usize, bool)> {
    paused(async {
        let mut scene = scene(Options::default()).await;
        let before = scene.fake.journal().len();
        assert_eq!(scene.rotation.rotate().await, Rotated::Finished);
        let journal = scene.fake.journal();
        let calls = journal[before..].iter().filter_map(|entry| {
            let mut steps = RotationStep::ALL.into_iter();
            let step = steps.find(|step| entry.caller.contains(&format!(".{step}.")))?;
            Some((step, entry.index, changes(&entry.operation)))
        });
        calls.collect()
    })
}

/// How a call fails, and what the step's later calls meet.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// This call and all later ones.
    Since(FaultKind),
    /// The call is executed and its answer lost; no later one arrives.
    ExecutedThenSilence,
}

#[test]
fn failure_of_any_call_of_any_step_then_reattempt_rotates() {
    let mut failures = vec![];
    let (mut tried, mut failed) = (0, 0);
    for (step, index, is_change) in calls() {
        let mut ways = vec![
            Failing::Since(FaultKind::RequestLost),
            Failing::Since(FaultKind::InternalError500),
            Failing::Since(FaultKind::Throttled),
        ];
        if is_change {
            ways.push(Failing::ExecutedThenSilence);
        }
        for way in ways {
            let context = format!("{way:?} at {step}#{index}");
            let played = std::panic::AssertUnwindSafe(|| {
                paused(fails_then_resumes(step, index, way, &context))
            });
            tried += 1;
            match std::panic::catch_unwind(played) {
                Ok(has_failed) => failed += usize::from(has_failed),
                Err(panic) => failures.push(format!("{context}: {}", panics::text(&*panic))),
            }
        }
    }
    fake_aws::figure!(
        "schedules: {tried} failing calls of a rotation, of which {failed} failed their step"
    );
    none_failed(&failures);
    assert!(failed > 100, "{failed}");
}

/// Whether the step failed.
async fn fails_then_resumes(step: RotationStep, index: usize, way: Failing, context: &str) -> bool {
    let mut scene = scene(Options::default()).await;
    scene.rotation.begin().expect("a rotation");
    for before in RotationStep::ALL
        .into_iter()
        .take_while(|before| *before != step)
    {
        assert_eq!(scene.rotation.step(before).await, Ok(()));
    }
    // `begin` has been called for the schedule and for the rotation.
    let caller = format!("rotation-2.{step}.1");
    let (fake, inject) = (&scene.fake, |fault| scene.fake.inject(&caller, fault));
    match way {
        Failing::Since(kind) => inject(Fault::since(index, kind)),
        Failing::ExecutedThenSilence => {
            inject(Fault::at(index, FaultKind::AnswerLost));
            inject(Fault::since(index + 1, FaultKind::RequestLost));
        }
    }
    let stepped = scene.rotation.step(step).await;
    let has_failed = match &stepped {
        // The end of a step may do without what it asks last.
        Ok(()) => false,
        Err(Rotated::Failed { reason, .. }) => {
            assert!(
                reason.contains("stays pending"),
                "{reason}\n{}",
                fake.transcript()
            );
            true
        }
        Err(other) => panic!("{other:?}\n{}", fake.transcript()),
    };
    let is_current =
        fake.look(|aws| aws.secrets[SECRET].at_stage(CURRENT) == Some(scene.rotation.version()));
    if !is_current {
        scene.is_pending(context);
    }
    sleep(Duration::from_hours(1)).await;
    let resumed = scene.rotation.reattempt().await;
    assert_eq!(resumed, Rotated::Finished, "{}", fake.transcript());
    scene.is_rotated(context);
    scene.ends_well(context).await;
    has_failed
}

#[test]
fn token_rejected_for_a_day_ends_only_that_rotation() {
    for step in RotationStep::ALL {
        let context = step.to_string();
        paused(async {
            let mut scene = scene(Options::default()).await;
            let tokens = scene.fake.look(|aws| aws.gitlab.tokens.clone());
            let rejects = |fake: &FakeAws| fake.change(|aws| aws.gitlab.tokens.clear());
            let reason = scene.fail_at(step, rejects).await;
            assert!(
                reason.contains("401") && reason.contains("has ended"),
                "{reason}"
            );
            let ended = scene.rotation.version().to_owned();
            for _ in 0..24 {
                let held = scene.fake.look(|aws| {
                    checks::works(aws, &checks::pairs(&properties()))?;
                    checks::labels_are_in_order(aws)
                });
                held.unwrap_or_else(|broken| panic!("{broken}\n{}", scene.fake.transcript()));
                sleep(Duration::from_hours(1)).await;
            }
            check_health(&scene.fake).await;
            assert_eq!(scene.change_days().await, Rotated::Finished);
            // Due again, and in vain: with a version of its own, which ends too.
            let again = scene.rotation.come_due().await;
            assert!(matches!(again, Rotated::Failed { .. }), "{again:?}");
            assert!(!scene.rotation.is_pending());
            assert_ne!(scene.rotation.version(), ended);
            scene.fake.change(|aws| aws.gitlab.tokens = tokens);
            // An open claim counts as a running invocation for 20 minutes.
            sleep(Duration::from_mins(30)).await;
            let rotated = scene.rotation.come_due().await;
            assert_eq!(rotated, Rotated::Finished, "{}", scene.fake.transcript());
            scene.is_rotated(&context);
            scene.ends_well(&context).await;
        });
    }
}

#[test]
fn denied_call_or_foreign_credential_ends_the_rotation() {
    type Harm = fn(&FakeAws);
    let harms: [(&str, RotationStep, Harm); 3] = [
        ("no policy allows", RotationStep::Create, |fake| {
            fake.deny("iam:CreateServiceSpecificCredential", USER);
        }),
        ("codecommit:GetRepository", RotationStep::Set, |fake| {
            fake.deny("codecommit:GetRepository", REPOSITORY);
        }),
        ("credential", RotationStep::Create, |fake| {
            fake.foreign_credential(USER);
        }),
    ];
    for (says, step, harm) in harms {
        paused(async {
            let mut scene = scene(Options::default()).await;
            let reason = scene.fail_at(step, harm).await;
            assert!(reason.contains("has ended"), "{says}: {reason}");
            assert!(
                !scene.rotation.is_pending(),
                "{says}\n{}",
                scene.fake.transcript()
            );
            scene.is_at_rest(&properties(), true, says);
            assert_eq!(scene.change_days().await, Rotated::Finished, "{says}");
            scene.fake.assert_unbroken();
        });
    }
}

#[test]
fn login_refused_while_new_stays_pending_and_later_ends() {
    paused(async {
        let mut scene = scene(Options::default()).await;
        let late = |fake: &FakeAws| {
            fake.options(|options| options.login_late = Duration::from_mins(20));
        };
        late(&scene.fake);
        let reason = scene.fail_at(RotationStep::Set, |_| {}).await;
        assert!(
            reason.contains("401") && reason.contains("stays pending"),
            "{reason}"
        );
        sleep(Duration::from_mins(20)).await;
        let resumed = scene.rotation.reattempt().await;
        assert_eq!(resumed, Rotated::Finished, "{}", scene.fake.transcript());
        scene.is_rotated("late login");
        scene.fake.assert_unbroken();
    });
    paused(async {
        let mut scene = scene(Options::default()).await;
        let reason = scene
            .fail_at(RotationStep::Set, deactivate_the_pending)
            .await;
        assert!(
            reason.contains("401") && reason.contains("stays pending"),
            "{reason}"
        );
        sleep(Duration::from_mins(61)).await;
        let later = scene.rotation.reattempt().await;
        let has_ended =
            matches!(&later, Rotated::Failed { reason, .. } if reason.contains("has ended"));
        assert!(has_ended, "{later:?}");
        assert!(!scene.rotation.is_pending());
        scene.is_at_rest(&properties(), true, "deactivated by hand");
        scene.ends_well("deactivated by hand").await;
    });
}

/// Somebody sets the credential that the rotation issued to inactive.
fn deactivate_the_pending(fake: &FakeAws) {
    fake.change(|aws| {
        let current = checks::value(aws).expect("a value")["serviceSpecificCredentialId"].clone();
        let now = aws.now;
        for held in checks::ours(aws) {
            if current != held.id {
                let set = |iam: &mut Iam| iam.set_active(USER, &held.id, "Inactive");
                aws.iam.change(now, set).expect("it is there");
            }
        }
    });
}

/// Days on which Secrets Manager itself leaves AWSPENDING alone, or removes it.
fn days() -> [Options; 2] {
    let left_alone = Options {
        pending: Pending {
            goes_with_current: true,
            abandoned_by: AbandonedBy::Nothing,
        },
        ..Options::default()
    };
    [Options::default(), left_alone]
}

#[test]
fn update_with_new_password_supersedes_a_pending_rotation() {
    for options in days() {
        for step in RotationStep::ALL {
            let context = step.to_string();
            paused(async {
                let mut scene = scene(options.clone()).await;
                let down = On::Service(Service::GitLab);
                let breaks = |fake: &FakeAws| fake.break_from_now(down, FaultKind::RequestLost);
                scene.fail_at(step, breaks).await;
                scene.fake.mend();
                scene.is_pending(&context);
                let next = serial(&properties(), 2);
                let updated = scene.stack.update(&next, None).await;
                assert!(
                    updated.is_success(),
                    "{updated:?}\n{}",
                    scene.fake.transcript()
                );
                scene.is_at_rest(&next, false, &context);
                assert!(!scene.rotation.is_pending(), "{context}");
                // The reattempt of what was superseded changes nothing.
                let late = scene.rotation.reattempt().await;
                assert!(matches!(late, Rotated::Failed { .. }), "{late:?}");
                scene.is_at_rest(&next, false, &context);
                assert_eq!(scene.change_days().await, Rotated::Finished);
                scene.ends_well(&context).await;
            });
        }
    }
}

#[test]
fn delete_while_a_rotation_is_pending_leaves_nothing() {
    for step in RotationStep::ALL {
        paused(async {
            let mut scene = scene(Options::default()).await;
            let down = On::Service(Service::GitLab);
            let breaks = |fake: &FakeAws| fake.break_from_now(down, FaultKind::RequestLost);
            scene.fail_at(step, breaks).await;
            scene.fake.mend();
            scene.is_pending(&step.to_string());
            scene.expect_deleted(&step.to_string()).await;
        });
    }
}

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It ends a rotation and leaves AWSPENDING.
    KeepsPending,
    /// It removes AWSPENDING as soon as GitLab is called.
    DropsPending,
}

impl misbehaving::Mutant for Mutant {
    fn pass(self, fake: FakeAws, honest: Caller, request: HttpRequest) -> HttpConnectorFuture {
        let body = body_of(&request);
        let drops = body.contains("AWSPENDING") && body.contains("RemoveFromVersionId");
        let is_gitlab = request.uri().contains("/remote_mirrors");
        HttpConnectorFuture::new(async move {
            match self {
                Mutant::KeepsPending if drops => return Ok(invented(200, "{}")),
                Mutant::DropsPending if is_gitlab => fake.change(|aws| {
                    let Some(secret) = aws.secrets.get_mut(SECRET) else {
                        return;
                    };
                    if let Some(pending) = secret.at_stage(PENDING).map(str::to_owned) {
                        forget_pending(secret, &pending);
                    }
                }),
                _ => {}
            }
            honest.call(request).await
        })
    }
}

#[test]
fn wrong_ends_of_a_rotation_are_noticed() {
    for (mutant, says) in [
        (Mutant::KeepsPending, "AWSPENDING is left"),
        (Mutant::DropsPending, "GitLab is down"),
    ] {
        let play = || {
            paused(async {
                let mut scene = scene(Options::default()).await;
                let down = On::Service(Service::GitLab);
                let harm = |fake: &FakeAws| match mutant {
                    Mutant::KeepsPending => fake.change(|aws| aws.gitlab.tokens.clear()),
                    Mutant::DropsPending => fake.break_from_now(down, FaultKind::RequestLost),
                };
                scene.fail_at(RotationStep::Set, harm).await;
                match mutant {
                    Mutant::KeepsPending => {
                        let held = scene.fake.look(checks::labels_are_in_order);
                        held.unwrap_or_else(|broken| panic!("{broken}"));
                    }
                    Mutant::DropsPending => scene.is_pending("GitLab is down"),
                }
            });
        };
        let first = assert_noticed(mutant, says, play);
        fake_aws::figure!("mutant {mutant:?}: noticed: {first}");
    }
}
