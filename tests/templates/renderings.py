"""The child stack's template as the function renders it, for each variation of its properties.

rendered/default.json has the whole template. A file of rendered/differences has the values in which its rendering
differs from the default, or from the rendering that `from` names, by JSON pointer (RFC 6901). Null removes a value. In
a list, null also removes the elements after it, and the index after the last element adds one.
src/gitops_pipeline/template/tests.rs writes the files.
"""

import json
from pathlib import Path

RENDERED = Path(__file__).parent / "rendered"
NAMES = ["default", *sorted(path.stem for path in (RENDERED / "differences").glob("*.json"))]


def rendering(name="default"):
    if name == "default":
        return json.loads((RENDERED / "default.json").read_text())
    differences = json.loads((RENDERED / f"differences/{name}.json").read_text())
    return with_differences(rendering(differences.pop("from", "default")), differences)


def with_differences(template, differences):
    for pointer, value in differences.items():
        *parents, key = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        place = template
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            place[int(key):None if value is None else int(key) + 1] = [] if value is None else [value]
        elif value is None:
            del place[key]
        else:
            place[key] = value
    return template
