"""The partition of the local AWS's region: the ARNs of AWS GovCloud (US).

MiniStack and the additions to it contain the literals of the commercial partition in some hundred places. In
another partition, these literals are replaced while the modules are loaded. No module then mixes two
partitions, and a template with a literal `arn:aws:` does not match.
"""

import re
from importlib.machinery import SourceFileLoader
from types import CodeType

from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_PARTITION = re.compile(r"""(AWS::Partition": |partition [!=]= )"aws\"""")
_PACKAGES = ("ministack", "tests.local")


def _endpoints() -> EndpointResolver:
    # A session would read the profile of the machine.
    return EndpointResolver(create_loader().load_data("endpoints"))


def partition_of(region: str) -> str:
    return str(_endpoints().get_partition_for_region(region))


def install(region: str) -> None:
    """Comes before the first import of MiniStack."""
    partition = partition_of(region)
    if partition == "aws":
        return
    get_code = SourceFileLoader.get_code

    # Not `source_to_code`, because compiled modules of the commercial partition may be cached.
    def in_partition(loader: SourceFileLoader, name: str) -> CodeType | None:
        if not name.startswith(_PACKAGES):
            return get_code(loader, name)
        source = loader.get_data(loader.path).decode()
        source = _PARTITION.sub(rf'\1"{partition}"', source.replace("arn:aws:", f"arn:{partition}:"))
        return compile(source, loader.path, "exec", dont_inherit=True)

    SourceFileLoader.get_code = in_partition  # type: ignore[assignment, method-assign]
