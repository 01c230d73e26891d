"""What captures say, taken together: each tweet once, less those that were deleted."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from lib.tweets.parsing import Delete, Notice, Reject, Tweet, read_stream

EVERY = 2000  # lines between two words about progress


@dataclass
class Gone:
    """The deleted ids: `gone(id)` also knows the posts of accounts that are gone, ids that end in "/"."""

    ids: set[str] = field(default_factory=set)
    accounts: tuple[str, ...] = ()

    def __call__(self, its_id: str) -> bool:
        return its_id in self.ids or (bool(self.accounts) and its_id.startswith(self.accounts))

    def __bool__(self) -> bool:
        return bool(self.ids or self.accounts)


@dataclass(frozen=True)
class Read:
    """The tweets that are left, in order, what was deleted, and the counts (see parsing.read_stream), with `deleted`
    (captured tweets that left again) and `others` (posts brought by rules that aren't ours)."""

    tweets: list[Tweet]
    gone: Gone
    counts: Counter[str]
    notices: Counter[str]
    cut: bool  # before the end of the lines


def read_tweets(
    lines: Iterable[bytes],
    *,
    reject: Reject,
    foreign_rules: Collection[str] = (),
    known_gone: Collection[str] = (),
    go_on: Callable[[], bool] = lambda: True,
    advance: Callable[[int], None] = lambda _: None,
) -> Read:
    """Read all lines, or as long as `go_on()` says so. A retweet of a deleted tweet is deleted with it.

    `known_gone` are ids that were deleted before, as an old recording can't know.
    """
    counts: Counter[str] = Counter()
    notices: Counter[str] = Counter()
    gone, cut = Gone(), False

    def going_on() -> bool:
        nonlocal cut
        cut = not go_on()
        return not cut

    accounts: set[str] = set()
    tweets: list[Tweet] = []
    for item in read_stream(_watched(lines, going_on, advance), reject=reject, counts=counts):
        if isinstance(item, Tweet):
            if foreign_rules and item.rules and all(rule in foreign_rules for rule in item.rules):
                counts["others"] += 1
            else:
                tweets.append(item)
        elif isinstance(item, Delete):
            if item.id.endswith("/"):
                accounts.add(item.id)
            else:
                gone.ids.add(item.id)
        elif isinstance(item, Notice):
            notices[item.kind] += 1
    gone.accounts = tuple(sorted(accounts))
    every = Gone(gone.ids.union(known_gone), gone.accounts)
    left = [each for each in tweets if not (every(each.id) or (each.retweet_of is not None and every(each.retweet_of)))]
    counts["deleted"] = len(tweets) - len(left)
    return Read(left, gone, counts, notices, cut)


def _watched(lines: Iterable[bytes], go_on: Callable[[], bool], advance: Callable[[int], None]) -> Iterator[bytes]:
    number = 0
    for number, line in enumerate(lines, start=1):
        if number % EVERY == 1 and number > 1:
            advance(EVERY)
            if not go_on():
                return
        yield line
    advance(number % EVERY or min(number, EVERY))
