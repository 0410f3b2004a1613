"""Looks for faults in the structure of the code, and fails if there is one.

    python -m tools.checks.structure

A module uses another one if it names an item of it, by `use` or by a path. An item that a module only passes
on with `pub use` counts as one of the module that defines it. A dependency cycle is counted among files, and
among the entries of one folder. Of several cycles the first is shown. Tests and `fuzzing` are left out.

`cli`, `tools` and `tests` are read too: `python_imports` has their layers.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tools.checks import python_imports

ROOT = Path(__file__).parents[2]
CRATES = {
    "cfn_gitops": "src",
    "cfn_custom_resource": "crates/cfn-custom-resource/src",
    "fake_aws": "tests/fake-aws/src",
}
FAULTS = (
    "dependency cycles of files",
    "dependency cycles of folders",
    "type names defined twice",
    "tuples as parameters",
    "impure imports of plans",
    "AWS enums read elsewhere",
    "statuses of stacks as text",
    "tests that no step runs",
    "Python imports past the layers",
    "dependency cycles of Python modules",
)
# A plan decides with data alone. It may use the types of clients, but not their calls, errors of calls, or a
# clock.
IMPURE = {"calls", "aws", "http", "tokio", "CallError", "Clock"}
# Where a value of an enum of AWS is read. An unknown value takes the careful way there: nothing is executed,
# approved or repaired because of it. The others are sent.
ENUM_READERS = {
    "ActionCategory": {"gitops_pipeline/executions/declared.rs"},
    "ActionExecutionStatus": {
        "gitops_pipeline/executions/actions.rs",
        "gitops_pipeline/health.rs",
        "feedback/approval.rs",
        "feedback/failures/deployment.rs",
    },
    "ChangeAction": {"feedback/change_sets/change_set.rs"},
    "ChangeSetStatus": {"feedback/change_sets/change_set.rs"},
    "EvaluationType": {"feedback/change_sets/change_set.rs"},
    "EventType": {"gitops_pipeline/observe/early_validation.rs"},
    "ExecutionMode": {"gitops_pipeline/executions/declared.rs"},
    "ExecutionStatus": {"feedback/change_sets/change_set.rs"},
    "ExecutionType": {"gitops_pipeline/executions/mod.rs"},
    "HookFailureMode": {"gitops_pipeline/observe/early_validation.rs"},
    "OperationType": {"feedback/failures/deployment.rs"},
    "PipelineExecutionStatus": {"gitops_pipeline/executions/mod.rs"},
    "PolicyAction": {"feedback/change_sets/change_set.rs"},
    "Replacement": {"feedback/change_sets/change_set.rs"},
    "RequiresRecreation": {"feedback/change_sets/change_set.rs"},
    "ResourceAttribute": {"feedback/change_sets/change_set.rs"},
    "ResourceStatus": {"clients/cloudformation/mod.rs"},
    "RuleState": {"gitops_pipeline/holds.rs"},
    "StackDriftStatus": {"feedback/change_sets/change_set.rs"},
    "StackResourceDriftStatus": {"feedback/change_sets/change_set.rs"},
    "StageExecutionStatus": {
        "feedback/failures/deployment.rs",
        "answers/deployments/execution.rs",
    },
    "StackStatus": {"clients/cloudformation/stack_status.rs"},
    # `apply/credential.rs` sends one.
    "StatusType": {
        "feedback/failures/build.rs",
        "feedback/review/build.rs",
        "mirror_credential/observe/mod.rs",
        "mirror_credential/apply/credential.rs",
    },
    "TriggerType": {"gitops_pipeline/executions/mod.rs"},
}
SENT_ENUMS = {
    "ApprovalStatus",
    "ChangeSetType",
    "DeploymentMode",
    "FilterNameStringType",
    "InvocationType",
    "OnFailure",
    "RegistryType",
}
# In Rust, they are the values of an enum.
STACK_STATUSES = "cli/environment/stack_statuses.py"
_STACK_STATUS = re.compile(r'"[A-Z_]+_(?:COMPLETE|FAILED|IN_PROGRESS)"')
TEST_FILE = re.compile(r"(^|/)(tests?|fuzzing)(/|\.rs$)|_tests\.rs$")
INLINE_TESTS = re.compile(
    r"^( *)#\[cfg\((?:test|feature = \"fuzzing\")\)\]\n\1(?:pub(?:\(\w+\))? )?mod \w+ \{\n.*?^\1\}\n",
    re.M | re.S,
)
# Comments, strings and characters: one scan, because each may contain the beginning of another.
NOT_CODE = re.compile(r"""//[^\n]*|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'""", re.S)
_USE = re.compile(r"^\s*(pub(?:\([\w: ]+\))? )?use ([^;]+);", re.M)
_PATH = re.compile(r"(?<![\w:.])([a-z_]\w*(?:::\w+)+)")
_TYPE = re.compile(r"^(?:pub(?:\([\w: ]+\))? )?(?:struct|enum|trait|type|union) (\w+)", re.M)

Module = tuple[str, ...]


class Crate:
    """The modules of one crate, and which of them use which."""

    def __init__(self, source: Path, crate: str) -> None:
        self.source, self.crate = source, crate
        self.files: dict[Module, Path] = {}
        self.code: dict[Module, str] = {}
        self.passed_on: dict[Module, dict[str, Module]] = defaultdict(dict)
        self.imports: dict[Module, list[tuple[str, Module]]] = defaultdict(list)
        self._read((), source / "lib.rs")
        for module in self.files:
            self._read_imports(module)

    def _read(self, module: Module, file: Path) -> None:
        text = file.read_text()
        code = NOT_CODE.sub(
            lambda found: "" if found[0].startswith("//") else '""', INLINE_TESTS.sub("", text)
        )
        self.files[module], self.code[module] = file, code
        folder = file.parent if file.name in {"mod.rs", "lib.rs"} else file.with_suffix("")
        for name in re.findall(r"^(?:pub(?:\([\w: ]+\))? )?mod (\w+);", code, re.M):
            child = next(
                (path for path in (folder / f"{name}.rs", folder / name / "mod.rs") if path.exists()), None
            )
            if child and not TEST_FILE.search(str(child.relative_to(self.source))):
                self._read((*module, name), child)

    def _absolute(self, module: Module, path: list[str]) -> Module | None:
        """A path from the crate's root. `None` for a name of another crate, or one that is defined or
        imported here."""
        if path[0] in {"crate", self.crate}:
            return tuple(path[1:])
        base = module
        while path and path[0] in {"self", "super"}:
            base = base[:-1] if path[0] == "super" else base
            path = path[1:]
        if base == module and path and (*module, path[0]) not in self.files:
            return None
        return (*base, *path)

    def _read_imports(self, module: Module) -> None:
        code = self.code[module]
        for public, tree in _USE.findall(code):
            for names, alias in expand(tree):
                if path := self._absolute(module, names):
                    self.imports[module].append((alias, path))
                    # Names that a module passes on without using them are another module's.
                    if public:
                        self.passed_on[module][alias] = path
        for written in _PATH.findall(_USE.sub("", code)):
            names = written.split("::")
            imported = dict(self.imports[module]).get(names[0])
            if imported:
                self.imports[module].append(("", (*imported, *names[1:])))
            elif path := self._absolute(module, names):
                self.imports[module].append(("", path))

    def defining_module(self, path: Module, seen: frozenset[Module] = frozenset()) -> Module | None:
        module: Module = ()
        for length in range(len(path), -1, -1):
            if path[:length] in self.files:
                module = path[:length]
                break
        rest = path[len(module) :]
        if not rest or path in seen:
            return module
        passed = self.passed_on[module]
        for name in (rest[0], "*"):
            if name in passed and not defines(self.code[module], rest[0]):
                further = (*passed[name][:-1], rest[0]) if name == "*" else passed[name]
                found = self.defining_module((*further, *rest[1:]), seen | {path})
                if name != "*" or found != module:
                    return found
        return module

    def dependencies(self) -> dict[Path, dict[Path, set[str]]]:
        """Each file with the files that it uses, and the names that it takes from them."""
        found: dict[Path, dict[Path, set[str]]] = {file: defaultdict(set) for file in self.files.values()}
        for module, imports in self.imports.items():
            without_uses = _USE.sub("", self.code[module])
            for alias, path in imports:
                is_used = not alias or alias == "*" or re.search(rf"\b{re.escape(alias)}\b", without_uses)
                if alias in self.passed_on[module] and not is_used:
                    continue
                target = self.defining_module(path)
                if target is not None and target != module:
                    found[self.files[module]][self.files[target]].add(path[-1])
        return found


def expand(tree: str) -> Iterator[tuple[list[str], str]]:
    """`a::{b, c as d}` as `(["a", "b"], "b")` and `(["a", "c"], "d")`."""
    tree = " ".join(tree.split())
    if match := re.fullmatch(r"((?:\w+::)*)\{(.*?),? ?\}", tree):
        depth, part = 0, ""
        for character in match[2] + ",":
            depth += (character == "{") - (character == "}")
            if character == "," and not depth:
                if part.strip():
                    yield from expand(match[1] + part.strip())
                part = ""
            else:
                part += character
        return
    path, _, alias = tree.partition(" as ")
    names = [name for name in path.split("::") if name]
    if names[-1] == "self" and len(names) > 1:
        names = names[:-1]
    yield names, alias or names[-1]


def defines(code: str, name: str) -> bool:
    return bool(
        re.search(
            rf"\b(?:struct|enum|trait|type|fn|const|static|mod|macro_rules!|union) {re.escape(name)}\b", code
        )
    )


def cycles(dependencies: dict) -> list[list]:
    """One cycle, if there is any."""
    try:
        TopologicalSorter(dependencies).prepare()
    except CycleError as error:
        return [error.args[1][:-1]]
    return []


def folder_dependencies(dependencies: dict[Path, dict[Path, set[str]]]) -> dict[Path, dict[Path, set[Path]]]:
    """For each folder, which of its entries uses which."""
    found: dict[Path, dict[Path, set[Path]]] = defaultdict(lambda: defaultdict(set))
    for file, targets in dependencies.items():
        for target in targets:
            shared = next(folder for folder in file.parents if folder in target.parents)
            first, second = (shared / path.relative_to(shared).parts[0] for path in (file, target))
            found[shared][first].add(second)
    return found


def parameters_with_tuples(code: str) -> Iterator[str]:
    for name, signature in re.findall(r"\bfn (\w+)([^{;]*)[{;]", code):
        if re.search(r"[\w)]: (?:&(?:'\w+ )?(?:mut )?)*\((?!\)|dyn )", signature):
            yield name


def aws_enums(code: str) -> set[str]:
    """The enums of AWS's SDK of which the code names a value."""
    imported = {
        alias: names[-1]
        for _, tree in _USE.findall(code)
        for names, alias in expand(tree)
        if re.match("aws_sdk_", names[0]) and "types" in names
    }
    # `types::{self as sdk}`
    modules = {alias for alias, name in imported.items() if name == "types"}
    found = {
        imported[name]
        for name in re.findall(r"\b(\w+)::(?:[A-Z]|\{)", code)
        if name in imported.keys() - modules
    }
    # By its full path, or a value that is imported by itself.
    found |= set(re.findall(r"\baws_sdk_\w+::types::([A-Z]\w*)::[A-Z]", code))
    return found | {name for module in modules for name in re.findall(rf"\b{module}::(\w+)::[A-Z]", code)}


def measure() -> dict[str, list[str]]:
    """The places of each fault."""
    found: dict[str, list[str]] = {fault: [] for fault in FAULTS}
    types: dict[str, list[str]] = defaultdict(list)
    for crate, folder in CRATES.items():
        crate_ = Crate(ROOT / folder, crate)
        dependencies = crate_.dependencies()
        found["dependency cycles of files"] += [
            describe(cycle, dependencies) for cycle in cycles(dependencies)
        ]
        for entries in folder_dependencies(dependencies).values():
            found["dependency cycles of folders"] += [
                " and ".join(shown(entry) for entry in cycle)
                for cycle in cycles(entries)
                if not all(entry.suffix for entry in cycle)
            ]
        # Of the fake AWS only the cycles are counted: its types have AWS's names.
        for module, file in crate_.files.items() if crate != "fake_aws" else ():
            text, code, place = INLINE_TESTS.sub("", file.read_text()), crate_.code[module], shown(file)
            for name in _TYPE.findall(code):
                types[f"{crate}::{name}"].append(place)
            found["tuples as parameters"] += [f"{place}: {name}" for name in parameters_with_tuples(code)]
            found["AWS enums read elsewhere"] += [
                f"{place}: {name}"
                for name in sorted(aws_enums(code) - SENT_ENUMS)
                if place.removeprefix("src/") not in ENUM_READERS.get(name, ())
            ]
            found["statuses of stacks as text"] += [
                f"{place}: {status}" for status in _STACK_STATUS.findall(text)
            ]
            if "plan" in module:
                imported = sorted(
                    {
                        names[-1]
                        for _, tree in _USE.findall(code)
                        for names, _ in expand(tree)
                        if IMPURE & set(names) or names[0].startswith("aws_sdk")
                    }
                )
                found["impure imports of plans"] += [f"{place}: {name}" for name in imported]
    found["type names defined twice"] = [
        f"{name.partition('::')[2]}: {', '.join(places)}"
        for name, places in types.items()
        if len(places) > 1 and not are_counterparts(places)
    ]
    found["statuses of stacks as text"] += [
        f"{shown(file)}: {status}"
        for file in sorted((ROOT / "cli").rglob("*.py"))
        if shown(file) != STACK_STATUSES
        for status in _STACK_STATUS.findall(file.read_text())
    ]
    # `make test` runs no unit tests of these: tools/checks/run.py.
    for file in (
        file
        for place in ("src/main.rs", "tests/fake-aws/src/**/*.rs", "tests/support/src/**/*.rs")
        for file in sorted(ROOT.glob(place))
    ):
        found["tests that no step runs"] += [
            shown(file) for _ in re.findall(r"^ *#\[(?:tokio::)?test\b", file.read_text(), re.M)
        ]
    imports = python_imports.read(ROOT)
    found["Python imports past the layers"] = python_imports.past_layers(imports)
    found["dependency cycles of Python modules"] = [" and ".join(cycle) for cycle in cycles(imports)]
    return found


def are_counterparts(places: list[str]) -> bool:
    """Whether the places are the same module of both resources, such as `spec/`."""
    found = [re.match(r"src/(mirror_credential|gitops_pipeline)/(\w+)", place) for place in places]
    return len(found) == 2 and all(found) and found[0][1] != found[1][1] and found[0][2] == found[1][2]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def describe(cycle: list[Path], dependencies: dict[Path, dict[Path, set[str]]]) -> str:
    return "; ".join(
        f"{shown(file)} uses {', '.join(sorted(names))} of {shown(target)}"
        for file in cycle
        for target, names in dependencies[file].items()
        if target in cycle
    )


def main() -> int:
    found = measure()
    for fault, places in found.items():
        print(f"{len(places):9,} {fault}")
        print("".join(f"          {place}\n" for place in places), end="", file=sys.stderr)
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
