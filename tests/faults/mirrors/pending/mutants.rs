//! Products that end or keep a rotation wrongly.

use crate::checks::{self};
use crate::fixture::SECRET;
use fake_aws::On;
use fake_aws::explore::paused;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, body_of, invented,
    operation_of,
};
use fake_aws::request::Service;
use fake_aws::secrets::PENDING;
use fake_aws::secrets::versions::forget_pending;
use fake_aws::{Caller, FakeAws, FaultKind, Options};
use test_support::RotationStep;

use super::fixture_with_schedule;

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RotationMutant {
    /// It ends a rotation and leaves AWSPENDING.
    KeepsPending,
    /// It removes AWSPENDING as soon as GitLab is called.
    DropsPending,
}

impl misbehaving::Mutant for RotationMutant {
    async fn pass(self, fake: FakeAws, honest: Caller, request: HttpRequest) -> Response {
        let body = body_of(&request);
        let drops = body.contains("AWSPENDING") && body.contains("RemoveFromVersionId");
        let is_gitlab = operation_of(&request).contains("Mirror");
        match self {
            RotationMutant::KeepsPending if drops => return Ok(invented(200, "{}")),
            RotationMutant::DropsPending if is_gitlab => fake.change(|aws| {
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
    }
}

#[test]
fn wrong_ends_of_a_rotation_are_detected() {
    for (mutant, reason) in [
        (RotationMutant::KeepsPending, "AWSPENDING is left"),
        (RotationMutant::DropsPending, "GitLab is down"),
    ] {
        let play = || {
            paused(async {
                let mut fixture = fixture_with_schedule(Options::default()).await;
                let down = On::Service(Service::GitLab);
                let harm = |fake: &FakeAws| match mutant {
                    RotationMutant::KeepsPending => fake.change(|aws| aws.gitlab.tokens.clear()),
                    RotationMutant::DropsPending => {
                        fake.break_from_now(down, FaultKind::RequestLost);
                    }
                };
                fixture.fail_at(RotationStep::Set, harm).await;
                match mutant {
                    RotationMutant::KeepsPending => {
                        fixture.fake.assert_holds(checks::labels_are_in_order);
                    }
                    RotationMutant::DropsPending => fixture.is_pending("GitLab is down"),
                }
            });
        };
        assert_noticed(mutant, reason, play);
    }
}
