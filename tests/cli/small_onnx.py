"""An ONNX writer as small as the tests' graphs (onnx.proto)."""

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
