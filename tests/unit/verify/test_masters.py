"""Which hosts may share a warm connection of ssh's."""

from stopgap.verify.masters import ALONE, keep_apart

HASHED = ("-o", 'ControlPath="/home/ann/.ansible/cp/0a1b2c3d4e"')


def told(*words, address="10.0.0.7"):
    return {"argv": ["ssh", *words, "-T", address, "sudo python3"], "python": "python3"}


def alone(connections):
    return [host for host, one in keep_apart(connections).items() if one["argv"][1:3] == ALONE]


def test_p04_two_machines_of_one_address_behind_two_jump_hosts_have_connections_of_their_own():
    connections = {
        "a": told("-J", "gate1", *HASHED),
        "b": told("-J", "gate2", *HASHED),
        "c": told("-o", "ControlPath=/x"),
    }
    assert alone(connections) == ["a", "b"]
    assert keep_apart(connections)["a"]["argv"] == ["ssh", *ALONE, *connections["a"]["argv"][1:]]
    assert keep_apart(connections)["c"] == connections["c"]


def test_one_machine_under_two_names_keeps_its_warm_connection():
    assert alone({"a": told(*HASHED), "b": told(*HASHED)}) == []


def test_a_path_of_sshs_own_tokens_is_another_one_for_each_address():
    mine = ("-oControlPath=~/.ssh/%C",)
    assert alone({"a": told(*mine), "b": told(*mine, address="10.0.0.8")}) == []
    assert alone({"a": told("-J", "gate", *mine), "b": told(*mine), "c": told(*mine, address="c")}) == ["a", "b"]


def test_one_path_for_all_is_nobodys():
    fixed = ("-o", "ControlPath=/tmp/one")
    assert alone({"a": told(*fixed), "b": told(*fixed, address="10.0.0.8")}) == ["a", "b"]


def test_what_is_no_ssh_is_left_alone():
    others = {
        "a": {"error": "no"},
        "b": {"ansible": {}, "python": "p"},
        "c": {"argv": ["sh", "-c", "x"], "python": "p"},
    }
    assert keep_apart(others) == others
