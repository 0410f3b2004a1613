"""The child stack's template as the function renders it, for each variation of its properties.

templates/pipeline.yaml is the default one. A file of rendered/differences has the values in which its
rendering differs from the default, or from the rendering that `from` names, by JSON pointer (RFC 6901). Null
removes a value. In a list, null also removes the elements after it, and the index after the last element adds
one. src/gitops_pipeline/template/tests.rs writes the files, and compares the default one.
"""

import json
from pathlib import Path

from tests.templates.deployed import TEMPLATES, source

RENDERED = Path(__file__).parent / "rendered"
NAMES = ["default", *sorted(path.stem for path in (RENDERED / "differences").glob("*.json"))]


def rendering(name="default"):
    if name == "default":
        return without_suppressions(source(TEMPLATES / "pipeline.yaml"))
    differences = json.loads((RENDERED / f"differences/{name}.json").read_text())
    return with_differences(rendering(differences.pop("from", "default")), differences)


def without_suppressions(template):
    """The suppressed checks of a template are not deployed."""
    for resource in template["Resources"].values():
        metadata = resource.get("Metadata", {})
        metadata.pop("checkov", None)
        if not metadata:
            resource.pop("Metadata", None)
    return template


def with_differences(template, differences):
    for pointer, value in differences.items():
        *parents, key = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        place = template
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            place[int(key) : None if value is None else int(key) + 1] = [] if value is None else [value]
        elif value is None:
            del place[key]
        else:
            place[key] = value
    return template
