"""avizor.toml: read as a whole, faults told by line, compared with what is stored, applied in one transaction."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError
from sqlalchemy import create_engine, insert

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
from app.model import Policy
from app.settings import PREFIX, Settings, environment
from app.storage import Storage, open_storage
from app.storage.records import PutBrand, PutChannel, PutSource
from app.tables import backtests
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


# ── what is planned, and how grave a source is ───────────────────────────────


def events(text: str, zone: str = "Europe/Madrid") -> list[tuple[str, str, str]]:
    """The events of a brand of this zone: name, first moment, first moment after it."""
    config = read(f'[[brands]]\nname = "U"\nquery = "u"\ntime_zone = "{zone}"\nevents = [{text}]\n')
    return [(e.name, f"{e.since:%d %H:%M}", f"{e.until:%d %H:%M}") for e in config.brands[0].events]


@pytest.mark.parametrize(
    ("written", "since", "until"),
    [
        ("since = 2026-11-27, until = 2026-11-28", "26 23:00", "28 23:00"),  # the last day is included
        ("since = 2026-11-27, until = 2026-11-27", "26 23:00", "27 23:00"),
        ("since = 2026-11-27", "26 23:00", "27 23:00"),
        ("since = 2026-11-27T18:00:00", "27 17:00", "27 23:00"),  # to the end of that day
        ("since = 2026-11-27T18:00:00, until = 2026-11-27T20:00:00", "27 17:00", "27 19:00"),
        ("since = 2026-11-27T18:00:00-05:00, until = 2026-11-28", "27 23:00", "28 23:00"),
        ("since = 2026-10-25", "24 22:00", "25 23:00"),  # a day of 25 hours
        ('since = "2026-11-27", until = "2026-11-28T02:00:00Z"', "26 23:00", "28 02:00"),
    ],
)
def test_an_event_lasts_as_a_person_of_that_zone_means_it(written: str, since: str, until: str) -> None:
    assert events(f'{{ name = "Feria", {written} }}') == [("Feria", since, until)]


def test_an_event_may_be_a_table_of_its_own_and_follows_the_brands_zone() -> None:
    text = '[[brands]]\nname = "U"\nquery = "u"\n[[brands.events]]\nname = "Feria"\nsince = 2026-11-27\n'
    assert [e.since.hour for e in read(text).brands[0].events] == [0]
    assert events('{ name = "Feria", since = 2026-11-27 }', "America/Lima") == [("Feria", "27 05:00", "28 05:00")]


@pytest.mark.parametrize(
    ("written", "key", "said"),
    [
        ('name = "F"', "events[0].since", "is missing"),
        ('name = "F", since = 2026', "events[0].since", "must be a day such as 2026-11-27, or a time such as"),
        ('name = "F", since = 18:00:00', "events[0].since", "must be a day such as"),
        ('name = "F", since = "soon"', "events[0].since", "must be a day such as"),
        ('name = "F", since = 1969-12-31', "events[0].since", "must lie between the years 1970 and 9998"),
        ('name = "F", since = 9999-12-31', "events[0].since", "must lie between the years 1970 and 9998"),
        ('name = "F", since = 2026-11-28, until = 2026-11-27', "events[0]", "ends before it begins"),
        ('name = "F", since = 2026-11-28T10:00:00, until = 2026-11-28T10:00:00', "events[0]", "ends before it begins"),
        ('name = "F", sinse = 2026-11-28, since = 2026-11-28', "events[0].sinse", "unknown key; did you mean since?"),
        ('name = "F", query = "x", since = 2026-11-28', "events[0].query", "unknown key; known are name, since, until"),
        ('name = "", since = 2026-11-28', "events[0].name", "string should have at least 1 character"),
    ],
)
def test_an_event_that_is_wrong_is_told_with_its_line(written: str, key: str, said: str) -> None:
    text = f'[[brands]]\nname = "U"\nquery = "u"\nevents = [\n  {{ {written} }},\n]\n'
    (problem,) = problems(text)
    assert problem.startswith(f"avizor.toml:5: brands[0].{key}: {said}")


def test_what_is_planned_and_how_grave_a_source_is_are_planned_and_applied(storage: Storage) -> None:
    apply(plan(read(WHOLE), storage), storage, NOW)
    assert [source.tier for source in storage.sources.all()] == [2]
    changed = WHOLE.replace("interval_s = 300", "interval_s = 300\ntier = 1").replace(
        'query = "peña"', 'query = "peña"\nevents = [{ name = "Feria", since = 2026-11-27 }]'
    )
    planned = plan(read(changed), storage)
    assert told(planned) == [
        "~ brand pena-hijos",
        '    events: [] -> [{"name": "Feria", "since": "2026-11-26T23:00:00+00:00", '
        '"until": "2026-11-27T23:00:00+00:00"}]',
        "~ source diario",
        "    tier: 2 -> 1",
    ]
    apply(planned, storage, NOW)
    assert plan(read(changed), storage) == Plan()
    assert [event.name for event in storage.brands.all()[0].events] == ["Feria"]
    assert [source.tier for source in storage.sources.all()] == [1]
    assert problems(WHOLE.replace("interval_s = 300", "tier = 3"))[0].endswith(
        "sources[0].tier: input should be 1 or 2"
    )


def test_a_channel_hears_everything_unless_it_is_spared() -> None:
    assert read(WHOLE).channels[0].min_severity == "notice"
    spared = read(WHOLE + 'min_severity = "warning"\n')
    assert spared.channels[0].min_severity == "warning"


# ── policy ───────────────────────────────────────────────────────────────────

POLICY = '[policy]\nname = "calm"\nfalse_warnings_per_month = 0.5\n'
LOUD = "[policy]\nfalse_warnings_per_month = 2.0\n"


def backtest(storage: Storage, pages: float | None, state: str = "done") -> None:
    """A backtest b1 that tried half a false warning a month, and measured so many pages per brand and month."""
    result = {"outcomes": [{"false_warnings_per_month": 0.5, "pages_per_brand_month": pages}]}
    row = {"id": "b1", "created_at": NOW, "actor": "Ana", "question": {}, "state": state, "progress": 1.0}
    engine = create_engine("sqlite:///avizor.db")
    with engine.begin() as connection:
        connection.execute(insert(backtests).values(**row, result=result))
    engine.dispose()


def test_a_policy_is_planned_applied_and_kept_with_who_put_it(storage: Storage) -> None:
    planned = plan(read(POLICY), storage)
    assert told(planned) == [
        "+ policy calm",
        '    name: "default" -> "calm"',
        "    false_warnings_per_month: 1.0 -> 0.5",
    ]
    assert planned.summary() == "1 to make, 0 to change, 0 to archive"
    apply(planned, storage, NOW)
    current = storage.policies.current()
    assert (current.name, current.false_warnings_per_month, current.actor, current.at) == (
        "calm",
        0.5,
        "avizor.toml",
        NOW,
    )
    assert plan(read(POLICY), storage) == Plan()
    assert told(plan(read(POLICY.replace("0.5", "0.25")), storage)) == [
        "~ policy calm",
        "    false_warnings_per_month: 0.5 -> 0.25",
    ]


def test_without_the_table_whatever_is_in_force_stays(storage: Storage) -> None:
    put = storage.policies.put(Policy(name="of the API", false_warnings_per_month=0.1), NOW)
    apply(plan(read(WHOLE), storage), storage, NOW)
    assert storage.policies.current() == put
    assert told(plan(read(WHOLE + POLICY), storage)) == [
        "~ policy calm",
        '    name: "of the API" -> "calm"',
        "    false_warnings_per_month: 0.1 -> 0.5",
    ]


def test_a_policy_as_the_built_in_one_is_nothing_to_do(storage: Storage) -> None:
    assert plan(read("[policy]\nfalse_warnings_per_month = 1\n"), storage) == Plan()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("policy = 1\n", "avizor.toml:1: policy: must be a table: write [policy] on a line of its own"),
        ("[policy]\n", "avizor.toml:1: policy.false_warnings_per_month: is missing"),
        (
            '[policy]\nfalse_warnings_per_month = "1"\n',
            "policy.false_warnings_per_month: input should be a valid number",
        ),
        ("[policy]\nfalse_warnings_per_month = 0\n", "avizor.toml:2: policy.false_warnings_per_month: input should be"),
        (
            "[policy]\nfalse_warnings_per_month = 31\n",
            "avizor.toml:2: policy.false_warnings_per_month: input should be",
        ),
        (
            "[policy]\nfalse_warnings_per_month = nan\n",
            "avizor.toml:2: policy.false_warnings_per_month: input should be",
        ),
        (LOUD + "dial = 2\n", "avizor.toml:3: policy.dial: unknown key; known are backtest, false_warnings_per_month"),
        (LOUD + 'reason = "a\\u0000b"\n', "avizor.toml:3: policy.reason: has a character that cannot be shown"),
    ],
)
def test_a_policy_that_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    (problem,) = problems(text)
    assert told in problem


def test_a_policy_over_the_noise_budget_is_refused_until_it_says_why(storage: Storage) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(read(LOUD), storage)
    assert str(caught.value) == (
        "avizor.toml:2: policy.false_warnings_per_month: asks for more false pages per brand and month than are put up "
        "with: the noise budget is 1 (setting noise_budget). Say why in `reason`"
    )
    assert storage.policies.page() == []
    apply(plan(read(LOUD + 'reason = "launch week"\n'), storage), storage, NOW)
    assert storage.policies.current().reason == "launch week"


@pytest.mark.parametrize(("budget", "refused"), [(2.0, False), (1.99, True)])
def test_the_budget_is_a_setting(storage: Storage, budget: float, refused: bool) -> None:
    text = f"[settings]\nnoise_budget = {budget}\n{LOUD}"
    if refused:
        with pytest.raises(ConfigError, match=r"the noise budget is 1\.99"):
            plan(read(text), storage)
    else:
        assert plan(read(text), storage).differences
    with pytest.raises(
        ConfigError, match=r"the noise budget is 0\.5"
    ):  # who sends a text does not set the service's own
        plan(read(text), storage, 0.5)


@pytest.mark.parametrize(
    ("pages", "state", "reason", "refused"),
    [
        (0.9, "done", "", None),
        (1.4, "done", "", "backtest b1 measured 1.4 pages per brand and month: the noise budget is 1"),
        (1.4, "done", "we know", None),
        (None, "running", "we know", "backtest b1 is running, and has no pages per brand and month"),
    ],
)
def test_a_backtest_that_measured_more_than_the_budget_asks_for_a_reason_too(
    storage: Storage, pages: float | None, state: str, reason: str, refused: str | None
) -> None:
    text = f'{POLICY}backtest = "b1"\nreason = "{reason}"\n'
    with pytest.raises(ConfigError, match=r"avizor\.toml:4: policy\.backtest: there is no backtest b1"):
        plan(read(text), storage)
    backtest(storage, pages, state)
    if refused:
        with pytest.raises(ConfigError, match=rf"avizor\.toml:4: policy\.backtest: {refused}"):
            plan(read(text), storage)
    else:
        assert plan(read(text), storage).differences


def test_a_backtest_of_another_dial_is_no_evidence(storage: Storage) -> None:
    backtest(storage, 0.9)
    text = f'{POLICY}backtest = "b1"\n'
    assert plan(read(text), storage).differences
    with pytest.raises(ConfigError, match=r"policy\.backtest: backtest b1 did not try this dial"):
        plan(read(text.replace("0.5", "0.4")), storage)


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
