"""Choosing networks and addresses that nobody has."""

from ipaddress import IPv4Network
from itertools import islice

import pytest

from stopgap.lab import LabError
from stopgap.lab.network import CANDIDATES, choose_subnet, free_addresses


def test_a_network_in_use_is_passed_over():
    taken = [IPv4Network("192.0.2.0/24"), IPv4Network("10.90.3.0/24")]
    assert choose_subnet(taken) == IPv4Network("10.91.0.0/16")


def test_a_chosen_network_goes_before_all():
    assert choose_subnet([], "172.30.0.0/20") == IPv4Network("172.30.0.0/20")


@pytest.mark.parametrize("text", ["here", "10.0.0.1/8"])
def test_a_wrong_choice_is_named(text):
    with pytest.raises(LabError, match="STOPGAP_LAB_SUBNET"):
        choose_subnet([], text)


def test_no_free_network_names_the_way_out():
    with pytest.raises(LabError, match="STOPGAP_LAB_SUBNET"):
        choose_subnet(CANDIDATES)


def test_every_free_address_is_given_once():
    subnet = IPv4Network("192.0.2.0/29")  # .1 is the gateway, .7 the broadcast
    given = list(islice(free_addresses(subnet, ["192.0.2.4"]), 4))
    assert sorted(given) == ["192.0.2.2", "192.0.2.3", "192.0.2.5", "192.0.2.6"]


def test_a_full_network_says_so():
    addresses = free_addresses(IPv4Network("192.0.2.0/30"), ["192.0.2.2"])
    with pytest.raises(LabError, match="taken"):
        next(addresses)
