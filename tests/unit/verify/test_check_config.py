"""What daemons print of their own configuration; real ones answer in tests/e2e/test_checks_lab.py."""

import contextlib
import tracemalloc

import pytest
from tests.unit.verify.asking import ask, word

from stopgap.verify import nginx
from stopgap.verify.errors import Surprise

SSHD = "port 22\nport 2222\npermitrootlogin without-password\nlogingracetime 0\nbanner none\n"
TESTPARM = (
    "# Global parameters\n[global]\n\tserver min protocol = SMB2_02\n\tguest ok = No\n\tsmb ports = 445  139\n"
    "\tempty = \n\n\n[data one]\n\tguest ok = Yes\n\tpath = /srv/a = b\n"
)


def config(host, daemon, option, scope=None, **asked):
    return ask(host, "config", {"daemon": daemon, "option": option, "for": scope, **asked})


@pytest.mark.parametrize(
    ("option", "asked", "verdict", "said"),
    [
        ("LoginGraceTime", {"value": "0"}, "pass", "LoginGraceTime is 0"),
        ("logingracetime", {"value": "120"}, "fail", "is 0, not 120"),
        ("Port", {"value": "22"}, "fail", "is 22, 2222, not 22"),
        ("Port", {"matches": "^2222$", "lacks": "23"}, "pass", "22, 2222"),
        ("Port", {"lacks": "2222"}, "fail", "lacks '2222' does not hold"),
        ("NoSuchOption", {"lacks": "x"}, "unknown", "sshd does not say what it is"),
        ("NoSuchOption", {"exists": False}, "pass", "is not set"),
        ("NoSuchOption", {"exists": True, "has": "x"}, "fail", "is not set"),
        ("Banner", {"exists": False}, "fail", "is none"),
    ],
    ids=str,
)
def test_sshd(fake_tool, option, asked, verdict, said):
    host = fake_tool(sshd=f'[ "$*" = -T ] && printf "{SSHD}"')
    found = config(host, "sshd", option, **asked)
    assert (found[0], said in found[1]) == (verdict, True), found


def test_sshd_is_asked_for_one_connection(fake_tool):
    host = fake_tool(sshd='[ "$*" = "-T -C user=ann,addr=192.0.2.7" ] && echo "x11forwarding no"')
    scope = {"user": "ann", "addr": "192.0.2.7"}
    assert config(host, "sshd", "X11Forwarding", scope, value="no") == ("pass", "X11Forwarding is no")
    assert config(host, "sshd", "X11Forwarding", value="no")[0] == "unknown"
    assert config(host, "sshd", "X11Forwarding", {"user": "ann,addr=::1"}, value="no")[0] == "unknown"


def test_p04_a_configuration_that_does_not_parse_is_unknown_with_its_text(fake_tool):
    host = fake_tool(sshd='printf "port 22\\n"; echo "/etc/ssh/sshd_config line 7: Bad option" >&2; exit 255')
    verdict, reason = config(host, "sshd", "port", value="22")
    assert (verdict, "line 7: Bad option" in reason) == ("unknown", True)


@pytest.mark.parametrize(
    ("option", "scope", "asked", "verdict"),
    [
        ("Server Min PROTOCOL", None, {"value": "smb2_02"}, "pass"),
        ("serverminprotocol", None, {"value": "NT1"}, "fail"),
        ("smb ports", None, {"value": "445 139"}, "pass"),
        ("guest ok", None, {"value": "no"}, "pass"),
        ("guest ok", {"share": "Data One"}, {"value": "no"}, "fail"),
        ("server min protocol", {"share": "data one"}, {"value": "SMB2_02"}, "pass"),
        ("path", {"share": "data one"}, {"value": "/srv/a = b"}, "pass"),
        ("empty", None, {"lacks": "x"}, "pass"),
        ("min protocol", None, {"lacks": "NT1"}, "unknown"),  # testparm has the option's own name alone
        ("guest ok", {"share": "none"}, {"value": "no"}, "unknown"),
    ],
    ids=str,
)
def test_samba(fake_tool, option, scope, asked, verdict):
    assert config(fake_tool(testparm=f"printf '{TESTPARM}'"), "samba", option, scope, **asked)[0] == verdict


def test_a_daemon_nobody_knows_is_unknown(host):
    assert config(host, "sshdd", "port", value="22")[0] == "unknown"


def dump(**files):
    return "".join(f"# configuration file /etc/nginx/{name}:\n{text}\n\n" for name, text in files.items())


TOP = """
user www-data; # a } comment ;
events { worker_connections 768; }
http {
    ssl_protocols TLSv1.2 TLSv1.3;
    log_format main '$remote_addr "$request" {;}' ;
    map $host $x { default "a;b{"; ~^w{1 y; }
    include /etc/nginx/conf.d/*.conf;
    include sites/a;
}
"""
TOP = TOP.replace("~^w{1 y; ", "")
ONE = "server { listen 443 ssl; listen [::]:443 ssl; server_name one.example www.one.example; root /srv/${host}/x; }"
TWO = (
    "server {\n listen 127.0.0.1:8443 ssl;\n server_name two.example;\n ssl_protocols TLSv1;\n"
    " location ~ \\.php$ { autoindex on; }\n}"
)
FILES = {"nginx.conf": TOP, "conf.d/one.conf": ONE, "sites/a": TWO}


def settings(option, scope=None, **files):
    return nginx.settings(dump(**(files or FILES)), option, scope or {})


@pytest.mark.parametrize("spelled", ["./conf.d/*.conf", "conf.d//*.conf", "/etc/nginx//conf.d/./one.conf"])
def test_nginx_names_its_files_as_an_include_spells_them(spelled):
    """It puts the folder before it, and the name behind it, and changes nothing else."""
    path = spelled.replace("*", "one").removeprefix("/etc/nginx/")
    found = settings("root", None, **{"nginx.conf": f"http {{ include {spelled}; }}", path: ONE})
    assert found == {"http server one.example (443)": ["/srv/${host}/x"]}


ONE_PLACE, TWO_PLACE = "http server one.example (443)", "http server two.example (127.0.0.1:8443)"


@pytest.mark.parametrize(
    ("option", "scope", "found"),
    [
        ("ssl_protocols", None, {ONE_PLACE: ["TLSv1.2 TLSv1.3"], TWO_PLACE: ["TLSv1"]}),
        ("ssl_protocols", {"server": "www.one.example"}, {ONE_PLACE: ["TLSv1.2 TLSv1.3"]}),
        ("ssl_protocols", {"listen": "8443"}, {TWO_PLACE: ["TLSv1"]}),
        ("ssl_protocols", {"listen": "[::]:443"}, {ONE_PLACE: ["TLSv1.2 TLSv1.3"]}),
        ("worker_connections", None, {"events": ["768"]}),
        ("user", None, {ONE_PLACE: ["www-data"], TWO_PLACE: ["www-data"]}),
        ("listen", {"server": "one.example"}, {ONE_PLACE: ["443 ssl", "[::]:443 ssl"]}),
        ("root", None, {ONE_PLACE: ["/srv/${host}/x"], TWO_PLACE: None}),
        ("autoindex", None, {ONE_PLACE: None, TWO_PLACE: None, TWO_PLACE + " location ~ \\.php$": ["on"]}),
        ("mp4", None, {ONE_PLACE: None, TWO_PLACE: None}),
        ("default", None, {"http map $host $x": ["a;b{"]}),
    ],
    ids=str,
)
def test_nginx_directives_where_they_count(option, scope, found):
    assert settings(option, scope) == found


@pytest.mark.parametrize(
    ("listen", "heard"),
    [
        ("", {"80"}),
        ("listen 127.0.0.1;", {"80", "127.0.0.1"}),
        ("listen [::1];", {"80", "[::1]"}),
        ("listen localhost ssl;", {"80", "localhost"}),
        ("listen 127.0.0.1:8443;", {"8443", "127.0.0.1", "127.0.0.1:8443"}),
        ("listen [::1]:8443;", {"8443", "[::1]", "[::1]:8443"}),
        ("listen *:8443; listen unix:/run/x.sock;", {"8443", "*", "*:8443", "unix:/run/x.sock"}),
        ("listen 8000-8002;", {"8000", "8001", "8002", "8000-8002"}),
    ],
)
def test_p04_a_server_is_found_by_where_nginx_has_it_listen(listen, heard):
    text = f"events {{}} http {{ server {{ {listen} a on; }} server {{ listen 1; listen [::2]:1; a off; }} }}"
    asked = heard | {"80", "8443", "8001", "127.0.0.1", "[::1]", "localhost", "*"}
    scopes = [one for one in asked if "on" in _values_of("a", {"listen": one}, text)]
    assert set(scopes) == heard


def _values_of(option, scope, text):
    try:
        return [value for values in settings(option, scope, **{"nginx.conf": text}).values() for value in values]
    except Surprise:
        return []


def test_two_servers_of_one_name_are_two_places():
    text = "events {} http { server { listen 80; a 1; } server { listen 80; a 2; } }"
    assert list(settings("a", **{"nginx.conf": text}).values()) == [["1"], ["2"]]


@pytest.mark.parametrize(
    "files",
    [
        {"nginx.conf": "http { server {"},
        {"nginx.conf": "http { } }"},
        {"nginx.conf": "user a"},
        {"nginx.conf": "user 'a;"},
        {"nginx.conf": "user a;", "lost.conf": "x 1;"},
        {"nginx.conf": "http { content_by_lua_block { if x then return '}' end } }"},
    ],
    ids=str,
)
def test_p04_what_cannot_be_read_is_unknown(files):
    with pytest.raises(Surprise):
        settings("user", **files)


@pytest.mark.parametrize(
    "files",
    [
        {"nginx.conf": "include a; include a; include a;", "a": f"include b; {'x 1;' * 2**20}", "b": ""},
        {"nginx.conf": f"user '{'a' * 5000}';"},
    ],
    ids=["includes", "word"],
)
def test_p09_what_no_nginx_would_read_is_not_read(files, monkeypatch):
    """Files that include each other twice, thirty deep, are small to send, and never read to their end."""
    monkeypatch.setattr(nginx, "MOST_READ", 8 * 2**20, raising=False)
    with pytest.raises(Surprise, match=r"MiB|too long"):
        settings("user", **files)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("events {} http { server { listen 1-2000000; a 1; } server { listen 80; a 2; } }", {"listen": "80"}),
        (f"{'b' * 2**20};", {}),
        (f"'{'b' * 2**20}';", {}),
        ("".join(f"{'b' * 4000}{number} {{ a 1;" for number in range(150)) + "}" * 150, {}),
    ],
    ids=["ports", "word", "quoted", "places"],
)
def test_p09_a_small_configuration_takes_little_memory(text, scope):
    given = dump(**{"nginx.conf": text})
    tracemalloc.start()
    try:
        with contextlib.suppress(Surprise):
            nginx.settings(given, "a", scope)
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_nginx_verdicts(fake_tool, tmp_path):
    (tmp_path / "dump").write_text(dump(**FILES))
    host = fake_tool(nginx=f'[ "$*" = -T ] && cat {tmp_path}/dump')
    old = r"\bTLSv1(\s|$)"
    verdict, reason = config(host, "nginx", "ssl_protocols", lacks_match=old)
    assert (verdict, TWO_PLACE in reason) == ("fail", True)
    assert config(host, "nginx", "ssl_protocols", {"server": "one.example"}, lacks_match=old)[0] == "pass"
    assert config(host, "nginx", "root", lacks="x y")[0] == "unknown"  # of the other server only the default is known
    assert config(host, "nginx", "mp4", exists=False)[0] == "pass"
    assert config(host, "nginx", "autoindex", exists=False)[0] == "fail"
    assert config(host, "nginx", "user", {"server": "no.example"}, value="x")[0] == "unknown"
    assert word(fake_tool(nginx="echo 'nginx: [emerg] unexpected }' >&2; exit 1"), "config", {
        "daemon": "nginx", "option": "user", "value": "x"}) == "unknown"  # fmt: skip
