#!/bin/sh
# Turns a freshly bootstrapped tree into a lab host. Run by mmdebstrap: $1 = root of the tree, $2 = this folder.
set -eu
root=$1
recipe=$2

# Each host brings its own host key (init.sh); none may be shared through the image.
rm -f "$root"/etc/ssh/ssh_host_*

for user in ops opspw; do
    chroot "$root" useradd --create-home --shell /bin/bash "$user"
done
printf 'ops ALL=(ALL:ALL) NOPASSWD: ALL\nopspw ALL=(ALL:ALL) ALL\n' > "$root/etc/sudoers.d/stopgap-lab"
chmod 0440 "$root/etc/sudoers.d/stopgap-lab"

install -m 0755 "$recipe/init.sh" "$root/usr/local/sbin/stopgap-lab-init"

# Nothing may upgrade a host behind the back of a test.
chroot "$root" systemctl mask apt-daily.timer apt-daily.service apt-daily-upgrade.timer apt-daily-upgrade.service

# The options mmdebstrap was given stay in force on the host, under a name that says where they come from.
if [ -e "$root/etc/apt/apt.conf.d/99mmdebstrap" ]; then
    mv "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/apt/apt.conf.d/90stopgap-lab"
fi
