"""Every changing action that a list of denials leaves open, with the reason.

test_lists.py requires that this table and the evaluation agree. So a new operation of botocore fails there,
until a statement denies it, or until it stands here. An action stands here by its name, never by a pattern.
"""

# Of both lists of template.yaml and of both policies of branch-protection.yaml: none of these calls is about
# a resource of cfn-gitops.
ABOUT_OTHERS = [
    ("reads drift", "cloudformation", "DetectStackDrift DetectStackResourceDrift DetectStackSetDrift"),
    (
        "Cloud Control: the caller makes the resource's own calls, which are judged by themselves",
        "cloudformation",
        "CancelResourceRequest CreateResource DeleteResource UpdateResource",
    ),
    (
        "a scan, or a template that is generated from it, changes no stack",
        "cloudformation",
        "CreateGeneratedTemplate DeleteGeneratedTemplate StartResourceScan UpdateGeneratedTemplate",
    ),
    ("a bucket for templates that the console uploads", "cloudformation", "CreateUploadBucket"),
    (
        "ends or reports a wait of a stack that its owner started, and changes no property",
        "cloudformation",
        "RecordHandlerProgress SignalResource",
    ),
    ("tags of a stack, which no policy compares", "cloudformation", "TagResource UntagResource"),
    (
        "removes or sets a protection against deletion, and DeleteStack is judged by itself",
        "cloudformation",
        "UpdateTerminationProtection",
    ),
    (
        "an API destination or a connection: the rules of cfn-gitops have none, and may not be changed",
        "events",
        (
            "CreateApiDestination CreateConnection DeauthorizeConnection DeleteApiDestination"
            " DeleteConnection InvokeApiDestination RetrieveConnectionCredentials UpdateApiDestination"
            " UpdateConnection"
        ),
    ),
    (
        "an archive or a replay: the rules that start pipelines match no replayed event",
        "events",
        "CancelReplay CreateArchive DeleteArchive StartReplay UpdateArchive",
    ),
    ("another bus: the default one cannot be created or deleted", "events", "CreateEventBus DeleteEventBus"),
    (
        "a global endpoint, or events of a partner: the rules of cfn-gitops match sources of AWS",
        "events",
        (
            "ActivateEventSource CreateEndpoint CreatePartnerEventSource DeactivateEventSource DeleteEndpoint"
            " DeletePartnerEventSource PutPartnerEvents UpdateEndpoint"
        ),
    ),
    (
        "an event of an own source: EventBridge accepts none whose source begins with `aws.`",
        "events",
        "PutEvents",
    ),
    ("tags of a bus, which no policy compares", "events", "TagResource UntagResource"),
    (
        "a layer, a code signing configuration or a capacity provider, which the function does not have",
        "lambda",
        (
            "CreateCodeSigningConfig AddLayerVersionPermission CreateCapacityProvider DeleteCapacityProvider"
            " DeleteCodeSigningConfig DeleteLayerVersion PublishLayerVersion RemoveLayerVersionPermission"
            " UpdateCapacityProvider UpdateCodeSigningConfig"
        ),
    ),
    (
        "a mapping of events, which DeleteEventSourceMapping only ends. The function is invoked by none",
        "lambda",
        "DeleteEventSourceMapping",
    ),
    (
        "names the function itself: another function has no right of cfn-gitops",
        "lambda",
        (
            "AssociateRuntimeAlias CheckpointDurableExecution DeleteResourcePolicy PutFunctionScalingConfig"
            " PutResourcePolicy SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat"
            " SendDurableExecutionCallbackSuccess StopDurableExecution"
        ),
    ),
    (
        "a custom action type, a job or a webhook: the pipelines have actions of AWS alone",
        "codepipeline",
        (
            "AcknowledgeJob AcknowledgeThirdPartyJob CreateCustomActionType DeleteCustomActionType"
            " DeleteWebhook DeregisterWebhookWithThirdParty PollForJobs PollForThirdPartyJobs"
            " PutJobFailureResult PutJobSuccessResult PutThirdPartyJobFailureResult"
            " PutThirdPartyJobSuccessResult RegisterWebhookWithThirdParty UpdateActionType"
        ),
    ),
]

# Of the deploy role and of the roles that pipelines create.
OF_DEPLOYED_STACKS = [
    *ABOUT_OTHERS,
    ("a new stack, which works with its creator's permissions", "cloudformation", "CreateStack"),
    (
        "a metric or what is computed from it: metrics have no names that IAM could match. The page names it",
        "cloudwatch",
        (
            "CreateServiceLevelObjective DeleteAnomalyDetector DeleteInsightRules DeleteMetricStream"
            " DeleteServiceLevelObjective DisableInsightRules EnableInsightRules PutAnomalyDetector"
            " PutInsightRule PutManagedInsightRules PutMetricData PutMetricStream StartMetricStreams"
            " StopMetricStreams UpdateServiceLevelObjective"
        ),
    ),
    ("sharing with, or discovery by, a monitoring account", "cloudwatch", "EnableTopologyDiscovery Link"),
    (
        "detailed metrics or labels of resources of AWS, and the key of what they show",
        "cloudwatch",
        (
            "AssociateDatasetKmsKey CreateResourceMetricsConfiguration DeleteResourceMetricsConfiguration"
            " DisassociateDatasetKmsKey StartOTelEnrichment StopOTelEnrichment UpdateOTelEnrichment"
            " UpdateResourceMetricsConfiguration"
        ),
    ),
    (
        "needs the same right for each alarm that it mutes, which is denied",
        "cloudwatch",
        "DeleteAlarmMuteRule PutAlarmMuteRule",
    ),
    ("an alarm, which is denied by its name", "cloudwatch", "PutLogAlarm"),
    (
        "a fleet or a connection to another host of code: the builds have none",
        "codebuild",
        (
            "CreateFleet DeleteFleet DeleteOAuthToken DeleteSourceCredentials ImportSourceCredentials"
            " PersistOAuthToken UpdateFleet"
        ),
    ),
    (
        "a sandbox of a project, which is denied by its name",
        "codebuild",
        "StartCommandExecution StartSandbox StartSandboxConnection StopSandbox",
    ),
    (
        "a notification rule of other resources, or its end: neither shows a key",
        "codestar-notifications",
        (
            "CreateNotificationRule DeleteNotificationRule DeleteTarget Subscribe TagResource Unsubscribe"
            " UntagResource UpdateNotificationRule"
        ),
    ),
    (
        "a setting of the registry that lets no account write images",
        "ecr",
        (
            "CreatePullThroughCacheRule CreateRepositoryCreationTemplate DeletePullThroughCacheRule"
            " DeleteRegistryPolicy DeleteRepositoryCreationTemplate DeleteSigningConfiguration"
            " DeregisterPullTimeUpdateExclusion PutAccountSetting PutSigningConfiguration"
            " RegisterPullTimeUpdateExclusion StartReplicationBackfill StopReplicationBackfill"
            " UpdatePullThroughCacheRule UpdateRepositoryCreationTemplate"
        ),
    ),
    ("names a repository, whose calls are denied", "ecr", "BatchImportUpstreamImage UpdateImageStorageClass"),
    ("a new key, or random bytes", "kms", "CreateKey GenerateRandom"),
    ("keys of another kind than those of secrets and buckets", "kms", "Decapsulate Encapsulate"),
    (
        "the use of a key for data",
        "kms",
        (
            "Decrypt Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"
            " GenerateDataKeyWithoutPlaintext GenerateMac ReEncryptFrom ReEncryptTo"
        ),
    ),
    ("a search in a log that may be read", "logs", "StartLiveTail StartQuery StopLiveTail StopQuery"),
    (
        "a search with the caller's or a role's rights, or what it is made of",
        "logs",
        (
            "CreateLookupTable CreateScheduledQuery DeleteLookupTable DeleteQueryDefinition"
            " DeleteScheduledQuery PutQueryDefinition UpdateLookupTable UpdateScheduledQuery"
        ),
    ),
    (
        "an anomaly detector that exists, which only reads",
        "logs",
        "DeleteLogAnomalyDetector UpdateAnomaly UpdateLogAnomalyDetector",
    ),
    (
        (
            "a destination or a delivery of the logs of other services: a log group gets one by a filter,"
            " which is denied"
        ),
        "logs",
        (
            "CreateDelivery CreateLogDelivery DeleteDelivery DeleteDeliveryDestination"
            " DeleteDeliveryDestinationPolicy DeleteDeliverySource DeleteDestination DeleteIntegration"
            " DeleteLogDelivery DeleteResourcePolicy Link PutDeliveryDestination PutDeliveryDestinationPolicy"
            " PutDeliverySource PutDestination PutDestinationPolicy PutIntegration PutResourcePolicy"
            " UpdateDeliveryConfiguration UpdateLogDelivery"
        ),
    ),
    (
        "ends an export or an import, or imports into a new log group",
        "logs",
        "CancelExportTask CancelImportTask CreateImportTask",
    ),
    ("the price of storage", "logs", "PutStorageTierPolicy"),
    (
        "names a log group, whose calls are denied",
        "logs",
        (
            "DeleteIndexPolicy DeleteSyslogConfiguration PutBearerTokenAuthentication PutIndexPolicy"
            " PutLogGroupDeletionProtection PutSyslogConfiguration"
        ),
    ),
    (
        "an access grant or a job: it reads and writes with a role, which is denied",
        "s3",
        (
            "AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance"
            " CreateAccessGrantsLocation CreateJob DeleteAccessGrant DeleteAccessGrantsInstance"
            " DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteJobTagging"
            " DissociateAccessGrantsIdentityCenter PutAccessGrantsInstanceResourcePolicy PutJobTagging"
            " UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus"
        ),
    ),
    (
        "an access point that exists: no bucket of cfn-gitops has one, and none can be created",
        "s3",
        (
            "DeleteAccessPoint DeleteAccessPointForObjectLambda DeleteAccessPointPolicy"
            " DeleteAccessPointPolicyForObjectLambda DeleteMultiRegionAccessPoint"
            " PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy"
            " PutAccessPointPolicyForObjectLambda PutAccessPointPublicAccessBlock"
            " PutMultiRegionAccessPointPolicy SubmitMultiRegionAccessPointRoutes"
        ),
    ),
    (
        "metrics of buckets, with prefixes and without keys",
        "s3",
        (
            "CreateStorageLensGroup DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging"
            " DeleteStorageLensGroup PutStorageLensConfiguration PutStorageLensConfigurationTagging"
            " UpdateStorageLensGroup"
        ),
    ),
    ("public access of the account: the buckets block it themselves", "s3", "PutAccountPublicAccessBlock"),
    (
        "names an object or a bucket, whose calls are denied",
        "s3",
        (
            "DeleteObjectAnnotation PutBucketABAC PutObjectAnnotation"
            " UpdateBucketMetadataAnnotationTableConfiguration"
            " UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration"
            " UpdateObjectEncryption TagResource UntagResource"
        ),
    ),
    (
        "messages to telephones and apps",
        "sns",
        (
            "CreatePlatformApplication CreatePlatformEndpoint CreateSMSSandboxPhoneNumber DeleteEndpoint"
            " DeletePlatformApplication DeleteSMSSandboxPhoneNumber OptInPhoneNumber SetEndpointAttributes"
            " SetPlatformApplicationAttributes SetSMSAttributes VerifySMSSandboxPhoneNumber"
        ),
    ),
    (
        (
            "a subscription has no resource in IAM, and templates need both calls for their own. The page"
            " names it"
        ),
        "sns",
        "SetSubscriptionAttributes Unsubscribe",
    ),
    (
        "a session: its role is denied",
        "sts",
        "DecodeAuthorizationMessage SetContext SetSourceIdentity TagSession",
    ),
    (
        "the root user of another account: only from the management account or a delegated administrator",
        "sts",
        "AssumeRoot",
    ),
    (
        "the mapping of another function: the condition names cfn-gitops",
        "lambda",
        "CreateEventSourceMapping UpdateEventSourceMapping",
    ),
]

# Of an administrator, under the policy for approvals.
OF_ADMINISTRATORS = [
    *ABOUT_OTHERS,
    (
        "stops, starts or deletes an execution or its pipeline, and replaces no approval. The page names it",
        "codepipeline",
        (
            "DeletePipeline DisableStageTransition EnableStageTransition OverrideStageCondition"
            " PutActionRevision PutWebhook RetryStageExecution StartPipelineExecution StopPipelineExecution"
        ),
    ),
    ("tags of a pipeline, which no policy compares", "codepipeline", "TagResource UntagResource"),
    (
        "deletes a stack or its change set, or rolls it back to its former state. The page names it",
        "cloudformation",
        "CancelUpdateStack ContinueUpdateRollback DeleteChangeSet DeleteStack RollbackStack",
    ),
    ("only forbids, or changes no resource", "cloudformation", "ExecuteStackRefactor SetStackPolicy"),
    (
        "a stack set works with a role of its own, to which the policy applies: UpdateStack is denied to it",
        "cloudformation",
        (
            "ActivateOrganizationsAccess CreateStackInstances CreateStackSet DeactivateOrganizationsAccess"
            " DeleteStackInstances DeleteStackSet ImportStacksToStackSet StopStackSetOperation"
            " UpdateStackInstances UpdateStackSet"
        ),
    ),
    (
        "code that CloudFormation runs for types and hooks of others, with a role of its own",
        "cloudformation",
        (
            "ActivateType DeactivateType DeregisterType PublishType RegisterPublisher RegisterType"
            " SetTypeConfiguration SetTypeDefaultVersion TestType"
        ),
    ),
    ("stops pushes, or lets them start again", "events", "DeleteRule DisableRule EnableRule RemoveTargets"),
    (
        "the default bus: its events start executions, which wait for their approvals",
        "events",
        "PutPermission RemovePermission UpdateEventBus",
    ),
    (
        "deletes what invokes the function, or the function",
        "lambda",
        (
            "DeleteAlias DeleteFunction DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency"
            " DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig DeleteProvisionedConcurrencyConfig"
            " RemovePermission"
        ),
    ),
    ("is denied on the stack that the call names", "cloudformation", "RemoveAlias SetAlias"),
    ("is denied on the role that the call names", "iam", "AcquireRole AddRoleToInstanceProfile"),
    (
        "a mapping: the function does not know the events of one (`Records`)",
        "lambda",
        "CreateEventSourceMapping UpdateEventSourceMapping",
    ),
    ("a version of the same code", "lambda", "PublishVersion"),
    (
        "copies of Lambda@Edge: the function's role does not trust it, and its events are unknown",
        "lambda",
        "DisableReplication EnableReplication",
    ),
    ("tags of the function, which no policy compares", "lambda", "TagResource UntagResource"),
]
_IN_IAM = [
    (
        "gives its owner rights, but no login to another person",
        "iam",
        (
            "AddUserToGroup AttachGroupPolicy AttachUserPolicy CreateGroup CreatePolicy DeleteGroup"
            " DeleteGroupPolicy DeletePolicy DeletePolicyVersion DeleteUserPermissionsBoundary"
            " DeleteUserPolicy DetachGroupPolicy DetachUserPolicy PutGroupPolicy PutUserPermissionsBoundary"
            " PutUserPolicy RemoveUserFromGroup UpdateGroup"
        ),
    ),
    (
        "deletes a login, or a second factor beside a password",
        "iam",
        (
            "CreateVirtualMFADevice DeactivateMFADevice DeleteAccessKey DeleteLoginProfile DeleteSSHPublicKey"
            " DeleteServiceSpecificCredential DeleteSigningCertificate DeleteUser DeleteVirtualMFADevice"
            " EnableMFADevice ResyncMFADevice"
        ),
    ),
    ("only a user's own password", "iam", "ChangePassword"),
    (
        "signs requests of SOAP, which neither CodePipeline nor CodeCommit has",
        "iam",
        "UpdateSigningCertificate UploadSigningCertificate",
    ),
    (
        "tags, which no policy of cfn-gitops compares",
        "iam",
        (
            "TagInstanceProfile TagMFADevice TagOpenIDConnectProvider TagPolicy TagRole TagSAMLProvider"
            " TagServerCertificate TagUser UntagInstanceProfile UntagMFADevice UntagOpenIDConnectProvider"
            " UntagPolicy UntagRole UntagSAMLProvider UntagServerCertificate UntagUser"
        ),
    ),
    (
        "a provider of identities: a role that trusts one must not be exempt. The page names it",
        "iam",
        (
            "AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider CreateSAMLProvider"
            " DeleteOpenIDConnectProvider DeleteSAMLProvider RemoveClientIDFromOpenIDConnectProvider"
            " UpdateOpenIDConnectProviderThumbprint UpdateSAMLProvider"
        ),
    ),
    (
        "takes rights from a role, or describes it",
        "iam",
        (
            "DeleteRole DeleteRolePermissionsBoundary DetachRolePolicy PutRolePermissionsBoundary UpdateRole"
            " UpdateRoleDescription"
        ),
    ),
    ("a role that only its service can use", "iam", "CreateServiceLinkedRole DeleteServiceLinkedRole"),
    (
        "an instance profile: the role in it is judged by PassRole",
        "iam",
        "CreateInstanceProfile DeleteInstanceProfile RemoveRoleFromInstanceProfile",
    ),
    (
        "a certificate or a key of another service",
        "iam",
        (
            "DeleteCloudFrontPublicKey DeleteServerCertificate UpdateCloudFrontPublicKey"
            " UpdateServerCertificate UploadCloudFrontPublicKey UploadServerCertificate"
        ),
    ),
    (
        "a setting or a name of the account, or of the root users of the organisation",
        "iam",
        (
            "CreateAccountAlias DeleteAccountAlias DeleteAccountPasswordPolicy"
            " DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions"
            " DisableOutboundWebIdentityFederation EnableOrganizationsRootCredentialsManagement"
            " EnableOrganizationsRootSessions EnableOutboundWebIdentityFederation PutAccountProperties"
            " SetSTSRegionalEndpointStatus SetSecurityTokenServicePreferences UpdateAccountEmailAddress"
            " UpdateAccountName UpdateAccountPasswordPolicy"
        ),
    ),
    (
        "lends the caller's own rights",
        "iam",
        (
            "AcceptDelegationRequest AssociateDelegationRequest CreateDelegationRequest"
            " RejectDelegationRequest SendDelegationToken UpdateDelegationRequest"
        ),
    ),
]
OF_ADMINISTRATORS += [
    *_IN_IAM,
    (
        "a login for git, or for other services than CodePipeline",
        "iam",
        (
            "CreateServiceSpecificCredential ResetServiceSpecificCredential UpdateSSHPublicKey"
            " UpdateServiceSpecificCredential UploadSSHPublicKey"
        ),
    ),
]

# Of an administrator or a member of a group, under the policies for branches.
OF_PEOPLE = [
    *_IN_IAM,
    (
        (
            "a managed policy: the functions' are guarded by the policy for approvals, and no mirror user"
            " has one"
        ),
        "iam",
        "CreatePolicyVersion SetDefaultPolicyVersion",
    ),
    (
        (
            "a role: the copying builds' are guarded by the policy for approvals, and the others push with no"
            " login of a mirror"
        ),
        "iam",
        (
            "AcquireRole AddRoleToInstanceProfile AttachRolePolicy CreateRole DeleteRolePolicy PassRole"
            " PutRolePolicy UpdateAssumeRolePolicy"
        ),
    ),
    (
        "work in a repository that changes no protected branch",
        "codecommit",
        (
            "CancelUploadArchive CreatePullRequest CreateRepository CreateUnreferencedMergeCommit"
            " DeleteCommentContent PostCommentForComparedCommit PostCommentForPullRequest PostCommentReply"
            " PutCommentReaction UpdateComment UpdatePullRequestDescription UpdatePullRequestStatus"
            " UpdatePullRequestTitle UpdateRepositoryDescription UploadArchive"
        ),
    ),
    (
        "adds a rule, or fulfils one as its pool allows",
        "codecommit",
        (
            "AssociateApprovalRuleTemplateWithRepository BatchAssociateApprovalRuleTemplateWithRepositories"
            " CreateApprovalRuleTemplate CreatePullRequestApprovalRule UpdatePullRequestApprovalState"
        ),
    ),
    (
        "a template, which belongs to no repository. people.yaml denies it, and the page names it",
        "codecommit",
        (
            "DeleteApprovalRuleTemplate UpdateApprovalRuleTemplateContent"
            " UpdateApprovalRuleTemplateDescription UpdateApprovalRuleTemplateName"
        ),
    ),
    ("messages about pushes", "codecommit", "PutRepositoryTriggers TestRepositoryTriggers"),
    ("tags, which the page of security calls no proof", "codecommit", "TagResource UntagResource"),
    (
        "shows no password: IAM generates it, and a copy in another region is guarded there",
        "secretsmanager",
        (
            "CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret PutSecretValue"
            " RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret RotateSecret"
            " StopReplicationToReplica TagResource UntagResource UpdateSecret UpdateSecretVersionStage"
            " ValidateResourcePolicy"
        ),
    ),
]
