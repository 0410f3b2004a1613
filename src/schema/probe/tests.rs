use crate::schema::RESOURCES;
use crate::schema::probe::*;

#[test]
fn the_deepest_members_are_asked_for() {
    let [mirror, pipeline] = RESOURCES;
    let mirror = everything_asked(mirror.faults);
    for path in [
        "Mirrors[].RequiredBranches[]",
        "Tags[].Value",
        "GitLab.CaCertificate",
    ] {
        assert!(mirror.recording.kinds.contains_key(path), "{path}");
    }
    assert!(mirror.required.contains("Mirrors[].GitLabProject"));
    let pipeline = everything_asked(pipeline.faults);
    for path in [
        "ApprovalRule.ApprovalPoolMembers[]",
        "Deploy.Capabilities[]",
        "ImageSource.RoleArn",
    ] {
        assert!(pipeline.recording.kinds.contains_key(path), "{path}");
    }
    assert!(pipeline.required.contains("ApprovalRule.ApproversNeeded"));
}
