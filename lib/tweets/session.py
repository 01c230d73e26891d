"""What a run's figures are made from: a window's capture, what died runs have left of it, or recordings by hand."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lib.errors import BadSettings, SourceUnavailable
from lib.reports import withdraw
from lib.supervise import Interrupted, Stop
from lib.tweets import tables
from lib.tweets.capture import FOLDER, listen, mend, rewrite
from lib.tweets.parsing import without
from lib.tweets.reading import Read
from lib.tweets.replay import Replay, recordings
from lib.tweets.rules import DEFAULT_RULE
from lib.tweets.tables import Recording
from lib.tweets.window import NO_MORE, Gap, Source, Window


@dataclass(frozen=True)
class Material:
    """The files to score and how they came about. Times are seconds since 1970, None where the tweets must tell.

    `own` are the files that the desk has made itself, by their names in the data folder.
    """

    paths: list[Path]
    own: list[str]
    captured: bool = False  # by this run, in a window
    started: float | None = None
    ended: float | None = None
    why_early: str = ""
    reconnects: int = 0
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    foreign_rules: frozenset[str] = frozenset()


def open_source(options: Any, token: str | None) -> Source | None:
    """The source that is asked for, or None for recordings at full speed, which needn't be captured again.

    Raises BadSettings where something is missing that only a person can give.
    """
    if options.source == "bluesky":
        from lib.tweets.jetstream import Jetstream

        return Jetstream(options.jetstream_url)
    if options.source == "replay":
        if not options.replay:
            raise BadSettings("--source replay needs a recording; name one with --replay PATH")
        return Replay(recordings(options.replay), options.speed) if options.speed else None
    if not token:
        raise BadSettings(
            "X needs a bearer token and none is set; put it into NIGHTDESK_X_BEARER_TOKEN (developer portal, "
            "your app, Keys and tokens), or listen without an account: --source bluesky"
        )
    from lib.tweets.x import X

    return X(token, options.x_url, options.x_stream, options.x_rule or DEFAULT_RULE)


def about(source: Source, options: Any) -> str:
    """What the source brings, and what it can't: the bias that a reader has to know of."""
    if source.name == "bluesky":
        return "Bluesky’s Jetstream brings every public post; a post’s language is what its author’s app declares."
    if source.name != "x":
        return ""
    if options.x_stream == "sample":
        return "X’s sample stream brings about 1% of all posts, chosen by X."
    return (
        f"X’s filtered stream brings the posts that match a rule and no others; sample:N takes N% of these. The rule: "
        f"{options.x_rule or DEFAULT_RULE}. Posts that it can’t match are missing, so this is the mood of posts like "
        "these and not of all of X."
    )


def from_recordings(paths: Sequence[Path], data: Path) -> Material:
    """Recordings as they lie there; those that are the desk's own captures are told apart."""
    files = recordings(paths)
    captures = (data / FOLDER).resolve()
    own = [path.resolve() for path in files if path.resolve().is_relative_to(captures)]
    return Material(files, [f"{FOLDER}/{each.relative_to(captures)}" for each in own])


def from_source(source: Source, options: Any, stop: Stop, advance: Callable[[int], None], *, run: Any) -> Material:
    """Listen for the minutes asked for, and join to it what died runs of the same date have captured from it.

    Raises SourceUnavailable where there was never a connection and nothing to join, Interrupted where a signal came
    before the first.
    """
    data, seconds = run.settings.data, options.minutes * 60
    drop_replaced(run)  # as a run that was killed after its commit hasn't
    found = take_up(run, source.name)
    name = f"{FOLDER}/{run.date}-{run.id}.jsonl.gz"
    window = Window(seconds, max_posts=options.max_posts if source.name == "x" else None)
    tables.open_recording(run.db, name, run.id, run.date, source.name, window.started)
    try:
        listen(source, data / name, window, stop, advance)
    except BaseException:
        _drop_if_empty(run, name)
        run.metrics = _what_was_tried(source, window)
        raise
    if not window.ever_connected and not found:
        _drop(run, name)
        run.metrics = _what_was_tried(source, window)
        if stop.came:
            raise Interrupted(stop.came)
        why = window.gaps[-1].why if window.gaps else "no answer"
        raise SourceUnavailable(f"{source.name} could not be reached in {seconds / 60:g} minutes: {why}")
    return _joined(found, window, data, name, about(source, options))


def ended(material: Material, read: Read, stop: Stop) -> Material:
    """The material with what ended it, where it is recordings that a signal kept from being read to their end."""
    return replace(material, why_early=f"{stop.came.name} stopped it") if read.cut and stop.came else material


def _what_was_tried(source: Source, window: Window) -> dict[str, Any]:
    """The metrics of a window that came to nothing."""
    return {
        "source": source.name,
        "lines": window.lines,
        "gaps": len(window.gaps),
        "gap_seconds": round(sum(gap.end - gap.start for gap in window.gaps), 3),
        "reconnects": window.reconnects,
        "started_at": tables.moment(window.started),
        "ended_at": tables.moment(window.ended or window.now()),
    }


def _drop_if_empty(run: Any, name: str) -> None:
    path = run.settings.data / name
    if not path.exists() or not path.stat().st_size:
        _drop(run, name)


def _drop(run: Any, name: str) -> None:
    (run.settings.data / name).unlink(missing_ok=True)
    tables.drop_recording(run.db, name)


def _joined(found: list[tuple[Recording, float]], window: Window, data: Path, name: str, told: str) -> Material:
    starts = [datetime.fromisoformat(each.started_at).timestamp() for each, _ in found] + [window.started]
    between = [
        Gap(end, max(end, start), f"run {each.made_by} came to nothing; what it had captured is used here")
        for (each, end), start in zip(found, starts[1:], strict=True)
    ]
    own = [*(each.file for each, _ in found), name]
    return Material(
        [data / each for each in own],
        own,
        captured=True,
        started=starts[0],
        ended=window.ended,
        why_early="" if window.why_over == NO_MORE else window.why_over,
        reconnects=window.reconnects,
        gaps=tuple(sorted([*between, *window.gaps], key=lambda gap: gap.start)),
        notes=(*([told] if told else []), *window.notes),
        foreign_rules=window.foreign_rules,
    )


def take_up(run: Any, source: str) -> list[tuple[Recording, float]]:
    """The captures that runs of this date and source have left, mended, with the time of their last lines.

    Those of other dates are mended, too, and named to a person, who may score them.
    """
    joined = []
    for each in tables.left_behind(run.db, run.id):
        path = run.settings.data / each.file
        if not path.exists() or each.source == Replay.name:  # a replay's lines lie in the recording it played
            path.unlink(missing_ok=True)
            tables.drop_recording(run.db, each.file)
            continue
        written = path.stat()
        if torn := mend(path):
            os.utime(path, (written.st_atime, written.st_mtime))
            run.stages.say(f"{path} had a torn tail of {torn:,} bytes; every whole line is kept")
        if (each.date, each.source) == (run.date, source):
            joined.append((each, written.st_mtime))
        else:
            run.stages.say(
                f"run {each.made_by} left a capture of {each.date} behind; to score it: "
                f"--replay {path} --date {each.date}"
            )
    return joined


def forget(run: Any, material: Material, read: Read) -> None:
    """Obey delete notices: in the captures, in the rejected lines, on the pages and in the store.

    The store comes last, since it is what tells where a tweet has to be looked for, should this be broken off.
    """
    if not read.gone:
        return
    earlier = tables.mentioned(run.db, read.gone)
    files = [file for each in earlier for file in tables.files_of(run.db, each)]
    for file in dict.fromkeys([*files, *material.own, *tables.open_recordings(run.db)]):
        path = run.settings.data / file
        if path.exists():
            rewrite(path, read.gone)
    run.redact(lambda text: without(text.encode("utf-8", "replace"), read.gone) is None)
    if earlier:
        withdraw(run.db, run.settings, earlier)
        tables.forget(run.db, read.gone)


def drop_replaced(run: Any) -> None:
    """Remove the captures of results that were replaced: nobody would learn what is deleted in them."""
    for file in tables.replaced(run.db):
        (run.settings.data / file).unlink(missing_ok=True)
        tables.drop_recording(run.db, file)
