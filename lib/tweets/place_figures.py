"""How the mood of places becomes charts: the US as tiles, countries as bars."""

import altair as alt

from lib.charts import INK, MUTED, RULE, Figure, figure, of_rows, tip
from lib.formats import signed
from lib.tweets.drawing import PLAIN_AXIS, ROW, WIDTH, colour, interval, short, signed_axis
from lib.tweets.gazetteer import STATES
from lib.tweets.places import TILES, PlaceMood, Places

MOST_COUNTRIES = 24


def states(places: Places) -> Figure | None:
    """The US as tiles: a state's code and its mean, the fuller the farther from zero; pale where tweets are too few."""
    if not places.states:
        return None
    known = {state.code: state for state in places.states}
    reach = max(abs(state.mean.value) for state in places.states) or 1.0
    rows = []
    for code, (row, column) in TILES.items():
        mean = known[code].mean.value if code in known else None
        rows.append(
            {
                "row": row,
                "column": column,
                "code": code,
                "mean": "" if mean is None else signed(mean),
                "sign": RULE if mean is None else colour(mean),
                "depth": 0.22 if mean is None else 0.14 + 0.46 * abs(mean) / reach,
                "ink": MUTED if mean is None else INK,
                "tip": tip(_told(known[code]) if code in known else f"{STATES[code]}: too few scored tweets"),
            }
        )
    base = of_rows(rows).encode(
        x=alt.X("column:O", axis=None, scale=alt.Scale(paddingInner=0.06)),
        y=alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.06)),
    )
    tiles = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("sign:N", scale=None), fillOpacity=alt.FillOpacity("depth:Q", scale=None), href="tip:N"
    )
    ink = alt.Color("ink:N", scale=None)
    codes = base.mark_text(dy=-6, fontWeight="bold").encode(text="code:N", color=ink)
    means = base.mark_text(dy=8).encode(text="mean:N", color=ink)
    first, last = places.states[0], places.states[-1]
    low = f" and the lowest {last.name} ({signed(last.mean.value)}, over {last.scored:,})" if last is not first else ""
    return figure(
        alt.layer(tiles, codes, means).properties(width=11 * 54, height=8 * 46),
        "Mood of the states",
        f"Of {len(places.states)} {'state' if len(places.states) == 1 else 'states'} with at least {places.minimum} "
        f"scored tweets the happiest is {first.name} ({signed(first.mean.value)}, over {first.scored:,} tweets){low}; "
        f"{places.in_states:,} of {places.scored:,} scored tweets lie in a state.",
        ("state", "code", "scored tweets", "mean", "low", "high"),
        [(STATES[each.code], each.code, *_place(each)) for each in places.states],
    )


def countries(places: Places) -> Figure | None:
    """Countries by their mean with its interval; the twenty-four with the most tweets."""
    if not places.countries:
        return None
    most = set(sorted(places.countries, key=lambda each: (-each.scored, each.code))[:MOST_COUNTRIES])
    shown = [each for each in places.countries if each in most]
    rows = [
        {
            "name": f"{short(each.name)} ({each.scored:,})",
            "mean": each.mean.value,
            "low": each.mean.low,
            "high": each.mean.high,
            "sign": colour(each.mean.value),
            "tip": tip(_told(each)),
        }
        for each in shown
    ]
    base = of_rows(rows).encode(y=alt.Y("name:N", sort=None, title=None, axis=PLAIN_AXIS))
    value = alt.X("mean:Q", title="mean valence, with its 95% interval", axis=signed_axis(7))
    bars = base.mark_bar(height=11, fillOpacity=0.55).encode(
        x=value, color=alt.Color("sign:N", scale=None), href="tip:N"
    )
    spans = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(stroke=INK, strokeWidth=1.2)
        .encode(x="low:Q", x2="high:Q")
    )
    zero = of_rows([{"mean": 0}]).mark_rule(stroke=MUTED).encode(x="mean:Q")
    first, last = shown[0], shown[-1]
    low = f", the lowest {last.name} ({signed(last.mean.value)}, over {last.scored:,})" if last is not first else ""
    return figure(
        alt.layer(bars, zero, spans).properties(width=WIDTH - 150, height=ROW * len(rows)),
        "Mood of the countries",
        f"The highest mean is that of {first.name} ({signed(first.mean.value)}, over {first.scored:,} tweets){low}; "
        f"{places.located:,} of {places.scored:,} scored tweets could be located.",
        ("country", "code", "scored tweets", "mean", "low", "high"),
        [(each.name, each.code, *_place(each)) for each in places.countries],
    )


def _place(place: PlaceMood) -> tuple[int, str, str, str]:
    return place.scored, *interval(place.mean)


def _told(place: PlaceMood) -> str:
    _, mean, low, high = _place(place)
    return f"{place.name}: {mean} ({low} to {high}) over {place.scored:,} scored tweets"
