//! The command that reverts the drift of a stack.

use crate::common::commands::{aws, with_previous_values};
use cfn_custom_resource::Command;

/// The name of the change set that an operator creates.
pub const REVERT_DRIFT: &str = "revert-drift";

/// The sentence before its command. A reference may change a resource that is as in the template:
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505>.
pub const IN_SYNC: &str =
    "Read it before you execute it, because it may also change resources that have not drifted";

/// Creates a change set that reverts the drift. The stack has these `parameters`, and CloudFormation
/// changes it with the role `role_arn`.
pub fn revert_command(
    stack_name: &str,
    role_arn: &str,
    parameters: &[String],
    capabilities: &[String],
) -> Command {
    let option = capabilities.first().map(|_| "--capabilities");
    let command = aws([
        "cloudformation",
        "create-change-set",
        "--stack-name",
        stack_name,
        "--change-set-name",
        REVERT_DRIFT,
        "--deployment-mode",
        "REVERT_DRIFT",
        "--use-previous-template",
        "--role-arn",
        role_arn,
    ]);
    with_previous_values(command.with(option).with(capabilities), parameters)
}
