"""Intervals, paired differences and ranks by resampling paintings."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from craqbench.metrics import (
    RESAMPLES,
    average_precision,
    counts_by_painting,
    match_f1,
    mean_counts,
    mean_iou,
    mean_of_counts,
    paired_difference,
    percentile_interval,
    rank_methods,
    resampled_scores,
    resampling_weights,
)

Table = npt.NDArray[np.int64]


def method(quality: float, seed: int, paintings: int = 60, noise: float = 0.03) -> Table:
    """Draw match counts of a method: paintings and their difficulty are the same for all."""
    common = np.random.default_rng(99)
    totals, difficulty = common.integers(500, 5000, (paintings, 2)), common.normal(0, 0.08, (paintings, 1))
    shares = quality + difficulty + np.random.default_rng(seed).normal(0, noise, (paintings, 2))
    matched = np.clip(shares, 0, 1) * totals
    return np.stack([matched[:, 0], totals[:, 0], matched[:, 1], totals[:, 1]], axis=1).astype(np.int64)


def weights(paintings: int = 60, resamples: int = RESAMPLES, seed: int = 0) -> npt.NDArray[np.float64]:
    """Draw weights."""
    return resampling_weights(paintings, rng=np.random.default_rng(seed), resamples=resamples).astype(float)


def test_weights_are_draws_with_replacement() -> None:
    """Each resample has as many paintings as the set; a painting is left out of 1/e of them."""
    drawn = weights(60)
    assert drawn.shape == (RESAMPLES, 60)
    assert (drawn.sum(axis=1) == 60).all()
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / 60) ** 60, abs=0.005)
    np.testing.assert_array_equal(drawn, weights(60))
    assert (drawn != weights(60, seed=1)).any()


def test_resamples_by_a_loop() -> None:
    """Scores of resamples are those of repeating each painting's counts, for any shape of counts."""
    drawn = weights(12, 50)
    rng = np.random.default_rng(1)
    tables = ((method(0.8, 1, 12), match_f1), (rng.integers(0, 99, (12, 3, 3)), mean_iou))
    for table, score in tables:
        loop = [score(np.repeat(table, w.astype(int), axis=0).sum(axis=0).astype(float)) for w in drawn]
        np.testing.assert_allclose(resampled_scores(table, score, weights=drawn), loop)


def test_resamples_in_pieces() -> None:
    """Tables so large that resamples are done in pieces give what each resample gives by itself."""
    curves = np.cumsum(np.random.default_rng(0).integers(0, 9, (8, 256, 4))[:, ::-1], axis=1)[:, ::-1]
    drawn = weights(8, 1500)
    scores = resampled_scores(curves, average_precision, weights=drawn)
    for place in (0, 975, 976, 977, 1499):
        alone = resampled_scores(curves, average_precision, weights=drawn[place : place + 1])
        np.testing.assert_allclose(scores[place], alone[0])


def test_interval_agrees_with_scipy() -> None:
    """The percentile interval of a mean is SciPy's, to the noise of resampling."""
    values = np.random.default_rng(2).gamma(2, 1, 50)
    interval = percentile_interval(mean_counts(values), mean_of_counts, weights=weights(50))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert interval.value == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_paired_difference_agrees_with_scipy() -> None:
    """The interval of a difference of pooled scores is SciPy's paired bootstrap's."""
    first, second = method(0.82, 4), method(0.80, 5)

    def statistic(*columns: npt.NDArray[np.int64]) -> float:
        a, b = np.stack(columns[:4], axis=1), np.stack(columns[4:], axis=1)
        return float(match_f1(a.sum(axis=0)) - match_f1(b.sum(axis=0)))

    theirs = stats.bootstrap(
        (*first.T, *second.T),
        statistic,
        n_resamples=3000,
        method="percentile",
        paired=True,
        vectorized=False,
        rng=np.random.default_rng(6),
    ).confidence_interval
    found = paired_difference(first, second, match_f1, weights=weights())
    assert found.value == pytest.approx(statistic(*first.T, *second.T))
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_pairs_see_more_than_intervals() -> None:
    """Two methods whose intervals overlap are told apart when one is better on nearly every painting."""
    better, worse = method(0.80, 7, noise=0.01), method(0.78, 8, noise=0.01)
    upper, lower = (percentile_interval(m, match_f1, weights=weights()) for m in (better, worse))
    assert upper.low < lower.high
    assert paired_difference(better, worse, match_f1, weights=weights()).p < 0.001


def test_differences_are_antisymmetric() -> None:
    """Exchanged methods have the negative difference, the mirrored interval and the same p."""
    first, second = method(0.8, 9), method(0.79, 10)
    there = paired_difference(first, second, match_f1, weights=weights())
    back = paired_difference(second, first, match_f1, weights=weights())
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.p == back.p


def test_equal_methods() -> None:
    """A method compared with itself has difference 0 and p 1."""
    found = paired_difference(method(0.8, 1), method(0.8, 1), match_f1, weights=weights())
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_resamples_without_difference_count_for_both_signs() -> None:
    """Two methods that exchange their scores on two paintings have p 1."""
    first, second = mean_counts([1, 0]), mean_counts([0, 1])
    assert paired_difference(first, second, mean_of_counts, weights=weights(2)).p == 1


@pytest.mark.parametrize("paintings", [1, 2, 3, 5, 6])
def test_few_paintings_prove_little(paintings: int) -> None:
    """However clear the difference, p on m paintings is at least a sign test's 2 / 2^m."""
    first, second = method(0.9, 1, paintings, 0), method(0.5, 2, paintings, 0)
    found = paired_difference(first, second, match_f1, weights=weights(paintings))
    assert found.low > 0
    assert found.p == pytest.approx(2 / 2**paintings)
    assert (found.p < 0.05) == (paintings > 5)


def test_intervals_cover() -> None:
    """About 95 % of the intervals of sets drawn from a population hold the population's score."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        values = rng.exponential(1, 60)
        interval = percentile_interval(
            mean_counts(values), mean_of_counts, weights=resampling_weights(60, rng=rng, resamples=400)
        )
        held += interval.low <= 1 <= interval.high
    assert 0.90 <= held / 300 <= 0.98


def test_equally_good_methods_seldom_differ() -> None:
    """Of two methods that are equally good on average, p falls below 0.05 in about 1 of 20 sets."""
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(300):
        first, second = (mean_counts(v) for v in rng.normal(0.7, 0.1, (2, 60)))
        drawn = resampling_weights(60, rng=rng, resamples=400)
        found += paired_difference(first, second, mean_of_counts, weights=drawn).p < 0.05
    assert 0.01 <= found / 300 <= 0.10


def test_counts_of_a_painting_are_added() -> None:
    """Crops of one painting are one row, in the order of the names."""
    counts = np.arange(12).reshape(4, 3)
    names, summed = counts_by_painting(counts, ["b", "a", "b", "c"])
    assert names == ["a", "b", "c"]
    np.testing.assert_array_equal(summed, [[3, 4, 5], [6, 8, 10], [9, 10, 11]])
    with pytest.raises(ValueError, match=r"each of 4 images. Got 3"):
        counts_by_painting(counts, ["a", "b", "c"])


def test_undefined_values_are_left_out() -> None:
    """A mean skips NaN, and is NaN where nothing is left."""
    counts = mean_counts([1.0, np.nan, 4.0])
    assert mean_of_counts(counts.sum(axis=0)) == 2.5
    assert math.isnan(mean_of_counts(mean_counts([np.nan]).sum(axis=0)))


def test_ranks() -> None:
    """Clearly different methods have ranks of their own, indistinguishable ones share one."""
    methods = {
        "worst": method(0.5, 1),
        "good": method(0.80, 2),
        "also good": method(0.8005, 3),
        "middle": method(0.7, 4),
        "copy of worst": method(0.5, 1),
    }
    ranked = rank_methods(methods, match_f1, rng=np.random.default_rng(0))
    assert [r.rank for r in ranked] == [1, 1, 3, 4, 4]
    assert {r.name for r in ranked[:2]} == {"good", "also good"}
    assert [r.name for r in ranked[2:]] == ["middle", "copy of worst", "worst"]
    assert [r.to_leader is None for r in ranked] == [True, False, True, True, False]
    assert all(r.score.low <= r.score.value <= r.score.high for r in ranked)
    assert ranked[4].to_leader is not None
    assert ranked[4].to_leader.p == 1


def test_no_chain_of_ties() -> None:
    """Methods in small steps are compared with the leader of the group, so the last is not first."""
    methods = {f"m{step}": method(0.85 - 0.004 * step, step, noise=0.02) for step in range(12)}
    ranked = rank_methods(methods, match_f1, rng=np.random.default_rng(0))
    assert ranked[0].rank == 1
    assert ranked[-1].rank > 1
    for place, entry in enumerate(ranked, start=1):
        assert entry.rank <= place
        leader = next(r for r in ranked if r.rank == entry.rank)
        assert leader.to_leader is None
        if entry.to_leader is not None:
            assert entry.to_leader.p >= 0.05
            expected = paired_difference(
                methods[leader.name], methods[entry.name], match_f1, weights=weights(60)
            )
            assert entry.to_leader == expected


def test_ranks_do_not_depend_on_the_order_given() -> None:
    """The same methods in another order have the same ranks."""
    methods = {f"m{q}": method(q / 100, q) for q in (70, 71, 75, 80)}
    there, back = (
        rank_methods(dict(items), match_f1, rng=np.random.default_rng(0))
        for items in (methods.items(), reversed(methods.items()))
    )
    assert there == back


def test_one_method_and_none() -> None:
    """One method has rank 1; no method no ranks."""
    alone = rank_methods({"m": method(0.7, 1)}, match_f1, rng=np.random.default_rng(0))
    assert [entry.rank for entry in alone] == [1]
    assert rank_methods({}, match_f1, rng=np.random.default_rng(0)) == []


def test_faults() -> None:
    """Sets of different paintings, and empty ones, are refused."""
    with pytest.raises(ValueError, match=r"at least 1 painting and 1 resample. Got 0"):
        weights(0)
    with pytest.raises(ValueError, match=r"counts of 60 paintings. Got 12"):
        resampled_scores(method(0.8, 1, 12), match_f1, weights=weights(60, 10))
    with pytest.raises(ValueError, match=r"same number of paintings. Got \[12, 60\]"):
        rank_methods({"a": method(0.8, 1), "b": method(0.8, 1, 12)}, match_f1, rng=np.random.default_rng(0))
