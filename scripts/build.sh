#!/usr/bin/env bash
# Builds target/lambda/cfn-gitops/bootstrap for x86_64 or arm64.
#
# zig links it against the glibc that the target ends in, however new this machine's is.
set -euo pipefail
architecture=${1:?x86_64 or arm64}
case $architecture in
    x86_64) target=x86_64-unknown-linux-gnu ;;
    arm64) target=aarch64-unknown-linux-gnu ;;
    *) echo "ARCHITECTURE is x86_64 or arm64, not $architecture" >&2; exit 2 ;;
esac
# Without rustup (a distribution's Rust) the toolchain holds what it holds.
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "Rust's target $target is not installed: rustup target add $target" >&2
    exit 1
fi
cargo lambda build --release --locked --target "$target.2.34"
