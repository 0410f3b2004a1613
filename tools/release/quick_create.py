"""The parameters of a quick-create link, which opens CloudFormation's console with a filled-in form.

The link's format, and what the console does with each part:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stacks-quick-create-links.html
"""

from typing import Any
from urllib.parse import quote

from samcli.yamlhelper import yaml_parse

# docs/how-to/quick-create.md replaces both.
REGION, TEMPLATE_URL = "REGION", "TEMPLATE_URL"
# A link names the parameters of the template's first groups: the values that differ between two first
# deployments. The form shows all others with their defaults.
_GROUPS = 2


def link(template: str) -> str:
    """The link in one line, with placeholders for the region and for the packaged template's address in
    S3."""
    parsed: dict[str, Any] = yaml_parse(template)
    groups = parsed["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"][:_GROUPS]
    defaults = {
        name: str(parsed["Parameters"][name]["Default"]) for group in groups for name in group["Parameters"]
    }
    given = "".join(f"&param_{name}={quote(value, safe='')}" for name, value in defaults.items())
    return (
        f"https://{REGION}.console.aws.amazon.com/cloudformation/home?region={REGION}#/stacks/create/review"
        f"?templateURL={TEMPLATE_URL}&stackName=cfn-gitops-{defaults['EnvID']}{given}\n"
    )
