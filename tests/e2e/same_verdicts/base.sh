# Makes a lab host sound, with something there for every check to look at. Run by bash as root.
set -eu

# A web server with TLS 1.3 alone on 443
openssl req -x509 -newkey rsa:2048 -nodes -keyout /etc/ssl/web.key -out /etc/ssl/web.pem -days 30 -subj /CN=web.example
cat > /etc/nginx/conf.d/tls.conf <<'END'
server {
    listen 443 ssl;
    ssl_certificate /etc/ssl/web.pem;
    ssl_certificate_key /etc/ssl/web.key;
    ssl_protocols TLSv1.3;
}
END
systemctl restart nginx

# A package of its own, with a unit; `build_demo VERSION POSTINST`
cat > /usr/local/sbin/build_demo <<'END'
#!/bin/sh
set -eu
tree=$(mktemp -d -p /root)
mkdir -p "$tree/DEBIAN" "$tree/etc" "$tree/lib/systemd/system"
printf 'Package: demo\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: for a test\n' "$1" > "$tree/DEBIAN/control"
echo /etc/demo.conf > "$tree/DEBIAN/conffiles"
echo "demo $1" > "$tree/etc/demo.conf"
printf '[Service]\nExecStart=/bin/sleep 100000\n' > "$tree/lib/systemd/system/demo.service"
printf '#!/bin/sh\n%s\n' "$2" > "$tree/DEBIAN/postinst"
chmod 0755 "$tree" "$tree/DEBIAN/postinst"
dpkg-deb --build --root-owner-group "$tree" /root/demo.deb
rm -r "$tree"
END
# A person who may become root without a password: `add_person NAME SHELL`
cat > /usr/local/sbin/add_person <<'END'
#!/bin/sh
set -eu
useradd --create-home --shell "$2" "$1"
install -d -m 0700 -o "$1" -g "$1" "/home/$1/.ssh"
install -m 0600 -o "$1" -g "$1" /home/ops/.ssh/authorized_keys "/home/$1/.ssh/authorized_keys"
echo "$1 ALL=(ALL:ALL) NOPASSWD: ALL" > "/etc/sudoers.d/$1"
END
chmod 0755 /usr/local/sbin/*
build_demo 1.0 :
dpkg --install /root/demo.deb
printf '[Socket]\nListenStream=/run/demo.sock\n' > /etc/systemd/system/demo.socket
systemctl daemon-reload
systemctl start demo.socket

# Files with names and contents that are easily broken on their way
mkdir -p /srv/grün /srv/closed
printf 'Grüße=ja\n' > '/srv/grün/Ärger’s.txt'
printf 'owner=Ren\351\nsecure\n' > /srv/latin1.conf
echo here > '/srv/a b\\c'"'"'d"e!f$HOME`g`'
echo secret > /srv/closed/secret
chmod 0640 /srv/closed/secret
chmod 0700 /srv/closed
mkdir -p /etc/modprobe.d "/lib/modules/$(uname -r)"
touch "/lib/modules/$(uname -r)/modules.builtin"
printf 'install stopped /bin/false\n' > /etc/modprobe.d/stopped.conf
printf 'install odd /usr/local/bin/odd\n' > /etc/modprobe.d/odd.conf

mkdir -p /srv/apps /srv/broken
python3 -c 'import zipfile; zipfile.ZipFile("/srv/apps/app.jar", "w").writestr("org/x/Lookup.class", "x")'
cp /srv/apps/app.jar /srv/grün/Äpp.jar
head -c 100 /srv/apps/app.jar > /srv/broken/app.jar

mkdir -p /var/lib/stopgap/attested
echo '{"rekey": {"by": "ann", "at": "2026-11-01T00:00:00Z", "reason": "CHG-1", "revision": 3}}' > /var/lib/stopgap/attested/CVE-1.json
