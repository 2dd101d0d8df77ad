"""Pairs of versions that catch a naive comparison: real ones, and what a few small changes make of them. Seeded."""

import random

# Shapes seen in the Debian archive.
DPKG_TEXT = """
1.22.1-9+deb12u9 1.22.1-9+deb12u11 3.0.20-1~deb12u2 3.0.22-1~deb12u2 5:7.0.15-1~deb12u7 5:7.0.15-1~deb12u10 2.0-1
1:1.0-1 1.0~rc1 1.0 1.0~~ 1.0~ 1.0+b1 1.6.18-1 1.6.18-1+deb12u1 3.2.7-1+deb12u6 3.5.0+ds1-0+deb12u1 5.6.1-1
5.6.1+really5.4.5-1 1:1.3.dfsg+really1.3.1-1+b1 1:1.3.dfsg+really1.3.1-1+deb13u1 2.1.12-stable-8 1.9.13p3-1+deb12u3
1:8.9p1-3ubuntu0.9 1:8.9p1-3ubuntu0.10 0.105-26ubuntu1.1 1.0-1~bpo12+1 0:1.0 1.0-0 1.00 2 2-0~
"""
DPKG_PARTS = [".", "-", "+", "~", "a", "Z", "rc", "0", "1", "9", "10", "007", "deb12u", "+b", "+really", "ubuntu", ""]
# Shapes seen in AlmaLinux, Fedora and SUSE.
RPM_TEXT = """
1.20.1-14.el9 1:1.20.1-14.el9_2.1 5.14.0-427.13.1.el9_4 5.14.0-503.11.1.el9_5 8.7p1-34.el9_3.3 0.10.4-5.34.el9_3.3
1:1.24.0-7.module_el9.8.0+246+ef96a02d.1.alma.1 1.0~rc1-1 1.0^git1-1 1.0-1 2.4.57-5.el9 1.0~rc1^git1-1 1.0 0:1.0-1
5.14.21-150500.55.12.1 5.6.1.revertto5.4-3.2 1:0-0 2 6.2.20-1.el9_6 10_2-1 1.0.-1 1.0^-1 1.0^1~2-1
"""
RPM_PARTS = [".", "-", "+", "~", "^", "_", "a", "Z", "rc", "0", "1", "9", "10", "007", "00", "el9_4", "+really", "+b1"]
RPM_PARTS += [".module_el8.9.0+3746+91d5f3ac", "git20240101", ""]


DPKG, RPM = DPKG_TEXT.split(), RPM_TEXT.split()


def generated(count, seed, rpm=False):
    chance = random.Random(seed)  # noqa: S311
    real, parts = (RPM, RPM_PARTS) if rpm else (DPKG, DPKG_PARTS)

    def changed(version):
        for _ in range(chance.randint(0, 4)):
            place = chance.randint(version.find(":") + (1 if rpm else 2), len(version))
            version = version[:place] + chance.choice(parts) + version[place + chance.randint(0, 1) :]
        if chance.random() < 0.15:
            version = chance.choice(["0:", "1:", "2:", "10:", ""]) + version.rpartition(":")[2]
        return version.strip("-") if rpm else version.rstrip("-")  # a revision is not empty

    firsts = [chance.choice(real) for _ in range(count)]
    return [
        (changed(first) or "1", changed(first if chance.random() < 0.7 else chance.choice(real)) or "1")
        for first in firsts
    ]
