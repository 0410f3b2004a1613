# `make help` lists the targets. The machine needs cargo and rustc, a C compiler, Python 3.11+, and git.
# Everything else (cargo-lambda, zig, sam, the linters, the local AWS) is installed from PyPI into .venv. Only valgrind,
# which counts instructions, is a Debian package. It is installed if root runs the checks, and otherwise skipped.

PYTHON ?= python3
# How much of the slow checks runs: test, ci or all.
SCHEDULES ?= test
# A table of samconfig.toml. Not from the environment, where ENV is a setting of POSIX shells.
ifneq ($(origin ENV),command line)
ENV := dev
endif

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A hook of git sets its own repository, and linters end at warnings of their packages.
unexport GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE PYTHONOPTIMIZE PYTHONWARNINGS

MACHINE_PATH := $(PATH)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# The directory of all build output. The templates expect it there, even if the machine sets another one.
export CARGO_TARGET_DIR := $(CURDIR)/target
# Python compiles each module once, and leaves no files in the tree. pip would compile all of .venv, most of it unused.
export PYTHONPYCACHEPREFIX := $(CARGO_TARGET_DIR)/pycache
export PIP_COMPILE := 0

INSTALLED := .venv/installed-requirements.txt
RUN_INSTALLED := .venv/installed-run-requirements.txt
BOOTSTRAP := target/lambda/cfn-gitops/bootstrap
TEMPLATES := template.yaml $(wildcard templates/*.yaml) $(wildcard examples/*/*.yaml)

DOCS_INSTALLED := .venv-docs/installed-requirements.txt
AUDIT_INSTALLED := .venv-audit/installed-requirements.txt

.PHONY: help run run-function local-function test check-figures build docs dist dist-check release deploy check status doctor failures approve reject undo freeze thaw leave undeploy try shell lint \
        lint-format lint-python lint-rust lint-templates lint-prose lint-structure lint-brake lint-dependencies audit fuzz defects test-function test-rust test-rust-compiled clean

help: ## list the targets
	@awk -F ' ?## ' '/^[a-z -]+:.*## / { split($$1, t, ":"); if (length(t[1]) > 16) { print "  make " t[1]; t[1] = "" } \
	    printf "  %-21s %s\n", (t[1] ? "make " t[1] : ""), $$2 }' Makefile

# For the local AWS, the machine's own build without optimisation suffices. It is compiled beside the installation, with
# the local GitLab.
run: ## deploy to a local AWS, push, approve, break things, delete it all, and show each act (REGION=us-gov-west-1)
	@tools/run/start.sh run $(MAKE) --silent --jobs=2 $(RUN_INSTALLED) run-function
	@python -m tools.run.run $(if $(REGION),--region $(REGION))

# On a terminal, cargo's bar replaces a line for each of hundreds of crates. A log has its warnings and errors alone.
run-function:
	@[ ! -t 2 ] || export CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80; \
	    cargo build --locked --quiet --package cfn-gitops --package fake-aws --bin cfn-gitops --bin fake-aws
	@$(MAKE) local-function

# The function that Cargo has compiled last, for `make run` or for the tests. It is large, so it is compressed only once.
local-function:
	@mkdir -p target/local
	@strip -o target/local/bootstrap target/debug/cfn-gitops || cp target/debug/cfn-gitops target/local/bootstrap
	@$(PYTHON) -m zipfile -c target/local/function.zip target/local/bootstrap

test: ## the checks of the project (SCHEDULES=ci: with the release build and more fault schedules, SCHEDULES=all: everything)
	@tools/run/start.sh test
	@SCHEDULES=$(SCHEDULES) $(PYTHON) -m tools.checks.run

# Checks the existing file: `make test` has just built it. Another release build is for SCHEDULES=all alone.
check-figures: $(INSTALLED)
	@python -m tools.checks.figures $(if $(filter all,$(SCHEDULES)),--cargo-build)

build: $(INSTALLED) ## build and check the file that `sam deploy` uploads
	@tools/release/build.sh
	@python -m tools.release.check_bootstrap $(BOOTSTRAP)

docs: $(DOCS_INSTALLED) ## build the documentation as a static site in site/, and check its links
	@.venv-docs/bin/python -m tools.docs.build_site

dist: $(INSTALLED) $(DOCS_INSTALLED) ## the release files in dist/: zip, templates, SBOM, licences, documentation, examples, checksums
	@python -m tools.release.dist

dist-check: $(INSTALLED) $(DOCS_INSTALLED) ## check that two builds of the last commit give the same files (two release builds)
	@python -m tools.release.dist_check

release: $(INSTALLED) $(DOCS_INSTALLED) ## the signed archive of a public release and its provenance in release/ (SIGNING_KEY=~/.ssh/id_ed25519)
	@SIGNING_KEY="$(SIGNING_KEY)" python -m tools.release.archive

deploy: $(INSTALLED) ## build, and deploy (ENV=prd, PARAMETERS="RotationSerial=2 ...")
	@python -m tools.run.deploy --check --env $(ENV) -- $(PARAMETERS)
	@$(MAKE) build
	@python -m tools.run.deploy --env $(ENV) -- $(PARAMETERS)

# The operator's command, as in the release folder: `make doctor ENV=prd` is `cfn-gitops doctor --env prd`.
check status doctor failures approve reject undo freeze thaw leave undeploy: $(INSTALLED) ## the subcommands of cfn-gitops (ENV=prd, ARGUMENTS="--json")
	@python -m cli $@ --env $(ENV) $(ARGUMENTS)

try: $(INSTALLED) build ## most acts of `make run` in your own account and GitLab project, after a prompt (GITLAB_PROJECT=group/project)
	@GITLAB_PROJECT="$(GITLAB_PROJECT)" python -m tools.trial.run $(if $(ACTS),--acts $(ACTS)) \
	    $(if $(SCENARIOS),--scenarios $(SCENARIOS)) $(if $(CLEAN),--clean $(CLEAN))

# Its empty account needs the function and the local GitLab.
shell: ## a shell inside a local AWS, with the function for the example events, or in an empty one for the README's steps (EMPTY=1)
	@tools/run/start.sh $(if $(EMPTY),empty-shell,shell) $(MAKE) --silent --jobs=2 $(INSTALLED) $(if $(EMPTY),run-function)
	@python -m tools.run.shell $(if $(EMPTY),--empty)

lint: lint-format lint-python lint-rust lint-templates lint-prose lint-structure lint-brake lint-dependencies ## formatting, ruff, clippy, the template linters, prose, shape and size of the code, licences

# Licences, versions and sources. Cargo downloads missing crates.
lint-dependencies: $(INSTALLED)
	cargo-deny --locked --config tools/checks/deny.toml check licenses bans sources

audit: $(INSTALLED) $(AUDIT_INSTALLED) ## look up published advisories about the dependencies (needs github.com and pypi.org)
	@cargo-deny --locked --config tools/checks/deny.toml check || status=1; \
	for list in tools/requirements/*.txt; do \
	    .venv-audit/bin/pip-audit --progress-spinner off --strict --require-hashes --disable-pip --requirement $$list || status=1; \
	done; exit $$status

lint-format:
	cargo fmt --all --check

# ruff.toml has the width and the rules.
lint-python: $(INSTALLED)
	ruff format --check --quiet
	ruff check --quiet

lint-rust:
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-templates: $(INSTALLED)
	cfn-lint --regions us-east-1 eu-central-1 --template $(TEMPLATES) tests/deployment/templates/*.yaml tools/trial/scenes/*.yaml
	checkov --quiet --compact --skip-download $(TEMPLATES:%=--file %)

# The words of tools/checks/prose.yaml, and the length of sentences.
lint-prose: $(INSTALLED)
	@python -m tools.checks.prose

# Dependency cycles of modules, and the other rules of the code's structure.
lint-structure:
	@$(PYTHON) -m tools.checks.structure

# The size of each area and of each closed list, against tools/checks/brake.toml.
lint-brake: $(INSTALLED)
	@python -m tools.checks.brake

fuzz: ## fuzz every parser for SECONDS=60 each, and the function with 1,000 events for each of these seconds
	FUZZ_SECONDS=$(or $(SECONDS),60) cargo test --locked --workspace --test fuzz
	EVENT_FUZZ_SEED=$$RANDOM EVENT_FUZZ_COUNT=$$((1000 * $(or $(SECONDS),60))) cargo test --locked --test event_fuzz

defects: $(INSTALLED) ## plant one mistake after the other, and list which tests notice it, in target/defects.md
	@python -m tools.defects.run target/defects.md --compare tools/defects/noticed.md

# clippy's driver compiles the workspace like rustc, and reports its lints. `cargo clippy`, which sets the same variables,
# would read all dependencies a second time.
LINTED := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings

# Any integration test compiles the programs of its package, and the dependencies with the features of all tests: these
# two compile the function and the local GitLab.
test-function:
	$(LINTED) cargo test --locked --workspace --test schemas --test fake_aws --no-run
	@$(MAKE) local-function

# Not --all-targets: it takes libraries as benchmarks, and compiles those without tests a second time.
test-rust-compiled:
	$(LINTED) cargo test --locked --workspace --tests --examples --no-run

# With the PATH of the earlier compilation: with another one, crates that look for a C compiler are compiled again. A proxy of the
# machine would get the requests to the servers of the tests.
test-rust:
	HTTPS_PROXY= $(LINTED) cargo test --locked --workspace $(ARGUMENTS)

clean: ## remove all build output and installed tools
	cargo clean
	rm -rf .venv .venv-docs .venv-audit .aws-sam .local dist release site

# A copy of the installed requirements, so that a change installs them again. Without build isolation, pip builds with
# the installed packages. With it, pip would download the newest setuptools without checking a hash.
$(INSTALLED): $(addprefix tools/requirements/,all.txt run.txt build.txt cli.txt)
	@test -x .venv/bin/pip || $(MAKE) .venv/bin/pip
	@pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tools/requirements/build.txt
	@pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r tools/requirements/all.txt
	@cp tools/requirements/run.txt $(RUN_INSTALLED)
	@rm -rf .venv/cli
	@pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target .venv/cli --python-version 3.9 \
	    --platform manylinux2014_x86_64 -r tools/requirements/cli.txt
	@cp tools/requirements/all.txt $@

$(RUN_INSTALLED): tools/requirements/run.txt
	@test -x .venv/bin/pip || $(MAKE) .venv/bin/pip
	@pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tools/requirements/run.txt
	@cp tools/requirements/run.txt $@

# venv creates it last. In an environment without it, the machine's own pip would run.
.venv/bin/pip:
	@PATH="$(MACHINE_PATH)" $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; say which with PYTHON=..." >&2; exit 1; }
	@PATH="$(MACHINE_PATH)" $(PYTHON) -m venv .venv

# MkDocs has an environment of its own, because checkov and sam need older versions of some packages.
$(DOCS_INSTALLED) $(AUDIT_INSTALLED): .venv-%/installed-requirements.txt: tools/requirements/%.txt
	@PATH="$(MACHINE_PATH)" $(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@cp $< $@
