"""What the team server refuses: the nameless, other places, root, guessing, prying neighbours."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from _servers import ROOT, TeamServer, environment, missing_for_team
from _walk import HEALTH, answers, family, http2_preface, ports, sockets

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]

PERSON = ("mallory", "a-long-passphrase-of-mallory")
NAMES = ("postgres", "s3", "mlflow")


def call(
    server: TeamServer, path: str, *, login: tuple[str, str] = PERSON, **body: Any
) -> requests.Response:
    return requests.post(f"{server.url}/{path}", json=body, auth=login, timeout=30)


class From(requests.adapters.HTTPAdapter):
    """Sends from an address of this machine's."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *words: Any, **named: Any) -> None:
        super().init_poolmanager(*words, **named, source_address=(self._address, 0))


@pytest.fixture(scope="module", autouse=True)
def person(team_server: TeamServer) -> None:
    """Somebody with a login of the plainest kind."""
    admin = (team_server.admin, team_server.password)
    said = {"username": PERSON[0], "password": PERSON[1]}
    assert call(team_server, "api/2.0/mlflow/users/create", login=admin, **said).ok


@pytest.fixture
def processes(team_server: TeamServer) -> list[Any]:
    """Those of now: PostgreSQL has one for every connection, other tests' too."""
    found = [one for name in NAMES for one in family(team_server.process_id(name))]
    assert len(found) > 5  # PostgreSQL alone has as many
    return found


@pytest.mark.parametrize("host", [None, "evil.example"])
def test_no_port_of_any_process_answers_the_nameless(
    team_server: TeamServer, processes: list[Any], host: str | None
) -> None:
    doors = ports(processes)
    assert {address for address, _ in doors} == {"127.0.0.1"}
    assert len(doors) == 10  # MLflow, PostgreSQL, S3, and the two ports of the store's four parts
    got = [answer for _, port in doors for answer in answers(port, host)]
    assert len({answer.port for answer in got}) >= 5  # the walk did reach those that speak HTTP
    served = [answer for answer in got if answer.status < 400]
    assert {answer.request for answer in served} <= {f"GET {path}" for path in HEALTH}
    assert {answer.body for answer in served} <= {b"OK", b""}
    assert {answer.status for answer in got} <= {200, 400, 401, 403, 405}


def test_grpc_is_closed_too(team_server: TeamServer, processes: list[Any]) -> None:
    for _, port in ports(processes):
        # Neither HTTP/2's first frame of settings nor anything of a service comes back in plain.
        assert not http2_preface(port).startswith(b"\0\0"), port


def test_postgres_wants_its_password(team_server: TeamServer) -> None:
    address = f"host=127.0.0.1 port={team_server.postgres_port} user=recdistill dbname=mlflow"
    for guess in ("", " password=guess"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(address + guess, passfile="/dev/null")


def test_neighbours_on_the_machine_find_no_socket_and_no_file(
    team_server: TeamServer, processes: list[Any]
) -> None:
    for path in sockets(processes):
        assert not stat.S_IMODE(os.stat(path).st_mode) & 0o077, path  # noqa: PTH116
    folder = team_server.folder / "data"
    assert stat.S_IMODE(folder.stat().st_mode) in (0o700, 0o711)  # enter, never look around
    for path in folder.iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_started_by_root_nothing_stays_root(team_server: TeamServer, processes: list[Any]) -> None:
    owners = {name: family(team_server.process_id(name))[0].uids() for name in NAMES}
    assert all(0 not in process.uids() + process.gids() for process in processes)
    assert len({owner.real for owner in owners.values()}) == 3  # each has its own
    with pytest.raises(KeyError):  # and nobody else runs as it
        pwd.getpwuid(owners["mlflow"].real)
    for name in NAMES:
        groups = Path(f"/proc/{team_server.process_id(name)}/status").read_text()
        assert "Groups:\t \n" in groups or "Groups:\t\n" in groups


LOCATIONS = [
    "file:///{folder}",
    "{folder}",
    "FILE:///etc",
    "s3://other/bucket",
    "s3://recdistill/artifacts/1",
    "mlflow-artifacts:/1",
    "mlflow-artifacts://evil.example/1",
    "http://127.0.0.1:1/x",
    "ftp://127.0.0.1/x",
    "dbfs:/x",
]


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize("route", ["api", "ajax-api"])
def test_nobody_chooses_where_artifacts_lie(
    team_server: TeamServer, tmp_path: Path, route: str, field: str
) -> None:
    admin = (team_server.admin, team_server.password)
    for number, location in enumerate(LOCATIONS):
        wish = {"name": f"{route}-{field}-{number}", field: location.format(folder=tmp_path)}
        for login in (PERSON, admin):
            refused = call(
                team_server, f"{route}/2.0/mlflow/experiments/create", login=login, **wish
            )
            assert refused.status_code == 400, location
            assert refused.text.count("\n") == 1, refused.text
            twice = requests.post(
                refused.url, json=json.dumps(wish), auth=login, timeout=30
            )  # a text that is JSON once more, as clients sent it long ago
            assert (twice.status_code, twice.text) == (400, refused.text)


def test_a_page_of_another_port_of_this_machine_gets_nothing(team_server: TeamServer) -> None:
    """MLflow itself lets every page of localhost act with the login that a browser remembers."""
    own, other = {"Origin": team_server.url}, {"Origin": "http://localhost:9999"}
    address = f"{team_server.url}/ajax-api/2.0/mlflow/experiments/search?max_results=1"
    assert requests.get(address, auth=PERSON, headers=own, timeout=30).ok
    for method in ("GET", "POST", "OPTIONS"):
        refused = requests.request(method, address, auth=PERSON, headers=other, timeout=30)
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize("route", ["api", "ajax-api"])
def test_models_come_from_this_server_only(team_server: TeamServer, route: str) -> None:
    name = f"model-{route}"
    assert call(team_server, f"{route}/2.0/mlflow/registered-models/create", name=name).ok
    for source in [
        *(location.format(folder="/etc") for location in LOCATIONS[:4]),
        "file:///etc",
        "/etc/passwd",
        "mlflow-artifacts://evil.example/1/x",
        "https://evil.example/model",
        "models:/../../etc",
        "runs:/../../etc",
    ]:
        path = f"{route}/2.0/mlflow/model-versions/create"
        refused = call(team_server, path, name=name, source=source)
        assert 400 <= refused.status_code < 500, (source, refused.text)


def test_location_that_the_database_holds_already_is_not_opened(
    team_server: TeamServer, tmp_path: Path
) -> None:
    """As an older server, or a hand in the database, may have left it; links lead nowhere."""
    tmp_path.joinpath("secret.txt").write_text("the machine's own")
    made = call(team_server, "api/2.0/mlflow/experiments/create", name="moved away").json()
    run = call(
        team_server, "api/2.0/mlflow/runs/create", experiment_id=made["experiment_id"]
    ).json()["run"]["info"]["run_id"]
    (tmp_path / run).mkdir()
    (tmp_path / run / "artifacts").symlink_to("/")
    for place in (f"file://{tmp_path}", f"file://{tmp_path}/{run}/artifacts", "s3://other/x"):
        team_server.sql("UPDATE runs SET artifact_uri = %s WHERE run_uuid = %s", place, run)
        for route in (
            f"get-artifact?path=secret.txt&run_uuid={run}",
            f"get-artifact?path=etc/passwd&run_uuid={run}",
            f"api/2.0/mlflow/artifacts/list?run_id={run}",
            f"ajax-api/2.0/mlflow/artifacts/list?run_id={run}&path=etc",
        ):
            refused = requests.get(f"{team_server.url}/{route}", auth=PERSON, timeout=30)
            assert refused.status_code == 400, (place, route, refused.text)
            assert "outside this server's own store" in refused.text
        written = requests.post(
            f"{team_server.url}/ajax-api/2.0/mlflow/upload-artifact",
            params={"run_uuid": run, "path": "planted.txt"},
            data=b"planted",
            auth=PERSON,
            timeout=30,
        )
        assert written.status_code >= 400
    query = {
        "query": f'query {{mlflowListArtifacts(input: {{runId: "{run}"}}) {{files {{path}}}}}}'
    }
    graph = requests.post(f"{team_server.url}/graphql", json=query, auth=PERSON, timeout=30)
    assert "etc" not in graph.text
    assert not list(tmp_path.rglob("planted*"))


def test_rooms_that_run_programs_are_closed_even_with_a_login(team_server: TeamServer) -> None:
    admin = (team_server.admin, team_server.password)
    for path in ("ajax-api/3.0/mlflow/assistant/message", "gateway/x/mlflow/invocations"):
        assert call(team_server, path, login=admin).status_code == 404


def test_guessing_a_password_is_braked_for_that_name_alone(team_server: TeamServer) -> None:
    address = f"{team_server.url}/api/2.0/mlflow/experiments/search?max_results=1"
    said = [requests.get(address, auth=("somebody", f"guess-{n}"), timeout=20) for n in range(12)]
    assert [reply.status_code for reply in said[:5]] == [401] * 5
    assert said[-1].status_code == 429
    assert int(said[-1].headers["Retry-After"]) >= 1
    assert said[-1].text.count("\n") == 1
    with requests.Session() as elsewhere:  # another of the machine's own sixteen million addresses
        elsewhere.mount("http://", From("127.0.0.77"))
        assert elsewhere.get(address, auth=("somebody", "guess"), timeout=20).status_code == 429
    assert requests.get(address, auth=PERSON, timeout=20).status_code == 200


def test_two_logins_in_one_request_are_none(team_server: TeamServer) -> None:
    host, port = team_server.url.removeprefix("http://").split(":")
    basic = requests.auth._basic_auth_str(*PERSON)
    lines = ["GET /api/2.0/mlflow/users/current HTTP/1.1", f"Host: {host}:{port}"]
    lines += [f"Authorization: {basic}", "Authorization: Basic eDp5", "Connection: close"]
    with socket.create_connection((host, int(port)), timeout=20) as link:
        link.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b" 401 " in link.recv(1000).split(b"\r\n")[0]


def test_root_is_not_used_behind_a_closed_folder(tmp_path: Path) -> None:
    """A Python that the services' user cannot reach ends in a sentence, not in root."""
    if os.geteuid() != 0:
        pytest.skip("only root has something to give up")
    code = (
        "import sys, tracking._users as u; sys.executable = sys.argv[1]\n"
        "import sysconfig; sysconfig.get_paths = lambda: {'purelib': sys.argv[2]}\n"
        "u.python_for({'user': 61184, 'group': 61184})"
    )
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", code, str(closed / "python"), str(closed)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError: Started by root, the server runs as user 61184, who cannot read" in (
        done.stderr
    )
