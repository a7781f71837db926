"""The judge would see what it is there to see; the two worlds of the model differ by messages alone."""

from datetime import date

import numpy as np
import pytest

from tests.season.behaviour import EVENING, MORNING, Model, file_today, make_model, tell, true_effect
from tests.season.books import Entries
from tests.season.judge import Judge, Played, judge_sends, make_judge, wanted
from tests.season.people import People, draw_people
from tests.season.plan import OVERDUE, WAVES, Caps

SPREAD, URGENT, LAW = 2, 4, 6
TUESDAY = date(2026, 3, 17)


@pytest.fixture
def people() -> People:
    return draw_people(2_000, 1)


@pytest.fixture
def judge(people: People) -> Judge:
    rounds = {n: Played(n, wave, Caps(500, 100), False) for n, wave in enumerate(WAVES, start=1)}
    rounds[LAW] = Played(LAW, OVERDUE, Caps(500, 100), True)
    return make_judge(make_model(people, 1), rounds, 300, 1)


def free(judge: Judge, round_id: int, count: int) -> np.ndarray:
    """Persons whom a round may tell on any day."""
    people = judge.model.people
    may = wanted(judge, judge.rounds[round_id]) & ~people.labels["iit.unit_filing"]
    return np.unique(people.person[may])[:count]


def told(
    judge: Judge,
    round_id: int,
    persons: np.ndarray,
    day: date = TUESDAY,
    *,
    doubtful: np.ndarray | None = None,
) -> str:
    """What the judge says if these got a text message, and of those `doubtful` nobody knows."""
    entries = {"sms": Entries(np.zeros(len(persons)), persons, np.ones(len(persons), dtype=np.int8))}
    unsure = {} if doubtful is None else {round_id: doubtful}
    return "; ".join(judge_sends(judge, day, entries, {"sms": np.full(len(persons), round_id)}, unsure))


def test_what_is_as_it_should_be_passes(judge: Judge) -> None:
    assert told(judge, SPREAD, free(judge, SPREAD, 200)) == ""


@pytest.mark.parametrize("what", ["filed", "disputed", "control", "opted_out"])
def test_whoever_had_acted_or_was_to_be_left_alone(judge: Judge, what: str) -> None:
    persons = free(judge, SPREAD, 3)
    hers = np.isin(judge.model.people.person, persons[:1])
    match what:
        case "filed":
            judge.model.filed[hers] = 10
        case "disputed":
            judge.model.disputed[hers] = True
        case "control":
            judge.control[hers] = True
        case "opted_out":
            judge.model.people.opted_out[hers] = True
    assert "1 told though they had acted" in told(judge, SPREAD, persons)


def test_the_law_reaches_the_control_group_and_whoever_has_refused(judge: Judge) -> None:
    persons = free(judge, LAW, 3)
    judge.control[:] = True
    judge.refused[persons] = True
    assert told(judge, LAW, persons, date(2026, 7, 1)) == ""


def test_an_r_is_heeded(judge: Judge) -> None:
    persons = free(judge, SPREAD, 3)
    judge.refused[persons[0]] = True
    assert "1 told by phone after an R" in told(judge, SPREAD, persons)


def test_a_cap_of_the_day_and_of_a_hall(judge: Judge) -> None:
    assert "over the cap of 500 a day" in told(judge, SPREAD, free(judge, SPREAD, 501))
    people = judge.model.people
    crowd = free(judge, SPREAD, 2_000)
    crowd = crowd[people.hall[crowd] == people.hall[crowd[0]]][:60]
    judge.rounds = {**judge.rounds, URGENT: Played(URGENT, WAVES[1], Caps(500, len(crowd) - 1), False)}
    assert "1 over the cap" in told(judge, URGENT, crowd)


def test_a_request_without_an_answer_loads_its_own_day(judge: Judge) -> None:
    judge.rounds = {SPREAD: Played(SPREAD, WAVES[1], Caps(100, 100), False)}
    first, second = np.array_split(free(judge, SPREAD, 200), 2)
    assert told(judge, SPREAD, first[3:], doubtful=first[:3]) == ""
    assert told(judge, SPREAD, np.append(second, first[:3]), date(2026, 3, 18)) == ""
    judge.met.clear()
    assert "1 over the cap of 100 a day" in told(judge, SPREAD, first, doubtful=second[:1])


def test_a_reminder_soon_after_another_round(judge: Judge) -> None:
    persons = free(judge, URGENT, 3)
    assert told(judge, URGENT, persons, date(2026, 5, 20)) == ""
    assert told(judge, URGENT, persons, date(2026, 5, 21)) == ""
    assert "3 told twice within 7 days" in told(judge, 5, persons, date(2026, 5, 27))


def test_a_day_off_and_days_that_belong_to_others(judge: Judge) -> None:
    assert "3 told on a day off" in told(judge, SPREAD, free(judge, SPREAD, 3), date(2026, 4, 6))
    people = judge.model.people
    units = np.flatnonzero(wanted(judge, judge.rounds[SPREAD]) & people.labels["iit.unit_filing"])
    lone = units[np.bincount(people.person)[people.person[units]] == 1][:4]
    assert "4 of units told outside their days" in told(judge, SPREAD, lone, date(2026, 4, 8))


def test_the_other_world_differs_by_messages_alone(people: People) -> None:
    model = make_model(people, 1)
    reminded = people.ids[: people.count // 2]
    for day in range(9, 60):
        live(model, day, reminded)
    silent = people.ids[people.count // 2 :]
    assert (model.filed[silent] == model.filed_untold[silent]).all()
    assert (model.filed[reminded] <= model.filed_untold[reminded]).all()
    assert true_effect(model, silent) == 0.0
    assert true_effect(model, reminded) > 0.05


def live(model: Model, day: int, reminded: np.ndarray) -> None:
    """A day on which, each tenth, some are told."""
    file_today(model, day, MORNING)
    if day % 10 == 0:
        tell(model, reminded, day)
    file_today(model, day, EVENING)
