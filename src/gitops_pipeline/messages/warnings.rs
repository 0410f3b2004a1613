//! What a person should know although all is well: of a source that is not shown, or that cannot be
//! written from. It is the `Reason` of a success.

use crate::aws::CallError;
use crate::gitops_pipeline::source::Source;
use crate::gitops_pipeline::spec::Spec;
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

/// The notes on `source`, if there are any, with why its repository and its branch are hidden.
pub fn all(
    spec: &Spec,
    source: &Source,
    repository_is_hidden: Option<&CallError>,
    branch_is_hidden: Option<&CallError>,
) -> Option<Reason> {
    let mut notes = Vec::new();
    if let Some(why) = source.refusal() {
        notes.push(source_is_not_admitted(why));
    } else {
        notes.extend(repository_is_hidden.map(repository_hidden));
        notes.extend(branch_is_hidden.map(branch_hidden));
    }
    if spec.artifact_bucket_name.is_none() {
        notes.extend(spec.cross_account_writer().map(bucket_admits_nobody));
    }
    Reason::join(notes)
}

/// All is well, but the function may not assume the role of the source.
fn source_is_not_admitted(why: &CallError) -> Reason {
    let text = format!(
        "the source was not looked at ({why}): whether its branch is there is the pipeline's to find \
         out, and CloneUrlHttp is empty; the provider stack's parameter SourceRoleArns says which \
         roles the function and the environment's pipelines may assume, and the role's trust policy \
         has to name both"
    );
    Reason::new(Code::SourceHidden, text)
}

/// All is well, but the role of the source shows nothing of the repository.
fn repository_hidden(why: &CallError) -> Reason {
    let text = format!(
        "CloneUrlHttp is empty ({why}); Source.RoleArn has to be allowed codecommit:GetRepository, and \
         the repository's key where it has one of its own"
    );
    Reason::new(Code::SourceHidden, text)
}

/// All is well, but the role of the source does not show the branch.
fn branch_hidden(why: &CallError) -> Reason {
    let text = format!(
        "the branch was not looked at ({why}), which the pipeline does with the same role: \
         Source.RoleArn has to be allowed codecommit:GetBranch, and the repository's key where it has \
         one of its own"
    );
    Reason::new(Code::SourceHidden, text)
}

/// All is well, but the artifacts go where the other account cannot write.
fn bucket_admits_nobody(path: &str) -> Reason {
    let text = format!(
        "with {path} give ArtifactBucketName, too: the environment's own bucket, which is used \
         without it, admits no other account"
    );
    Reason::new(Code::BucketNotShared, text)
}
