"""The transformer of the quality tier: multilingual-e5-small, fine-tuned here for three-way tone.

    texts -> pieces -> batches of like length -> embeddings -> 12 layers (onnxruntime, int8) -> logits

The weights are data: `weights/quality.onnx` (the fine-tuned layers, int8 by row), `weights/quality-embeddings.npz` (the
original's 4-bit embeddings of the pieces kept, untouched by the fine-tuning) and `weights/quality-pieces.json` (their
tokenizer). Every row of a matrix product has a scale of its own, so that a text's logits do not depend on its batch.
How they were made: docs/sentiment.md. Block format of the embeddings: Q4_0 of ggml, 32 values to one scale.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights"
GRAPH, EMBEDDINGS, PIECES = (
    WEIGHTS / name for name in ("quality.onnx", "quality-embeddings.npz", "quality-pieces.json")
)
NEEDED = ("onnxruntime", "tokenizers")  # the packages of the extra `avizor[quality]`

LONGEST = 126  # pieces heard of one text, its first ones; the two marks round them come on top
DECIMALS = 3  # of a logit: the last bits of its sums depend on how wide the batch is (2e-7 was the most seen)
BATCH = 16  # texts: what a layer makes of more of them leaves the cache of one core, a tenth slower at 32

_BEGIN, _PAD, _END = 0, 1, 2


def available() -> bool:
    """The extra is installed and the weights are here."""
    return all(find_spec(name) for name in NEEDED) and all(path.exists() for path in (GRAPH, EMBEDDINGS, PIECES))


def digest() -> str:
    """SHA-256 over the three files of weights, 64 hex digits."""
    total = sha256()
    for path in (GRAPH, EMBEDDINGS, PIECES):
        total.update(sha256(path.read_bytes()).digest())
    return total.hexdigest()


class Encoder:
    """Reads texts, one thread a call; several threads may call at once. Making one reads the weights (36 MB, 0.3 s)."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a collect must not take all cores
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            GRAPH,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # the fused operator took a quarter of all time; the two, 4 %
        )
        self._pieces = Tokenizer.from_file(str(PIECES))
        with np.load(EMBEDDINGS) as stored:
            self._packed: NDArray[np.uint8] = stored["packed"]  # (pieces, 192): two values a byte, by blocks of 32
            self._scales: NDArray[np.float16] = stored["scales"]  # (pieces, 12)
            self._places: NDArray[np.float32] = stored["places"].astype(np.float32)  # (places, 384)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, 3) for negative, neutral, positive; uncalibrated. The texts as `normal.plain` gives them."""
        encoded = self._pieces.encode_batch(list(texts), add_special_tokens=False)
        rows = [[_BEGIN, *one.ids[:LONGEST], _END] for one in encoded]
        logits = np.zeros((len(rows), 3), np.float32)
        for places in _like_lengths(rows):
            logits[places] = self._run([rows[place] for place in places])
        return logits

    def _run(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        width = max(map(len, rows))
        ids = np.full((len(rows), width), _PAD, np.int64)
        keep = np.zeros((len(rows), width), np.int32)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            keep[at, : len(row)] = 1
        embedded = self._embed(ids.ravel()).reshape(*ids.shape, -1) + self._places[:width]
        (logits,) = self._session.run(None, {"x": embedded, "keep": keep})
        rounded: NDArray[np.float32] = np.asarray(logits, np.float32).round(DECIMALS)
        return rounded

    def _embed(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        packed = self._packed[ids].reshape(len(ids), -1, 16)
        halves = np.concatenate([packed & 15, packed >> 4], axis=2).astype(np.float32) - 8.0
        return (halves * self._scales[ids][:, :, None].astype(np.float32)).reshape(len(ids), -1)


def _like_lengths(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of the rows by length, `BATCH` at a time: little is padded."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
