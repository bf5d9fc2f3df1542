import torch
from torch import nn

from recdistill.memory._ledger import Ledger


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(5)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x.sum()


def _ledger(device: str) -> Ledger:
    model = Decoder().to(device)
    x = torch.ones(4, 8, device=device)
    ledger = Ledger(model)
    with ledger, ledger.following_modules():
        ledger.enter_phase("forward")
        loss = model(x)
        ledger.enter_phase("backward")
        loss.backward()
        del loss
    return ledger


def test_real_tensors_and_tensors_without_data_take_the_same_bytes():
    assert _ledger("cpu").timeline() == _ledger("meta").timeline()


def test_a_storage_counts_once_and_until_it_is_freed():
    ledger = Ledger(nn.Linear(1, 1))
    with ledger:
        ledger.enter_phase("forward")
        a = torch.zeros(10)
        b = a.view(2, 5)
        assert ledger.timeline()[-1][1] == 40
        del a
        assert ledger.timeline()[-1][1] == 40
        del b
        assert ledger.timeline()[-1][1] == 0


def test_sizes_are_rounded_up_to_the_allocators_block():
    ledger = Ledger(nn.Linear(1, 1), block=512)
    with ledger:
        kept = torch.zeros(129)
        assert ledger.timeline()[-1][1] == 1024
    del kept


def test_every_stretch_of_the_step_is_seen():
    moments = _ledger("meta").moments()
    for stretch in ("forward/first", "forward/after", "backward/last", "backward/first"):
        assert stretch in moments
        assert sum(moments[stretch].causes.values()) == moments[stretch].n_bytes
