"""Hosts by estate: the database is asked for many of one estate at a time."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

Host = tuple[str, str]  # estate, host


def by_estate(hosts: Iterable[Host]) -> Iterator[tuple[str, list[str]]]:
    for estate, group in groupby(sorted(set(hosts)), key=itemgetter(0)):
        yield estate, [host for _, host in group]
