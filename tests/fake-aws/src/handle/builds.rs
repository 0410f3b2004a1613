//! CodeBuild's builds and their logs, and S3's objects.

use serde_json::Value;

use crate::{
    handle::FakeAws,
    services::{codebuild, logs, s3},
};

impl FakeAws {
    /// A build ends now with this status. Returns EventBridge's event.
    pub fn end_build(&self, id: &str, status: &'static str) -> Value {
        self.change(|aws| {
            let now = aws.now;
            let build = aws.builds.get_mut(id).expect("a build to end");
            build.end(status, now);
            codebuild::event(&mut aws.builds, &mut aws.world, id)
        })
    }

    /// A build starts that no event of a review starts, such as a pipeline's. Returns its ID.
    pub fn start_build(&self, project: &str) -> String {
        self.change(|aws| {
            let uuid = aws.next_id();
            codebuild::start(&mut aws.builds, &mut aws.world, project, &uuid, "")
        })
    }

    /// A build fails now in this phase, after it printed `lines` there. Its log has also what
    /// CodeBuild prints around them, and `POST_BUILD`, which follows BUILD. Returns the event.
    pub fn fail_build(
        &self,
        id: &str,
        phase: &'static str,
        message: &str,
        lines: &[&str],
    ) -> Value {
        self.change(|aws| {
            let now = aws.now;
            let build = aws.builds.get_mut(id).expect("a build to fail");
            build.fail(phase, message, now);
            let printed = codebuild::printed(build, lines);
            let log = build.log();
            logs::write(&mut aws.logs, &log, now, &printed);
        });
        self.end_build(id, "FAILED")
    }

    /// Writes an object into a bucket with versioning. Returns the ID of the version.
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) -> String {
        self.change(|aws| s3::write(&mut aws.s3, &mut aws.world, bucket, key, body))
    }
}
