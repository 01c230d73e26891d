"""A text's words as a vocabulary has them: `white house` is one word where the vocabulary has `white_house`."""

from collections.abc import Iterable, Mapping, Sequence

Tails = Mapping[str, Sequence[tuple[str, ...]]]  # by a phrase's first word, what may follow it, the longest first


def phrases_of(vocabulary: Iterable[str]) -> Tails:
    """The phrases of a vocabulary, as `joined` takes them."""
    tails: dict[str, list[tuple[str, ...]]] = {}
    for word in vocabulary:
        first, *tail = word.split("_")
        if first and tail:
            tails.setdefault(first, []).append(tuple(tail))
    return {first: sorted(each, key=lambda tail: (-len(tail), tail)) for first, each in tails.items()}


def joined(tokens: Sequence[str], phrases: Tails) -> list[str]:
    """The tokens with each phrase as one; from left to right, of several that begin at a word the longest."""
    words = []
    place = 0
    while place < len(tokens):
        word = tokens[place]
        place += 1
        for tail in phrases.get(word, ()):
            if tuple(tokens[place : place + len(tail)]) == tail:
                word = "_".join((word, *tail))
                place += len(tail)
                break
        words.append(word)
    return words
