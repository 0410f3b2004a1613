"""The calls that CloudFormation accepts in each status of a stack, if they do not disable the rollback.

- The statuses: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
- CREATE_FAILED and UPDATE_FAILED remain with "Preserve successfully provisioned resources":
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html. UpdateStack is
  rejected (https://github.com/ansible-collections/amazon.aws/issues/1655), and so is ExecuteChangeSet
  after an accepted CreateChangeSet (https://github.com/aws/aws-cdk/issues/30546).
- https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
- https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
- DeleteStack during an operation:
  https://github.com/aws-solutions-library-samples/guidance-for-clickstream-analytics-on-aws/issues/573, for
  updates. That a creation's rollback rejects it too is not documented. (?)
"""

_READY = "CreateChangeSet DeleteStack ExecuteChangeSet UpdateStack"
_NOT_ROLLED_BACK = "CreateChangeSet DeleteStack RollbackStack"
ACCEPTED = {
    "REVIEW_IN_PROGRESS": "CreateChangeSet DeleteStack ExecuteChangeSet",
    "CREATE_IN_PROGRESS": "DeleteStack",
    "CREATE_COMPLETE": _READY,
    "CREATE_FAILED": _NOT_ROLLED_BACK,
    "ROLLBACK_IN_PROGRESS": "",
    "ROLLBACK_COMPLETE": "DeleteStack",
    "ROLLBACK_FAILED": "DeleteStack",
    "UPDATE_IN_PROGRESS": "",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "",
    "UPDATE_COMPLETE": _READY,
    "UPDATE_FAILED": _NOT_ROLLED_BACK,
    "UPDATE_ROLLBACK_IN_PROGRESS": "",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "",
    "UPDATE_ROLLBACK_COMPLETE": _READY,
    "UPDATE_ROLLBACK_FAILED": "ContinueUpdateRollback DeleteStack",
    "DELETE_IN_PROGRESS": "DeleteStack",
    "DELETE_COMPLETE": "DeleteStack",
    "DELETE_FAILED": "DeleteStack",
    "IMPORT_IN_PROGRESS": "",
    "IMPORT_COMPLETE": _READY,
    "IMPORT_ROLLBACK_IN_PROGRESS": "",
    "IMPORT_ROLLBACK_COMPLETE": _READY,
    "IMPORT_ROLLBACK_FAILED": "DeleteStack",
}
