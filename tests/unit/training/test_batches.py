"""Every target trains once per epoch, with the right input, and costs little padding."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.training._batches import WindowSampler, window_loader

lists = st.lists(st.integers(0, 30), min_size=1, max_size=12)


def _sequences(lengths: list[int]) -> Sequences:
    n = sum(lengths)
    ends = np.cumsum([0, *lengths]).astype(np.int64)
    # Item ids count up, so an item says where it comes from.
    return Sequences(np.arange(1, n + 1, dtype=np.int32), ends)


@settings(max_examples=80, deadline=None)
@given(
    lengths=lists, max_length=st.integers(1, 9), tokens=st.integers(1, 40), seed=st.integers(0, 9)
)
def test_every_target_trains_exactly_once(
    lengths: list[int], max_length: int, tokens: int, seed: int
):
    sequences = _sequences(lengths)
    if sum(length > 1 for length in lengths) == 0:
        return
    loader = window_loader(sequences, max_length=max_length, tokens=tokens, seed=seed)
    seen = []
    for batch in loader:
        real = batch.targets > 0
        assert torch.equal(real, batch.items > 0)
        assert torch.equal(batch.items[real] + 1, batch.targets[real])
        assert batch.items.shape[1] <= max_length
        assert len(batch.items) == 1 or batch.items.numel() <= tokens
        # Padding is on the right only.
        assert not (real.diff(dim=1) & real[:, 1:]).any()
        rows, positions = batch.target_keys()
        starts = torch.from_numpy(sequences.offsets)[rows]
        assert torch.equal(starts + positions + 1, batch.targets[real].long())
        seen.extend(batch.targets[real].tolist())
    firsts = {int(start) + 1 for start in sequences.offsets[:-1]}
    assert sorted(seen) == [i for i in range(1, sum(lengths) + 1) if i not in firsts]


def test_epochs_differ_and_repeat_by_seed():
    def windows(seed: int, epoch: int) -> list[list[int]]:
        sampler = WindowSampler(np.array([50, 9, 30]), max_length=8, tokens=16, seed=seed)
        sampler.set_epoch(epoch)
        return [w for batch in sampler for w in batch.tolist()]

    assert windows(0, 3) == windows(0, 3)
    assert windows(0, 3) != windows(0, 4)
    assert windows(0, 3) != windows(1, 3)


def test_buckets_leave_little_padding():
    lengths = np.random.default_rng(0).geometric(0.02, 3000) + 1
    sequences = _sequences(lengths.tolist())
    cells = real = 0
    for batch in window_loader(sequences, max_length=100, tokens=3200, seed=0):
        cells += batch.items.numel()
        real += int((batch.items > 0).sum())
    assert real / cells > 0.95


def test_the_learned_context_of_a_long_row_changes_with_the_epoch():
    sampler = WindowSampler(np.array([101]), max_length=10, tokens=1000, seed=0)
    cuts = set()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        cuts.add(int(min(start for batch in sampler for _, start, _ in batch.tolist() if start)))
    assert len(cuts) == 10


@settings(max_examples=40, deadline=None)
@given(lengths=lists, max_length=st.integers(1, 9), tokens=st.integers(1, 40))
def test_times_are_those_of_items_and_targets(lengths: list[int], max_length: int, tokens: int):
    sequences = _sequences(lengths)
    if sum(length > 1 for length in lengths) == 0:
        return
    bare = window_loader(sequences, max_length=max_length, tokens=tokens, seed=0)
    assert all(batch.times is None for batch in bare)
    timed = Sequences(sequences.items, sequences.offsets, 100 * sequences.items.astype(np.int64))
    for batch in window_loader(timed, max_length=max_length, tokens=tokens, seed=0):
        real = batch.targets > 0
        assert torch.equal(batch.times.seen[real], 100 * batch.items[real].long())
        assert torch.equal(batch.times.asked[real], 100 * batch.targets[real].long())
        moved = batch.to(torch.device("cpu"))
        assert torch.equal(moved.times.seen, batch.times.seen)
