"""Clusters in all channels at once: memberships against truth and a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aavqc.ddpcr import TechniqueSettings, analyze
from aavqc.ddpcr.clusters import fit_clusters, probabilities
from aavqc.records import DropletPlate, Droplets, InputFile, readonly

GATE = np.array([4000.0, 3000.0])
MEANS = {0: (1500.0, 1200.0), 1: (7000.0, 1600.0), 2: (1700.0, 5000.0), 3: (7200.0, 5300.0)}


def droplets(
    seed: int = 0, n: int = 20_000, rain: float = 0.01
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return amplitudes of two channels and the true cluster, -1 for rain."""
    random = np.random.default_rng(seed)
    truth = random.choice(4, n, p=[0.6, 0.2, 0.12, 0.08])
    amplitude = np.array([MEANS[int(t)] for t in truth]) + random.normal(0, 1, (n, 2)) * (250, 180)
    stray = random.random(n) < rain
    amplitude[stray] = random.uniform((800, 700), (7800, 5900), (int(stray.sum()), 2))
    return amplitude, np.where(stray, -1, truth)


def test_a_mixture_finds_clusters_and_rain() -> None:
    amplitude, truth = droplets()
    mixture = fit_clusters(amplitude, GATE)
    assert mixture is not None
    assert mixture.patterns == (0, 1, 2, 3)
    for k, pattern in enumerate(mixture.patterns):
        n = np.count_nonzero(truth == pattern)
        assert mixture.mean[k] == pytest.approx(MEANS[pattern], abs=5 * 250 / np.sqrt(n))
        assert np.sqrt(np.diag(mixture.covariance[k])) == pytest.approx((250, 180), rel=5 / np.sqrt(n))
    share, _ = probabilities(mixture, amplitude)
    assert share.sum(axis=1) == pytest.approx(np.ones(amplitude.shape[0]))
    assert 1 - mixture.weight.sum() == pytest.approx(0.01, abs=0.004)
    called = share.argmax(axis=1)
    assert np.mean(called[truth >= 0] == truth[truth >= 0]) > 0.995
    assert np.mean(called[truth < 0] == 4) > 0.7


def test_probabilities_are_those_of_bayes() -> None:
    amplitude, _ = droplets(n=500)
    mixture = fit_clusters(amplitude, GATE)
    assert mixture is not None
    share, likelihood = probabilities(mixture, amplitude)
    terms = []
    for mean, covariance, weight in zip(mixture.mean, mixture.covariance, mixture.weight, strict=True):
        centred = amplitude - mean
        distance = np.einsum("ia,ab,ib->i", centred, np.linalg.inv(covariance), centred)
        terms.append(weight * np.exp(-distance / 2) / np.sqrt(np.linalg.det(2 * np.pi * covariance)))
    terms.append(np.full(500, (1 - mixture.weight.sum()) * mixture.rain_density))
    plain = np.array(terms).T
    assert share == pytest.approx(plain / plain.sum(axis=1, keepdims=True), abs=1e-9)
    assert likelihood == pytest.approx(np.log(plain.sum(axis=1)).sum(), rel=1e-9)


def test_memberships_come_with_the_plot_s_droplets() -> None:
    clean, rainy = droplets(1, rain=0.0)[0], droplets(2, rain=0.10)[0]
    record = DropletPlate(
        name="p", sample_id="p", format="quantasoft", inputs=(InputFile("p_A01_Amplitude.csv", "0" * 64, 1),),
        software="amplitudes without a table", rows=(),
        droplets={
            w: Droplets(amplitude=readonly(a), positive=None, channels=("Ch1", "Ch2"))
            for w, a in (("A01", clean), ("B01", rainy))
        },
        partition_volume_nl=None, partition_volume_source="default",
    )  # fmt: skip
    outcome = analyze(record, TechniqueSettings())
    found = {w: outcome.arrays[f"membership/{w}"] for w in ("A01", "B01")}
    assert all(v.shape == (5000,) and v.min() >= 0 and v.max() <= 1 for v in found.values())
    unclear = {s.sample_id: s.diagnostics["unclear"] for s in outcome.samples}
    assert unclear["well-A01"]["A01"] < 0.03
    assert 0.05 < unclear["well-B01"]["B01"] < 0.12


def test_no_cluster_without_droplets() -> None:
    assert fit_clusters(np.random.default_rng(0).normal(0, 1, (10, 2)), GATE) is None
