"""The regions of `make run`, as data: tools/run/start.sh rejects another one before boto3, which has them
too, is installed.

python3 -m tools.run.regions eu-central-1
"""

import sys

from cli.shell.ending import entry
from cli.shell.failure import WrongUse
from cli.shell.spelling import did_you_mean

# By the SDK's list of endpoints, which a test compares, without China (docs/concepts/alternatives.md).
POSSIBLE = """af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1
    ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ca-central-1
    eu-central-1 eu-north-1 eu-south-1 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1
    sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2""".split()


def checked(region: str) -> str:
    if region in POSSIBLE:
        return region
    raise WrongUse(
        f"cfn-gitops does not work in {region}{did_you_mean(region, POSSIBLE)}",
        'docs/concepts/alternatives.md, "Regions", lists the regions',
    )


@entry("Nothing has started")
def main() -> int:
    checked(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
