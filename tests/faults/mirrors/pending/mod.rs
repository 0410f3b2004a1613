//! A rotation whose step fails. After a transient failure the rotation is pending, and the same
//! version resumes it. Otherwise the rotation ends, and the next one has a new version. Meanwhile
//! the current login and its mirrors work.

mod ended;
mod mutants;
mod resumed;

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::checks::{self, Watch};
use crate::fixture::{SECRET, fake, properties, rotation, stack};
use fake_aws::secrets::CURRENT;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::ParentStack;
use test_support::{Rotated, Rotation, RotationStep};

const NOT_COMPLETE: &str = "A previous rotation isn't complete.";

/// A stack with a credential whose secret has a rotation schedule, and the checks throughout.
struct RotationFixture {
    fake: FakeAws,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
}

async fn fixture_with_schedule(options: Options) -> RotationFixture {
    let fake = fake(options);
    let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
    stack.create(&properties()).await.assert_success();
    sleep(Duration::from_hours(1)).await;
    let attached = rotation.attach_schedule(30, false).await;
    assert_eq!(attached, Rotated::Finished);
    let watch = Watch::begin(&fake);
    watch.expect(checks::pairs(&properties()));
    RotationFixture {
        fake,
        stack,
        rotation,
        watch,
    }
}

impl RotationFixture {
    /// Runs the rotation's steps before `step`, calls `harm`, and runs `step`, which fails.
    async fn fail_at(&mut self, step: RotationStep, harm: impl FnOnce(&FakeAws)) -> String {
        self.rotation.begin().expect("no rotation is pending");
        for before in RotationStep::ALL
            .into_iter()
            .take_while(|before| *before != step)
        {
            let stepped = self.rotation.step(before).await;
            assert_eq!(stepped, Ok(()));
        }
        harm(&self.fake);
        self.fails(step).await
    }

    async fn fails(&self, step: RotationStep) -> String {
        match self.rotation.step(step).await {
            Err(Rotated::Failed { reason, .. }) => reason,
            other => panic!("{step}: {other:?}"),
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
