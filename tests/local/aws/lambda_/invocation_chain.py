"""Counts the invocations of a function in one chain, in the trace header as Lambda does.

Lambda stops a function that invokes itself after about 16 times; SDKs pass on the header that the runtime received.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
MiniStack counts in its own header, which only its own runtimes pass on.
"""

from __future__ import annotations

import re
import secrets
import time
import zlib
from typing import Any

from ministack.services import lambda_svc

_LINEAGE = re.compile(r"Lineage=[^;]*?:(\d+)(?:;|$)")


def install() -> None:
    ministack_trace, ministack_depth = lambda_svc._xray_trace_id_for_invocation, lambda_svc._inbound_invoke_depth

    def trace(config: dict, inbound: str | None = None) -> str:
        given: str = ministack_trace(config, inbound) or (
            f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0")
        name = f"{zlib.crc32(config.get('FunctionArn', '').encode()):08x}"
        return f"{given};Lineage=1:{name}:{lambda_svc._invoke_depth.get()}"

    def depth(headers: dict[str, Any]) -> int:
        found = _LINEAGE.search(headers.get("x-amzn-trace-id") or "")
        return max(ministack_depth(headers), int(found[1]) if found else 0)

    lambda_svc._xray_trace_id_for_invocation = trace
    lambda_svc._inbound_invoke_depth = depth
