"""How the numbers of topics that were tried compare, as a chart."""

from typing import Any

import altair as alt

from lib.charts import ACCENT, INK, MUTED, Figure, figure, of_rows, tip
from lib.topics.choose import Choice


def numbers(choice: Choice) -> Figure | None:
    """The score of each number of topics with its standard error; None where one was given and none tried."""
    if len(choice.trials) < 2:
        return None
    rows: list[dict[str, Any]] = [
        {
            "topics": str(trial.topics),
            "score": score,
            "low": score - error,
            "high": score + error,
            "colour": ACCENT if trial.topics == choice.topics else MUTED,
            "tip": tip(
                f"{trial.topics} topics: coherence {trial.coherence:.3f}, {trial.stability:.0%} of words found again"
            ),
        }
        for trial, (score, error) in zip(choice.trials, choice.scores, strict=True)
    ]
    x = alt.X("topics:N", sort=None, title="topics", axis=alt.Axis(labelAngle=0, labelColor=INK))
    base = of_rows(rows).encode(x=x)
    scale = alt.Scale(domain=[min(0.0, *(row["low"] for row in rows)), max(1.0, *(row["high"] for row in rows))])
    line = base.mark_line(stroke=MUTED, strokeWidth=1).encode(y=alt.Y("score:Q", title="score", scale=scale))
    bars = base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q", stroke=alt.Stroke("colour:N", scale=None))
    dots = base.mark_circle(size=90, opacity=1).encode(
        y="score:Q", fill=alt.Fill("colour:N", scale=None), href=alt.Href("tip:N")
    )
    best = max(zip(choice.scores, choice.trials, strict=True), key=lambda pair: pair[0][0])[1]
    said = f"{choice.topics} topics were taken"
    if best.topics != choice.topics:
        said += f", last week’s number: {best.topics} scored higher, but by less than a standard error"
    return figure(
        alt.layer(line, bars, dots).properties(width=520, height=220),
        "How many topics",
        f"{said}.",
        ("topics", "coherence (NPMI)", "words found again", "score", "standard error"),
        [
            (trial.topics, f"{trial.coherence:.3f}", f"{trial.stability:.0%}", f"{score:.2f}", f"{error:.2f}")
            for trial, (score, error) in zip(choice.trials, choice.scores, strict=True)
        ],
    )
