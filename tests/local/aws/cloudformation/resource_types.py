"""Helpers of the resource types that this local AWS adds or changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services.cloudformation import provisioners

from tests.local.aws.json_api import Rejected


def handler_error(message: str, code: str) -> ValueError:
    """The reason of a resource whose handler in the registry failed."""
    return ValueError(
        f'Resource handler returned message: "{message}" (RequestToken: {new_uuid()}, '
        f"HandlerErrorCode: {code})"
    )


@contextmanager
def rejections_of(service: str) -> Iterator[None]:
    """The reason of a resource whose service rejected the call."""
    try:
        yield
    except Rejected as rejected:
        raise ValueError(
            f"{rejected.message} (Service: {service}, Status Code: 400; {rejected.code})"
        ) from None


def tags(props: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in props.get("Tags") or []}


def updated_tags(held: dict[str, str], old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """Keeps tags that the stack did not set."""
    removed = tags(old).keys() - tags(new).keys()
    return {key: value for key, value in held.items() if key not in removed} | tags(new)


def also(
    resource_type: str,
    keep: Callable[[str, dict[str, Any]], None],
    check: Callable[[str, dict[str, Any]], None] = lambda _name, _props: None,
) -> None:
    """Keeps properties that MiniStack's handlers ignore, by the physical ID, after a check by the name."""
    table = provisioners._RESOURCE_HANDLERS[resource_type]
    ministack_create, ministack_update = table["create"], table["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        check(props.get("Name") or logical_id, props)
        made = ministack_create(logical_id, props, stack_name)
        keep(made[0], props)
        return made

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *more: Any, **named: Any) -> Any:
        check(physical_id, new)
        made = ministack_update(physical_id, old, new, *more, **named)
        keep(made[0], new)
        return made

    table["create"], table["update"] = create, update
