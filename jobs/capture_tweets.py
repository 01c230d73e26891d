"""Listen to X or Bluesky for ten minutes on Saturday night, score the tweets with AFINN-111, and report on their mood.

    python -m jobs.capture_tweets --source bluesky

Captures raw lines into data/captures, scores them and writes reports/capture_tweets/DATE.html; or scores recordings.
"""

from pathlib import Path
from typing import Any

import click

from lib.command import job
from lib.schedules import Schedule
from lib.tweets.options import settle

SCHEDULE = Schedule("sat 22:00", catch_up="none", deadline="3h", grace="5m")
HEADLINE = ("mean", "Mean valence", "signed")
X_URL, JETSTREAM_URL = "https://api.x.com", "wss://jetstream2.us-east.bsky.network"


def plan(options: Any) -> list[str]:
    """What --dry-run prints."""
    name = options.source
    if name == "replay":
        from lib.tweets.replay import recordings

        files = recordings(options.replay)
        size = sum(path.stat().st_size for path in files)
        return [*(f"reads {path}" for path in files), f"{len(files)} recordings of {size / 2**20:.1f} MiB"]
    where = f"{options.x_url}, the {options.x_stream} stream" if name == "x" else options.jetstream_url
    cap = f", at most {options.max_posts:,} posts" if name == "x" else ""
    return [f"listens to {where} for {options.minutes:g} minutes{cap}", f"captures into {options.data / 'captures'}"]


def migrations() -> list[Any]:
    """The migrations of this job's tables."""
    from lib.tweets.tables import migrations as of_tweets

    return [of_tweets]


@job(SCHEDULE, migrations=migrations, plan=plan, settle=settle, output="tweets", headline=HEADLINE)
@click.option(
    "--source",
    type=click.Choice(["x", "bluesky", "replay"]),
    help="Where to listen.  [default: x, or replay where --replay is given]",
)
@click.option(
    "--replay",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A recording, an archive of them, or a folder; may be repeated.",
)
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Play recordings at this multiple of real time.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, 150, min_open=True),
    default=10.0,
    show_default=True,
    help="How long to listen; recordings at full speed are read whole.",
)
@click.option(
    "--rule", type=click.Choice(["afinn", "words"]), default="afinn", show_default=True, help="How to find words."
)
@click.option(
    "--max-posts", type=click.IntRange(1), default=10_000, show_default=True, help="Posts of X to pay for, at most."
)
@click.option(
    "--x-stream", type=click.Choice(["filter", "sample"]), default="filter", show_default=True, help="Which of X's."
)
@click.option("--x-rule", help="X's rule to filter by.  [default: frequent English words without valence, sample:5]")
@click.option("--x-url", envvar="NIGHTDESK_X_URL", default=X_URL, show_default=True, help="X's base address.")
@click.option(
    "--jetstream-url", envvar="NIGHTDESK_JETSTREAM_URL", default=JETSTREAM_URL, show_default=True, help="Jetstream's."
)
@click.option(
    "--print", "print_what", type=click.Choice(["scores", "lines"]), help="Print the scores, or a line a tweet."
)
def capture_tweets(run: Any, options: Any) -> None:
    """Listen for ten minutes, score the tweets with AFINN-111, and report on their mood."""
    from lib.files import is_demo
    from lib.reports import settings_list
    from lib.settings import read_secret
    from lib.tweets import session, summary, tables
    from lib.tweets.afinn import scorer
    from lib.tweets.page import finished
    from lib.tweets.places import locate
    from lib.tweets.reading import read_tweets
    from lib.tweets.replay import replayed_lines
    from lib.tweets.scoring import score_tweets

    source = session.open_source(options, read_secret("x_bearer_token"))
    stop = run.stop_gently()  # from here on a signal ends the capture, and what came in is scored
    run.demo = run.demo or is_demo(options.replay)
    if source is None:
        material = session.from_recordings(options.replay, run.settings.data)
    else:
        with run.stage("listening", round(options.minutes * 60), "s") as advance:
            material = session.from_source(source, options, stop, advance, run=run)

    with run.stage("reading", unit="lines") as advance:
        read = read_tweets(
            replayed_lines(material.paths, run.repaired),
            reject=lambda reason, line, text: run.reject(
                reason, line=line, text=text.decode(errors="backslashreplace")
            ),
            foreign_rules=material.foreign_rules,
            known_gone=tables.deleted_before(run.db),
            go_on=lambda: source is not None or not stop.came,
            advance=advance,
        )
        material = session.ended(material, read, stop)
        session.forget(run, material, read)
    with run.stage("scoring", len(read.tweets), "tweets"):
        scored = score_tweets(read.tweets, scorer(options.rule))
        located = [locate(tweet) for tweet in read.tweets]
        evenings = tables.earlier(run.db, run.date, options.source, options.rule)
        before = tables.words_of(run.db, evenings[-1].run) if evenings else None
        found = summary.summarise(options.source, options.rule, material, read, scored, located, evenings, before)
    run.partial = bool(material.why_early)
    run.metrics = summary.metrics(found)
    run.message = summary.one_sentence(found)
    if options.print_what:
        run.lines = summary.printed(scored, options.print_what)
    run.save(lambda db: summary.save(db, run.id, found, scored, located))
    run.after_commit.append(lambda: session.drop_replaced(run))
    with run.stage("charts"):
        page = finished(found, run.date, run.settings.zone)
    run.report(
        "capture_tweets.html",
        packages=("afinn", "tweepy", "websockets", "numpy"),
        settings=settings_list(vars(options).items()),
        **page,
    )


def demo(data: Path) -> list[list[str]]:
    """Write demo recordings of three Saturdays under `data`; returns the options of a run each."""
    from lib.tweets.demo import SATURDAYS, write_demo_streams

    paths = write_demo_streams(data / "streams")
    return [
        ["--source", "replay", "--replay", str(path), "--date", str(day)]
        for path, day in zip(paths, SATURDAYS, strict=True)
    ]


if __name__ == "__main__":
    capture_tweets()
