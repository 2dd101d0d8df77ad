"""What holds of every due date, whatever the facts."""

import random
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.risk.makers import CVE, NOW, case

from stopgap.risk.due import as_due, end_of, find_dates
from stopgap.risk.facts import About, Feeds, RemedyFacts, gather
from stopgap.risk.order import Judge, order_of_work
from stopgap.risk.policy import NONE, Policy

days = st.dates(date(2021, 1, 1), date(2027, 1, 1))
listings = st.none() | st.builds(
    lambda added, more: {"added": str(added), "due": str(added + more)},
    days,
    st.integers(-400, 400).map(lambda count: timedelta(days=count)),
)
remedies = st.builds(
    RemedyFacts,
    st.just(CVE),
    automatable=st.sampled_from([True, False, None]),
    technical_impact=st.sampled_from(["partial", "total", None]),
)
exposures = st.sampled_from(["internet", "internal", "isolated", ""])
rules = st.fixed_dictionaries(
    {
        "when": st.fixed_dictionaries({}, optional={"kev": st.booleans(), "exposure": exposures.filter(bool)}),
        "days": st.integers(0, 90),
        "why": st.just("x"),
    }
)
policies = st.builds(
    lambda told, own: Policy.model_validate({"apiVersion": "stopgap/v1", "rules": told, "kev_due_date": own}),
    st.lists(rules, max_size=3),
    st.sampled_from(["earliest", "always", "ignore"]),
)


def due(remedy, exposure, listing, since, policy=NONE, now=NOW):
    feeds = Feeds({CVE: listing} if listing else {}, {}, "KEV", "EPSS")
    facts = gather(remedy, About(exposure=exposure), feeds, policy)
    return as_due(find_dates(facts, since, policy), facts, now)


def moment(told):
    return told.due_at or datetime.max.replace(tzinfo=UTC)


@given(remedies, exposures, listings, days, policies)
@settings(max_examples=200)
def test_the_earliest_date_that_is_used_decides(remedy, exposure, listing, since, policy):
    told = due(remedy, exposure, listing, since, policy)
    used = [end_of(one.due) for one in told.candidates if one.used and one.due]
    assert told.due_at == min(used, default=None)
    assert told.overdue == (told.due_at is not None and told.due_at < NOW)
    assert told.decided_by in told.candidates


@given(remedies, exposures, listings, days)
@settings(max_examples=200)
def test_more_exposure_never_gives_more_time(remedy, exposure, listing, since):
    assert moment(due(remedy, "internet", listing, since)) <= moment(due(remedy, exposure, listing, since))
    assert due(remedy, "", listing, since).due_at == due(remedy, "internet", listing, since).due_at


@given(remedies, exposures, listings.filter(bool), days)
@settings(max_examples=200)
def test_a_listing_in_kev_never_gives_more_time(remedy, exposure, listing, since):
    assert moment(due(remedy, exposure, listing, since)) <= moment(due(remedy, exposure, None, since))


@given(remedies, exposures, listings, days)
@settings(max_examples=200)
def test_without_a_policy_nothing_is_due_before_the_host_was_known(remedy, exposure, listing, since):
    told = due(remedy, exposure, listing, since)
    assert told.due_at is None or told.due_at.date() >= since


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "host": st.sampled_from("abcdef"),
                "exposed_at": st.sampled_from([None, "2026-11-01", "2026-11-21"]),
                "exposure": exposures,
                "state": st.sampled_from(["unknown", "exposed", "mitigated", "patched", "fixed"]),
                "flags": st.sampled_from([[], ["regressed"], ["mitigation_lost"]]),
                "criticality": st.sampled_from(["low", "high", ""]),
                "accepted_until": st.sampled_from([None, "2026-11-01", "2027-01-01"]),
            }
        ),
        unique_by=lambda told: told["host"],
    ),
    st.integers(),
)
@settings(max_examples=100)
def test_the_order_does_not_hang_on_how_cases_come_in(told, seed):
    cases = [case(said) for said in told]
    shuffled = random.Random(seed).sample(cases, len(cases))  # noqa: S311
    feeds = Feeds({}, {}, "KEV", "EPSS")
    first, second = (
        [one.case.host for one in order_of_work(order, Judge({}, feeds, NONE, NOW))] for order in (cases, shuffled)
    )
    assert first == second
    assert len(first) == sum(one.state != "fixed" for one in cases)
