#!/bin/sh
# PID 1 of a lab host until systemd takes over: what firmware and cloud-init do for a machine.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
seed=/stopgap-lab

# The kernel is the machine's: of its settings a host may change what its namespaces make its own, and reads the rest.
own="net fs/mqueue"
for name in hostname domainname sem msgmax msgmnb msgmni shmall shmmax shmmni shm_rmid_forced; do
    own="$own kernel/$name"
done
mount --bind /proc/sys /proc/sys
for part in $own; do
    mount --bind "/proc/sys/$part" "/proc/sys/$part"
done
mount -o remount,bind,ro /proc/sys

# The boot id is the kernel's, which all hosts share; a host that reboots must show a new one (as systemd-nspawn does).
cat /proc/sys/kernel/random/uuid > /run/stopgap-lab-boot-id
mount -o bind,ro /run/stopgap-lab-boot-id /proc/sys/kernel/random/boot_id

# First boot only: keys and passwords from the read-only folder that the lab mounts.
if [ ! -e /etc/stopgap-lab-seeded ]; then
    install -m 0600 "$seed/ssh_host_ed25519_key" /etc/ssh/ssh_host_ed25519_key
    install -m 0644 "$seed/ssh_host_ed25519_key.pub" /etc/ssh/ssh_host_ed25519_key.pub
    for user in ops opspw; do
        install -d -m 0700 -o "$user" -g "$user" "/home/$user/.ssh"
        install -m 0600 -o "$user" -g "$user" "$seed/authorized_keys" "/home/$user/.ssh/authorized_keys"
    done
    chpasswd < "$seed/passwords"
    if [ -d "$seed/ca" ]; then
        cp "$seed"/ca/*.crt /usr/local/share/ca-certificates/
        update-ca-certificates
    fi
    touch /etc/stopgap-lab-seeded
fi

# Nor may it load modules or set the clock.
exec setpriv --bounding-set=-sys_module,-sys_time /sbin/init
