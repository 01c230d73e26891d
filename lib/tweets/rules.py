"""The rule that chooses posts from X's filtered stream, and what has to change for it to stand there.

Rules stay on X's side between connections, and an app may have others: ours carry a tag, and nobody else's is touched.
X refuses `lang:` and `sample:` without another operator beside them, so the default rule is a group of frequent words.
"""

from dataclasses import dataclass
from typing import Any

TAG = "nightdesk capture_tweets"

# Frequent in English, and without valence: none is in an entry of AFINN-111, so that the choice doesn't lean to a mood.
# Nor is one a stop word of PowerTrack's ("a", "and", "it", "the", …), which X refuses as a rule's only words.
WORDS = (
    "about all because been can day get had has have her his how just know "
    "more now one out people she should think time today what when who your"
)
DEFAULT_RULE = f"({WORDS.replace(' ', ' OR ')}) lang:en sample:5"  # at most 512 characters: the smallest plan's limit

# US dollars for a post read, X's pay-per-use price list (docs.x.com/x-api/getting-started/pricing, 2026). A post read
# twice on a day (UTC) is paid once, and what comes along with it isn't counted here: it is an estimate.
ESTIMATED_COST_A_POST = 0.005

_LONGEST = 300  # characters of what X says in a message


@dataclass(frozen=True)
class Changes:
    """What to do about the rules on X: `delete` and `foreign` are ids, `foreign` those of rules left alone."""

    delete: tuple[str, ...]
    add: bool
    foreign: frozenset[str]


def cost(posts: int) -> float:
    """About what so many posts of the filtered stream cost, in US dollars."""
    return posts * ESTIMATED_COST_A_POST


def changes(answer: object, rule: str) -> Changes:
    """What makes `rule` the only one of ours, given X's answer about its rules (whose `data` may be missing)."""
    delete, foreign, stands = [], [], False
    rules = answer.get("data") if isinstance(answer, dict) else None
    for each in rules if isinstance(rules, list) else []:
        if not isinstance(each, dict) or each.get("id") is None:
            continue
        same = _plain(each.get("value")) == _plain(rule)
        if each.get("tag") != TAG and not same:
            foreign.append(str(each["id"]))
        elif same and not stands:  # also under another tag: X takes no rule twice, and its posts are what we ask for
            stands = True
        elif each.get("tag") == TAG:
            delete.append(str(each["id"]))
    return Changes(tuple(delete), not stands, frozenset(foreign))


def refusal(answer: object, otherwise: str = "") -> str:
    """Why X didn't take the rule: its words, or `otherwise` where it has none; empty where it has the rule already."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list) or not errors:
        return otherwise
    faults = [each for each in errors if not _is_duplicate(each)]
    return said(faults) or otherwise if faults else ""


def said(answer: Any) -> str:
    """The words for people in an error object of X's, v1.1 or v2; empty where there are none."""
    while isinstance(answer, list):
        answer = answer[0] if answer else None
    if isinstance(answer, dict):
        inner = (answer.get(key) for key in ("errors", "error"))
        words = (answer.get(key) for key in ("detail", "details", "message", "title"))
        return next(filter(None, map(said, [*inner, *words])), "")
    return _plain(answer)[:_LONGEST] if isinstance(answer, str) else ""


def _is_duplicate(error: object) -> bool:
    return isinstance(error, dict) and "duplicate" in f"{error.get('title')} {error.get('type')}".lower()


def _plain(text: object) -> str:
    return " ".join(str(text).split())
