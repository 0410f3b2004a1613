"""Service Quotas: the one quota of CodeBuild that a pipeline's builds use, which a test sets.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
"""

from typing import Any

from ministack.core import iam_actions

from tests.local.aws import json_api
from tests.local.aws.json_api import Rejected
from tests.local.aws.settings import settings


def install() -> None:
    json_api.install("service-quotas", "ServiceQuotasV20190624", {"ListServiceQuotas": _list}, list)
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html
    iam_actions.SERVICE_TO_IAM_NAMESPACE["service-quotas"] = "servicequotas"


def _list(request: dict[str, Any]) -> dict[str, Any]:
    if request["ServiceCode"] != "codebuild":
        raise Rejected(
            "NoSuchResourceException", "The request failed because the specified service does not exist."
        )
    return {
        "Quotas": [
            {
                "ServiceCode": "codebuild",
                "ServiceName": "AWS CodeBuild",
                "Adjustable": True,
                "QuotaName": "Concurrently running builds for Linux/Small environment",
                "Value": settings.quota_of_builds,
                "Unit": "None",
                "GlobalQuota": False,
            }
        ]
    }
