"""A network for action units from outside: crops of the mirrored pictures, its columns, batches, AU45 by landmarks.

The networks are tiny (tiny_pack.py), so that each step from the clip's pixels to the table is computed here a second
time: the mirrored picture, the box, the crop's means, the columns.
"""
import bisect
import math
import os
import subprocess
import unittest

import harness as h
import tiny_pack as t

FRAMES = 12
LIGHT = (30, 24, 40, 35, -18, -6, 12, 40, 0, -10, 20, 33)  # added to the luma of each frame
# (Y, U, V) by row and column of the clip's picture, which is a board of 3 x 4 fields. The outer ones are such that
# a box that is a little larger or smaller holds another share of them.
ROWS, COLUMNS = (68, 170), (92, 160, 236)
COLOURS = (((170, 110, 128), (150, 136, 120), (170, 116, 136), (180, 128, 128)),
           ((180, 124, 124), (60, 122, 146), (140, 140, 112), (52, 128, 128)),
           ((56, 132, 124), (112, 120, 120), (92, 128, 140), (176, 124, 132)))
MARGIN = 0.15
MIDLINE = (16, 51, 54, 57)
# Of WFLW's points, for each of the patient's eyes: corners, then facing pairs of lids.
EYES = {'left': ((72, 68), ((71, 73), (70, 74), (69, 75))), 'right': ((60, 64), ((61, 67), (62, 66), (63, 65)))}
EMOTION_HEADER = ['emotion'] + ['emotion_' + e for e in t.EMOTIONS] + ['gaze_yaw', 'gaze_pitch']
SIDES = ('left', 'right')


def colour_at(x, y):
    return COLOURS[bisect.bisect_right(ROWS, y)][bisect.bisect_right(COLUMNS, x)]


def plane_bytes(channel, light, step):
    out = bytearray()
    for y in range(0, t.SIDE, step):
        out += bytes(colour_at(x, y)[channel] + (light if channel == 0 else 0) for x in range(0, t.SIDE, step))
    return bytes(out)


def frame_bytes(light):
    return plane_bytes(0, light, 1) + plane_bytes(1, 0, 2) + plane_bytes(2, 0, 2)


def make_clip(path, lights, *more):
    """Without loss, so that every pixel is known. `more`: arguments for the output."""
    command = ['ffmpeg', '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', '%dx%d' % (t.SIDE, t.SIDE),
               '-r', '30', '-i', '-', *more, path]
    subprocess.run(command, input=b''.join(map(frame_bytes, lights)), check=True)
    return path


def rgb(colour, light):
    """BT.601, limited range, 0..255."""
    y, u, v = 1.164384 * (colour[0] + light - 16), colour[1] - 128, colour[2] - 128
    return [min(255, max(0, c)) for c in (y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u)]


def quarters(side, line, light):
    """The 12 means of the crop of one mirrored picture, normalised: by the midline's x, and the box around it."""
    width, height = t.BOX[2] - t.BOX[0], t.BOX[3] - t.BOX[1]
    x0, x1 = (line + s * width * (0.5 + MARGIN) for s in (-1, 1))
    y0, y1 = t.BOX[1] - MARGIN * height, t.BOX[3] + MARGIN * height
    x0, y0, x1, y1 = max(0, int(x0)), max(0, int(y0)), min(t.SIDE, int(x1)), min(t.SIDE, int(y1))
    steps, means = 28, []
    for channel, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        for row in (0, 1):
            for column in (0, 1):
                total = 0
                for v in range(steps):
                    y = y0 + (row + (v + 0.5) / steps) / 2 * (y1 - y0)
                    for u in range(steps):
                        x = x0 + (column + (u + 0.5) / steps) / 2 * (x1 - x0)
                        kept = x >= line if side == 'left' else x < line  # the patient's left is at the picture's right
                        x = x if kept else 2 * line - x
                        total += rgb(colour_at(x, y), light)[channel]
                means.append((total / steps ** 2 / 255 - mean) / deviation)
    return means


def softmax(logits):
    powers = [math.exp(v) for v in logits]
    return [p / sum(powers) for p in powers]


def opening(points, side):
    """Eye aspect ratio of one eye, from all its facing points."""
    def distance(a, b):
        return math.hypot(points[a][0] - points[b][0], points[a][1] - points[b][1])
    corners, lids = EYES[side]
    return sum(distance(*pair) for pair in lids) / (3 * distance(*corners))


def quantile(values, q):
    values, at = sorted(values), q * (len(values) - 1)
    i = int(at)
    return values[i] + (at - i) * (values[min(i + 1, len(values) - 1)] - values[i])


def closed(now, open_eye):
    return 5 * min(1, max(0, (open_eye - now) / (0.75 * open_eye)))


class Case(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = make_clip(cls.path('face.mkv'), LIGHT, '-c:v', 'ffv1')
        cls.pack = t.write_pack(cls.path('open'))

    @classmethod
    def tables(cls, name, *args, pack=None):
        """A run into the folder `name`: (header, rows) by side."""
        out = cls.path(name)
        done = h.run(cls.clip, '-o', out, '-q', '--mode', 'au', '--models', pack or cls.pack, '--no-smooth',
                     '--no-flip-average', '--landmarks-csv', *args)
        assert done.code == 0 and done.err == '', done
        return {side: h.read_csv(os.path.join(out, 'face_%s_mirrored.csv' % side)) for side in SIDES}

    def near(self, cell, value, limit):
        self.assertAlmostEqual(float(cell), value, delta=limit)


class Columns(Case):
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.first = cls.tables('first')
        cls.points = h.Landmarks(cls.path('first', 'face_landmarks.csv')).frames

    def test_header_and_rows(self):
        for header, rows in self.first.values():
            self.assertEqual(header, h.CSV_HEADER + EMOTION_HEADER)
            self.assertEqual([row['frame'] for row in rows], [str(i) for i in range(FRAMES)])
            for row in rows:
                self.assertEqual((row['success'], row['confidence']), ('1', '%.4f' % t.SCORE))

    def test_columns_from_the_pixels(self):
        for side, (_, rows) in self.first.items():
            for row, points, light in zip(rows, self.points, LIGHT):
                line = sum(points[i][0] for i in MIDLINE) / len(MIDLINE)
                logits, gaze, units = t.heads(quarters(side, line, light))
                emotion = softmax(logits)
                for name, value in zip(t.EMOTIONS, emotion):
                    self.near(row['emotion_' + name], value, 0.01)
                # Both halves of a mirrored face are alike, so two may be equal but for rounding.
                self.near(row['emotion_' + row['emotion']], max(float(row['emotion_' + e]) for e in t.EMOTIONS), 2e-4)
                self.near(row['gaze_yaw'], gaze[0], 0.02)
                self.near(row['gaze_pitch'], gaze[1], 0.02)
                for number, value in zip(t.UNITS, units):
                    self.near(row['AU%02d_r' % number], 5 * value, 0.04)
                    self.assertEqual(row['AU%02d_c' % number], str(int(float(row['AU%02d_r' % number]) >= 2.5)))
                self.assertAlmostEqual(sum(float(row['emotion_' + e]) for e in t.EMOTIONS), 1, delta=0.001)

    def test_other_units_are_empty(self):
        known = ['%02d' % u for u in t.UNITS] + ['45']
        for _, rows in self.first.values():
            for row in rows:
                for au in h.AUS:
                    self.assertEqual(row['AU%s_r' % au] != '', au in known)
                    self.assertEqual(row['AU%s_c' % au] != '', au in known)

    def test_closing_eye(self):
        """The eye of the patient's left closes in the dark: in the table of the left half alone."""
        for side, (_, rows) in self.first.items():
            openings = [opening(points, side) for points in self.points]
            for row, now in zip(rows, openings):
                self.near(row['AU45_r'], closed(now, quantile(openings, 0.8)), 0.1)
        strength = {side: max(h.column(rows, 'AU45_r')) for side, (_, rows) in self.first.items()}
        self.assertGreater(strength['left'], 1)
        self.assertEqual(strength['right'], 0)

    def test_neutral_picture_and_time(self):
        """Against the darkest frame, where the eye is most closed, none is closed; a neutral moves nothing else."""
        darkest = LIGHT.index(min(LIGHT))
        still = make_clip(self.path('dark.png'), LIGHT[darkest:darkest + 1])
        tables = self.tables('still', '--neutral-image', still)
        for side, (_, rows) in tables.items():
            self.assertLess(max(h.column(rows, 'AU45_r')), 0.05)
            for row, first in zip(rows, self.first[side][1]):
                self.assertEqual({k: v for k, v in row.items() if 'AU45' not in k},
                                 {k: v for k, v in first.items() if 'AU45' not in k})
        openings = [opening(points, 'left') for points in self.points]
        _, rows = self.tables('time', '--neutral', '0')['left']  # frames 0 to 3
        for row, now in zip(rows, openings):
            self.near(row['AU45_r'], closed(now, quantile(openings[:4], 0.8)), 0.1)

    def test_units_come_from_the_manifest(self):
        pack = t.write_pack(self.path('others'), units=[45, 24, 2, 1, 12, 9, 26, 25])
        for side, (_, rows) in self.tables('others-out', pack=pack).items():
            for row, first in zip(rows, self.first[side][1]):
                for new, old in ((45, 1), (2, 4), (1, 6), (12, 9), (9, 12), (26, 25), (25, 26)):  # 24 has no column
                    self.assertEqual(row['AU%02d_r' % new], first['AU%02d_r' % old])
                self.assertEqual(row['AU04_r'], '')


class Batches(Case):
    def counts(self, name):
        profile = h.json.load(open(os.path.join(self.path(name), 'face_profile.json'), encoding='utf-8'))
        return {o['name']: o['count'] for c in profile['categories'] for o in c['operations']}

    def assert_same(self, tables, others):
        for side in SIDES:
            for row, other in zip(tables[side][1], others[side][1]):
                for key, cell in row.items():
                    if cell and key != 'emotion':
                        self.near(other[key], float(cell), 0.0011)
                    else:
                        self.assertEqual(other[key], cell)

    def test_any_batch_gives_the_same_table(self):
        one = self.tables('one', '--au-batch', '1')
        self.assert_no_partials(self.path('one'))
        self.assertEqual(len(one['left'][1]), FRAMES)
        counts = self.counts('one')
        self.assertEqual(counts['AU_MTL_onnx_cpu'], 2 * FRAMES)
        for batch in (5, 64):
            name = 'batch%d' % batch
            self.assert_same(one, self.tables(name, '--au-batch', batch))
            counts = self.counts(name)
            self.assertEqual(counts['AU_MTL_onnx_cpu'], 2 * math.ceil(FRAMES / batch), 'a run is counted once')
            self.assertEqual(counts['AU_MTL_preprocess'], 2 * FRAMES, 'each face is cropped')
        self.assert_same(one, self.tables('default'))

    def test_a_model_that_takes_one_face(self):
        single = t.write_pack(self.path('single'), batch=1)
        self.assert_same(self.tables('three', '--au-batch', '3'), self.tables('single-out', pack=single))
        self.assertEqual(self.counts('single-out')['AU_MTL_onnx_cpu'], 2 * FRAMES)
        out = self.path('refused')
        result = h.run(self.clip, '-o', out, '-q', '--mode', 'au', '--models', single, '--au-batch', 2)
        self.assert_one_sentence(result, 2, 'MTL.onnx', 'one face at a time', '--au-batch 2')
        self.assert_no_outputs(out)

    def test_geometry_has_no_batch(self):
        """A pack without such a network: action units by the landmarker, as ever."""
        pack = t.write_pack(self.path('plain'), units=None)
        result = h.run(self.clip, '-o', self.path('none'), '-q', '--mode', 'au', '--models', pack, '--au-batch', 2)
        self.assert_one_sentence(result, 2, "'plain'", '--au-batch 2')
        for header, rows in self.tables('plain-out', '--au-batch', '1', pack=pack).values():
            self.assertEqual(header, h.CSV_HEADER)
            for row in rows:
                self.assertEqual((row['success'], row['confidence']), ('1', '%.4f' % t.SCORE))
                self.assertEqual([au for au in h.AUS if row['AU%s_r' % au]], list(h.MEASURED_AUS))

    def test_values_that_are_none(self):
        for value in ('0', '65', '-1', 'x', ''):
            self.assert_one_sentence(h.run(self.clip, '-q', '--au-batch', value), 2, '--au-batch does not take')


@unittest.skipUnless(os.environ.get('FACEMIRROR_MAKE_GRAPH'), 'no tool that writes the graph')
class Architecture(Case):
    """The architecture of the true network, with random weights: what rounding makes of a batch there."""
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.pack = t.write_pack(cls.path('large'), write_mtl=lambda path: h.command(
            os.environ['FACEMIRROR_MAKE_GRAPH'], '--dynamic', '--thin', '4', 'mtl', path))

    def test_batched_as_unbatched(self):
        one, five = self.tables('one', '--au-batch', '1'), self.tables('five', '--au-batch', '5')
        for side in SIDES:
            for row, other in zip(one[side][1], five[side][1]):
                self.assertEqual(row['success'], '1')
                for key, cell in row.items():
                    if cell and key != 'emotion':
                        self.near(other[key], float(cell), 0.002)


if __name__ == '__main__':
    h.require_script(portrait=False)
    h.main()
