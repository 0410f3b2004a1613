"""Decodes texts and XML by a shape of botocore's models, and keeps what the shape does not have."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape, MapShape, Shape, StructureShape

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def _time(text: str) -> datetime:
    """Of the query protocol and of XML. In a header, it is a date of HTTP."""
    return datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)


_SCALARS = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": _time,
    "boolean": {"true": True, "false": False}.get,
}


def scalar(shape: Shape, text: str) -> Any:
    """A text that is not of the type remains, so that it is a fault."""
    try:
        value = _SCALARS.get(shape.type_name, str)(text)
    except ValueError:
        return text
    return text if value is None else value


def from_xml(shape: Shape, element: ElementTree.Element) -> Any:
    """An unknown element remains, so that it is a fault."""
    if isinstance(shape, StructureShape):
        return _structure(shape, element)
    if isinstance(shape, ListShape):
        item = shape.member.serialization.get("name", "member")
        return [
            from_xml(shape.member, child) if name_of(child) == item else {name_of(child): "unknown"}
            for child in element
        ]
    if isinstance(shape, MapShape):
        return {child[0].text: from_xml(shape.value, child[1]) for child in element}
    return scalar(shape, element.text or "")


def _structure(shape: StructureShape, element: ElementTree.Element) -> dict[str, Any]:
    names = {
        member.serialization.get("name", name): name
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    # The elements of a flattened list are members of the structure, by the name of the list's member or of
    # the list.
    names |= {
        member.member.serialization["name"]: name
        for name, member in shape.members.items()
        if is_flattened(member)
        and "name" in member.member.serialization
        and "name" not in member.serialization
    }
    # `xsi:type` alone.
    found: dict[str, Any] = {
        name: element.attrib.get(_TYPE, "")
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute")
    }
    for child in element:
        name = names.get(name_of(child))
        if name is None:
            found[name_of(child)] = "unknown"
        elif is_flattened(member := shape.members[name]):
            found.setdefault(name, []).append(from_xml(member.member, child))
        else:
            found[name] = from_xml(member, child)
    return found


def is_flattened(shape: Shape) -> bool:
    return isinstance(shape, ListShape) and bool(shape.serialization.get("flattened"))


def name_of(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
