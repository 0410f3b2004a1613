//! `Source` and `ImageSource`: repositories that are there already, in this account or in another.

use super::super::names::Place;
use super::{Build, Elsewhere, Existing, Image, allowed};
use crate::cfn::{Faults, Form, Members};

/// What a build learns of the image; the template sets them.
pub const IMAGE_VARIABLES: [&str; 3] = ["ImageURI", "ImageDigest", "ImageTag"];

/// The repositories of one service.
struct Kind {
    name: Form,
    arn: Form,
    /// What stands in an ARN before the name.
    before_name: &'static str,
}

const CODE: Kind = Kind {
    name: allowed::REPOSITORY_NAME,
    arn: allowed::REPOSITORY_ARN,
    before_name: "",
};

const IMAGES: Kind = Kind {
    name: allowed::IMAGE_REPOSITORY_NAME,
    arn: allowed::IMAGE_REPOSITORY_ARN,
    before_name: "repository/",
};

/// `Source`: an existing repository, or `None`. `home` is where the pipeline is.
pub fn decode_source(
    members: &mut Members<'_>,
    home: Option<&Place>,
    faults: &mut Faults,
) -> Option<Existing> {
    let mut source = members.object("Source", faults)?;
    let existing = decode_existing(&mut source, &CODE, home, faults);
    source.finish(faults);
    existing
}

/// `ImageSource`
pub fn decode_image(
    members: &mut Members<'_>,
    home: Option<&Place>,
    faults: &mut Faults,
) -> Option<Image> {
    let mut source = members.object("ImageSource", faults)?;
    let repository = decode_existing(&mut source, &IMAGES, home, faults);
    let tag = source.text("ImageTag", &allowed::IMAGE_TAG, faults);
    source.finish(faults);
    Some(Image {
        repository: repository?,
        tag: tag.unwrap_or_else(|| "latest".to_owned()),
    })
}

fn decode_existing(
    members: &mut Members<'_>,
    kind: &Kind,
    home: Option<&Place>,
    faults: &mut Faults,
) -> Option<Existing> {
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
    let role_arn = members.text("RoleArn", &allowed::ROLE_ARN, faults);
    let (Some(repository_arn), Some(role_arn)) = (arn, role_arn) else {
        return name.filter(|_| !has_arn && !has_role).map(|name| Existing {
            name,
            elsewhere: None,
        });
    };
    let elsewhere = Elsewhere {
        repository_arn,
        role_arn,
    };
    let place = Place::of_arn(&elsewhere.repository_arn)?;
    let resource = elsewhere.repository_arn.splitn(6, ':').nth(5)?;
    let named = resource.strip_prefix(kind.before_name)?.to_owned();
    if name.is_some_and(|name| name != named) {
        faults.note(
            members.path_of("RepositoryName"),
            "must be the name in RepositoryArn, or left out",
        );
    }
    if elsewhere.role_arn.split(':').nth(4) != Some(&place.account) {
        faults.note(
            members.path_of("RoleArn"),
            format!(
                "must be a role of account {}, whose the repository is",
                place.account
            ),
        );
    }
    if let Some(home) = home.filter(|home| home.region != place.region) {
        faults.note(
            members.path_of("RepositoryArn"),
            format!(
                "must be in {}: CodePipeline takes a source in its own region only; replicate the \
                 repository to it",
                home.region
            ),
        );
    }
    Some(Existing {
        name: named,
        elsewhere: Some(elsewhere),
    })
}

/// Notes that the artifacts need a key: another account's role cannot use this account's default
/// one, whatever its policies say.
pub fn needs_a_key(
    source: Option<&Existing>,
    image: Option<&Image>,
    home: Option<&Place>,
    faults: &mut Faults,
) {
    let sources = [
        ("Source.RepositoryArn", source),
        (
            "ImageSource.RepositoryArn",
            image.map(|image| &image.repository),
        ),
    ];
    let foreign = sources.into_iter().find(|(_, existing)| {
        let elsewhere = existing.and_then(|existing| existing.elsewhere.as_ref());
        elsewhere.is_some_and(|there| home.is_none_or(|home| home.account != there.account()))
    });
    if let Some((path, _)) = foreign {
        faults.note(
            "ArtifactKeyArn",
            format!("is required with another account's {path}, which cannot use this account's default key"),
        );
    }
}

/// Notes the variables that only the image says.
pub fn leaves_room_for_the_image(build: &Build, faults: &mut Faults) {
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
mod tests {
    use serde_json::{Value, json};

    use super::super::{Desired, decode};
    use crate::cfn;

    const SOURCE_ARN: &str = "arn:aws:codecommit:eu-central-1:210987654321:infra";
    const IMAGE_ARN: &str = "arn:aws:ecr:eu-central-1:210987654321:repository/team/base";
    const ROLE_ARN: &str = "arn:aws:iam::210987654321:role/role-dev-codecommit-source";
    const KEY_ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1";

    fn decoded(more: Value) -> Result<Desired, cfn::Faults> {
        let mut properties = json!({
            "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev",
            "EnvID": "dev",
            "ProjectID": "shop",
        });
        if let (Some(map), Value::Object(more)) = (properties.as_object_mut(), more) {
            map.extend(more);
        }
        decode(&properties)
    }

    fn paths(more: Value) -> Vec<String> {
        let faults = decoded(more).expect_err("faults");
        faults.0.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn another_accounts_repositories_are_named_by_their_arns() {
        let desired = decoded(json!({
            "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN},
            "ImageSource": {
                "RepositoryArn": IMAGE_ARN, "RoleArn": ROLE_ARN, "RepositoryName": "team/base",
            },
            "ArtifactKeyArn": KEY_ARN,
        }))
        .expect("valid");
        assert_eq!(desired.repository(), "infra");
        let there = desired.source_elsewhere().expect("elsewhere");
        assert_eq!(there.account(), "210987654321");
        let image = desired.image.expect("an image");
        assert_eq!(image.repository.name, "team/base");
        assert_eq!(image.tag, "latest");
    }

    #[test]
    fn an_image_of_this_account_needs_its_name_alone() {
        let desired =
            decoded(json!({"ImageSource": {"RepositoryName": "base", "ImageTag": "1.2"}}));
        let image = desired.expect("valid").image.expect("an image");
        assert_eq!(
            (image.repository.elsewhere, image.tag.as_str()),
            (None, "1.2")
        );
    }

    #[test]
    fn a_role_and_a_repository_belong_together() {
        assert_eq!(
            paths(
                json!({"Source": {"RepositoryArn": SOURCE_ARN}, "ImageSource": {"RoleArn": ROLE_ARN}})
            ),
            [
                "Source.RoleArn",
                "ImageSource.RepositoryName",
                "ImageSource.RepositoryArn",
            ]
        );
        assert_eq!(paths(json!({"Source": {}})), ["Source.RepositoryName"]);
        let of_a_third = "arn:aws:iam::333333333333:role/r";
        assert_eq!(
            paths(json!({
                "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": of_a_third, "RepositoryName": "x"},
                "ArtifactKeyArn": KEY_ARN,
            })),
            ["Source.RepositoryName", "Source.RoleArn"]
        );
    }

    #[test]
    fn a_source_of_another_region_is_refused() {
        let far = SOURCE_ARN.replace("eu-central-1", "us-east-1");
        assert_eq!(
            paths(json!({
                "Source": {"RepositoryArn": far, "RoleArn": ROLE_ARN}, "ArtifactKeyArn": KEY_ARN,
            })),
            ["Source.RepositoryArn"]
        );
    }

    #[test]
    fn only_another_account_makes_a_key_necessary() {
        let source = json!({"Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN}});
        assert_eq!(paths(source.clone()), ["ArtifactKeyArn"]);
        let own = source.to_string().replace("210987654321", "123456789012");
        let own = serde_json::from_str(&own).expect("JSON");
        assert!(decoded(own).is_ok());
    }

    #[test]
    fn what_the_image_says_is_not_said_otherwise() {
        assert_eq!(
            paths(json!({
                "ImageSource": {"RepositoryName": "base"},
                "Build": {"EnvironmentVariables": {"ImageURI": "x"}},
            })),
            ["Build.EnvironmentVariables.ImageURI"]
        );
        let without_image = json!({"Build": {"EnvironmentVariables": {"ImageURI": "x"}}});
        assert!(decoded(without_image).is_ok());
    }

    #[test]
    fn approval_rules_hold_in_their_own_account() {
        assert_eq!(
            paths(json!({
                "Source": {"RepositoryArn": SOURCE_ARN, "RoleArn": ROLE_ARN},
                "ArtifactKeyArn": KEY_ARN,
                "ApprovalRule": {"ApproversNeeded": 1},
            })),
            ["ApprovalRule"]
        );
    }
}
