#!/usr/bin/env bash
# Starts `make run`, `make test` and `make shell`: checks the machine, shows the next steps and their times, and
# installs and compiles what they need.
#
#     tools/run/start.sh run make .venv/installed-run-requirements.txt
#
# It needs neither Python nor Rust. PYTHON is the interpreter, python3 by default. REGION is the region of `make run`.
set -uo pipefail
target=$1
shift
python=${PYTHON:-python3}
missing=()

is_at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

case $target in
run) gigabytes=3
    text="installs Python packages into .venv and compiles the function into target. Then it
deploys to a local AWS and a local GitLab, breaks things, deletes everything, and shows each act.
It needs no AWS account.
On two cores this takes about 5 minutes the first time, and about 2 minutes later." ;;
test) gigabytes=8
    text="installs Python packages into .venv, compiles the function and its tests into target,
and runs the checks.
On two cores SCHEDULES=test takes about 10 minutes the first time, and about 5 minutes later." ;;
shell) gigabytes=2
    text="installs Python packages into .venv, starts a local AWS, and opens a shell in it.
It needs no AWS account.
This takes about 2 minutes the first time, and about 10 seconds later." ;;
empty-shell) target="shell EMPTY=1" gigabytes=3
    text="installs Python packages into .venv and compiles the function into target.
Then it starts a local AWS and a local GitLab, and opens a shell in a release folder.
It needs no AWS account.
On two cores this takes about 5 minutes the first time, and about 20 seconds later." ;;
esac

[ "$(uname -s)" = Linux ] || missing+=("Linux: this is $(uname -s). Use a Linux machine, or a container.")

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    missing+=("Rust $rust or newer: there is no cargo. Install it with rustup: https://rustup.rs")
# rustup installs the version of rust-toolchain.toml now, and shows its progress.
elif ! found=$(rustc --version | cut -d ' ' -f 2); then
    missing+=("Rust $rust or newer: \`rustc --version\` failed. Follow its message.")
elif ! is_at_least "$rust" "$found"; then
    missing+=("Rust $rust or newer: rustc is $found. Install a newer one with rustup: https://rustup.rs")
elif [ "$target" = test ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    missing+=("rustfmt and clippy: cargo lacks one of them. Install them: rustup component add rustfmt clippy")
fi

if ! command -v cc >/dev/null; then
    missing+=("a C compiler: there is no cc. Install it: apt-get install build-essential, or dnf install gcc.")
elif ! cc -fsyntax-only -x c - <<<'#include <stdlib.h>' 2>/dev/null; then
    missing+=("the C library's headers: cc finds no stdlib.h. Install them: apt-get install libc6-dev, or dnf install glibc-devel.")
fi

if ! found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
    missing+=("Python 3.11 or newer: $python does not start. Install it, or name another one: make $target PYTHON=python3.12")
elif ! is_at_least 3.11 "$found"; then
    missing+=("Python 3.11 or newer: $python is $found. Install it, or name another one: make $target PYTHON=python3.12")
elif [ ! -x .venv/bin/pip ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("Python's venv: $python cannot import it. Install it: apt-get install python$found-venv.")
fi

# The first with `git init --initial-branch`: https://github.com/git/git/blob/master/Documentation/RelNotes/2.28.0.txt
if ! command -v git >/dev/null; then
    missing+=("git 2.28 or newer: there is no git. Install it: apt-get install git, or dnf install git.")
elif found=$(git --version | cut -d ' ' -f 3) && ! is_at_least 2.28 "$found"; then
    missing+=("git 2.28 or newer: git is $found. Install a newer one.")
fi

free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ ! -d target/debug ] && [ "$free" -lt "$gigabytes" ]; then
    missing+=("$gigabytes GB of disk space: $PWD has $free GB. Free some, or use a clone on another disk.")
fi

if [ ${#missing[@]} -gt 0 ]; then
    printf '`make %s` did not start, because this machine lacks:\n' "$target" >&2
    printf -- '- %s\n' "${missing[@]}" >&2
    exit 1
fi
if [ "$target" = run ] && [ -n "${REGION:-}" ]; then
    "$python" -m tools.run.regions "$REGION" || exit
fi
printf '`make %s` %s\n\n' "$target" "$text"
[ $# -gt 0 ] || exit 0

# A process group of its own. Ctrl-C would reach make, pip and cargo, and each would report it.
set -m
trap 'exec 2>/dev/null  # bash reports a killed job
      kill -KILL -- -$!
      printf "\nInterrupted, and nothing runs any more: the next \`make %s\` continues from here.\n" "$target"
      exit 130' INT TERM HUP
"$@" &
wait $!
