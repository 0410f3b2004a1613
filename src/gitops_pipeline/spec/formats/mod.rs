//! What AWS and git take as a value, as far as it can be said without asking them.

use crate::cfn::{Format, Pattern, is_made_of};

/// What `is_arn` takes: IAM is in no region, all others are in one.
macro_rules! arn_pattern {
    ("iam", $resource:literal) => {
        arn_pattern!("iam", "", $resource)
    };
    ($service:literal, $resource:literal) => {
        arn_pattern!($service, "[A-Za-z0-9/_+=,.@-]+", $resource)
    };
    ($service:literal, $region:literal, $resource:literal) => {
        Pattern::of(concat!(
            "^arn:aws[A-Za-z0-9/_+=,.@-]*:",
            $service,
            ":",
            $region,
            ":[0-9]{12}:",
            $resource,
            "[A-Za-z0-9:/_+=,.@-]+$"
        ))
        .up_to(2048)
    };
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub const BUCKET_NAME: Format = Format {
    fits: |text| {
        (3..=63).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    },
    must_be: "must be the name of a bucket: 3 to 63 lower-case letters, digits, periods and hyphens",
    pattern: Pattern::of("^[a-z0-9][a-z0-9.-]+[a-z0-9]$").up_to(63),
};

/// The ARN of a key. An alias will not do: policies name keys.
pub const KEY_ARN: Format = Format {
    fits: |text| is_arn(text, "kms", "key/"),
    must_be: "must be the ARN of a KMS key",
    pattern: arn_pattern!("kms", "key/"),
};

/// The ARN of a role.
pub const ROLE_ARN: Format = Format {
    fits: |text| is_arn(text, "iam", "role/"),
    must_be: "must be the ARN of a role",
    pattern: arn_pattern!("iam", "role/"),
};

/// The ARN of a topic.
pub const TOPIC_ARN: Format = Format {
    fits: |text| is_arn(text, "sns", ""),
    must_be: "must be the ARN of an SNS topic",
    pattern: arn_pattern!("sns", ""),
};

/// The ARN of a CodeCommit repository.
pub const REPOSITORY_ARN: Format = Format {
    fits: |text| is_arn(text, "codecommit", ""),
    must_be: "must be the ARN of a CodeCommit repository",
    pattern: arn_pattern!("codecommit", ""),
};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
pub const IMAGE_REPOSITORY_NAME: Format = Format {
    fits: is_image_repository,
    must_be: "must be the name of an ECR repository: lower-case letters, digits and `._-/`",
    pattern: Pattern::of("^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$")
        .without("^.$")
        .up_to(256),
};

/// The ARN of an ECR repository.
pub const IMAGE_REPOSITORY_ARN: Format = Format {
    fits: |text| is_arn(text, "ecr", "repository/"),
    must_be: "must be the ARN of an ECR repository",
    pattern: arn_pattern!("ecr", "repository/"),
};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
pub const IMAGE_TAG: Format = Format {
    fits: |text| is_made_of(text, 1, 128, "_.-") && !text.starts_with(['.', '-']),
    must_be: "must be a tag: at most 128 letters, digits and `_.-`, no period or hyphen first",
    pattern: Pattern::of("^[A-Za-z0-9_][A-Za-z0-9_.-]*$").up_to(128),
};

/// A build image, wherever it comes from.
pub const IMAGE: Format = Format {
    fits: |text| is_made_of(text, 1, 512, "/:._@-") && !text.contains("windows"),
    must_be: "must be the name of a Linux build image",
    pattern: Pattern::of("^[A-Za-z0-9/:._@-]+$")
        .without("windows")
        .up_to(512),
};

/// <https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-compute-types.html>
pub const COMPUTE_TYPE: Format = Format {
    fits: |text| {
        let size = text.strip_prefix("BUILD_GENERAL1_");
        size.is_some_and(|size| ["SMALL", "MEDIUM", "LARGE", "XLARGE", "2XLARGE"].contains(&size))
    },
    must_be: "must be BUILD_GENERAL1_SMALL, _MEDIUM, _LARGE, _XLARGE or _2XLARGE",
    pattern: Pattern::of("^BUILD_GENERAL1_(SMALL|MEDIUM|LARGE|XLARGE|2XLARGE)$"),
};

/// What a stack can be called.
pub const STACK_NAME: Format = Format {
    fits: |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && is_made_of(text, 1, 128, "-")
    },
    must_be: "must be the name of a stack: at most 128 letters, digits and hyphens, a letter first",
    pattern: Pattern::of("^[A-Za-z][A-Za-z0-9-]*$").up_to(128),
};

/// A file in what the build made.
pub const PATH: Format = Format {
    fits: |text| is_configuration_value(text) && !text.starts_with('/') && !text.contains("::"),
    must_be: "must be the path of a file in what the build leaves, such as `infra/stack.yaml`",
    pattern: Pattern::of("^[^/]").without("::").up_to(1000),
};

/// A value in an action's configuration.
pub const CONFIGURATION_VALUE: Format = Format {
    fits: is_configuration_value,
    must_be: "must be 1 to 1000 characters",
    pattern: Pattern::of("^[\\s\\S]").up_to(1000),
};

/// An address for a person to look at.
pub const LINK: Format = Format {
    fits: |text| {
        is_configuration_value(text)
            && (text.starts_with("https://") || text.starts_with("http://"))
    },
    must_be: "must be an address that starts with https:// or http://, of at most 1000 characters",
    pattern: Pattern::of("^https?://").up_to(1000),
};

/// The days that CloudWatch Logs takes as a retention.
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// <https://git-scm.com/docs/git-check-ref-format>
pub fn is_branch_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.to_ascii_lowercase().ends_with(".lock")
    };
    (1..=256).contains(&text.len())
        && text != "@"
        && !text.starts_with('-')
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c))
        && text.split('/').all(is_part)
}

/// What a build can find in its environment.
pub fn is_environment_variable(name: &str) -> bool {
    is_made_of(name, 1, 255, "_") && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A parameter of a template.
pub fn is_parameter_name(name: &str) -> bool {
    is_made_of(name, 1, 255, "")
}

/// A name from outside, cut short for a message.
pub fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn is_image_repository(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_plain)
            && part.ends_with(is_plain)
            && part.chars().all(|c| is_plain(c) || "._-".contains(c))
    };
    (2..=256).contains(&text.len()) && text.split('/').all(is_part)
}

fn is_configuration_value(text: &str) -> bool {
    (1..=1000).contains(&text.chars().count())
}

fn is_arn(text: &str, service: &str, resource: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, of, region, account, thing] = parts.as_slice() else {
        return false;
    };
    *arn == "arn"
        && partition.starts_with("aws")
        && *of == service
        && (service == "iam") == region.is_empty()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && thing.len() > resource.len()
        && thing.starts_with(resource)
        && is_made_of(text, 1, 2048, ":/_+=,.@-")
}

#[cfg(test)]
mod tests;
