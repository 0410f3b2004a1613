"""The check of the lines by area: each tracked file has one area, and an area above its limit fails."""

import sys

import pytest

from tests.tools.conftest import ROOT

import check_lines


@pytest.mark.parametrize(("path", "area"), [
    ("src/gitops_pipeline/plan/apply.rs", "product"), ("src/gitops_pipeline/session_policy.json", "product"),
    ("crates/cfn-custom-resource/src/request.rs", "product"), ("src/gitops_pipeline/pushes/latest_commit.rs", "product"),
    ("src/gitops_pipeline/plan/tests.rs", "unit_tests"), ("src/common/tags_tests.rs", "unit_tests"),
    ("src/clients/gitlab/tests/errors.rs", "unit_tests"), ("src/clients/http/tests/server.pem", "unit_tests"),
    ("tests/faults/main.rs", "rust_tests"), ("tests/scenarios/a.yaml", "rust_tests"),
    ("tests/fuzz/tests/gitops_pipeline.rs", "rust_tests"),
    ("tests/fake-aws/tests/stacks.rs", "emulators"), ("tests/local/README.md", "emulators"),
    ("tests/templates/rendered/versions.json", "python_tests"), ("tools/check_lines.py", "tools"), ("tools/deny.toml", "tools"),
    ("tools/bench/harness/main.rs", "tools"), ("Makefile", "tools"), ("template.yaml", "templates"),
    ("docs/runbook/README.md", "docs"), ("README.md", "docs"), ("Cargo.toml", "other"),
    ("Cargo.lock", None), ("tools/bench/functions/floor/Cargo.lock", None), ("tools/requirements/run.txt", None),
])
def test_file_is_in_one_area(path, area):
    assert check_lines.area_of(path) == area


def test_inline_tests_are_unit_tests(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.rs").write_text("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n")
    (tmp_path / "src/b.rs").write_text("fn a() {}\n#[cfg(test)]\nmod tests;\nfn c() {\n}\n")
    lines = check_lines.count(["src/a.rs", "src/b.rs"], tmp_path)
    assert (lines["product"], lines["unit_tests"], lines["total"]) == (7, 5, 12)


def test_area_above_its_limit_fails_until_it_is_raised(monkeypatch, tmp_path, capsys):
    figures = tmp_path / "figures.toml"
    figures.write_text((ROOT / "tools/figures.toml").read_text())
    monkeypatch.setattr(check_lines, "FIGURES", figures)
    monkeypatch.setattr(sys, "argv", ["check_lines.py"])
    docs = check_lines.count(check_lines.tracked_files())["docs"]
    check_lines.write("lines", {area: 1_000_000 for area in [*check_lines.AREAS, "total"]} | {"docs": docs}, figures)
    assert check_lines.main() == 0
    check_lines.write("lines", {"docs": docs - 1}, figures)
    assert check_lines.main() == 1
    assert f"docs: {docs:,} lines, but tools/figures.toml allows {docs - 1:,}. Remove lines" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["check_lines.py", "--write"])
    assert check_lines.main() == 0
    written = check_lines.read(figures)
    assert written["lines"]["docs"] == docs + docs // 200
    assert written["function"] == check_lines.read(ROOT / "tools/figures.toml")["function"]
