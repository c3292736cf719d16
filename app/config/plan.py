"""What applying a file would change, and doing it.

    Config - what is stored  ->  Plan  ->  one transaction

The file is the whole truth about what came from it: what is stored with origin `file` and no longer stands there is
archived. What was made over the API is left alone until the file names it: then it is taken over, and the plan says so.
The policy is the one thing that the file may leave out: then whatever is in force stays.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from alerts.base import Channel
from app.config.budget import Refusal, refusal
from app.config.load import Config, Noun, Reference
from app.config_file import ConfigError, likely
from app.model import Brand, Policy
from app.storage import Storage
from app.storage.records import Archive, ConfigChange, PutBrand, PutChannel, PutPolicy, PutSource
from collectors.base import Source

T = TypeVar("T", bound=Brand | Source | Channel)
Thing = Brand | Source | Channel | Policy

BRAND_FIELDS = ("name", "query", "language", "time_zone", "competitor", "channels", "events")
SOURCE_FIELDS = ("name", "kind", "url", "settings", "brands", "language", "tier", "interval_s", "enabled")
CHANNEL_FIELDS = ("name", "kind", "settings", "language", "min_severity", "enabled")
POLICY_FIELDS = ("name", "false_warnings_per_month", "reason", "backtest_id")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is to be made (`+`), changed (`~`) or archived (`-`). `details` never hold a secret.

    `slug` is the name where it is the policy: there is one in force.
    """

    sign: Literal["+", "~", "-"]
    noun: Noun | Literal["policy"]
    slug: str
    change: ConfigChange
    details: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        yield f"{self.sign} {self.noun} {self.slug}"
        yield from (f"    {detail}" for detail in self.details)


@dataclass(frozen=True, slots=True)
class Plan:
    """The differences between a file and what is stored, in the order in which they are made. Empty: nothing to do."""

    differences: tuple[Difference, ...] = ()

    @property
    def changes(self) -> list[ConfigChange]:
        return [difference.change for difference in self.differences]

    def lines(self) -> Iterator[str]:
        for difference in self.differences:
            yield from difference.lines()

    def summary(self) -> str:
        count = {sign: sum(d.sign == sign for d in self.differences) for sign in "+~-"}
        return f"{count['+']} to make, {count['~']} to change, {count['-']} to archive"


def plan(config: Config, storage: Storage, budget: float | None = None) -> Plan:
    """Compare. Raises `ConfigError` with what is wrong with the file, with every brand and channel that it names and
    that stands neither in it nor in storage, and with a policy over the noise budget that does not say why.

    `budget` is that of the service where the file came some other way; None: the file's own settings hold.
    """
    channels = _Shelf("channel", config.channels, storage.channels.all(), storage.channels.all(include_archived=True))
    brands = _Shelf("brand", config.brands, storage.brands.all(), storage.brands.all(include_archived=True))
    sources = _Shelf("source", config.sources, storage.sources.all(), storage.sources.all(include_archived=True))
    policy = tuple(_policy_difference(config.policy, storage.policies.current()))
    limit = config.settings.noise_budget if budget is None else budget
    loud = refusal(config.policy, storage, limit) if config.policy and policy else None
    _settle(config, {"channel": channels.after, "brand": brands.after}, loud)
    return Plan(
        (
            *policy,
            *channels.differences(PutChannel, _channel_details),
            *brands.differences(PutBrand, _brand_details),
            *sources.differences(_put_source, _source_details),
        )
    )


def apply(plan: Plan, storage: Storage, now: datetime) -> None:
    """Make the plan true in one transaction."""
    if plan.differences:
        storage.apply(plan.changes, now)


class _Shelf(Generic[T]):
    """One noun: as the file wants it, as it is stored, and what is stored and archived."""

    def __init__(self, noun: Noun, wanted: Sequence[T], live: Sequence[T], ever: Sequence[T]) -> None:
        self._noun = noun
        self._wanted = wanted
        self._live = {thing.slug: thing for thing in live}
        self._archived = {thing.slug for thing in ever} - set(self._live)

    @property
    def leaving(self) -> list[str]:
        """What came from a file and stands there no longer."""
        wanted = {thing.slug for thing in self._wanted}
        return [slug for slug, thing in self._live.items() if thing.origin == "file" and slug not in wanted]

    @property
    def after(self) -> set[str]:
        """The slugs that will be there when the plan is applied."""
        return {*self._live, *(thing.slug for thing in self._wanted)} - set(self.leaving)

    def differences(
        self, put: Callable[[T], ConfigChange], details: Callable[[T | None, T], list[str]]
    ) -> Iterator[Difference]:
        for new in self._wanted:
            old = self._live.get(new.slug)
            if old is None:
                told = ["back from the archive"] if new.slug in self._archived else []
                yield Difference("+", self._noun, new.slug, put(new), (*told, *details(None, new)))
                continue
            told = ["taken over: made over the API, from now on the file decides"] if old.origin == "api" else []
            changed = [*told, *details(old, new)]
            if changed:
                yield Difference("~", self._noun, new.slug, put(new), tuple(changed))
        for slug in self.leaving:
            yield Difference("-", self._noun, slug, Archive(self._noun, slug))


def _settle(config: Config, known: Mapping[Noun, set[str]], loud: Refusal | None) -> None:
    """Raise `ConfigError` with all that is wrong: in the file itself, where a name of it refers to nothing, and with a
    policy that is too loud.
    """
    dangling = [
        config.file.problem(reference.key, _no_such(reference, known[reference.noun]))
        for reference in config.references
        if reference.slug not in known[reference.noun]
    ]
    noise = [config.file.problem(("policy", loud[0]), loud[1])] if loud else []
    if config.problems or dangling or noise:
        raise ConfigError((*config.problems, *dangling, *noise))


def _no_such(reference: Reference, known: set[str]) -> str:
    near = likely(reference.slug, known)
    return f"there is no {reference.noun} {reference.slug}" + (f"; did you mean {near}?" if near else "")


def _policy_difference(wanted: Policy | None, current: Policy) -> Iterator[Difference]:
    """The built-in policy is stored nowhere: another one is made, not changed."""
    if wanted is None:
        return
    if changed := _fields(POLICY_FIELDS, current, wanted):
        yield Difference("+" if current.id is None else "~", "policy", wanted.name, PutPolicy(wanted), tuple(changed))


def _put_source(source: Source) -> PutSource:
    """The file is the whole truth: where it gives no secret, none is kept."""
    return PutSource(replace(source, secret=source.secret or ""))


def _brand_details(old: Brand | None, new: Brand) -> list[str]:
    return _fields(BRAND_FIELDS, old, new)


def _source_details(old: Source | None, new: Source) -> list[str]:
    return [*_fields(SOURCE_FIELDS, old, new), *_secret("secret", old.secret if old else None, new.secret)]


def _channel_details(old: Channel | None, new: Channel) -> list[str]:
    before = old.secret if old else {}
    secrets = [_secret(key, before.get(key), new.secret.get(key)) for key in sorted({*before, *new.secret})]
    told = _fields(CHANNEL_FIELDS, old, new)
    if old and new.enabled and old.disabled_reason:
        told = [line.replace("enabled: ", f"enabled ({old.disabled_reason}): ", 1) for line in told]
    return [*told, *(line for lines in secrets for line in lines)]


def _fields(names: Sequence[str], old: Thing | None, new: Thing) -> list[str]:
    """One line per field that differs; of a new thing, each field that is not as usual."""
    if old is None:
        usual = {field.name: field.default for field in dataclass_fields(new)}
        told = {name: getattr(new, name) for name in names}
        return [f"{name}: {_shown(value)}" for name, value in told.items() if value not in (None, (), {}, usual[name])]
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in names)
    return [
        f"{name}: {_shown(was)} -> {_shown(now)}"
        for name, was, now in pairs
        if was != now and _plain(was) != _plain(now)
    ]


def _secret(name: str, old: str | None, new: str | None) -> list[str]:
    """That a secret differs, and nothing more."""
    if (old or None) == (new or None):
        return []
    return [f"{name}: {'set' if not old else 'changed' if new else 'removed'} (secret)"]


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: what is stored and what was read compare equal however they are kept."""
    return json.loads(json.dumps(value, default=_as_json))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_as_json)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else dict(value)
