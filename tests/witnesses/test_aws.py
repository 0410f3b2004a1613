"""The comparison with botocore's models, and the table of README.md."""

import json
from typing import Any

import pytest

from tests.local.aws import service_shapes
from tests.witnesses import aws_rest
from tests.witnesses.aws import EXAMPLES_HAVE, RECORDED, RECORDED_ANSWERS, Exchange, examples, table

USERS = """<ListUserTagsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUserTagsResult>
<Tags><member><Key>a</Key><Value>b</Value></member></Tags><IsTruncated>false</IsTruncated>{}</ListUserTagsResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></ListUserTagsResponse>"""
FAILED = "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code></Error></ErrorResponse>"


def exchange(operation: str, request: Any = None, response: Any = None, status: int = 200) -> Exchange:
    service, _, name = operation.partition(":")
    sent = {"method": "POST", "headers": {}, "body": request}
    return Exchange(service, name, sent, {"status": status, "headers": {}, "body": response})


def event(status: str) -> dict[str, Any]:
    return {"StackId": "a", "EventId": "a", "StackName": "a", "Timestamp": 1, "ResourceStatus": status}


@pytest.mark.parametrize("operation", sorted(EXAMPLES_HAVE))
def test_example_of_aws_has_the_fault(operation: str) -> None:
    service, name, _ = operation.replace(": ", ":", 1).split(":", 2)
    shape = service_shapes.service(service).operation_model(name).output_shape
    faults = [
        f"{service}:{name}: {fault}"
        for one in examples(service, name)
        for fault in service_shapes.faults(shape, one)
    ]
    assert [fault for fault in faults if fault.startswith(operation)]


def test_models_reject_the_recorded_answers() -> None:
    statuses = [
        "REVIEW_IN_PROGRESS",
        *(f"{update}_COMPLETE_CLEANUP_IN_PROGRESS" for update in ("UPDATE", "UPDATE_ROLLBACK")),
    ]
    recorded = {
        "cloudformation:DescribeStackEvents": [
            {"StackEvents": [event(status)]} for status in (statuses[0], statuses[2])
        ],
        "cloudformation:DescribeEvents": [
            {"OperationEvents": [{"ResourceStatus": status}]} for status in statuses
        ],
        "codebuild:ListBuildsForProject": [{"ids": []}],
        "codebuild:ListProjects": [{"projects": []}],
    }
    faults = [
        f"{operation}: {fault}"
        for operation, answers in recorded.items()
        for answer in answers
        for fault in service_shapes.answer_faults(*operation.split(":"), answer)
    ]
    assert sorted(known for fault in faults for known in RECORDED if fault.startswith(known)) == sorted(
        RECORDED
    )
    assert len(faults) == len(RECORDED)


@pytest.mark.parametrize("operation", table())
def test_row_has_the_witnesses(operation: str) -> None:
    service, _, name = operation.partition(":")
    assert table()[operation][0] == ("model, example" if examples(service, name) else "model")


@pytest.mark.parametrize("operation", RECORDED_ANSWERS)
def test_answer_of_others_agrees_with_the_model(operation: str) -> None:
    service, _, name = operation.partition(":")
    # The CLI decodes a policy.
    answer = {
        key: json.dumps(value) if key == "PolicyDocument" else value
        for key, value in RECORDED_ANSWERS[operation]["answer"].items()
    }
    shape = service_shapes.service(service).operation_model(name).output_shape
    assert shape is not None and service_shapes.faults(shape, answer) == []


@pytest.mark.parametrize(
    ("request_body", "fault"),
    [
        ("Action=TagUser&Version=2010-05-08&UserName=a&Tags.member.1.Key=a&Tags.member.1.Value=b", ""),
        ("Action=TagUser&Version=2010-05-08&UserName=a", 'Missing required parameter in input: "Tags"'),
        (
            "Action=TagUser&Version=2010-05-08&UserName=a&Tags.member.1.Key=a",
            'Missing required parameter in Tags[0]: "Value"',
        ),
        (
            "Action=TagUser&Version=2010-05-08&User=a&UserName=a&Tags=",
            'Unknown parameter in input: "User", must be',
        ),
        (
            "Action=TagUser&Version=2010-05-08&UserName=%C3%A4&Tags=",
            "Value 'ä' at 'UserName' failed to satisfy",
        ),
        ("Action=TagUser&Version=2011-06-15&UserName=a&Tags=", "another Version"),
    ],
)
def test_fault_of_a_form_is_found(request_body: str, fault: str) -> None:
    found = exchange("iam:TagUser", request_body).request_faults()
    assert [one[: len(fault)] for one in found] == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (USERS.format(""), ""),
        (USERS.format("<Marker>a</Marker>"), ""),
        (USERS.format("<Mark>a</Mark>"), 'Unknown parameter in input: "Mark", must be'),
        (USERS.replace("<Value>b</Value>", "").format(""), 'Missing required parameter in Tags[0]: "Value"'),
        (USERS.replace("false", "no").format(""), "Invalid type for parameter IsTruncated, type: "),
        (USERS.replace("ListUserTagsResult", "Result").format(""), "<ListUserTagsResponse> with ['Result'"),
    ],
)
def test_fault_of_a_document_is_found(answer: str, fault: str) -> None:
    found = exchange("iam:ListUserTags", response=answer).answer_faults()
    assert [one[: len(fault)] for one in found] == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("code", "status", "fault"),
    [
        ("NoSuchEntity", 404, ""),
        ("Throttling", 400, ""),
        ("NoSuchEntity", 400, "NoSuchEntity has the status 400 instead of 404"),
        ("NoSuchUser", 404, "the error NoSuchUser is not one of NoSuchEntity, ServiceFailure"),
    ],
)
def test_fault_of_an_error_is_found(code: str, status: int, fault: str) -> None:
    found = exchange("iam:ListUserTags", response=FAILED.format(code), status=status).answer_faults()
    assert found == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("method", "answer", "status", "fault"),
    [
        ("GET", FAILED.format("NoSuchKey"), 404, ""),
        ("GET", FAILED.format("NoSuchKey"), 400, "NoSuchKey has the status 400 instead of 404"),
        ("GET", FAILED.format("NoSuchThing"), 404, "the error NoSuchThing is not one of"),
        ("GET", "", 404, "an error without a body"),
        ("HEAD", "", 404, ""),
        ("HEAD", FAILED.format("NoSuchKey"), 404, "a body in the answer to HEAD"),
    ],
)
def test_fault_of_an_error_of_s3_is_found(method: str, answer: str, status: int, fault: str) -> None:
    failed = exchange("s3:GetObject", response=answer, status=status)
    failed.request["method"] = method
    assert [one[: len(fault)] for one in failed.answer_faults()] == ([fault] if fault else [])


def test_fault_of_json_is_found() -> None:
    found = exchange("secretsmanager:DescribeSecret", {"SecretId": "a"}, {"Name": "a", "SecretVersions": []})
    assert found.request_faults() == []
    assert [one[:38] for one in found.answer_faults()] == ['Unknown parameter in input: "SecretVer']
    wrong = exchange("secretsmanager:DescribeSecret", {"SecretId": 1}, {"__type": "NoSuchEntity"}, status=400)
    assert [one[:40] for one in wrong.request_faults()] == ["Invalid type for parameter SecretId, typ"]
    assert len(wrong.answer_faults()) == 1


def test_fault_of_a_path_and_of_a_header_is_found() -> None:
    invoked = exchange("lambda:Invoke", json.dumps({}), "", status=202)
    invoked.request.update(path="/2015-03-31/functions/cfn-gitops-dev/invocations", query="")
    invoked.request["headers"]["x-amz-invocation-type"] = "Event"
    assert [*invoked.request_faults(), *invoked.answer_faults()] == []
    invoked.request["headers"]["x-amz-invocation-type"] = "Later"
    assert [one[:33] for one in invoked.request_faults()] == ["Value 'Later' at 'InvocationType'"]


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("GET", "/bucket", "versions&prefix=", {}, "ListObjectVersions"),
        ("GET", "/bucket", "list-type=2", {}, "ListObjectsV2"),
        ("PUT", "/bucket/a/b", "", {}, "PutObject"),
        ("PUT", "/bucket/a/b", "", {"x-amz-copy-source": "bucket/c"}, "CopyObject"),
        ("PUT", "/bucket/a", "partNumber=1&uploadId=a", {}, "UploadPart"),
        ("PATCH", "/bucket", "", {}, None),
    ],
)
def test_operation_of_a_path_is_found(
    method: str, path: str, query: str, headers: dict[str, str], operation: str | None
) -> None:
    request = {"method": method, "path": path, "query": query, "headers": headers}
    assert aws_rest.operation_of(service_shapes.service("s3"), request) == operation


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            "<Name>a</Name><KeyCount>1</KeyCount><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>",
            "",
        ),
        (
            "<Contents><Key>a</Key></Contents><Contents><Keys>b</Keys></Contents>",
            'Unknown parameter in Contents[1]: "Keys"',
        ),
        (
            "<Contents><LastModified>today</LastModified></Contents>",
            "Invalid type for parameter Contents[0].LastModified",
        ),
        ("<KeyCount>one</KeyCount>", "Invalid type for parameter KeyCount"),
    ],
)
def test_fault_of_rest_xml_is_found(content: str, fault: str) -> None:
    listed = exchange("s3:ListObjectsV2", response=f"<ListBucketResult>{content}</ListBucketResult>")
    assert [one[: len(fault)] for one in listed.answer_faults()] == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"Functions": [{"FunctionName": "a", "State": "Active"}]}, ""),
        (
            {"Functions": [{"FunctionName": "a", "StateReasonCode": ""}]},
            "Value '' at 'Functions.1.member.StateReasonCode'",
        ),
    ],
)
def test_fault_of_rest_json_is_found(body: dict[str, Any], fault: str) -> None:
    found = exchange("lambda:ListFunctions", response=body).answer_faults()
    assert [one[: len(fault)] for one in found] == ([fault] if fault else [])
