"""Reject the change set that waits in a project's pipeline.

It shows the same as `approve`, has the same prompt, and needs the same rights. It also rejects a change set
that was not read, even if the function does not answer. The execution fails, and nothing of it is deployed.
But its commit stays on the branch, so the next push deploys it as well.
"""

from cli.project.decision import REJECT

EXAMPLES = (
    "cfn-gitops reject --env dev shop",
    'cfn-gitops reject --env prd shop --reason "Not before Monday" --yes',
)

add_arguments, run = REJECT.add_arguments, REJECT.run
