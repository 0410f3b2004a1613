"""A function that prints the lines of its event's `say`, fails with its `fail`, and returns the event.

It calls the Runtime API itself, as the bootstrap of a `provided.al2023` function.
"""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urllib.request.urlopen(f"{API}/next") as invocation:
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(invocation)
    for line in event.get("say", []):
        print(line, flush=True)
    print("asked", json.dumps(event, sort_keys=True), flush=True)
    url, result = f"{API}/{request_id}/response", event
    if "fail" in event:
        url, result = f"{API}/{request_id}/error", {"errorType": "Told", "errorMessage": event["fail"]}
    urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(result).encode(), method="POST")).close()
