"""The page of `make run`: the statuses, notes and deployments that the local GitLab recorded, beside the act that caused them."""

import re
import time
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from tests.play.local import LocalGitLab

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #28272d }
h2 { margin-top: 2.5rem; border-top: 1px solid #dcdcde; padding-top: 1rem } .grey { color: #626168 }
.note { border: 1px solid #bfbfc3; border-radius: 6px; padding: 0 1rem; margin: .5rem 0 1rem; overflow-x: auto }
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; background: #ececef; padding: 0 .2em }
table { border-collapse: collapse } th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #dcdcde }
.link { color: #2f68b4 } .failed, .canceled { color: #ae1800 } .success { color: #24663b }"""
_INTRODUCTION = """What cfn-gitops wrote in this run: each status, note and deployment in its order, as the local GitLab recorded it. An
edited note is here once for each version. Links are not active, because the servers have ended. Acts without any are left out."""
# A function may report after the end of an act.
_QUIET_SECONDS = 0.3


class Page:
    def __init__(self, gitlab: LocalGitLab) -> None:
        self._requests = gitlab.requests
        # Of each act: its title and reason, and the number of requests before it.
        self._acts: list[tuple[str, str, int]] = []
        # HTML in a note is text.
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._markdown.add_render_rule("link_open", lambda *_: '<span class="link">')
        self._markdown.add_render_rule("link_close", lambda *_: "</span>")
        self._markdown.add_render_rule("image", lambda _, tokens, index, *__: escape(tokens[index].content))

    def begins(self, title: str, reason: str) -> None:
        self._acts.append((title, reason, len(self._requests)))

    def ends(self) -> None:
        """Waits until the reports of the act are written."""
        _, _, begin = self._acts[-1]
        count = -1
        while count != (count := sum(each.written is not None for each in self._requests[begin:])):
            time.sleep(_QUIET_SECONDS if count else 0)

    def text(self) -> str:
        begins = [begin for _, _, begin in self._acts]
        sections = ""
        for number, ((title, reason, begin), end) in enumerate(zip(self._acts, [*begins[1:], None], strict=True), 1):
            written = "".join(_entity(each.path, each.written, self._markdown) for each in self._requests[begin:end] if each.written)
            if written:
                sections += f'<h2>{number}. {escape(title)}</h2>\n<p class="grey">{escape(reason)}</p>\n{written}'
        title = "The local run in GitLab"
        return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n<style>{_STYLE}</style></head>'
                f"<body>\n<h1>{title}</h1>\n<p>{_INTRODUCTION}</p>\n{sections}</body></html>\n")


def _entity(path: str, written: Any, markdown: MarkdownIt) -> str:
    commit = "".join(re.findall("[0-9a-f]{40}", path)[:1]) or written.get("sha", "")
    merge_request = re.search(r"/merge_requests/(\d+)/", path)
    place = f"merge request !{merge_request[1]}" if merge_request else f"commit <code>{escape(commit[:12])}</code>"
    if "/statuses/" in path or "/deployments" in path:
        kind, name = ("Status", written["name"]) if "/statuses/" in path else ("Deployment to", written["environment"]["name"])
        state, about = escape(written["status"]), escape(written.get("description") or "")
        return (f'<p>{kind} <code>{escape(name)}</code> of {place}: <strong class="{state}">{state}</strong> '
                f'<span class="grey">{about}</span></p>\n')
    # A note of a commit is in a discussion.
    [note] = written.get("notes", [written])
    return f'<p>Note on {place}:</p>\n<div class="note">{markdown.render(re.sub("<!--.*?-->", "", note["body"], flags=re.DOTALL))}</div>\n'
