//! A stack with one `Custom::MirrorCredential`.

use fake_aws::FakeAws;
use test_support::custom_resource::CustomResource;

pub use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, RollBack, deliver_once,
};

const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/5f3b2c10-0000-11f0-8000-0a0000000000";

const CREDENTIAL: CustomResource = CustomResource {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: fake_aws::mutants::wire,
};

/// The stack of most tests.
pub fn stack(fake: &FakeAws) -> ParentStack {
    stack_called(fake, STACK)
}

/// The stack of this ARN.
pub fn stack_called(fake: &FakeAws, arn: &str) -> ParentStack {
    ParentStack::called(fake, CREDENTIAL, arn)
}
