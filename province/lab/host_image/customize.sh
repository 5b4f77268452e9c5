#!/bin/sh
# Turns the unpacked root file system $1 into the host image: nothing runs but what roles switch on,
# and nothing is inside that two hosts must not share. Called by mmdebstrap as a customize hook.
set -eu
root=$1

# Only these start by themselves: the network from files, and SSH for the first contact.
cat > "$root/etc/systemd/system-preset.tmp" <<'PRESET'
enable systemd-networkd.service
enable ssh.service
enable logrotate.timer
disable *
PRESET
mkdir -p "$root/etc/systemd/system-preset"
mv "$root/etc/systemd/system-preset.tmp" "$root/etc/systemd/system-preset/00-host-image.preset"
chroot "$root" systemctl preset-all >/dev/null 2>&1
rm "$root/etc/systemd/system-preset/00-host-image.preset"

# A container may not load kernel modules; the unit would be the one failed unit of every host.
ln -sf /dev/null "$root/etc/systemd/system/systemd-modules-load.service"
# Waiting for every interface would hang a boot on a dead line; services bind what is there.
ln -sf /dev/null "$root/etc/systemd/system/systemd-networkd-wait-online.service"

# The kernel takes no router advertisement, from the first second on: networkd does where it is wanted.
# The glob is for interfaces that are there before these settings are read.
cat > "$root/etc/sysctl.d/10-host-image.conf" <<'SYSCTL'
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.default.accept_ra = 0
net.ipv6.conf.*.accept_ra = 0
SYSCTL

# SSH host keys are made inside each host, at the first start of its SSH server.
rm -f "$root"/etc/ssh/ssh_host_*
mkdir -p "$root/etc/systemd/system/ssh.service.d"
printf '# Makes the host keys that are missing, before the configuration is tested.\n[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' \
    > "$root/etc/systemd/system/ssh.service.d/00-host-keys.conf"

# Identity is the instance's: mmdebstrap copies the builder's name and resolver into the tree.
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' > "$root/etc/hosts"
rm -f "$root/var/lib/systemd/random-seed" "$root/var/lib/systemd/credential.secret"

# Keys and databases that packages made while they were unpacked.
rm -rf "$root"/var/lib/knot/* "$root"/var/lib/chrony/*
rm -f "$root"/etc/unbound/unbound_control.* "$root"/etc/unbound/unbound_server.*
rm -f "$root"/etc/kea/kea-api-password

# No password opens an account, on the console neither.
chroot "$root" passwd --quiet --lock root
find "$root/var/log" -type f -exec truncate --size 0 {} +
