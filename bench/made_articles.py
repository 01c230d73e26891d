"""Articles made up for the benchmarks: words of seven letters by Zipf's law, and planted topics to be found."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SENTENCE = 15  # words
TITLE = 6
LETTERS = 7
FLAT = 100
TOPICAL = 0.6  # of the words are of the article's topics, the others of no topic
HEADER = b"id,title,publication,date,content\n"


def vocabulary(words: int) -> NDArray[np.uint64]:
    """Made-up words, each with a space behind it, as the eight bytes of a number."""
    consonants, vowels = (np.frombuffer(letters, np.uint8) for letters in (b"bdfgklmnprstvz", b"aeiou"))
    number = np.arange(words) * 7919 % (14**4 * 5**3)  # a prime: neighbours look different
    text = np.full((words, LETTERS + 1), ord(" "), np.uint8)
    for place in range(LETTERS):
        letters = vowels if place % 2 else consonants
        text[:, place] = letters[number % len(letters)]
        number //= len(letters)
    return text.view(np.uint64)[:, 0]


def write_articles(
    path: Path, articles: int, *, words: int, vocabulary_size: int = 50_000, topics: int = 50, seed: int = 0
) -> None:
    """Write a CSV of so many articles of `words` words each (a multiple of SENTENCE), whose titles are their first few.

    A word is drawn by Zipf's and Mandelbrot's law, rank r with weight 1 / (r + FLAT), as in a text without its stop
    words. A topic has every `topics`-th rank for its own: a topical draw r becomes the topic's rank nearest to it, so
    that the corpus as a whole keeps to the law. An article has a topic for two thirds of its topical words and another
    for the others.
    """
    draw, spelt = np.random.default_rng(seed), vocabulary(vocabulary_size)
    cumulative = np.cumsum(1 / (np.arange(1, vocabulary_size + 1) + FLAT))
    # as many places as each word's share asks for, so that a draw of the law is a look at a random place
    table = np.searchsorted(cumulative / cumulative[-1], (np.arange(1 << 20) + 0.5) / (1 << 20)).astype(np.int32)
    block = max(1, 1_500_000 // words)
    with path.open("wb") as file:
        file.write(HEADER)
        for first in range(0, articles, block):
            shape = (min(block, articles - first), words)
            ranks = table[draw.integers(1 << 20, size=shape, dtype=np.uint32)]
            chance = draw.integers(256, size=shape, dtype=np.uint8)
            pair = draw.integers(topics, size=(2, shape[0], 1), dtype=np.int32)
            topic = np.where(chance < 256 * TOPICAL * 2 / 3, pair[0], pair[1])
            own = np.minimum(ranks // topics * topics + topic, vocabulary_size - 1)
            ids = np.where(chance < 256 * TOPICAL, own, ranks)
            file.write(b"".join(_rows(spelt[ids], first)))


def _rows(words: NDArray[np.uint64], first: int) -> Iterator[bytes]:
    """The CSV's rows: sentences with a capital letter and a full stop."""
    count, length = words.shape
    text = np.full((count, length // SENTENCE, SENTENCE * (LETTERS + 1) + 1), ord(" "), np.uint8)
    text[:, :, :-1] = words.view(np.uint8).reshape(count, length // SENTENCE, -1)
    text[:, :, 0] -= 32
    text[:, :, -2] = ord(".")
    content, width = text.tobytes(), text.shape[1] * text.shape[2]
    for n in range(count):
        body, number = content[n * width : (n + 1) * width], first + n
        title = body[: TITLE * (LETTERS + 1) - 1]
        yield b"%d,%b,Paper %d,2024-%02d-01,%b\n" % (number, title, number % 20, 1 + number % 12, body)


def write_headlines(path: Path, headlines: int, titles: Sequence[str] = (), seed: int = 0) -> None:
    """Write a CSV of so many headlines, no two the same: made up, or of two halves of `titles`, where there are many.

    The halves are of two titles at random, with a number between them if the two have met before.
    """
    draw = np.random.default_rng(seed)
    if len(titles) < 1000:
        write_articles(path, headlines, words=SENTENCE, vocabulary_size=20_000, topics=10, seed=seed)
        return
    seen: set[str] = set()
    words = [title.split() for title in titles]
    while len(seen) < headlines:
        one, other = words[draw.integers(len(words))], words[draw.integers(len(words))]
        seen.add(" ".join(one[: (len(one) + 1) // 2] + other[(len(other) + 1) // 2 :]).replace('"', "'"))
    rows = (f'{n},"{title}",Paper {n % 20},2024-{1 + n % 12:02d}-01,\n' for n, title in enumerate(sorted(seen)))
    path.write_bytes(HEADER + "".join(rows).encode())
