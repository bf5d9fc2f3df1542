"""What the command ``recdistill`` answers itself: the newest runs, a run's page, completion."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config import home, read_yaml, stage_names
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def runs(argv: Sequence[str]) -> None:
    """List the newest runs: stage, name, figures, and what they were made from."""
    asked = argparse.ArgumentParser("recdistill runs", description=runs.__doc__)
    asked.add_argument("stage", nargs="?", default="", help="only this stage's runs")
    asked.add_argument("-n", type=int, default=20, help="how many (20)")
    asked.add_argument("--all", action="store_true", help="trials of sweeps and ladders too")
    said = asked.parse_args(argv)
    # MLflow takes a second or two to import: only when it is needed.
    from recdistill.runs import list_runs, open_store

    print(list_runs(open_store(), n=said.n, stage=said.stage, everything=said.all))


def open_page(argv: Sequence[str]) -> None:
    """Print a run's address in the MLflow UI, and open it where there is a browser."""
    asked = argparse.ArgumentParser("recdistill open", description=open_page.__doc__)
    asked.add_argument("run", help="id or name of a run")
    asked.add_argument("--print", action="store_true", help="only print the address")
    said = asked.parse_args(argv)
    from recdistill.runs import open_store, page_of_run

    address = page_of_run(open_store(), said.run)
    print(address)
    if not said.print and sys.stdout.isatty():
        webbrowser.open(address)


def serve(argv: Sequence[str]) -> None:
    """Answer requests with the champion; a newly promoted one takes over without a gap."""
    asked = argparse.ArgumentParser("recdistill serve", description=serve.__doc__)
    asked.add_argument("name", help="the registered model, as in recdistill-ml-100k")
    asked.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    asked.add_argument("--port", type=int, default=5100, help="port to listen on (5100)")
    asked.add_argument("--every", type=float, default=10, help="seconds between looks (10)")
    asked.add_argument("--log", default="", help="folder for counts of requests (none)")
    asked.add_argument("--log_every", type=float, default=60, help="seconds a line (60)")
    said = asked.parse_args(argv)
    if min(said.every, said.log_every) <= 0:
        raise UserError("--every and --log_every are seconds, more than 0.")
    from recdistill.runs import open_store, own_temporary_folder
    from recdistill.serving import LiveModel, Registry, RequestLog
    from recdistill.serving import serve as serve_model

    own_temporary_folder()  # a version is fetched there, and goes even when this is killed
    log = RequestLog(Path(said.log)) if said.log else None
    live = LiveModel(Registry(open_store(), said.name), log)
    print(f"version {live.version} of {said.name}: http://{said.host}:{said.port}", flush=True)
    serve_model(live, host=said.host, port=said.port, every=said.every, log_every=said.log_every)


def completion(argv: Sequence[str]) -> None:
    """Print what completes stages and their parameters in a shell: bash or zsh."""
    asked = argparse.ArgumentParser("recdistill completion", description=completion.__doc__)
    asked.add_argument("shell", choices=["bash", "zsh"], help="eval its output in your start file")
    said = asked.parse_args(argv)
    files = {name: home() / "conf" / f"{name}.yaml" for name in stage_names()}
    cases = "\n".join(
        f"    {name}) offered='{' '.join(_flags(read_yaml(file)))}' ;;"
        for name, file in files.items()
    )
    if said.shell == "zsh":
        print(_ZSH)
    names = " ".join([*files, *COMMANDS])
    print(_COMPLETION.format(cases=cases, names=names, **_SPACE[said.shell]))


def _flags(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List a settings file's parameters as flags, those of a group by their dotted names."""
    found = []
    for name, value in settings.items():
        inner = _flags(value, f"{prefix}{name}.") if isinstance(value, dict) else []
        found += inner or [f"--{prefix}{name}="]
    return found


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "runs": runs,
    "open": open_page,
    "serve": serve,
    "completion": completion,
}

# bash's completion in zsh stands on zsh's own, which a start file may not have loaded.
_ZSH = """\
(( $+functions[compdef] )) || {
  autoload -U +X compinit && compinit -i
}
autoload -U +X bashcompinit && bashcompinit"""
_COMPLETION = """\
_recdistill() {{
  local offered='{names}'
  [ "$COMP_CWORD" -gt 1 ] && case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  {no_space}
}}
complete {options}-F _recdistill recdistill"""
# A parameter's value follows its name without a space. zsh knows that of all words or of none.
_SPACE = {
    "bash": {
        "no_space": '[[ "${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2> /dev/null || true',
        "options": "",
    },
    "zsh": {"no_space": "return 0", "options": "-o nospace "},
}


def answer(name: str, argv: Sequence[str]) -> int:
    """Run a command; a mistake of the user's is one sentence and status 2."""
    try:
        COMMANDS[name](argv)
    except UserError as error:
        print(f"recdistill {name}: {error}", file=sys.stderr)
        return 2
    return 0
