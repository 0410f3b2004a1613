"""A buildspec with reports, and the files of a commit, in the build of a review and in the pipeline's: the
page Buildspec."""

from typing import Any

from tests.deployment.reviewing import ReviewedStack, reviewed
from tests.local.aws import LocalAws

__all__ = ["reviewed"]
BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - if [ -L latest ]; then echo "latest is a link"; else echo "latest contains $(cat latest)"; fi
      - ./report.sh
      - mkdir out
      - cp template.yaml out/
      - sed -e "s/ENVIRONMENT/$EnvID/" -e "s/COMMIT/$CODEBUILD_RESOLVED_SOURCE_VERSION/" parameter.json > out/parameter.json
reports:
  unit:
    files: [tests.xml]
  coverage:
    files: [coverage.xml]
    file-format: COBERTURAXML
artifacts:
  base-directory: out
  files: ["**/*"]
"""  # noqa: E501


def groups_of(build: dict[str, Any]) -> list[str]:
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    return [arn.rsplit(":", 1)[0].rsplit("/", 1)[1] for arn in build["reportArns"]]


# claim: builds-store-reports-in-their-own-groups
def test_both_builds_store_reports_and_only_one_has_links(aws: LocalAws, reviewed: ReviewedStack) -> None:
    project, directory = reviewed.project, reviewed.project.working.directory
    (directory / "latest").symlink_to("parameter.json")
    (directory / "report.sh").write_text("#!/bin/sh\ntouch tests.xml coverage.xml\n")
    (directory / "report.sh").chmod(0o755)
    review = project.review(project.push_for_review("review/reports", buildspec=BUILDSPEC).commit)
    names = [f"{project.project_id}-{name}" for name in ("unit", "coverage")]
    assert groups_of(review) == [f"codebuild-dev-review-{name}" for name in names]
    assert "latest is a link" in project.review_log()

    assert project.deploy(project.push(buildspec=BUILDSPEC).commit) == "Succeeded", project.said()
    builds = aws.client("codebuild")
    [latest, *_] = builds.list_builds_for_project(projectName=project.build_project)["ids"]
    assert groups_of(builds.batch_get_builds(ids=[latest])["builds"][0]) == [
        f"codebuild-dev-cfn-{name}" for name in names
    ]
    # CodePipeline's archive has the name of the link's target in a file.
    assert "latest contains parameter.json" in project.build_log()
