"""Times of the models' nodes: --profile-ops of a run, and what models inspect says of nodes and multiplications.

Tests of the class Boundaries use a real second provider, as test_providers.py does.
"""
import json
import os
import struct

import harness as h
import test_providers as p

SAMPLE = '_ops_sample'


def operations(profile):
    return {(c['name'], o['name']): o for c in profile['categories'] for o in c['operations']}


def nodes_of(profile, name):
    (model,) = [m for m in profile['models'] if m['name'] == name]
    return model['nodes']


# --- an independent count of multiplications: shapes followed through the file -----------------------------------

def parse(data):
    """Fields of a protobuf message as (number, value); value: int or bytes."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[tag & 7]
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def ints(data):
    """A packed list of varints."""
    out, at = [], 0
    while at < len(data):
        value, at = read_varint(data, at)
        out.append(value - (1 << 64) if value >> 63 else value)
    return out


def conv_macs(path, height, width):
    """Multiplications of the convolutions of a model whose pictures only shrink: sizes by strides and paddings."""
    graph = [v for n, v in parse(open(path, 'rb').read()) if n == 7][0]
    weights, sizes, total, count = {}, {}, 0, 0
    for number, value in parse(graph):
        if number == 5:
            fields = list(parse(value))
            dims = [d for n, v in fields if n == 1 for d in ([v] if isinstance(v, int) else ints(v))]
            weights[[v for n, v in fields if n == 8][0]] = dims
    for number, value in parse(graph):
        if number == 11:
            name = [v for n, v in parse(value) if n == 1][0]
            if name not in weights:
                sizes[name] = (height, width)
    for number, value in parse(graph):
        if number != 1:
            continue
        fields = list(parse(value))
        inputs = [v for n, v in fields if n == 1]
        output = [v for n, v in fields if n == 2][0]
        kind = [v for n, v in fields if n == 4][0]
        attributes = {}
        for n, v in fields:
            if n == 5:
                inner = list(parse(v))
                attributes[[x for k, x in inner if k == 1][0]] = \
                    [i for k, x in inner if k == 8 for i in ([x] if isinstance(x, int) else ints(x))]
        size = next((sizes[i] for i in inputs if i in sizes), None)
        if size is None:
            continue
        if kind in (b'Conv', b'MaxPool'):
            kernel = weights[inputs[1]][2:] if kind == b'Conv' else attributes[b'kernel_shape']
            strides, pads = attributes.get(b'strides', [1, 1]), attributes.get(b'pads', [0, 0, 0, 0])
            size = tuple((size[i] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in (0, 1))
        elif kind == b'Pad':
            amounts = weights_of_pad(graph, inputs[1])
            size = (size[0] + amounts[2] + amounts[6], size[1] + amounts[3] + amounts[7])
        if kind == b'Conv':
            filters, channels, kernel_height, kernel_width = weights[inputs[1]]
            total += filters * channels * kernel_height * kernel_width * size[0] * size[1]
            count += 1
        sizes[output] = size
    return total, count


def weights_of_pad(graph, name):
    for number, value in parse(graph):
        if number == 5:
            fields = dict((n, v) for n, v in parse(value) if n != 1)
            if fields[8] == name:
                return struct.unpack('<8q', fields[9]) if 9 in fields else ints(fields[7])
    raise AssertionError('no constant %r' % name)


# --- a run ---------------------------------------------------------------------------------------------------------

class Runs(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=20)

    def profile(self, name, *args):
        out = self.path(name)
        result = self.good_run(self.clip, '-o', out, '--ep', 'cpu', *args)
        return json.load(open(os.path.join(out, 'face_profile.json'), encoding='utf-8')), result.out, out

    def test_samples_and_plain_runs(self):
        """The same runs with and without sampling; what is sampled stands apart; sums are plausible."""
        plain, text, _ = self.profile('plain')
        self.assertIsNone(nodes_of(plain, 'FaceMesh'))
        self.assertNotIn('Inside', text)
        sampled, text, out = self.profile('sampled', '--profile-ops=4')
        before, after = operations(plain), operations(sampled)
        samples = 0
        for prefix in ('', 'AU_'):
            headline = ('MODEL_INFERENCE', prefix + 'FaceMesh_onnx_cpu')
            sample = after[('PROFILING', prefix + 'FaceMesh' + SAMPLE)]
            self.assertEqual(after[headline]['count'] + sample['count'], before[headline]['count'])
            self.assertAlmostEqual(sample['count'], before[headline]['count'] / 4, delta=1)
            samples += sample['count']
        nodes = nodes_of(sampled, 'FaceMesh')
        self.assertEqual((nodes['samples'], nodes['every'], nodes['lost_runs'], nodes['lost_events']),
                         (samples, 4, 0, 0))
        total = sum(after[('PROFILING', prefix + 'FaceMesh' + SAMPLE)]['total_seconds'] for prefix in ('', 'AU_'))
        self.assertTrue(0 < nodes['node_seconds'] <= nodes['run_seconds'] <= total, nodes)
        for groups in (nodes['providers'], nodes['types']):
            self.assertAlmostEqual(sum(g['seconds'] for g in groups), nodes['node_seconds'], places=6)
            self.assertEqual(sum(g['nodes'] for g in groups), nodes['nodes'])
        self.assertEqual(nodes['types'][0]['name'], 'Conv')
        self.assertEqual([g['name'] for g in nodes['providers']], ['onnx_cpu'])
        self.assertEqual((len(nodes['costliest']), nodes['boundaries'], nodes['causes']), (10, 0, []))
        for node in nodes['costliest']:
            self.assertEqual(node['runs'], samples)
            self.assertTrue(node['min_seconds'] * samples <= node['seconds'] <= node['max_seconds'] * samples)
        self.check_text(text, out)

    def check_text(self, text, out):
        section = text[text.index('\nMODELS\n'):text.index('\nOutputs')]
        self.assertRegex(section, r'sampled: \d+ of \d+ runs, [\d.]+ ms each and not [\d.]+ ms: -?[\d.]+ ms in all')
        self.assertRegex(section, r'\nInside FaceMesh:\n    \d+ nodes in \d+ sampled runs: ')
        self.assertRegex(section, r'CPU: all \d+ operators, [\d.]+ ms\n')
        again = self.good_run('report', os.path.join(out, 'face_profile.json')).out
        self.assertEqual(again[again.index('\nMODELS\n'):].strip(), section.strip())
        merged = self.path('merged.json')
        file = os.path.join(out, 'face_profile.json')
        self.good_run('merge', file, file, '-o', merged)
        one = nodes_of(json.load(open(os.path.join(out, 'face_profile.json'))), 'FaceMesh')
        two = nodes_of(json.load(open(merged)), 'FaceMesh')
        self.assertEqual((two['samples'], two['nodes']), (2 * one['samples'], one['nodes']))
        self.assertEqual([n['name'] for n in two['costliest']], [n['name'] for n in one['costliest']])

    def test_every_run_but_the_first(self):
        profile, _, _ = self.profile('all', '--profile-ops=1', '--max-frames', '6')
        found = operations(profile)
        self.assertEqual(found[('MODEL_INFERENCE', 'FaceMesh_onnx_cpu')]['count'], 1)
        self.assertGreaterEqual(found[('PROFILING', 'FaceMesh' + SAMPLE)]['count'], 6)

    def test_in_a_trace(self):
        _, _, out = self.profile('trace', '--profile-ops', '--trace', '--max-frames', '4')
        events = json.load(open(os.path.join(out, 'face_trace.json')))['traceEvents']
        (sample,) = [e for e in events if e.get('name') == 'FaceMesh' + SAMPLE]
        inside = [e for e in events if e.get('cat') == 'onnx_cpu' and e.get('tid') == sample['tid']]
        self.assertGreater(len(inside), 100)
        for e in inside:
            self.assertGreaterEqual(e['ts'], sample['ts'])
            self.assertLessEqual(e['ts'] + e['dur'], sample['ts'] + sample['dur'] + 1e-3)

    def test_no_folder_for_temporary_files(self):
        """The run is as good as ever, and says that nothing could be read; nothing is left behind."""
        out, tmp = self.path('no-tmp'), self.path('tmp')
        os.mkdir(tmp)
        for folder, samples in ((tmp, True), (self.path('none'), False)):
            result = h.run(self.clip, '-o', out, '--overwrite', '--max-frames', '4', '--profile-ops', '--ep', 'cpu',
                           env=dict(h.program_env(), TMPDIR=folder))
            self.assertEqual(result.code, 0, result)
            nodes = nodes_of(json.load(open(os.path.join(out, 'face_profile.json'))), 'FaceMesh')
            self.assertEqual((nodes['samples'] > 0, nodes['lost_runs'] > 0), (samples, not samples))
        self.assertEqual([n for n in os.listdir(tmp) if 'facemirror' in n], [])  # the runtime has logs of its own there

    def test_bad_values(self):
        for value in ('0', '-1', 'x', '', '99999999999'):
            self.assert_one_sentence(h.run(self.clip, '--profile-ops=' + value), 2, '--profile-ops')


class Inspect(h.Case):
    def inspect(self, path, *args):
        return json.loads(self.good_run('models', 'inspect', '--json', '--ep', 'cpu', '--runs', '3', path, *args).out)

    def test_macs_of_the_models(self):
        for name, side in (('face_detection_short_range', 128), ('face_landmark', 192)):
            path = os.path.join(h.MODELS, name + '.onnx')
            total, count = conv_macs(path, side, side)
            found = self.inspect(path)['macs']
            self.assertEqual(found['types'], [{'type': 'Conv', 'operators': count, 'macs': total}])
            self.assertEqual((found['total'], found['unknown_operators']), (total, 0))

    def test_odd_names(self):
        """Names hold quotes and line breaks; text and JSON stand it."""
        path = p.chain(self.path('chain.onnx'), 6)
        nodes = self.inspect(path)['nodes']
        self.assertEqual((nodes['samples'], nodes['lost_events'], nodes['nodes']), (10, 0, 13))
        self.assertEqual(sum(t['nodes'] for t in nodes['types']), 13)
        self.assertTrue(any('"' in n['name'] and '\n' in n['name'] for n in nodes['costliest']), nodes['costliest'])
        text = self.good_run('models', 'inspect', path, '--runs', '3', '--ep', 'cpu').out
        self.assertRegex(text, r'MACs: none')
        self.assertRegex(text, r'\n    relu "\d",\? +Relu +onnx_cpu ')

    def test_left_out(self):
        path = p.chain(self.path('left.onnx'), 1)
        found = self.inspect(path, '--no-nodes')
        self.assertEqual((found['nodes'], found['macs']), (None, None))
        self.assertNotIn('Inside', self.good_run('models', 'inspect', path, '--no-nodes', '--runs', '3').out)


class Boundaries(h.Case):
    @classmethod
    def make_inputs(cls):
        p.Accelerator.make_inputs.__func__(cls)

    def test_fallbacks_have_a_price(self):
        path, links = p.chain(self.path('chain.onnx'), 9), 9
        args = ('--ep', 'openvino', '--ep-library', p.SHIM, '--runs', '5')
        found = json.loads(self.good_run('models', 'inspect', path, '--json', *args).out)
        nodes = found['nodes']
        self.assertEqual((nodes['boundaries'], nodes['nodes']), (10 * 2 * links, 2 * links + 1))
        self.assertEqual({g['name']: g['nodes'] for g in nodes['providers']},
                         {'openvino': links + 1, 'onnx_cpu': links})
        (cause,) = nodes['causes']
        self.assertEqual((cause['type'], cause['nodes']), ('LpPool', links))
        self.assertGreater(cause['operator_seconds'], 0)
        self.assertGreater(cause['boundary_seconds'], 0)
        self.assertEqual(cause['boundary_seconds'], nodes['boundary_seconds'])
        text = self.good_run('models', 'inspect', path, *args).out
        self.assertRegex(text, r'accelerator: 52\.6% of operators \(10 of 19\), [\d.]+ ms\n')
        self.assertRegex(text, r'CPU fallback: 47\.4% \(9\), [\d.]+ ms: 9 LpPool\n')
        self.assertRegex(text, r'rewriting these 9 LpPool would save up to [\d.]+ ms a run: [\d.]+ in the operators, '
                               r'[\d.]+ at their boundaries')


if __name__ == '__main__':
    h.require_script()
    h.main()
