"""The table of what neither the deploy role nor a role under the boundary may do. template.yaml has each list twice.

test_limits.py compares both statements with it. A new limit gets a row here, and both statements get the action.
"""

# Actions that IAM limits to no resource that is certain to be evaluated: CallsWithoutNamesStay of the deploy role, and
# the boundary's statement for all resources. A value is the boundary's pattern, which is shorter there for IAM's limit.
ON_ANYTHING = {
    "chatbot:*": "chatbot:*",
    # Resource types and hooks: code that CloudFormation runs before or for operations on stacks of the whole account.
    # https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/what-is-cloudformation-hooks.html
    "cloudformation:ActivateType": "cloudformation:ActivateType",
    "cloudformation:DeactivateType": "cloudformation:DeactivateType",
    "cloudformation:DeregisterType": "cloudformation:DeregisterType",
    "cloudformation:PublishType": "cloudformation:PublishType",
    "cloudformation:Register*": "cloudformation:Register*",
    "cloudformation:SetType*": "cloudformation:Set*",
    "cloudformation:TestType": "cloudformation:TestType",
    "codecommit:*ApprovalRuleTemplate*": "codecommit:*ApprovalRuleTemplate*",
    "ecr:PutRe*": "ecr:PutRe*",
    "events:PutPermission": "events:*Permission",
    "events:RemovePermission": "events:*Permission",
    "logs:*AccountPolicy": "logs:*AccountPolicy",
    "s3:Create*AccessPoint*": "s3:Create*AccessPoint*",
}

# Actions on stacks other than cfnstack-<EnvID>-* for the deploy role (OtherStacksStay), and on any for the boundary.
ON_STACKS = {
    "cloudformation:CancelUpdateStack": "cloudformation:*UpdateStack*",
    "cloudformation:ContinueUpdateRollback": "cloudformation:*Rollback*",
    "cloudformation:CreateChangeSet": "cloudformation:*teChangeSet",
    "cloudformation:CreateStack?*": "cloudformation:CreateStack?*",
    "cloudformation:DeleteChangeSet": "cloudformation:*teChangeSet",
    "cloudformation:DeleteStack*": "cloudformation:DeleteStack*",
    "cloudformation:Execute*": "cloudformation:Execute*",
    "cloudformation:RollbackStack": "cloudformation:*Rollback*",
    "cloudformation:SetStackPolicy": "cloudformation:Set*",
    "cloudformation:UpdateStack*": "cloudformation:*UpdateStack*",
}

# In the boundary's statement only, and why.
ONLY_UNDER_THE_BOUNDARY = {
    "codestar-notifications:*": "the deploy role may notify about other resources: NoNotificationsWithKeys",
}

# Actions on the machinery's names: MachineryStays, and the boundary's last long statement. The former also has the
# actions on roles, which the boundary limits by what it allows.
ON_THE_MACHINERY = """events:* cloudformation:* cloudwatch:* codebuild:* codecommit:* codepipeline:* secretsmanager:*
    sqs:* ecr:BatchDelete* ecr:Delete* ecr:Put* ecr:Set* ecr:Update* lambda:* logs:Delete* logs:Put* s3:Delete* s3:List*
    s3:Put* s3:Replicate* sns:Add* sns:Delete* sns:P* sns:Remove* sns:Set*""".split()
ON_ROLES = ["iam:*", "sts:AssumeRole"]

# Statements of the deploy role's limits with a condition, or with resources of parameters: the boundary has equal ones.
EQUAL = [
    "TokensStay",
    "TagsOfTheFunctionStay",
    "NoEventSourceOfTheFunction",
    "BucketsOfArtifactsStay",
    "KeysOfArtifactsStay",
    "NoRulesForEventsWithKeys",
]
# Statements that the boundary has in another form, and why.
OTHERWISE = {
    "NoRoleWithoutTheBoundary": "the boundary allows no change to IAM",
    "BoundariesStay": "the boundary allows no change to IAM",
    "NothingElseInIam": "the boundary allows no change to IAM, and limits PassRole and AssumeRole by the same names",
    "NoNotificationsWithKeys": "the boundary denies notifications of any resource",
    "NothingFromReviews": "it is about what a merged template deploys; such a role may read reviews",
}
