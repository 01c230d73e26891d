"""Time the reading and the scoring of tweets, on one core and in memory, and the job from recording to report.

    python bench/tweets.py [--lines PATH] [--runs 5]

Decompression and the store stand apart in the first two figures, and are part of the third.

Without --lines it reads the largest recording in the folder `tweets` of NIGHTDESK_REAL_DATA, or made-up lines where
that isn't set. Prints each run, and the medians beside what is asked for.
"""

import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

MEGABYTES, TWEETS = 250, 100_000  # to reach, a second on one core, on ten minutes of the sample stream
REPORT = 5.0  # seconds at most, from recording to report


def made_up(lines: int = 40_000) -> list[bytes]:
    """Lines as the sample stream's are: three delete notices to a tweet of about five kilobytes."""
    from lib.tweets.afinn import load_lexicon

    draw = random.Random(0)
    entries = list(load_lexicon().valences)
    made = []
    for number in range(lines):
        status = {"id": number, "id_str": str(number)}
        if number % 4:
            said = {"delete": {"status": {**status, "user_id": 1, "user_id_str": "1"}, "timestamp_ms": "1562135400660"}}
        else:
            words = [draw.choice(entries) if draw.random() < 0.1 else f"w{draw.randrange(999)}" for _ in range(18)]
            user = {"location": "somewhere", **{f"profile_{key}": "x" * 40 for key in range(30)}}
            said = {"created_at": "Wed Jul 03 06:30:00 +0000 2019", **status, "text": " ".join(words), "user": user}
            said |= {"retweeted_status": {**said}, "entities": {"hashtags": []}, "lang": "en"}
            said["timestamp_ms"] = "1562135400660"
        made.append(json.dumps(said, separators=(",", ":")).encode() + b"\r\n")
    return made


def recorded(path: Path) -> list[bytes]:
    """The lines of a recording, gzipped or not."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return list(file)


def measure(lines: list[bytes]) -> tuple[float, float, int, Counter[str]]:
    """Seconds to read the lines, seconds to score the English tweets, how many these are, and the counts."""
    from lib.tweets.afinn import scorer
    from lib.tweets.parsing import Tweet, read_stream

    score, counts = scorer("afinn"), Counter[str]()
    started = time.perf_counter()
    items = list(read_stream(lines, reject=lambda *_: None, counts=counts))
    texts = [item.text for item in items if isinstance(item, Tweet) and item.lang == "en"]
    read = time.perf_counter()
    scores = [score(text) for text in texts]
    return read - started, time.perf_counter() - read, len(scores), counts


def to_report(path: Path, folder: Path) -> float:
    """Seconds that the job takes, from its start to its end."""
    command = [sys.executable, "-m", "jobs.capture_tweets", "--quiet", "--force", "--replay", str(path)]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--data", str(folder / "data"), "--reports", str(folder / "reports")], cwd=ROOT, check=True
    )
    return time.perf_counter() - started


@click.command()
@click.option("--lines", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--runs", default=5)
def main(path: Path | None, runs: int) -> None:
    """Measure and print."""
    from lib.machine import describe

    real = os.environ.get("NIGHTDESK_REAL_DATA")
    if path is None and real:
        path = max(Path(real, "tweets").glob("*.jsonl.gz"), key=lambda each: each.stat().st_size)
    lines = recorded(path) if path else made_up()
    print(describe(("msgspec",)))
    both, alone = [], []
    for run in range(runs):
        reading, scoring, english, counts = measure(lines)
        both.append(counts["bytes"] / 1e6 / (reading + scoring))
        alone.append(english / scoring)
        print(f"run {run + 1}: read {reading:.3f} s, scored {scoring:.3f} s")
    print(
        f"\n{path.name if path else 'made-up lines'}: {counts['bytes'] / 1e6:,.0f} MB, {counts['lines']:,} lines,",
        end=" ",
    )
    print(f"{counts['tweets']:,} tweets ({english:,} English), {counts['deletes']:,} deletes")
    print(f"read and score, MB/s     {statistics.median(both):10,.0f}   at least {MEGABYTES}")
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder, "made-up.jsonl.gz")
            path.write_bytes(gzip.compress(b"".join(lines)))
        whole = [to_report(path, Path(folder)) for _ in range(min(runs, 3))]
    print(f"score, English tweets/s  {statistics.median(alone):10,.0f}   at least {TWEETS:,}")
    print(f"recording to report, s   {statistics.median(whole):10.2f}   at most {REPORT}")


if __name__ == "__main__":
    main()
