"""The order of a stack's independent resources.

AWS processes them concurrently, so every order that the graph allows can happen. MiniStack sorts them by
name.
"""

import random

from ministack.services.cloudformation import engine, stacks

from tests.local.aws.settings import settings


def install() -> None:
    ministack_order = stacks._topological_sort

    def order(resources: dict, conditions: dict) -> list[str]:
        by_name = ministack_order(resources, conditions)
        return _shuffled(by_name, resources) if settings.order_seed else by_name

    stacks._topological_sort = order


def _shuffled(by_name: list[str], resources: dict) -> list[str]:
    choice, active = random.Random(settings.order_seed), set(by_name)
    waiting = {name: engine._extract_deps(resources[name], active) - {name} for name in by_name}
    order: list[str] = []
    while waiting:
        name = choice.choice([name for name, needed in waiting.items() if needed <= set(order)])
        order.append(name)
        del waiting[name]
    return order
