"""CloudWatch's dashboards: an invalid body is rejected with the position of the error.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MiniStack accepts any text.
"""

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_types

_TEXT = {"type": "string"}
_REGION = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-\d$"}
_PERIOD = {"type": "integer", "minimum": 1, "anyOf": [{"enum": [1, 5, 10, 20, 30]}, {"multipleOf": 60}]}
_STATISTICS = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _list(of: dict[str, Any], most: int, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "maxItems": most, "items": of}


_AXIS = _object([], min={"type": "number"}, max={"type": "number"})
_ALARM = {"type": "string", "pattern": r"^arn:aws[\w-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+$"}
# The rendering properties of one metric, the last item of its array.
_RENDERING = Draft202012Validator(
    _object([], expression=_TEXT, label=_TEXT, stat={"enum": _STATISTICS}, yAxis={"enum": ["left", "right"]})
)
# Of AWS's widgets and properties, those of template.yaml. The others are rejected.
_WIDGETS = {
    "metric": _object(
        ["region", "metrics"],
        region=_REGION,
        view={"enum": ["timeSeries"]},
        title=_TEXT,
        period=_PERIOD,
        annotations=_object(
            [], horizontal=_list(_object(["value"], value={"type": "number"}, label=_TEXT), 100)
        ),
        yAxis=_object([], left=_AXIS, right=_AXIS),
        metrics=_list({"type": "array", "minItems": 1}, 500),
    ),
    "log": _object(
        ["query", "region"],
        query={**_TEXT, "minLength": 1},
        region=_REGION,
        title=_TEXT,
        view={"enum": ["table"]},
    ),
    "alarm": _object(["alarms"], alarms=_list(_ALARM, 100, 1), title=_TEXT),
}
_WIDGET = _object(
    ["type", "properties"],
    type={"enum": list(_WIDGETS)},
    x={"type": "integer", "minimum": 0, "maximum": 23},
    y={"type": "integer", "minimum": 0},
    width={"type": "integer", "minimum": 1, "maximum": 24},
    height={"type": "integer", "minimum": 1, "maximum": 1000},
    properties={"type": "object"},
)
_BODY = Draft202012Validator(
    _object(
        # "a relative time ... preceded by -PT or -P"
        ["widgets"],
        start={"type": "string", "pattern": r"^-P(T?\d+[A-Z])+$"},
        widgets=_list(
            {
                **_WIDGET,
                "allOf": [
                    {
                        "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                        "then": {"properties": {"properties": shape}},
                    }
                    for kind, shape in _WIDGETS.items()
                ],
            },
            500,
        ),
    )
)
# "SEARCH(' {Namespace, DimensionName1, DimensionName2, ...} SearchTerm', 'Statistic', Period)", with or
# without period. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
_SEARCH = re.compile(r"SEARCH\(\s*'(?P<term>[^']+)'\s*,\s*'(?P<stat>[^']+)'\s*(,\s*(?P<period>\d+)\s*)?\)")


def install() -> None:
    # CloudFormation's handlers call them by these names.
    ministack_body, ministack_name = provisioners._cw_dashboard_body, provisioners._cw_dashboard_name

    def body(props: dict) -> str:
        text: str = ministack_body(props)
        if found := faults(text):
            raise resource_types.handler_error(
                f"The dashboard body is invalid, there are {len(found)} validation errors:\n"
                f"{json.dumps(found, indent=2)}",
                "InvalidRequest",
            )
        return text

    def name(logical_id: str, props: dict, stack_name: str) -> str:
        chosen: str = ministack_name(logical_id, props, stack_name)
        # "valid characters are A-Z, a-z, 0-9, "-", and "_"."
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
        if not re.fullmatch(r"[\w-]+", chosen, re.ASCII):
            raise ValueError(
                f"The value {chosen} for parameter DashboardName has characters other than A-Z, a-z, 0-9, - "
                "and _"
            )
        return chosen

    provisioners._cw_dashboard_body, provisioners._cw_dashboard_name = body, name


def faults(body: str) -> list[dict[str, str]]:
    """Each with a path and a message, in the form of DashboardValidationMessages."""
    try:
        parsed = json.loads(body)
    except ValueError as error:
        return [{"dataPath": "", "message": f"The field DashboardBody must be a valid JSON object: {error}"}]
    found = [
        {"dataPath": _path(error.absolute_path), "message": error.message}
        for error in _BODY.iter_errors(parsed)
    ]
    if found:
        return found
    for index, widget in enumerate(parsed["widgets"]):
        if widget["type"] == "metric":
            found += _of_metrics(widget["properties"], f"/widgets/{index}/properties")
    return found


def _path(parts: Any) -> str:
    return "".join(f"/{part}" for part in parts)


def _of_metrics(properties: dict[str, Any], path: str) -> list[dict[str, str]]:
    found = []
    for index, metric in enumerate(properties["metrics"]):
        where = f"{path}/metrics/{index}"
        rendering = metric[-1] if isinstance(metric[-1], dict) else {}
        names = metric[:-1] if isinstance(metric[-1], dict) else metric
        found += [
            {"dataPath": f"{where}/{len(names)}{_path(error.absolute_path)}", "message": error.message}
            for error in _RENDERING.iter_errors(rendering)
        ]
        found += [{"dataPath": where, "message": message} for message in _of_one(names, rendering)]
    return found


def _of_one(names: list[Any], rendering: dict[str, Any]) -> list[str]:
    """ "[Namespace, MetricName, [{DimensionName,DimensionValue}...], {RenderingPropertiesObject}]", or only
    an expression."""
    if not all(isinstance(name, str) for name in names):
        return ['Invalid metric field type, only "String" type is allowed']
    if "expression" in rendering:
        return ["An expression cannot have dimensions"] if names else _of_expression(rendering["expression"])
    if len(names) < 2:
        return ["Should NOT have fewer than 2 items"]
    return ["A dimension has a name and a value"] if len(names) % 2 else []


def _of_expression(expression: str) -> list[str]:
    searches = list(_SEARCH.finditer(expression))
    if len(searches) != 1 or expression.count("SEARCH(") != 1:
        return [f"{expression} is not a search: SEARCH('{{Namespace,Dimension}} term', 'Statistic', Period)"]
    term, statistic = searches[0]["term"], searches[0]["stat"]
    found = []
    if term.count("{") != term.count("}") or term.count("(") != term.count(")") or term.count('"') % 2:
        found.append(f"The search term has unmatched brackets or quotes: {term}")
    if statistic not in _STATISTICS:
        found.append(f"{statistic} is not a statistic")
    return found
