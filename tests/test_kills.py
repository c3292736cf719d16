"""A few rounds of the kill -9 programme; `make kills` runs it at length. The figure is printed with `pytest -s`."""

import pytest

from tests.kills import Figures, Receiver, judge_alerts, run


def test_it_loses_nothing_when_it_is_killed_while_it_collects_and_delivers(capsys: pytest.CaptureFixture[str]) -> None:
    figures = run(kills=8, seed=3, to_the_end=False)
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201 - the figure is a result
    assert figures.bad() == {}
    assert figures.mentions_acknowledged > 0
    assert figures.events > 0, "no incident was opened: the programme proved nothing about alerts"


def test_the_judge_sees_a_lost_alert_and_a_broken_order() -> None:
    figures = Figures()
    first, second = b"12 negative mentions", b"13 negative mentions"
    judge_alerts(
        figures, {"a.1.hook", "a.2.hook", "a.3.hook"}, [("a.2.hook", first), ("a.1.hook", first), ("a.1.hook", second)]
    )
    assert figures.bad() == {"alerts_lost": 1, "changed_bodies": 1, "out_of_order": 1}


def test_the_receiver_refuses_and_drops_some_answers() -> None:
    receiver = Receiver(seed=1)
    answers = {receiver.take(str(number), b"") for number in range(200)}
    assert answers == {204, 503, None}
