"""A VpcConfig that the template no longer has is sent without Ipv6AllowedForDualStack, which then keeps its
value.

https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2061
"""

from typing import Any

from ministack.services.cloudformation import provisioners

_MESSAGE = (
    "Ipv6AllowedForDualStack cannot be true without subnet or security groups. Please remove"
    " Ipv6AllowedForDualStack value from your request and try again."
)


def install() -> None:
    table = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    ministack_update = table["update"]

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *more: Any, **named: Any) -> Any:
        config = {
            "Ipv6AllowedForDualStack": old.get("VpcConfig", {}).get("Ipv6AllowedForDualStack")
        } | new.get("VpcConfig", {})
        if str(config["Ipv6AllowedForDualStack"]).lower() == "true" and not config.get("SubnetIds"):
            raise ValueError(f'Resource handler returned message: "{_MESSAGE}"')
        return ministack_update(physical_id, old, new, *more, **named)

    table["update"] = update
