//! `Source` and `ImageSource`: repositories that are there already, in this account or in another.

use super::{Build, CrossAccount, Image, RepositoryRef, formats};
use crate::cfn::{Format, ObjectReader, ValidationErrors};
use crate::codecommit::REPOSITORY_NAME;
use crate::gitops_pipeline::names::AwsLocation;

/// What a build learns of the image: its address by digest, the digest, the tag.
pub const IMAGE_VARIABLES: [&str; 3] = ["ImageURI", "ImageDigest", "ImageTag"];

/// The repositories of one service.
struct RepositoryKind {
    name: Format,
    arn: Format,
    /// What stands in an ARN before the name.
    before_name: &'static str,
}

const CODE: RepositoryKind = RepositoryKind {
    name: REPOSITORY_NAME,
    arn: formats::REPOSITORY_ARN,
    before_name: "",
};

const IMAGES: RepositoryKind = RepositoryKind {
    name: formats::IMAGE_REPOSITORY_NAME,
    arn: formats::IMAGE_REPOSITORY_ARN,
    before_name: "repository/",
};

/// `Source`: an existing repository, or `None`. `home` is where the pipeline is.
pub fn decode_source(
    members: &mut ObjectReader<'_>,
    home: Option<&AwsLocation>,
    faults: &mut ValidationErrors,
) -> Option<RepositoryRef> {
    let mut source = members.object("Source", faults)?;
    let existing = decode_repository(&mut source, &CODE, home, faults);
    source.finish(faults);
    existing
}

/// `ImageSource`
pub fn decode_image(
    members: &mut ObjectReader<'_>,
    home: Option<&AwsLocation>,
    faults: &mut ValidationErrors,
) -> Option<Image> {
    let mut source = members.object("ImageSource", faults)?;
    let repository = decode_repository(&mut source, &IMAGES, home, faults);
    let tag = source.text("ImageTag", &formats::IMAGE_TAG, faults);
    source.finish(faults);
    Some(Image {
        repository: repository?,
        tag: tag.unwrap_or_else(|| "latest".to_owned()),
    })
}

fn decode_repository(
    members: &mut ObjectReader<'_>,
    kind: &RepositoryKind,
    home: Option<&AwsLocation>,
    faults: &mut ValidationErrors,
) -> Option<RepositoryRef> {
    let has_name = members.value("RepositoryName").is_some();
    let has_arn = members.value("RepositoryArn").is_some();
    let has_role = members.value("RoleArn").is_some();
    if !has_name && !has_arn {
        faults.note(
            members.path_of("RepositoryName"),
            "is required, or RepositoryArn and RoleArn for another account's",
        );
    }
    if has_arn && !has_role {
        faults.note(
            members.path_of("RoleArn"),
            "is required with RepositoryArn: the role of that account through which the pipeline reads",
        );
    }
    if has_role && !has_arn {
        faults.note(
            members.path_of("RepositoryArn"),
            "is required with RoleArn: the repository that the role reads",
        );
    }
    let name = members.text("RepositoryName", &kind.name, faults);
    let arn = members.text("RepositoryArn", &kind.arn, faults);
    let role_arn = members.text("RoleArn", &formats::ROLE_ARN, faults);
    let (Some(repository_arn), Some(role_arn)) = (arn, role_arn) else {
        return name
            .filter(|_| !has_arn && !has_role)
            .map(|name| RepositoryRef {
                name,
                cross_account: None,
            });
    };
    let cross_account = CrossAccount {
        repository_arn,
        role_arn,
    };
    let place = AwsLocation::from_arn(&cross_account.repository_arn)?;
    let resource = cross_account.repository_arn.splitn(6, ':').nth(5)?;
    let named = resource.strip_prefix(kind.before_name)?.to_owned();
    let arn_path = || members.path_of("RepositoryArn");
    if !(kind.name.fits)(&named) {
        faults.note(arn_path(), kind.name.must_be);
    }
    if name.is_some_and(|name| name != named) {
        faults.note(
            members.path_of("RepositoryName"),
            "must be the name in RepositoryArn, or left out",
        );
    }
    let (partition, account) = (&place.partition, &place.account);
    if !cross_account
        .role_arn
        .starts_with(&format!("arn:{partition}:iam::{account}:"))
    {
        faults.note(
            members.path_of("RoleArn"),
            format!("must be a role of account {account}, whose the repository is"),
        );
    }
    if home.is_some_and(|home| home.account == *account) {
        faults.note(
            arn_path(),
            "must be another account's; one of this account is named by RepositoryName",
        );
    }
    if let Some(home) = home.filter(|home| home.partition != *partition) {
        faults.note(
            arn_path(),
            format!("must be in the partition {}", home.partition),
        );
    }
    if let Some(home) = home.filter(|home| home.region != place.region) {
        faults.note(
            arn_path(),
            format!(
                "must be in {}: CodePipeline takes a source in its own region only; replicate the \
                 repository to it",
                home.region
            ),
        );
    }
    Some(RepositoryRef {
        name: named,
        cross_account: Some(cross_account),
    })
}

/// Notes that the artifacts need a key: another account's role cannot use this account's default
/// one, whatever its policies say.
pub fn needs_a_key(
    source: Option<&RepositoryRef>,
    image: Option<&Image>,
    faults: &mut ValidationErrors,
) {
    let sources = [
        ("Source.RepositoryArn", source),
        (
            "ImageSource.RepositoryArn",
            image.map(|image| &image.repository),
        ),
    ];
    let mut foreign = sources
        .into_iter()
        .filter(|(_, repository)| repository.is_some_and(|one| one.cross_account.is_some()));
    if let Some((path, _)) = foreign.next() {
        faults.note(
            "ArtifactKeyArn",
            format!("is required with {path}, whose account cannot use this account's default key"),
        );
    }
}

/// Notes a key that the artifact bucket cannot have.
pub fn key_is_here(arn: &str, home: Option<&AwsLocation>, faults: &mut ValidationErrors) {
    let is_far = |home: &&AwsLocation| {
        AwsLocation::from_arn(arn).is_some_and(|key| key.region != home.region)
    };
    if let Some(home) = home.filter(is_far) {
        faults.note(
            "ArtifactKeyArn",
            format!("must be in {}, as the bucket is", home.region),
        );
    }
}

/// Notes the variables that only the image says.
pub fn leaves_room_for_the_image(build: &Build, faults: &mut ValidationErrors) {
    for name in IMAGE_VARIABLES {
        if build.environment_variables.contains_key(name) {
            faults.note(
                format!("Build.EnvironmentVariables.{name}"),
                "is always set with ImageSource",
            );
        }
    }
}

#[cfg(test)]
mod tests;
