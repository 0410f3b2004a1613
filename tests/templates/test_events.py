"""events/ contains events as Lambda receives them, and its README describes each."""

import json
import re
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.templates import reference_pages
from tests.templates.companions import environment
from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source
from tests.templates.renderings import NAMES, rendering
from tests.templates.test_cross_account_guards import matches

EVENTS = Path(__file__).parents[2] / "events"
# More events for tests/event_fuzz, which also has the rows of variants.json.
SEEDS = EVENTS.parent / "tests/event_fuzz"
FILES = sorted(EVENTS.glob("*.json"))
STEPS = ("create", "set", "test", "finish")
OTHERS = (
    "build-state-change.json",
    "continuation.json",
    "first-push.json",
    "health-check.json",
    "doctor.json",
    "projects.json",
    "deployments.json",
    *[f"rotation-{step}-secret.json" for step in STEPS],
)
REQUESTS = [*(path for path in FILES if path.name not in OTHERS), *sorted(SEEDS.glob("events/*.json"))]

MEMBERS = {
    "RequestType",
    "ServiceToken",
    "ResponseURL",
    "StackId",
    "RequestId",
    "LogicalResourceId",
    "ResourceType",
    "ResourceProperties",
}
MORE = {
    "Create": set(),
    "Import": set(),
    "Update": {"PhysicalResourceId", "OldResourceProperties"},
    "Delete": {"PhysicalResourceId"},
}


def load(path):
    return json.loads(path.read_text())


def properties(name, folder=EVENTS):
    return {
        key: value
        for key, value in load(folder / name)["ResourceProperties"].items()
        if not key.startswith("Service")
    }


def scalars(value):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return [value]
    return [scalar for item in value for scalar in scalars(item)]


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_request_is_complete_and_as_cloudformation_sends_it(path):
    event = load(path)
    assert event.keys() == MEMBERS | MORE[event["RequestType"]]
    assert all(isinstance(value, str) for value in scalars(event))
    assert event["ResourceProperties"]["ServiceToken"] == event["ServiceToken"]
    assert str(uuid.UUID(event["RequestId"])) == event["RequestId"]
    assert re.fullmatch(
        r"arn:aws:cloudformation:[a-z0-9-]+:\d{12}:stack/[\w-]+/[0-9a-f-]{36}", event["StackId"]
    )


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_an_answer_can_only_go_to_this_machine(path):
    url = urlsplit(load(path)["ResponseURL"])
    assert (url.scheme, url.hostname, url.port) == ("http", "127.0.0.1", 9)
    assert parse_qs(url.query)["X-Amz-Expires"] == ["7200"]
    # A date makes a request late the next day.
    assert "X-Amz-Date" not in parse_qs(url.query)


def test_no_two_requests_have_one_id():
    assert len({load(path)["RequestId"] for path in REQUESTS}) == len(REQUESTS)


def test_no_accounts_but_the_examples_are_named():
    for path in {*FILES, *REQUESTS}:
        # Twelve digits that are not the end of an ID; the second is the other account.
        assert set(re.findall(r"(?<=:)\d{12}(?=:)", path.read_text())) <= {"123456789012", "210987654321"}


def test_each_event_is_tried_and_the_readme_lists_those_of_its_folder():
    rows = load(SEEDS / "variants.json")
    assert {path.stem for path in REQUESTS} <= {row["event"] for row in rows}
    assert {path.stem for path in FILES} == {row["event"] for row in rows if "situation" in row}


@pytest.mark.parametrize(
    ("event", "parameters"),
    [
        ("create.json", {}),
        (
            "create-gitlab.json",
            {
                "GitLabUrl": "https://gitlab.example.com",
                "GitLabTokenSecretId": "gitlab/mirrors",
                "GitLabProject": "platform/infra",
            },
        ),
    ],
)
def test_mirror_event_has_the_properties_of_the_template(event, parameters):
    expected = Deployed(EnvID="dev", **parameters).properties("MirrorCredential")
    assert (expected.pop("ForeignCredentials"), expected.pop("ServiceTimeout")) == (
        "Refuse",
        900,
    )  # the event leaves the default out
    for mirror in expected.get("Mirrors", []):
        assert mirror["RequiredBranches"] == ["Project.BranchName"]
        mirror |= {"RepositoryName": "codecommit-dev-cfn-infra", "RequiredBranches": ["development"]}
    expected["RepositoryNames"] = ["codecommit-dev-cfn-infra"]
    assert properties(event) == {k: v for k, v in expected.items() if not k.startswith("Service")}


@pytest.mark.parametrize("step", STEPS)
def test_rotation_events_are_those_of_secrets_manager(step):
    """https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html"""
    event = load(EVENTS / f"rotation-{step}-secret.json")
    assert event.keys() == {"Step", "SecretId", "ClientRequestToken", "RotationToken"}
    assert event["Step"] == f"{step}Secret"
    assert re.fullmatch(
        rf"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:codecommit-mirror/user-dev-codecommit-mirroring-[A-Za-z0-9]{{6}}",
        event["SecretId"],
    )
    assert event["ClientRequestToken"] == load(EVENTS / "rotation-create-secret.json")["ClientRequestToken"]
    assert str(uuid.UUID(event["ClientRequestToken"])) == event["ClientRequestToken"]


def test_health_check_event_is_that_of_the_schedule():
    (target,) = Deployed(EnvID="dev").properties("HealthCheck")["Targets"]
    assert json.loads(target["Input"]) == load(EVENTS / "health-check.json")


def test_health_check_event_names_the_first_project():
    stack = Deployed(EnvID="dev", ProjectID="shop")
    (target,) = stack.properties("HealthCheck")["Targets"]
    first = json.loads(target["Input"])["HealthCheck"]["FirstProject"]
    assert first.keys() == {"StackId", "PipelineStack", "Secret"}
    assert first["StackId"].startswith("arn:aws:cloudformation:")
    # The physical IDs of both resources: see `physical_id` of each in the function.
    assert first["PipelineStack"] == "gitops-dev-shop"
    assert first["Secret"] == f"codecommit-mirror/{stack.name('MirrorUser')}"


OF_A_REVIEW = "codebuild-dev-review-infra"


@pytest.mark.parametrize(
    ("project", "status", "is_matched"),
    [
        *[(OF_A_REVIEW, status, True) for status in ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED")],
        (OF_A_REVIEW, "IN_PROGRESS", False),
        *[
            (f"codebuild-{name}-infra", "SUCCEEDED", False)
            for name in ("dev-cfn", "dev2-review", "prd-review", "dev-replication")
        ],
    ],
)
def test_rule_of_reviews_matches_the_end_of_their_builds(project, status, is_matched):
    """https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref"""
    event = load(EVENTS / "build-state-change.json")
    event["detail"] |= {"project-name": project, "build-status": status}
    rule = Deployed(EnvID="dev").properties("ReviewRule")
    assert matches(rule["EventPattern"], event) is is_matched
    assert rule["EventPattern"].keys() == {"source", "detail-type", "detail"}
    # Unchanged: the target has no transformer and no role.
    (target,) = rule["Targets"]
    assert target.keys() == {"Id", "Arn"}


@pytest.mark.parametrize(
    ("pipeline", "action", "is_matched"),
    [
        *[("codepipeline-dev-cfn-infra", action, True) for action in (None, "Source", "Approval", "Deploy")],
        *[("codepipeline-dev-cfn-infra", action, False) for action in ("Build", "CreateChangeSet")],
        *[(f"codepipeline-{name}-infra", None, False) for name in ("dev-s3", "dev2-cfn", "prd-cfn")],
    ],
)
def test_rule_of_reports_matches_what_changes_a_record(pipeline, action, is_matched):
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html"""
    event = load(EVENTS / "build-state-change.json") | {
        "source": "aws.codepipeline",
        "detail": {"pipeline": pipeline, "state": "STARTED"},
        "detail-type": f"CodePipeline {'Action' if action else 'Pipeline'} Execution State Change",
    }
    if action:
        event["detail"]["action"] = action
    rule = Deployed(EnvID="dev").properties("ReportRule")
    assert matches(rule["EventPattern"], event) is is_matched


# As the templates of the environment and of a pipeline refer to the function.
FUNCTION = re.compile(
    r'"Fn::GetAtt": \["Function", "Arn"\]|"Fn::GetAtt": "Function.Arn"|"Ref": "FunctionArn"'
)


def test_function_knows_the_events_of_each_rule_and_no_other():
    sent = {}
    for template in [source(), *map(rendering, NAMES)]:
        rules = [
            it["Properties"] for it in template["Resources"].values() if it["Type"] == "AWS::Events::Rule"
        ]
        for rule in rules:
            if not FUNCTION.search(json.dumps(rule["Targets"])):
                continue
            # https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
            pattern = rule.get("EventPattern", {"source": ["aws.events"], "detail-type": ["Scheduled Event"]})
            for origin in pattern["source"]:
                sent.setdefault(origin, set()).update(pattern["detail-type"])
    known = {
        row["source"]: set(row["detail_types"]) for row in load(Path(__file__).with_name("origins.json"))
    }
    assert sent == {origin: types or sent.get(origin) for origin, types in known.items()}


def test_build_event_names_one_build_of_the_rendered_project():
    event = load(EVENTS / "build-state-change.json")
    detail, reported = event["detail"], event["detail"]["additional-information"]
    project, _, build = detail["build-id"].split(":build/")[1].partition(":")
    assert event["resources"] == [detail["build-id"]]
    assert (project, str(uuid.UUID(build))) == (detail["project-name"], build)
    stack = Deployed(
        template=rendering("review"), stack_name="gitops-dev-infra", EnvID="dev", ProjectID="infra"
    )
    assert project == stack.name("ReviewProject")
    assert (reported["initiator"], reported["logs"]["group-name"]) == (
        stack.name("ReviewRule"),
        stack.name("ReviewLogGroup"),
    )
    bucket, path = (
        Deployed(EnvID="dev").arn("ArtifactBucket"),
        stack.properties("ReviewProject")["Artifacts"]["Path"],
    )
    assert path == "review/infra" and reported["artifact"]["location"] == f"{bucket}/{path}/{build}"


def test_pipeline_event_has_the_properties_of_the_template():
    expected = environment(BranchName="development").properties("Project")
    assert properties("pipeline-create.json") == {
        k: v for k, v in expected.items() if not k.startswith("Service")
    }
    assert load(EVENTS / "pipeline-create.json")["LogicalResourceId"] == "Project"


def paths(value, before=""):
    """The members of objects, including nested ones and those in lists."""
    for name, member in value.items():
        yield before + name
        if isinstance(member, dict) and name not in (
            "BranchMap",
            "EnvironmentVariables",
            "ParameterOverrides",
        ):
            yield from paths(member, f"{before}{name}.")
        for element in member if isinstance(member, list) else []:
            yield from paths(element, f"{before}{name}[].") if isinstance(element, dict) else ()


@pytest.mark.parametrize(
    ("name", "kind", "absent"),
    [
        # A source of another account excludes an approval rule, and an image excludes a review. So there are
        # separate events.
        (
            "pipeline-create-every-property.json",
            "GitOpsPipeline",
            {
                "Source.RepositoryArn",
                "Source.RoleArn",
                "Review.Branches",
                "Review.AllowTransforms",
                "Review.BuildRoleArn",
            },
        ),
        ("pipeline-create-every-property-wrong.json", "GitOpsPipeline", set()),
        ("create-every-property.json", "MirrorCredential", set()),
        (
            "create-gitlab-every-property-wrong.json",
            "MirrorCredential",
            {"ForeignCredentials", "KmsKeyId", "RepositoryNames", "RotationSerial", "SecretName", "Tags"},
        ),
    ],
)
def test_every_property_is_in_the_events_that_say_so(name, kind, absent):
    listed = set(reference_pages.properties(f"Custom::{kind}"))
    assert len(listed) > 10
    assert listed - set(paths(properties(name, SEEDS / "events"))) == absent


def test_a_continuation_carries_the_event_as_it_came():
    assert load(EVENTS / "continuation.json") == {
        "Continuation": {"Hop": 1},
        "Event": load(EVENTS / "pipeline-create.json"),
    }


def test_first_push_event_matches_the_rule_transformation():
    event = load(EVENTS / "first-push.json")
    stack = Deployed(
        template=source(TEMPLATES / "pipeline.yaml"),
        stack_name="gitops-dev-infra",
        EnvID="dev",
        ProjectID="infra",
        BranchExists="false",
        FunctionArn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cfn-gitops-dev",
    )
    rule = stack.properties("EventRule")
    (target,) = rule["Targets"]
    # Lambda's own policy names the callers.
    assert "RoleArn" not in target
    # A placeholder becomes the JSON of its value:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    transformer = target["InputTransformer"]
    values = {
        f"<{name}>": json.dumps(event[path.removeprefix("$.")])
        for name, path in transformer["InputPathsMap"].items()
    }
    assert (
        json.loads(re.sub("<[a-z]+>", lambda found: values[found[0]], transformer["InputTemplate"])) == event
    )
    pattern = rule["EventPattern"]
    assert event["source"] in pattern["source"] and event["detail-type"] in pattern["detail-type"]
    assert set(event["resources"]) <= set(pattern["resources"])
    assert all(event["detail"][key] in accepted for key, accepted in pattern["detail"].items())
