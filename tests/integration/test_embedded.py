"""The embedded servers: first start, restart, kill -9, several users of one directory, other identities."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from arq.connections import RedisSettings
from redis import Redis
from redis.exceptions import AuthenticationError

from outreach.embedded import PostgresServer, start_postgres, start_servers, start_valkey
from outreach.embedded.identity import PACKAGE, choose_identity, namespaces_allowed, system_identity
from outreach.embedded.processes import exists
from outreach.embedded.tuning import tuned_settings
from outreach.errors import Unavailable

ROOT = Path(__file__).parents[2]
PATIENCE = 150
"""Seconds until something hangs for certain: stopping a server may take 120."""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="outreach-embedded-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def postgres(folder: Path) -> Iterator[PostgresServer]:
    server = start_postgres(folder / "pg")
    yield server
    server.stop()


def query(dsn: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


PYTHON_PATH = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])


def run_child(
    code: str, *arguments: str, python: str = sys.executable, uid: int | None = None, stdin: int | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-c", textwrap.dedent(code), *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        cwd="/",
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )


def python_for(uid: int) -> str:
    """An interpreter that this user can run, with our dependencies; ours may lie below a closed folder."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            probe = run_child("import outreach.embedded", python=python, uid=uid)
        except OSError:
            continue
        probe.communicate()
        if probe.returncode == 0:
            return python
    pytest.skip("no interpreter with our dependencies is within that user's reach")


def has_ended(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not exists(pid)


def test_first_start_and_restart_keep_the_data(folder: Path) -> None:
    said: list[str] = []
    server = start_postgres(folder / "pg", progress=said.append)
    first = server.pid
    query(server.dsn, "create table t as select 7 as n")
    server.stop()
    assert server.pid is None
    assert first is not None and has_ended(first)
    again = start_postgres(folder / "pg", progress=said.append)
    assert again.dsn == server.dsn
    assert query(again.dsn, "select n from t") == [(7,)]
    again.stop()
    # How long a start takes is told too, from its second second on.
    assert [line for line in said if "正在恢复" not in line] == ["正在建立数据库"]


def test_the_application_is_no_superuser_and_chinese_has_trigrams(postgres: PostgresServer) -> None:
    query(postgres.dsn, "create extension pg_trgm")
    assert query(postgres.dsn, "select similarity('示例市税务局', '示例县税务局') > 0.3") == [(True,)]
    assert query(postgres.dsn, "select rolsuper from pg_roles where rolname = current_user") == [(False,)]
    assert query(postgres.dsn, "show synchronous_commit") == [("on",)]
    assert query(postgres.dsn, "show shared_buffers")[0][0] != "128kB"
    assert query(postgres.dsn, "show listen_addresses") == [("",)]


def test_only_the_owner_reaches_the_socket(postgres: PostgresServer) -> None:
    socket = Path(psycopg.conninfo.conninfo_to_dict(postgres.dsn)["host"])  # type: ignore[arg-type]
    assert socket.stat().st_mode & 0o777 == 0o700


def test_killed_server_comes_back_with_what_was_committed(folder: Path) -> None:
    server = start_postgres(folder / "pg")
    query(server.dsn, "create table t as select generate_series(1, 1000) as n")
    busy = psycopg.connect(server.dsn)
    busy.execute("insert into t select generate_series(1, 10)")
    assert server.pid is not None
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    assert has_ended(pid)
    server.start()
    assert query(server.dsn, "select count(*) from t") == [(1000,)]
    busy.close()
    server.stop()
    assert server.pid is None


def test_a_second_starter_joins_and_the_last_one_stops(folder: Path) -> None:
    first, second = start_postgres(folder / "pg"), start_postgres(folder / "pg")
    assert first.pid == second.pid
    first.stop()
    assert query(second.dsn, "select 1") == [(1,)]
    pid = second.pid
    second.stop()
    assert pid is not None and has_ended(pid)


def test_two_processes_may_start_an_empty_directory_at_once(folder: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from outreach.embedded import start_servers
        servers = start_servers(Path(sys.argv[1]))
        print(servers.postgres.pid, servers.valkey.pid, flush=True)
        sys.stdin.readline()
        servers.stop()
    """
    children = [run_child(code, str(folder), stdin=subprocess.PIPE) for _ in range(2)]
    lines = [child.stdout.readline() for child in children if child.stdout]
    assert lines[0] == lines[1] != ""
    for child in children:
        _, errors = child.communicate("\n", timeout=PATIENCE)
        assert (child.returncode, errors) == (0, "")
    assert all(has_ended(int(pid)) for pid in lines[0].split())


def test_servers_of_a_killed_process_are_taken_over(folder: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from outreach.embedded import start_servers
        servers = start_servers(Path(sys.argv[1]))
        print(servers.postgres.pid, servers.valkey.pid, flush=True)
        sys.stdin.readline()
    """
    child = run_child(code, str(folder), stdin=subprocess.PIPE)
    assert child.stdout is not None
    pids = child.stdout.readline().split()
    child.kill()
    child.communicate()
    servers = start_servers(folder)
    assert [str(servers.postgres.pid), str(servers.valkey.pid)] == pids
    assert query(servers.dsn, "select 1") == [(1,)]
    servers.stop()
    assert all(has_ended(int(pid)) for pid in pids)


def test_a_process_that_ends_normally_stops_its_servers(folder: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from outreach.embedded import start_servers
        servers = start_servers(Path(sys.argv[1]))
        print(servers.postgres.pid, servers.valkey.pid, flush=True)
    """
    output, errors = run_child(code, str(folder)).communicate(timeout=PATIENCE)
    assert errors == ""
    assert all(has_ended(int(pid)) for pid in output.split())


def test_another_major_version_is_refused_and_left_alone(folder: Path) -> None:
    server = start_postgres(folder / "pg")
    server.stop()
    version = folder / "pg" / "data" / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(Unavailable, match="PostgreSQL 15 建立"):
        start_postgres(folder / "pg")
    assert version.read_text() == "15\n"


def test_an_interrupted_initdb_leaves_nothing_in_the_way(folder: Path) -> None:
    (folder / "pg" / "data.new" / "base").mkdir(parents=True)
    server = start_postgres(folder / "pg")
    assert query(server.dsn, "select 1") == [(1,)]
    server.stop()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(Unavailable, match="no_such_setting"):
        start_postgres(folder / "pg", settings={"no_such_setting": "1"})
    server = start_postgres(folder / "pg", settings={"work_mem": "7MB"})
    assert query(server.dsn, "show work_mem") == [("7MB",)]
    server.stop()


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    server = start_postgres(folder / ("很长的目录" * 9))
    assert query(server.dsn, "select 1") == [(1,)]
    server.stop()


def test_a_foreign_pid_in_the_pid_file_is_not_trusted(folder: Path) -> None:
    server = start_postgres(folder / "pg")
    pid_file = folder / "pg" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    server.start()
    assert server.pid not in (None, os.getpid())
    server.stop()


def test_sizes_follow_the_memory() -> None:
    assert tuned_settings(2 << 30)["shared_buffers"] == "128MB"
    assert tuned_settings(24 << 30)["shared_buffers"] == "1024MB"
    assert tuned_settings(1 << 40)["maintenance_work_mem"] == "512MB"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_without_namespaces_becomes_a_system_user(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if not all(path.stat().st_mode & 1 for path in [PACKAGE, *PACKAGE.parents]):
        pytest.skip("the programs lie below a closed directory")
    folder.chmod(0o755)
    server = start_postgres(folder / "pg", identity=system_identity(nobody.pw_uid, nobody.pw_gid))
    assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
    query(server.dsn, "create table t as select 1 as n")
    server.stop()
    assert choose_identity(folder / "pg" / "data").uid == nobody.pw_uid
    server = start_postgres(folder / "pg")
    assert query(server.dsn, "select n from t") == [(1,)]
    server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("uid", [65534, 54321], ids=["nobody", "without an entry in the user database"])
def test_an_ordinary_user_starts_both(folder: Path, uid: int) -> None:
    if uid == 54321 and not namespaces_allowed():
        pytest.skip("user namespaces are forbidden here")
    os.chown(folder, uid, uid)
    code = """
        import sys
        from pathlib import Path
        import psycopg
        from outreach.embedded import start_servers
        servers = start_servers(Path(sys.argv[1]))
        with psycopg.connect(servers.dsn) as connection:
            print(connection.execute("select 1").fetchone())
        servers.stop()
    """
    python = python_for(uid)
    child = run_child(code, str(folder), python=python, uid=uid)
    output, errors = child.communicate(timeout=PATIENCE)
    assert (output, errors) == ("(1,)\n", "")


def test_valkey_keeps_its_data_password_and_port(folder: Path) -> None:
    server = start_valkey(folder / "vk")
    url = server.url
    with Redis.from_url(url) as client:
        client.set("k", "v")
    server.stop()
    assert server.pid is None
    again = start_valkey(folder / "vk")
    assert again.url == url
    with Redis.from_url(again.url) as client:
        assert client.get("k") == b"v"
    again.stop()


def test_killed_valkey_comes_back_with_what_was_synced(folder: Path) -> None:
    server = start_valkey(folder / "vk", settings={"appendfsync": "always"})
    with Redis.from_url(server.url) as client:
        client.rpush("list", *range(1000))
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)
    server.start()
    with Redis.from_url(server.url) as client:
        assert client.llen("list") == 1000
    server.stop()


def test_valkey_moves_to_another_port_when_its_own_is_taken(folder: Path) -> None:
    first = start_valkey(folder / "one")
    url = first.url
    first.stop()
    shutil.copytree(folder / "one", folder / "two")
    first.start()
    second = start_valkey(folder / "two")
    assert first.url == url
    assert second.url != url
    second.stop()
    first.stop()


def test_valkey_asks_for_its_password_and_arq_knows_it(folder: Path) -> None:
    server = start_valkey(folder / "vk")
    settings = RedisSettings.from_dsn(server.url)
    assert settings.password and settings.password not in Path(f"/proc/{server.pid}/cmdline").read_text()
    assert (folder / "vk" / "valkey.conf").stat().st_mode & 0o777 == 0o600
    assert isinstance(settings.host, str)
    with Redis(host=settings.host, port=settings.port) as client, pytest.raises(AuthenticationError):
        client.ping()
    server.stop()


def test_revive_brings_back_what_died(folder: Path) -> None:
    servers = start_servers(folder)
    assert not servers.revive()
    for pid in (servers.postgres.pid, servers.valkey.pid):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert has_ended(pid)
    assert servers.revive()
    assert query(servers.dsn, "select 1") == [(1,)]
    with Redis.from_url(servers.redis_url) as client:
        assert client.ping()
    servers.stop()
