"""What to do about a run that has not gone well: a sentence by its exit code."""

from collections.abc import Mapping
from typing import Any

MEANINGS = {
    1: "failed",
    2: "wrong usage",
    65: "bad data",
    69: "source unavailable",
    73: "can’t write",
    75: "something else had what it needs",
    77: "not permitted",
    78: "bad settings",
    130: "interrupted",
    143: "interrupted",
}
ADVICE = {
    65: "The input is not what the job can work on. Look at the file that is named and at the rejected rows, put it "
    "right, and run the job again.",
    69: "What should bring the input wasn’t there or didn’t answer. See whether it does now, and run the job again.",
    73: "Something could not be written. Make room on the disk, or see who owns the folder, and run the job again.",
    75: "Another program held what the job needs. Wait until it has ended, and run the job again.",
    77: "Access was refused. Check the credentials, or who owns the file and its mode, and run the job again.",
    78: "A setting is wrong; it is named. Correct it in nightdesk.toml or the environment, and run the job again.",
    130: "Somebody stopped it. Nothing is broken: run it again when it suits.",
    143: "It was asked to end, as when the machine shuts down. Nothing is broken: run it again.",
}
FAILED = "Read the sentence above and the end of the log below; mend what they name, and run the job again."
CRASHED = (
    "The process was killed or the machine went off in the middle of it. If that happens again, see whether the "
    "machine ran out of memory; else run the job again."
)
MISSED = "Nothing started it in time. See that the service or cron is up (python -m jobs doctor), and make up for it."
LATE = "See that the service or cron is up: python -m jobs doctor."


def meaning(code: int | None) -> str:
    """An exit code in words; "" for none."""
    return MEANINGS.get(code, "failed") if code else ""


def what_to_do(run: Mapping[str, Any]) -> str:
    """What to do about a run, its row in the ledger, that failed, crashed or was missed."""
    if run["status"] == "crashed":
        return CRASHED
    if run["status"] == "missed":
        return MISSED
    return ADVICE.get(run["exit_code"], FAILED)


def command(run: Mapping[str, Any]) -> str:
    """How to do a run again."""
    return f"python -m jobs.{run['job']} --date {run['date']}"
