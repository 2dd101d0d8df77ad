"""The role's own promises. The checks of the remedy run beside them; molecule needs at least one file of tests."""


def test_nginx_answers(host):
    assert host.socket("tcp://0.0.0.0:80").is_listening


def test_no_process_runs_what_the_update_replaced(processes_on_old_code):
    assert processes_on_old_code == []


def test_the_installed_version_is_one_that_the_remedy_names(host, remedy):
    named = {one["name"]: one["fixed_in"] for one in remedy["affected"]["packages"]}
    assert host.package("nginx").is_installed
    assert "debian-12" in named["nginx"]
