"""The members of people.yaml's group of observers in a deployed environment. test_status.py has their
command."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.local.aws import LocalAws
from tests.local.aws.testing import error_of
from tests.play.steps import ROOT, Environment, Stack

READER = "cfn-gitops-dev-read"


# claim: function-that-only-reads-changes-nothing
def test_observer_gets_answers_and_nothing_else(aws: LocalAws, environment: Environment) -> None:
    people, iam = Stack(aws, "people-dev"), aws.client("iam")
    assert people.create(ROOT / "templates/people.yaml", EnvID=environment.env_id) == "CREATE_COMPLETE"
    iam.create_user(UserName="olga")
    iam.add_user_to_group(GroupName="group-dev-observers", UserName="olga")
    key = iam.create_access_key(UserName="olga")["AccessKey"]
    aws.put_iam_into_effect()
    functions = aws.client("lambda", key)

    def answered(event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            functions.invoke(FunctionName=READER, Payload=json.dumps(event))["Payload"].read()
        )
        return answer

    assert answered({"Doctor": {}})["Checks"]
    for name, question in (
        ("doctor", {"Doctor": {}}),
        ("projects", {"Projects": {}}),
        ("deployments", {"Deployments": {"ProjectID": "infra"}}),
    ):
        schema = json.loads((ROOT / f"docs/schemas/answer-{name}.json").read_text())
        Draft202012Validator(schema).validate(answered(question))
    for event in (
        {"HealthCheck": {"EnvID": "dev"}},
        {"Step": "createSecret", "SecretId": "a", "ClientRequestToken": "b"},
    ):
        assert answered(event)["errorType"] == "UnknownEvent"
    for call, given in (
        (functions.invoke, {"FunctionName": "cfn-gitops-dev", "Payload": "{}"}),
        (functions.get_function, {"FunctionName": READER}),
        (functions.update_function_configuration, {"FunctionName": READER, "Timeout": 1}),
        (aws.client("codepipeline", key).list_pipelines, {}),
        (aws.client("cloudformation", key).describe_stacks, {}),
        (aws.client("secretsmanager", key).list_secrets, {}),
    ):
        assert "AccessDenied" in error_of(call, **given)[0]
    iam.remove_user_from_group(GroupName="group-dev-observers", UserName="olga")
    assert people.delete() == "DELETE_COMPLETE"
