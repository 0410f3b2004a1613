"""Removes the comments of a template: `make dist` packs templates without them.

CloudFormation accepts 51,200 bytes of template in a request, and comments count. The text is edited, so
everything else keeps its form. A stripped template that does not parse to the same value as the original
stops the build.
"""

import re
import sys

import yaml
from samcli.yamlhelper import yaml_parse

# Of a template in a request (`TemplateBody`). A larger one has to be in S3, where it may have 1 MB:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
INLINE_LIMIT = 51_200
# Stands for a removed comment. YAML does not allow this character.
_MARK = "\0"


def stripped(text: str, name: str) -> str:
    """The template without full-line and trailing comments."""
    # Between two tokens are only white space and comments. A `#` of a scalar, such as a script, is in its
    # token.
    parts, end = [], 0
    for token in yaml.scan(text, yaml.SafeLoader):
        start = token.start_mark.index
        parts += [re.sub(r"#.*", _MARK, text[end:start]), text[start : token.end_mark.index]]
        end = token.end_mark.index
    result = re.sub(f"(?m)^ *{_MARK}\n", "", "".join(parts))
    result = re.sub(f" *{_MARK}", "", result)
    if yaml_parse(result) != yaml_parse(text):
        sys.exit(f"{name} does not have the same value without its comments")
    return result
