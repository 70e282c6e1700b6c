"""Whole runs with a pack of OpenFace 3.0: RetinaFace, STAR and MTL from outside.

STAR's and MTL's true weights may not be shipped: theirs are graphs of that architecture with random weights
(tests/graphs/graphs.h), whose points are a mean face in the detector's box and whose action units mean nothing.
RetinaFace has its true weights where the shared test models are, else a stand-in that finds skin. So sides, columns,
counts and seams are tested here, and not how well a face is measured. All but the class Full run editions with an
eighth of the channels.
"""
import json
import math
import os
import sys

import harness as h
import test_mirror

sys.path.insert(0, os.path.join(h.SOURCE, 'tests', 'graphs'))
from make_pack import make_pack  # noqa: E402

THIN, FULL = os.environ.get('FACEMIRROR_THIN_PACK', ''), os.environ.get('FACEMIRROR_GRAPH_PACK', '')
MAKE_GRAPH = os.environ.get('FACEMIRROR_MAKE_GRAPH', '')
TRUE_DETECTOR = os.path.join(h.SHARED, 'models', 'retinaface_mobilenet025.onnx')
PLUGIN = os.environ.get('FACEMIRROR_EP_LIBRARY') or os.environ.get('FACEMIRROR_EP_DEFAULT', '')
SHIM = os.environ.get('FACEMIRROR_EP_SHIM', '')
FRAMES, POINTS = 8, 98
MTL_AUS = ('01', '02', '04', '06', '09', '12', '25', '26')  # the official order; AU45 comes from the landmarks
NAMES = ('RetinaFace_onnx_cpu', 'STAR_onnx_cpu', 'AU_MTL_onnx_cpu')


def detector():
    if not os.path.isfile(TRUE_DETECTOR):
        print('no RetinaFace weights at %r: a stand-in finds the face' % TRUE_DETECTOR)
        return None
    return TRUE_DETECTOR


def graph(path, *options):
    h.command(MAKE_GRAPH, *options, path)
    return path


class PackCase(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)
        cls.pack = make_pack(h.PROGRAM, THIN, cls.path('pack'), detector=detector())

    def run_pack(self, out, *args, pack=None, clip=None):
        """The summary of a good run, and its profile."""
        folder = self.path(out)
        result = self.good_run(clip or self.clip, '-o', folder, '--models', pack or self.pack, '--ep', 'cpu', '-q',
                               '--json', *args)
        with open(os.path.join(folder, 'face_profile.json'), encoding='utf-8') as stream:
            profile = json.load(stream)
        return json.loads(result.out)['runs'][0], profile


class Outputs(PackCase):
    def test_all_of_them(self):
        run, _ = self.run_pack('all', '--landmarks-csv')
        self.assertEqual((run['frames_read'], run['frames_with_face']), (FRAMES, FRAMES))
        for name in h.VIDEOS:
            self.assertEqual(len(h.frame_times(self.path('all', 'face_' + name))), FRAMES, name)
        for name in h.TABLES:
            header, rows = h.read_csv(self.path('all', 'face_' + name))
            self.assertEqual(header[:len(h.CSV_HEADER)], h.CSV_HEADER)
            self.assertEqual(len(rows), FRAMES)
            for row in rows:
                self.assertEqual(row['success'], '1')
                filled = [au for au in h.AUS if row['AU%s_r' % au] != '']
                self.assertEqual(filled, sorted(MTL_AUS + ('45',)))
                self.assertTrue(all(0 <= float(row['AU%s_r' % au]) <= 5 for au in filled), row)

    def test_landmarks(self):
        self.run_pack('points', '--landmarks-csv', '--no-smooth', '--mode', 'mirror')
        table = h.Landmarks(self.path('points', 'face_landmarks.csv'))
        self.assertEqual((table.count, len(table.header)), (POINTS, 3 + 3 * POINTS))
        self.assertEqual(len(table.frames), FRAMES)
        for points in table.frames:
            # DRIFT's picture is 320 x 400, the face's middle about (162, 120), 92 wide.
            xs, ys = ([p[k] for p in points] for k in (0, 1))
            self.assertTrue(130 < sum(xs) / POINTS < 200 and 70 < sum(ys) / POINTS < 170, points)
            self.assertTrue(60 < max(xs) - min(xs) < 140, points)
            self.assertLess(points[60][0], points[72][0], 'outer corners: the patient\'s right eye is at the left')
            self.assertLess(points[51][1], points[16][1], 'the chin is below the nose')
        moved = [math.dist(a[:2], b[:2]) for a, b in zip(table.frames[0], table.frames[-1])]
        self.assertGreater(max(moved), 0.5, 'the picture moves the points')

    def test_batches_change_nothing(self):
        for batch in (1, 5):
            self.run_pack('batch%d' % batch, '--mode', 'au', '--au-batch', str(batch))
        for name in h.TABLES:
            (header, rows), (other, others) = (h.read_csv(self.path('batch%d' % b, 'face_' + name)) for b in (1, 5))
            self.assertEqual((header, len(rows)), (other, len(others)))
            for row, again in zip(rows, others):
                for column in header:
                    if row[column] != again[column]:
                        self.assertAlmostEqual(float(row[column]), float(again[column]), delta=2e-3, msg=column)


class Detection(PackCase):
    def test_interval(self):
        # The first frame, then every N-th; the default of 15 sees no more in so short a clip.
        for args, expected in (((), 1), (('--detector-interval', '1'), FRAMES),
                               (('--detector-interval', '3'), math.ceil(FRAMES / 3))):
            run, profile = self.run_pack('interval', '--mode', 'mirror', '--no-debug', '--overwrite', *args)
            self.assertEqual((run['frames_detected'], run['frames_with_face']), (expected, FRAMES), args)
            calls = {o['name']: o['count'] for c in profile['categories'] for o in c['operations']}
            self.assertLessEqual(calls['RetinaFace_onnx_cpu'], 2 * expected + 1, 'twice where a look is doubled')
            self.assertGreaterEqual(calls['STAR_onnx_cpu'], FRAMES)

    def test_fixed_sizes(self):
        """A detector of one size is fed the picture with bars beside it; networks without an open batch run too."""
        pack = make_pack(h.PROGRAM, THIN, self.path('fixed'),
                         detector=graph(self.path('d.onnx'), '--size', '400x400', 'retinaface-standin'),
                         landmarker=graph(self.path('s.onnx'), '--thin', '8', 'star'),
                         estimator=graph(self.path('m.onnx'), '--thin', '8', 'mtl'))
        free = make_pack(h.PROGRAM, THIN, self.path('free'))
        faces = []
        for name, source in (('with-fixed', pack), ('with-free', free)):
            run, _ = self.run_pack(name, '--landmarks-csv', '--no-smooth', '--mode', 'au', pack=source)
            self.assertEqual(run['frames_with_face'], FRAMES)
            faces.append(h.Landmarks(self.path(name, 'face_landmarks.csv')).frames[0])
        for axis in (0, 1):
            centres = [sum(p[axis] for p in points) / POINTS for points in faces]
            self.assertAlmostEqual(*centres, delta=1)


class Report(PackCase):
    def test_names_and_breakdown(self):
        text = self.good_run(self.clip, '-o', self.path('report'), '--models', self.pack, '--ep', 'cpu').out
        section = text[text.index('\nMODELS\n'):]
        for name in NAMES:
            self.assertIn('\n' + name, text, 'a row of the tables')
            self.assertRegex(section, r'\n  %s: [\d.]+%% of stage \([\d.]+ ms per frame' % name)
        self.assertEqual(len(h.re.findall(r'CPU: all \d+ operators', section)), 3)

    def test_profile(self):
        _, profile = self.run_pack('profile')
        models = {m['name']: m for m in profile['models']}
        self.assertLessEqual({'RetinaFace', 'STAR', 'MTL'}, set(models))
        for model in models.values():
            self.assertEqual(model['backend'], 'onnx_cpu')
            b = model['breakdown']
            self.assertGreater(b['operators'], 50, model['name'])
            self.assertEqual((b['cpu'], b['accelerator']), (b['operators'], 0))


class Sides(test_mirror.Mirror):
    """The mirrored videos of a symmetric face, as with the default models: sides right, no seam.

    The detector's box alone says where the middle of the face is; so it may be off by more than with a network that
    sees the midline.
    """
    shift_limit, tilt_limit = 3.0, 1.0
    test_brow_to_chin = test_debug_picture_is_the_whole_input_with_marks = None  # the same code whatever the models

    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.options = ('--models', make_pack(h.PROGRAM, THIN, cls.path('pack'), detector=detector()), '--ep', 'cpu')


class Full(PackCase):
    """All channels: what the true files cost. Two frames: STAR takes a third of a second a look on one core."""
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=2)
        cls.pack = make_pack(h.PROGRAM, FULL, cls.path('pack'), detector=detector())

    def test_run(self):
        run, profile = self.run_pack('full')
        self.assertEqual((run['frames_read'], run['frames_with_face']), (2, 2))
        models = {m['name']: m['breakdown'] for m in profile['models']}
        self.assertAlmostEqual(models['STAR']['weight_bytes'] / (1 << 20), 52, delta=1)
        self.assertAlmostEqual(models['MTL']['weight_bytes'] / (1 << 20), 97, delta=1)
        times = {o['name']: o for c in profile['categories'] for o in c['operations']}
        for name in NAMES:
            self.assertGreater(times[name]['count'], 0)
        self.assertGreater(times['STAR_onnx_cpu']['avg_seconds'], times['AU_MTL_onnx_cpu']['avg_seconds'])


class Fragments(PackCase):
    """MTL on a real second provider, cut by operators that it refuses."""
    @classmethod
    def make_inputs(cls):
        if h.SANITIZED:
            h.skip_script('OpenVINO loads libraries with RTLD_DEEPBIND, which a sanitizer build refuses')
        if not SHIM or not os.path.isfile(PLUGIN):
            h.skip_script('no OpenVINO plug-in at %r; FACEMIRROR_EP_LIBRARY can name it' % PLUGIN)
        os.environ['FACEMIRROR_EP_SHIM_OF'] = PLUGIN
        super().make_inputs()

    def test_a_run(self):
        self.run_pack('cpu', '--mode', 'au')
        pack = make_pack(h.PROGRAM, THIN, self.path('cut'), detector=detector(),
                         estimator=graph(self.path('m.onnx'), '--thin', '8', '--fragment', '27', 'mtl'))
        _, profile = self.run_pack('cut-out', '--mode', 'au', '--ep', 'MTL=openvino', '--ep-library', SHIM, pack=pack)
        names = {o['name'] for c in profile['categories'] for o in c['operations']}
        self.assertLessEqual({'RetinaFace_onnx_cpu', 'STAR_onnx_cpu', 'AU_MTL_openvino'}, names)
        (b,) = [m['breakdown'] for m in profile['models'] if m['name'] == 'MTL']
        self.assertEqual((b['cpu'], b['partitions'], b['crossings'], b['fragmentation']), (27, 28, 54, 'high'))
        # The gates change nothing, and OpenVINO computes the same.
        for name in h.TABLES:
            (_, rows), (_, others) = (h.read_csv(self.path(out, 'face_' + name)) for out in ('cpu', 'cut-out'))
            for au in MTL_AUS:
                for a, b in zip(h.column(rows, 'AU%s_r' % au), h.column(others, 'AU%s_r' % au)):
                    self.assertAlmostEqual(a, b, delta=0.05)  # of 5


if __name__ == '__main__':
    if not THIN or not FULL or not MAKE_GRAPH:
        h.skip_script('the folders of the test graphs are not named; run by `meson test`')
    h.require_script(models=False)
    h.main()
