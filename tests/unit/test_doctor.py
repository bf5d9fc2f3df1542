import pytest

from recdistill import doctor
from recdistill.doctor import examine, findings_table

HEALTHY = {
    "torch": "2", "runtime": "12", "available": True, "product": 512.0, "name": "Card",
    "capability": [8, 0], "bf16": True, "free": 79e9, "total": 80e9,
}  # fmt: skip


@pytest.fixture
def machine(monkeypatch):
    """Answer the child's questions as a machine whose driver refuses expandable segments."""
    asked = []

    def check(flags, seconds):
        asked.append(flags)
        if any("expandable" in value for value in flags.values()):
            return HEALTHY | {"error": "RuntimeError: CUDA driver error: operation not supported"}
        return dict(HEALTHY)

    monkeypatch.setattr(doctor, "_check_cuda", check)
    for name in doctor.FLAG_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return asked


@pytest.mark.slow
def test_this_machine_is_examined_without_an_error(monkeypatch):
    for name in doctor.FLAG_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    findings = examine(lambda: "here")
    assert not [f for f in findings if f.severity == "error"]
    assert {"python", "torch", "disk", "tracking"} <= {f.check for f in findings}


def test_a_flag_that_breaks_the_driver_is_an_error(machine, monkeypatch):
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    (finding,) = [f for f in examine() if f.check == "allocator flags"]
    assert finding.severity == "error"
    assert "unset PYTORCH_CUDA_ALLOC_CONF" in finding.sentence
    assert machine[0] == {}  # without the flag first


def test_an_unset_flag_is_tried_but_never_set(machine):
    import os

    (finding,) = [f for f in examine() if f.check == "allocator flags"]
    assert finding.severity == "note"
    assert "PYTORCH_CUDA_ALLOC_CONF" not in os.environ


def test_an_old_card_and_a_busy_card_are_warned_about(monkeypatch):
    monkeypatch.setattr(doctor, "_check_cuda", lambda *_: HEALTHY | {"bf16": False, "free": 10e9})
    warned = {f.check for f in examine() if f.severity == "warning"}
    assert {"bf16", "gpu memory"} <= warned


def test_a_crashing_child_is_a_finding(monkeypatch):
    monkeypatch.setattr(doctor, "_CUDA_CHECK", "import os; os._exit(139)")
    found = {f.check: f for f in examine()}
    assert found["torch"].severity == "error"
    assert "139" in found["torch"].sentence


@pytest.mark.slow
def test_an_unreachable_tracking_store_is_an_error():
    def nowhere():
        raise OSError("refused")

    findings = examine(nowhere)
    assert [f.sentence for f in findings if f.check == "tracking"] == [
        "The tracking store cannot be used: refused"
    ]
    assert findings_table(findings).splitlines()[2].startswith("| error | tracking")
