"""What is it about? The words that the stories of now say more often than the brand's stories usually do.

    stories of now, stories of the last month, as folded words -> single words and neighbours -> G2 -> Terms

A word counts once a story, however often it stands there. Words come folded: lower case, no accents, in the text's
order.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import pairwise, permutations
from math import log
from typing import TypeVar

from alerts.base import Term

_Said = TypeVar("_Said", bound=Hashable)

READ_WORDS = 400
"""Of a text; what it is about stands at its start."""

_LEAST_STORIES, _LEAST_OF_FEW, _FEW = 3, 2, 6
# 5 % of words that are said as often as ever look this rare by chance.
_LEAST_WEIGHT = 3.84

# What every text says, whatever it is about, by language and folded. What means something in another language is not
# here: "die", "war", "car", "ai", "ad"; nor is "down", which is what a service is.
STOP_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(said.split())
    for language, said in {
        "es": """a al algo alguien algun alguna algunas alguno algunos alla alli ante antes aqui asi aun aunque bien
            cada casi como con contra cosa cosas cual cuales cuando cuanto cuya cuyo da dan dar de debe deben decir
            del dentro desde despues dice dicen dicho dijo donde dos durante e el ella ellas ello ellos en entonces
            entre era eran eres es esa esas ese eso esos esta estaba estaban estado estamos estan estar estas este
            esto estos estoy fue fueron fui gran ha haber habia habian hace hacemos hacen hacer hacia hago han has
            hasta hay he hecho hemos hizo igual incluso ir jamas la las le les lo los luego mas me menos mi mia
            mientras mio mis misma mismas mismo mismos mucha muchas mucho muchos muy nada nadie ni ningun ninguna
            ninguno no nos nosotros nuestra nuestras nuestro nuestros nunca o os otra otras otro otros para parece
            pero poca poco pocos podemos podria porque por pues puede pueden puedo que quien quienes quiere se sea
            sean segun ser si sido siempre siendo sigue siguen sin sino sobre solo somos son soy su sus suya suyo tal
            tambien tampoco tan tanta tanto te tendra tenemos tener tengo ti tiene tienen toda todas todavia todo
            todos tras tu tus tuve un una unas uno unos usted ustedes va vamos van varias varios ve ver vez veces
            vosotros voy vuestra vuestro y ya yo""",
        "en": """a about above after again against all almost already also always am an and any anyone anything are
            aren around as at away back be because been before being between both but by came can cannot come could
            couldn d did didn do does doesn doing don done each either else even ever every everyone everything few
            for from get gets getting go goes going gone got had hadn has hasn have haven having he her here hers him
            his how i if im in into is isn it its itself ive just know let like ll m made make many may maybe me might
            mine more most much must my myself need never no nobody nor not nothing now of off on once one only or
            other our ours out over own re really s said same say says see she should shouldn since so some someone
            something still such take tell than that thats the their them then there these they thing things this
            those though through to told too took under until up us ve very want wants was wasn we well went were
            weren what when where which while who whom whose why will with without won would wouldn yet you
            your yours""",
        "pt": """a agora ainda alem algo alguem algum alguma ali ao aos apenas aquela aquele aqui as assim ate bem cada
            com como da das de depois desde dessa desse desta deste disse do dos e ela elas ele eles em enquanto entao
            entre era essa essas esse esses esta estamos estao estar estas estava este estes estou eu faz fazer fez
            foi foram hoje isso isto ja la lhe mais mas me mesma mesmo meu meus minha minhas muita muitas muito muitos
            na nao nas nem nenhum no nos nossa nosso num numa nunca o onde os ou outra outras outro outros para pela
            pelas pelo pelos por porque pra quando quanto que quem sao se seja sem sempre sendo ser seu seus so sobre
            sua suas tambem tao te tem tenho ter teve toda todas todo todos tudo um uma umas uns vai vao voce voces
            vos""",
        "fr": """a ainsi apres as assez au aucun aucune aussi autre autres aux avait avant avec avez avoir avons
            beaucoup bien c ca ce cela celle celui ces cet cette ceux chaque chez comme comment d dans de depuis des
            deux dit dois doit donc du elle elles en encore entre est et etaient etait etant ete etes etre eu eux
            faire fait faut font ici il ils j je jusqu l la le les leur leurs lui m ma mais me meme memes mes moi
            moins mon n ne ni non nos notre nous on ont ou par parce pas pendant peu peut peux plus pour pourquoi qu
            quand que quel quelle qui quoi rien s sa sais sans se sera ses si sinon son sont sous suis sur t ta tant
            te tes toi ton toujours tous tout toute toutes tres trop tu un une va vais vers veut veux vos votre vous
            vraiment y""",
        "de": """ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bereits bin
            bis bist da dabei dafur damit dann das dass daran darauf darum davon dazu dein deine dem den denn der des
            dich dir doch dort du durch ein eine einem einen einer eines einfach er erst es etwas euch euer fur ganz
            gar gegen habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer in
            ins ist ja jede jeden jeder jetzt kann kein keine keinen keiner konnen konnte machen macht man mal mehr
            mein meine meinem meinen meiner mich mir mit muss mussen nach nein nicht nichts nie noch nun nur ob oder
            ohne schon sehr sein seine seinen seiner seit selbst sich sie sind so soll sondern sonst uber um und uns
            unser unsere unter viel viele vom von vor wann warum was weg weil wenn wer werde werden wie wieder will
            wir wird wo wollen worden wurde wurden zu zum zur zwischen""",
        "it": """a abbiamo agli al alla alle allo altra altre altri altro anche ancora avere avete aveva c che chi ci
            co coi col come con contro cosa cosi cui d da dagli dai dal dalla dalle de degli dei del della delle dello
            detto devo di dopo dove dovrebbe due e ed era erano essere fa faccio fare fatto fino fra gia gli ha hai
            hanno ho i il in io l la le lei li lo loro lui ma mai me meno mentre mi mia mie miei mio molta molte molti
            molto ne negli nei nel nella nelle nello nessun nessuna nessuno niente noi non nostra nostro o ogni oppure
            ora per perche pero piu poco poi prima proprio puo quale quali qualche quando quanto quasi quella quelle
            quelli quello questa queste questi questo qui sara se sei sempre senza si sia siamo sono sta stato stata
            stati su sua sue sui sul sulla suo suoi tanto ti tra tu tua tue tuo tutta tutte tutti tutto un una uno va
            vi viene voi vostra vostro""",
    }.items()
}
# What a link or a forward leaves behind when a text is cut into words.
_OF_THE_WEB = frozenset(("amp", "com", "href", "html", "http", "https", "nbsp", "pic", "rt", "utm", "via", "www"))
SEAM = "|"
"""Between two texts of one story: no word, and neighbours of none."""
SAY_NOTHING = frozenset[str]().union(*STOP_WORDS.values(), _OF_THE_WEB, (SEAM,))


def over_represented(
    here: Sequence[Sequence[str]],
    usual: Sequence[Sequence[str]],
    *,
    leave_out: Collection[str] = (),
    most: int = 10,
    one_in: int = 10,
) -> tuple[Term, ...]:
    """What the stories of `here` say more often than those of `usual`, by falling weight, then by word.

    A story is its folded words in order; the first 400 are read. Terms are single words and pairs of neighbours
    ("food poisoning"), in at least three stories of `here` (two where it has fewer than six) and one in ten of them
    (`one_in`). A word stands in one term only, the one that weighs most: a pair that explains as much replaces its
    words. Words that every text says, numbers on their own, single letters and `leave_out` (folded too; the brand's own
    words) are no terms. The weight is Dunning's G2 over stories with and without the word, 3.84 or more. Empty where
    there is no `usual` to compare with.
    """
    least = max(_LEAST_OF_FEW if len(here) < _FEW else _LEAST_STORIES, -(-len(here) // one_in))
    if len(here) < least or not usual:
        return ()
    names = frozenset[str]().union(*map(str.split, leave_out))
    # "#aerolince" is Aero Lince too.
    silent = SAY_NOTHING | names | {first + last for first, last in permutations(sorted(names), 2)}
    told = [story[:READ_WORDS] for story in here]
    words = {word: stories for word, stories in _often(map(set, told), least).items() if word not in silent}
    # A pair stands in no more stories than either of its words.
    pairs = _often((_pairs(story, words) for story in told), least)
    words = {word: stories for word, stories in words.items() if _is_a_term(word)}

    single, paired = frozenset(words), frozenset(pairs)
    before: Counter[str | tuple[str, str]] = Counter()
    for story in usual:
        read = story[:READ_WORDS]
        before.update(single.intersection(read))
        before.update(paired.intersection(pairwise(read)))

    candidates = [
        *((-surprise(n, len(here), before[word], len(usual)), (word,), n, before[word]) for word, n in words.items()),
        *((-surprise(n, len(here), before[pair], len(usual)), pair, n, before[pair]) for pair, n in pairs.items()),
    ]
    # Of two that weigh the same the longer one, which says more.
    candidates.sort(key=lambda candidate: (candidate[0], -len(candidate[1]), candidate[1]))
    found: list[Term] = []
    taken: set[str] = set()
    for weight, said, stories, usually in candidates:
        if -weight < _LEAST_WEIGHT or len(found) >= most:
            break
        if taken.isdisjoint(said):
            taken.update(said)
            found.append(Term(" ".join(said), stories, usually / len(usual), -weight))
    return tuple(sorted(found, key=lambda term: (-term.weight, term.word)))


def surprise(here: int, stories: int, usual: int, usual_stories: int) -> float:
    """Signed G2: how much it says that `here` of `stories` have a word, and `usual` of `usual_stories`. Below zero: it
    is rarer here. Chi-squared with one degree of freedom where there is no difference.

    Source: Dunning, "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics 19(1),
    1993: twice the sum of O ln(O / E) over the four cells.
    """
    everything = stories + usual_stories
    if not stories or not usual_stories:
        return 0.0
    g2 = 0.0
    for count, of, said in (
        (here, stories, here + usual),
        (usual, usual_stories, here + usual),
        (stories - here, stories, everything - here - usual),
        (usual_stories - usual, usual_stories, everything - here - usual),
    ):
        if count:
            g2 += count * log(count * everything / (of * said))
    # Equal shares leave a rounding error of either sign.
    g2 = max(0.0, 2 * g2)
    return g2 if here * usual_stories >= usual * stories else -g2


def language_of(story: Sequence[str]) -> str | None:
    """The language whose small words the story says most of, of those in `STOP_WORDS`; None where two say as much."""
    said = set(story[:READ_WORDS])
    first, second = sorted(((len(words & said), language) for language, words in STOP_WORDS.items()), reverse=True)[:2]
    return first[1] if first[0] > second[0] else None


def _often(stories: Iterable[Iterable[_Said]], least: int) -> dict[_Said, int]:
    counted = Counter(said for story in stories for said in story)
    return {said: count for said, count in counted.items() if count >= least}


def _pairs(story: Sequence[str], of: Collection[str]) -> set[tuple[str, str]]:
    """Neighbours of which one is a term of its own and the other may be a number: "flight 714"."""
    return {
        (first, second)
        for first, second in pairwise(story)
        if first in of and second in of and first != second and (_is_a_term(first) or _is_a_term(second))
    }


def _is_a_term(word: str) -> bool:
    """More than one character, and not a number or a picture."""
    return len(word) > 1 and any(map(str.isalpha, word))
