"""IAM's limits of policies, and their length, of which white space is not a part.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
from typing import Any

TRUST = 2_048
# "You can add as many inline policies as you want [...], but the total aggregate policy size" has a limit:
# same page.
INLINE = {"user": 2_048, "role": 10_240, "group": 5_120}
MANAGED = 6_144
MANAGED_OF_A_ROLE = 10


def length(*documents: Any) -> int:
    texts = (each if isinstance(each, str) else json.dumps(each) for each in documents)
    return sum(len("".join(text.split())) for text in texts)
