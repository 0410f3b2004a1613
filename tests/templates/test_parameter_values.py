"""The values that a parameter's pattern accepts and rejects. For a list, CloudFormation compares each member.

test_shared_parameters.py compares the patterns of the same parameter in several templates, and
test_property_patterns.py those of parameters that become properties.
"""

import re

import pytest

from tests.templates.across_accounts import REPOSITORIES, SHOP, SITE, artifacts, repository
from tests.templates.deployed import ACCOUNT, REGION, TEMPLATE, TEMPLATES, source

GITLAB_PROJECT = "https://gitlab.example.com/a/platform/infra"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
# A pattern that would name a whole account, or all accounts.
WHOLE_ACCOUNTS = [
    "*",
    "?",
    f"arn:aws:iam::{REPOSITORIES}:role/*",
    f"arn:aws:iam::{REPOSITORIES}:root",
    "arn:aws:s3:::*",
    "arn:aws:iam::*:role/a",
]


def of_ids(prefix):
    one = f"{prefix}-0a1b2c3d"
    return (
        ["", one, f"{prefix}-0123456789abcdef0", f"{one},{one}"],
        ["*", prefix, "vpc-0a1b2c3d", one[:-1], f"{one},", f",{one}", f"{one}, {one}", f"{one} {one}"],
    )


ROWS = [
    # An address of http with a path.
    (
        "template",
        "GitLabProjectUrl",
        ["", GITLAB_PROJECT, "http://127.0.0.1:8080/platform/infra"],
        [
            "https://gitlab.example.com/42",
            "https://gitlab.example.com",
            f"{GITLAB_PROJECT}/",
            f"{GITLAB_PROJECT}?a=b",
            f"{GITLAB_PROJECT}#a",
            "https://user:password@gitlab.example.com/platform/infra",
            "javascript://gitlab.example.com/platform/infra",
            "platform/infra",
        ],
    ),
    ("template", "VpcSubnetIds", *of_ids("subnet")),
    ("template", "VpcSecurityGroupIds", *of_ids("sg")),
    (
        "template",
        "HttpsProxy",
        [
            "",
            "http://proxy.example.com:3128",
            "http://10.0.0.255:65535/",
            "http://3proxy:1",
            "http://1.2.example.",
        ],
        [
            "proxy.example.com:3128",
            "https://proxy.example.com",
            "http://user:password@proxy.example.com",
            "http://proxy.example.com/path",
            "http://a:0",
            "http://a:65536",
            "http://a:99999",
            "http://1.2.999.1:3128",
            "http://1.2.3.256",
            "http://a.999",
            "http://0x1",
            "http://1.2.3",
        ],
    ),
    (
        "template",
        "NoProxy",
        ["", "eu-central-1.amazonaws.com,10.0.0.0/8,.example.com"],
        ["a b", "a,,b", "a,", "*", "a:443"],
    ),
    *[
        ("template", name, ["team-a-*"], ["*", "?*", "*-x", "a:b", "${aws:username}"])
        for name in ("MirrorUserNames", "MirrorSecretNames", "RepositoryNames", "PipelineRoleNames")
    ],
    # A key is named by its ARN, and by no pattern.
    *[
        (
            "template",
            name,
            ["", f"{KEY}1234abcd", f"{KEY}mrk-1234", f"{KEY}1".replace("aws", "aws-us-gov")],
            [
                "*",
                "1234abcd",
                f"{KEY}*",
                f"{KEY}1,{KEY}2",
                f"{KEY[:-4]}alias/a",
                KEY.replace(ACCOUNT, "*") + "1",
            ],
        )
        for name in ("MirrorSecretKmsKeyArn", "GitLabTokenKmsKeyArn", "ArtifactKeyArns")
    ],
    ("template", "SourceRoleArns", ["", repository().arn("SourceRole")], WHOLE_ACCOUNTS),
    ("template", "ArtifactBucketArns", ["", artifacts().arn("ArtifactBucket")], WHOLE_ACCOUNTS),
    ("template", "ImageRepositoryNames", ["", "ecr-dev-*"], WHOLE_ACCOUNTS),
    (
        "cross-account-repository",
        "RepositoryArns",
        [SHOP, SHOP.replace(":aws:", ":aws-us-gov:")],
        ["shop", f"{SHOP[:-4]}*", f"{SHOP},{SITE}", SHOP.replace(REPOSITORIES, "*"), ""],
    ),
    (
        "cross-account-repository",
        "FurtherRoleArns",
        ["", f"arn:aws:iam::{ACCOUNT}:role/path/a"],
        [
            f"arn:aws:iam::{ACCOUNT}:role/*",
            f"arn:aws:iam::{ACCOUNT}:root",
            f"arn:aws:iam::{ACCOUNT}:user/a",
            "*",
        ],
    ),
    ("cross-account-repository", "BranchNames", ["", "main", "release/1.0"], ["*", "a..b", "/a"]),
    ("cross-account-repository", "PipelineAccountId", [ACCOUNT], ["", "*", "12345", f"{ACCOUNT}0"]),
    (
        "cross-account-repository",
        "ArtifactKeyArn",
        [f"{KEY}mrk-1"],
        ["", f"{KEY[:-4]}alias/a", f"{KEY}*", "1234abcd"],
    ),
    (
        "cross-account-repository",
        "ArtifactBucketName",
        ["a-bucket"],
        ["", "*", "a*", "Bucket", "arn:aws:s3:::a-bucket"],
    ),
    (
        "cross-account-image",
        "RepositoryName",
        ["", "ecr-dev-image", "team/a_b.c"],
        ["a", "A", "*", "a*", "a//b", "-a", "a-"],
    ),
    ("cross-account-image", "ImageTag", ["latest", "v1.0_a-b"], ["", "*", ".a", "a b", 'a"']),
    (
        "cross-account-s3",
        "DeployPath",
        ["release", "release/v1"],
        ["", "/release", "release/", "*", "a//b", "a?"],
    ),
    (
        "replication",
        "ReplicaRegion",
        ["eu-west-1", "us-gov-west-1", "ap-southeast-3"],
        ["eu-west-1a", "EU-WEST-1", "eu-west-1.amazonaws.com", "*", "", "eu-west-1/x"],
    ),
    ("repository", "ProjectID", ["website"], ["cfn-website"]),
    ("repository", "TriggerEvents", ["all", "deleteReference"], ["pushed"]),
    (
        "repository",
        "TriggerTopicArn",
        ["", f"arn:aws:sns:{REGION}:{ACCOUNT}:sns-dev-notifications"],
        ["sns-dev-notifications"],
    ),
    ("repository", "RepositoryKmsKeyArn", ["", f"{KEY}1"], ["alias/mine"]),
]


def accepts(parameter, value):
    fits = parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", len(value))
    return fits and re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None


# claim: no-pattern-may-name-the-whole-account
@pytest.mark.parametrize(
    ("template", "name", "good", "bad"), ROWS, ids=[f"{template} {name}" for template, name, *_ in ROWS]
)
def test_parameter_accepts_only_valid_values(template, name, good, bad):
    parameter = source(TEMPLATE if template == "template" else TEMPLATES / f"{template}.yaml")["Parameters"][
        name
    ]
    assert [value for value in good if not accepts(parameter, value)] == []
    assert [value for value in bad if accepts(parameter, value)] == []
