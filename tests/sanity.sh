#!/usr/bin/env bash
# Runs the `ansible-test sanity` tests that need no network, on a clean export: ansible-test wants a git checkout rooted
# above ansible_collections/, and packs what lies beside it.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/ansible_collections/stopgap"
cp -R "$top/collections/ansible_collections/stopgap/remediation" "$work/ansible_collections/stopgap/remediation"
cd "$work/ansible_collections/stopgap/remediation"
rm -rf tests/output
git init --quiet . && git add --all .
# compile and import run on the versions at hand; a version that is not installed is named by ansible-test and left out
exec ansible-test sanity --color no "$@"
