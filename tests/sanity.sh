#!/usr/bin/env bash
# Runs `ansible-test sanity` on a clean export: it wants ansible_collections/<namespace>/<name>/ in a git checkout of its own.
# Left out: pslint (no PowerShell here). The tests that need packages get them from the package index, as `make setup` does.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/ansible_collections/stopgap" "$work/home/.ansible/test/cache"
cp -R "$top/collections/ansible_collections/stopgap/remediation" "$work/ansible_collections/stopgap/remediation"
# ansible-test fetches a script that installs pip; Python's own ensurepip does the same without the network
for release in 20_3_4 21_3_1 24_2; do
  printf 'import runpy, sys\nsys.argv = ["ensurepip", "--default-pip"]\nrunpy.run_module("ensurepip", run_name="__main__")\n' \
    > "$work/home/.ansible/test/cache/get_pip_$release.py"
done

cd "$work/ansible_collections/stopgap/remediation"
rm -rf tests/output
git init --quiet . && git add --all .
# real interpreters only: a version manager's shims answer for versions that are not there
PATH="$top/.venv/bin:/usr/local/bin:/usr/bin:/bin" HOME="$work/home" \
  ansible-test sanity --color no --skip-test pslint "$@"
