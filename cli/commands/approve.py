"""Approve the change set that waits in a project's pipeline.

It shows the commit and the change set as the note in GitLab does: replacements and removals first, then the
rights that the deployment lacks, a freeze, and its problems. After a prompt it approves exactly this request,
and never another one that waits by then. A pipeline without a change set has only its commit to read. A
change set that was not read is not approved, and with --yes also none in a freeze, without its rights, or
with more than 100 resources.

Only an approver may do this: docs/how-to/approvers.md. CodePipeline records who approved, and the reason. It
needs lambda:InvokeFunction for the function cfn-gitops-<EnvID>-read, codepipeline:GetPipelineState and
codepipeline:PutApprovalResult, and codepipeline:ListActionExecutions if a response is lost.
"""

from cli.project.decision import APPROVE

EXAMPLES = ("cfn-gitops approve --env dev shop", 'cfn-gitops approve --env prd shop --reason "Read with Ann"')

add_arguments, run = APPROVE.add_arguments, APPROVE.run
