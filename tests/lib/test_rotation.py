"""The rotation: bounded, steady, and never without the newest."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lib.rotation import reasons, to_drop

MOMENTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    max_size=60,
)
COUNTS = st.fixed_dictionaries({"daily": st.integers(0, 9), "weekly": st.integers(0, 9), "monthly": st.integers(0, 14)})


@given(MOMENTS, COUNTS)
def test_the_newest_is_kept_and_no_more_than_the_counts(made, counts):
    kept = set(made) - to_drop(made, **counts)
    assert bool(kept) == bool(made)
    if made:
        assert max(made.values()) in {made[name] for name in kept}
        assert len(kept) <= max(1, sum(counts.values()))


@given(MOMENTS, COUNTS)
def test_a_second_look_drops_nothing_more(made, counts):
    kept = {name: made[name] for name in set(made) - to_drop(made, **counts)}
    assert to_drop(kept, **counts) == set()


@given(MOMENTS, COUNTS)
def test_more_places_never_drop_what_fewer_keep(made, counts):
    more = {name: count + 1 for name, count in counts.items()}
    assert to_drop(made, **more) <= to_drop(made, **counts)


@given(MOMENTS, st.integers(1, 9))
def test_each_of_the_last_days_with_a_backup_keeps_its_newest(made, daily):
    kept = set(made) - to_drop(made, daily=daily, weekly=0, monthly=0)
    days = sorted({moment.date() for moment in made.values()}, reverse=True)[:daily]
    assert sorted({made[name].date() for name in kept}, reverse=True) == days
    for name in kept:
        assert made[name] == max(each for each in made.values() if each.date() == made[name].date())


def test_two_years_of_nights_leave_days_weeks_and_months():
    kept: dict[str, datetime] = {}
    first = datetime(2024, 1, 1, 5, 30, tzinfo=UTC)
    for night in range(730):
        moment = first + timedelta(days=night)
        kept[moment.date().isoformat()] = moment
        for name in to_drop(kept, daily=7, weekly=5, monthly=12):
            del kept[name]
        assert len(kept) <= 24
    last = first + timedelta(days=729)
    assert {(last - timedelta(days=back)).date().isoformat() for back in range(7)} <= set(kept)
    assert len({moment.isocalendar()[:2] for moment in kept.values()}) >= 5
    assert len({(moment.year, moment.month) for moment in kept.values()}) == 12
    assert min(kept.values()) > last - timedelta(days=366)


def test_the_page_can_say_why_each_is_kept():
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    made = {"a": monday, "b": monday - timedelta(days=1), "c": monday - timedelta(days=2)}
    assert reasons(made, daily=1, weekly=2, monthly=1) == {
        "a": ["newest", "day", "week", "month"],
        "b": ["week"],
        "c": [],
    }
