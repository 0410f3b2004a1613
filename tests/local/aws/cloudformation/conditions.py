"""Functions in a template's conditions that MiniStack treats as plain values, such as a joined list parameter
that is compared with a string.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
"""

from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks

_FUNCTIONS = {"Fn::FindInMap", "Fn::Join", "Fn::Sub"}


def install() -> None:
    ministack_evaluate = engine._evaluate_conditions

    def evaluate(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
        mappings = template.get("Mappings") or {}

        def computed(value: Any) -> Any:
            if isinstance(value, list):
                return [computed(each) for each in value]
            if not isinstance(value, dict):
                return value
            if value.keys() & _FUNCTIONS:
                return engine._resolve_refs(value, {}, params, {}, mappings, "", "")
            return {key: computed(each) for key, each in value.items()}

        evaluated: dict[str, bool] = ministack_evaluate(
            {**template, "Conditions": computed(template.get("Conditions") or {})}, params
        )
        return evaluated

    for module in (engine, handlers, changesets, stacks):
        module._evaluate_conditions = evaluate
