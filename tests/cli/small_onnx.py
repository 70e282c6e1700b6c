"""An ONNX writer as small as the tests' graphs (onnx.proto)."""
import struct

IR_VERSION, OPSET = 8, 17


def varint(value):
    out = b''
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def value_info(name, dims):
    """A float32 tensor; None is an open dimension."""
    shape = b''.join(field(1, field(2, 'n') if d is None else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def tensor(name, dims, values):
    """A float32 constant: fields of a TensorProto."""
    return (b''.join(field(1, d) for d in dims) + field(2, 1) + field(8, name)
            + field(9, struct.pack('<%df' % len(values), *values)))


def node(op, inputs, output, **attributes):
    """One output; attributes are whole numbers or lists of them: fields of a NodeProto."""
    fields = b''.join(field(1, i) for i in inputs) + field(2, output) + field(3, output) + field(4, op)
    for name, value in attributes.items():
        one = isinstance(value, int)
        body = field(1, name) + (field(3, value) if one else b''.join(field(8, v) for v in value))
        fields += field(5, body + field(20, 2 if one else 7))
    return fields


def graph_of(nodes, constants, inputs, outputs):
    """Fields of a GraphProto; inputs and outputs are (name, dims)."""
    return (b''.join(field(1, n) for n in nodes) + field(2, 'small') + b''.join(field(5, c) for c in constants)
            + b''.join(field(11, value_info(*i)) for i in inputs)
            + b''.join(field(12, value_info(*o)) for o in outputs))


def save(path, graph):
    """The fields of a GraphProto as a model."""
    with open(path, 'wb') as out:
        out.write(field(1, IR_VERSION) + field(7, graph) + field(8, field(2, OPSET)))
    return path


def _shape(name, dims):
    """An int64 constant."""
    values = b''.join(d.to_bytes(8, 'little') for d in dims)
    return field(1, len(dims)) + field(2, 7) + field(8, name) + field(9, values)


def model(path, inputs, outputs):
    """A model with these inputs and outputs, each (name, dims): every output is the mean of the first input."""
    graph = field(1, field(1, inputs[0][0]) + field(2, 'mean') + field(4, 'ReduceMean')
                  + field(5, field(1, 'keepdims') + field(3, 0) + field(20, 2)))
    for i, (name, _) in enumerate(outputs):
        graph += field(1, field(1, 'mean') + field(1, 'shape%d' % i) + field(2, name) + field(4, 'Expand'))
    graph += field(2, 'small')
    for i, (_, dims) in enumerate(outputs):
        graph += field(5, _shape('shape%d' % i, dims))
    graph += b''.join(field(11, value_info(*i)) for i in inputs)
    graph += b''.join(field(12, value_info(*o)) for o in outputs)
    return save(path, graph)
