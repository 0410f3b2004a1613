"""tools/cargo_progress.py with a stand-in for cargo, on a terminal and without one."""

import io

import pytest

import cargo_progress

BAR = "    Building [=====>        ] {}/224: serde, syn(build)"
ERROR = ["error[E0425]: cannot find value `a` in this scope", "  --> src/lib.rs:3:5", "   |", "3  |     a", "   |     ^ not found"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def as_program(*lines: str) -> str:
    return f"cat >&2 <<'END'\n{''.join(line + chr(10) for line in lines)}END\n"


def test_compilation_is_one_line_that_counts() -> None:
    terminal = Terminal()
    count = cargo_progress.Count(terminal)
    for line in ("  Downloaded serde v1.0.0", "  Downloaded 1 crates (12.3MB) in 2.10s",
                 "\x1b[1m\x1b[92m   Compiling\x1b[0m serde v1.0.0", BAR.format(57)):
        count.read(line)
        count.show()
    count.end(succeeded=True)
    shown = [part for part in terminal.getvalue().split("\r\x1b[K") if part]
    assert shown == [*["Downloading the function's crates: 1, 0 s"] * 3,
                     "Compiling the function: 57 of 224 parts, 0 s", "The function is compiled: 1 crate in 0 s.\n"]


def test_without_a_terminal_a_line_follows_every_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(cargo_progress.time, "monotonic", lambda: now)
    output = io.StringIO()
    count = cargo_progress.Count(output)
    count.read("   Compiling serde v1.0.0")
    for part in range(1, 60):
        now += 1
        count.read(BAR.format(part))
        count.show()
    assert output.getvalue().splitlines() == [
        "Compiling the function: 20 of 224 parts, 20 s", "Compiling the function: 40 of 224 parts, 40 s"]


WAITS = "    Blocking waiting for file lock on build directory"


@pytest.mark.parametrize(("program", "status", "printed"), [
    (as_program("   Compiling a v0.1.0", *ERROR, "", "error: could not compile `a` (lib)") + "exit 101", 101,
     [*ERROR, "error: could not compile `a` (lib)"]),
    (as_program("    Finished `dev` profile [unoptimized + debuginfo] target(s) in 0.11s"), 0, []),
    (f"printf '%s' '{WAITS}' >&2", 0, [WAITS])], ids=["failed", "up to date", "another cargo"])
def test_lines_beside_the_progress_are_printed(program: str, status: int, printed: list[str],
                                               capsys: pytest.CaptureFixture[str]) -> None:
    assert cargo_progress.main(["bash", "-c", program]) == status
    assert capsys.readouterr().out.splitlines() == printed
