"""A pipeline whose image is in another account.

B is the pipeline's account, the local AWS's own. A is the image's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A, AcrossAccounts, Table, allowed
from local.aws.codepipeline.tests.image_scene import BUILDSPEC, TAG, ImageScene


class ImageAccountScene(AcrossAccounts, ImageScene):
    assumed, event_source, event_type = "image", "aws.ecr", "ECR Image Action"

    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        self.ecr = self.account_a.client("ecr")
        self.image_arn = f"arn:aws:ecr:{self.region}:{A}:repository/{self.images}"

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = BUILDSPEC) -> None:
        super().prepare(files, buildspec)
        self.grant()
        for role in ("pipeline", "build"):  # both use the key on artifacts of their own account
            self.rights[role].update({f"kms:{action}": (self.key, {}) for action in ("GenerateDataKey", "Decrypt")})
        self.rights["pipeline"].pop("ecr:DescribeImages")
        self.rights["pipeline"]["sts:AssumeRole"] = (self.source_role, {})
        for role in ("pipeline", "build"):
            self.allow(role, self.rights[role])

    def push_first(self) -> None:
        self.push_image("first")

    def all_grants(self) -> dict[str, Table]:
        made = super().all_grants()
        made[self.assumed].update(allowed("ecr:DescribeImages", resource=self.image_arn))
        return made

    def start_on_push(self, account: str = A, role: str = "events") -> None:
        """A's rule forwards to B's bus, whose rule starts the pipeline."""
        super().start_on_push(account, role)
        self.forward({
            "source": [self.event_source], "detail-type": [self.event_type],
            "detail": {"action-type": ["PUSH"], "repository-name": [self.images], "image-tag": [TAG]}})

    def image(self, **configuration: str) -> dict[str, Any]:
        return {**super().image(**configuration), "roleArn": self.source_role}
