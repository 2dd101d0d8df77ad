#!/bin/sh
# PostgreSQL's server programs, which tests/postgres.py starts servers from. Installed by apt when they are nowhere
# and we are root on a Debian; elsewhere one sentence, and the tests that need them fail with the same.
set -eu
command -v initdb > /dev/null && exit 0
for initdb in /usr/lib/postgresql/*/bin/initdb; do [ -x "$initdb" ] && exit 0; done
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
  echo "the ledger's tests need PostgreSQL's server programs (initdb): install your system's package, on Debian \`apt-get install postgresql\`" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
# First the part that makes a server on port 5432 at every installation, and told not to.
apt-get install --yes --no-install-recommends postgresql-common
sed -i 's/^#\?create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get install --yes --no-install-recommends postgresql
