"""A function's environment variables: the address of the local AWS, and of the machine's variables only
PATH."""

import os
from typing import Any

from ministack.services import lambda_svc

# MiniStack passes its own environment to a function, except role sessions. On AWS a function does not get it.
_KEPT = {"PATH", "LANG", "TMPDIR"}


def install(endpoint: str) -> None:
    ministack_environment = lambda_svc._provided_worker_env

    def environment(config: dict, code_dir: str, port: int) -> dict[str, str]:
        given: dict[str, Any] = ministack_environment(config, code_dir, port)
        own = {name for name in os.environ if name not in _KEPT and given.get(name) == os.environ[name]}
        declared = set(lambda_svc._runtime_env_vars(config))
        kept = {
            name: value
            for name, value in given.items()
            if name not in own - declared or name.startswith("AWS_")
        }
        kept["AWS_ENDPOINT_URL"] = endpoint
        kept["AWS_LAMBDA_LOG_GROUP_NAME"] = f"/aws/lambda/{config.get('FunctionName', 'unknown')}"
        kept["AWS_EC2_METADATA_DISABLED"] = "true"
        return kept

    lambda_svc._provided_worker_env = environment
    # MiniStack's own setting for the runtimes that it starts (Python, Node).
    os.environ["AWS_ENDPOINT_URL"] = endpoint
