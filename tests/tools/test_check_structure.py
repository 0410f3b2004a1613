"""The check of the code's structure: each planted fault is found where it is, and nothing else."""

import pytest

from tools.checks import structure as check_structure

SOUND = {
    "src/lib.rs": "mod high;\npub mod low;\nmod wide;\n",
    "src/high/mod.rs": "mod part;\npub use part::Part;\nuse crate::low::Low;\n",
    # It uses what its parent only passes on, so this is not a cycle.
    "src/high/part.rs": "use crate::low::Low;\npub struct Part {\n    pub low: Low,\n}\n",
    "src/low.rs": (
        "//! Text with `crate::high::Part`.\npub struct Low;\n\n#[cfg(test)]\nmod tests {\n    use"
        " crate::high::Part;\n}\n"
    ),
    "src/wide.rs": "use super::high;\n\nfn wide() -> high::Part {\n}\n",
    "crates/cfn-custom-resource/src/lib.rs": "",
    "tests/fake-aws/src/lib.rs": "",
}


@pytest.fixture
def measured(monkeypatch, tmp_path):
    monkeypatch.setattr(check_structure, "ROOT", tmp_path)

    def measure(changes):
        for path, text in (SOUND | changes).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return {fault: places for fault, places in check_structure.measure().items() if places}

    return measure


def test_sound_code_has_no_finding(measured):
    assert measured({}) == {}


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("dependency cycles of files", {"src/low.rs": "use crate::high::Part;\npub struct Low;\n"}),
        (
            "dependency cycles of files",
            {"src/low.rs": "pub fn low() -> crate::high::Part {\n}\npub struct Low;\n"},
        ),
        (
            "dependency cycles of files",
            {
                "src/high/mod.rs": (
                    "mod part;\npub use part::{Part};\nfn a(part: Part) {}\npub struct High;\n"
                ),
                "src/high/part.rs": "use super::High;\npub struct Part;\n",
            },
        ),
        (
            "dependency cycles of folders",
            {
                "src/high/mod.rs": "mod part;\nmod room;\n",
                "src/high/part.rs": "use super::room::a::A;\n",
                "src/high/room/mod.rs": "pub mod a;\npub mod b;\n",
                "src/high/room/a.rs": "pub struct A;\n",
                "src/high/room/b.rs": "use crate::high::part;\nfn b() { part::c() }\n",
                "src/wide.rs": "",
            },
        ),
        (
            "AWS enums read elsewhere",
            {
                "src/wide.rs": (
                    "use aws_sdk_iam::types::{Tag, StatusType};\n"
                    "fn a(it: StatusType) -> bool { matches!(it, StatusType::Active) }\n"
                )
            },
        ),
        (
            "AWS enums read elsewhere",
            {"src/wide.rs": "use aws_sdk_iam::types::StatusType;\nuse StatusType::{Active};\n"},
        ),
        (
            "AWS enums read elsewhere",
            {"src/wide.rs": "use aws_sdk_iam::types::{self as sdk};\nfn a() { sdk::StatusType::Active }\n"},
        ),
        ("AWS enums read elsewhere", {"src/wide.rs": "fn a() { aws_sdk_iam::types::StatusType::Active }\n"}),
        ("AWS enums read elsewhere", {"src/wide.rs": "use aws_sdk_iam::types::StatusType::Active;\n"}),
        (
            "statuses of stacks as text",
            {"src/wide.rs": 'fn a(b: &str) -> bool { b == "UPDATE_ROLLBACK_COMPLETE" }\n'},
        ),
        (
            "statuses of stacks as text",
            {
                "cli/account.py": '_DONE = ("CREATE_COMPLETE",)\n',
                "cli/environment/stack_statuses.py": 'A = "CREATE_FAILED"\n',
            },
        ),
        ("type names defined twice", {"src/wide.rs": "enum Part {\n    A,\n}\n"}),
        (
            "tests that no step runs",
            {"tests/support/src/lib.rs": "mod tests {\n    #[test]\n    fn a() {}\n}\n"},
        ),
        ("tuples as parameters", {"src/wide.rs": "fn a(b: u8, c: &(u8, u8)) {}\n"}),
        ("tuples as parameters", {"src/wide.rs": "fn a<F: Fn(u8) -> u8>(f: F, (b, c): (u8, u8)) {}\n"}),
        (
            "dependency cycles of files",
            {
                "src/low.rs": (
                    'const A: &str = "a // b";\nuse crate::high::Part;\npub struct Low(Part, char = \'"\');\n'
                )
            },
        ),
        (
            "impure imports of plans",
            {
                "src/lib.rs": "mod high;\nmod low;\nmod plan;\n",
                "src/plan.rs": "use crate::low::{CallError, Low};\n",
            },
        ),
    ],
)
def test_fault_is_found(measured, fault, changes):
    found = measured(changes)
    assert any(path in place for place in found[fault] for path in changes)
    # Files of two folders that use each other are a cycle of both folders, too.
    assert found.keys() - {fault} <= {"dependency cycles of folders"}


LAYERS, CYCLE = "Python imports past the layers", "dependency cycles of Python modules"
PYTHON = {
    "cli/__init__.py": "",
    "cli/main.py": "import sys\nfrom cli import output\n",
    "cli/output.py": "",
    "tools/run/run.py": (
        "from cli import output\nfrom tests.play.steps import push\nfrom tools.run import console\n"
    ),
    "tools/run/console.py": "",
    "tests/__init__.py": "",
    "tests/play/__init__.py": "",
    "tests/play/steps.py": "from tests.local import aws\n",
    "tests/local/aws.py": "",
    "tests/local/conftest.py": "import pytest\n",
    "tests/tools/test_run.py": (
        "import pytest\nfrom tests.local.aws import LocalAws\nfrom tools.run import run\n"
    ),
}


@pytest.mark.parametrize(
    ("fault", "place", "changes"),
    [
        (
            LAYERS,
            "cli.output imports cli.commands.status",
            {
                "cli/commands/__init__.py": "",
                "cli/commands/status.py": "",
                "cli/output.py": "from cli.commands import status\n",
            },
        ),
        (
            LAYERS,
            "cli.shell.times imports cli.project.projects",
            {"cli/project/projects.py": "", "cli/shell/times.py": "from cli.project import projects\n"},
        ),
        (
            LAYERS,
            "cli.output imports tools.run.console",
            {"cli/output.py": "def a():\n    from tools.run.console import note\n"},
        ),
        (
            LAYERS,
            "cli.output imports tests.play.steps",
            {"cli/output.py": "import tests.play.steps as steps\n"},
        ),
        (
            LAYERS,
            "tools.run.console imports tests.local.aws",
            {"tools/run/console.py": "from tests.local import aws\n"},
        ),
        (
            LAYERS,
            "tools.run.console imports tests.playing",
            {"tools/run/console.py": "from tests import playing\n", "tests/playing.py": ""},
        ),
        (LAYERS, "tools.run.console imports tests", {"tools/run/console.py": "import tests\n"}),
        (LAYERS, "tests.play.steps imports pytest", {"tests/play/steps.py": "from pytest import fixture\n"}),
        (
            LAYERS,
            "tests.play.steps imports tools.run.console",
            {"tests/play/steps.py": "from tools.run import console\n"},
        ),
        (LAYERS, "tests.local.conftest imports pytest", {"tests/local/aws.py": "from . import conftest\n"}),
        # Python runs the packages around a module first.
        (LAYERS, "tests imports pytest", {"tests/__init__.py": "import pytest\n"}),
        (CYCLE, "cli.main and cli.output", {"cli/output.py": "def a():\n    from cli import main\n"}),
        (
            CYCLE,
            "tools.run.run and tools.run.console",
            {"tools/run/console.py": "from tools.run.run import LocalStory\n"},
        ),
    ],
)
def test_import_past_a_layer_is_found(measured, fault, place, changes):
    assert measured(PYTHON) == {}
    found = measured(PYTHON | changes)
    assert found.keys() == {fault}
    # A cycle begins anywhere.
    assert any(
        shown.startswith(place) or set(shown.split(" and ")) == set(place.split(" and "))
        for shown in found[fault]
    )


def test_module_of_both_resources_may_have_the_same_type(measured):
    rooms = {f"src/{sister}/mod.rs": "mod state;\n" for sister in ("mirror_credential", "gitops_pipeline")}
    states = {path.replace("mod.rs", "state.rs"): "pub struct State;\n" for path in rooms}
    lib = {"src/lib.rs": "mod mirror_credential;\nmod gitops_pipeline;\n"}
    assert measured(lib | rooms | states) == {}
    assert set(
        measured(
            {
                "src/mirror_credential/mod.rs": "mod state;\npub struct Spec;\n",
                "src/gitops_pipeline/mod.rs": "mod state;\nmod spec;\n",
                "src/gitops_pipeline/spec.rs": "pub struct Spec;\n",
            }
            | lib
            | states
        )
    ) == {"type names defined twice"}
