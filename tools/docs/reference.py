"""Writes the pages of docs/reference/ that are generated from the code, the schemas, the templates and the
Makefile, docs/project/assumptions.md, the table of events/README.md, and the pictures.

`python -m tools.docs.reference` lists the pages that differ from their source. With `--write` it writes them.
"""

import functools
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from samcli.yamlhelper import yaml_parse

from cli import main
from tools.docs import (
    pictures,
    reference_actions,
    reference_operations,
    reference_properties,
    reference_regions,
)

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
# The generated part of a page.
_PART = re.compile(
    r"(<!-- \w+: begin\. Written by tools/docs/reference.py from \S+ -->).*(<!-- \w+: end -->)", re.DOTALL
)
_GENERATED = "<!-- Written by tools/docs/reference.py. Change the source, and run it with --write. -->"


def loaded(template: Path) -> dict[str, Any]:
    return dict(yaml_parse(template.read_text()))


def code(value: object) -> str:
    text = str(value)
    return f"``{text}``" if "`" in text else f"`{text}`"


def cell(text: str) -> str:
    """Text in one cell of a table. Names with a part in angle brackets become code."""
    in_code = re.sub(r"(?<!`)(\S*<[A-Za-z]+>\S*[^\s.,;:`])(?!`)", r"`\1`", " ".join(text.split()))
    pieces = in_code.replace("|", "\\|").split("`")
    # Outside of code, these would be HTML and emphasis.
    pieces[::2] = [piece.replace("<", "&lt;").replace("*", "\\*") for piece in pieces[::2]]
    return "`".join(pieces)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = (f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
    return re.sub(r"\|  (?=\|)", "| ", "\n".join(lines))


# The sentence of a description that explains an empty text.
_EMPTY = re.compile(r"\s*\b(?:If empty: |Empty (?:for )?)(.+?)(?:\.(?=\s)|\.?$)", re.DOTALL)


def default_of(parameter: dict[str, Any]) -> str:
    """With the meaning of an empty text, which the description has in a sentence."""
    if "Default" not in parameter:
        return "required"
    if str(parameter["Default"]):
        return code(parameter["Default"])
    meaning = _EMPTY.search(parameter.get("Description", ""))
    return f"empty: {cell(meaning[1])}" if meaning else "empty"


def limits_of(parameter: dict[str, Any]) -> str:
    """A sentence with what CloudFormation checks before it creates anything."""
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if "AllowedValues" in parameter:
        return (
            "Allowed: "
            + ", ".join(code(value) if value else "empty" for value in parameter["AllowedValues"])
            + "."
        )
    if least is not None and most is not None:
        return f"Allowed: {least} to {most}."
    if "ConstraintDescription" in parameter:
        return f"Allowed: {parameter['ConstraintDescription']}."
    return f"At most {parameter['MaxLength']} characters." if "MaxLength" in parameter else ""


def parameter_row(name: str, parameter: dict[str, Any]) -> list[str]:
    """GitLab removes an `id`, so the row's anchor is a `name`."""
    default, text = default_of(parameter), parameter.get("Description", "")
    described = _EMPTY.sub("", text, count=1) if default.startswith("empty: ") else text
    anchor = f'<a name="{name.lower()}"></a>'
    kind = "List. " if "List" in parameter["Type"] else ""
    return [code(name), default, anchor + cell(f"{kind}{described} {limits_of(parameter)}")]


def outputs(content: dict[str, Any]) -> str:
    found = content["Outputs"]
    names = {
        name: output["Export"]["Name"]["Fn::Sub"] for name, output in found.items() if "Export" in output
    }
    rows = [
        [
            code(name),
            cell(output.get("Description", "")),
            *([exported(names[name]) if name in names else ""] if names else []),
        ]
        for name, output in found.items()
    ]
    return table(["Output", "Description", *(["Export"] if names else [])], rows)


def exported(name: str) -> str:
    """`cfn-gitops-${EnvID}-BucketName`, as the pages write it."""
    return code(name.replace("${", "<").replace("}", ">"))


def parameters_of(template: Path) -> str:
    """The page of a template."""
    content = loaded(template)
    interface = content.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    rest = content.get("Parameters", {})
    groups = {
        group["Label"]["default"]: {name: rest.pop(name) for name in group["Parameters"]}
        for group in interface.get("ParameterGroups", [])
    }
    parts = [
        f"# Parameters of {template.relative_to(ROOT)}",
        _GENERATED,
        cell(content["Description"]),
        "[What a parameter that you omit gets](README.md)",
    ]
    for title, parameters in (groups | {"": rest}).items():
        rows = [parameter_row(name, parameter) for name, parameter in parameters.items()]
        # The contents list of a page shows its headings.
        parts += [f"## {title}"] * bool(title) + [
            table(["Parameter", "Default", "Description"], rows)
        ] * bool(rows)
    return "\n\n".join([*parts, *(["## Outputs", outputs(content)] if "Outputs" in content else [])]) + "\n"


TEMPLATES = {
    template.stem: template
    for template in (ROOT / "template.yaml", *sorted((ROOT / "templates").glob("*.yaml")))
}


def parameters_index() -> str:
    rows = [
        [
            f"[{template.relative_to(ROOT)}]({name}.md)",
            cell(loaded(template)["Description"].removeprefix("cfn-gitops: ")),
        ]
        for name, template in TEMPLATES.items()
    ]
    return (
        "\n\n".join(
            [
                "# Parameters and outputs of the templates",
                _GENERATED,
                (
                    "With `sam deploy`, `make deploy` and `aws cloudformation deploy`, an update keeps the"
                    " value of each parameter that you do\nnot name. A new stack has the default. Where the"
                    " default is *empty*, the words after the colon say what that means."
                ),
                table(["Template", "Description"], rows),
            ]
        )
        + "\n"
    )


def subcommands() -> list[str]:
    """The list of the subcommands of `cfn-gitops`, and for each what it does, its own arguments, and its
    examples."""
    [choices] = [action.choices for action in main.parser()._actions if action.choices]
    firsts = [
        [f"[{name}](#{name})", cell((command.description or "").split("\n\n")[0])]
        for name, command in choices.items()
    ]
    sections = [table(["Subcommand", "What it does"], firsts)]
    for name, command in choices.items():
        own = [
            action
            for group in command._action_groups
            if group.title in OWN_ARGUMENTS
            for action in group._group_actions
            if action.dest != "help"
        ]
        rows = [
            [
                code(", ".join(action.option_strings) or str(action.metavar or action.dest)),
                cell(action.help or ""),
            ]
            for action in own
        ]
        module = importlib.import_module(f"cli.commands.{name}")
        examples = "\n".join(re.sub("^cfn-gitops", "./cfn-gitops", example) for example in module.EXAMPLES)
        keys = getattr(module, "KEYS", {})
        sections += [
            f"### {name}",
            command.description,
            *([table(["Argument", "Meaning"], rows)] if rows else []),
            *(
                [table(["Key", "The row"], [[code(key), cell(text)] for key, text in keys.items()])]
                if keys
                else []
            ),
            f"```sh\n{examples}\n```",
        ]
    return sections


# argparse's names of a command's own groups: `optional arguments` before Python 3.10.
OWN_ARGUMENTS = ("options", "optional arguments", "positional arguments")


def commands() -> str:
    """The operator's command as its help describes it, and the targets as `make help` lists them."""
    found = re.findall(r"^([a-z -]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = [
        [", ".join(code(f"make {name}") for name in names.split()), cell(text[0].upper() + text[1:])]
        for names, text in found
    ]
    [common] = [
        group
        for action in main.parser()._actions
        if action.choices
        for group in action.choices["doctor"]._action_groups
        if group.title == "environment"
    ]
    options = [
        [
            code(", ".join(action.option_strings) + (f" {action.metavar}" if action.metavar else "")),
            cell(action.help),
        ]
        for action in common._group_actions
    ]
    return (
        "\n\n".join(
            [
                "# Commands",
                _GENERATED,
                "## cfn-gitops",
                (
                    "The file `cfn-gitops` of the release folder checks, shows and changes environments."
                    " Python 3.9 or newer starts it there, or\n[where you install it](../how-to/install.md)."
                    " Run it in the folder of your `samconfig.toml`. In a folder without that file,\nname"
                    " `--env` with the EnvID, and `--region`."
                ),
                (
                    "It first prints account, region and environment. Before it changes anything, it lists"
                    " the changes, and asks for a word\nthat the prompt names: the command, or the"
                    " stack's name. `--yes` answers. After Ctrl-C, SIGTERM or SIGHUP,\nCloudFormation"
                    " finishes its operations, and a second run continues with the rest."
                ),
                table(
                    ["Exit status", "Meaning"],
                    [
                        ["0", "Nothing is wrong, or the change is done"],
                        [
                            "1",
                            "A finding, a failure or a refused prompt, even if something else was not read",
                        ],
                        [
                            "2",
                            (
                                "Wrong use: an argument, a name that no list has, or a file or needed setting"
                                " of yours that is missing or not readable"
                            ),
                        ],
                        [
                            "3",
                            (
                                "AWS, the network or your login did not let it look at something, or `check`"
                                " does not read the form of a setting. It has not changed that, and nothing"
                                " is found or failed"
                            ),
                        ],
                        ["130", "An interrupt"],
                    ],
                ),
                table(["Option of each subcommand", "Meaning"], options),
                (
                    "Control characters and line breaks in the texts of others, such as CloudFormation's"
                    " reasons, are shown as escapes:\n`\\x1b`, `\\n`. The first start unpacks the file"
                    " into `~/.cache/cfn-gitops`, on macOS into\n`~/Library/Caches/cfn-gitops`, or below"
                    " `XDG_CACHE_HOME`. Each version leaves 12 MB, which you may delete. If another user\ncan"
                    " write there, or you cannot, and on Windows, each start unpacks it below `TMPDIR`, and"
                    " deletes it at the end."
                ),
                *subcommands(),
                "## make",
                (
                    "Run these in a clone. `make doctor ENV=prd` is `./cfn-gitops doctor --env prd`."
                    " [Contributing](../../CONTRIBUTING.md) lists\nwhat they need and how long the checks"
                    " take."
                ),
                table(["Command", "What it does"], rows),
            ]
        )
        + "\n"
    )


def with_part(page: Path, part: str) -> str:
    """The page with this part between its marks. The rest is written by hand."""
    return _PART.sub(lambda marks: f"{marks[1]}\n\n{part}\n\n{marks[2]}", page.read_text(), count=1)


def resource(page: str, schema: str) -> str:
    return with_part(REFERENCE / page, reference_properties.properties(schema))


def events() -> str:
    """The examples of events, each with its result in the tests."""
    rows = [
        row for row in json.loads((ROOT / "tests/event_fuzz/variants.json").read_text()) if "situation" in row
    ]
    ends = {"SUCCESS": "SUCCESS", "nothing": "no response to CloudFormation"}
    shown: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        end = "; ".join(filter(None, (ends[row["result"]], row.get("then"))))
        shown.setdefault((row["situation"], end), []).append(code(f"{row['event']}.json"))
    return with_part(
        ROOT / "events/README.md",
        table(
            ["File", "Situation", "Expected"],
            [[", ".join(files), situation, end] for (situation, end), files in shown.items()],
        ),
    )


def regions() -> str:
    return with_part(
        ROOT / "docs/concepts/alternatives.md",
        table(
            ["Regions", "What CloudFormation lacks there", "CodeConnections for GitLab"],
            reference_regions.rows(),
        ),
    )


def metrics() -> str:
    alarms = reference_operations.alarms_of(loaded(ROOT / "template.yaml"))
    return (
        "\n\n".join(
            [
                "# Metrics and alarms",
                _GENERATED,
                (
                    "The health check logs these metrics in the namespace `CfnGitOps`, with the dimension"
                    " `EnvID` alone, which the alarms\nuse. With the second dimension, they exist only for a"
                    " project, token, user, pipeline or stack that has a *wrong* value:\nsee [Metrics of one"
                    " project](../runbook/watching.md#metrics-of-one-project). [Health check and"
                    " alarms](../runbook/watching.md)\nexplains what to do about each alarm."
                    " [metrics.json](../metrics.json) has the metrics as data."
                ),
                "## Metrics",
                table(
                    ["Metric", "Second dimension", "Unit", "Meaning", "Wrong", "Alarm"],
                    [[*row[:3], cell(row[3]), *row[4:]] for row in reference_operations.metric_rows(alarms)],
                ),
                "## Alarms",
                (
                    "A period of `HealthCheckMinutes` is as long as that parameter of `template.yaml`."
                    " `AlarmTopicArn` is notified when an\nalarm is raised, and when it ends."
                ),
                table(
                    ["Alarm", "Raised when", "Description"],
                    [[row[0], cell(row[1]), cell(row[2])] for row in reference_operations.alarm_rows(alarms)],
                ),
            ]
        )
        + "\n"
    )


def log_fields() -> str:
    head = ["Field", "Meaning"]
    of_each_line, of_invocation, others = reference_operations.log_field_rows()
    return (
        "\n\n".join(
            [
                "# Log fields",
                _GENERATED,
                (
                    "The function logs JSON lines. [Logs](../runbook/logs.md) shows a line and queries for"
                    " CloudWatch Logs Insights."
                ),
                "## Fields of every line",
                table(head, of_each_line),
                "## Fields of an invocation",
                (
                    "Every line of an invocation has those of these fields that its event has. Lines of "
                    "libraries and of a start that\nfails have none of them."
                ),
                table(head, of_invocation),
                "## Fields of single messages",
                table(head, others),
            ]
        )
        + "\n"
    )


# The cases of each harm in docs/project/assumptions.yaml.
_HARMS = {
    "a push is lost": "A push has no effect, or only that of the next health check.",
    "a secret leaks": (
        "A person or a build can do more than they may, deploys without an approval, or finds a login that "
        "should not exist\nany more."
    ),
    "a user is blocked": (
        "A request, a build, a deployment or an approval fails, waits too long, or has to be repeated."
    ),
    "a report is wrong": "A reason, a status, a note, an alarm or a page does not show what happened.",
}


def assumptions() -> str:
    harms = yaml.safe_load((ROOT / "docs/project/assumptions.yaml").read_text())
    sections = [
        part
        for harm, means in _HARMS.items()
        for part in (
            f"## If it is wrong: {harm}",
            means,
            table(
                ["Name", "Assumption", "If it is wrong", "How to see it"],
                [
                    [
                        f'<a name="{name}"></a>`{name}`',
                        row["claim"],
                        row["if wrong"],
                        row.get("by hand", "`make try`"),
                    ]
                    for name, row in harms[harm].items()
                ],
            ),
        )
    ]
    return (
        "\n\n".join(
            [
                "# Assumptions about AWS and GitLab",
                _GENERATED,
                (
                    "cfn-gitops has never run in a real AWS account or against a real GitLab server. All"
                    " tests use a local AWS and a local\nGitLab, whose rules follow the services'"
                    " documentation, source code and recorded responses. This page lists every\nassumption"
                    " that these sources do not settle. Each one has a name, so that a report, a test or a"
                    " comment can refer to it.\nThe tables are in the order of the harm that an assumption"
                    " does if it is wrong. The rows of a table are in the order in\nwhich a first user meets"
                    " them."
                ),
                (
                    "[`make try`](../how-to/try.md) performs an acceptance run in your account. Its report"
                    " names each assumption as held, not\nheld or not seen. With `SCENARIOS=all` it observes"
                    " each one that has `make try` in the last column."
                ),
                *sections,
            ]
        )
        + "\n"
    )


def actions() -> str:
    parts = []
    for template, principals in reference_actions.PRINCIPALS.items():
        resources = loaded(ROOT / template)["Resources"]
        for principal in principals:
            properties = resources[principal]["Properties"]
            allowed = reference_actions.actions(resources, principal)
            described = cell(reference_actions.description_of(principal, properties))
            parts += [
                f"## {code(reference_actions.name_of(properties))}",
                f"{described} ([{template}](../../{template})).",
                table(
                    ["For", "Actions"],
                    [[purpose, ", ".join(map(code, names))] for purpose, names in allowed.items()],
                ),
            ]
    head = (
        "A service control policy (SCP) of your organization must allow each identity its actions, in the"
        " region of\nthe environment. IAM's region is `us-east-1`. The templates allow the same, most of it"
        " for the environment's\nresources only, and [each is needed](../concepts/security/README.md). What"
        " pipelines deploy needs [its\nown actions](../how-to/allow-resources.md)."
    )
    return "\n\n".join(["# Actions that a control policy must allow", _GENERATED, head, *parts]) + "\n"


PAGES = {
    "actions.md": actions,
    "../project/assumptions.md": assumptions,
    "mirror-credential.md": lambda: resource("mirror-credential.md", "custom-mirrorcredential.json"),
    "gitops-pipeline.md": lambda: resource("gitops-pipeline.md", "custom-gitopspipeline.json"),
    "parameters/README.md": parameters_index,
    **{
        f"parameters/{name}.md": functools.partial(parameters_of, template)
        for name, template in TEMPLATES.items()
    },
    "commands.md": commands,
    "metrics.md": metrics,
    "log-fields.md": log_fields,
    "../../events/README.md": events,
    "../concepts/alternatives.md": regions,
    **{f"../../{path}": drawn for path, drawn in pictures.PICTURES.items()},
}


def write_pages(write: bool) -> int:
    differing = {
        name: content
        for name, page in PAGES.items()
        if (content := page()) != ((REFERENCE / name).read_text() if (REFERENCE / name).exists() else "")
    }
    for name, content in differing.items():
        if write:
            (REFERENCE / name).parent.mkdir(exist_ok=True)
            (REFERENCE / name).write_text(content)
        print(
            f"{(REFERENCE / name).resolve().relative_to(ROOT)}"
            f" {'is written' if write else 'differs from its source: run with --write'}"
        )
    return 1 if differing and not write else 0


if __name__ == "__main__":
    sys.exit(write_pages("--write" in sys.argv[1:]))
