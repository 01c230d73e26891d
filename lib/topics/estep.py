"""The E-step of latent Dirichlet allocation, compiled: the arithmetic of gensim's `LdaModel.inference`, on sparse rows.

What is computed is algorithm 1 of Hoffman, Blei, Bach (2010), Online learning for latent Dirichlet allocation, with φ
kept implicit as in gensim (after Lee & Seung 2001). What makes it fast: a document's columns of β are copied once into
a block that fits the first cache; exp(ψ(x)) is one function without a logarithm, eight numbers at a time; and
exp(ψ(Σγ)), by which gensim divides every topic's weight, cancels and is left out.

Documents know nothing of each other, and a word's sums are made in the order of the documents. So the result is the
same to the last bit for any number of threads.
"""

import math

import numpy as np
from numpy.typing import NDArray

from lib.compiled import compiled_fast, compiled_part

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Places = NDArray[np.int64]

LANES = 16  # rooms are multiples of so many float32, so that no loop has an odd end
# exp(ψ(γ)) below exp(−60) is nothing beside α. Without a floor products get denormal, a hundred times as slow.
_LEAST = np.float32(-60.0)
_NOTHING = np.float32(1e-4)
PADDING = np.float32(1e-30)  # γ of topics that there are not: no weight, whatever the others'
FLUSH = np.float32(1e-30)  # and so is a word's weight in a topic
_EPSILON = np.finfo(np.float32).eps  # what gensim adds to the normaliser of φ
# Numbers that the compiler finds as they are. (A cast in a function costs it time each time that it stands there.)
_0, _1, _2, _3, _4, _HALF = (np.float32(each) for each in (0, 1, 2, 3, 4, 0.5))
_6TH, _12TH, _24TH, _48TH, _120TH, _252ND, _720TH = (np.float32(1 / n) for n in (6, 12, 24, 48, 120, 252, 720))
_LOG_2, _PER_LOG_2 = np.float32(math.log(2)), np.float32(1 / math.log(2))
_BIAS, _FRACTION = np.int32(127), np.int32(23)  # of a float32's exponent, and bits of its fraction


def padded(size: int) -> int:
    """The next multiple of LANES."""
    return -(-size // LANES) * LANES


@compiled_fast
def exp_digamma(x: Floats, lift: np.float32, into: Floats, bits: Ints, room: Floats) -> None:
    """exp(ψ(x) + lift) for x > 0, relative error about 1e-6; `bits` is `into` seen as int32, `room` is as long.

    ψ(x) = ψ(x + 4) − Σ 1 / (x + i) and ψ(y) = log y − 1/2y − 1/12y² + 1/120y⁴ − 1/252y⁶ … (Abramowitz & Stegun 6.3.6
    and 6.3.18), so that exp(ψ(y)) = y exp(−1/2y − …). The exponential is a power of two, written as the bits of a
    float, times a polynomial.
    """
    for i in range(len(x)):
        v = x[i]
        b, c, d, y = v + _1, v + _2, v + _3, v + _4
        below = (v + d) / (v * d) + (b + c) / (b * c)  # 1/v + 1/d + 1/b + 1/c with two divisions
        r = _1 / y
        rr = r * r
        z = lift - (below + r * _HALF + rr * (_12TH - rr * (_120TH - rr * _252ND)))
        z = (z if z > _LEAST else _LEAST) * _PER_LOG_2
        n = np.int32(z - _HALF)
        f = (z - np.float32(n)) * _LOG_2
        room[i] = y * (_1 + f * (_1 + f * (_HALF + f * (_6TH + f * (_24TH + f * (_120TH + f * _720TH))))))
        bits[i] = (n + _BIAS) << _FRACTION
    for i in range(len(x)):
        into[i] = into[i] * room[i]


@compiled_part
def _normalise(block: Floats, size: int, theta: Floats, norm: Floats) -> None:
    """Add Σ_k θ_k β_kj to norm_j, four topics at a time; `block` is (topics in fours, words in sixteens)."""
    for k in range(0, block.shape[0], 4):
        t0, t1, t2, t3 = theta[k], theta[k + 1], theta[k + 2], theta[k + 3]
        b0, b1, b2, b3 = block[k, :size], block[k + 1, :size], block[k + 2, :size], block[k + 3, :size]
        for j in range(size):
            norm[j] += (t0 * b0[j] + t1 * b1[j]) + (t2 * b2[j] + t3 * b3[j])


@compiled_part
def _gather(block: Floats, size: int, ratio: Floats, theta: Floats, alpha: Floats, gamma: Floats) -> None:
    """γ_k = α_k + θ_k Σ_j ratio_j β_kj."""
    for k in range(0, block.shape[0], 4):
        s0 = s1 = s2 = s3 = _0
        b0, b1, b2, b3 = block[k, :size], block[k + 1, :size], block[k + 2, :size], block[k + 3, :size]
        for j in range(size):
            r = ratio[j]
            s0 += r * b0[j]
            s1 += r * b1[j]
            s2 += r * b2[j]
            s3 += r * b3[j]
        gamma[k] = alpha[k] + theta[k] * s0
        gamma[k + 1] = alpha[k + 1] + theta[k + 1] * s1
        gamma[k + 2] = alpha[k + 2] + theta[k + 2] * s2
        gamma[k + 3] = alpha[k + 3] + theta[k + 3] * s3


@compiled_fast
def infer(
    indptr: Places,
    ids: Ints,
    counts: NDArray[np.int32] | Floats,
    rows: Places,
    offsets: Places,
    beta: Floats,
    alpha: Floats,
    topics: int,
    iterations: int,
    threshold: float,
    gamma: Floats,
    theta: Floats,
    ratio: Floats,
    rooms: Floats,
    bits: Ints,
    of_words: Floats,
    first: int,
    end: int,
) -> None:
    """Infer γ of the documents `rows[first:end]`, from the start that `gamma` (documents, topics) holds, into it.

    `beta` is exp(E log β) by word, (words, topics padded with zeros), `alpha` as wide (padded with PADDING). On the way
    out `theta` (documents, padded topics) has exp(ψ(γ)), and `ratio`, one for each word of each document from
    `offsets[d]` on, count / normaliser: the two make the sufficient statistics. As in gensim, a document ends after
    `iterations`, or once its γ has moved by less than `threshold` in the mean.

    Room to work in, since it compiles sooner where it need not allocate: `rooms` (3, padded topics) and `of_words`
    (3 more than topics in fours, the longest document's words padded). `bits` is `theta` seen as int32.
    """
    width = beta.shape[1]
    fours = (topics + 3) // 4 * 4
    block, count, share, norm = of_words[3:], of_words[0], of_words[1], of_words[2]
    now, spare, before = rooms[0], rooms[1], rooms[2]
    for k in range(topics, width):
        now[k] = before[k] = PADDING
    for d in range(first, end):
        weight = theta[d]
        a = indptr[rows[d]]
        words = indptr[rows[d] + 1] - a
        size = (words + LANES - 1) // LANES * LANES
        for j in range(words):
            of_word = beta[ids[a + j]]
            for k in range(fours):
                block[k, j] = of_word[k]
            count[j] = counts[a + j]
        for j in range(size):
            norm[j] = 0.0
        for j in range(words, size):
            count[j] = 0.0
            for k in range(fours):
                block[k, j] = 0.0
        for k in range(topics):
            now[k] = gamma[d, k]
        for step in range(iterations + 1):
            total = _0
            for k in range(topics):
                total += now[k]
            # exp(ψ(Σγ)), by which the weights aren't divided, is nearly x − 1/2 + 1/24x + 1/48x² for x = Σγ. Where that
            # is small, so are the weights: they are lifted by 1/x, since ψ(x) = ψ(x + 1) − 1/x. (If x is next to
            # nothing, 1/x has no digit left behind the point.)
            lift = _0 if total > _4 or total < _NOTHING else _1 / total
            more = total if total > _4 else total + _1
            exp_digamma(now, lift, weight, bits[d], spare)
            floor = _EPSILON * (more - _HALF + (_24TH + _48TH / more) / more)  # gensim's, in the scale of the weights
            _normalise(block, size, weight, norm)
            for j in range(size):
                share[j] = count[j] / (norm[j] + floor)
                norm[j] = 0.0
            if step > 0:
                moved = _0
                for k in range(width):
                    step_k = now[k] - before[k]
                    moved += step_k if step_k > _0 else -step_k
                if moved < threshold * topics:
                    break
            if step == iterations:
                break
            for k in range(width):
                before[k] = now[k]
            _gather(block, size, share, weight, alpha, now)
        for k in range(topics):
            gamma[d, k] = now[k]
        for j in range(words):
            ratio[offsets[d] + j] = share[j]


@compiled_fast
def sum_words(
    indptr: Places,
    ids: Ints,
    rows: Places,
    offsets: Places,
    theta: Floats,
    ratio: Floats,
    topics: int,
    first: int,
    end: int,
    into: NDArray[np.float64],
) -> None:
    """Add Σ_d n_dw θ_dk / normaliser_dw of the words `first` to `end` to `into`, (end − first, topics).

    Times β_kw these are the sufficient statistics. Each document's ids have to ascend.
    """
    for d in range(len(rows)):
        a, b = indptr[rows[d]], indptr[rows[d] + 1]
        low, high = a, b
        while low < high:  # to the first of the words that are asked for
            middle = (low + high) // 2
            if ids[middle] < first:
                low = middle + 1
            else:
                high = middle
        shift = offsets[d] - a
        while low < b and ids[low] < end:
            of_word = into[ids[low] - first]
            part = np.float64(ratio[low + shift])
            for k in range(topics):
                of_word[k] += part * theta[d, k]
            low += 1


@compiled_fast
def log_likelihood(
    indptr: Places,
    ids: Ints,
    counts: NDArray[np.int32] | Floats,
    rows: Places,
    beta: Floats,
    theta: NDArray[np.float64],
    first: int,
    end: int,
    into: NDArray[np.float64],
) -> None:
    """Σ_w n_dw log Σ_k θ_dk β_kw of the documents `rows[first:end]`, natural logarithm, into `into` (documents)."""
    topics = theta.shape[1]
    for d in range(first, end):
        total = 0.0
        for place in range(indptr[rows[d]], indptr[rows[d] + 1]):
            of_word = beta[ids[place]]
            mixed = 0.0
            for k in range(topics):
                mixed += theta[d, k] * of_word[k]
            total += counts[place] * math.log(mixed if mixed > 1e-300 else 1e-300)
        into[d] = total
