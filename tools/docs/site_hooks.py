"""Hooks of MkDocs: the cells of tables carry their headings, and the search finds first what most readers
look for.

https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor

# The first beginning of a page's path decides:
# https://squidfunk.github.io/mkdocs-material/setup/setting-up-site-search/#search-boosting
_BOOSTS = {
    **dict.fromkeys(("docs/concepts/mirrors.md", "docs/how-to/add-a-project.md"), 4),
    "docs/concepts/reporting.md": 3,
    **dict.fromkeys(
        ("docs/how-to/remove.md", "docs/how-to/rights.md", "docs/how-to/second-environment.md"), 2.5
    ),
    # Pages that most readers do not need.
    **dict.fromkeys(
        (
            "docs/how-to/cross-account-source.md",
            "docs/how-to/cross-account-image.md",
            "docs/how-to/clone-from-ec2.md",
            "docs/runbook/reason-codes.md",
            "docs/runbook/a-failed-deploy.md",
        ),
        1,
    ),
    **dict.fromkeys(("docs/how-to/", "docs/runbook/", "docs/tutorial/", "docs/concepts/rotation.md"), 2),
    "docs/concepts/security/README.md": 1,
    "docs/concepts/security/": 0.5,
    "docs/reference/parameters/": 0.2,
    # Even a title there, which has the weight of 1,000 words, comes after a word of another page.
    "docs/project/": 1e-8,
    **dict.fromkeys(("CONTRIBUTING.md", "CHANGELOG.md", "crates/", "events/", "tests/", "tools/"), 1e-4),
}
# A word of readers that no title has. A tag outweighs every title, even if a word of the search is only its
# beginning. So it is one rare word: "another" would be found by each "a".
_TAGS = {
    "docs/concepts/rotation.md": ["rotate"],
    "docs/how-to/adopt-what-exists.md": ["migrate"],
    "docs/how-to/approvers.md": ["MFA"],
    "docs/runbook/README.md": ["stuck"],
    "docs/how-to/connect-gitlab.md": ["CA"],
    "docs/how-to/freeze-and-thaw.md": ["holiday", "pause"],
    "docs/how-to/notifications.md": ["Slack", "email"],
    "docs/how-to/second-environment.md": ["promote", "production"],
    "docs/how-to/rights.md": ["privilege"],
    "docs/how-to/tags.md": ["TagKeys"],
    "docs/how-to/undo-a-deployment.md": ["rollback", "revert", "history"],
    "docs/runbook/while-it-is-down.md": ["outage"],
}


class _Labels(Treeprocessor):
    """Gives each cell its column's heading, which docs/site.css shows on a phone."""

    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            headings = ["".join(cell.itertext()) for cell in table.iter("th")]
            for row in table.iterfind("tbody/tr"):
                for heading, cell in zip(headings, row, strict=False):
                    cell.set("data-label", heading)


class TableLabels(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # After the inline elements: a heading may contain code.
        md.treeprocessors.register(_Labels(md), "table-labels", 5)


def on_config(config: Any) -> Any:
    config.markdown_extensions.append(TableLabels())
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> None:
    boosts = (boost for folder, boost in _BOOSTS.items() if page.file.src_uri.startswith(folder))
    # The search rounds each word's weight to three decimals.
    page.meta["search"] = {"boost": 1e8 * next(boosts, 1)}
    if page.file.src_uri in _TAGS:
        page.meta["tags"] = _TAGS[page.file.src_uri]
