//! The warnings of a successful request: a source account that denies the lookup, or that cannot
//! write artifacts. They are the `Reason` of the success.

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::gitops_pipeline::source::Source;
use crate::gitops_pipeline::spec::Spec;
use cfn_custom_resource::Reason;

/// All warnings about `source`, with the denials of its repository and its branch. `None` if there
/// are none.
pub fn all(
    spec: &Spec,
    source: &Source,
    repository_denial: Option<&CallError>,
    branch_denial: Option<&CallError>,
) -> Option<Reason> {
    let mut warnings = Vec::new();
    if let Some(why) = source.denial() {
        warnings.push(source_is_denied(why));
    } else {
        warnings.extend(repository_denial.map(repository_hidden));
        warnings.extend(branch_denial.map(branch_hidden));
    }
    if spec.artifact_bucket_name.is_none() {
        warnings.extend(spec.cross_account_writer().map(bucket_is_not_shared));
    }
    Reason::join(warnings)
}

fn source_is_denied(why: &CallError) -> Reason {
    let problem = format!(
        "the source was not checked ({why}): CloneUrlHttp is empty, and only an execution of the pipeline \
         shows whether the branch exists"
    );
    let remedy = "Name the role in the provider stack's parameter SourceRoleArns. Name the function's role \
        and the pipeline's role in the role's trust policy";
    Reason::new(Code::SourceHidden, problem, remedy)
}

fn repository_hidden(why: &CallError) -> Reason {
    let problem = format!("CloneUrlHttp is empty ({why})");
    Reason::new(Code::SourceHidden, problem, allow("GetRepository", why))
}

fn branch_hidden(why: &CallError) -> Reason {
    let problem =
        format!("the branch was not checked ({why}). The pipeline reads it with the same role");
    Reason::new(Code::SourceHidden, problem, allow("GetBranch", why))
}

fn allow(action: &str, why: &CallError) -> String {
    if why.is_key_error() {
        return why.key_remedy("Source.RoleArn");
    }
    format!("Allow Source.RoleArn codecommit:{action}")
}

fn bucket_is_not_shared(path: &str) -> Reason {
    let problem = format!(
        "{path} is in another account, and the environment's own bucket, which is the default, admits no \
         other account"
    );
    Reason::new(
        Code::BucketNotShared,
        problem,
        "Set ArtifactBucketName, too",
    )
}
