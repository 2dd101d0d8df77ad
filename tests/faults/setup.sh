#!/bin/sh
# What the faults need beside the lab and PostgreSQL: Debian's faketime, which moves the clock of one process.
set -eu
command -v faketime > /dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
  echo "the fault tests need faketime: install your system's package, on Debian \`apt-get install faketime\`" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --yes --no-install-recommends faketime
