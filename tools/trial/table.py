"""Plays the tables in `observers/*.yaml`: assumptions that calls and their answers show. observers/README.md
has the form."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.session import Session

from cli.shell.terminal import shortened
from tests.play import waiting
from tests.play.calls import PLACEHOLDER, Calls, matches, member
from tests.play.steps import Login, Stack
from tests.play.waiting import eventually
from tools.run.console import note
from tools.trial.observers import Found, NotSeen, Seen, World, sources

_TABLES = Path(__file__).parent / "observers"
# A row that only a late answer refutes looks for it this many times longer, so that the report has the
# seconds.
_LATE = 5
# Members of answers that no report may show.
_SECRETS = {"ServicePassword", "token", "SecretAccessKey", "SessionToken"}
OPERATION = re.compile(r"(?:(\d+)x )?(?:after (\d+) s )?(?:within (\d+) s )?(?:as (\w+) )?(.+)")
_ENDED = {"create": {"StackStatus": "CREATE_COMPLETE"}, "update": {"StackStatus": "UPDATE_COMPLETE"}}
# A member of an answer that has a further page.
_FURTHER = re.compile(r"(?i)(next)?(token|marker)|NextMarker|IsTruncated")


@cache
def tables() -> list[dict[str, Any]]:
    """The plays of all files."""
    return [play for path in sorted(_TABLES.glob("*.yaml")) for play in yaml.safe_load(path.read_text())]


def calls(steps: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Each call, with the name of its row, `end` or an empty name."""
    for step in steps:
        if isinstance(step, dict):
            yield from step.items()
        elif isinstance(step[0], str):
            yield "", step
        else:
            yield from calls(step)


def rows(steps: list[Any]) -> Iterator[str]:
    """The assumptions that these steps show."""
    return (name for name, _ in calls(steps) if name not in ("", "end"))


def all_rows() -> set[str]:
    return {name for play in tables() for name in rows(play["calls"])}


def played(world: World, play: dict[str, Any]) -> dict[str, Found]:
    """The results of the rows of a play."""
    try:
        player = Player(world, play.get("given", {}))
    except Exception as error:  # the others have to be played
        return dict.fromkeys(rows(play["calls"]), error)
    player.play(play["calls"])
    return player.found


def _values(world: World) -> dict[str, str]:
    """The names that a table may use."""
    story, names, project = world.story, world.story.names, world.story.loop.project
    return {
        "probe": sources.probe(world),
        "account": story.aws.account_id,
        "region": story.aws.region,
        "joined_region": story.aws.region.replace("-", ""),
        "partition": Session().get_partition_for_region(story.aws.region),
        "bucket": sources.bucket(world),
        "mirror_user": names.user,
        "branch": names.branch,
        "free_branch": names.unprotected_branch,
        "pipeline": project.name,
        "repository": project.repository,
        "child": project.stack_name,
        "environment": story.environment.name,
        "failed_environment": story.failing.id,
        "log_group": f"/aws/lambda/{story.environment.function_name}",
        "n": "1",
        "now": "",
        "began": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "tomorrow": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}",
        "long_text": "0" * 4096,
        "storage": world.client("s3").meta.endpoint_url,
        "deployer": f"role-{names.first}-codedeploy-cfn",
    }


@dataclass
class _Looked:
    # Without its repetitions and waits.
    operation: str
    found: dict[str, Any]
    wanted: list[dict[str, Any]]
    seconds: float
    # Within how many seconds the answer is expected; 0 for at once.
    limit: int

    @property
    def is_failure(self) -> bool:
        return bool(self.found.get("error") or self.found.get("http", 0) >= 400)

    def shown(self) -> dict[str, Any]:
        """The expected members of the answer, or its error."""
        if self.is_failure:
            return {key: self.found[key] for key in ("error", "message", "http") if key in self.found}
        named = dict.fromkeys(key for each in self.wanted for key in each if key != "error")
        return {key: member(self.found, key) for key in named}


class Player(Calls):
    """The calls of one play, and the results of its rows."""

    def __init__(self, world: World, given: dict[str, str]) -> None:
        values = {name: [value] for name, value in {**_values(world), **given}.items()}
        super().__init__(values, self._service, self._send_to_gitlab)
        self.found: dict[str, Found] = {}
        # `as`, the value of the name of a role or of a token.
        self._world, self._as, self._ends = world, "", ExitStack()

    def play(self, steps: list[Any]) -> None:
        """A step that fails ends its group, whose further rows are not seen."""
        outer, seen = self._ends, {name: list(values) for name, values in self.seen.items()}
        with ExitStack() as self._ends:
            for number, step in enumerate(steps):
                try:
                    self._perform(step)
                except Exception as error:  # the report has it as the reason
                    for name in rows(steps[number:]):
                        self._conclude(name, error)
                    break
        self._ends, self.seen = outer, seen

    def _perform(self, step: Any) -> None:
        if isinstance(step, list) and not isinstance(step[0], str):
            self.play(step)
        elif isinstance(step, list):
            self._prepare(*step)
        elif "end" in step:
            self._ends.callback(self._end, self._look, *step["end"], [None])
        else:
            [(name, row)] = step.items()
            try:
                self._conclude(name, self._row(*row))
            except Exception as error:  # the next row may be seen
                self._conclude(name, error)

    def _conclude(self, name: str, found: Found) -> None:
        """A row with several calls held if all of them did, and did not hold if one of them did not."""
        before = self.found.get(name)
        if (
            before is None
            or (isinstance(before, Seen) and before.held)
            or (isinstance(found, Seen) and not found.held)
        ):
            self.found[name] = found

    def _prepare(self, operation: str, parameters: Any = None, *expected: Any) -> None:
        looked = self._look(operation, parameters, expected or [None])
        for wanted in looked.wanted:
            if _matches(wanted, looked.found):
                self.seen |= {name: [member(looked.found, key)] for key, name in _unnamed(wanted).items()}
                self.remember(looked.found)
                return
        raise NotSeen(f"{operation} answered {_text(looked.shown())}")

    def _end(self, call: Callable[..., Any], *arguments: Any) -> None:
        """The clean-up of the run deletes and reports the remains."""
        try:
            looked = call(*arguments)
            if isinstance(looked, _Looked) and looked.is_failure:
                note(f"{looked.operation} answered {_text(looked.shown())}")
        except NotSeen:
            # It names a resource that was not created.
            return
        except Exception as error:  # the further calls have to be made
            note(f"{arguments}: {error}")

    def _row(self, operation: str, parameters: Any = None, held: Any = None, *refuted: Any) -> Seen:
        """A failed request shows nothing, unless the row expects its error."""
        if unknown := self._unknown([held, *refuted]):
            raise NotSeen(f"no call has shown {', '.join(unknown)}")
        looked = self._look(operation, parameters, [held, *refuted], _LATE if not refuted else 1)
        found, wanted = looked.found, looked.wanted
        is_held, shown = matches(wanted[0], found), looked.shown()
        if not is_held and (
            not any(matches(each, found) for each in wanted[1:]) if refuted else looked.is_failure
        ):
            raise NotSeen(f"{operation} answered {_text(shown)}")
        self.remember(found)
        in_time = bool(refuted) or not looked.limit or looked.seconds <= looked.limit
        took = f" after {looked.seconds:.0f} s" if looked.limit else ""
        return Seen(is_held and in_time, f"{looked.operation}: {_text(shown)}{took}", shown, looked.operation)

    def _value(self, found: re.Match[str]) -> Any:
        """A name without a value stays."""
        return super()._value(found) if found[1] in self.seen else found[0]

    def _unknown(self, value: Any) -> list[str]:
        """The names in it that have no value."""
        return [name for name, _ in re.findall(PLACEHOLDER, json.dumps(value)) if name not in self.seen]

    def _look(self, operation: str, parameters: Any, expected: Sequence[Any], late: int = 1) -> _Looked:
        """The first answer that matches the first expected one, or the last one of the time."""
        times, pause, limit, self._as, single = OPERATION.fullmatch(operation).groups()  # type: ignore[union-attr]
        if unknown := self._unknown([operation, parameters]):
            raise NotSeen(f"no call has shown {', '.join(unknown)}")
        wanted = [self.wanted(single, each) for each in expected]
        seconds = sources.limited(int(limit or 0) * late, 3 if late > 1 else 20)
        for number in range(1, int(times or 1) + 1):
            time.sleep(sources.limited(int(pause or 0), 1))
            self.seen |= {"n": [str(number)], "now": [datetime.now(UTC).isoformat()]}
            asked, sent, began = self.filled(single), self.filled(parameters), time.monotonic()
            while True:
                found, took = self.ask(asked, sent), time.monotonic() - began
                self._world.story.loop.passwords.update(_secrets(found))
                if took >= seconds or _matches(wanted[0], found):
                    break
                time.sleep(min(1, waiting.PACE.interval))
            if not _matches(wanted[0], found):
                break
        return _Looked(single, found, wanted, took, int(limit or 0))

    # --- operations ---------------------------------------------------------------------------

    def ask(self, operation: str, parameters: Any) -> dict[str, Any]:
        word, _, what = operation.partition(" ")
        if word in ("create", "update"):
            return self._stack(word, what, parameters or {})
        if word == "push":
            return {"commit": self._world.story.loop.project.push_only(to=f"refs/heads/{what}").commit}
        if word == "login":
            return {"http": Login(parameters["UserName"], parameters["Password"], "").status(what)}
        return super().ask(operation, parameters)

    def wanted(self, operation: str, expected: Any) -> dict[str, Any]:
        return super().wanted(
            operation, _ENDED.get(operation.split(" ")[0]) if expected is None else expected
        )

    def _stack(self, word: str, scene: str, given: dict[str, Any]) -> dict[str, Any]:
        """Creates or updates the stack of a scene, with these parameters, and waits for its end. The stack is
        deleted at the end of the group."""
        name = f"{self.seen['probe'][0]}-{scene.replace('_', '-')}"
        request = {"StackName": name} | {
            key: given[key] for key in given.keys() & {"StackName", "RoleARN", "ClientRequestToken"}
        }
        made = Stack(self._world.story.aws, request["StackName"])
        parameters = [
            {"ParameterKey": key, "ParameterValue": str(value)}
            for key, value in given.items()
            if key not in request
        ]
        change = getattr(self._world.client("cloudformation"), f"{word}_stack")
        if word == "create":
            self._ends.callback(self._end, sources.delete_stack, self._world.story.aws, made.name)
        change(
            TemplateBody=sources.scene(scene),
            Parameters=parameters,
            Capabilities=sources.CAPABILITIES,
            **request,
        )
        made.wait()
        shown = made.describe()
        self.seen |= {f"stack_{scene}": [made.name], f"id_{scene}": [shown["StackId"]]}
        return {
            "error": None,
            "StackStatus": shown["StackStatus"],
            "StackId": shown["StackId"],
            "StackStatusReason": shown.get("StackStatusReason", ""),
            "failures": made.failures(),
            **made.outputs(),
        }

    def _service(self, service: str) -> Any:
        client = self._world.client(service)
        if not self._as:
            return client
        assume = partial(
            self._world.client("sts").assume_role, RoleArn=self.seen[self._as][0], RoleSessionName="probe"
        )
        held = eventually(partial(_unless_denied, assume), "the role can be assumed", 120)["Credentials"]
        session = boto3.Session(
            held["AccessKeyId"],
            held["SecretAccessKey"],
            held["SessionToken"],
            region_name=client.meta.region_name,
        )
        return session.client(service, endpoint_url=client.meta.endpoint_url)

    def _send_to_gitlab(self, method: str, path: str, body: Any) -> Any:
        token = self.seen[self._as][0] if self._as else ""
        below = "" if path.startswith(("/groups/", "/users/", "/personal_access_tokens")) else None
        return sources.gitlab(
            self._world, method, path, token, below, **{"params" if method == "GET" else "json": body}
        )

    def send(self, client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """With all pages. A member that is a text in the request may be written as JSON, and one of the
        answer is read."""
        given = _as_text(client.meta.service_model.operation_model(operation).input_shape, parameters)
        found, method = super().send(client, operation, given), xform_name(operation)
        if client.can_paginate(method) and any(_FURTHER.fullmatch(key) and found[key] for key in found):
            found |= client.get_paginator(method).paginate(**given).build_full_result()
        read: dict[str, Any] = _read(found)
        return read


def _unnamed(wanted: dict[str, Any]) -> dict[str, str]:
    """The expected names without a value, which take that of the answer: `{"Stacks[0].StackId": $stack}`."""
    found = {key: re.fullmatch(PLACEHOLDER, value) for key, value in wanted.items() if isinstance(value, str)}
    return {key: named[1] for key, named in found.items() if named}


def _matches(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    return matches(wanted | dict.fromkeys(_unnamed(wanted), "!"), found)


def _secrets(found: Any) -> Iterator[str]:
    """The values of an answer that the report hides."""
    for name, each in (
        found.items() if isinstance(found, dict) else enumerate(found if isinstance(found, list) else ())
    ):
        if name in _SECRETS and each and isinstance(each, str):
            yield each
        yield from _secrets(each)


def _unless_denied(assume: Callable[[], Any]) -> Any:
    """A role is not yet assumable for some seconds after its creation."""
    with contextlib.suppress(ClientError):
        return assume()
    return None


def _text(shown: dict[str, Any]) -> str:
    """The members by their names, and the results of expressions."""
    found = {key: json.dumps(value, default=str) for key, value in shown.items()}
    return shortened(
        ", ".join(f"{key} {text}" if key.isidentifier() else text for key, text in found.items()), 300
    )


def _as_text(shape: Any, value: Any) -> Any:
    if isinstance(value, (dict, list)) and shape is not None:
        if shape.type_name in ("string", "blob"):
            return json.dumps(value)
        if isinstance(value, list):
            return [_as_text(shape.member, each) for each in value]
        if shape.type_name == "structure":
            return {key: _as_text(shape.members.get(key), each) for key, each in value.items()}
    return value


def _read(value: Any) -> Any:
    """With times as texts, and with the content of JSON: the events of CloudTrail, templates, lines of
    logs."""
    if isinstance(value, dict):
        return {key: _read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StreamingBody):
        value = value.read().decode(errors="replace")
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value
