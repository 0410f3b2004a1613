"""A clone from an instance in another account: clone-instance.yaml there, clone-role.yaml here."""

from tests.policies.scene import (
    EXTERNAL_ID,
    FOREIGN_REPOSITORY,
    INSTANCES,
    KEY_OF_FOREIGN_REPOSITORIES,
    REPOSITORIES,
    UNNAMED,
    VPC_ENDPOINT,
)
from tests.policies.tables import ASSUME, LAMBDA, THROUGH_CODECOMMIT, anybody, role
from tests.templates.deployed import REGION

INSTANCE_ROLE = role(INSTANCES, "role-dev-clone")
CLONE_ROLE = role(REPOSITORIES, "role-dev-clone-source")
WITH_THE_WORD = {"sts:ExternalId": EXTERNAL_ID}
DECRYPT = "kms:Decrypt kms:DescribeKey kms:GenerateDataKey"
THROUGH_THE_ENDPOINT = {"aws:SourceVpce": VPC_ENDPOINT}

# Each call of the clone.
MAY = [
    ("ec2.amazonaws.com", ASSUME, INSTANCE_ROLE, {}),
    (INSTANCE_ROLE, ASSUME, CLONE_ROLE, WITH_THE_WORD),
    (CLONE_ROLE, "codecommit:GitPull", FOREIGN_REPOSITORY, THROUGH_THE_ENDPOINT),
    (CLONE_ROLE, "codecommit:GetRepository", FOREIGN_REPOSITORY, {}),
    (CLONE_ROLE, DECRYPT, KEY_OF_FOREIGN_REPOSITORIES, THROUGH_CODECOMMIT),
]

MAY_NOT = [
    *[
        (service, ASSUME, INSTANCE_ROLE, {})
        for service in (LAMBDA, "ecs-tasks.amazonaws.com", "ssm.amazonaws.com")
    ],
    # Without the external ID, with another one, with one that begins like it, or in other letters.
    *[
        (INSTANCE_ROLE, ASSUME, CLONE_ROLE, keys)
        for keys in (
            {},
            {"sts:ExternalId": ""},
            {"sts:ExternalId": "another"},
            {"sts:ExternalId": EXTERNAL_ID + "2"},
            {"sts:ExternalId": EXTERNAL_ID.upper()},
            {"sts:ExternalId": "*"},
        )
    ],
    # With the external ID, but not with that role.
    *[
        (anybody(who), ASSUME, CLONE_ROLE, WITH_THE_WORD)
        for who in (
            role(INSTANCES, "administrator"),
            role(INSTANCES, "role-dev2-clone"),
            role(INSTANCES, "role-dev-clone2"),
            f"arn:aws:iam::{INSTANCES}:user/role-dev-clone",
            f"arn:aws:iam::{INSTANCES}:root",
            role(UNNAMED, "role-dev-clone"),
            role(REPOSITORIES, "administrator"),
            role(REPOSITORIES, "role-dev-clone"),
        )
    ],
    # The instance assumes one role and does nothing else.
    *[
        (INSTANCE_ROLE, ASSUME, other, WITH_THE_WORD)
        for other in (CLONE_ROLE + "2", role(REPOSITORIES, "role-dev-codecommit-source"))
    ],
    (INSTANCE_ROLE, "codecommit:GitPull codecommit:GetRepository", FOREIGN_REPOSITORY, THROUGH_THE_ENDPOINT),
    (INSTANCE_ROLE, "s3:GetObject ssm:GetParameter ec2:DescribeInstances iam:PassRole", "*", {}),
    # Reads only that repository, and only with that role.
    *[
        (CLONE_ROLE, "codecommit:GitPull", FOREIGN_REPOSITORY, keys)
        for keys in ({}, {"aws:SourceVpce": "vpce-0999"})
    ],
    *[
        (CLONE_ROLE, "codecommit:GitPull codecommit:GetRepository", other, THROUGH_THE_ENDPOINT)
        for other in (
            FOREIGN_REPOSITORY + "2",
            FOREIGN_REPOSITORY.replace("shop", "site"),
            FOREIGN_REPOSITORY.replace(REGION, "us-east-1"),
            FOREIGN_REPOSITORY.replace(REPOSITORIES, INSTANCES),
        )
    ],
    # Uses the key only to read these repositories.
    *[
        (CLONE_ROLE, DECRYPT, KEY_OF_FOREIGN_REPOSITORIES, keys)
        for keys in ({}, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
    ],
    (CLONE_ROLE, DECRYPT, KEY_OF_FOREIGN_REPOSITORIES.replace("repositories", "other"), THROUGH_CODECOMMIT),
    # And without the role, not from the account that may assume it.
    (
        anybody(role(INSTANCES, "administrator")),
        "codecommit:GitPull",
        FOREIGN_REPOSITORY,
        THROUGH_THE_ENDPOINT,
    ),
]
