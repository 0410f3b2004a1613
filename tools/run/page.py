"""The page of `make run`: the statuses, notes and deployments that the local GitLab recorded, beside the act
that caused them."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from tests.play.local import LocalGitLab
from tools.run.console import printed

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #28272d }
h2 { margin-top: 2.5rem; border-top: 1px solid #dcdcde; padding-top: 1rem } .grey { color: #626168 }
.note { border: 1px solid #bfbfc3; border-radius: 6px; padding: 0 1rem; margin: .5rem 0 1rem; overflow-x: auto }
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; background: #ececef; padding: 0 .2em }
table { border-collapse: collapse } th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #dcdcde }
.link { color: #2f68b4 } .failed, .canceled { color: #ae1800 } .success { color: #24663b }"""  # noqa: E501
_INTRODUCTION = """What cfn-gitops wrote in this run: each status, note and deployment in its order, as the local GitLab recorded it. An
edited note is here once for each version. If two events come at the same time, a status may return to "running": its report
reads the execution again, and ends with the present state. Links are not active, because the servers have ended. Acts without
any are left out."""  # noqa: E501


class _Act(NamedTuple):
    title: str
    reason: str
    # How many requests and how much output came before it.
    requests: int
    printed: int


class Page:
    def __init__(self, gitlab: LocalGitLab, made: str) -> None:
        """`made` names the run: its date and its commit."""
        self._requests, self._made = gitlab.requests, made
        self._acts: list[_Act] = []
        self._markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        for kind in ("html_block", "html_inline"):
            self._markdown.add_render_rule(kind, _without_html)
        self._markdown.add_render_rule("link_open", lambda *_: '<span class="link">')
        self._markdown.add_render_rule("link_close", lambda *_: "</span>")
        self._markdown.add_render_rule("image", lambda _, tokens, index, *__: escape(tokens[index].content))

    def begins(self, title: str, reason: str) -> None:
        self._acts.append(_Act(title, reason, len(self._requests), len(printed())))

    def text(self) -> str:
        sections, output, latest = ["" for _ in self._acts], printed(), dict[str, str]()
        outputs = [
            output[each.printed : end]
            for each, end in zip(self._acts, [*(each.printed for each in self._acts[1:]), None], strict=True)
        ]
        for place, seen in enumerate(self._requests):
            if seen.written is None:
                continue
            commit, thing, shown = _entity(seen.path, seen.written, self._markdown)
            # Functions that run at the same time may write the same twice.
            if latest.get(thing) != shown:
                latest[thing] = shown
                at = sum(each.requests <= place for each in self._acts) - 1
                sections[_act_of(at, commit, outputs)] += shown
        acts = "".join(
            f'<h2>{number}. {escape(act.title)}</h2>\n<p class="grey">{escape(act.reason)}</p>\n{section}'
            for number, (act, section) in enumerate(zip(self._acts, sections, strict=True), 1)
            if section
        )
        title = "The local run in GitLab"
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
            f' content="width=device-width"><title>{title}</title>\n<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n<p'  # noqa: E501
            f' class="grey">{escape(self._made)}</p>\n<p>{_INTRODUCTION}</p>\n{acts}</body></html>\n'
        )


def _without_html(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    """GitLab hides a comment. Other HTML of a note is text here."""
    return escape(re.sub("<!--.*?-->", "", tokens[index].content, flags=re.DOTALL))


def _act_of(at: int, commit: str, outputs: list[str]) -> int:
    """The act that names the commit: the one in which this was written, or the one before, whose report is
    late. Or a later one, because a health check starts a run during another act."""
    nearest = (at, at - 1, *range(at + 1, len(outputs)))
    return next((each for each in nearest if commit and each >= 0 and commit in outputs[each]), at)


def _entity(path: str, written: Any, markdown: MarkdownIt) -> tuple[str, str, str]:
    """The commit, the subject of the report, and its HTML. The commit is empty for a merge request."""
    commit = ("".join(re.findall("[0-9a-f]{40}", path)[:1]) or written.get("sha", ""))[:12]
    merge_request = re.search(r"/merge_requests/(\d+)/", path)
    place = f"merge request !{merge_request[1]}" if merge_request else f"commit <code>{escape(commit)}</code>"
    if "/statuses/" in path or "/deployments" in path:
        kind, name = (
            ("Status", written["name"])
            if "/statuses/" in path
            else ("Deployment to", written["environment"]["name"])
        )
        state, about = escape(written["status"]), escape(written.get("description") or "")
        subject = f"{kind} <code>{escape(name)}</code> of {place}"
        return (
            commit,
            subject,
            f'<p>{subject}: <strong class="{state}">{state}</strong> <span class="grey">{about}</span></p>\n',
        )
    # A note of a commit is in a discussion.
    [note] = written.get("notes", [written])
    shown = markdown.render(note["body"])
    return commit, f"note {note['id']}", f'<p>Note on {place}:</p>\n<div class="note">{shown}</div>\n'
