"""The words of the verdict: what a volume may be, and that a verdict survives being stored."""

import json
from datetime import timedelta

import pytest

from alerts.spike import from_mapping, to_mapping
from tests.alerts.crisis import START, crisis, volume


def test_a_verdict_survives_json() -> None:
    spike = crisis()
    mapping = json.loads(json.dumps(to_mapping(spike)))
    assert from_mapping(mapping) == spike
    assert mapping["window_end"].endswith("Z")


def test_a_verdict_of_another_version_is_read_as_far_as_it_is_known() -> None:
    mapping = to_mapping(crisis())
    del mapping["band"]
    del mapping["subject"]
    found = from_mapping({**mapping, "phase_of_the_moon": 3})
    assert (found.band, found.subject, found.observed) == (None, None, mapping["observed"])


@pytest.mark.parametrize("spoilt", [{"verdict": "fine"}, {"samples": [{}]}])
def test_a_mapping_that_is_no_verdict_is_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a spike"):
        from_mapping({**to_mapping(crisis()), **spoilt})


def test_a_volume_off_the_grid_or_with_uneven_series_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        volume([1], [1], start=START + timedelta(seconds=1))
    with pytest.raises(ValueError, match="equal length"):
        volume([1], [1], coverage=[])
