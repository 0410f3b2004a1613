//! The table of all codes. A number keeps its meaning for ever: a new cause gets a new number.

use crate::reason_codes::entry::Entry;

/// Each line: the variant, the number, the title; then meaning, cause and remedy.
macro_rules! reason_codes {
    ($($name:ident $number:literal $title:literal $meaning:literal $cause:literal $remedy:literal)*) => {
        /// Why a request, a rotation or another event failed, or what a success leaves to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// The code as a reason has it.
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $(Code::$name => concat!("CFG-", $number),)*
                }
            }
        }

        /// Every code, in the order of the numbers.
        pub const TABLE: &[Entry] = &[
            $(Entry {
                number: $number,
                title: $title,
                meaning: $meaning,
                cause: $cause,
                remedy: $remedy,
            },)*
        ];
    };
}

reason_codes! {
    IncompleteRequest 101 "The request is incomplete"
    "cfn-gitops read the event as a request and did nothing."
    "The event lacks a member that CloudFormation always sends, or a member has another form."
    "Deploy the resource with CloudFormation. If you send the event yourself, complete it."

    InvalidProperties 102 "Properties are invalid"
    "cfn-gitops called nothing and changed nothing."
    "A property is unknown, missing or invalid. The reason has one entry for each, with its path."
    "Correct the properties that the reason names, and deploy again."

    WrongFunction 103 "The function does not serve this resource"
    "cfn-gitops changed nothing."
    "`ServiceToken` names the function of another environment, region or account, or the resource type is unknown."
    "Set `ServiceToken` to the function of the resource's own environment. Correct the resource type."

    ExpiredRequest 104 "CloudFormation no longer waits"
    "This delivery changed nothing, because CloudFormation accepts no response to it."
    "The event reached the function after `ServiceTimeout` or after the expiry of the `ResponseURL`."
    "Repeat the stack operation."

    OutOfTime 105 "No time was left"
    "cfn-gitops stopped during what the reason names. CloudFormation's rollback removes or restores it."
    "An AWS service or GitLab was slow, or the time limit is too short."
    "Deploy again. If it recurs, increase `ServiceTimeout` or the function's timeout."

    InternalError 106 "Internal error"
    "The request ended early. CloudFormation's rollback removes or restores what is left."
    "The function has an error, or its own environment is not usable."
    "Read the function's log for the request. Deploy again. If it recurs, report it with the log."

    NotContinued 107 "The request was not continued in another invocation"
    "The request needed more time than one invocation has, and no further one took it over."
    "The function is not allowed to invoke itself, Lambda was not reachable, or too many invocations were used."
    "Allow the function to invoke itself, and give it the longest timeout. Deploy again."

    OvertakenByDelete 108 "A Delete came later"
    "cfn-gitops removed what this request had created."
    "CloudFormation deleted the resource while the request ran, or before it was delivered."
    "If the resource is still wanted, deploy again."

    OvertakenByRequest 109 "A later request came first"
    "cfn-gitops changed nothing, because the resource is already in a later state."
    "The request was delivered late or twice."
    "Check the resource in the stack. If it differs from the template, deploy again."

    UnusableEvent 110 "The event is unknown"
    "cfn-gitops did nothing."
    "The event is not one of those that the function handles, or its environment is not this function's."
    "Correct the rule, the schedule or the caller that sent the event."

    ResponseNotDelivered 111 "The response was not delivered"
    "The work ended, and CloudFormation does not have the response."
    "The response bucket was not reachable in time, or the address is not one of Amazon S3."
    "Check the function's network path to Amazon S3. Cancel or repeat the stack operation."

    AwsDenied 201 "The function's role does not allow the call"
    "AWS rejected the call that the reason names. On Create and Update, cfn-gitops retried it during the first minute."
    "The provider stack's parameters do not include the named user, secret, key, stack or repository."
    "Set the parameter that the reason names on the provider stack, and deploy both again."

    AwsDeniedElsewhere 202 "Another policy denies the call"
    "AWS rejected the call, and no permission of the function's role can allow it."
    "A service control policy, permissions boundary, VPC endpoint policy, resource policy or key policy denies it."
    "Allow the action in the policy that AWS names, and deploy again."

    AwsThrottled 203 "AWS throttles the calls"
    "AWS did nothing, and the retries were used up."
    "The account sends more requests than the service accepts."
    "Deploy again later, with fewer stacks at once."

    AwsUnavailable 204 "AWS did not respond as documented"
    "It is not known whether AWS did what the reason names. The next delivery reads the state first."
    "The service had an internal error, timed out, or sent a response that cannot be read."
    "Check the AWS Health Dashboard, and deploy again."

    AwsUnreachable 205 "AWS cannot be reached"
    "cfn-gitops could not send the call."
    "The network, DNS, certificate, region or credentials of the function do not lead to the service."
    "Check the function's VPC endpoints and region. See [the function in a VPC](vpc.md)."

    KeyUnusable 206 "A KMS key cannot be used"
    "AWS rejected the call because of the key that encrypts the secret or repository."
    "The key is disabled, scheduled for deletion, or does not exist."
    "Enable the key, or set the property to another key."

    AwsRejected 207 "AWS rejected the call"
    "AWS did nothing. The reason quotes its error code and message."
    "The state or a limit of the service does not allow the call."
    "Follow the message in the reason, and deploy again."

    RepositoryMissing 208 "The repository does not exist"
    "cfn-gitops created nothing that needs the repository."
    "CodeCommit has no repository of that name in the account and region."
    "Create the repository, or correct the property. In one template, reference the repository's resource."

    UserMissing 301 "The IAM user does not exist"
    "cfn-gitops issued no credential."
    "IAM has no user with the name in `UserName`."
    "Create the user in the template, and reference it in `UserName`."

    UserHeld 302 "The user belongs to another resource"
    "cfn-gitops issued no credential and did not change the user's tags."
    "Another `Custom::MirrorCredential` owns the user."
    "Set another `UserName`. If the owner's stack is gone, run the command in the reason."

    SecretHeld 303 "The secret belongs to another owner"
    "cfn-gitops did not read or change the secret."
    "A secret of that name exists, and this resource did not create it."
    "Set another `SecretName`, or run the command in the reason to free the name."

    SecretScheduled 304 "The secret is scheduled for deletion"
    "Secrets Manager reserves the name, so cfn-gitops cannot create the secret."
    "The secret was deleted with a recovery window."
    "Run one of the commands in the reason: restore the secret, or delete it without recovery."

    UserNameChanged 305 "`UserName` changed without `SecretName`"
    "cfn-gitops left the secret and both users unchanged."
    "A secret belongs to one user for its whole life."
    "Change `SecretName` together with `UserName`, or restore `UserName`."

    ForeignCredentials 306 "The user has credentials of another origin"
    "cfn-gitops issued no credential."
    "IAM lists CodeCommit credentials of the user that this resource did not issue."
    "Remove them with the command in the reason, or set `ForeignCredentials` to `Delete`."

    NoFreeSlot 307 "The user has no free slot"
    "IAM allows two CodeCommit credentials for each user, and both exist."
    "Another credential was created at the same time, or IAM still lists a deleted one."
    "Delete the credential that is not used, and deploy again."

    LoginRejected 308 "CodeCommit rejects the login"
    "The login cannot authenticate. An earlier login stays in the secret."
    "IAM has not propagated the credential, or a person deactivated or reset it."
    "Deploy again. If it recurs, activate the credential, or change `RotationSerial`."

    PushDenied 309 "The login is not allowed to push"
    "CodeCommit accepts the login and denies the push. An earlier login stays in the secret."
    "The user's policies do not allow `codecommit:GitPull` and `codecommit:GitPush`, or one denies them."
    "Allow both actions on the repository for the user. Make the resource depend on the policy."

    MoveNotVerified 310 "CloudFormation did not send the request"
    "cfn-gitops issued no credential and left the user and its secret unchanged."
    "The request moves the login to another secret, and the stack in it is not working on the resource."
    "Change `SecretName` in the stack itself. If another caller sent the event, restrict who may invoke the function."

    GitLabUnreachable 401 "GitLab cannot be reached"
    "cfn-gitops changed no mirror. The stored login stays valid."
    "The network does not lead to GitLab, or GitLab timed out, is overloaded or has an internal error."
    "Check `GitLab.Url` and the function's network. Deploy again when GitLab responds."

    GitLabNotTrusted 402 "GitLab's certificate is not trusted"
    "cfn-gitops did not send the token."
    "A private CA signed the certificate, it expired, or it is for another host name."
    "Set `GitLab.CaCertificate` to the certificate of the private CA, or renew GitLab's certificate."

    NotGitLab 403 "The response is not GitLab's"
    "cfn-gitops changed no mirror."
    "`GitLab.Url` leads to a proxy, a login page, a redirect, or a version with another API."
    "Set `GitLab.Url` to the address that GitLab itself uses, without a redirect."

    TokenUnusable 404 "The secret holds no GitLab token"
    "cfn-gitops did not call GitLab."
    "The secret in `GitLab.TokenSecretId` does not exist, or its value is not a token."
    "Store the token in the secret, and set `GitLab.TokenSecretId` and `GitLab.TokenSecretKey`."

    TokenNotAllowed 405 "The token's owner does not allow this use"
    "cfn-gitops neither read nor sent the token."
    "The secret's tags do not name this GitLab or this CA certificate, or the function is not allowed to read it."
    "Ask the owner of the secret to set the tags in the reason."

    TokenRejected 406 "GitLab rejects the token"
    "cfn-gitops changed no mirror. Existing mirrors continue to push."
    "The token expired, was revoked, or belongs to another GitLab."
    "Store a valid token with the command in the reason."

    TokenLacksAccess 407 "The token lacks access"
    "cfn-gitops changed no mirror."
    "The token lacks the scope `api`, or its user is not a Maintainer of the project."
    "Store a token with the scope `api` whose user is a Maintainer of the project."

    ProjectMissing 408 "The project was not found"
    "cfn-gitops changed no mirror of that project."
    "The project does not exist, was moved, or is not visible to the token's user."
    "Set `GitLabProject` to the project's present path or its number."

    MirrorsDisabled 409 "GitLab does not enable the mirror"
    "The mirror exists and does not push."
    "Push mirrors are disabled for the instance, silent mode is on, or the project is being deleted."
    "Enable push mirrors in GitLab (Admin, Settings, Repository), and end silent mode."

    MirrorLimit 410 "The project has too many mirrors"
    "GitLab did not create the mirror."
    "The project's limit is reached, or this GitLab accepts only one mirror for each address."
    "Remove the mirrors that are not needed in the project's Settings, Repository."

    AddressRejected 411 "GitLab rejects the mirror's address"
    "GitLab did not create the mirror."
    "GitLab cannot resolve CodeCommit's host, is not allowed to send requests to it, or rejects the login's characters."
    "Follow the reason: allow outbound requests, correct DNS, or change `RotationSerial` or `UserName`."

    GitLabRejected 412 "GitLab rejected the call"
    "GitLab did nothing. The reason quotes its message."
    "The settings are not accepted, or this GitLab's version or edition lacks the function."
    "Follow the reason: change the mirror's properties, or upgrade GitLab."

    PushesEveryBranch 413 "GitLab would push every branch"
    "cfn-gitops did not create or enable the mirror."
    "The project protects no branch, or no branch matches `BranchRegex`. GitLab then pushes all of them."
    "Protect the branches in the project, correct `BranchRegex`, or set `OnlyProtectedBranches` to `false`."

    BranchNotMirrored 414 "A required branch is not mirrored"
    "cfn-gitops did not change the mirror."
    "A branch in `RequiredBranches` is not protected in the project itself."
    "Protect the branch in the project, or remove it from `RequiredBranches`."

    PushFailed 415 "The mirror's push failed"
    "The new login is not in use. An earlier one still pushes."
    "CodeCommit rejected the push, branches diverged, or the push did not end in time."
    "Read GitLab's message in the reason. Correct the cause, and deploy again."

    MirrorsLeft 416 "A mirror is left in GitLab"
    "The mirror cannot push, because its credential is deleted or disabled."
    "GitLab was not reachable, rejected the token, or no token is known for it."
    "Remove the mirror in the project's Settings, Repository, Mirroring repositories."

    PushInterrupted 417 "A mirror was deleted during its push"
    "The stack operation succeeded, and the last push may be incomplete."
    "GitLab showed a push under way for longer than cfn-gitops waits."
    "Check the branches in the repository. The next push of the new mirror completes them."

    LfsNotMirrored 418 "Git LFS objects are not mirrored"
    "The stack operation succeeded, and builds get LFS pointer files."
    "CodeCommit does not accept Git LFS objects."
    "Store the objects elsewhere, or remove Git LFS from the project."

    StackFailed 501 "The operation on the child stack failed"
    "CloudFormation rolled the child stack back, unless the reason says otherwise."
    "The reason quotes the first resource that failed, or the validation that rejected the stack."
    "Correct the cause that the reason names, and deploy again."

    StackHeld 502 "The child stack's name is taken"
    "cfn-gitops did not change that stack."
    "Another resource, another stack or an unexecuted change set has the name."
    "Set another `ProjectID`, or run the command in the reason to free the name."

    StackUnchangeable 503 "The child stack cannot be changed"
    "cfn-gitops did nothing."
    "The child stack is in a status in which CloudFormation accepts no operation."
    "Complete the operation in the CloudFormation console, and deploy again."

    RepositoryHeld 504 "The repository cannot be used"
    "cfn-gitops did not change the repository."
    "The name belongs to another owner, or `Source` names the repository that this pipeline created."
    "Follow the reason: set or remove `Source`, or free the repository's name."

    ApprovalRuleHeld 505 "The approval rule template's name is taken"
    "cfn-gitops did not change the template."
    "Another resource or person created an approval rule template of that name."
    "Delete the template with the commands in the reason, or remove `ApprovalRule`."

    StackNotDeleted 506 "The child stack was not deleted"
    "The child stack and the resources that failed still exist."
    "CloudFormation could not delete one of its resources. The reason quotes the first."
    "Correct the cause, and delete the stack again."

    SourceHidden 507 "The source in the other account is not visible"
    "The pipeline exists. Attributes of the source may be empty."
    "The role of the other account does not trust this function, or lacks a permission."
    "Add the permission or the trust that the reason names to `Source.RoleArn`."

    BucketNotShared 508 "The artifact bucket does not admit the other account"
    "The pipeline exists, and its source action fails."
    "`Source` is in another account, and the artifacts go to the environment's own bucket."
    "Set `ArtifactBucketName` to a bucket that admits the other account."

    RoleUnusable 509 "A role cannot be used"
    "CloudFormation rolled the child stack back."
    "A service cannot assume the role, or the function is not allowed to pass it to the service."
    "Correct the role's trust policy, or set `PipelineRoleNames` on the provider stack."

    AccountNotAdmitted 510 "The account cannot create CodeCommit repositories"
    "CloudFormation rolled the child stack back."
    "The account still has CodeCommit's earlier restriction for new accounts."
    "Create one repository in the CodeCommit console, or ask AWS Support to enable CodeCommit."

    NothingToRotate 601 "The secret cannot be rotated"
    "Secrets Manager changed nothing that works."
    "The secret is missing, does not belong to this function, or holds no login."
    "Create or update the secret's stack to its end, and then start the rotation."

    RotationNotPending 602 "The rotation is not under way"
    "The step did nothing."
    "Secrets Manager does not wait for this version, or an earlier step did not run."
    "Start a new rotation if the secret has not rotated."

    RotationDeferred 603 "The rotation waits for the stack"
    "The rotation stays pending, and Secrets Manager reattempts it."
    "A request of CloudFormation changes the same resource."
    "Wait until the stack operation has ended."

    RotationOvertaken 604 "The rotation was overtaken"
    "The rotation ended. The login in `AWSCURRENT` still works."
    "An update of the stack, another rotation or a person changed the secret or its mirrors."
    "Start a new rotation."
}
