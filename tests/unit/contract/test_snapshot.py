"""Two snapshots side by side: every kind of difference is named."""

from stopgap.contract.snapshot import differences, in_words, noise

FILE = {"mode": "0o100644", "owner": "0:0", "content": "aa", "mtime": 1}


def snapshot(**kinds):
    return {"file": {"/etc/a": FILE}, "unit": {}, "package": {}, **kinds}


def test_the_same_is_no_difference():
    assert differences(snapshot(), snapshot()) == []


def test_each_difference_says_what_it_is():
    changed = FILE | {"content": "bb", "mode": "0o100600"}
    after = snapshot(file={"/etc/a": changed, "/etc/new": FILE}, unit={"x.service": "masked, inactive"})
    assert differences(snapshot(unit={"y.service": "enabled, active"}), after) == [
        "file /etc/a: content, mode 0o100644 became 0o100600",
        "file /etc/new is new",
        "unit x.service is new",
        "unit y.service is gone",
    ]


def test_a_file_written_as_it_was_at_another_time_is_a_difference():
    after = snapshot(file={"/etc/a": FILE | {"mtime": 2}})
    assert differences(snapshot(), after) == ["file /etc/a: mtime 1 became 2"]


def test_many_differences_are_counted():
    assert in_words(str(n) for n in range(9)) == "0; 1; 2; 3; 4; 5 and 3 more"


def test_what_changes_by_itself_is_known_by_its_path_and_what_comes_and_goes_by_its_folder():
    before = {"file": {"/etc/a": 1, "/etc/b": 1, "/var/lib/samba/msg/1": 1}}
    after = {"file": {"/etc/a": 1, "/etc/b": 2, "/var/lib/samba/msg/2": 1, "/etc/new": 1}}
    assert noise(before, after) == ["/etc/b", "/var/lib/samba/msg"]


def test_a_file_written_anew_as_it_was_differs_by_its_time_alone():
    before = {"file": {"/etc/x": {"content": "1", "mtime": 1}}, "unit": {}}
    anew = {"file": {"/etc/x": {"content": "1", "mtime": 2}}, "unit": {}}
    other = {"file": {"/etc/x": {"content": "2", "mtime": 2}}, "unit": {}}
    assert differences(before, anew) == ["file /etc/x: mtime 1 became 2"]
    assert differences(before, anew, times=False) == []
    assert differences(before, other, times=False) == ["file /etc/x: content"]
