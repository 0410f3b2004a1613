//! A stack with one `Custom::MirrorCredential`.

use fake_aws::World;
use fake_aws::custom_resource::Kind;

pub use fake_aws::custom_resource::{Answer, INVENTED_ID, RollBack, Stack, deliver_once};

const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/5f3b2c10-0000-11f0-8000-0a0000000000";

const CREDENTIAL: Kind = Kind {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: fake_aws::mutants::wire,
};

/// The stack of most tests.
pub fn stack(world: &World) -> Stack {
    stack_called(world, STACK)
}

/// The stack of this ARN.
pub fn stack_called(world: &World, arn: &str) -> Stack {
    Stack::called(world, CREDENTIAL, arn)
}
