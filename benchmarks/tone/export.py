"""The fine-tuned encoder as the files that the service reads.

    state of the net, pieces kept -> ONNX graph of int8 products -> quality.onnx
    checkpoint -> 4-bit embeddings as they were, positions -> quality-embeddings.npz; tokenizer -> quality-pieces.json

Why this form: onnxruntime's dynamic quantisation takes one scale for a whole batch of activations, so that a text's
tone depends on its neighbours in the batch. Here every row (one piece of one text) has a scale of its own. Measured on
this model: no change at all between batches (0.04 in a logit before), half the error against float32, for a sixth of
the speed.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.tone.e5 import POSITIONS, Checkpoint, tokenizer

MICROSOFT = "com.microsoft"  # onnxruntime's own operators
LEVELS = 127


class Graph:
    """Collects nodes and constants. Every method gives the name of the value that it adds."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self._state = state
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._rows: dict[str, tuple[str, str]] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._state[name])

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, x: str, name: str, output: str) -> str:
        """x W' + b with W in int8, a scale a row of W, and x in 8 bits, a scale a row of x."""
        weight = self._state[f"{name}.weight"]
        scales = np.maximum(np.abs(weight).max(axis=1), 1e-12) / LEVELS
        rounded = self.constant(f"{name}.weight", np.rint(weight / scales[:, None]).astype(np.int8).T)
        eight, largest = self._by_row(x)
        scale = self.constant(f"{name}.scales", (scales / LEVELS).astype(np.float32))
        one, middle = self._number("one", 1.0), self._middle()
        y = self.node("MatMulIntegerToFloat", [eight, rounded, one, scale, middle], f"{output}.product", MICROSOFT)
        y = self.node("Mul", [y, largest], f"{output}.scaled")
        return self.node("Add", [y, self.weight(f"{name}.bias")], output)

    def normal(self, x: str, name: str, output: str, epsilon: float) -> str:
        weights = [self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", [x, *weights], output, epsilon=epsilon)

    def _by_row(self, x: str) -> tuple[str, str]:
        if x not in self._rows:
            last, least = self.constant("last", np.array([-1])), self._number("least", 1e-6)
            size = self.node("ReduceMax", [self.node("Abs", [x], f"{x}.size"), last], f"{x}.most", keepdims=1)
            largest = self.node("Max", [size, least], f"{x}.largest")
            factor = self.node("Div", [self._number("levels", LEVELS), largest], f"{x}.factor")
            scaled = self.node("Mul", [x, factor], f"{x}.scaled8")
            eight = self.node("QuantizeLinear", [scaled, self._number("one", 1.0), self._middle()], f"{x}.eight")
            self._rows[x] = eight, largest
        return self._rows[x]

    def _middle(self) -> str:
        return self.constant("middle", np.array(128, np.uint8))

    def _number(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))


def graph(state: dict[str, np.ndarray], checkpoint: Checkpoint, task: str) -> onnx.ModelProto:
    """Inputs: x (texts, pieces, hidden) embeddings with positions; keep (texts, pieces) int32. Output: logits."""
    made = Graph(state)
    epsilon = checkpoint.epsilon
    x = made.normal("x", "ln", "embedded", epsilon)
    thirds = made.constant("thirds", np.array([checkpoint.hidden] * 3))
    for number in range(checkpoint.layers):
        name = f"layers.{number}"
        qkv = made.linear(x, f"{name}.qkv", f"{name}.qkv.out")
        parts = [f"{name}.{part}.out" for part in "qkv"]
        made.nodes.append(helper.make_node("Split", [qkv, thirds], parts, axis=-1))
        seen = made.node(
            "MultiHeadAttention", [*parts, "", "keep"], f"{name}.seen", MICROSOFT, num_heads=checkpoint.heads
        )
        out = made.linear(seen, f"{name}.out", f"{name}.out.out")
        x = made.normal(made.node("Add", [x, out], f"{name}.sum1"), f"{name}.ln1", f"{name}.middle", epsilon)
        wide = made.node("Gelu", [made.linear(x, f"{name}.up", f"{name}.up.out")], f"{name}.wide", MICROSOFT)
        down = made.linear(wide, f"{name}.down", f"{name}.down.out")
        x = made.normal(made.node("Add", [x, down], f"{name}.sum2"), f"{name}.ln2", f"{name}.end", epsilon)
    weight = made.node("Cast", ["keep"], "weight", to=TensorProto.FLOAT)
    column = made.node("Unsqueeze", [weight, made.constant("second", np.array([2]))], "column")
    pieces = made.constant("first", np.array([1]))
    total = made.node("ReduceSum", [made.node("Mul", [x, column], "weighted"), pieces], "total", keepdims=0)
    mean = made.node("Div", [total, made.node("ReduceSum", [weight, pieces], "count", keepdims=1)], "mean")
    made.node(
        "Gemm", [mean, made.weight(f"heads.{task}.weight"), made.weight(f"heads.{task}.bias")], "logits", transB=1
    )
    shape = helper.make_tensor_value_info
    body = helper.make_graph(
        made.nodes,
        "tone",
        [
            shape("x", TensorProto.FLOAT, ["texts", "pieces", checkpoint.hidden]),
            shape("keep", TensorProto.INT32, ["texts", "pieces"]),
        ],
        [shape("logits", TensorProto.FLOAT, ["texts", 3])],
        list(made.constants.values()),
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=10)


def export(state: dict[str, np.ndarray], checkpoint: Checkpoint, kept: list[int], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quality.onnx").write_bytes(graph(state, checkpoint, "main").SerializeToString(deterministic=True))
    scales, packed = checkpoint.blocks("emb.word")
    pieces = len(checkpoint.values("emb.word")) // checkpoint.hidden
    arrays = {
        "packed": packed.reshape(pieces, -1)[kept],
        "scales": scales.reshape(pieces, -1)[kept],
        "places": checkpoint.places[:POSITIONS].astype(np.float16),
    }
    write_npz(folder / "quality-embeddings.npz", arrays)
    (folder / "quality-pieces.json").write_text(tokenizer(checkpoint, kept).to_str(), encoding="utf-8")


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """As `numpy.savez`, but the same bytes for the same arrays: a zip of numpy's own remembers when it was made."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, np.ascontiguousarray(array))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), held.getvalue())
