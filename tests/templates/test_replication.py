"""templates/replica.yaml and templates/replication.yaml: matching names, least privilege, and only a replica
can be overwritten. tests/replication tests the script."""

import re

import pytest
import yaml

from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source

THERE = "eu-west-1"
TAG = "cfn-gitops:replica-of"


def replication(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", "ReplicaRegion": THERE, **parameters}
    return Deployed(
        template=source(TEMPLATES / "replication.yaml"), stack_name="replication-dev-shop", **given
    )


def replica(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", "SourceRegion": REGION, **parameters}
    return Deployed(THERE, source(TEMPLATES / "replica.yaml"), "replica-dev-shop", **given)


def statements(stack, role):
    (policy,) = stack.properties(role)["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def variables(stack):
    return {
        each["Name"]: each["Value"]
        for each in stack.properties("Build")["Environment"]["EnvironmentVariables"]
    }


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"RepositoryName": "mine"},
        {"ReplicaRepositoryName": "copy"},
        {"RepositoryName": "mine", "ReplicaRepositoryName": "copy"},
    ],
)
def test_build_reads_the_source_and_overwrites_the_replica(names):
    here, there = replication(**names), replica(**names)
    read, overwritten = (
        statements(here, "BuildRole")[sid]["Resource"] for sid in ("ReadsTheSource", "OverwritesTheReplica")
    )
    assert overwritten == there.arn("Replica")
    # The tag names only the repository that is the build's source.
    assert {tag["Key"]: tag["Value"] for tag in there.properties("Replica")["Tags"]}[TAG] == read
    assert here.properties("PushRule")["EventPattern"]["resources"] == [read]
    assert variables(here) == {
        "SOURCE_REGION": REGION,
        "SOURCE_REPOSITORY": read.rsplit(":", 1)[-1],
        "REPLICA_REGION": THERE,
        "REPLICA_REPOSITORY": there.name("Replica"),
    }


def test_without_a_name_it_is_the_pipelines_repository():
    pipeline = Deployed(
        template=source(TEMPLATES / "pipeline.yaml"),
        stack_name="gitops-dev-shop",
        EnvID="dev",
        ProjectID="shop",
    )
    assert variables(replication())["SOURCE_REPOSITORY"] == pipeline.name("Repository")
    assert replica().name("Replica") == pipeline.name("Repository")


def test_names_do_not_match_those_of_pipelines():
    """template.yaml's roles have permissions for codebuild-<EnvID>-cfn-*, and for rules with such names."""
    stack = replication()
    for logical_id in stack.template["Resources"]:
        assert "-cfn-" not in stack.name(logical_id)
        assert "-codepipeline-" not in stack.name(logical_id)


def test_failures_are_retried_kept_and_reported():
    stack = replication()
    for rule in ("PushRule", "DailyRule"):
        (target,) = stack.properties(rule)["Targets"]
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
        assert target["DeadLetterConfig"]["Arn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:sqs-dev-replication-shop"
    queue = stack.properties("FailureQueue")
    assert (queue["SqsManagedSseEnabled"], queue["MessageRetentionPeriod"]) == (True, 14 * 24 * 3600)
    # Missing data raises only the alarm of silence.
    missing = {
        alarm: stack.properties(alarm)["TreatMissingData"] for alarm in ("FailureAlarm", "SilenceAlarm")
    }
    assert missing == {"FailureAlarm": "notBreaching", "SilenceAlarm": "breaching"}


def test_script_is_one_file_without_substitutions():
    given = source(TEMPLATES / "replication.yaml")["Resources"]["Build"]["Properties"]["Source"]
    assert isinstance(given["BuildSpec"], str)
    write, run = yaml.safe_load(given["BuildSpec"])["phases"]["build"]["commands"]
    assert write.startswith("cat >replicate.sh <<'END_OF_SCRIPT'\n") and write.rstrip().endswith(
        "\nEND_OF_SCRIPT"
    )
    assert run == "sh replicate.sh"


def test_push_stays_within_codecommits_reference_limit():
    """https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html: 4,000 in a single push."""
    text = source(TEMPLATES / "replication.yaml")["Resources"]["Build"]["Properties"]["Source"]["BuildSpec"]
    assert int(re.search(r"BATCH=\$\{BATCH:-(\d+)\}", text)[1]) <= 4000


def test_a_build_ends_before_the_next_day():
    parameter = source(TEMPLATES / "replication.yaml")["Parameters"]["TimeoutInMinutes"]
    assert parameter["MaxValue"] < 24 * 60
    assert replication().properties("DailyRule")["ScheduleExpression"] == "rate(1 day)"


def test_the_template_is_sent_without_a_bucket():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html: 51,200
    bytes."""
    for name in ("replica.yaml", "replication.yaml"):
        assert len((TEMPLATES / name).read_bytes()) <= 51200


# Errors of git, AWS or EventBridge that the script passes on.
OF_OTHERS = {
    "RepositoryDoesNotExistException",
    "AccessDeniedException",
    "The requested URL returned error: 403",
    "403",
    "EncryptionKey",
    "deletion of the current branch prohibited",
    "TIMED_OUT",
    "No space left on device",
    "NO_PERMISSIONS",
    "FAILED_TO_ASSUME_ROLE",
    "ERROR_CODE",
    "Repository named … already exists",
}


def script():
    """The template with the script, in which each message is one text with its values."""
    # A message that continues on the next line is two words of the shell.
    text = re.sub(r'" \\\s+"', " ", (TEMPLATES / "replication.yaml").read_text())
    return text.replace("$TAG", TAG).replace("$faults", "6").replace("$rounds", "20")


def pieces(text):
    return [piece.strip() for piece in text.split("…") if piece.strip()]


def quoted():
    table = (
        (TEMPLATES.parent / "docs/how-to/replication.md")
        .read_text()
        .split("\n## Errors\n")[1]
        .split("\n## ")[0]
    )
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        yield from re.findall(r"`([^`]+)`", row.split(" | ")[0])


@pytest.mark.parametrize("text", sorted(set(quoted()) - OF_OTHERS))
def test_documented_error_occurs_in_the_script(text):
    assert pieces(text) and all(piece in script() for piece in pieces(text))


def test_the_docs_explain_every_error_that_the_script_gives():
    given = re.findall(r'\bfail "([^"]+)"', script())
    assert len(given) == 6
    for text in given:
        assert any(all(piece in text for piece in pieces(explained)) for explained in quoted()), text
