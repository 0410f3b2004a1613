"""The approval in GitLab, in `make run`: a Maintainer without a login for AWS creates the tag that the note links.

The environment is deployed from a copy of template.yaml whose pipeline has `Approval.FromGitLab`. Its first deployment
has no earlier one that limits the commits whose authors may not approve, so it also has `AllowAuthor`.
"""

from __future__ import annotations

from pathlib import Path

from local.gitlab import LocalGitLab
from tests.deployment.mirroring import Source
from tests.deployment.waiting import eventually
from console import Progress, note, require
from run_loop import Loop

PARAMETERS = {"FunctionApprovals": "GitLab"}
_WITHOUT = """            - !Ref AWS::NoValue
        - !Ref AWS::NoValue
      # The same GitLab and token as for the mirror.
"""
_WITH = _WITHOUT.replace("        - !Ref AWS::NoValue\n      #", "        - { FromGitLab: true, AllowAuthor: true }\n      #")


class Approver:
    """Ann, a Maintainer of the project in GitLab. The access token of the environment belongs to another user."""

    def __init__(self, gitlab: LocalGitLab, source: Source) -> None:
        self.source = source
        self.token = gitlab.add_token("the approver", user=gitlab.user("Ann", username="ann"))

    def protect_tags(self) -> None:
        self.source.project.protect_tags("deploy/*", "reject/*")
        note("In GitLab, the tags deploy/* and reject/* are protected: only Maintainers may create them. "
             "Approval.FromGitLab of the pipeline lets such a tag approve.")

    def approve(self, loop: Loop, progress: Progress, commit: str) -> None:
        tag = self.source.approval_tags(commit)["deploy"]
        progress.show("Approval", "Nothing is deployed yet. Ann, a Maintainer in GitLab without a login for AWS, reads the "
                                  f"changes there, follows the link below them, and creates the tag {tag}.")
        rejection = self.source.create_tag(tag, commit, self.token.value)
        require(not rejection, f"GitLab rejected the tag: {rejection}")
        loop.project.arrives(f"refs/tags/{tag}", commit)
        progress.show("mirror", f"{loop.mirror().id} of GitLab pushes the tag. CodeCommit's event of it invokes the "
                                "function, which asks GitLab who created it.")
        shown = f"Approved in GitLab by @ann ({self.token.user.id}), tag {tag}"
        eventually(lambda: shown in [each.description for each in self.source.project.statuses(commit)],
                   f"GitLab shows: {shown}")
        progress.show("GitLab", f"shows the status of the approval: {shown}.")


def template_with_approval(template: Path) -> Path:
    """A copy of the template whose pipeline is approved in GitLab."""
    text, copy = template.read_text(), template.with_name("template-approved-in-gitlab.yaml")
    assert text.count(_WITHOUT) == 1, "template.yaml has another Approval"
    copy.write_text(text.replace(_WITHOUT, _WITH))
    return copy
