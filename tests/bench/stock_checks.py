"""The six checks of remedies/ as ordinary testinfra tests, as its own documentation writes them."""


def test_package(host):
    assert host.package("nginx").is_installed
    assert host.package("nginx").version >= "1.18"


def test_service(host):
    nginx = host.service("nginx")
    assert nginx.is_running
    assert nginx.is_enabled


def test_socket(host):
    assert host.socket("tcp://0.0.0.0:8080").is_listening


def test_file(host):
    configuration = host.file("/etc/nginx/nginx.conf")
    assert configuration.mode == 0o644
    assert configuration.contains("worker_connections ")


def test_command(host):
    assert "listen 8080 http2;" in host.check_output("nginx -T")


def test_sysctl(host):
    assert host.sysctl("net.ipv4.tcp_syncookies") == 1
