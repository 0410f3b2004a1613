//! CodeBuild's builds, and S3's objects.

use serde_json::Value;

use crate::{
    handle::FakeAws,
    services::{codebuild, s3},
};

impl FakeAws {
    /// EventBridge starts a build of a commit of a branch. `artifacts` is the bucket and the folder
    /// in which the build stores its files, for example `bucket/review/shop`. The build is
    /// `IN_PROGRESS`. Returns its ID, `<project>:<uuid>`.
    pub fn build(
        &self,
        project: &str,
        uuid: &str,
        branch: &str,
        commit: &str,
        artifacts: &str,
    ) -> String {
        // https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
        let source_version = format!("refs/heads/{branch}^{{{commit}}}");
        self.change(|aws| {
            let id = codebuild::start(
                &mut aws.builds,
                &mut aws.world,
                project,
                uuid,
                &source_version,
            );
            let build = aws.builds.get_mut(&id).expect("just started");
            build.artifacts = Some(format!("arn:aws:s3:::{artifacts}/{uuid}"));
            id
        })
    }

    /// A build ends now with this status. Returns EventBridge's event.
    pub fn end_build(&self, id: &str, status: &'static str) -> Value {
        self.change(|aws| {
            let now = aws.now;
            let build = aws.builds.get_mut(id).expect("a build to end");
            build.end(status, now);
            codebuild::event(&mut aws.builds, &mut aws.world, id)
        })
    }

    /// Writes an object into a bucket, which has versioning unless
    /// [`Self::bucket_without_versions`] created it. Returns the ID of the version.
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) -> String {
        self.change(|aws| s3::write(&mut aws.s3, &mut aws.world, bucket, key, body))
    }

    /// An empty bucket without versioning.
    pub fn bucket_without_versions(&self, bucket: &str) {
        let empty = s3::Bucket::default();
        self.arrange(|aws| aws.s3.insert(bucket.to_owned(), empty));
    }
}
