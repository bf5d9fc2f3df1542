"""One call, made by all ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from recdistill.errors import UserError
from recdistill.ranks._call import Call
from recdistill.ranks._launched import led

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.ranks._settings import Devices

R = TypeVar("R")


def together(
    devices: Devices,
    function: Callable[..., R],
    *args: Any,
    own: Mapping[str, Any] | None = None,
    **shared: Any,
) -> R:
    """Call ``function(*args, **shared)`` on as many processes as ``devices`` says.

    This process is rank 0 and gets the result. With one device it is a plain call. Otherwise the
    others are started here, or a launcher started them already, and what is called finds them by
    :func:`current`.

    Parameters
    ----------
    devices : Devices
    function : callable
        Of a module: another process finds it by its name.
    own : mapping, optional
        Further arguments that only this process's call gets: where it logs, what it keeps.
    *args, **shared
        The same for all; they are pickled.

    Raises
    ------
    UserError
        When a launcher started another number of processes, when several hosts are asked for
        without one, or when another rank fails or dies: which, why, and what to do.
    """
    own, lead = dict(own or {}), led()
    if lead is None and devices.n_ranks == 1:
        return function(*args, **shared, **own)
    if lead is None and devices.num_nodes > 1:
        raise UserError(
            f"num_nodes={devices.num_nodes}, but no launcher started this process: start the same "
            "command on every host by torchrun or srun (docs/guides/more_than_one_device.md)."
        )
    from recdistill.ranks._faults import explained
    from recdistill.ranks._group import working
    from recdistill.ranks._local import local_group

    call = Call(function, args, shared).to_bytes()
    if lead is not None:
        lead.require(devices)
        with explained(lead.group), working(lead.group):
            lead.hand_out(call)
            return function(*args, **shared, **own)
    with (
        local_group(devices.n_ranks, call) as (group, followers),
        explained(group, followers.died),
        working(group),
    ):
        return function(*args, **shared, **own)
