"""Small ONNX models, one a kind of node, in ONNX's own text form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import onnx

FLAT, IMAGE, ROWS = "float[n, 6] x", "float[n, 2, 6, 7] x", "float[n, 4, 3] x"


@dataclass(frozen=True)
class Case:
    """`body` computes y of x and of `stored` arrays."""

    body: str
    x: str = FLAT
    stored: str = ""
    opset: int = 17


def model(case: Case) -> onnx.ModelProto:
    """The case's model: its y, whatever it holds, comes out as `out` [n, k] float."""
    graph = f"""
    <ir_version: 8, opset_import: ["" : {case.opset}]>
    g ({case.x}) => (float[n, k] out) {f"<{case.stored}>" if case.stored else ""} {{
      {case.body}
      flat = Flatten <axis = 1> (y)
      out = Cast <to = 1> (flat)
    }}"""
    return onnx.parser.parse_model(graph)


def write(case: Case, path: Path) -> Path:
    onnx.save(model(case), path)
    return path


PLAIN = """Abs Ceil Celu Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Mish Neg Relu Round Selu Sigmoid
Sign Sin Softplus Softsign Tanh ThresholdedRelu Asinh Atan Cosh Sinh"""

CASES: dict[str, Case] = {
    name: Case(f"y = {name} (x)", opset=18 if name == "Mish" else 17) for name in re.findall(r"\w+", PLAIN)
}
CASES |= {
    # functions of a part of the numbers
    "Sqrt": Case("a = Abs (x)  y = Sqrt (a)"),
    "Log": Case("a = Exp (x)  y = Log (a)"),
    "Reciprocal": Case("a = Exp (x)  y = Reciprocal (a)"),
    "Asin": Case("a = Sin (x)  b = Mul (a, h)  y = Asin (b)", stored="float h = {0.5}"),
    "Acos": Case("a = Sin (x)  b = Mul (a, h)  y = Acos (b)", stored="float h = {0.5}"),
    "Atanh": Case("a = Sin (x)  b = Mul (a, h)  y = Atanh (b)", stored="float h = {0.5}"),
    "Acosh": Case("a = Exp (x)  b = Add (a, h)  y = Acosh (b)", stored="float h = {1.5}"),
    "Tan": Case("a = Tanh (x)  y = Tan (a)"),
    # activations with settings
    "Elu alpha": Case("y = Elu <alpha = 0.3> (x)"),
    "Selu other": Case("y = Selu <alpha = 1.2, gamma = 0.7> (x)"),
    "HardSigmoid alpha": Case("y = HardSigmoid <alpha = 0.1666667, beta = 0.4> (x)"),
    "Gelu": Case("y = Gelu (x)", opset=20),
    "Gelu tanh": Case('y = Gelu <approximate = "tanh"> (x)', opset=20),
    "Swish": Case("y = Swish <alpha = 1.5> (x)", opset=24),
    "Shrink": Case("y = Shrink <lambd = 0.7, bias = 0.2> (x)"),
    "PRelu": Case("y = PRelu (x, s)", stored="float[6] s = {0.1, -0.5, 0.0, 2.0, 1.0, 0.25}"),
    "PRelu image": Case("y = PRelu (x, s)", IMAGE, "float[2, 1, 1] s = {0.1, 0.7}"),
    # pairs
    "Add": Case("y = Add (x, s)", stored="float[6] s = {1, 2, 3, 4, 5, 6}"),
    "Sub number": Case("y = Sub (s, x)", stored="float s = {1.5}"),
    "Sum": Case("a = Neg (x)  y = Sum (x, a, x)"),
    "Mean": Case("a = Abs (x)  y = Mean (x, a, x)"),
    "Min": Case("a = Neg (x)  y = Min (x, a, h)", stored="float h = {-0.5}"),
    "Max": Case("y = Max (x, h)", stored="float[1] h = {0.5}"),
    "Pow": Case("y = Pow (x, two)", stored="float two = {2}"),
    "Pow whole": Case("y = Pow (x, two)", stored="int64 two = {3}"),
    "Clip": Case("y = Clip (x, l, h)", stored="float l = {-0.5}, float h = {1}"),
    "Clip above": Case("y = Clip (x, , h)", stored="float h = {1}"),
    "Clip attributes": Case("y = Clip <min = -0.5, max = 0.75> (x)", opset=9),
    "Clip varying": Case(
        "l = Tanh (x)  h = ReduceMax <axes = [1]> (l)  s = Squeeze (h, a)  k = Unsqueeze (s, a)  m = Min (x, k)  "
        "y = Clip (m, c)",
        stored="int64[1] a = {1}, float c = {-0.25}",
    ),
    "Mod": Case("i = Cast <to = 7> (x)  y = Mod (i, d)", stored="int64 d = {3}"),
    "Mod negative": Case("i = Cast <to = 7> (x)  y = Mod (i, d)", stored="int64 d = {-3}"),
    "Div whole": Case("i = Cast <to = 7> (x)  y = Div (i, d)", stored="int64 d = {2}"),
    "Cast bool": Case("r = Round (x)  b = Cast <to = 9> (r)  y = Cast <to = 1> (b)"),
    # comparisons and choices
    "Equal": Case("r = Round (x)  y = Equal (r, h)", stored="float h = {1}"),
    "Less": Case("y = Less (x, h)", stored="float h = {0.5}"),
    "LessOrEqual": Case("r = Round (x)  y = LessOrEqual (r, h)", stored="float[6] h = {0, 1, 2, -1, 0, 3}"),
    "Greater": Case("y = Greater (h, x)", stored="float h = {0.5}"),
    "GreaterOrEqual": Case("a = Neg (x)  y = GreaterOrEqual (x, a)"),
    "And Or Not Xor": Case(
        "p = Less (x, h)  q = Less (g, x)  a = And (p, q)  o = Or (a, p)  n = Not (o)  y = Xor (n, q)",
        stored="float h = {0.5}, float g = {0}",
    ),
    "Where": Case("p = Less (x, h)  y = Where (p, h, x)", stored="float h = {0.5}"),
    "Where numbers": Case("p = Less (x, h)  y = Where (p, h, g)", stored="float h = {0.5}, float g = {-2}"),
    "ArgMax": Case("y = ArgMax <axis = 1> (x)"),
    "ArgMax last": Case("r = Round (x)  y = ArgMax <axis = -1, keepdims = 0, select_last_index = 1> (r)", ROWS),
    "ArgMin": Case("y = ArgMin <axis = 1, keepdims = 0> (x)", ROWS),
    "OneHot": Case(
        "a = ArgMax <axis = 1, keepdims = 0> (x)  y = OneHot (a, d, e)", stored="int64 d = {6}, float[2] e = {0, 1}"
    ),
    "Hardmax": Case("y = Hardmax (x)"),
    "GatherElements": Case("a = ArgMax <axis = 2> (x)  y = GatherElements <axis = 2> (x, a)", ROWS),
    "Gather by place": Case(
        "a = ArgMax <axis = 1, keepdims = 0> (x)  y = Gather (t, a)",
        stored="float[6, 2] t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}",
    ),
    "Trilu": Case("y = Trilu <upper = 0> (x)", ROWS),
    # shapes
    "Gather": Case("y = Gather <axis = 1> (x, i)", stored="int64[4] i = {5, 0, -2, 0}"),
    "Gather one": Case("y = Gather <axis = 1> (x, i)", ROWS, "int64 i = {-1}"),
    "Gather square": Case("y = Gather <axis = 1> (x, i)", stored="int64[2, 2] i = {5, 0, 3, 1}"),
    "Slice": Case(
        "y = Slice (x, s, e, a, t)",
        ROWS,
        "int64[2] s = {1, -1}, int64[2] e = {9223372036854775807, -9223372036854775807}, int64[2] a = {1, 2}, "
        "int64[2] t = {2, -1}",
    ),
    "Slice attributes": Case("y = Slice <starts = [1], ends = [-1], axes = [1]> (x)", opset=9),
    "Split": Case("a, b = Split <axis = 1> (x, s)  y = Concat <axis = 1> (b, a)", stored="int64[2] s = {2, 4}"),
    "Split attribute": Case("a, b = Split <axis = 1, split = [1, 5]> (x)  y = Concat <axis = 1> (b, a)", opset=11),
    "Split even": Case("a, b, c = Split <axis = 1> (x)  y = Sub (c, a)", opset=11),
    "Split by number": Case(
        "a, b, c, d = Split <axis = 1, num_outputs = 4> (x)  y = Concat <axis = 1> (d, c, b, a)",
        "float[n, 7] x",
        opset=18,
    ),
    "Tile": Case("y = Tile (x, t)", ROWS, "int64[3] t = {1, 2, 3}"),
    "Expand": Case("u = Unsqueeze (x, a)  y = Expand (u, s)", stored="int64[1] a = {2}, int64[3] s = {1, 1, 3}"),
    "Unsqueeze attribute": Case("u = Unsqueeze <axes = [1, 3]> (x)  y = Squeeze <axes = [1]> (u)", opset=11),
    "Transpose": Case("y = Transpose <perm = [0, 2, 1]> (x)", ROWS),
    "Flatten": Case("a = Tanh (x)  y = Flatten <axis = 1> (a)", IMAGE),
    "Shape, Gather, Concat": Case(
        "s = Shape (x)  b = Gather (s, i)  u = Unsqueeze (b, o)  c = Concat <axis = 0> (u, k)  y = Reshape (x, c)",
        stored="int64 i = {0}, int64[1] o = {0}, int64[2] k = {2, 3}",
    ),
    "Shape and arithmetic": Case(
        "s = Shape (x)  b = Slice (s, o, l)  r = Slice (s, l, t)  m = Div (r, k)  "
        "c = Concat <axis = 0> (b, m, f)  y = Reshape (x, c)",
        ROWS,
        "int64[1] o = {0}, int64[1] l = {1}, int64[1] t = {2}, int64[1] k = {2}, int64[1] f = {-1}",
    ),
    "ConstantOfShape": Case(
        "s = Shape (x)  c = ConstantOfShape <value = float[1] {2.5}> (s)  y = Mul (x, c)",
    ),
    "Expand as exporters write it": Case(
        "s = Shape (w)  c = ConstantOfShape <value = int64[1] {1}> (s)  d = Mul (c, m)  e = Equal (w, d)  "
        "f = Where (e, c, w)  u = Unsqueeze (x, a)  y = Expand (u, f)",
        stored="int64[3] w = {-1, 4, 6}, int64 m = {-1}, int64[1] a = {1}",
    ),
    "Range": Case("r = Range (o, e, s)  y = Mul (x, r)", stored="float o = {1}, float e = {4}, float s = {0.5}"),
    "Pad": Case("y = Pad (x, p, v)", IMAGE, "int64[8] p = {0, 0, 1, 2, 0, 0, 0, 1}, float v = {-1.5}", 13),
    "Pad axes": Case("y = Pad (x, p, , a)", ROWS, "int64[2] p = {1, 2}, int64[1] a = {-1}", 18),
    "Pad reflect": Case('y = Pad <mode = "reflect"> (x, p)', IMAGE, "int64[8] p = {0, 0, 1, 2, 0, 0, 0, 1}"),
    "Pad edge": Case('y = Pad <mode = "edge"> (x, p)', ROWS, "int64[6] p = {0, 1, 2, 0, 0, 1}"),
    "Pad attribute": Case("y = Pad <pads = [0, 1, 0, 2], value = 0.5> (x)", opset=9),
    "DepthToSpace": Case("y = DepthToSpace <blocksize = 2> (x)", "float[n, 8, 3, 2] x"),
    "DepthToSpace CRD": Case('y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)', "float[n, 8, 3, 2] x"),
    "SpaceToDepth": Case("y = SpaceToDepth <blocksize = 2> (x)", "float[n, 2, 6, 4] x"),
    # reductions
    **{
        f"Reduce{name}": Case(f"a = Abs (x)  y = Reduce{name} <axes = [1]> (a)", ROWS, opset=12)
        for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
    "ReduceSum input": Case("y = ReduceSum <keepdims = 0> (x, a)", ROWS, "int64[2] a = {1, -1}"),
    "ReduceMax input": Case("y = ReduceMax (x, a)", ROWS, "int64[1] a = {1}", 18),
    "ReduceProd two": Case("y = ReduceProd <axes = [1, 2]> (x)", ROWS),
    "CumSum": Case("y = CumSum (x, a)", ROWS, "int64 a = {1}"),
    "CumSum reverse": Case("y = CumSum <reverse = 1, exclusive = 1> (x, a)", stored="int64 a = {1}"),
    "Softmax": Case("y = Softmax (x)", ROWS),
    "Softmax axis": Case("y = Softmax <axis = 1> (x)", ROWS),
    "Softmax old": Case("y = Softmax (x)", ROWS, opset=11),
    "LogSoftmax old": Case("y = LogSoftmax <axis = 2> (x)", ROWS, opset=11),
    # products and normalisations
    "Gemm": Case(
        "y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (x, w, b)",
        stored="float[2, 6] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}, float[2] b = {1, -1}",
    ),
    "Einsum": Case(
        'a = Transpose <perm = [0, 2, 1]> (x)  y = Einsum <equation = "b i j, b j k -> b i k"> (x, a)', ROWS
    ),
    "BatchNormalization": Case(
        "y = BatchNormalization <epsilon = 0.001> (x, s, b, m, v)",
        IMAGE,
        "float[2] s = {1, 2}, float[2] b = {0.5, -1}, float[2] m = {0.1, 0.2}, float[2] v = {2, 0.3}",
    ),
    "InstanceNormalization": Case(
        "y = InstanceNormalization (x, s, b)", IMAGE, "float[2] s = {1, 2}, float[2] b = {0.5, -1}"
    ),
    "LayerNormalization": Case(
        "y = LayerNormalization (x, s, b)",
        stored="float[6] s = {1, 2, 3, 4, 5, 6}, float[6] b = {0, 1, 0, 1, 0, 1}",
    ),
    "LpNormalization": Case("e = Exp (x)  y = LpNormalization <axis = 1, p = 1> (e)"),
    # windows
    "MaxPool": Case("y = MaxPool <kernel_shape = [2, 3], strides = [2, 1]> (x)", IMAGE),
    "MaxPool pads": Case("y = MaxPool <kernel_shape = [3, 3], pads = [1, 0, 0, 1], dilations = [1, 2]> (x)", IMAGE),
    "MaxPool ceil": Case("y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (x)", IMAGE),
    "MaxPool same": Case('y = MaxPool <kernel_shape = [2, 3], auto_pad = "SAME_UPPER"> (x)', IMAGE),
    "AveragePool": Case("y = AveragePool <kernel_shape = [2, 3], pads = [1, 1, 1, 1]> (x)", IMAGE),
    "AveragePool pads": Case("y = AveragePool <kernel_shape = [2, 3], pads = [1, 0, 0, 1]> (x)", IMAGE),
    "AveragePool inside": Case(
        "y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 0, 1], count_include_pad = 1> (x)", IMAGE
    ),
    "GlobalAveragePool": Case("y = GlobalAveragePool (x)", IMAGE),
    "GlobalMaxPool": Case("y = GlobalMaxPool (x)", IMAGE),
    "Conv same": Case(
        'y = Conv <auto_pad = "SAME_LOWER", strides = [2, 2]> (x, w)',
        IMAGE,
        "float[1, 2, 2, 2] w = {1, 2, 3, 4, -1, -2, 0.5, 0.1}",
    ),
    "ConvTranspose": Case(
        "y = ConvTranspose <strides = [2, 1], pads = [1, 0, 0, 1]> (x, w)",
        IMAGE,
        "float[2, 1, 2, 2] w = {1, 2, 3, 4, -1, -2, 0.5, 0.1}",
    ),
    "Resize linear": Case('y = Resize <mode = "linear"> (x, , s)', IMAGE, "float[4] s = {1, 1, 1.5, 0.5}"),
    "Resize sizes": Case(
        'y = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (x, , , s)',
        "float[2, 2, 6, 7] x",
        "int64[4] s = {2, 2, 9, 5}",
    ),
    "Resize nearest": Case(
        'y = Resize <coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , s)',
        IMAGE,
        "float[4] s = {1, 1, 0.5, 1.7}",
    ),
    "Upsample": Case("y = Upsample (x, s)", IMAGE, "float[4] s = {1, 1, 2, 2}", 9),
    "GatherND": Case(
        "t = Transpose <perm = [1, 2, 0]> (x)  g = GatherND (t, i)  y = Transpose <perm = [1, 0]> (g)",
        ROWS,
        "int64[3, 2] i = {0, 1, 3, -1, 2, 2}",
    ),
    "NonZero": Case("n = NonZero (m)  y = Gather <axis = 1> (x, n)", stored="int64[6] m = {1, 0, 1, 1, 0, 0}"),
    "Resize": Case("y = Resize (x, , s)", IMAGE, "float[4] s = {1, 1, 2, 3}"),
}
CASES |= {
    "Mod fmod": Case("y = Mod <fmod = 1> (x, d)", stored="float d = {0.75}"),
    "TopK": Case(
        "v, i = TopK <axis = 1> (x, k)  f = Cast <to = 1> (i)  y = Concat <axis = 1> (v, f)", stored="int64[1] k = {3}"
    ),
    "TopK least": Case("v, y = TopK <axis = 1, largest = 0> (x, k)", stored="int64[1] k = {2}"),
    "TopK attribute": Case("y, i = TopK <axis = -1, k = 2> (x)", opset=9),
    "ScatterElements": Case(
        "a = ArgMax <axis = 1> (x)  u = ReduceSum (x, o)  y = ScatterElements <axis = 1> (x, a, u)",
        stored="int64[1] o = {1}",
    ),
}


def merged(cases: dict[str, Case]) -> onnx.ModelProto:
    """One model of cases that take the same x: what each gives, side by side."""
    first = next(iter(cases.values()))
    whole = model(first)
    nodes, arrays, outs = [], [], []
    for i, case in enumerate(cases.values()):
        graph = model(case).graph
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [name if name in ("x", "") else f"{name}_{i}" for name in names]
        for array in graph.initializer:
            array.name = f"{array.name}_{i}"
        nodes += graph.node
        arrays += graph.initializer
        outs.append(f"out_{i}")
    del whole.graph.node[:], whole.graph.initializer[:]
    whole.graph.node.extend([*nodes, onnx.helper.make_node("Concat", outs, ["out"], axis=1)])
    whole.graph.initializer.extend(arrays)
    return whole
