"""Returns the commit that is deployed."""

import os


def handler(event, context):
    return {"commit": os.environ["COMMIT"]}
