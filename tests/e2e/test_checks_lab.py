"""The checks that ask daemons, on a real host with real daemons: nginx with TLS, sshd, Samba, needrestart."""

import pytest

from stopgap.lab import HostSpec
from stopgap.verify.agent import BOOTSTRAP
from stopgap.verify.backend import open_host
from tests.labs import lab_of
from tests.unit.verify.asking import ask

pytestmark = pytest.mark.lab

SITE = """\
server {
    listen 443 ssl;
    server_name web.example;
    ssl_protocols TLSv1.1 TLSv1.2;
    ssl_ciphers AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0;
    include /etc/nginx/snippets/certificate;
    add_header X-Frame-Options DENY;
    location /old { return 301 https://elsewhere.example/; }
    location / { return 200 "hello"; }
}
server { listen 8443 ssl; server_name new.example; ssl_protocols TLSv1.3; include snippets/certificate; }
"""
CERTIFICATE = "ssl_certificate /etc/ssl/web.pem; # a }\nssl_certificate_key '/etc/ssl/web.key';\n"
MAKE = "req -x509 -newkey rsa:2048 -nodes -keyout /etc/ssl/web.key -out /etc/ssl/web.pem -days 30 -subj /CN=web.example"
MATCH = "Match User ann\n    PasswordAuthentication no\n"
STALE = "[Service]\nExecStart=/usr/local/sbin/stale 100000\n"


@pytest.fixture(scope="module")
def lab():
    packages = ("nginx", "samba", "needrestart", "openssl", "ca-certificates")
    with lab_of("checks", *(HostSpec(name, "bookworm", packages) for name in ("one", "two"))) as lab:
        lab.exec("one", ["openssl", *MAKE.split(), "-addext", "subjectAltName=DNS:web.example"])
        lab.write_file("one", "/etc/nginx/snippets/certificate", CERTIFICATE)
        lab.write_file("one", "/etc/nginx/conf.d/web.conf", SITE)
        lab.write_file("one", "/etc/ssh/sshd_config.d/ann.conf", MATCH)
        lab.exec("one", ["systemctl", "restart", "nginx"])
        yield lab


@pytest.fixture
def host(lab):
    command = f"sudo /usr/bin/python3 -c '{BOOTSTRAP}'"
    argv = ["ssh", "-F", str(lab.ssh_config), "-T", "one", command]
    host = open_host("one", {"argv": argv, "python": "/usr/bin/python3"}, 60)
    yield host
    host.backend.close()


def test_what_nginx_answers_and_what_of_tls_it_takes(host):
    def http(verdict, said="", **params):
        found = ask(host, "http", {"url": "https://127.0.0.1/", **params})
        assert (found[0], said in found[1]) == (verdict, True), (params, found)

    header = {"Server": {"has": "nginx"}, "x-frame-options": {"matches": "^DENY$"}, "X-Powered-By": {"exists": False}}
    http("pass", status=200, header=header)
    http("fail", "Server: nginx/", status=200, header={"Server": {"lacks": "nginx/1"}})
    http("pass", "status 301", url="https://127.0.0.1/old", status=[301, 308])
    http("pass", accepts=["TLSv1.1", "TLSv1.2", "AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"])
    http("pass", refuses=["TLSv1.0", "TLSv1.3", "AES256-SHA"])
    http("fail", "TLSv1.1 is accepted (TLSv1.1 with AES128-SHA)", refuses=["TLSv1.0", "TLSv1.1"])
    http("fail", "TLSv1.3 is refused", accepts=["TLSv1.3"])
    http("pass", url="https://127.0.0.1:8443/", accepts=["TLSv1.3"], refuses=["TLSv1.0", "TLSv1.1", "TLSv1.2"])
    # Debian's OpenSSL has neither: what it cannot offer, it cannot prove to be refused
    http("unknown", "cannot offer it", refuses=["SSLv3"])
    http("unknown", "cannot offer it", refuses=["DES-CBC3-SHA"])
    http("unknown", "no handshake succeeds", url="https://127.0.0.1:80/", refuses=["TLSv1.0"])
    http("unknown", "no answer of HTTP", url="http://127.0.0.1:22/", status=200)
    http("unknown", "no address", url="https://web.example/", status=200)


def test_p04_a_server_of_another_host_proves_nothing(lab, host):
    """Also where its address may be bound here, as on each of a pair that shares one (keepalived)."""
    own, other = (f"http://{lab.host(name).address}/" for name in ("one", "two"))
    for bind in ("1", "0"):
        lab.exec("one", ["sysctl", "-qw", f"net.ipv4.ip_nonlocal_bind={bind}"])
        assert ask(host, "http", {"url": own, "status": 200})[0] == "pass"
        assert ask(host, "http", {"url": other, "status": 200, "timeout": 2})[0] == "unknown"


def test_a_certificate_is_trusted_once_the_hosts_store_has_it(lab, host):
    params = {"url": "https://web.example/", "address": "127.0.0.1", "verify": True}
    assert ask(host, "http", params)[0] == "fail"
    lab.exec("one", ["cp", "/etc/ssl/web.pem", "/usr/local/share/ca-certificates/web.crt"])
    lab.exec("one", ["update-ca-certificates"])
    assert ask(host, "http", params) == ("pass", "the certificate is trusted")
    assert ask(host, "http", {**params, "url": "https://other.example/"})[0] == "fail"


def test_daemons_tell_their_own_configuration(lab, host):
    def config(verdict, daemon, option, said="", **params):
        found = ask(host, "config", {"daemon": daemon, "option": option, **params})
        assert (found[0], said in found[1]) == (verdict, True), (params, found)

    config("pass", "sshd", "PermitEmptyPasswords", value="no")
    config("pass", "sshd", "Ciphers", lacks="cbc")
    config("fail", "sshd", "Port", "is 22, not 2222", value="2222")
    config("pass", "sshd", "PasswordAuthentication", value="no", **{"for": {"user": "ann"}})
    config("pass", "sshd", "PasswordAuthentication", value="yes", **{"for": {"user": "bob"}})
    config("fail", "nginx", "ssl_protocols", "web.example", lacks_match="TLSv1.1")
    config("pass", "nginx", "ssl_protocols", value="TLSv1.3", **{"for": {"server": "new.example"}})
    config("pass", "nginx", "ssl_certificate", value="/etc/ssl/web.pem", **{"for": {"listen": "8443"}})
    config("pass", "nginx", "user", value="www-data")
    config("pass", "nginx", "mp4", exists=False)
    config("unknown", "nginx", "server_tokens", "does not say", value="off")
    config("pass", "samba", "ServerMinProtocol", value="smb2_02")
    config("fail", "samba", "server role", value="domain controller")
    config("pass", "samba", "read only", value="yes", **{"for": {"share": "homes"}})
    config("unknown", "samba", "read only", "no share", value="yes", **{"for": {"share": "none"}})
    for daemon, file, option in (
        ("sshd", "/etc/ssh/sshd_config.d/bad.conf", "Port"),
        ("nginx", "/etc/nginx/conf.d/bad.conf", "user"),
    ):
        lab.write_file("one", file, "NoSuchThing on;\n")
        config("unknown", daemon, option, "bad.conf", exists=True)
        lab.exec("one", ["rm", file])
    lab.exec("one", ["mv", "/etc/samba/smb.conf", "/etc/samba/away"])
    config("unknown", "samba", "server role", "exit 1", exists=True)
    lab.exec("one", ["mv", "/etc/samba/away", "/etc/samba/smb.conf"])


def test_processes_and_what_needrestart_says_of_them(lab, host):
    assert ask(host, "process", {"name": "nginx", "user": "root", "running": True, "count": 1})[0] == "pass"
    assert ask(host, "process", {"args_match": "^nginx: worker", "user": "root", "running": False})[0] == "pass"
    lab.exec("one", ["cp", "/bin/sleep", "/usr/local/sbin/stale"])
    lab.write_file("one", "/etc/systemd/system/stale.service", STALE)
    lab.exec("one", ["systemctl", "start", "stale"])
    process = {"name": "stale", "args_match": " 100000$", "running": True}
    assert ask(host, "process", process)[0] == "pass"
    assert ask(host, "needrestart", {"unit": "stale"})[0] == "pass"
    lab.exec("one", ["sh", "-c", "cp /bin/sleep /usr/local/sbin/new && mv /usr/local/sbin/new /usr/local/sbin/stale"])
    assert ask(host, "needrestart", {"unit": "stale"}) == ("fail", "stale needs a restart")
    verdict, reason = ask(host, "needrestart", {"nothing_of": ["services"]})
    assert (verdict, "stale.service" in reason) == ("fail", True)
    assert ask(host, "needrestart", {"nothing_of": ["kernel"]})[0] == "unknown"  # a container
    lab.exec("one", ["systemctl", "stop", "stale"])
    assert ask(host, "needrestart", {"unit": "stale"})[0] == "pass"
    assert ask(host, "process", {**process, "running": False})[0] == "pass"


def test_a_unit_whose_command_has_several_lines(lab, host):
    """systemctl prints them as they are."""
    unit = '[Service]\nExecStart=/bin/sh -c "echo one\\necho two\\nexec sleep 100000"\n'
    lab.write_file("one", "/etc/systemd/system/lines.service", unit)
    lab.exec("one", ["systemctl", "start", "lines"])
    assert ask(host, "service", {"name": "lines", "running": True, "enabled": True}) == (
        "pass",
        "lines is active and static",
    )
    lab.exec("one", ["systemctl", "stop", "lines"])


def test_p04_a_proc_that_hides_processes_proves_nothing(lab):
    """hidepid on a mount of its own: the host's /proc stays as it is."""
    program = "unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc && exec runuser -u nobody -- python3 -c {}'"
    argv = ["ssh", "-F", str(lab.ssh_config), "-T", "one", "sudo " + program.format(f"'\\''{BOOTSTRAP}'\\''")]
    host = open_host("nobody", {"argv": argv, "python": "python3"}, 30)
    verdict, reason = ask(host, "process", {"name": "nginx", "running": False})
    assert (verdict, "does not show every process" in reason) == ("unknown", True), reason
    host.backend.close()
