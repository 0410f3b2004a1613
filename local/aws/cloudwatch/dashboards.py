"""CloudWatch's dashboards: an invalid body is rejected with the position of the error.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MiniStack accepts any text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from ministack.core.responses import new_uuid
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

_TEXT = {"type": "string"}
_REGION = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-\d$"}
_PERIOD = {"type": "integer", "minimum": 1, "anyOf": [{"enum": [1, 5, 10, 20, 30]}, {"multipleOf": 60}]}
_STATISTIC = {"type": "string", "pattern": (
    r"^(SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|tc|ts|wm)\d{1,3}(\.\d+)?|(PR|TC|TM|TS|WM)\([^()]*:[^()]*\))$")}
_AXIS = {"type": "object", "additionalProperties": False, "properties": {
    "label": _TEXT, "min": {"type": "number"}, "max": {"type": "number"}, "showUnits": {"type": "boolean"}}}
_AXES = {"type": "object", "additionalProperties": False, "properties": {"left": _AXIS, "right": _AXIS}}
_ALARMS = {"type": "array", "minItems": 1, "maxItems": 100, "items": {
    "type": "string", "pattern": r"^arn:aws[\w-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+$"}}
_HORIZONTAL = {"type": "object", "required": ["value"], "properties": {
    "value": {"type": "number"}, "label": _TEXT, "color": _TEXT, "visible": {"type": "boolean"},
    "fill": {"enum": ["above", "below", "between", "none"]}, "yAxis": {"enum": ["left", "right"]}}}
_ANNOTATIONS = {"type": "object", "additionalProperties": False, "properties": {
    "horizontal": {"type": "array", "items": {"anyOf": [_HORIZONTAL, {"type": "array", "items": _HORIZONTAL}]}},
    "vertical": {"type": "array"}, "alarms": {**_ALARMS, "maxItems": 1}}}
# The rendering properties of one metric, the last item of its array.
_RENDERING = Draft202012Validator({"type": "object", "additionalProperties": False, "properties": {
    "accountId": _TEXT, "color": _TEXT, "expression": _TEXT, "id": {"type": "string", "pattern": r"^[a-z]\w*$"},
    "label": _TEXT, "period": _PERIOD, "region": _REGION, "stat": _STATISTIC, "visible": {"type": "boolean"},
    "yAxis": {"enum": ["left", "right"]}}})

_PROPERTIES: dict[str, dict[str, Any]] = {
    "text": {"required": ["markdown"], "properties": {
        "markdown": _TEXT, "background": {"enum": ["transparent", "solid"]}}},
    "metric": {"required": ["region"], "anyOf": [
        {"required": ["metrics"]}, {"required": ["annotations"], "properties": {"annotations": {"required": ["alarms"]}}},
    ], "properties": {
        "accountId": _TEXT, "annotations": _ANNOTATIONS, "labels": {}, "legend": {}, "liveData": {"type": "boolean"},
        "metrics": {"type": "array", "maxItems": 500, "items": {"type": "array", "minItems": 1}}, "period": _PERIOD,
        "region": _REGION, "setPeriodToTimeRange": {"type": "boolean"},
        "singleValueFullPrecision": {"type": "boolean"}, "sparkline": {"type": "boolean"}, "stacked": {"type": "boolean"},
        "stat": _STATISTIC, "table": {}, "timezone": _TEXT, "title": _TEXT, "trend": {"type": "boolean"},
        "view": {"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]}, "yAxis": _AXES}},
    "log": {"required": ["query", "region"], "properties": {
        "accountId": _TEXT, "query": {"type": "string", "minLength": 1}, "queryLanguage": _TEXT, "region": _REGION,
        "stacked": {"type": "boolean"}, "title": _TEXT, "view": {"enum": ["table", "timeSeries", "bar", "pie"]}}},
    "alarm": {"required": ["alarms"], "properties": {
        "alarms": _ALARMS, "title": _TEXT,
        "sortBy": {"enum": ["default", "stateUpdatedTimestamp", "timestamp"]},
        "states": {"type": "array", "items": {"enum": ["ALARM", "INSUFFICIENT_DATA", "OK"]}}}},
}
# The properties of these widgets are not checked.
_OTHERS = ["custom", "explorer", "trace"]

_BODY = Draft202012Validator({
    "type": "object", "required": ["widgets"], "additionalProperties": False,
    "dependentRequired": {"end": ["start"]},
    "properties": {
        # "a relative time ... preceded by -PT or -P", or an absolute one
        "start": {"type": "string", "pattern": r"^(-P(T?\d+[A-Z])+|\d{4}-\d\d-\d\dT.+)$"},
        "end": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT.+$"}, "periodOverride": {"enum": ["auto", "inherit"]},
        "variables": {"type": "array", "maxItems": 25},
        "widgets": {"type": "array", "maxItems": 500, "items": {
            "type": "object", "required": ["type", "properties"], "additionalProperties": False,
            "properties": {
                "type": {"enum": [*_PROPERTIES, *_OTHERS]}, "x": {"type": "integer", "minimum": 0, "maximum": 23},
                "y": {"type": "integer", "minimum": 0}, "width": {"type": "integer", "minimum": 1, "maximum": 24},
                "height": {"type": "integer", "minimum": 1, "maximum": 1000}, "properties": {"type": "object"}},
            "allOf": [{"if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                       "then": {"properties": {"properties": {**shape, "additionalProperties": False}}}}
                      for kind, shape in _PROPERTIES.items()],
        }},
    },
})
# "SEARCH(' {Namespace, DimensionName1, DimensionName2, ...} SearchTerm', 'Statistic', Period)", with or without period.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
_SEARCH = re.compile(r"SEARCH\(\s*'(?P<term>[^']+)'\s*,\s*'(?P<stat>[^']+)'\s*(,\s*(?P<period>\d+)\s*)?\)")


def install() -> None:
    # CloudFormation's handlers call them by these names.
    ministack_body, ministack_name = provisioners._cw_dashboard_body, provisioners._cw_dashboard_name

    def body(props: dict) -> str:
        text: str = ministack_body(props)
        if found := faults(text):
            raise ValueError(f'Resource handler returned message: "{_message(found)}" (RequestToken: {new_uuid()}, '
                             "HandlerErrorCode: InvalidRequest)")
        return text

    def name(logical_id: str, props: dict, stack_name: str) -> str:
        chosen: str = ministack_name(logical_id, props, stack_name)
        # "valid characters are A-Z, a-z, 0-9, "-", and "_"."
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
        if not re.fullmatch(r"[\w-]+", chosen, re.ASCII):
            raise ValueError(f"The value {chosen} for parameter DashboardName has characters other than A-Z, a-z, 0-9, - "
                             "and _")
        return chosen

    provisioners._cw_dashboard_body, provisioners._cw_dashboard_name = body, name
    ministack_put = cloudwatch._put_dashboard

    def put(params: dict, request: dict, is_cbor: bool, is_json: bool = False) -> tuple:
        given = request if is_cbor or is_json else {"DashboardBody": cloudwatch._p(params, "DashboardBody")}
        if found := faults(given.get("DashboardBody", "")):
            # DashboardInvalidInputError's code.
            error_of: tuple = cloudwatch._error("InvalidParameterInput", _message(found), 400, use_json=is_json,
                                               use_cbor=is_cbor)
            return error_of
        answer: tuple = ministack_put(params, request, is_cbor, is_json)
        return answer

    cloudwatch._put_dashboard = put


def _message(found: list[dict[str, str]]) -> str:
    return (f"The dashboard body is invalid, there are {len(found)} validation errors:\n"
            f"{json.dumps(found, indent=2)}")


def faults(body: str) -> list[dict[str, str]]:
    """Each with a path and a message, in the form of DashboardValidationMessages."""
    try:
        parsed = json.loads(body)
    except ValueError as error:
        return [{"dataPath": "", "message": f"The field DashboardBody must be a valid JSON object: {error}"}]
    found = [{"dataPath": _path(error.absolute_path), "message": error.message} for error in _BODY.iter_errors(parsed)]
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
    left = (properties.get("yAxis") or {}).get("left", {})
    if properties.get("view") == "gauge" and not {"min", "max"} <= left.keys():
        # "If you specify gauge, you must set a value for min and max for the left side of yAxis."
        found.append({"dataPath": f"{path}/yAxis", "message": "A gauge needs the left axis's min and max"})
    ids: list[str] = []
    for index, metric in enumerate(properties.get("metrics") or []):
        where = f"{path}/metrics/{index}"
        rendering = metric[-1] if isinstance(metric[-1], dict) else {}
        names = metric[:-1] if isinstance(metric[-1], dict) else metric
        found += [{"dataPath": f"{where}/{len(names)}{_path(error.absolute_path)}", "message": error.message}
                  for error in _RENDERING.iter_errors(rendering)]
        found += [{"dataPath": where, "message": message} for message in _of_one(names, rendering)]
        ids += [rendering["id"]] if "id" in rendering else []
    if len(set(ids)) < len(ids):
        found.append({"dataPath": f"{path}/metrics", "message": "The ids of a graph's metrics must be unique"})
    return found


def _of_one(names: list[Any], rendering: dict[str, Any]) -> list[str]:
    """"[Namespace, MetricName, [{DimensionName,DimensionValue}...], {RenderingPropertiesObject}]", where `.` repeats what
    previous value and `...` all of them; or only an expression."""
    if not all(isinstance(name, str) for name in names):
        return ["Invalid metric field type, only \"String\" type is allowed"]
    if "expression" in rendering:
        return ["An expression cannot have dimensions"] if names else _of_expression(rendering["expression"])
    if "..." in names:
        return []
    if len(names) < 2:
        return ["Should NOT have fewer than 2 items"]
    return ["A dimension has a name and a value"] if len(names) % 2 else []


def _of_expression(expression: str) -> list[str]:
    if "SEARCH(" not in expression:
        return []
    searches = list(_SEARCH.finditer(expression))
    if len(searches) != expression.count("SEARCH("):
        return [f"{expression} is not a search: SEARCH('{{Namespace,Dimension}} term', 'Statistic', Period)"]
    found = []
    for search in searches:
        term = search["term"]
        if term.count("{") != term.count("}") or term.count("(") != term.count(")") or term.count('"') % 2:
            found.append(f"The search term has unmatched brackets or quotes: {term}")
        if not re.match(_STATISTIC["pattern"], search["stat"]):
            found.append(f"{search['stat']} is not a statistic")
    return found
