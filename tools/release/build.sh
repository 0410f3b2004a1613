#!/usr/bin/env bash
# Builds target/lambda/cfn-gitops/bootstrap for x86_64.
#
# zig links it against the glibc that the target ends in, however new this machine's is.
set -euo pipefail
target=x86_64-unknown-linux-gnu
# Without rustup (a distribution's Rust) the toolchain holds what it holds.
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "Rust's target $target is not installed: rustup target add $target" >&2
    exit 1
fi
# Panics name source files. Without this, those of dependencies begin with the user's home folder, and
# two users' builds differ.
cargo fetch --locked --target "$target"
flags="--remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_TARGET_DIR:-$PWD/target}=target"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    flags+=" --remap-path-prefix=${registry%/}=/crates"
done
# Where the toolchain has Rust's own source, its paths are the machine's, too.
flags+=" --remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"
export RUSTFLAGS="${RUSTFLAGS:-} $flags"
cargo lambda build --release --locked --target "$target.2.34"
