"""train corrections: what people said of tones, taught to the scorer; a proposal, until a person applies it.

corrections in force -> heard again by the bare scorer -> lessons -> fits -> report, proposal -> (a yes) -> applied
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import harmless, looked_at, put, put_json, say
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import make_folders, open_storage_ready
from app.cli.scorers import unmoved_scorer
from app.clock import utc_now
from app.model import Language
from app.pipeline.spoken import spoken
from app.sentiment import Scorer
from app.sentiment.corrections import (
    NEEDED,
    NEEDED_EACH,
    NEEDED_FOR_WORDS,
    TONES,
    Figures,
    Fit,
    Lesson,
    Shortage,
    as_mapping,
    learn,
    proposal,
    words_of,
)
from app.settings import Settings
from app.storage import Storage
from app.storage.records import Corrected

PROPOSAL = "tone-biases-proposal.json"


@dataclass(frozen=True, slots=True)
class Learned:
    """`unused`: corrections to `unknown`, or of texts in which the scorer hears no tone."""

    scorer: str
    fits: Sequence[Fit]
    shortages: Sequence[Shortage]
    unused: int

    @property
    def helps(self) -> bool:
        return any(fit.helps for fit in self.fits)


def corrections(brand: str | None, out: Path | None, *, words: bool, apply: bool, yes: bool) -> None:
    """Learn, report, and write the proposal. Only `apply`, and a yes to the question, puts it in force.

    Raises `Refusal` when there are too few corrections, or when there is nothing to apply.
    """
    settings = load_listening_settings()
    start_log(settings, quiet=True)
    scorer = unmoved_scorer(settings)
    with open_storage_ready(settings) as storage:
        learned = learn_from(said_of(storage, brand), scorer, words=words)
    if not learned.fits:
        raise Refusal("\n".join(map(lack, learned.shortages)) or lack(Shortage((), 0, NEEDED, {})))
    path = out or settings.data_dir / PROPOSAL
    raw = proposal(learned.fits, learned.scorer, brand, utc_now())
    if learned.helps:
        write(path, raw)
    if looked_at():
        show(learned)
    else:
        put_json(report(learned, path))
    for shortage in learned.shortages:
        say(lack(shortage))
    if not learned.helps:
        if apply:
            raise Refusal("there is nothing to apply: what was learned does not help")
        say("what was learned does not help: nothing is proposed, the scorer stays as it is")
        return
    say(f"proposed in {path}; nothing changes until it is applied (--apply)")
    if apply:
        apply_to(settings, raw, yes=yes)


def said_of(storage: Storage, brand: str | None) -> list[Corrected]:
    """The corrections in force, the oldest first. Raises `Refusal` when there is no such brand."""
    known = [each.slug for each in storage.brands.all()]
    if brand is not None and brand not in known:
        raise Refusal(f"there is no brand {brand}; there are: {', '.join(sorted(known)) or 'none'}", MISUSED)
    return storage.mentions.corrections(None if brand is None else [brand], in_force=True)[::-1]


def learn_from(said: Sequence[Corrected], scorer: Scorer, *, words: bool) -> Learned:
    """Hear the texts again, since what is stored may be another scorer's word, and learn from the difference."""
    texts = [spoken(one) for one in said]
    heard = scorer.score(texts, [Language(one.language, 1.0) for one in said])
    lessons = []
    for one, text, sentiment in zip(said, texts, heard, strict=True):
        label, code = one.label, one.language
        if label is None or label == "unknown" or code is None:
            continue
        if sentiment.probabilities is None or sentiment.scorer != scorer.id:
            continue
        spelled = words_of(text, code) if words else frozenset[str]()
        lessons.append(Lesson(code, sentiment.probabilities, label, spelled))
    fits, shortages = learn(lessons, words=words)
    return Learned(scorer.id, fits, shortages, len(said) - len(lessons))


# ── told ─────────────────────────────────────────────────────────────────────


def lack(shortage: Shortage) -> str:
    """How many corrections are missing, of what."""
    which = ", ".join(shortage.languages) or "any language"
    of = ", ".join(f"{missing} {tone}" for tone, missing in shortage.missing_of.items())
    return (
        f"{shortage.lessons} corrections of texts in {which}: {shortage.missing} more are needed"
        + (f", of these {of}" if of else "")
        + f" (at least {NEEDED}, and {NEEDED_EACH} of each label)"
    )


def report(learned: Learned, path: Path) -> dict[str, Any]:
    """For a program."""
    return {
        "scorer": learned.scorer,
        "unused": learned.unused,
        "fits": [as_mapping(fit) for fit in learned.fits],
        "proposal": str(path) if learned.helps else None,
    }


def show(learned: Learned) -> None:
    """For a person."""
    for fit in learned.fits:
        for line in lines_of(fit):
            put(line)
    if learned.unused:
        put(f"{learned.unused} corrections teach nothing: the label is unknown, or the scorer hears no tone in them")


def lines_of(fit: Fit) -> list[str]:
    labels = ", ".join(f"{number} {tone}" for tone, number in fit.labels.items())
    moves = ", ".join(f"{number} {was} -> {label}" for (was, label), number in fit.moved.items())
    lines = [
        f"{', '.join(fit.languages)}: {fit.lessons} corrections ({labels}); {fit.agreed} say what the scorer said",
        *_compared(fit.before, fit.after),
        "  biases             " + ", ".join(f"{t} {b:+.2f}" for t, b in zip(TONES, fit.shift.biases, strict=True)),
        f"  labels that move   {moves or 'none'}",
    ]
    if fit.shift.words:
        strongest = sorted(fit.shift.words.items(), key=lambda pair: -abs(pair[1][2] - pair[1][0]))[:10]
        lines.append("  words              " + ", ".join(f"{harmless(w)} {v[2] - v[0]:+.1f}" for w, v in strongest))
    elif fit.with_words:
        lines.append("  words              do not help")
    elif fit.lessons >= NEEDED_FOR_WORDS:
        lines.append("  words              there are enough corrections for weights of single words: try --words")
    if not fit.helps:
        lines.append("  this does not help, and is not proposed")
    elif fit.agreed * 3 < fit.lessons:
        lines.append(
            "  Few of them agree with the scorer. Who corrects only what is wrong tells how it errs, not how often:"
        )
        lines.append("  confirm labels that are right as well, or these figures flatter and the biases go too far.")
    return lines


def _compared(before: Figures, after: Figures) -> list[str]:
    return [
        f"  macro-F1           {before.macro_f1:.3f} -> {after.macro_f1:.3f}   (on tenths of the texts kept aside)",
        f"  log loss           {before.log_loss:.3f} -> {after.log_loss:.3f}",
        f"  calibration error  {before.calibration_error:.3f} -> {after.calibration_error:.3f}",
    ]


# ── applied ──────────────────────────────────────────────────────────────────


def apply_to(settings: Settings, raw: bytes, *, yes: bool) -> None:
    """Put it where the setting `tone_biases` names. Asks first, unless `yes`."""
    path = settings.tone_biases
    if not yes and not typer.confirm(f"Put it in {path}?", err=True):
        say("not applied")
        return
    make_folders(settings)
    write(path, raw)
    say(f"applied in {path}: a service reads it at its next start, and `avizor rescore` hears older mentions with it")


def write(path: Path, raw: bytes) -> None:
    """All of it or nothing. Raises `Refusal`."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_bytes(raw)
        os.replace(fresh, path)
    except OSError as error:
        raise Refusal(f"{path}: cannot be written: {error.strerror}") from None
