//! A rotation whose step fails. After a transient failure the rotation is pending, and the same
//! version resumes it. Otherwise the rotation ends, and the next one has a new version. Meanwhile
//! the current login and its mirrors work.

mod ended;
mod resumed;

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::checks::{self, Watch};
use crate::fixture::{SECRET, fake, properties, rotation, stack};
use fake_aws::explore::paused;
use fake_aws::request::Service;
use fake_aws::secrets::CURRENT;
use fake_aws::{FakeAws, FaultKind, On, Options};
use test_support::custom_resource::ParentStack;
use test_support::{Rotated, Rotation, RotationStep};

/// A stack with a credential whose secret has a rotation schedule, and the checks throughout.
struct RotationFixture {
    fake: FakeAws,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
}

fn with_schedule<T>(options: Options, play: impl AsyncFnOnce(RotationFixture) -> T) -> T {
    paused(async {
        let fake = fake(options);
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        stack.create(&properties()).await.assert_success();
        sleep(Duration::from_hours(1)).await;
        let attached = rotation.attach_schedule(30, false).await;
        assert_eq!(attached, Rotated::Finished);
        let watch = Watch::begin(&fake);
        watch.expect(checks::pairs(&properties()));
        let fixture = RotationFixture {
            fake,
            stack,
            rotation,
            watch,
        };
        play(fixture).await
    })
}

impl RotationFixture {
    /// Begins a rotation, and runs its steps before `step`.
    async fn begin_until(&mut self, step: RotationStep) {
        self.rotation.begin().expect("no rotation is pending");
        let steps = RotationStep::ALL.into_iter();
        for before in steps.take_while(|before| *before != step) {
            let stepped = self.rotation.step(before).await;
            assert_eq!(stepped, Ok(()));
        }
    }

    /// Runs the rotation's steps before `step`, calls `harm`, and runs `step`, which fails with
    /// these parts in its reason.
    async fn fail_at(&mut self, step: RotationStep, harm: impl FnOnce(&FakeAws), parts: &[&str]) {
        self.begin_until(step).await;
        harm(&self.fake);
        self.fails(step, parts).await;
    }

    /// Leaves a rotation pending, because GitLab was unreachable in `step`.
    async fn leave_pending(&mut self, step: RotationStep) {
        let gitlab = On::Service(Service::GitLab);
        let breaks = |fake: &FakeAws| fake.break_from_now(gitlab, FaultKind::RequestLost);
        self.fail_at(step, breaks, &["stays pending"]).await;
        self.fake.mend();
        self.is_pending(&step.to_string());
    }

    async fn fails(&self, step: RotationStep, parts: &[&str]) {
        let stepped = self.rotation.step(step).await;
        let Err(Rotated::Failed { reason, .. }) = stepped else {
            panic!("{step}: {stepped:?}");
        };
        for part in parts {
            assert!(reason.contains(part), "{step}: {reason}");
        }
    }

    fn is_pending(&self, context: &str) {
        assert!(self.rotation.is_pending(), "{context}");
        self.fake
            .assert_holds_in(context, |aws| checks::pending(aws, &properties()));
    }

    fn is_rotated(&self, context: &str) {
        let version = self.rotation.version();
        let current = self
            .fake
            .look(|aws| aws.secrets[SECRET].at_stage(CURRENT).map(str::to_owned));
        assert_eq!(current.as_deref(), Some(version), "{context}");
        self.is_at_rest(&properties(), true, context);
    }

    fn is_at_rest(&self, properties: &Value, after_rotation: bool, context: &str) {
        self.fake.assert_holds_in(context, |aws| {
            checks::at_rest(aws, properties, after_rotation)
        });
    }

    /// A change of the `RotationSchedule`.
    async fn change_days(&mut self) -> Rotated {
        self.rotation.attach_schedule(60, false).await
    }

    /// A further rotation succeeds, and the deletion leaves nothing.
    async fn ends_well(mut self, context: &str) {
        sleep(Duration::from_hours(24)).await;
        let again = self.rotation.rotate().await;
        assert_eq!(again, Rotated::Finished, "{context}");
        self.is_rotated(context);
        self.expect_deleted(context).await;
    }

    async fn expect_deleted(mut self, context: &str) {
        self.watch.expect_nothing();
        let deleted = self.stack.delete().await;
        assert!(deleted.is_success(), "{context}: {deleted:?}");
        self.fake.assert_holds_in(context, checks::nothing_remains);
        self.fake.assert_unbroken();
    }
}
