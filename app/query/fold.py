"""One spelling for every way of writing a word: case, accents, code forms. Then the words themselves.

    text -> NFC -> (runs of non-ASCII only) NFKD -> drop accents, keep the tilde of ñ -> casefold -> fold
                                                                             -> set apart CJK and emoji -> words

Everything that compares words in Avizor goes through here: queries, posts, the hash of a story, full-text search.
The rules, in words for users, stand in docs/query-language.md.

Cost is linear in the text. Spanish and English go through tables of bytes; only runs of other characters (curly quotes,
emoji, other scripts) are looked at one by one, and the short ones are remembered: 1 to 5 us for 540 characters.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from unicodedata import category, combining, is_normalized, normalize

# Invisible by design (Unicode's Default_Ignorable_Code_Point) and the Arabic tatweel, a stretch of ink.
IGNORABLE = (
    "\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic. The vowel signs of Indic and Thai and the voicing
# marks of kana change the letter, so they stay.
ACCENT = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0640\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
# Scripts written without spaces between words, and Korean because its particles are glued on: every character is a word
# of its own, so that a term is found inside a longer run of them.
UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1100-\u11ff"
    "\u1780-\u17d3\u17d7\u17dc\u17dd\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U000323af"
)
EMOJI = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
FLAG = "\U0001f1e6-\U0001f1ff"
# Vowel signs that `\w` does not take for part of a word.
SIGN = "\u07a6-\u07b0\u0900-\u0963\u0971-\u0dff\u0f71-\u0f84\u0f90-\u0fbc"

# What NFKD leaves alone or makes worse. Superscript figures are foot notes more often than part of a name; a trade mark
# sign is no part of one either.
SPELLING_BEFORE = {ord(c): f" {d}" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)} | {
    ord("™"): " ",
    ord("℠"): " ",
    ord("ŀ"): "l",
    ord("Ŀ"): "l",
}
SPELLING_AFTER = {
    ord(c): s for c, s in zip("øæœđðþłħıŧ", ("o", "ae", "oe", "d", "d", "th", "l", "h", "i", "t"), strict=True)
}
SPELLING_AFTER |= dict.fromkeys(map(ord, "ʹʻʼʽʾʿˈ‘’‚‛′‵"), "'")
SPELLING_AFTER |= dict.fromkeys(map(ord, "“”„‟″‶«»"), '"')
SPELLING_AFTER |= dict.fromkeys(map(ord, "‧•"), "·")
SPELLING_AFTER |= dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")

_IGNORABLE = re.compile(f"[{IGNORABLE}]+")
_ACCENT = re.compile(f"[{ACCENT}]+")
_LETTER_OF_ITS_OWN = re.compile(f"([nN])[{ACCENT}]*?\u0303|([иИ])[{ACCENT}]*?\u0306")
_APART = re.compile(f"([{UNSPACED}{EMOJI}]|[{FLAG}]{{1,2}})")
_NOT_A_WORD = re.compile(f"(?:[^\\w{SIGN}{UNSPACED}{EMOJI}{FLAG}]|_)+")
# Catalan: paral·lel is spelt parallel where the dot is hard to type.
_CATALAN_DOT = re.compile("(?<=l)·(?=l)")
_TAG = re.compile(f"(?:(?<![^\\W_])(?<![&/])#|(?<![^\\W_])(?<!&)@)([\\w{SIGN}{UNSPACED}]+)")
_WORD = re.compile(f"{_APART.pattern}|(?:(?![{UNSPACED}{EMOJI}{FLAG}])[^\\W_]|[{SIGN}]|(?<=l)·(?=l))+")
_HANGS_ON = re.compile(f"[{IGNORABLE}{ACCENT}\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f]")  # Korean, kana
_LABEL = re.compile(r"[\w-]{1,63}")
_TAG_SIGNS = "#@＃＠"

_REMEMBERED = 24  # characters; longer runs are sentences in other scripts and do not come back
_MOST_MARKS = 30  # on one letter, as in Unicode's Stream-Safe Text Format; no language has half as many


def fold(text: str) -> str:
    """`text` in lower case without accents, in composed form, without invisible characters. ñ stays ñ; й stays й.

    >>> fold("Telefónica ESPAÑA, l’Oréal, Straße")
    "telefonica españa, l'oreal, strasse"

    Folding twice changes nothing; NFC and NFD of a text fold to the same. Punctuation stays (curly quotes and dashes as
    ASCII), so this is also a key for comparing texts.
    """
    if text.isascii():
        return text.lower()
    folded = _FOLDED.of(text)
    return _CATALAN_DOT.sub("", folded) if "·" in folded else folded


def words(text: str) -> list[str]:
    """The folded words of `text`, in order; punctuation, underscores and apostrophes part them.

    An emoji is a word; so is each character of a script that has no spaces (CJK, Thai ...).
    """
    if not text.isascii() and ("·" in text or "•" in text or "‧" in text):
        text = fold(text)
    return _SPACED.of(text).split()


def traced(text: str) -> list[tuple[str, int, int]]:
    """`words(text)`, each with where it stands in `text`: (word, start, end). Slow; for showing, not for matching."""
    folded, origins = trace(text, fold)
    return [
        (match[0].replace("·", ""), origins[match.start()][0], origins[match.end() - 1][1])
        for match in _WORD.finditer(folded)
    ]


def trace(text: str, respell: Callable[[str], str]) -> tuple[str, list[tuple[int, int]]]:
    """`respell(text)`, and for each of its characters which `text[start:end]` it comes from."""
    spelt: list[str] = []
    origins: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _hangs_on(text[end]):
            continue
        piece = respell(text[start:end])
        spelt.append(piece)
        origins += [(start, end)] * len(piece)
        start = end
    return "".join(spelt), origins


@lru_cache(maxsize=4096)
def _hangs_on(char: str) -> bool:
    """`char` is respelt together with what stands before it."""
    return char > "\x7f" and (category(char)[0] == "M" or _HANGS_ON.match(char) is not None)


def tags(text: str) -> list[tuple[str, int, int]]:
    """Hashtags and handles of `text`: (folded tag with its sign, place of its first word in `words(text)`, its width).

    An e-mail address holds no handle, a link's fragment no hashtag.
    """
    if not any(sign in text for sign in _TAG_SIGNS):
        return []
    folded = fold(text)
    found: list[tuple[str, int, int]] = []
    position = end = 0
    for match in _TAG.finditer(folded):
        position += len(words(folded[end : match.start()]))
        width = len(words(match[1]))
        if width:
            found.append((match[0][0] + match[1].strip("_"), position, width))
        position += width
        end = match.end()
    return found


def domain(host: str) -> str:
    """A host name to compare: lower case, composed, international labels (`xn--`) in their own letters."""
    return ".".join(map(_label, composed(host.strip(".")).lower().split(".")))


def visible(text: str) -> str:
    """`text` as the eye sees it: composed (NFC), without invisible characters. Case and accents stay."""
    if text.isascii():
        return text
    return composed(_IGNORABLE.sub("", text))


def composed(text: str) -> str:
    """`text` in NFC. Marks past the 30th on one letter are dropped: putting them in order takes quadratic time."""
    return text if is_normalized("NFC", text) else normalize("NFC", _surplus_marks().sub(r"\1", text))


@cache
def _surplus_marks() -> re.Pattern[str]:
    """More marks than one letter can bear, counting what only becomes a mark, and what parts marks and is dropped."""
    marks = "".join(char for char in map(chr, range(0x300, 0x1E950)) if combining(normalize("NFKD", char)[0]))
    return re.compile(f"([{marks}{IGNORABLE}]{{{_MOST_MARKS}}})[{marks}{IGNORABLE}]+")


def is_unspaced(word: str) -> bool:
    """`word` is one character of a script written without spaces, or an emoji."""
    return len(word) <= 2 and _APART.fullmatch(word) is not None  # a flag is two characters


def _folded_run(run: str) -> str:
    if len(run) > _MOST_MARKS:
        run = _surplus_marks().sub(r"\1", run)
    run = normalize("NFKD", _IGNORABLE.sub("", run).translate(SPELLING_BEFORE))
    run = _LETTER_OF_ITS_OWN.sub(lambda match: "ñ" if match[1] else "й", run)
    return normalize("NFC", _ACCENT.sub("", run).casefold().translate(SPELLING_AFTER))


def _spaced_run(run: str) -> str:
    return _NOT_A_WORD.sub(" ", " ".join(_APART.split(_folded_run(run))))


def _label(label: str) -> str:
    if not label.startswith("xn--") or len(label) > 63:
        return label
    try:
        own_letters = normalize("NFC", label[4:].encode("ascii").decode("punycode")).lower()
    except UnicodeError:
        return label
    return own_letters if _LABEL.fullmatch(own_letters) and not own_letters.startswith("xn--") else label


class _Respelling:
    """A way to respell a text, fast where it is Western European: those characters go through one table of bytes.

    `wide` are the characters that the table cannot respell: outside Latin-1, or becoming none or several (ß, soft
    hyphen). Their runs go through `respell`, and the short ones are remembered.
    """

    def __init__(self, respell: Callable[[str], str]) -> None:
        self._respell = respell
        self._remembered = lru_cache(maxsize=16_384)(respell)
        respelt = [respell(chr(code)) for code in range(1, 256)]
        simple = [len(text) == 1 and "\0" < text <= "\xff" for text in respelt]
        # NUL marks what the table cannot do, and parts the pieces in `of`; a NUL of the text's own counts as wide.
        self.latin = bytes([0] + [ord(text) if ok else 0 for text, ok in zip(respelt, simple, strict=True)])
        narrow = "".join(re.escape(chr(code)) for code, ok in enumerate(simple, 1) if ok)
        self._wide = re.compile(f"([^{narrow}]+)")

    def of(self, text: str) -> str:
        try:
            quick = text.encode("latin-1").translate(self.latin)
        except UnicodeEncodeError:
            pass
        else:
            if b"\0" not in quick:
                return quick.decode("latin-1")
        # After NFC the only accents on their own are dropped anyway, so a run can be respelt without its neighbours.
        pieces = self._wide.split(composed(text))
        pieces[0::2] = "\0".join(pieces[0::2]).encode("latin-1").translate(self.latin).decode("latin-1").split("\0")
        pieces[1::2] = [
            self._remembered(run) if len(run) <= _REMEMBERED else self._respell(run) for run in pieces[1::2]
        ]
        return "".join(pieces)


_FOLDED = _Respelling(_folded_run)
_SPACED = _Respelling(_spaced_run)
