"""Returns the commit whose pipeline deployed the function."""

import os


def handler(event, context):
    return {"commit": os.environ["COMMIT"]}
