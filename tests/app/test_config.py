"""avizor.toml: read as a whole, faults told by line, compared with what is stored, applied in one transaction."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from app.config import (
    BrandSpec,
    ChannelSpec,
    Config,
    ConfigError,
    Plan,
    apply,
    load_brands,
    load_config,
    plan,
    read_config,
    slugify,
)
from app.settings import PREFIX, Settings, environment
from app.storage import Storage, open_storage
from app.storage.records import PutBrand, PutChannel, PutSource
from app.vault import Vault

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOOK = "https://hooks.slack.com/services/T0/B1/abcdefghijkl"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"
VARIABLES = {"SLACK_URL": HOOK}

WHOLE = """\
[settings]
time_zone = "Europe/Madrid"

[[brands]]
name = "Peña & Hijos"
query = "peña"
channels = ["guardia"]

[[brands]]
name = "Rival"
query = "rival"
competitor = true
time_zone = "America/Lima"
language = "en"

[[sources]]
name = "Diario"
kind = "rss"
url = "https://diario.example/rss"
brands = ["pena-hijos"]
interval_s = 300

[[channels]]
name = "Guardia"
kind = "slack"
url = "${SLACK_URL}"
"""


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(environment()):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = open_storage(f"sqlite:///{tmp_path}/avizor.db", Vault([Fernet.generate_key().decode()]))
    made.migrate()
    yield made
    made.close()


def read(text: str, variables: dict[str, str] = VARIABLES) -> Config:
    Path("avizor.toml").write_text(text, encoding="utf-8")
    config = load_config(Path("avizor.toml"), variables)
    config.check()
    return config


def problems(text: str, variables: dict[str, str] = VARIABLES) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, variables)
    return str(caught.value).splitlines()


def told(plan: Plan) -> list[str]:
    return list(plan.lines())


# ── names ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Telefónica", "telefonica"),
        ("  Peña & Hijos, S.A. ", "pena-hijos-s-a"),
        ("Straße 7", "strasse-7"),
        ("ÇİĞKÖFTE", "cigkofte"),
        ("名前", ""),
        ("x" * 200, "x" * 80),
    ],
)
def test_it_makes_an_id_of_a_name(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_it_asks_for_a_slug_where_the_name_gives_none() -> None:
    with pytest.raises(ValidationError, match="cannot be made from the name"):
        BrandSpec(name="名前", query="名前")
    assert BrandSpec(name="名前", slug="namae", query="名前").slug == "namae"


# ── reading ──────────────────────────────────────────────────────────────────


def test_it_reads_brands_sources_and_channels() -> None:
    config = read(WHOLE)
    pena, rival = config.brands
    assert (pena.slug, pena.query, pena.language, pena.time_zone) == ("pena-hijos", "peña", "es", "Europe/Madrid")
    assert (pena.channels, pena.competitor, pena.origin) == (("guardia",), False, "file")
    assert (rival.language, rival.time_zone, rival.competitor) == ("en", "America/Lima", True)
    (source,) = config.sources
    assert (source.slug, source.kind, source.interval_s, source.brands) == ("diario", "rss", 300, ("pena-hijos",))
    (channel,) = config.channels
    assert (channel.slug, channel.language, dict(channel.secret)) == ("guardia", "es", {"url": HOOK})
    assert config.references == ()


def test_it_reads_only_brands_without_asking_for_the_secrets_of_channels() -> None:
    Path("avizor.toml").write_text(WHOLE, encoding="utf-8")
    with pytest.raises(ConfigError, match="SLACK_URL is not set"):
        read(WHOLE, {})
    assert [brand.slug for brand in load_brands(Path("avizor.toml"))] == ["pena-hijos", "rival"]


def test_it_tells_every_problem_at_once_each_with_its_line() -> None:
    text = """\
[settings]
prot = 8001

[[brands]]
name = "Una"
query = 'una AND ('
qury = "x"

[[brands]]
name = "una"
query = "una"
time_zone = "Madrid"

[[brands]]
name = "UNA"
query = "una"

[[brands]]
name = "Una"
query = "una"

[[sources]]
name = "Diario"
kind = "rsss"
interval_s = "300"

[[sources]]
kind = "rss"
url = "ftp://diario.example/rss"

[[channels]]
name = "Guardia"
kind = "slack"
url = "${SLACK_URL}"
min_severity = "severe"

[chanels]
"""
    found = problems(text, {})
    places = [re.match(r"avizor\.toml:(\d+): ([^:]+): ", line) for line in found]
    assert all(places)
    assert [(int(place[1]), place[2]) for place in places if place] == [
        (2, "settings.prot"),
        (6, "brands[0].query"),
        (7, "brands[0].qury"),
        (12, "brands[1].time_zone"),
        (18, "brands[3]"),
        (24, "sources[0].kind"),
        (25, "sources[0].interval_s"),
        (27, "sources[1].name"),
        (34, "channels[0].url"),
        (35, "channels[0].min_severity"),
        (37, "chanels"),
    ]


def test_it_points_at_the_character_and_the_line_of_a_mistake_in_a_long_query() -> None:
    text = '''\
[[brands]]
name = "Una"
query = """
una OR
  dos AND ()
"""
'''
    (problem,) = problems(text)
    assert problem.startswith("avizor.toml:5: brands[0].query: at character ")


def test_it_tells_what_a_kind_thinks_of_its_settings_at_the_head_of_the_table() -> None:
    (problem,) = problems('[[sources]]\nname = "D"\nkind = "rss"\n')
    assert problem.startswith("avizor.toml:1: sources[0]: ")
    (problem,) = problems('[[channels]]\nname = "G"\nkind = "webhook"\nurl = "https://x.example"\nsecret = "short"\n')
    assert problem.startswith("avizor.toml:1: channels[0]: ")


def test_it_refuses_tables_that_are_no_tables() -> None:
    assert problems("brands = 3\nsources = [1]\n") == [
        "avizor.toml:1: brands: must be tables: write [[brands]] before each",
        "avizor.toml:2: sources: must be tables: write [[sources]] before each",
    ]


def test_it_never_guesses_a_type() -> None:
    (problem,) = problems('[[brands]]\nname = "U"\nquery = "u"\ncompetitor = "no"\n')
    assert problem == "avizor.toml:4: brands[0].competitor: input should be a valid boolean"


def test_it_refuses_what_cannot_be_shown_or_stored() -> None:
    text = '[[brands]]\nname = "U\\u0000\\n"\nquery = "u\\u0000"\n[[sources]]\nname = "D"\nkind = "rss"\nurl = "https://d.example"\n'
    assert problems(text + "settings = { since = 2026-11-22 }\n") == [
        "avizor.toml:2: brands[0].name: has a character that cannot be shown, such as a line break",
        "avizor.toml:3: brands[0].query: has a NUL character",
        "avizor.toml:8: sources[0].settings.since: input was not a valid JSON value",
    ]


# ── secrets ──────────────────────────────────────────────────────────────────


def channel(url: str, variables: dict[str, str]) -> str:
    return read(f'[[channels]]\nname = "G"\nkind = "slack"\nurl = "{url}"\n', variables).channels[0].secret["url"]


def test_it_takes_secrets_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(HOOK + "\n")
    assert channel("${SLACK_URL}", VARIABLES) == HOOK
    assert channel(f"${{file:{tmp_path}/hook}}", {}) == HOOK
    assert channel("https://hooks.slack.com/services/${A}/${B}/x1", {"A": "T0", "B": "B1"}) == (
        "https://hooks.slack.com/services/T0/B1/x1"
    )


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("${NOWHERE}", "the environment variable NOWHERE is not set"),
        ("${EMPTY}", "the environment variable EMPTY is not set"),
        ("${file:/nowhere/hook}", "the file /nowhere/hook cannot be read: No such file or directory"),
        ("${env:X}", "a secret is named as ${NAME} or ${file:/path}"),
        ("${}", "a secret is named as ${NAME} or ${file:/path}"),
    ],
)
def test_it_says_which_secret_is_missing_and_only_that(reference: str, message: str) -> None:
    text = f'[[channels]]\nname = "G"\nkind = "slack"\nurl = "{reference}"\n'
    assert problems(text, {"EMPTY": ""}) == [f"avizor.toml:4: channels[0].url: {message}"]


def test_it_looks_nothing_up_outside_of_secrets() -> None:
    config = read('[[brands]]\nname = "${SLACK_URL}"\nslug = "u"\nquery = "u"\n')
    assert config.brands[0].name == "${SLACK_URL}"


def test_it_leaves_a_dollar_that_is_meant() -> None:
    text = '[[sources]]\nname = "D"\nkind = "rss"\nurl = "https://d.example/rss"\nsecret = "$${x} $1"\n'
    assert read(text).sources[0].secret == "${x} $1"


def test_it_repeats_no_secret_in_an_error_or_in_its_own_text() -> None:
    with pytest.raises(ValidationError) as caught:
        ChannelSpec(name="G", kind="slack", url="hunter2-hunter2", min_severity="x")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "\n".join(problems('[[channels]]\nname = "G"\nkind = "webhook"\nurl = "hunter2"\n'))
    spec = ChannelSpec.model_validate({"name": "G", "kind": "slack", "url": HOOK})
    assert "abcdefgh" not in repr(spec) + repr(spec.to_channel(Settings(), "api")) + repr(read(WHOLE))
    assert spec.to_channel(Settings(), "api").secret == {"url": HOOK}


# ── planning and applying ────────────────────────────────────────────────────


def test_it_plans_nothing_once_applied(storage: Storage) -> None:
    config = read(WHOLE)
    first = plan(config, storage)
    assert [(d.sign, d.noun, d.slug) for d in first.differences] == [
        ("+", "channel", "guardia"),
        ("+", "brand", "pena-hijos"),
        ("+", "brand", "rival"),
        ("+", "source", "diario"),
    ]
    apply(first, storage, NOW)
    assert plan(read(WHOLE), storage) == Plan()
    assert [brand.slug for brand in storage.brands.all()] == ["pena-hijos", "rival"]
    assert storage.channels.all()[0].secret == {"url": HOOK}


def test_it_tells_each_field_that_changes_but_of_a_secret_only_that_it_does(storage: Storage) -> None:
    apply(plan(read(WHOLE), storage), storage, NOW)
    changed = WHOLE.replace('query = "peña"', 'query = "peña OR hijos"').replace("interval_s = 300", "interval_s = 600")
    planned = plan(read(changed, {"SLACK_URL": HOOK + "new"}), storage)
    assert told(planned) == [
        "~ channel guardia",
        "    url: changed (secret)",
        "~ brand pena-hijos",
        '    query: "peña" -> "peña OR hijos"',
        "~ source diario",
        "    interval_s: 300 -> 600",
    ]
    assert planned.summary() == "0 to make, 3 to change, 0 to archive"
    apply(planned, storage, NOW)
    assert plan(read(changed, {"SLACK_URL": HOOK + "new"}), storage) == Plan()
    assert storage.channels.all()[0].secret == {"url": HOOK + "new"}


def test_it_never_tells_a_secret(storage: Storage) -> None:
    text = WHOLE.replace(
        'url = "https://diario.example/rss"', 'url = "https://diario.example/rss"\nsecret = "s3cr3t-s3cr3t"'
    )
    planned = plan(read(text), storage)
    assert "    secret: set (secret)" in told(planned)
    assert "    url: set (secret)" in told(planned)
    assert not [line for line in told(planned) if "s3cr3t" in line or "abcdefgh" in line]


def test_it_archives_what_left_the_file_and_brings_it_back(storage: Storage) -> None:
    apply(plan(read(WHOLE), storage), storage, NOW)
    without = WHOLE[: WHOLE.index("[[sources]]")] + WHOLE[WHOLE.index("[[channels]]") :]
    planned = plan(read(without), storage)
    assert told(planned) == ["- source diario"]
    apply(planned, storage, NOW)
    assert storage.sources.all() == []
    assert plan(read(without), storage) == Plan()
    planned = plan(read(WHOLE), storage)
    assert told(planned)[:2] == ["+ source diario", "    back from the archive"]
    apply(planned, storage, NOW)
    assert [source.slug for source in storage.sources.all()] == ["diario"]


def test_it_removes_a_secret_that_left_the_file(storage: Storage) -> None:
    with_secret = WHOLE.replace("interval_s = 300", 'interval_s = 300\nsecret = "s3cr3t-s3cr3t"')
    apply(plan(read(with_secret), storage), storage, NOW)
    planned = plan(read(WHOLE), storage)
    assert told(planned) == ["~ source diario", "    secret: removed (secret)"]
    apply(planned, storage, NOW)
    assert storage.sources.all()[0].secret is None
    assert plan(read(WHOLE), storage) == Plan()


def test_it_leaves_alone_what_the_api_made_until_the_file_names_it(storage: Storage) -> None:
    config = read(WHOLE)
    mine = replace(config.brands[1], slug="mine", origin="api")
    storage.apply([PutBrand(mine), PutBrand(replace(config.brands[1], origin="api"))], NOW)
    planned = plan(config, storage)
    rival = next(d for d in planned.differences if d.slug == "rival")
    assert (rival.sign, rival.details) == ("~", ("taken over: made over the API, from now on the file decides",))
    apply(planned, storage, NOW)
    assert {brand.slug: brand.origin for brand in storage.brands.all()} == {
        "mine": "api",
        "pena-hijos": "file",
        "rival": "file",
    }
    assert plan(config, storage) == Plan()


def test_it_refuses_names_that_refer_to_nothing(storage: Storage) -> None:
    text = WHOLE.replace('["guardia"]', '["guardai", "nadie"]').replace('["pena-hijos"]', '[\n  "pena-hija",\n]')
    with pytest.raises(ConfigError) as caught:
        plan(read(text), storage)
    assert str(caught.value).splitlines() == [
        "avizor.toml:7: brands[0].channels[0]: there is no channel guardai; did you mean guardia?",
        "avizor.toml:7: brands[0].channels[1]: there is no channel nadie",
        "avizor.toml:21: sources[0].brands[0]: there is no brand pena-hija; did you mean pena-hijos?",
    ]


def test_it_tells_names_that_refer_to_nothing_together_with_every_other_problem(storage: Storage) -> None:
    text = (
        WHOLE.replace('query = "peña"', 'query = "peña AND"')
        .replace('["guardia"]', '["guardia", "nadie"]')
        .replace('["pena-hijos"]', '["pena-hijos", "nada", "No Slug"]')
    )
    Path("avizor.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        plan(load_config(Path("avizor.toml"), {}), storage)
    told = sorted((problem.line, problem.key, problem.message[:18]) for problem in caught.value.problems)
    assert [(key, words) for _, key, words in told] == [
        ("brands[0].query", "at character 6: So"),
        ("brands[0].channels[1]", "there is no channe"),
        ("sources[0].brands[1]", "there is no brand "),
        ("sources[0].brands[2]", "string should matc"),
        ("channels[0].url", "the environment va"),
    ]
    assert storage.brands.all() == []


def test_it_accepts_names_of_what_the_api_made_but_not_of_what_is_leaving(storage: Storage) -> None:
    config = read(WHOLE)
    storage.apply([PutChannel(replace(config.channels[0], slug="suya", origin="api"))], NOW)
    text = WHOLE.replace('["guardia"]', '["suya"]')
    apply(plan(read(text), storage), storage, NOW)
    gone = WHOLE[: WHOLE.index("[[channels]]")]
    with pytest.raises(ConfigError, match="there is no channel guardia"):
        plan(read(gone), storage)


def test_it_says_again_that_a_channel_switched_itself_off(storage: Storage) -> None:
    config = read(WHOLE)
    apply(plan(config, storage), storage, NOW)
    off = replace(storage.channels.all()[0], enabled=False, disabled_reason="http_410: gone")
    storage.apply([PutChannel(off)], NOW)
    assert told(plan(config, storage)) == [
        "~ channel guardia",
        "    enabled (http_410: gone): false -> true",
    ]


def test_it_keeps_a_source_that_the_api_made(storage: Storage) -> None:
    source = replace(read(WHOLE).sources[0], slug="suyo", origin="api")
    storage.apply([PutSource(source)], NOW)
    assert plan(read("# nothing\n"), storage) == Plan()


# ── other ways in ────────────────────────────────────────────────────────────


def test_it_never_looks_up_our_secrets_for_a_text_that_somebody_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hook").write_text(HOOK)
    monkeypatch.setenv("SLACK_URL", HOOK)
    for reference in ("${SLACK_URL}", f"${{file:{tmp_path}/hook}}"):
        text = f'[[channels]]\nname = "G"\nkind = "slack"\nurl = "{reference}"\n'
        assert read(text, {"SLACK_URL": HOOK}).channels[0].secret == {"url": HOOK}  # the control: it can be read
        with pytest.raises(ConfigError, match=r"sent\.toml:4: channels\[0\]\.url: .* is not looked up here"):
            read_config(text, "sent.toml", {}, files=False).check()


def test_it_takes_the_service_s_settings_for_a_text_that_has_none() -> None:
    text = '[[brands]]\nname = "U"\nquery = "u"\n'
    ours = Settings(time_zone="America/Lima", default_language="en")
    (brand,) = read_config(text, "sent.toml", {}, files=False, settings=ours).brands
    assert (brand.time_zone, brand.language) == ("America/Lima", "en")


def test_it_ships_an_example_that_is_right(storage: Storage) -> None:
    example = (Path(__file__).parents[2] / "avizor.example.toml").read_text(encoding="utf-8")
    assert plan(read(example, {}), storage).differences
    channels = example[example.index("# [[channels]]") :]
    channels = "\n".join(line.removeprefix("# ") for line in channels.splitlines())
    assert read(example + channels).channels[0].secret == {"url": HOOK}
