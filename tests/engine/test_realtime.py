"""Asterisk on PostgreSQL: what its files say, who it is there, and calls while the server is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cluster import Cluster
from store.making import KEY
from trunkline.directory.entries import AccountEntry, DeviceEntry, UserEntry
from trunkline.engine.asterisk import Asterisk
from trunkline.engine.commands.ami import Ami
from trunkline.engine.config import configuration, realtime
from trunkline.engine.config.configuration import ConfigurationError, EngineConfiguration
from trunkline.engine.config.realtime import PostgresqlViews
from trunkline.engine.config.run_directory import run_directory
from trunkline.engine.install.choose import EngineInstallError, Installed, find
from trunkline.engine.port import EndpointChanged, Signal
from trunkline.engine.process.supervisor import Supervisor
from trunkline.server.wiring.engine import views_in_postgresql
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.postgres.asterisk_role import role_of
from trunkline.store.postgres.schema import upgrade
from trunkline.work.manage import entries
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user
from whole.phone import Line, Phone
from whole.ports import Ports, loopback
from whole.sip import Caller
from whole.waiting import until

# ---- What its files say --------------------------------------------------------------------------


def views(**more: object) -> PostgresqlViews:
    values = {"host": "db.example.com", "port": 5433, "name": "calls", "user": "reader"}
    return PostgresqlViews(**{**values, "password": "s3cret", **more})  # type: ignore[arg-type]


def config(home: Path, database: Path | PostgresqlViews, **more: object) -> EngineConfiguration:
    values = {
        "home": home,
        "run": home / "run",
        "modules": Path("/usr/lib/asterisk/modules"),
        "share": Path("/usr/share/asterisk"),
        "system": "tl00000001",
        "ari_port": 8088,
        "ari_password": "ari",
        "sip": ("127.0.0.1", 5060),
        "rtp": (10_000, 20_000),
        "realm": "trunkline",
    }
    return EngineConfiguration(**{**values, "database": database, **more})  # type: ignore[arg-type]


def written(made: EngineConfiguration, name: str) -> str:
    configuration.write(made)
    return (made.etc / name).read_text()


def test_another_way_to_the_database_gives_another_digest(tmp_path):
    ways = [
        tmp_path / "trunkline.db",
        views(),
        views(host="/run/postgresql"),
        views(port=5432),
        views(name="other"),
        views(user="other"),
        views(password="other"),
        views(options=(("sslmode", "verify-full"),)),
    ]
    assert len({configuration.digest(config(tmp_path, way)) for way in ways}) == len(ways)


def test_libpq_understands_any_name_and_asterisks_comments_do_not_cut_it(tmp_path):
    odd = views(name="it's; a \\ name", host="/run/a b")
    text = written(config(tmp_path, odd), "res_pgsql.conf")
    lines = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    read = {key: value.replace("\\;", ";") for key, value in lines.items()}
    with pytest.raises(psycopg.OperationalError, match=r"/run/a b/\.s\.PGSQL\.5433"):
        psycopg.connect(f"host={read['hostname']} port={read['port']} dbname={read['dbname']}")


@pytest.mark.parametrize(
    "odd", [{"name": "n" * 50}, {"host": "h" * 64}, {"name": ""}, {"host": "a\nb"}]
)
def test_what_asterisk_would_cut_short_is_refused(odd, tmp_path):
    with pytest.raises(ConfigurationError, match="Asterisk cannot hold the"):
        configuration.write(config(tmp_path, views(**odd)))


def test_an_option_cannot_bring_a_line_of_its_own(tmp_path):
    with pytest.raises(ConfigurationError, match="line break"):
        configuration.write(config(tmp_path, views(options=(("sslkey", "a\nhost=evil"),))))


def test_the_password_stands_in_one_private_file_alone(tmp_path):
    made = config(tmp_path, views())
    configuration.write(made)
    holders = {file.name for file in made.etc.iterdir() if "s3cret" in file.read_text()}
    assert holders == {"res_pgsql.conf"}
    assert (made.etc / "res_pgsql.conf").stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in repr(made.database)


def test_back_on_sqlite_nothing_of_postgresql_is_left(tmp_path):
    assert "sslmode=require" in written(
        config(tmp_path, views(options=(("sslmode", "require"),))), realtime.SERVICE_FILE
    )
    assert set(realtime.environment(tmp_path / "etc")) == {"PGSERVICE", "PGSERVICEFILE"}
    assert "pgsql" not in written(config(tmp_path, tmp_path / "t.db"), "extconfig.conf")
    assert realtime.environment(tmp_path / "etc") == {}
    assert not (tmp_path / "etc" / "res_pgsql.conf").exists()


def test_the_engine_has_its_modules(installed: Installed, cache: Path, tmp_path: Path):
    modules = written(config(tmp_path, views()), "modules.conf")
    assert all(f"load = {name}" in modules for name in realtime.MODULES)
    assert find(cache, "", realtime.MODULES) is not None
    assert find(cache, "", ("res_none.so",)) is None
    with pytest.raises(EngineInstallError, match=r"res_none\.so"):
        find(cache, str(installed.root or "/usr"), ("res_none.so",))


# ---- Who it is -----------------------------------------------------------------------------------


def test_a_role_is_its_databases_own_and_no_longer_than_postgresql_takes():
    names = ["trunkline", "x" * 70, "x" * 71, "Ä b", "a b", "a-b"]
    roles = [role_of(name) for name in names]
    assert roles[0] == "trunkline_asterisk"
    assert len(set(roles)) == len(names)
    assert all(len(role.encode()) <= 63 for role in roles)


def test_the_role_is_found_through_a_socket_and_the_environment(cluster, postgres_url, monkeypatch):
    """The URL may say nothing but the scheme: libpq knows the rest from elsewhere."""
    name = postgres_url.rpartition("/")[2]
    over_tcp = views_in_postgresql(postgres_url, KEY)
    for variable, value in {
        "PGHOST": str(cluster.data.parent),
        "PGPORT": str(cluster.port),
        "PGUSER": "trunkline",
        "PGDATABASE": name,
    }.items():
        monkeypatch.setenv(variable, value)
    try:
        by_socket = views_in_postgresql("postgresql://?sslmode=disable", KEY)
        assert (over_tcp.host, by_socket.host) == ("127.0.0.1", str(cluster.data.parent))
        assert over_tcp.password == by_socket.password
        assert by_socket.options == (("sslmode", "disable"),)
    finally:
        _drop(cluster, name, over_tcp.user)


def test_a_role_that_is_not_let_in_is_told_of(own_cluster, own_url):
    rules = own_cluster.data / "pg_hba.conf"
    role = role_of(own_url.rpartition("/")[2])
    rules.write_text(f"host all {role} 127.0.0.1/32 reject\n{rules.read_text()}")
    own_cluster.execute("SELECT pg_reload_conf()")
    with pytest.raises(DatabaseUnusable, match=r"does not let the role .* in.*pg_hba\.conf"):
        views_in_postgresql(own_url, KEY)
    rules.write_text(rules.read_text().partition("\n")[2])
    own_cluster.execute("SELECT pg_reload_conf()")


def _drop(cluster: Cluster, database: str, role: str) -> None:
    cluster.execute(f"DROP OWNED BY {role}", database)
    cluster.execute(f"DROP ROLE {role}")


# ---- A running Asterisk --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


@pytest.fixture(scope="module")
def own_url(own_cluster: Cluster) -> str:
    url = own_cluster.url(own_cluster.create())
    upgrade(url)
    return url


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports()
    yield made
    made.close()


class Switch:
    """A real engine on PostgreSQL, and the directory that it reads."""

    def __init__(self, url: str, home: Path, installed: Installed, ports: Ports) -> None:
        self.url, self.ports, self.home = url, ports, home
        self.sip = f"127.0.0.1:{ports.one()}"
        ari = ports.one()
        self.signals: list[Signal] = []
        self.engine = Asterisk(
            home, ari, "ari", self.signals.append, ami=Ami(0, ""), caches=realtime.CACHES
        )
        self.views = views_in_postgresql(url, KEY)
        self._config = config(
            home,
            self.views,
            run=run_directory(home),
            modules=installed.modules,
            share=installed.share,
            ari_port=ari,
            sip=("127.0.0.1", int(self.sip.rpartition(":")[2])),
            rtp=ports.range(100),
        )
        self.supervisor = Supervisor(installed, home, self._write, self._died, self.engine.answers)

    async def _write(self) -> None:
        configuration.write(self._config)
        self.engine.write_trunks([])

    async def _died(self, _last_sign_of_life: float) -> None: ...

    def office(self) -> tuple[AccountEntry, UserEntry]:
        """Users on 101, 102 and 103 with the phones an, binh and chi."""
        with ManagedDirectory(self.url, KEY).transaction() as directory:
            account = create_account(directory, "acme")
            for number, name in enumerate(("an", "binh", "chi")):
                user = create_user(directory, account, name, extension=str(101 + number))
                create_device(
                    directory,
                    account,
                    user,
                    name,
                    realm="trunkline",
                    password="p",
                    allow_weak_password=True,
                )
        return account, user

    def online(self, *users: str) -> bool:
        """Has ARI told that the phones are there, when they registered?"""
        told = {
            one.endpoint for one in self.signals if isinstance(one, EndpointChanged) if one.online
        }
        return told >= {*users} and all(map(self.engine.online, users))

    def caller(self, user: str, password: str = "p") -> Caller:
        return Caller(address="127.0.0.1", server=self.sip, user=user, password=password)

    async def registers(self, user: str, password: str = "p") -> int:
        return (await self.caller(user, password).register()).code

    async def calls(self, user: str, number: str) -> int:
        return (await self.caller(user).invite(number)).code

    async def phone(self, user: str) -> Phone:
        line = Line(
            user=user,
            password="p",
            server=self.sip,
            address=loopback(),
            port=self.ports.one(),
            control=self.ports.one(),
            rtp=self.ports.range(20),
        )
        return await Phone(line, self.home.parent / user).ready()


@pytest.fixture
async def switch(
    own_url: str, home: Path, installed: Installed, ports: Ports
) -> AsyncIterator[Switch]:
    made = Switch(own_url, home, installed, ports)
    running = asyncio.create_task(made.engine.run())
    await made.supervisor.start()
    try:
        yield made
    finally:
        await made.supervisor.stop(3)
        running.cancel()


async def test_asterisk_on_postgresql_through_a_crash_of_it(own_cluster: Cluster, switch: Switch):
    """One scene, since an engine and a server of its own take their time."""
    account, user = switch.office()
    assert await switch.registers("chi") == 200
    assert await switch.registers("chi", "wrong") == 401
    assert await switch.registers("nobody") == 401
    assert await switch.calls("chi", "999") == 403
    _reads_nothing_else(switch.views)

    an, binh = await switch.phone("an"), await switch.phone("binh")
    try:
        await until(lambda: switch.online("an", "binh"), "that the phones are told of as online")
        await an.dial("102")
        await an.wait_for("CALL_ESTABLISHED")
        own_cluster.kill()

        # Who is known stays so; a new call may work later; nobody waits.
        assert await switch.registers("chi") == 200
        assert await switch.registers("chi", "wrong") == 401
        assert await switch.calls("chi", "101") == 503
        assert await switch.calls("chi", "999") == 503
        for command in ("hold", "resume"):
            await an.command(command)
        assert await switch.engine.look("an")
        assert (len(await switch.engine.channels()), an.ended) == (2, 0)
        await an.hang_up()
        await binh.wait_for("CALL_CLOSED")

        await until(own_cluster.starts, "the server's start", every=0.2)
        assert await switch.calls("chi", "999") == 403
        assert await switch.calls("chi", "102") == 200
    finally:
        await an.stop()
        await binh.stop()

    # A device works at once when it is made, and no more once it is switched off.
    with ManagedDirectory(switch.url, KEY).transaction() as directory:
        create_device(
            directory,
            account,
            user,
            "new",
            realm="trunkline",
            password="p",
            allow_weak_password=True,
        )
        gone = entries.find(directory, DeviceEntry, "chi")
        entries.switch(directory, DeviceEntry, gone, False)
    assert await switch.registers("new") == 200
    await switch.engine.sync([], _is_device)
    assert await switch.registers("chi") == 401
    assert await switch.registers("new") == 200


async def _is_device(name: str, secure: bool) -> bool:
    return name != "chi"


def _reads_nothing_else(views: PostgresqlViews) -> None:
    url = make_conninfo(
        "",
        host=views.host,
        port=views.port,
        dbname=views.name,
        user=views.user,
        password=views.password,
    )
    for table in ("calls", "apps", "devices"):
        with (
            psycopg.connect(url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT * FROM {table}")  # type: ignore[call-overload]
