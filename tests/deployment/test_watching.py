"""The health check of a deployed environment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.deployment.pages import compare_recorded
from tests.deployment.watching import looks
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.pipelines import accepted, eventually
from tests.play.steps import Environment, Working


def test_deleted_mirror_is_found_by_the_next_health_check(
    aws: LocalAws, environment: Environment, source: Source, gitlab: LocalGitLab, tmp_path: Path
) -> None:
    working, outputs, secrets = (
        Working(tmp_path / "work"),
        environment.outputs(),
        aws.client("secretsmanager"),
    )
    pushed = accepted(working.push(source.developer(), source.project.url, to="+refs/heads/development"))
    assert (
        environment.change(**source.parameters(DeployTemplatePath="root-stack-infra.yaml"))
        == "UPDATE_COMPLETE"
    ), environment.failures()
    project, user, pipeline = source.project.path, outputs["UserName"], outputs["PipelineName"]
    secret, url = outputs["SecretName"], outputs["RepositoryCloneUrl"]
    assert secrets.describe_secret(SecretId=secret)["RotationEnabled"] is True
    eventually(
        lambda: (
            working.references(steps.login(aws, secret), url).get("refs/heads/development") == pushed.commit
        ),
        "the push arrives",
    )
    # This push creates it, if no earlier push did.
    eventually(
        lambda: (
            pipeline in [each["name"] for each in aws.client("codepipeline").list_pipelines()["pipelines"]]
        ),
        pipeline,
    )
    well = looks(aws)
    assert well["HealthCheckFailed", ""] == 0
    written = {
        "MirrorHealthy",
        "SecondsSinceMirrorSync",
        "MirrorLagSeconds",
        "CredentialAge",
        "ApprovalsWaiting",
    }
    assert written <= {metric for metric, about in well if not about}
    # Nothing is wrong with them.
    assert not {project, user, source.secret_id} & {about for _, about in well}
    [mirror] = source.project.mirrors()
    source.project.delete_mirror(mirror.id)
    ill = looks(aws)
    assert ill["HealthCheckFailed", ""] == 0
    assert ill["MirrorHealthy", project] == 0
    # The first token does not expire. This one lasts until midnight UTC of that day.
    assert ("GitLabTokenDaysLeft", source.secret_id) not in ill
    token = gitlab.add_token("expiring", expires_at=datetime.now(UTC).date() + timedelta(days=10))
    secrets.put_secret_value(SecretId=source.secret_id, SecretString=token.value)
    expiring = looks(aws)
    assert 8 < expiring["GitLabTokenDaysLeft", source.secret_id] <= 10
    names = {"": "", project: " platform/infra", source.secret_id: " gitlab/infra", pipeline: f" {pipeline}"}

    def has_them(shown: list[dict[str, float]], now: list[dict[str, float]]) -> bool:
        """Another run has other values. Other tests decide the pipeline's metrics."""
        of_this_test = {*written, "ForeignTips", "GitLabTokenDaysLeft", "HealthCheckFailed"}
        return all(
            {key for key in one if key.split()[0] in of_this_test and pipeline not in key} <= set(other)
            for one, other in zip(shown, now, strict=True)
        )

    compare_recorded(
        "health checks",
        [
            {
                metric + names[about]: round(value, 1)
                for (metric, about), value in sorted(check.items())
                if about in names
            }
            for check in (well, ill, expiring)
        ],
        has_them,
    )
    assert environment.change(GitLabProject="", GitLabTokenSecretId="") == "UPDATE_COMPLETE", (
        environment.failures()
    )
    assert not [metric for metric, about in looks(aws) if about == project]
    # Without the project, GitLab would not get the new password, so there is no rotation either.
    assert not secrets.describe_secret(SecretId=secret).get("RotationEnabled")
    assert steps.login(aws, secret).status(url) == 200
