"""Copies of one text: the same press release in forty papers is one story, with its spread.

    title without its publisher, text without links and "read more" -> folded words -> hash

Two posts with one hash are copies. What copies of a text differ in does not count: case, accents, punctuation, white
space, links, the publisher behind the title, a title repeated at the start of the text. A short text ("Muy mal
servicio") is said by many who never heard of one another: there the author and the site are part of the hash, and no
word is left out.

Near copies are one story too: papers change the headline, the dateline, a sentence, or bring the first paragraphs only.

    the same words without dateline and torn end -> runs of 4 words -> MinHash -> bands    where to look for near copies
                                                                    -> Jaccard, containment, figures    what is one

Figures decide: of two complaints that are alike, one from table 7 and one from table nine, neither is a copy. Nor is
one that quotes a text and goes on in words of its own, for itself: that is one more voice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from struct import pack

from rensa import RMinHash

from app.query.fold import words

SHORT_WORDS = 8
SHORT_LETTERS = 40
CHARACTERS = 20_000  # of a text that are compared

NEAR_CHARACTERS = 8_000  # of a text that are compared with a near copy's
NEAR_WORDS = 20  # at least, in a text that has near copies
NEAR_JACCARD = 0.6  # of two texts' runs of words: the shared among all
NEAR_CONTAINED = 0.8  # of the shorter text's runs: those that stand where the longer one begins
SHINGLE = 4  # words in a run
BANDS = 12

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_RETWEET = re.compile(r"RT @\w+:?")
_SEPARATORS = frozenset(("-", "–", "—", "|", "·", "•", "»", "::"))
_SMALL_WORDS = frozenset(("a", "al", "and", "da", "de", "del", "do", "el", "en", "la", "las", "los", "of", "the", "y"))
_NAME_WORDS = 5  # at most, in what looks like a publisher
_HEADLINE_WORDS = 5  # at least, in what stands before it
_NAMED_WORDS = 3  # likewise, where only the figures in what stands behind it are to be left out
_LOOKBACK = 400  # characters at the end of a text where a feed's own words may stand

# What feeds add behind a text, in folded words: WordPress' signature, and the link to the rest.
_ADDED = re.compile(
    r" (?:"
    r"(?:the post|la entrada|el articulo|o post) .{1,300} "
    r"(?:(?:appeared first|first appeared) on|(?:se publico|aparece|aparecio) primero en|apareceu primeiro em) .+"
    r"|leer mas|ver mas|(?:sigue|seguir|continua|continuar) leyendo|leia mais"
    r"|read (?:more|on|the full (?:article|story))|(?:continue|keep) reading"
    r")$"
)

# What parts one thousand from another, and a whole from its fraction, is a matter of the paper's taste.
_WITHIN_A_NUMBER = re.compile(r"[.,](?<=\d.)(?=\d)")
_HANDLE = re.compile(r"(?<!\w)@\w+")
# `MADRID, 12 nov. (EFE).-`, `Madrid (Europa Press) -`, `(Reuters) -`, `BOGOTÁ —`
_DATELINE = re.compile(
    r"""(?:\A|(?<=[\n.!?]))\s*+
    (?: (?:[A-ZÁÉÍÓÚÜÑ][\w./]*+(?:[\s,]++[\w./]++){0,7}+,?\s*)? \( [A-ZÁÉÍÓÚÜÑ][^()\n]{1,40}+ \)
      | [A-ZÁÉÍÓÚÜÑ]{3,}+(?:[\s,/]++[A-ZÁÉÍÓÚÜÑ]{2,}+){0,4}+ (?:,?\s+\d{1,2}\s+(?:de\s+)?[A-Za-z]{3,10}\.?)?
    ) \s*+\.?\s*+[-–—]++\s""",
    re.VERBOSE,
)
_DASH = re.compile(r"[-–—]\s")
# When this outlet put it up: "Publicado el 18/11 a las 9:41". Its figures are none of the text's.
_STAMP = re.compile(
    r"\b(?:publicad[oa]|actualizad[oa]|actualizaci[oó]n|published|updated)\b[^.\n]{0,40}?\d{1,2}[:.h]\d{2}",
    re.IGNORECASE,
)
_TORN = ("…", "...", "…]", "...]", "…)", "...)")  # what a shortened text ends with: its last word may be half of one
_DATED = 400  # characters at the start where a dateline may stand: the headline may come first

# A pair whose shares of runs in common are J is found with p = 1 - (1 - J**rows)**bands (Leskovec, Rajaraman, Ullman,
# "Mining of Massive Datasets", 3.4.2). Eight bands of the whole text: .965 at J = .7. Four of its first words, for the
# same text under another headline, and for its first paragraphs alone: .94 at J = .8.
_ROWS = 3
_WHOLE_BANDS = 8
_LEAD_BANDS = BANDS - _WHOLE_BANDS
_LEAD_WORDS = 32
_RUNS_AT_LEAST = NEAR_WORDS - SHINGLE + 1  # different ones: a word said twenty times is no text
_RUNS_BEFORE = 30  # may stand before a shortened text in the longer one: a subtitle, another headline
_SAME_HEADLINE = 0.5  # of the shorter one's words
_SEED = 1
_OWN_WORDS, _OWN_PART, _OWN_VOICE = 12, 0.3, 2  # that a text adds to another, to be no copy of it

# Of one figure each, in six languages and folded. What is spelt like an article or a verb is left out ("un", "sei").
_NUMBERS = {
    name: str(value)
    for value, names in enumerate(
        (
            "dos two dois duas deux zwei due",
            "tres three trois drei tre",
            "cuatro four quatro quatre vier quattro",
            "cinco five cinq funf cinque",
            "seis six sechs",
            "siete seven sete sept sieben sette",
            "ocho eight oito huit acht otto",
            "nueve nine nove neuf neun",
            "diez ten dez dix zehn dieci",
            "once eleven onze elf undici",
            "doce twelve doze douze zwolf dodici",
            "trece thirteen treze treize dreizehn tredici",
            "catorce fourteen quatorze catorze vierzehn quattordici",
            "quince fifteen quinze funfzehn quindici",
            "dieciseis sixteen dezesseis dezasseis seize sechzehn sedici",
            "diecisiete seventeen dezessete dezassete siebzehn diciassette",
            "dieciocho eighteen dezoito achtzehn diciotto",
            "diecinueve nineteen dezenove dezanove neunzehn diciannove",
            "veinte twenty vinte vingt zwanzig venti",
        ),
        start=2,
    )
    for name in names.split()
}
# Who speaks for themselves; without what another of the languages says in every text ("nos", "os", "i", "us", "ma").
_MYSELF = frozenset(
    (
        *("yo", "me", "mi", "mis", "mio", "conmigo", "nosotros", "nosotras", "nuestro", "nuestra"),
        *(
            "my",
            "we",
            "our",
            "myself",
            "eu",
            "meu",
            "minha",
            "nosso",
            "nossa",
            "je",
            "j",
            "moi",
            "mon",
            "nous",
            "notre",
        ),
        *("ich", "mir", "mich", "mein", "meine", "wir", "unser", "io", "mia", "miei", "noi", "nostro", "nostra"),
    )
)


def text_hash(title: str, text: str, author: str | None, site: str | None) -> bytes:
    """16 bytes of blake2b that are equal for copies of one text. `site` is the host where it stands: `elpais.com`."""
    text = text[:CHARACTERS]
    said = _said(title, text, site)
    if len(said) < SHORT_WORDS or sum(map(len, said)) < SHORT_LETTERS:
        return _hash("short", *(" ".join(words(part)) for part in (author or "", site or "", title, text)))
    return _hash("long", " ".join(said))


def without_publisher(title: str, site: str | None) -> str:
    """`Headline - El País` -> `Headline`: a last part that is the site's name, or looks like one behind a headline."""
    parts = title.split()
    for place in reversed([place for place, part in enumerate(parts) if part in _SEPARATORS]):
        headline, name = parts[:place], parts[place + 1 :]
        if not (_is_name_of(site, name) or (len(headline) >= _HEADLINE_WORDS and _looks_like_a_name(name))):
            break
        parts = headline
    return " ".join(parts)


def bands(title: str, text: str) -> tuple[int, ...]:
    """12 signed numbers of 64 bits: texts that share one are worth comparing. None for a text under 20 words.

    The same on every machine and with every release of `rensa` that we allow (0.5: its algorithm, version 2).
    """
    wording = _wording(title, text)
    if len(set(wording.whole)) < _RUNS_AT_LEAST:
        return ()
    begins = wording.body if len(wording.body) >= _RUNS_AT_LEAST else wording.whole
    lead = begins[: _LEAD_WORDS - SHINGLE + 1]
    rows = _minhash(wording.whole, _WHOLE_BANDS * _ROWS) + _minhash(lead, _LEAD_BANDS * _ROWS)
    return tuple(_band(number, rows[number * _ROWS : (number + 1) * _ROWS]) for number in range(BANDS))


def is_near(one: tuple[str, str], other: tuple[str, str], *, same_site: bool = False) -> bool:
    """Are these two (title and text each) one text, changed a little, shortened, or under another headline?

    `same_site`: there all posts may share what the site adds to each, so their headlines must tell of the same too.
    """
    first, second = _wording(*one), _wording(*other)
    if first.figures - second.figures and second.figures - first.figures:
        return False
    if same_site and not _is_same_headline(first.headline, second.headline):
        return False
    if _is_own_voice(first, second) or _is_own_voice(second, first):
        return False
    return _is_alike(first.whole, second.whole) or _is_alike(first.body, second.body)


def _said(title: str, text: str, site: str | None) -> list[str]:
    """The words that make it this text and no other."""
    headline, body = _headline_and_body(title, text, site)
    return headline + body


def _headline_and_body(title: str, text: str, site: str | None) -> tuple[list[str], list[str]]:
    headline = words(without_publisher(title, site))
    body = words(_LINK.sub(" ", _RETWEET.sub("", text, count=1)))
    publisher = words(title)[len(headline) :]
    if publisher and body[-len(publisher) :] == publisher:
        body = body[: -len(publisher)]
    if body[: len(headline)] == headline:
        body = body[len(headline) :]
    said = _without_added(headline + body)
    return said[: len(headline)], said[len(headline) :]


@dataclass(frozen=True, slots=True)
class _Wording:
    """A text as its near copies are told by. `whole` and `body` are runs of four words, in order."""

    headline: frozenset[str]
    whole: tuple[str, ...]
    body: tuple[str, ...]
    figures: frozenset[str]


@lru_cache(maxsize=256)
def _wording(title: str, text: str) -> _Wording:
    text = _STAMP.sub(" ", _RETWEET.sub("", text[:NEAR_CHARACTERS], count=1))
    if _DASH.search(text, 0, _DATED):
        text = _DATELINE.sub(" ", text[:_DATED], count=1) + text[_DATED:]
    text = text.rstrip()
    if text.endswith(_TORN):
        text = " ".join(text.rstrip("[(.…)] ").split()[:-1])
    title, text = (_WITHIN_A_NUMBER.sub("", _HANDLE.sub(" ", part) if "@" in part else part) for part in (title, text))
    headline, body = _headline_and_body(title, text, None)
    told = words(_without_name(title))
    whole = _runs(headline + body)
    return _Wording(
        headline=frozenset(headline),
        whole=whole,
        body=whole[len(headline) :],
        figures=_figures(told + body),
    )


def _figures(said: Sequence[str]) -> frozenset[str]:
    """Digits and number words alike. One said both ways is two: not all tables "in two weeks" are table 2."""
    spelt = {_NUMBERS[word] for word in said if word in _NUMBERS}
    digits = {word for word in said if word not in _NUMBERS and _is_figure(word)}
    return frozenset(digits | spelt | {f"{figure} again" for figure in digits & spelt})


def _is_figure(word: str) -> bool:
    return word in _NUMBERS or (not word.isalpha() and any(map(str.isdigit, word)))


def _is_own_voice(text: _Wording, other: _Wording) -> bool:
    """What the text adds to the other is much, and somebody says it for themselves."""
    shared = frozenset(other.whole)
    added = [run.rpartition(" ")[2] for run in text.whole if run not in shared]
    # The runs over the seam have a word of the other's.
    enough = max(_OWN_WORDS, _OWN_PART * (len(text.whole) + SHINGLE - 1))
    return len(added) >= enough and sum(word in _MYSELF for word in added) >= _OWN_VOICE


def _runs(said: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(" ".join, zip(*(said[place:] for place in range(SHINGLE)), strict=False)))


def _without_name(title: str) -> str:
    """`Headline - 20 Minutos` -> `Headline`: a publisher's figure is none of the text's."""
    parts = without_publisher(title, None).split()
    places = [place for place, part in enumerate(parts) if part in _SEPARATORS and place >= _NAMED_WORDS]
    return " ".join(parts[: places[-1]] if places and len(parts) - places[-1] - 1 <= _NAME_WORDS else parts)


def _minhash(runs: Sequence[str], size: int) -> list[int]:
    sketch = RMinHash(size, _SEED)
    sketch.update(list(runs))
    rows: list[int] = sketch.digest()
    return rows


def _band(number: int, rows: Sequence[int]) -> int:
    return int.from_bytes(blake2b(pack("<4I", number, *rows), digest_size=8).digest(), "big", signed=True)


def _is_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter, longer = sorted((one, other), key=len)
    runs, others = set(shorter), set(longer)
    if min(len(runs), len(others)) < _RUNS_AT_LEAST:
        return False
    shared = len(runs & others)
    if shared >= NEAR_JACCARD * (len(runs) + len(others) - shared):
        return True
    begins = longer[: len(shorter) + _RUNS_BEFORE]
    return len(runs.intersection(begins)) >= NEAR_CONTAINED * len(runs)


def _is_same_headline(one: frozenset[str], other: frozenset[str]) -> bool:
    """A post without a headline has none that could be another."""
    return len(one & other) >= _SAME_HEADLINE * min(len(one), len(other))


def _is_name_of(site: str | None, name: Sequence[str]) -> bool:
    """`EL PAÍS` of elpais.com; `BBC News Mundo` of bbc.com."""
    said, host = words(" ".join(name)), words(site or "")[:-1]
    whole = "".join(said)
    return len(whole) >= 3 and (whole in "".join(host) or (said[0] in host and said[0] not in _SMALL_WORDS))


def _looks_like_a_name(name: Sequence[str]) -> bool:
    """A few words in capitals without a figure: `La Voz de Galicia`, not `parte 2`."""
    if not 1 <= len(name) <= _NAME_WORDS or any(map(str.isdigit, "".join(name))):
        return False
    return name[0][0].isupper() and all(word[0].isupper() or word in _SMALL_WORDS for word in name)


def _without_added(said: list[str]) -> list[str]:
    line = " ".join(said)
    added = _ADDED.search(line, max(0, len(line) - _LOOKBACK))
    return line[: added.start()].split() if added else said


def _hash(*fields: str) -> bytes:
    return blake2b("\0".join(fields).encode(errors="replace"), digest_size=16).digest()
