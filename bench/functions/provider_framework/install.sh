#!/usr/bin/env bash
# Installs what package-lock.json names, and lays out both functions as they would be deployed: dist/framework,
# which is CDK's own files, and dist/user. ../node/install.sh has to be run first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Its Node, its runtime client and esbuild are there.
cmp --silent ../node/package-lock.json ../node/node_modules/.installed-package-lock.json \
    || { echo "it needs bench/functions/node, which is not installed" >&2; exit 1; }
if ! cmp --silent package-lock.json node_modules/.installed-package-lock.json; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.installed-package-lock.json
fi

rm -rf dist
mkdir -p dist/framework
cp node_modules/aws-cdk-lib/custom-resources/lib/provider-framework/runtime/*.js framework_entry.js dist/framework/
../node/node_modules/.bin/esbuild user.js --bundle --minify --platform=node --target=node22 \
    --outfile=dist/user/user.js --log-level=warning
