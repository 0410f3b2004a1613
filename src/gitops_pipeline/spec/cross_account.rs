//! `Source` and `ImageSource`: existing repositories, in this account or in another.

use super::formats;
use super::types::{CrossAccount, Image, RepositoryRef, Spec};
use crate::clients::codecommit::REPOSITORY_NAME;
use crate::gitops_pipeline::names::AwsLocation;
use cfn_custom_resource::{Format, Object, ValidationErrors};

/// The variables that describe the image in a build: its URI with the digest, the digest, and the
/// tag.
pub const IMAGE_VARIABLES: [&str; 3] = ["ImageURI", "ImageDigest", "ImageTag"];

/// `Source`. `None` if the child stack creates the repository. `home` is the pipeline's location.
pub fn decode_source(
    properties: &Object,
    home: Option<&AwsLocation>,
    errors: &mut ValidationErrors,
) -> Option<RepositoryRef> {
    decode_repository(properties, "Source", &REPOSITORY_NAME, "", home, errors)
}

/// `ImageSource`. `None` if the template does not set it.
pub fn decode_image(
    properties: &Object,
    home: Option<&AwsLocation>,
    errors: &mut ValidationErrors,
) -> Option<Image> {
    let (names, prefix) = (&formats::IMAGE_REPOSITORY_NAME, "repository/");
    let repository = decode_repository(properties, "ImageSource", names, prefix, home, errors)?;
    let tag = properties.object("ImageSource").text("ImageTag");
    Some(Image {
        repository,
        tag: tag.unwrap_or_default(),
    })
}

/// A repository whose name has the format `names`. In its ARN, the prefix is before the name.
fn decode_repository(
    properties: &Object,
    property: &str,
    names: &Format,
    arn_prefix: &str,
    home: Option<&AwsLocation>,
    errors: &mut ValidationErrors,
) -> Option<RepositoryRef> {
    if !properties.is_set(property) {
        return None;
    }
    let source = properties.object(property);
    check_members(source, errors);
    let name = source.text("RepositoryName");
    let (Some(repository_arn), Some(role_arn)) =
        (source.text("RepositoryArn"), source.text("RoleArn"))
    else {
        let is_local = !source.is_set("RepositoryArn") && !source.is_set("RoleArn");
        return name.filter(|_| is_local).map(|name| RepositoryRef {
            name,
            cross_account: None,
        });
    };
    let resource = repository_arn.splitn(6, ':').nth(5)?;
    let name_in_arn = resource.strip_prefix(arn_prefix)?.to_owned();
    if !names.fits(&name_in_arn) {
        errors.add(source.path_of("RepositoryArn"), names.must_be);
    }
    if name.is_some_and(|name| name != name_in_arn) {
        errors.add(
            source.path_of("RepositoryName"),
            "must be the name in RepositoryArn, or left out",
        );
    }
    let cross_account = CrossAccount {
        repository_arn,
        role_arn,
    };
    check_place(source, &cross_account, home, errors);
    Some(RepositoryRef {
        name: name_in_arn,
        cross_account: Some(cross_account),
    })
}

/// A repository needs a name, or both an ARN and a role.
fn check_members(source: &Object, errors: &mut ValidationErrors) {
    let has_arn = source.is_set("RepositoryArn");
    let has_role = source.is_set("RoleArn");
    // `Paths` also applies to the repository that the child stack creates.
    let has_paths = source.is_set("Paths") && !has_role;
    if !source.is_set("RepositoryName") && !has_arn && !has_paths {
        errors.add(
            source.path_of("RepositoryName"),
            "is required, or RepositoryArn and RoleArn for another account's",
        );
    }
    if has_arn && !has_role {
        errors.add(
            source.path_of("RoleArn"),
            "is required with RepositoryArn: the role of that account through which the pipeline reads",
        );
    }
    if has_role && !has_arn {
        errors.add(
            source.path_of("RepositoryArn"),
            "is required with RoleArn: the repository that the role reads",
        );
    }
}

fn check_place(
    source: &Object,
    cross_account: &CrossAccount,
    home: Option<&AwsLocation>,
    errors: &mut ValidationErrors,
) {
    let Some(place) = AwsLocation::from_arn(&cross_account.repository_arn) else {
        return;
    };
    let (partition, account) = (&place.partition, &place.account);
    let roles = format!("arn:{partition}:iam::{account}:");
    if !cross_account.role_arn.starts_with(&roles) {
        errors.add(
            source.path_of("RoleArn"),
            format!("must be a role of account {account}, which owns the repository"),
        );
    }
    let Some(home) = home else { return };
    let arn_path = || source.path_of("RepositoryArn");
    if home.account == *account {
        errors.add(
            arn_path(),
            "must be another account's; one of this account is named by RepositoryName",
        );
    }
    if home.partition != *partition {
        let what = format!("must be in the partition {}", home.partition);
        errors.add(arn_path(), what);
    }
    if home.region != place.region {
        errors.add(
            arn_path(),
            format!(
                "must be in {}: CodePipeline accepts a source in its own region only; replicate \
                 the repository to it",
                home.region
            ),
        );
    }
}

/// Checks the artifacts' key. A role of another account cannot use this account's default key,
/// regardless of its policies.
pub fn check_key(
    spec: &Spec,
    properties: &Object,
    home: Option<&AwsLocation>,
    errors: &mut ValidationErrors,
) {
    if let Some(arn) = &spec.artifact_key_arn
        && let (Some(home), Some(key)) = (home, AwsLocation::from_arn(arn))
        && key.region != home.region
    {
        let what = format!("must be in {}, as the bucket is", home.region);
        errors.add("ArtifactKeyArn", what);
    }
    if let Some(path) = spec.cross_account_writer()
        && !properties.is_set("ArtifactKeyArn")
    {
        errors.add(
            "ArtifactKeyArn",
            format!("is required with {path}, whose account cannot use this account's default key"),
        );
    }
}

/// Rejects the environment variables that the image sets.
pub fn check_image_variables(spec: &Spec, errors: &mut ValidationErrors) {
    if spec.image.is_none() {
        return;
    }
    for variable in &spec.build.environment_variables {
        if IMAGE_VARIABLES.contains(&variable.name.as_str()) {
            let path = format!("Build.EnvironmentVariables.{}", variable.name);
            errors.add(path, "is always set with ImageSource");
        }
    }
}

#[cfg(test)]
#[path = "cross_account_tests.rs"]
mod tests;
