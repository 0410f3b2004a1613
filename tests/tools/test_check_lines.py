"""The count of the lines by area: each tracked file has one area."""

import pytest

from tools.checks import lines as check_lines


@pytest.mark.parametrize(("path", "area"), [
    ("src/gitops_pipeline/plan/apply.rs", "product"), ("src/gitops_pipeline/session_policy.json", "product"),
    ("crates/cfn-custom-resource/src/request.rs", "product"), ("src/gitops_pipeline/pushes/latest_commit.rs", "product"),
    ("src/gitops_pipeline/plan/tests.rs", "unit_tests"), ("src/common/tags_tests.rs", "unit_tests"),
    ("src/clients/gitlab/tests/errors.rs", "unit_tests"), ("src/clients/http/tests/server.pem", "unit_tests"),
    ("tests/faults/main.rs", "rust_tests"), ("tests/scenarios/a.yaml", "rust_tests"),
    ("tests/fuzz/tests/gitops_pipeline.rs", "rust_tests"),
    ("tests/fake-aws/tests/stacks.rs", "emulators"), ("tests/local/README.md", "emulators"),
    ("tests/templates/rendered/versions.json", "python_tests"), ("tools/checks/lines.py", "tools"), ("tools/checks/deny.toml", "tools"),
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
