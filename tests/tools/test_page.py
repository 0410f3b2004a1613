"""The page of `make run`, from recorded requests."""

from types import SimpleNamespace
from typing import Any

from tests.local.gitlab.http_entry import Seen

from tools.run.page import Page

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROJECT = "/api/v4/projects/1"


def written(path: str, entity: Any) -> Seen:
    return Seen("POST", f"{PROJECT}{path}", "the maintainer", 201, entity)


def test_entries_are_beside_the_act_that_wrote_them() -> None:
    gitlab: Any = SimpleNamespace(requests=[])
    page = Page(gitlab)
    page.begins("First", "A <reason>.")
    gitlab.requests += [Seen("GET", f"{PROJECT}/branches", "the maintainer", 200),
                        written(f"/statuses/{COMMIT}", {"name": "cfn-gitops/dev/infra", "status": "failed", "description": "Build <b>failed"}),
                        written("/deployments", {"sha": COMMIT, "status": "success", "environment": {"name": "dev"}})]
    page.ends()
    page.begins("Empty", "Nothing.")
    page.ends()
    page.begins("Third", "Another reason.")
    note = "<!-- marker -->\n**Failed**: [execution](http://127.0.0.1:1/a)\n\n<script>1</script> ![x](http://127.0.0.1:1/b)\n\n|A|B|\n|---|---|\n|`<i>`|c|\n"
    gitlab.requests += [written(f"/repository/commits/{COMMIT}/discussions", {"id": "a", "notes": [{"body": note}]}),
                        written("/merge_requests/7/notes", {"body": "of a review"})]
    text = page.text()
    first, third = text.split("<h2>")[1:]
    assert first.startswith("1. First</h2>\n") and "A &lt;reason&gt;." in first
    assert 'Status <code>cfn-gitops/dev/infra</code> of commit <code>0123456789ab</code>: <strong class="failed">failed</strong>' in first
    assert "Build &lt;b&gt;failed" in first and "Deployment to <code>dev</code> of commit <code>0123456789ab</code>" in first
    assert third.startswith("3. Third</h2>\n") and "Note on commit <code>0123456789ab</code>" in third
    assert '<strong>Failed</strong>: <span class="link">execution</span>' in third and "<td><code>&lt;i&gt;</code></td>" in third
    assert "&lt;script&gt;1&lt;/script&gt;" in third and "Note on merge request !7" in third
    # No address, no script, and nothing that a browser loads.
    assert not [tag for tag in ("127.0.0.1", "marker", "<script", "<img", "<a ", "href", "src=") if tag in text]


def test_late_report_belongs_to_its_act() -> None:
    waits = list[float]()

    class Requests(list[Seen]):
        """One more report during each of the first two waits."""

        def __getitem__(self, place: Any) -> Any:
            if place.stop is None and len(waits) < 2:
                waits.append(0)
                self.append(written(f"/statuses/{COMMIT}", {"name": f"status-{len(waits)}", "status": "success"}))
            return super().__getitem__(place)

    page = Page(SimpleNamespace(requests=Requests()))  # type: ignore[arg-type]
    page.begins("First", "A reason.")
    page.ends()
    page.begins("Second", "A reason.")
    assert "status-2" in page.text().split("<h2>")[1] and "2. Second" not in page.text()
