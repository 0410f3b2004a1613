//! `Source.Paths`: the files whose changes start the pipeline.

use crate::common::ascii;
use crate::gitops_pipeline::paths::Paths;
use cfn_custom_resource::{Object, ValidationErrors};

/// Maximum length of both lists in the child stack's settings, in bytes of JSON. AWS has this limit
/// for the value of a parameter:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MAX_JSON_BYTES: usize = 4096;

/// `Source.Paths`. `None` if it lists nothing, so that every push starts the pipeline.
pub fn decode_paths(source: &Object, errors: &mut ValidationErrors) -> Option<Paths> {
    if !source.is_set("Paths") {
        return None;
    }
    if source.is_set("RepositoryArn") {
        errors.add(
            source.path_of("Paths"),
            "must not be set with RepositoryArn: the function reads no differences in another \
             account",
        );
    }
    let paths: Paths = source.object("Paths").read();
    let json = serde_json::to_string(&paths).unwrap_or_default();
    let bytes = ascii::escape(&json).len();
    if bytes > MAX_JSON_BYTES {
        errors.add(
            source.path_of("Paths"),
            format!(
                "must be at most {MAX_JSON_BYTES} bytes as JSON; it is {bytes}; use fewer or \
                 shorter globs"
            ),
        );
    }
    (paths != Paths::default()).then_some(paths)
}
