"""What time it is, while somebody sets the clock on the wall."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.server.clock import DELETES_AFTER, DeletingClock, EvenClock

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_700_000_000 * SECOND


class Machine:
    """Its two clocks, and when it was started."""

    def __init__(self) -> None:
        self.steady, self.ahead, self.boot = 50 * SECOND, START, "one"

    def wall(self) -> int:
        return self.steady + self.ahead

    def even(self, after: int = 300 * SECOND) -> EvenClock:
        return EvenClock(after, self.wall, lambda: self.steady)

    def deleting(self, file: Path) -> DeletingClock:
        return DeletingClock(file, self.wall, lambda: self.steady, lambda: self.boot)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("jump", [2 * HOUR, -2 * HOUR])
def test_a_jump_for_a_moment_is_not_believed(machine: Machine, jump: int) -> None:
    now = machine.even()
    before = now()
    machine.ahead += jump
    machine.steady += SECOND
    during = now()
    machine.ahead -= jump
    machine.steady += SECOND
    assert (during - before, now() - before) == (SECOND, 2 * SECOND)


@pytest.mark.parametrize("jump", [2 * HOUR, -2 * HOUR])
def test_a_clock_that_was_set_for_good_is_believed(machine: Machine, jump: int) -> None:
    now = machine.even()
    machine.ahead += jump
    now()
    machine.steady += 301 * SECOND
    assert now() == machine.wall()


def test_a_clock_that_is_disciplined_is_followed(machine: Machine) -> None:
    now = machine.even()
    machine.ahead += SECOND // 2
    assert now() == machine.wall()


def test_a_clock_that_jumps_about_is_never_believed(machine: Machine) -> None:
    now = machine.even()
    for step in range(20):
        machine.ahead = START + (step % 2 + 1) * HOUR
        machine.steady += 200 * SECOND
        assert now() == machine.steady + START


def test_nothing_is_deleted_by_a_clock_that_was_set_forward_today(
    machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "clock.json"
    machine.deleting(file)()
    machine.ahead += 1000 * HOUR
    machine.steady += HOUR
    assert machine.deleting(file)() == machine.steady + START, "another process"
    deleting = machine.deleting(file)
    deleting()
    machine.steady += DELETES_AFTER
    assert deleting() == machine.wall()


def test_a_clock_that_was_set_back_keeps_more(machine: Machine, tmp_path: Path) -> None:
    deleting = machine.deleting(tmp_path / "clock.json")
    deleting()
    machine.ahead -= 2 * HOUR
    assert deleting() == machine.wall()


def test_a_machine_that_was_off_for_long_deletes_a_day_later(
    machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "clock.json"
    last = machine.deleting(file)()
    machine.boot, machine.steady, machine.ahead = "two", 9 * SECOND, START + 1000 * HOUR
    deleting = machine.deleting(file)
    assert deleting() == last
    machine.steady += DELETES_AFTER + SECOND
    assert deleting() == machine.wall()


def test_a_machine_that_was_off_for_an_hour_deletes_as_ever(
    machine: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "clock.json"
    machine.deleting(file)()
    machine.boot, machine.steady, machine.ahead = "two", 9 * SECOND, START + HOUR
    assert machine.deleting(file)() == machine.wall()


def test_where_the_mark_cannot_be_written_deleting_goes_on(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.deleting(tmp_path / "gone" / "clock.json")() == machine.wall()
