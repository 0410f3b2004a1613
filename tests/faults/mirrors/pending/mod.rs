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
use fake_aws::{AwsState, FakeAws, FaultKind, On, Options};
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
        self.is_pending();
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

    fn is_pending(&self) {
        assert!(self.rotation.is_pending());
        let holds = |aws: &AwsState| checks::pending(aws, &properties());
        self.fake.assert_holds(holds);
    }

    fn is_rotated(&self) {
        let version = Some(self.rotation.version());
        let is_current = |aws: &AwsState| aws.secrets[SECRET].at_stage(CURRENT) == version;
        assert!(self.fake.look(is_current));
        self.is_at_rest(&properties(), true);
    }

    fn is_at_rest(&self, properties: &Value, after_rotation: bool) {
        let holds = |aws: &AwsState| checks::at_rest(aws, properties, after_rotation);
        self.fake.assert_holds(holds);
    }

    /// A change of the `RotationSchedule`.
    async fn change_days(&mut self) -> Rotated {
        self.rotation.attach_schedule(60, false).await
    }

    /// A further rotation succeeds, and the deletion leaves nothing.
    async fn ends_well(mut self) {
        sleep(Duration::from_hours(24)).await;
        assert_eq!(self.rotation.rotate().await, Rotated::Finished);
        self.is_rotated();
        self.expect_deleted().await;
    }

    async fn expect_deleted(mut self) {
        self.watch.expect_nothing();
        self.stack.delete().await.assert_success();
        self.fake.assert_holds(checks::nothing_remains);
        self.fake.assert_unbroken();
    }
}
