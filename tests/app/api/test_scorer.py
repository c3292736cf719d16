"""Who hears the tone, over HTTP: the tier and the weights in force."""

from app.api.scorer import ScorerBody
from tests.app.api.house import Deaf, House


def test_it_names_the_tier_the_weights_and_the_languages(house: House) -> None:
    answer = house.caller("viewer", ("aurora",)).get("/api/v1/scorer")
    body = ScorerBody.model_validate_json(answer.content)
    assert (body.tier, body.scorer) == ("fast", Deaf.id)
    assert body.languages == ["de", "en", "es", "fr", "it", "pt"]
    assert "ca" in house.deps.settings.languages  # enabled, but there is no model that hears its tone
