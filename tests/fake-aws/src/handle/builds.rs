//! CodeBuild's builds, and S3's objects.

use serde_json::Value;

use crate::{
    handle::FakeAws,
    services::{codebuild, s3},
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

    /// Writes an object into a bucket with versioning. Returns the ID of the version.
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) -> String {
        self.change(|aws| s3::write(&mut aws.s3, &mut aws.world, bucket, key, body))
    }
}
