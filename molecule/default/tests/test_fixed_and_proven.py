"""What stands on the host at the end, asked by testinfra; and what the ledger says of it."""

import json
import os
import subprocess

DROP_IN = "/etc/nginx/conf.d/stopgap-CVE-2023-44487.conf"


def test_the_fixed_version_is_installed(host):
    version = host.run("dpkg-query -W -f '${source:Version}' nginx").stdout
    assert host.run_expect([0, 1], f"dpkg --compare-versions {version} ge 1.22.1-9+deb12u11").rc == 0


def test_nginx_runs_the_new_code(host):
    assert host.service("nginx").is_running
    with host.sudo():
        assert "(deleted)" not in host.run("ls -l /proc/$(cat /run/nginx.pid)/exe").stdout


def test_the_mitigation_is_lifted(host):
    assert not host.file(DROP_IN).exists
    with host.sudo():
        assert host.run("nginx -t").rc == 0


def test_the_ledger_says_fixed():
    books = subprocess.run(["stopgap", "status", "--json"], check=True, capture_output=True, env=os.environ)
    cases = {(case["host"], case["remedy"]): case["state"] for case in json.loads(books.stdout)["cases"]}
    assert cases[("web1", "CVE-2023-44487")] == "fixed"
