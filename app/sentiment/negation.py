"""The words that turn what follows them, by language: general ones only, lower case, with and without their accents."""

from collections.abc import Mapping

SCOPE = 4
"""How many words after a negation are tagged with it, unless a mark ends the clause before."""

STOPS = frozenset(".,;:!?¡¿…")

_WORDS = {
    "es": "no ni nunca jamás jamas tampoco sin nada nadie ningún ningun ninguna ninguno ningunas ningunos apenas",
    "en": """no not never none nobody nothing neither nor nowhere without hardly barely cannot cant dont doesnt didnt
        isnt wasnt arent werent wont wouldnt couldnt shouldnt hasnt havent hadnt aint can't don't doesn't didn't isn't
        wasn't aren't weren't won't wouldn't couldn't shouldn't hasn't haven't hadn't ain't""",
    "pt": "não nao nem nunca jamais sem nada ninguém ninguem nenhum nenhuma nenhuns tampouco ñ n",
    "fr": "ne pas ni jamais sans rien aucun aucune personne plus guère guere nul nulle non",
    "de": "nicht kein keine keinen keiner keinem keines nie niemals nichts ohne weder noch niemand nirgends kaum",
    "it": "non né nè ne mai senza niente nulla nessuno nessuna nessun nemmeno neanche neppure",
}

NEGATIONS: Mapping[str, frozenset[str]] = {code: frozenset(words.split()) for code, words in _WORDS.items()}
