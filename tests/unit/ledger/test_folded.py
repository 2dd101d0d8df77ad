"""A fold as text."""

from stopgap.ledger import folded
from stopgap.ledger.facts import Entry, Facts, Proof
from stopgap.ledger.projection import Fold, Story
from stopgap.ledger.reopening import Basis


def test_the_same_fold_is_the_same_text_wherever_its_words_come_from():
    """Only what there is one of may be a default (see folded): else a kept case differs from a rebuilt one."""
    for shape in (Facts, Entry, Proof, Story, Basis):
        odd = [one for one in shape.__struct_defaults__ if isinstance(one, str) and one]
        assert not odd, f"{shape.__name__} has the default {odd}"
    told, parsed = "applied", "".join(["app", "lied"])
    assert told is not parsed
    texts = {
        folded.to_text(Fold(Facts(entries={"E": Entry("E", state=state)}), Story(state=state)))
        for state in (told, parsed)
    }
    assert len(texts) == 1
    again = {folded.to_text(folded.from_text(text)) for text in texts}
    assert again == texts


def test_what_is_no_fold_is_none():
    for text in ("", "{}", "nonsense", '{"format": 0}', '{"format": 2, "fold": {"facts": 7}}'):
        assert folded.from_text(text) is None
