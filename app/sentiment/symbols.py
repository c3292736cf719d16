"""What emoji and emoticons say by themselves, in any language: only the clear ones, and only if they all agree.

    tokens -> the clear ones -> one tone among them -> Sentiment; else nobody has heard anything

The lists are our own. What is used for joy and for tears alike (😂, 😭, 🙏, 🔥, 💀) is not on them, nor what is often
meant the other way round (🙂, 🙃, 👏, 🤡).
"""

from app.model import Evidence, Language, Sentiment
from app.sentiment.base import judged
from app.sentiment.normal import Guarded, tokens

ID = "symbols/1"

GOOD = frozenset("😀😃😄😁😊😍🥰😘😻💖💗💓💕💘💙💚💛🧡💜❤♥👍🎉🥳🤩🤗😋😇💯👌🏆💐☺♡")
BAD = frozenset("😡😠🤬😞😢😟🙁☹😤😣😖😫😩🤮🤢👎💔😒😾😰🖕💩😿")

_SMILES = ":) :-) :] :d :-d =) =d ;) ;-) <3 :') (: ^^ ^_^ xd :* :-*".split()  # noqa: SIM905 - a list of quoted faces is no easier to read
_FROWNS = ":( :-( :[ =( :'( :’( ): :/ :-/ :\\ </3 >:( d:".split()  # noqa: SIM905

# One clear sign is right about as often as this; several say little more, since they come together.
_SURE = (0.03, 0.15, 0.82)


def heard(text: str, guarded: Guarded, language: Language) -> Sentiment | None:
    """The tone of the clear signs of `text`, None if there is none or they contradict each other."""
    found = [(token.start(), token.end(), tone) for token in tokens(guarded.text) if (tone := clear(token[0]))]
    if len({tone for _, _, tone in found}) != 1:
        return None
    return judged(
        _SURE if found[0][2] > 0 else _SURE[::-1],
        scorer=ID,
        language=language,
        evidence=tuple(_evidence(text, guarded, *each) for each in found[:5]),
    )


def clear(token: str) -> int:
    """1, -1 or 0: what an emoji or an emoticon clearly says."""
    if token[0] in GOOD:
        return 1
    if token[0] in BAD:
        return -1
    face = _short(token)
    return 1 if face in _SMILES else -1 if face in _FROWNS else 0


def _short(token: str) -> str:
    """`:))))` and `:)` are one face."""
    return (token if len(token) < 3 else token[: len(token.rstrip(token[-1])) + 1]).lower()


def _evidence(text: str, guarded: Guarded, start: int, end: int, tone: int) -> Evidence:
    start, end = guarded.span(start, end)
    return Evidence(start, end, text[start:end], float(tone))
