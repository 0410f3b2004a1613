"""Which module of `cli`, `tools` and `tests` imports which, also within functions, and the imports past their
layers."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("cli", "tools", "tests")

# Each module with what it imports: modules of the repository, and the first names of others, such as
# `pytest`.
Imports = dict[str, set[str]]


def read(root: Path) -> Imports:
    files = {
        name_of(file.relative_to(root)): file
        for package in PACKAGES
        for file in sorted((root / package).rglob("*.py"))
    }
    return {module: set(imported(module, file, files)) - {module} for module, file in files.items()}


def name_of(file: Path) -> str:
    return ".".join(file.parent.parts if file.stem == "__init__" else file.with_suffix("").parts)


def imported(module: str, file: Path, files: dict[str, Path]) -> Iterator[str]:
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(), file)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            names = [".".join(filter(None, [*base, node.module, each.name])) for each in node.names]
        for name in names:
            first = name.partition(".")[0]
            # An item of a module counts as the module.
            yield next(
                (each for each in (name, name.rpartition(".")[0]) if each in files),
                first if first not in PACKAGES else name,
            )


# The folders of `cli`, from the ground up.
_CLI = ("cli.shell", "cli.environment", "cli.project", "cli.checks", "cli.commands")


def past_layers(imports: Imports) -> list[str]:
    """`cli` is below all, its folders import only those below them, and `tests.play` is below `tools` and the
    other tests."""
    found = [
        f"{module} imports {name}"
        for module, names in imports.items()
        for name in sorted(names)
        if is_in(module, "cli")
        and is_in(name, "tools", "tests")
        or is_in(module, "cli")
        and not is_in(module, "cli.commands")
        and is_in(name, "cli.commands")
        or any(is_in(module, folder) and is_in(name, *_CLI[number:]) for number, folder in enumerate(_CLI, 1))
        or is_in(module, "tools")
        and is_in(name, "tests")
        and not is_in(name, "tests.play")
    ]
    below = reached(imports, {module for module in imports if is_in(module, "tests.play")})
    return found + [
        f"{module} imports {name}, which tests.play must not need"
        for module in sorted(below)
        for name in sorted(imports[module])
        if is_in(name, "pytest", "tools")
    ]


def reached(imports: Imports, modules: set[str]) -> set[str]:
    """These modules and all that their import loads: the packages around a module, too."""
    found: set[str] = set()
    while modules:
        around = {
            ".".join(module.split(".")[:length])
            for module in modules
            for length in range(1, module.count(".") + 2)
        }
        found |= (new := (around & imports.keys()) - found)
        modules = set().union(*(imports[module] for module in new))
    return found


def is_in(module: str, *packages: str) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)
