"""What is wrong with a query, in plain words, in Spanish and English, and where.

A `QueryError` has a `code` and `values`, so that another room may word it anew; the house's two languages are here.
"""

from collections.abc import Mapping
from unicodedata import combining, east_asian_width

MESSAGES: Mapping[str, tuple[str, str]] = {
    # code: (English, Spanish)
    "empty": (
        "The query is empty. Write the name to look for.",
        "La consulta está vacía. Escribe el nombre que hay que buscar.",
    ),
    "too_long": (
        "The query is too long: {size} bytes when written out in full, at most {limit}.",
        "La consulta es demasiado larga: {size} bytes escrita por completo, como mucho {limit}.",
    ),
    "too_many_terms": (
        "The query has more than {limit} terms.",
        "La consulta tiene más de {limit} términos.",
    ),
    "too_deep": (
        "The query is nested more than {limit} deep.",
        "La consulta tiene más de {limit} niveles, unos dentro de otros.",
    ),
    "unclosed_quote": (
        "This quotation mark is never closed.",
        "Estas comillas no se cierran.",
    ),
    "unclosed_backtick": (
        "This backtick is never closed.",
        "Este acento grave (`) no se cierra.",
    ),
    "unclosed_parenthesis": (
        "This parenthesis is never closed.",
        "Este paréntesis no se cierra.",
    ),
    "unopened_parenthesis": (
        "This closing parenthesis has no opening one.",
        "Este paréntesis de cierre no tiene apertura.",
    ),
    "empty_parentheses": (
        "There is nothing between these parentheses.",
        "No hay nada entre estos paréntesis.",
    ),
    "missing_before": (
        'There is nothing before {operator} for it to join. To search for the word, put it in quotes: "{operator}".',
        'Delante de {operator} no hay nada que unir. Para buscar la palabra, ponla entre comillas: "{operator}".',
    ),
    "missing_after": (
        'Something must follow {operator}. To search for the word, put it in quotes: "{operator}".',
        'Detrás de {operator} tiene que haber algo. Para buscar la palabra, ponla entre comillas: "{operator}".',
    ),
    "missing_after_minus": (
        "A minus must touch what it excludes, and comes once: -word.",
        "El signo menos va pegado a lo que excluye, y una sola vez: -palabra.",
    ),
    "missing_after_tilde": (
        'A tilde must touch a word or a phrase: ~word, ~"some words".',
        'La virgulilla (~) va pegada a una palabra o una frase: ~palabra, ~"unas palabras".',
    ),
    "tilde_inside": (
        "A tilde stands before a word, and makes n and ñ alike in it: ~word. Other spellings are not guessed.",
        "La virgulilla (~) va delante de la palabra e iguala en ella n y ñ: ~palabra. No se adivinan otras grafías.",
    ),
    "near_needs_number": (
        "Write how many words may stand between, a number from 0 to {limit}: {operator}/5.",
        "Escribe cuántas palabras puede haber en medio, un número de 0 a {limit}: {operator}/5.",
    ),
    "near_too_far": (
        "{operator} reaches at most {limit} words.",
        "{operator} alcanza como mucho {limit} palabras.",
    ),
    "near_capitals": (
        "Write the operator in capitals: {operator}. To search for the words, put them in quotes.",
        "Escribe el operador en mayúsculas: {operator}. Para buscar las palabras, ponlas entre comillas.",
    ),
    "near_operand": (
        "{operator} joins words, phrases, or a group (a OR b) of them; nothing else can stand beside it.",
        "{operator} une palabras, frases o un grupo (a OR b) de ellas; a su lado no puede ir otra cosa.",
    ),
    "near_field": (
        "Put the field before the whole: {field}:(a {operator} b).",
        "Pon el campo delante de todo: {field}:(a {operator} b).",
    ),
    "near_chain": (
        "Only one {operator} at a time. Write (a NEAR/5 b) AND (b NEAR/5 c).",
        "Solo un {operator} cada vez. Escribe (a NEAR/5 b) AND (b NEAR/5 c).",
    ),
    "near_minus": (
        "What is excluded here? Write a AND NOT (b {operator} c), or (a {operator} b) -c.",
        "¿Qué se excluye aquí? Escribe a AND NOT (b {operator} c), o bien (a {operator} b) -c.",
    ),
    "distance_after_phrase": (
        "For words at some distance write NEAR between them: a NEAR/{number} b.",
        "Para palabras a cierta distancia escribe NEAR entre ellas: a NEAR/{number} b.",
    ),
    "star_inside": (
        "* stands at the end of a word only: prefix*. For a * of the text itself use backticks: `a*b`.",
        "* va solo al final de una palabra: prefijo*. Para un * del propio texto usa acentos graves: `a*b`.",
    ),
    "star_too_short": (
        "At least {limit} letters must stand before *.",
        "Delante de * tiene que haber al menos {limit} letras.",
    ),
    "nothing_to_find": (
        "There is no word in {text}. For punctuation use backticks: `{text}`.",
        "No hay ninguna palabra en {text}. Para buscar signos usa acentos graves: `{text}`.",
    ),
    "sign_lost": (
        "{sign} is not part of a word, so this would find {text} as well. If it matters use backticks: `{text}{sign}`.",
        "{sign} no forma parte de la palabra; esto encontraría también {text}. Si importa, usa `{text}{sign}`.",
    ),
    "blank_exact": (
        "There is nothing between these backticks.",
        "No hay nada entre estos acentos graves.",
    ),
    "unknown_field": (
        "There is no field {name}: (there are {fields}). To search for the text, put it in quotes.",
        "No existe el campo {name}: (existen {fields}). Para buscar el texto, ponlo entre comillas.",
    ),
    "translated_field": (
        "The field is called {field}: in queries.",
        "En las consultas este campo se llama {field}:",
    ),
    "empty_field": (
        "Something must follow {field}: without a space: {field}:{example}.",
        "Detrás de {field}: tiene que haber algo, sin espacio: {field}:{example}.",
    ),
    "minus_after_field": (
        "Put the minus before the field: -{field}:{example}.",
        "Pon el signo menos delante del campo: -{field}:{example}.",
    ),
    "field_in_field": (
        "A field cannot stand inside another: {inner}: is inside {outer}:.",
        "Un campo no puede ir dentro de otro: {inner}: está dentro de {outer}:.",
    ),
    "bad_site": (
        "site: takes a domain such as elpais.com, without a path.",
        "site: espera un dominio como elpais.com, sin ruta.",
    ),
    "bad_language": (
        "lang: takes a code of two or three letters such as es.",
        "lang: espera un código de dos o tres letras como es.",
    ),
    "bad_source": (
        "source: takes the short name of a source, with letters, figures and hyphens.",
        "source: espera el nombre corto de una fuente, con letras, cifras y guiones.",
    ),
    "words_only": (
        "{field}: takes a plain value here, without ~, backticks or NEAR.",
        "{field}: espera aquí un valor simple, sin ~, acentos graves ni NEAR.",
    ),
    "only_exclusions": (
        "This part only says what must not appear, so it would find nearly everything. Add a word that must appear.",
        "Esta parte solo dice lo que no debe aparecer y encontraría casi todo. Añade una palabra que deba aparecer.",
    ),
    "only_language": (
        "A language alone would find nearly everything. Add a word that must appear.",
        "Un idioma por sí solo encontraría casi todo. Añade una palabra que deba aparecer.",
    ),
}


class QueryError(ValueError):
    """A query that cannot be understood, or that would find nearly everything.

    `position` counts characters of the query from 0. `message` is English; `text(language)` also speaks Spanish.
    """

    def __init__(self, code: str, position: int, **values: object) -> None:
        self.code = code
        self.position = position
        self.values = values
        super().__init__(self.text("en"))

    @property
    def message(self) -> str:
        return self.text("en")

    def text(self, language: str = "en") -> str:
        english, spanish = MESSAGES[self.code]
        return (spanish if language.startswith("es") else english).format_map(self.values)

    def caret(self, query: str, width: int = 72) -> str:
        """The line of `query` with the mistake, at most `width` characters of it, over a line that points at it."""
        before = query[: self.position]
        line_start = before.rfind("\n") + 1
        line_end = query.find("\n", self.position)
        line = query[line_start : line_end if line_end >= 0 else len(query)]
        column = self.position - line_start
        cut = max(0, min(column - width // 2, len(line) - width))
        shown = "".join(char if char.isprintable() else " " for char in line[cut : cut + width])
        return f"{shown}\n{' ' * _columns(shown[: column - cut])}^"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.code, self.position, self.values)


def _restore(code: str, position: int, values: Mapping[str, object]) -> QueryError:
    return QueryError(code, position, **values)


def _columns(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)
