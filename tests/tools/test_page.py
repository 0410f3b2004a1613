"""The page of `make run`, from recorded requests."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.local.gitlab.http_entry import Seen
from tools.run import console
from tools.run.page import Page

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "1123456789abcdef0123456789abcdef01234567"
PROJECT = "/api/v4/projects/1"


class Run:
    """Acts, each with the commit that it prints and the reports that come during it."""

    def __init__(self) -> None:
        gitlab: Any = SimpleNamespace(requests=[])
        self.requests, self._page = gitlab.requests, Page(gitlab, "Monday, commit <a>")

    def act(self, title: str, commit: str, *reports: tuple[str, Any]) -> None:
        self._page.begins(title, "A <reason>.")
        console.write(f"{title} shows {commit[:12]}")
        self.requests += [
            Seen("POST", PROJECT + path, "the maintainer", 201, entity) for path, entity in reports
        ]

    def sections(self) -> dict[str, str]:
        """The content of each act by its number and title."""
        head, *sections = self._page.text().split("<h2>")
        assert "Monday, commit &lt;a&gt;" in head
        return dict(section.split("</h2>\n") for section in sections)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(console, "_printed", [])
    return Run()


def status(commit: str, state: str, description: str = "") -> tuple[str, Any]:
    return f"/statuses/{commit}", {
        "name": "cfn-gitops/dev/infra",
        "status": state,
        "description": description,
    }


def test_reports_are_shown_without_html_and_addresses(run: Run) -> None:
    note = (
        "<!-- marker -->\n**Failed**: [execution](http://127.0.0.1:1/a) ~~now~~<!-- marker"
        " -->\n\n<script>1</script>\n\n![x](http://127.0.0.1:1/b)\n\n```\n<!-- logged"
        " -->\n```\n\n|A|B|\n|---|---|\n|`<i>`|c|\n"
    )
    run.act(
        "First",
        COMMIT,
        status(COMMIT, "failed", "Build <b>failed"),
        ("/deployments", {"sha": COMMIT, "status": "success", "environment": {"name": "dev"}}),
        (f"/repository/commits/{COMMIT}/discussions", {"id": "a", "notes": [{"id": 1, "body": note}]}),
        ("/merge_requests/7/notes", {"id": 2, "body": "of a review"}),
    )
    [shown] = run.sections().values()
    of_commit = "of commit <code>0123456789ab</code>"
    for text in (
        f'Status <code>cfn-gitops/dev/infra</code> {of_commit}: <strong class="failed">failed</strong>',
        "Build &lt;b&gt;failed",
        f"Deployment to <code>dev</code> {of_commit}",
        "A &lt;reason&gt;.",
        "Note on commit <code>0123456789ab</code>",
        '<strong>Failed</strong>: <span class="link">execution</span>',
        "<td><code>&lt;i&gt;</code></td>",
        "&lt;script&gt;1&lt;/script&gt;",
        "<s>now</s>",
        "&lt;!-- logged --&gt;",
        "Note on merge request !7",
    ):
        assert text in shown
    # No address, no script, and nothing that a browser loads.
    assert not [
        tag for tag in ("127.0.0.1", "marker", "<script", "<img", "<a ", "href", "src=") if tag in shown
    ]


def test_report_is_beside_the_act_that_names_its_commit(run: Run) -> None:
    run.act("First", COMMIT, status(COMMIT, "running"))
    late = status(COMMIT, "success")
    run.act("Second", "no commit", late, late, status(OTHER, "pending"))
    run.act("Third", "no commit")
    run.act("Fourth", OTHER, status(OTHER, "success"))
    run.requests.append(Seen("GET", f"{PROJECT}/repository/branches", "the maintainer", 200))
    shown = {
        title: [state for state in ("running", "pending", "success") for _ in range(text.count(f">{state}<"))]
        for title, text in run.sections().items()
    }
    assert shown == {"1. First": ["running", "success"], "4. Fourth": ["pending", "success"]}
