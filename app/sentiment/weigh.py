"""Why this tone, word by word: what a sentence says with a word and without it.

    text -> guard -> words, emoji -> the text, and the text without each of them -> quality tier, one batch
         -> log(p positive / p negative) with a word - without it -> the five that move it most

The evidence that is stored is the fast tier's, whose words add up; a sentence's tone is no such sum, and the two may
contradict each other. Leaving words out asks the sentence itself ("Understanding Neural Networks through Representation
Erasure", Li et al. 2016, arXiv 1612.08220). It costs as many hearings as there are words, so it is asked for by whoever
wants to know, about one text, and never stored.
"""

from dataclasses import replace
from math import log
from re import Match

from app.model import Evidence, Language, Sentiment
from app.sentiment.base import MILLIONTHS, Scorer, tier_of
from app.sentiment.fast import EVIDENCE, LEAST
from app.sentiment.normal import Guarded, guard, tokens
from app.sentiment.tiers import last_word

MOST = 64  # words that are left out in turn, of the some 90 that the transformer hears
FLOOR = 10**-MILLIONTHS  # a probability that was rounded to 0

Span = tuple[int, int]


def weigh(scorer: Scorer, text: str, language: Language) -> Sentiment | None:
    """What the quality tier of `scorer` hears in the text, with its own evidence: up to five words, heaviest first.

    A weight is what the text loses of log(p positive / p negative) without the word, above 0 where the word speaks for
    positive; weights of one text do not add up to anything. Of a text of more words the first `MOST` are tried, among
    themselves. There is no evidence where the quality tier hears nothing: in a language without a model, in a text
    without words.

    None where there is no quality tier: the fast tier's evidence is exact, and there is nothing to add to it.
    Pure and thread-safe. It takes as long as hearing `MOST` + 2 texts at most: some 0.1 s for a tweet, 2 s for a page.
    """
    scorer = last_word(scorer)
    if tier_of(scorer) != "quality":
        return None
    guarded = guard(text)
    part, spans = _tried(guarded)
    texts = [text, part, *(f"{part[:start]} {part[end:]}" for start, end in spans)]  # a space: its neighbours stay two
    heard, whole, *others = scorer.score(texts, [language] * len(texts))
    if "quality" not in heard.components:
        return replace(heard, evidence=())
    side = _side(whole)
    found = []
    for (start, end), other in zip(spans.values(), others, strict=True):
        weight = side - _side(other)
        if abs(weight) >= LEAST:
            found.append(Evidence(start, end, text[start:end], round(weight, 3)))
    return replace(heard, evidence=tuple(sorted(found, key=lambda one: (-abs(one.weight), one.start))[:EVIDENCE]))


def _tried(guarded: Guarded) -> tuple[str, dict[Span, Span]]:
    """The text up to its last word that is left out in turn; where these words stand in it, and in the original.

    It ends there: what follows would move up into what the transformer hears, and weigh in for each word that is left
    out.
    """
    words = [token.span() for token in tokens(guarded.text) if _is_word(token)]
    spans = {guarded.within(*word): guarded.span(*word) for word in words}  # two words of one entity are one
    end = list(spans)[MOST][0] if len(spans) > MOST else None
    return guarded.window.text[:end], dict(list(spans.items())[:MOST])


def _side(heard: Sentiment) -> float:
    """log(p positive / p negative); 0 where nothing is left that anybody hears."""
    if heard.probabilities is None:
        return 0.0
    negative, _, positive = (max(each, FLOOR) for each in heard.probabilities)
    return log(positive / negative)


def _is_word(token: Match[str]) -> bool:
    """It is a word, a number, an emoji or an emoticon: no link, no handle, no mark."""
    if token.lastgroup is not None:
        return token.lastgroup != "link"
    return token[0][0].isalnum() or token[0][0] in "_#"
