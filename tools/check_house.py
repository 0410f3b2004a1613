"""Measures the shape of the code, and fails if a figure is above its limit.

    python tools/check_house.py           # the figures, and each place above a limit
    python tools/check_house.py --rooms   # also each room of `src` with the rooms that it uses

A module uses another one if it names an item of it, by `use` or by a path. An item that a module only passes on with
`pub use` counts as one of the module that defines it. A circle is a group of modules that use each other. It is counted
among files, and among the entries of one folder. Tests and `fuzzing` are left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CRATES = {"cfn_gitops": "src", "cfn_custom_resource": "crates/cfn-custom-resource/src"}
LIMITS = {
    "circles of files": 0, "circles of folders": 0, "type names defined twice": 0, "variants of the largest enum": 20,
    "fields of the largest struct": 12, "functions over 60 lines": 0, "files over 450 lines": 0,
    "tuples as parameters": 0, "comment lines over 100 columns": 0, "impure imports of plans": 0,
    "entries of src": 10, "tracked entries at the top": 24,
}
# Both resources have the same rooms, so a type may have its sister's name in the sister's room.
SISTERS = ("src/mirror_credential/", "src/gitops_pipeline/")
# It has one field for each property, and a table in the schema.
WIDE = {"Spec"}
# A plan decides with data alone. It may use the types of clients, but not their calls, errors of calls, or a clock.
IMPURE = {"calls", "aws", "http", "tokio", "CallError", "Clock"}
_TEST_FILE = re.compile(r"(^|/)(tests?|fuzzing)(/|\.rs$)|_tests\.rs$")
_INLINE_TESTS = re.compile(r"^( *)#\[cfg\((?:test|feature = \"fuzzing\")\)\]\n\1(?:pub(?:\(\w+\))? )?mod \w+ \{\n.*?^\1\}\n", re.M | re.S)
_COMMENT = re.compile(r"^\s*//.*$|(?<=[\s;{}(,])// .*$", re.M)
_STRING = re.compile(r'r#".*?"#|"(?:\\.|[^"\\])*"', re.S)
_USE = re.compile(r"^\s*(pub(?:\([\w: ]+\))? )?use ([^;]+);", re.M)
_PATH = re.compile(r"(?<![\w:.])([a-z_]\w*(?:::\w+)+)")
_TYPE = re.compile(r"^(?:pub(?:\([\w: ]+\))? )?(?:struct|enum|trait|type|union) (\w+)", re.M)

Module = tuple[str, ...]


class House:
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
        code = _STRING.sub('""', _COMMENT.sub("", _INLINE_TESTS.sub("", text)))
        self.files[module], self.code[module] = file, code
        folder = file.parent if file.name in {"mod.rs", "lib.rs"} else file.with_suffix("")
        for name in re.findall(r"^(?:pub(?:\([\w: ]+\))? )?mod (\w+);", code, re.M):
            child = next((path for path in (folder / f"{name}.rs", folder / name / "mod.rs") if path.exists()), None)
            if child and not _TEST_FILE.search(str(child.relative_to(self.source))):
                self._read((*module, name), child)

    def _absolute(self, module: Module, path: list[str]) -> Module | None:
        """A path from the crate's root. `None` for a name of another crate, or one that is defined or imported here."""
        if path[0] in {"crate", self.crate}:
            return tuple(path[1:])
        base = module
        while path and path[0] in {"self", "super"}:
            base = base[:-1] if path[0] == "super" else base
            path = path[1:]
            absolute = True
        else:
            absolute = base is not module
        if path and not absolute and (*module, path[0]) not in self.files:
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
        rest = path[len(module):]
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

    def arrows(self) -> dict[Path, dict[Path, set[str]]]:
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
    return bool(re.search(rf"\b(?:struct|enum|trait|type|fn|const|static|mod|macro_rules!|union) {re.escape(name)}\b", code))


def circles(arrows: dict) -> list[list]:
    """The strongly connected groups of two or more, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(node: object) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in arrows.get(node, ()):
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in list(arrows):
        if node not in index:
            visit(node)
    return found


def folder_arrows(arrows: dict[Path, dict[Path, set[str]]]) -> dict[Path, dict[Path, set[Path]]]:
    """For each folder, which of its entries uses which."""
    found: dict[Path, dict[Path, set[Path]]] = defaultdict(lambda: defaultdict(set))
    for file, targets in arrows.items():
        for target in targets:
            shared = next(folder for folder in file.parents if folder in target.parents)
            first, second = (shared / path.relative_to(shared).parts[0] for path in (file, target))
            found[shared][first].add(second)
    return found


def items(code: str, kind: str, member: str) -> Iterator[tuple[str, int]]:
    """Each enum or struct with the number of its variants or fields."""
    for match in re.finditer(rf"^(?:pub(?:\([\w: ]+\))? )?{kind} (\w+)[^;{{]*\{{\n(.*?)^\}}", code, re.M | re.S):
        yield match[1], len(re.findall(rf"^    {member}", match[2], re.M))


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Each function with its lines, from `fn` to its last brace."""
    for match in re.finditer(r"^( *)(?:pub(?:\([\w: ]+\))? )?(?:const )?(?:async )?fn (\w+).*?^\1\}\n", text, re.M | re.S):
        yield match[2], match[0].count("\n")


def parameters_with_tuples(code: str) -> Iterator[str]:
    for match in re.finditer(r"\bfn (\w+)(?:<[^(]*>)?\(([^{;]*?)\)(?: ->|\s*\{|\s*where|;)", code, re.S):
        if re.search(r"\w: (?:&|mut )*\((?!\))", re.sub(r"(?:impl|dyn) Fn\w*\([^)]*\)", "", match[2])):
            yield match[1]


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def measure() -> dict[str, list[str]]:
    """Each figure with its places. A figure of the largest item has as many places as the item has members."""
    found: dict[str, list[str]] = {figure: [] for figure in LIMITS}
    largest = {"enum": (0, ""), "struct": (0, "")}
    types: dict[str, list[str]] = defaultdict(list)
    for crate, folder in CRATES.items():
        house = House(ROOT / folder, crate)
        arrows = house.arrows()
        found["circles of files"] += [describe(circle, arrows) for circle in circles(arrows)]
        for entries in folder_arrows(arrows).values():
            found["circles of folders"] += [
                " and ".join(shown(entry) for entry in circle) for circle in circles(entries)
                if not all(entry.suffix for entry in circle)]
        for module, file in house.files.items():
            text, code, place = _INLINE_TESTS.sub("", file.read_text()), house.code[module], shown(file)
            for name in _TYPE.findall(code):
                types[f"{crate}::{name}"].append(place)
            for kind, member in (("enum", r"[A-Z]\w*"), ("struct", r"(?:pub(?:\([\w: ]+\))? )?[a-z_]\w*:")):
                for name, size in items(code, kind, member):
                    if name in WIDE:
                        continue
                    largest[kind] = max(largest[kind], (size, f"{place}: {name}"))
            found["functions over 60 lines"] += [f"{place}: {name}, {size} lines" for name, size in functions(text)
                                                 if size > 60]
            found["tuples as parameters"] += [f"{place}: {name}" for name in parameters_with_tuples(code)]
            found["comment lines over 100 columns"] += [
                f"{place}:{number}" for number, line in enumerate(file.read_text().splitlines(), 1)
                # A line that is one address cannot be wrapped.
                if len(line) > 100 and line.lstrip().startswith("//") and len(line.strip(" /!-").split()) > 1]
            if "plan" in module:
                imported = sorted({names[-1] for _, tree in _USE.findall(code) for names, _ in expand(tree)
                                   if IMPURE & set(names) or names[0].startswith("aws_sdk")})
                found["impure imports of plans"] += [f"{place}: {name}" for name in imported]
    found["type names defined twice"] = [f"{name.partition('::')[2]}: {', '.join(places)}"
                                         for name, places in types.items() if len(places) > 1 and not are_sisters(places)]
    found["variants of the largest enum"] = [largest["enum"][1]] * largest["enum"][0]
    found["fields of the largest struct"] = [largest["struct"][1]] * largest["struct"][0]
    found["files over 450 lines"] = [path for path in tracked("*.rs", "*.py")
                                     if (ROOT / path).read_text().count("\n") > 450]
    found["entries of src"] = sorted({path.split("/")[1] for path in tracked("src")})
    found["tracked entries at the top"] = sorted({path.split("/")[0] for path in tracked()})
    return found


def are_sisters(places: list[str]) -> bool:
    """Whether the places are the same room of both resources, such as `spec/`."""
    rooms = [place.removeprefix(sister).partition("/")[0].removesuffix(".rs")
             for place, sister in zip(sorted(places, reverse=True), SISTERS, strict=False) if place.startswith(sister)]
    return len(rooms) == len(places) == 2 and len(set(rooms)) == 1


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def describe(circle: list[Path], arrows: dict[Path, dict[Path, set[str]]]) -> str:
    return "; ".join(f"{shown(file)} uses {', '.join(sorted(names))} of {shown(target)}"
                     for file in circle for target, names in arrows[file].items() if target in circle)


def rooms() -> Iterator[str]:
    """Each folder of `src` and its entries, from those that use others down to those that use none."""
    arrows = House(ROOT / "src", "cfn_gitops").arrows()
    for folder, entries in sorted(folder_arrows(arrows).items()):
        names = {entry for entry in entries} | {target for targets in entries.values() for target in targets}
        count = sum(len(targets - {entry}) for entry, targets in entries.items())
        yield f"{shown(folder)}: {len(names)} entries, {count} arrows, {len(circles(entries))} circles"
        for entry in sorted(names, key=lambda name: -len(reached(entries, name))):
            uses = sorted(target.stem for target in entries.get(entry, ()) if target != entry)
            yield f"    {entry.stem:24} {', '.join(uses)}"


def reached(arrows: dict, node: object) -> set:
    found, ahead = set(), [node]
    while ahead:
        for target in arrows.get(ahead.pop(), ()):
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def main() -> int:
    found = measure()
    if "--rooms" in sys.argv[1:]:
        print("\n".join(rooms()))
    faults = 0
    for figure, limit in LIMITS.items():
        print(f"{len(found[figure]):9,} {figure} (at most {limit})")
        if len(found[figure]) > limit:
            faults += 1
            print("\n".join(f"          {place}" for place in dict.fromkeys(found[figure])), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
