//! The formats of values that can be checked without a call to AWS.

use cfn_custom_resource::{Format, Pattern};

/// An ARN. IAM's have no region; all others have one.
macro_rules! arn {
    ("iam", $resource:literal) => {
        arn!("iam", "", $resource)
    };
    ($service:literal, $resource:literal) => {
        arn!($service, "[a-z0-9-]+", $resource)
    };
    ($service:literal, $region:literal, $resource:literal) => {
        Pattern::new(concat!(
            "^arn:aws[a-z-]*:",
            $service,
            ":",
            $region,
            ":[0-9]{12}:",
            $resource,
            "$"
        ))
        .up_to(2048)
    };
}

pub static BRANCH_MAP_KEY: Format = Format::new(
    Pattern::new("^[a-z][a-z0-9]*$"),
    "must be an EnvID: lower-case letters and digits, a letter first",
);

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub static BUCKET_NAME: Format = Format::new(
    Pattern::new("^[a-z0-9][a-z0-9.-]+[a-z0-9]$")
        .without(concat!(
            r"\.\.|^[0-9]+(\.[0-9]+){3}$|^(xn--|sthree-|amzn-s3-demo-)",
            r"|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$"
        ))
        .up_to(63),
    "must be the name of a bucket: 3 to 63 lower-case letters, digits, periods and hyphens, no `..`, \
     no IP address, and no beginning or end that S3 reserves, such as `xn--` or `-s3alias`",
);

/// The ARN of a key. The ARN of an alias is rejected, because policies name keys.
pub static KEY_ARN: Format = Format::new(
    arn!("kms", "key/[A-Za-z0-9-]+"),
    "must be the ARN of a KMS key",
);

/// The ARN of a role. AWS creates those below the two paths, and no other service can assume them:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
pub static ROLE_ARN: Format = Format::new(
    arn!("iam", "role/[A-Za-z0-9:/_+=,.@-]+").without(":role/aws-(service-role|reserved)/"),
    "must be the ARN of a role, and not of one below aws-service-role/ or aws-reserved/",
);

/// A FIFO topic, whose name ends with `.fifo`, rejects a message without a group, and an approval's
/// message has none. <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>,
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub static TOPIC_ARN: Format = Format::new(
    arn!("sns", "[A-Za-z0-9_-]+").up_to(310),
    "must be the ARN of an SNS topic, and not of a FIFO topic",
);

pub static REPOSITORY_ARN: Format = Format::new(
    arn!("codecommit", "[A-Za-z0-9_.-]{1,100}").without("[.]git$"),
    "must be the ARN of a CodeCommit repository",
);

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
pub static IMAGE_REPOSITORY_NAME: Format = Format::new(
    Pattern::new("^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$")
        .without("^.$")
        .up_to(256),
    "must be the name of an ECR repository: lower-case letters and digits, with `.`, `_`, `__`, `/` or \
     hyphens between them",
);

pub static IMAGE_REPOSITORY_ARN: Format = Format::new(
    arn!("ecr", "repository/[a-z0-9._/-]+"),
    "must be the ARN of an ECR repository",
);

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
pub static IMAGE_TAG: Format = Format::new(
    Pattern::new("^[A-Za-z0-9_][A-Za-z0-9_.-]*$").up_to(128),
    "must be a tag: at most 128 letters, digits and `_.-`, no period or hyphen first",
);

/// A build image, in CodeBuild or in any registry.
pub static IMAGE: Format = Format::new(
    Pattern::new("^[A-Za-z0-9/:._@-]+$").without("windows").up_to(512),
    "must be the name of a Linux build image",
);

/// <https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-compute-types.html>
pub const COMPUTE_TYPES: [&str; 5] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
];

/// The name of a build's environment variable. The function always sets two of them. CodeBuild
/// creates a project with a reserved one, and then fails each build: "No user environment variables
/// can start with `CODEBUILD_`" (<https://github.com/thii/aws-codebuild-extras/issues/1>,
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env>).
pub static ENVIRONMENT_VARIABLE: Format = Format::new(
    Pattern::new("^[A-Za-z_][A-Za-z0-9_]*$")
        .without("^(EnvID|AccountId)$|^CODEBUILD_")
        .up_to(255),
    "must be the name of an environment variable: letters, digits and `_`, and neither EnvID nor \
     AccountId, which are always set, nor a name that begins with CODEBUILD_, which CodeBuild reserves",
);

pub static STACK_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z][A-Za-z0-9-]*$").up_to(128),
    "must be the name of a stack: at most 128 letters, digits and hyphens, a letter first",
);

/// A file in the build's output artifact. `::` would separate the name of another artifact. With
/// `BuildArtifact::`, CodePipeline accepts 1000 characters (`ActionConfigurationValue`).
pub static PATH: Format = Format::new(
    Pattern::new(r"^[^/\x00-\x1F\x7F][^\x00-\x1F\x7F]*$").without("::").up_to(985),
    "must be the path of a file in the build's output, such as `infra/stack.yaml`",
);

/// The same, or empty for no file.
pub static PATH_OR_EMPTY: Format = Format::new(
    Pattern::new(r"^([^/\x00-\x1F\x7F][^\x00-\x1F\x7F]*)?$")
        .without("::")
        .up_to(985),
    "must be the path of a file in the build's output, such as `infra/stack.yaml`",
);

/// A glob of `Source.Paths`. It has the form of a path in git. Brackets, braces, `!` first and `\`
/// have a meaning in other globs.
pub static GLOB: Format = Format::new(
    Pattern::new(r"^[^/!]([^/]|/[^/])*$")
        .without(r"[\x00-\x1F\x7F\[\]{}\\]|[^/]\*\*|\*\*[^/]|(^|/)\.\.?(/|$)")
        .up_to(255),
    "must be a glob of files such as `services/shop/**`: at most 255 characters, no `/` first or \
     last, `**` only between slashes, none of `[]{}\\` and no `!` first",
);

/// A value in the configuration of a pipeline's action.
pub static CONFIGURATION_VALUE: Format = Format::new(
    Pattern::new(r"^[\s\S]").up_to(1000),
    "must be 1 to 1000 characters",
);

/// The name of a CloudWatch alarm.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>: "The
/// name must contain only UTF-8 characters, and can't contain ASCII control characters".
pub static ALARM_NAME: Format = Format::new(
    Pattern::new(".").without(r"[\x00-\x1F\x7F]").up_to(255),
    "must be the name of an alarm: 1 to 255 characters, no control characters",
);

/// When a deployment may start: seconds, minutes, hours, day of month, month, day of week, and
/// perhaps the year.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html>
pub static CRON: Format = Format::new(
    Pattern::new("^[A-Z0-9*?,/#-]+( [A-Z0-9*?,/#-]+){5,6}$").up_to(255),
    "must be a cron expression of 6 or 7 fields, the seconds first, such as `* * 9-17 ? * MON-FRI`",
);

pub static TIME_ZONE: Format = Format::new(
    Pattern::new("^[A-Za-z][A-Za-z0-9_+/-]*$").up_to(64),
    "must be the name of a time zone, such as UTC or Europe/Berlin",
);

pub static LINK: Format = Format::new(
    Pattern::new("^https?://").up_to(1000),
    "must be an address that starts with https:// or http://, of at most 1000 characters",
);

/// The name of a parameter of a template.
pub static PARAMETER_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9]+$").up_to(255),
    "must be the name of a parameter: letters and digits",
);

/// The name of an environment in GitLab (`app/models/environment.rb`). GitLab builds a directory
/// from the text before a slash.
pub static ENVIRONMENT_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9._-]([A-Za-z0-9 ._/-]*[A-Za-z0-9._-])?$").up_to(255),
    "must be the name of a GitLab environment: letters, digits, spaces and `-_./`, without a slash \
     at either end",
);

pub static OUTPUT_NAME: Format = Format::new(
    Pattern::new("^[A-Za-z0-9]+$").up_to(255),
    "must be the name of an output: letters and digits",
);

/// A member of an approval pool: printable ASCII characters, as in every ARN.
pub static POOL_MEMBER: Format = Format::new(
    Pattern::new("^[!-~]{1,256}$"),
    "must be the ARN of a user or role, or CodeCommitApprovers:<account>:<name>",
);

// The retention periods of CloudWatch Logs:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that is accepted, and values that the service rejects, separated by commas.
    #[test]
    fn name_that_a_service_rejects_is_rejected() {
        let role = "arn:aws:iam::123456789012:role/";
        let other_roles = format!(
            "{role},{role}aws-service-role/codepipeline.amazonaws.com/a,{role}aws-reserved/sso.amazonaws.com/b,\
             arn:aws:iam::123456789012:user/u,arn:aws:iam:eu-central-1:123456789012:role/r"
        );
        let (service, path) = (format!("{role}aws-service/a"), format!("{role}path/r"));
        let topic = "arn:aws:sns:eu-central-1:123456789012:t";
        let other_topics = format!(
            "{topic}:a-subscription,{topic}.fifo,arn:aws:sns:eu-central-1:1234:t,\
             arn:AWS:sns:eu-central-1:123456789012:t,arn:aws:sns:eu_1:123456789012:t"
        );
        let key = "arn:aws-cn:kms:cn-north-1:123456789012:key/1";
        let rows: [(&Format, &str, &str); 9] = [
            (&ROLE_ARN, &service, &other_roles),
            (&ROLE_ARN, &path, &other_roles),
            (&TOPIC_ARN, topic, &other_topics),
            (
                &KEY_ARN,
                key,
                "arn:aws:kms:eu-central-1:123456789012:alias/a",
            ),
            (
                &ENVIRONMENT_VARIABLE,
                "codebuild_x",
                "CODEBUILD_,CODEBUILD_SRC_DIR,EnvID,A-B,1A,",
            ),
            (
                &BUCKET_NAME,
                "my-bucket.s3alias",
                "a..b,192.168.5.4,xn--a,sthree-a,amzn-s3-demo-bucket,a-s3alias,a--ol-s3,a.mrap,\
                 a--usw2-az1--x-s3,a--table-s3",
            ),
            (
                &IMAGE_REPOSITORY_NAME,
                "team__a/b--c.d",
                "a..b,a/-b,a___b,a_-b,A,a,a/",
            ),
            (
                &PATH,
                "機能 a.yaml",
                &("a".repeat(986) + ",/a,a::b,a\nb,\ta,"),
            ),
            (&ALARM_NAME, "応答時間 5xx", ",a\tb,a\u{7f}"),
        ];
        for (format, accepted, rejected) in rows {
            assert!(format.fits(accepted), "{accepted}");
            for name in rejected.split(',') {
                assert!(!format.fits(name), "{name:?}");
            }
        }
    }
}
