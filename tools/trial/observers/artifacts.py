"""Observers of the artifacts between two actions of a pipeline."""

from typing import Any

from tests.play.pipelines import Pipeline
from tests.play.waiting import eventually
from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.sources import probe


@observes("build-reads-artifacts-with-its-role")
def principal_of_artifacts(world: World) -> Seen | None:
    """S3 uses the artifacts' key as the principal that reads or writes the object. CloudTrail has these uses."""
    uses = sources.trail(world, "kms.amazonaws.com", "EventSource")

    def by_builds(action: str, artifact: str) -> list[bool]:
        """For each such use of the key, whether it is one of a build."""
        return ["/AWSCodeBuild-" in record.get("userIdentity", {}).get("arn", "") for record in uses
                if record["eventName"] == action and f"/{artifact}/" in str(record.get("requestParameters"))]

    written, read = by_builds("GenerateDataKey", "BuildArtif"), by_builds("Decrypt", "SourceArti")
    if not written or not read:
        return None
    return Seen(all(written) and any(read), f"builds: {sum(written)} of {len(written)} uses of the key for build artifacts, "
                                            f"{sum(read)} of {len(read)} to read sources")


@observes("artifact-version-not-pinned")
def overwritten_artifact(world: World) -> Seen | None:
    """A pipeline with the project's source copies its artifact to the bucket after an approval."""
    client, s3, bucket, name = world.client("codepipeline"), world.client("s3"), sources.bucket(world), probe(world)
    pipeline = Pipeline(world.story.aws, world.story.names.first, "probe")
    newer = sources.archive({"README.md": "another version"})
    pipeline.name, before = name, client.get_pipeline(name=world.story.loop.project.name)["pipeline"]
    try:
        client.create_pipeline(pipeline={**before, "name": name, "stages": _stages(before["stages"][0], bucket, name)})
        execution = eventually(pipeline.executions, f"{name} runs")[0]["pipelineExecutionId"]
        pipeline.waits_for_approval(execution)
        [artifact] = s3.list_objects_v2(Bucket=bucket, Prefix=f"{name}/")["Contents"]
        approved = s3.get_object(Bucket=bucket, Key=artifact["Key"])["Body"].read()
        s3.put_object(Bucket=bucket, Key=artifact["Key"], Body=newer)
        pipeline.decide(execution)
        status = pipeline.ended(execution)
        if status != "Succeeded":
            raise NotSeen(f"{status}: {pipeline.ran(execution)}")
        copied = s3.get_object(Bucket=bucket, Key=f"{name}.zip")["Body"].read()
    finally:
        client.delete_pipeline(name=name)
        s3.delete_object(Bucket=bucket, Key=f"{name}.zip")
    if copied not in (newer, approved):
        return None
    return Seen(copied == newer, f"the pipeline deployed the {'newer' if copied == newer else 'approved'} version")


def _stages(source: dict[str, Any], bucket: str, name: str) -> list[dict[str, Any]]:
    def stage(category: str, provider: str, **more: Any) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": category, "actions": [{"name": category, "actionTypeId": kind, **more}]}

    artifact = source["actions"][0]["outputArtifacts"]
    return [source, stage("Approval", "Manual"), stage("Deploy", "S3", inputArtifacts=artifact, configuration={
        "BucketName": bucket, "ObjectKey": f"{name}.zip", "Extract": "false"})]
