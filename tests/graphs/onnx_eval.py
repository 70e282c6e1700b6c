"""ONNX graphs computed by plain Python: a second hand for the checks of the graph writer and of the test graphs.

Reads the protobuf by itself (field numbers of onnx.proto3) and knows the operators that the test graphs use, as
ONNX's operator reference defines them, in double precision. Slow: for graphs with a few million multiplications.
"""
import math
import struct

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
FLOAT, INT64 = 1, 7


# --- protobuf --------------------------------------------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def fields(data):
    """(number, value) of each field; a value is an int, or the bytes of a string, message or float."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = varint(data, at)
        else:
            size, at = (8, at) if wire == FIXED64 else (4, at) if wire == FIXED32 else varint(data, at)
            assert at + size <= len(data), 'a field reaches behind the end'
            value = data[at:at + size]
            at += size
        yield number, value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def all_of(message, number):
    return [v for n, v in fields(message) if n == number]


def first(message, number, default=None):
    found = all_of(message, number)
    return found[0] if found else default


# --- tensors and graphs ----------------------------------------------------------------------------------------

class Tensor:
    """dims and a flat list of values, row by row."""
    def __init__(self, dims, values):
        self.dims, self.values = list(dims), values
        assert math.prod(self.dims) == len(values), (dims, len(values))

    def strides(self):
        return [math.prod(self.dims[i + 1:]) for i in range(len(self.dims))]


def read_tensor(message):
    dims = [signed(v) for v in all_of(message, 1)]
    raw, kind = first(message, 9, b''), first(message, 2)
    count = math.prod(dims)
    form = {FLOAT: 'f', INT64: 'q'}[kind]
    return first(message, 8).decode(), Tensor(dims, list(struct.unpack('<%d%s' % (count, form), raw)))


def read_attribute(message):
    kind = first(message, 20)
    value = {1: lambda: struct.unpack('<f', first(message, 2))[0],
             2: lambda: signed(first(message, 3, 0)),
             3: lambda: first(message, 4).decode(),
             7: lambda: [signed(v) for v in all_of(message, 8)]}[kind]()
    return first(message, 1).decode(), value


class Node:
    def __init__(self, message):
        self.inputs = [v.decode() for v in all_of(message, 1)]
        self.outputs = [v.decode() for v in all_of(message, 2)]
        self.name, self.op = first(message, 3, b'').decode(), first(message, 4).decode()
        self.attributes = dict(read_attribute(v) for v in all_of(message, 5))


def read_shape(message):
    """Name and dims of an input or output; an open one is its name."""
    tensor = first(first(message, 2), 1)
    dims = []
    for dim in all_of(first(tensor, 2), 1):
        name = first(dim, 2)
        dims.append(name.decode() if name is not None else signed(first(dim, 1)))
    return first(message, 1).decode(), dims


class Graph:
    def __init__(self, path):
        with open(path, 'rb') as stream:
            graph = first(stream.read(), 7)
        self.nodes = [Node(v) for v in all_of(graph, 1)]
        self.constants = dict(read_tensor(v) for v in all_of(graph, 5))
        self.inputs = [read_shape(v) for v in all_of(graph, 11)]
        self.outputs = [read_shape(v) for v in all_of(graph, 12)]

    def run(self, tensor):
        """All outputs for the one input, in their order."""
        known = dict(self.constants)
        known[self.inputs[0][0]] = tensor
        for node in self.nodes:
            arguments = [known[name] if name else None for name in node.inputs]
            results = OPERATORS[node.op](node.attributes, *arguments)
            known.update(zip(node.outputs, results if isinstance(results, tuple) else (results,)))
        return [known[name] for name, _ in self.outputs]


# --- operators: shapes -----------------------------------------------------------------------------------------

def broadcast(a, b, function):
    """Both stretched to the same shape."""
    if a.dims == b.dims:
        return Tensor(a.dims, [function(x, y) for x, y in zip(a.values, b.values)])
    rank = max(len(a.dims), len(b.dims))
    dims_a, dims_b = ([1] * (rank - len(t.dims)) + t.dims for t in (a, b))
    dims = [max(x, y) for x, y in zip(dims_a, dims_b)]
    assert all(x in (1, d) and y in (1, d) for x, y, d in zip(dims_a, dims_b, dims)), (a.dims, b.dims)
    index_a, index_b = stretched(dims_a, dims), stretched(dims_b, dims)
    return Tensor(dims, [function(a.values[i], b.values[j]) for i, j in zip(index_a, index_b)])


def stretched(own, dims):
    """For each element of dims the index of the element of `own` that stands there."""
    indices, stride = [0], 1
    strides = []
    for size in reversed(own):
        strides.append(0 if size == 1 else stride)
        stride *= size
    for size, step in zip(dims, reversed(strides)):
        indices = [i + step * k for i in indices for k in range(size)]
    return indices


def picked(x, choices):
    """The elements at the given places of each axis."""
    indices = [0]
    for stride, places in zip(x.strides(), choices):
        indices = [i + stride * p for i in indices for p in places]
    return Tensor([len(c) for c in choices], [x.values[i] for i in indices])


def slice_of(_, x, starts, ends, axes):
    choices = [range(size) for size in x.dims]
    for start, end, axis in zip(starts.values, ends.values, axes.values):
        size = x.dims[axis]
        start, end = (v + size if v < 0 else min(v, size) for v in (start, end))
        choices[axis] = range(start, end)
    return picked(x, choices)


def concat(attributes, *tensors):
    axis = attributes['axis'] % len(tensors[0].dims)
    outer = math.prod(tensors[0].dims[:axis])
    values = []
    for i in range(outer):
        for t in tensors:
            inner = math.prod(t.dims[axis:])
            values += t.values[i * inner:(i + 1) * inner]
    dims = list(tensors[0].dims)
    dims[axis] = sum(t.dims[axis] for t in tensors)
    return Tensor(dims, values)


def transpose(attributes, x):
    order, strides = attributes['perm'], x.strides()
    indices = [0]
    for axis in order:
        indices = [i + strides[axis] * k for i in indices for k in range(x.dims[axis])]
    return Tensor([x.dims[axis] for axis in order], [x.values[i] for i in indices])


def unsqueeze(_, x, axes):
    dims = list(x.dims)
    for axis in axes.values:
        dims.insert(axis % (len(dims) + 1), 1)
    return Tensor(dims, x.values)


def pad(_, x, pads):
    rank = len(x.dims)
    dims = [size + pads.values[i] + pads.values[i + rank] for i, size in enumerate(x.dims)]
    out = Tensor(dims, [0.0] * math.prod(dims))
    strides = out.strides()
    indices = [sum(p * s for p, s in zip(pads.values, strides))]
    for size, stride in zip(x.dims, strides):
        indices = [i + stride * k for i in indices for k in range(size)]
    for i, value in zip(indices, x.values):
        out.values[i] = value
    return out


def resize(attributes, x, _, scales):
    """Nearest, asymmetric, floor."""
    assert attributes['mode'] == 'nearest' and attributes['nearest_mode'] == 'floor'
    return picked(x, [[int(k / s) for k in range(int(size * s))] for size, s in zip(x.dims, scales.values)])


def shape(attributes, x):
    dims = x.dims[attributes.get('start', 0):attributes.get('end')]
    return Tensor([len(dims)], dims)


def expand(_, x, dims):
    target = Tensor(dims.values, [0] * math.prod(dims.values))
    return broadcast(x, target, lambda a, _: a)


def reshape(_, x, dims):
    new = [x.dims[i] if d == 0 else d for i, d in enumerate(dims.values)]
    if -1 in new:
        new[new.index(-1)] = len(x.values) // -math.prod(new)
    return Tensor(new, x.values)


# --- operators: layers -----------------------------------------------------------------------------------------

def planes(x):
    """The pictures of a [batch, channels, height, width] tensor, each a list of rows."""
    height, width = x.dims[2:]
    rows = [x.values[i:i + width] for i in range(0, len(x.values), width)]
    return [rows[i:i + height] for i in range(0, len(rows), height)]


def padded(plane, pads):
    top, left, bottom, right = pads
    width = len(plane[0]) + left + right
    rows = [[0.0] * left + row + [0.0] * right for row in plane]
    return [[0.0] * width] * top + rows + [[0.0] * width] * bottom


def conv(attributes, x, weight, bias):
    groups, stride = attributes.get('group', 1), attributes.get('strides', [1, 1])[0]
    pads = attributes.get('pads', [0, 0, 0, 0])
    out_channels, each, kernel_h, kernel_w = weight.dims
    sources = [padded(p, pads) for p in planes(x)]
    height = (len(sources[0]) - kernel_h) // stride + 1
    width = (len(sources[0][0]) - kernel_w) // stride + 1
    values = []
    for n in range(x.dims[0]):
        for o in range(out_channels):
            lowest = n * x.dims[1] + o // (out_channels // groups) * each
            rows = [[bias.values[o]] * width for _ in range(height)]
            at = o * each * kernel_h * kernel_w
            for c in range(each):
                for i in range(kernel_h):
                    for j in range(kernel_w):
                        w = weight.values[at]
                        at += 1
                        if w == 0:
                            continue
                        for v in range(height):
                            source = sources[lowest + c][v * stride + i][j::stride]
                            rows[v] = [a + w * b for a, b in zip(rows[v], source)]
            for row in rows:
                values += row
    return Tensor([x.dims[0], out_channels, height, width], values)


def max_pool(attributes, x):
    assert attributes['kernel_shape'] == attributes['strides'] == [2, 2]
    values = []
    for plane in planes(x):
        for upper, lower in zip(plane[::2], plane[1::2]):
            tall = [max(a, b) for a, b in zip(upper, lower)]
            values += [max(a, b) for a, b in zip(tall[::2], tall[1::2])]
    return Tensor(x.dims[:2] + [x.dims[2] // 2, x.dims[3] // 2], values)


def by_channel(x, function):
    """function(channel, values) -> values, for each picture and channel."""
    inner = math.prod(x.dims[2:])
    values = []
    for i in range(0, len(x.values), inner):
        values += function(i // inner % x.dims[1], x.values[i:i + inner])
    return Tensor(x.dims, values)


def batch_norm(attributes, x, scale, shift, mean, variance):
    def normal(c, values):
        factor = scale.values[c] / math.sqrt(variance.values[c] + attributes['epsilon'])
        return [(v - mean.values[c]) * factor + shift.values[c] for v in values]
    return by_channel(x, normal)


def instance_norm(attributes, x, scale, shift):
    def normal(c, values):
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        factor = scale.values[c] / math.sqrt(variance + attributes['epsilon'])
        return [(v - mean) * factor + shift.values[c] for v in values]
    return by_channel(x, normal)


def gemm(attributes, x, weight, bias):
    assert attributes.get('transB') == 1
    rows, columns = weight.dims
    values = []
    for n in range(x.dims[0]):
        row = x.values[n * columns:(n + 1) * columns]
        for o in range(rows):
            values.append(bias.values[o] + sum(a * b for a, b in
                                               zip(row, weight.values[o * columns:(o + 1) * columns])))
    return Tensor([x.dims[0], rows], values)


def matmul(_, a, b):
    """The second factor may be one matrix for all of the batch."""
    rows, inner, columns = a.dims[-2], a.dims[-1], b.dims[-1]
    values = []
    for n in range(math.prod(a.dims[:-2])):
        start = n * inner * columns if len(b.dims) == len(a.dims) else 0
        matrix = b.values[start:start + inner * columns]
        by_column = [matrix[c::columns] for c in range(columns)]
        for r in range(rows):
            row = a.values[(n * rows + r) * inner:(n * rows + r + 1) * inner]
            values += [sum(p * q for p, q in zip(row, column)) for column in by_column]
    return Tensor(a.dims[:-1] + [columns], values)


def top_k(_, x, count):
    """Along the last axis."""
    size, k = x.dims[-1], count.values[0]
    values, indices = [], []
    for i in range(0, len(x.values), size):
        best = sorted(range(size), key=lambda j, i=i: (-x.values[i + j], j))[:k]
        values += [x.values[i + j] for j in best]
        indices += best
    dims = x.dims[:-1] + [k]
    return Tensor(dims, values), Tensor(dims, indices)


def reduce(x, axes, keep, function):
    """Over trailing axes."""
    rank = len(x.dims)
    axes = sorted(axis % rank for axis in axes)
    assert axes == list(range(rank - len(axes), rank)), 'only trailing axes are reduced here'
    inner = math.prod(x.dims[axes[0]:])
    values = [function(x.values[i:i + inner]) for i in range(0, len(x.values), inner)]
    return Tensor(x.dims[:axes[0]] + ([1] * len(axes) if keep else []), values)


def mean(values):
    return sum(values) / len(values)


def each(function):
    return lambda attributes, x: Tensor(x.dims, [function(v) for v in x.values])


def both(function):
    return lambda attributes, a, b: broadcast(a, b, function)


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def where(_, condition, x, y):
    pairs = broadcast(x, y, lambda a, b: (a, b))
    return broadcast(condition, pairs, lambda c, pair: pair[0] if c else pair[1])


def clip(_, x, low, high):
    return Tensor(x.dims, [min(max(v, low.values[0]), high.values[0]) for v in x.values])


OPERATORS = {
    'Add': both(lambda a, b: a + b), 'Sub': both(lambda a, b: a - b), 'Mul': both(lambda a, b: a * b),
    'Div': both(lambda a, b: a / b), 'Max': both(max), 'Greater': both(lambda a, b: a > b),
    'GreaterOrEqual': both(lambda a, b: a >= b),
    'Relu': each(lambda v: max(v, 0.0)), 'Sigmoid': each(sigmoid), 'Sqrt': each(math.sqrt),
    'Cast': each(float), 'LpPool': each(abs), 'Identity': lambda attributes, x: x,
    'Conv': conv, 'MaxPool': max_pool, 'Resize': resize, 'BatchNormalization': batch_norm,
    'InstanceNormalization': instance_norm, 'Gemm': gemm, 'MatMul': matmul, 'TopK': top_k,
    'GlobalAveragePool': lambda attributes, x: reduce(x, [2, 3], True, mean),
    'ReduceMean': lambda attributes, x: reduce(x, attributes['axes'], attributes['keepdims'], mean),
    'ReduceSum': lambda attributes, x, axes: reduce(x, axes.values, attributes['keepdims'], sum),
    'ReduceL2': lambda attributes, x: reduce(x, attributes['axes'], attributes['keepdims'],
                                             lambda values: math.sqrt(sum(v * v for v in values))),
    'Flatten': lambda attributes, x: Tensor([x.dims[0], math.prod(x.dims[1:])], x.values),
    'Slice': slice_of, 'Concat': concat, 'Transpose': transpose, 'Unsqueeze': unsqueeze, 'Pad': pad,
    'Shape': shape, 'Expand': expand, 'Reshape': reshape, 'Where': where, 'Clip': clip,
}
