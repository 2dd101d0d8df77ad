"""Which Debian package brings a program or a unit. One line adds one; a package of the same name needs none."""

PROGRAMS = {
    "apache2ctl": "apache2",
    "apachectl": "apache2",
    "a2dismod": "apache2",
    "a2query": "apache2",
    "chattr": "e2fsprogs",
    "lsattr": "e2fsprogs",
    "chronyd": "chrony",
    "crontab": "cron",
    "cupsctl": "cups",
    "cupsd": "cups-daemon",
    "docker": "docker.io",
    "doveconf": "dovecot-core",
    "exim": "exim4-daemon-light",
    "exim4": "exim4-daemon-light",
    "fail2ban-client": "fail2ban",
    "getfacl": "acl",
    "setfacl": "acl",
    "java": "default-jre-headless",
    "lpstat": "cups-client",
    "modprobe": "kmod",
    "lsmod": "kmod",
    "modinfo": "kmod",
    "mysql": "mariadb-client",
    "mariadb": "mariadb-client",
    "mysqld": "mariadb-server",
    "named-checkconf": "bind9-utils",
    "named": "bind9",
    "rndc": "bind9-utils",
    "nft": "nftables",
    "node": "nodejs",
    "php": "php-cli",
    "ping": "iputils-ping",
    "postconf": "postfix",
    "postgres": "postgresql",
    "psql": "postgresql-client",
    "redis-cli": "redis-tools",
    "rsyslogd": "rsyslog",
    "smbd": "samba",
    "smbcontrol": "samba",
    "smbpasswd": "samba-common-bin",
    "slapd": "slapd",
    "slapcat": "slapd",
    "ss": "iproute2",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "sudoedit": "sudo",
    "sysctl": "procps",
    "testparm": "samba-common-bin",
    "udisksctl": "udisks2",
    "unbound-checkconf": "unbound",
    "unbound-control": "unbound",
    "varnishadm": "varnish",
    "visudo": "sudo",
    "xz": "xz-utils",
    "zgrep": "gzip",
}
UNITS = {
    "atd": "at",
    "autofs": "autofs",
    "avahi-daemon": "avahi-daemon",
    "bluetooth": "bluez",
    "cron": "cron",
    "cups": "cups-daemon",
    "docker": "docker.io",
    "dovecot": "dovecot-core",
    "exim4": "exim4-daemon-light",
    "mariadb": "mariadb-server",
    "mysql": "mariadb-server",
    "named": "bind9",
    "nfs-server": "nfs-kernel-server",
    "nmbd": "samba",
    "polkit": "polkitd",
    "smbd": "samba",
    "ssh": "openssh-server",
    "sshd": "openssh-server",
    "tomcat9": "tomcat9",
}


def package_of_program(program: str, known: set[str]) -> str | None:
    name = program.rpartition("/")[2]
    return _known(PROGRAMS.get(name, name), known)


def package_of_unit(unit: str, known: set[str]) -> str | None:
    stem = unit.rpartition(".")[0] if unit.endswith((".service", ".socket", ".timer", ".path")) else unit
    name = stem.partition("@")[0]
    return _known(UNITS.get(name, name), known)


def _known(package: str, known: set[str]) -> str | None:
    return package if package in known else None
