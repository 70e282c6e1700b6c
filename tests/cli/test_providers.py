"""Execution providers and what runs where, from outside.

Tests of the class Accelerator use a real second provider, OpenVINO's plug-in, through tests/inference/ep_shim.c. They
are skipped where the plug-in is neither at FACEMIRROR_EP_LIBRARY nor where the set-up puts it.
"""
import json
import os

import harness as h
from small_onnx import field, save, value_info

PLUGIN = os.environ.get('FACEMIRROR_EP_LIBRARY') or os.environ.get('FACEMIRROR_EP_DEFAULT', '')
SHIM = os.environ.get('FACEMIRROR_EP_SHIM', '')
LANDMARKER = os.path.join(h.MODELS, 'face_landmark.onnx')


# --- a graph that has to be cut -----------------------------------------------------------------------------------

def chain(path, links, dims=(1, 4, 8, 8)):
    """`links` times a Relu and an LpPool, which OpenVINO refuses; then a last Relu."""
    kernel = field(5, field(1, 'kernel_shape') + field(8, 1) + field(8, 1) + field(20, 7))
    nodes, last = b'', 'x'
    for i in range(links):
        nodes += field(1, field(1, last) + field(2, 'r%d' % i) + field(3, 'relu "%d",\n' % i) + field(4, 'Relu'))
        last = 'p%d' % i
        nodes += field(1, field(1, 'r%d' % i) + field(2, last) + field(3, 'pool %d' % i) + field(4, 'LpPool') + kernel)
    nodes += field(1, field(1, last) + field(2, 'y') + field(3, 'last') + field(4, 'Relu'))
    graph = nodes + field(2, 'chain') + field(11, value_info('x', dims)) + field(12, value_info('y', dims))
    return save(path, graph)


# --- without a second provider ---------------------------------------------------------------------------------

class OnCpu(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=8)

    def inspect(self, *args):
        return json.loads(self.good_run('models', 'inspect', '--json', *args).out)

    def test_inspect(self):
        found = self.inspect(LANDMARKER, '--runs', '7')
        self.assertEqual([(t['name'], t['shape']) for t in found['inputs']], [('input_1', [1, 3, 192, 192])])
        self.assertEqual(found['outputs'][0]['shape'], [1, 1404, 1, 1])
        self.assertEqual((found['asked'], found['backend'], found['reason']), ('auto', 'onnx_cpu', None))
        breakdown = found['breakdown']
        self.assertEqual(sum(t['cpu'] for t in breakdown['types']), breakdown['operators'])
        self.assertEqual((breakdown['accelerator'], breakdown['partitions'], breakdown['fragmentation']), (0, 0, 'none'))
        # Nearly all of the file is weights, four bytes each.
        self.assertLess(found['weight_bytes'], os.path.getsize(LANDMARKER))
        self.assertGreater(found['weight_bytes'], 0.9 * os.path.getsize(LANDMARKER))
        self.assertAlmostEqual(found['weight_bytes'] / found['parameters'], 4, delta=0.01)
        latency = found['latency']
        self.assertEqual(latency['runs'], 7)
        self.assertTrue(0 < latency['min'] <= latency['median'] <= latency['p90'] <= latency['max'])

    def test_inspect_as_text(self):
        text = self.good_run('models', 'inspect', LANDMARKER, '--runs', '3').out
        for part in ('input   input_1: float32 1x3x192x192', 'runs on onnx_cpu', 'CPU: all ', 'weights: 2.3 MiB', 'Conv',
                     'first run: ', 'median '):
            self.assertIn(part, text)
        self.assertIn('Usage:', self.good_run('models', 'inspect', '--help').out)

    def test_open_sizes(self):
        path = chain(self.path('open.onnx'), 1, dims=(1, 4, None, None))
        self.assertIsNone(self.inspect(path)['latency'])
        self.assertIn('give --shape', self.good_run('models', 'inspect', path).out)
        self.assertEqual(self.inspect(path, '--shape', '1x4x16x16', '--runs', '2')['latency']['runs'], 2)
        self.assert_one_sentence(h.run('models', 'inspect', path, '--shape', '1x5x16x16'), 8, 'another fixed size')
        for bad in ('', '1x', '0x1', '1,2', '1x1x1x1x1x1x1x1x1', '99999999999999999999'):
            self.assert_one_sentence(h.run('models', 'inspect', path, '--shape', bad), 2, '--shape')

    def test_inspect_errors(self):
        self.assert_one_sentence(h.run('models', 'inspect'), 2, 'one model')
        self.assert_one_sentence(h.run('models', 'inspect', self.path('none.onnx')), 8, 'none.onnx')
        self.assert_one_sentence(h.run('models', 'inspect', self.clip), 8, 'face.mp4')
        self.assert_one_sentence(h.run('models', 'inspect', LANDMARKER, '--ep', 'gpu'), 2, "'gpu'", 'coreml')
        self.assert_one_sentence(h.run('models', 'inspect', LANDMARKER, '--ep', 'FaceMesh=cpu'), 2, 'just the provider')

    def test_bad_choices(self):
        for args, part in ((('--ep', 'gpu'), "'gpu'"), (('--ep', 'STAR=cpu'), 'BlazeFace, FaceMesh'),
                           (('--ep-option', 'x'), 'key=value')):
            self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), *args), 2, part)
        self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), '--ep-library', self.path('no.so')), 3, 'no.so')
        self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), '--ep-library', self.clip), 9, 'face.mp4')
        os.mkfifo(self.path('fifo.so'))  # which nobody writes
        result = h.run(self.clip, '-o', self.path('bad'), '--ep-library', self.path('fifo.so'))
        self.assert_one_sentence(result, 9, 'not a regular file')
        self.assert_one_sentence(h.run(self.clip, '--ep'), 2, 'needs a value')

    def test_a_provider_that_is_not_here_is_a_warning(self):
        out = self.path('cuda')
        result = h.run(self.clip, '-o', out, '--ep', 'cuda', '--ep', 'FaceMesh=cpu')
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        warning = 'BlazeFace was asked for on cuda and runs on onnx_cpu: cuda does not work here'
        self.assertIn(warning, result.err)
        self.assertIn('NOTE: ' + warning, result.out)
        self.assertIn('asked for cuda: ', result.out)
        profile = json.load(open(os.path.join(out, 'face_profile.json')))
        models = {m['name']: m for m in profile['models']}
        self.assertEqual(models['BlazeFace']['breakdown']['asked'], 'cuda')
        self.assertIn('cuda', models['BlazeFace']['breakdown']['reason'])
        self.assertIsNone(models['FaceMesh']['breakdown']['reason'])
        self.assertTrue(any(warning in note for note in profile['notes']))

    def test_report_section(self):
        out = self.path('plain')
        text = self.good_run(self.clip, '-o', out).out
        section = text[text.index('\nMODELS\n'):]
        self.assertRegex(section, r'AU Extraction: [\d.]+ ms per frame \([\d.]+ FPS\)')
        self.assertRegex(section, r'\n  AU_FaceMesh_onnx_cpu: [\d.]+% of stage \([\d.]+ ms per frame; ')
        self.assertRegex(section, r'Face Analysis: [\d.]+ ms per frame')
        for share in h.re.findall(r'([\d.]+)% of stage', section):
            self.assertLessEqual(float(share), 100)
        again = self.good_run('report', os.path.join(out, 'face_profile.json')).out
        self.assertEqual(again[again.index('\nMODELS\n'):].strip(), section[:section.index('\nOutputs')].strip())


# --- with one ----------------------------------------------------------------------------------------------------

class Accelerator(h.Case):
    @classmethod
    def make_inputs(cls):
        if h.SANITIZED:
            h.skip_script('OpenVINO loads libraries with RTLD_DEEPBIND, which a sanitizer build refuses')
        if not SHIM or not os.path.isfile(PLUGIN):
            h.skip_script('no OpenVINO plug-in at %r; FACEMIRROR_EP_LIBRARY can name it' % PLUGIN)
        os.environ['FACEMIRROR_EP_SHIM_OF'] = PLUGIN
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=12)

    def test_partitions(self):
        for links, rating in ((2, 'low'), (17, 'moderate'), (27, 'high')):
            path = chain(self.path('chain.onnx'), links)
            found = json.loads(self.good_run('models', 'inspect', path, '--ep', 'openvino', '--ep-library', SHIM, '--runs', '5',
                                             '--json').out)
            self.assertEqual(found['backend'], 'openvino')
            b = found['breakdown']
            self.assertEqual((b['operators'], b['accelerator'], b['cpu']), (2 * links + 1, links + 1, links))
            self.assertEqual((b['partitions'], b['fragmentation']), (links + 1, rating))
            self.assertEqual((b['crossings'], b['crossings_known']), (2 * links, True))
            self.assertEqual(b['types'], [{'type': 'Relu', 'accelerator': links + 1, 'cpu': 0},
                                          {'type': 'LpPool', 'accelerator': 0, 'cpu': links}])
            text = self.good_run('models', 'inspect', path, '--ep', 'openvino', '--ep-library', SHIM, '--runs', '5').out
            self.assertRegex(text, r'CPU fallback: %.1f%% \(%d\), [\d.]+ ms: %d LpPool' % (100 * links / (2 * links + 1), links, links))
            self.assertIn('partitions: %d (%s fragmentation), %d crossings' % (links + 1, rating, 2 * links), text)

    def test_a_run(self):
        """Both clips of one call, since the second loads the library again; tables agree with the CPU's."""
        other = h.make_clip(self.path('other.mp4'), frames=8)
        out, cpu = self.path('openvino'), self.path('cpu')
        self.good_run(self.clip, other, '-o', out, '-q', '--ep', 'openvino', '--ep', 'BlazeFace=cpu', '--ep-library', SHIM,
                      '--landmarks-csv')
        self.good_run(self.clip, '-o', cpu, '-q', '--ep', 'cpu', '--landmarks-csv')
        profile = json.load(open(os.path.join(out, 'face_profile.json')))
        names = {o['name'] for c in profile['categories'] for o in c['operations']}
        self.assertTrue({'BlazeFace_onnx_cpu', 'FaceMesh_openvino', 'AU_FaceMesh_openvino'} <= names, names)
        (mesh,) = [m for m in profile['models'] if m['name'] == 'FaceMesh']
        self.assertEqual((mesh['backend'], mesh['breakdown']['coverage'], mesh['breakdown']['partitions']), ('openvino', 1, 1))
        a, b = (h.Landmarks(os.path.join(d, 'face_landmarks.csv')) for d in (out, cpu))
        self.assertEqual(a.count, b.count)
        for points, others in zip(a.frames, b.frames):
            worst = max(abs(p[k] - q[k]) for p, q in zip(points, others) for k in (0, 1))
            self.assertLess(worst, 1.0, 'pixels of a face 320 wide')

    def test_auto(self):
        found = json.loads(self.good_run('models', 'inspect', LANDMARKER, '--ep-library', SHIM, '--json').out)
        self.assertEqual(found['asked'], 'auto')
        self.assertRegex(found['reason'], r'^openvino is (slower: |faster than onnx_cpu: )[\d.]+ ms a run')
        self.assertEqual(found['backend'], 'onnx_cpu' if 'slower' in found['reason'] else 'openvino')


if __name__ == '__main__':
    h.require_script()
    h.main()
