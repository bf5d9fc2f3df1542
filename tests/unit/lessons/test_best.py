import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.lessons import best_items


@given(
    n_columns=st.integers(1, 1_500),
    k=st.integers(1, 8),  # six blocks of 32 columns for each of them, or all columns at once
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([3, 1_000_000]),
)
def test_the_best_of_blocks_are_the_best_of_all(n_columns, k, seed, levels):
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, levels, (5, n_columns), generator=draw).float()
    scores[0, : n_columns // 2] = -torch.inf
    k = min(k, n_columns)
    best, columns = best_items(scores, k)
    assert torch.equal(best, scores.topk(k, 1).values)
    assert torch.equal(scores.gather(1, columns), best)
    assert all(len(set(row)) == k for row in columns.tolist())
