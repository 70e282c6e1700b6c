"""Pre-processing and decoding of RetinaFace, STAR and MTL against a computation by another hand.

Written from the networks' contracts as their authors' programs have them (OpenCV's conventions: index coordinates,
pixel (0, 0) is the centre of the first pixel), not from this program's code. Where that one's coordinates begin at
the outer corner of the first pixel, half a pixel is added. Tensors within 1e-4, points within 1e-3 px, scores and
measures within 1e-5.
"""
import math
import os
import unittest

import steps
from steps import DETECTOR, MAKE_GRAPH, MTL, STAR, TRUE_DETECTOR, Steps, call, face_picture

STAR_SIDE, MTL_SIDE, POINTS = 256, 224, 98


def taps(position, size):
    """The two pixels around an index coordinate, None outside, and the share of the second."""
    low = math.floor(position)
    return [i if 0 <= i < size else None for i in (low, low + 1)], position - low


def resampled(rows, xs, ys):
    """A plane at the index coordinates xs x ys, bilinear, 0 outside; row by row."""
    columns = [taps(x, len(rows[0])) for x in xs]
    zero = [0] * len(rows[0])
    out = []
    for y in ys:
        (first, second), t = taps(y, len(rows))
        upper, lower = (zero if i is None else rows[i] for i in (first, second))
        line = [a * (1 - t) + b * t for a, b in zip(upper, lower)]
        for (left, right), s in columns:
            a, b = (0 if i is None else line[i] for i in (left, right))
            out.append(a * (1 - s) + b * s)
    return out


def clamped(positions, size):
    return [min(max(p, 0), size - 1) for p in positions]


def whole_box(box):
    return [int(v) for v in box]  # towards zero, as int() of a NumPy value does


class Star(steps.Case):
    boxes = [(82.9, 40.2, 201.7, 170.9), (-30.6, 20.5, 120.2, 200.8), (150.0, 60.0, 330.5, 190.0)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = face_picture()
        cls.file = cls.picture.write(os.path.join(cls.dir, 'face.ppm'))

    def zoom_and_middle(self, box):
        """scale = min(w, h) / 200 * 1.05, zoom = 256 / (200 * scale); the middle of the box goes to 127.5."""
        x1, y1, x2, y2 = whole_box(box)
        return 256 / (200 * (min(x2 - x1, y2 - y1) / 200 * 1.05)), (x1 + x2) / 2, (y1 + y2) / 2

    def expected_input(self, box):
        zoom, cx, cy = self.zoom_and_middle(box)
        xs = [(u - 127.5) / zoom + cx for u in range(STAR_SIDE)]
        ys = [(v - 127.5) / zoom + cy for v in range(STAR_SIDE)]
        return [v / 127.5 - 1 for c in (2, 1, 0) for v in resampled(self.picture.plane(c), xs, ys)]

    def run_star(self, box, model=STAR):
        return Steps(self.dir, 'star', model, self.file, *box)

    def test_input(self):
        for box in self.boxes:
            run = self.run_star(box)
            self.assertEqual(run.facts['input'], {'name': 'input_image', 'dims': [1, 3, STAR_SIDE, STAR_SIDE]})
            self.assert_close(run.input, self.expected_input(box), 1e-4, box)

    def expected_points(self, values, box):
        zoom, cx, cy = self.zoom_and_middle(box)
        flat = []
        for i in range(0, len(values), 2):
            for p, c in ((values[i], cx), (values[i + 1], cy)):
                index = ((p + 1) * 256 - 1) / 2  # STAR's own inverse of its normalisation
                flat.append((index - 127.5) / zoom + c + 0.5)
        return flat

    def test_the_last_output_is_decoded(self):
        run = self.run_star(self.boxes[0])
        self.assertEqual(len(run.outputs), 17)
        self.assertEqual(run.facts['outputs'][16]['dims'], [1, POINTS, 2])
        self.assertEqual(run.facts['outputs'][run.names.index('landmarks')]['dims'], [1, 9, 64, 64])
        self.assert_close(run.facts['points'], self.expected_points(run.outputs[16], self.boxes[0]), 1e-3)
        # Not the points of a stack before: they are elsewhere.
        for i in (0, 3, 6, 9):
            other = self.expected_points(run.outputs[i], self.boxes[0])
            self.assertGreater(max(abs(a - b) for a, b in zip(run.facts['points'], other)), 10)

    def test_points_in_every_box(self):
        for box in self.boxes:
            run = self.run_star(box)
            self.assert_close(run.facts['points'], self.expected_points(run.outputs[16], box), 1e-3, box)

    def test_the_picture_moves_the_points_a_little(self):
        """As graphs.h says: so that whole runs mean something, and two frames are not alike."""
        first = self.run_star(self.boxes[0]).outputs[16]
        turned = steps.Picture(self.picture.width, self.picture.height, self.picture.data[::-1])
        self.file = turned.write(self.path('turned.ppm'))
        second = self.run_star(self.boxes[0]).outputs[16]
        moved = [abs(a - b) * STAR_SIDE / 2 for a, b in zip(first, second)]
        self.assertGreater(max(moved), 0.1)
        self.assertLess(max(moved), 16)
        self.assertLess(max(abs(v) for v in first), 1.1)


class Mtl(steps.Case):
    boxes = [(60.4, 31.9, 250.2, 215.7), (-20.0, -15.0, 280.0, 260.0), (20.6, 10.2, 290.9, 219.0)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = face_picture(width=310, height=260, centre=(150, 120), radii=(70, 88))
        cls.file = cls.picture.write(os.path.join(cls.dir, 'face.ppm'))

    def part(self, box, margin):
        """Enlarged on each side, cut to whole pixels, clipped to the picture."""
        x1, y1, x2, y2 = box
        w, h = x2 - x1, y2 - y1
        x1, y1, x2, y2 = whole_box((x1 - margin * w, y1 - margin * h, x2 + margin * w, y2 + margin * h))
        return max(x1, 0), max(y1, 0), min(x2, self.picture.width), min(y2, self.picture.height)

    def expected_input(self, box, margin):
        """A bilinear resize of the part to 224 x 224, pixel centres at halves, then ToTensor and Normalize."""
        x1, y1, x2, y2 = self.part(box, margin)
        xs = [(u + 0.5) * (x2 - x1) / MTL_SIDE - 0.5 + x1 for u in range(MTL_SIDE)]
        ys = [(v + 0.5) * (y2 - y1) / MTL_SIDE - 0.5 + y1 for v in range(MTL_SIDE)]
        xs, ys = clamped(xs, self.picture.width), clamped(ys, self.picture.height)
        values = []
        for c, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
            values += [(v / 255 - mean) / deviation for v in resampled(self.picture.plane(c), xs, ys)]
        return values

    def run_mtl(self, margin, *boxes):
        return Steps(self.dir, 'mtl', MTL, self.file, margin, *[v for box in boxes for v in box])

    def test_input(self):
        for margin, box in ((0, self.boxes[0]), (0, self.boxes[1]), (0.15, self.boxes[0])):
            run = self.run_mtl(margin, box)
            self.assertEqual(run.facts['input'], {'name': 'input_face', 'dims': [1, 3, MTL_SIDE, MTL_SIDE]})
            self.assert_close(run.input, self.expected_input(box, margin), 1e-4, (margin, box))

    def test_decoding(self):
        run = self.run_mtl(0, self.boxes[0])
        self.assertEqual(run.names, ['emotion_output', 'gaze_output', 'au_output'])
        face, (logits, angles, units) = run.facts['faces'][0], run.outputs
        powers = [math.exp(v - max(logits)) for v in logits]
        self.assert_close(face['emotion'], [p / sum(powers) for p in powers], 1e-5)
        official = ('neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt')
        self.assertEqual(face['emotion_name'], official[list(logits).index(max(logits))])
        yaw, pitch = angles
        self.assert_close(face['angles'], angles, 1e-6)
        self.assert_close(face['gaze'], [-math.cos(pitch) * math.sin(yaw), -math.sin(pitch),
                                         -math.cos(pitch) * math.cos(yaw)], 1e-5)
        self.assert_close(face['units'], [min(max(v, 0), 1) for v in units], 1e-5)
        self.assertTrue(all(-1e-5 <= v <= 1 + 1e-5 for v in units), 'cosines of vectors without negative entries')

    def test_a_batch_gives_what_single_runs_give(self):
        alone = [self.run_mtl(0, box) for box in self.boxes]
        together = self.run_mtl(0, *self.boxes)
        self.assertEqual(together.facts['input']['dims'], [3, 3, MTL_SIDE, MTL_SIDE])
        self.assert_close(together.input, [v for run in alone for v in run.input], 0)
        for i, name in enumerate(together.names):
            self.assert_close(together.outputs[i], [v for run in alone for v in run.outputs[i]], 1e-5, name)
        for face, run in zip(together.facts['faces'], alone):
            self.assert_close(face['units'], run.facts['faces'][0]['units'], 1e-5)
        faces = [run.facts['faces'][0]['emotion'] for run in alone]
        self.assertNotEqual(faces[0], faces[1], 'three different faces are needed here')


class Detector:
    """The same tests for the stand-in and for the true network."""
    model = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = face_picture(centre=(150, 108))
        cls.file = cls.picture.write(os.path.join(cls.dir, 'face.ppm'))

    def run_detector(self, factor, model=None):
        return Steps(self.dir, 'detector', model or self.model, self.file, factor)

    def priors(self, width, height):
        for step, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
            for i in range(math.ceil(height / step)):
                for j in range(math.ceil(width / step)):
                    for size in sizes:
                        yield (j + 0.5) * step, (i + 0.5) * step, size

    def decoded(self, run):
        """All rows with a score of at least 0.5: score, corners, points, in pixels of the tensor."""
        height, width = run.facts['input']['dims'][2:]
        loc, conf, landms = (run.output(name) for name in ('loc', 'conf', 'landms'))
        faces = []
        for k, (px, py, size) in enumerate(self.priors(width, height)):
            if conf[2 * k + 1] < 0.5:
                continue
            cx, cy = px + loc[4 * k] * 0.1 * size, py + loc[4 * k + 1] * 0.1 * size
            w, h = (size * math.exp(loc[4 * k + i] * 0.2) for i in (2, 3))
            points = [p + landms[10 * k + 2 * i + axis] * 0.1 * size
                      for i in range(5) for axis, p in ((0, px), (1, py))]
            faces.append((conf[2 * k + 1], [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], points))
        self.assertEqual(len(conf), 2 * (k + 1), 'as many rows as priors')
        return faces

    @staticmethod
    def overlap(a, b):
        """With one pixel added to each side, as py_cpu_nms counts."""
        w = min(a[2], b[2]) - max(a[0], b[0]) + 1
        h = min(a[3], b[3]) - max(a[1], b[1]) + 1
        areas = [(v[2] - v[0] + 1) * (v[3] - v[1] + 1) for v in (a, b)]
        both = max(w, 0) * max(h, 0)
        return both / (sum(areas) - both)

    def kept(self, faces, limit=0.4):
        left, kept = sorted(faces, key=lambda f: -f[0]), []
        while left:
            best, *left = left
            kept.append(best)
            left = [f for f in left if self.overlap(best[1], f[1]) <= limit]
        return kept

    def compare(self, run, scale=1.0, shift=(0.0, 0.0)):
        """image = (tensor - shift) / scale. Overlaps are counted in image pixels, as the boxes are given."""
        def to_image(values):
            return [(v - shift[i % 2]) / scale for i, v in enumerate(values)]
        expected = self.kept([(s, to_image(b), to_image(p)) for s, b, p in self.decoded(run)])
        self.assertEqual(len(expected[:8]), len(run.facts['faces']))
        for (score, box, points), face in zip(expected, run.facts['faces']):
            self.assertAlmostEqual(face['score'], score, delta=1e-5)
            self.assert_close(face['box'], box, 1e-3, 'box')
            self.assert_close(face['points'], points, 1e-3, 'points')
        return expected

    def test_input_as_it_is(self):
        run = self.run_detector(1)
        dims = [1, 3, self.picture.height, self.picture.width]
        self.assertEqual(run.facts['input'], {'name': 'input', 'dims': dims})
        expected = [v - mean for c, mean in ((2, 104), (1, 117), (0, 123))
                    for row in self.picture.plane(c) for v in row]
        self.assert_close(run.input, expected, 1e-4)

    def test_input_made_smaller(self):
        run = self.run_detector(0.5)
        width, height = self.picture.width // 2, self.picture.height // 2
        self.assertEqual(run.facts['input']['dims'], [1, 3, height, width])
        xs, ys = [2 * u + 0.5 for u in range(width)], [2 * v + 0.5 for v in range(height)]
        expected = [v - mean for c, mean in ((2, 104), (1, 117), (0, 123))
                    for v in resampled(self.picture.plane(c), xs, ys)]
        self.assert_close(run.input, expected, 1e-4)

    def test_decoding(self):
        self.compare(self.run_detector(1))
        self.compare(self.run_detector(0.5), scale=0.5)


class StandIn(Detector, steps.Case):
    model = DETECTOR

    def fixed(self, width, height):
        model = self.path('fixed.onnx')
        call(MAKE_GRAPH, '--size', '%dx%d' % (width, height), 'retinaface-standin', model)
        return model

    def test_finds_the_face(self):
        (_, box, points), = self.compare(self.run_detector(1))
        self.assertGreater(self.overlap(box, [110, 56, 190, 160]), 0.5)
        self.assertLess(points[0], points[2])  # the image-left eye first

    def test_fixed_size_of_the_picture(self):
        """No scaling: a fixed and an open graph give the same, row by row."""
        fixed, free = self.run_detector(0, self.fixed(300, 220)), self.run_detector(1)
        for name in ('loc', 'conf', 'landms'):
            self.assert_close(fixed.output(name), free.output(name), 0, name)
        self.assertEqual(fixed.facts['faces'], free.facts['faces'])

    def test_fixed_size_with_room_beside(self):
        """Half as large, with black above and below."""
        run = self.run_detector(0, self.fixed(150, 150))
        self.assertEqual(run.facts['input']['dims'], [1, 3, 150, 150])
        xs, ys = [2 * u + 0.5 for u in range(150)], [2 * (v - 20) + 0.5 for v in range(150)]
        expected = [v - mean for c, mean in ((2, 104), (1, 117), (0, 123))
                    for v in resampled(self.picture.plane(c), xs, ys)]
        self.assert_close(run.input, expected, 1e-4)
        (_, box, _), = self.compare(run, scale=0.5, shift=(0, 20))
        (_, other, _), = self.compare(self.run_detector(1))
        self.assertGreater(self.overlap(box, other), 0.7)  # it looks at cells of 8 pixels

    def test_no_face(self):
        grey = steps.Picture(64, 33, bytearray([90, 100, 130] * (64 * 33)))
        self.file = grey.write(self.path('grey.ppm'))
        self.assertEqual(self.run_detector(1).facts['faces'], [])


@unittest.skipUnless(os.path.isfile(TRUE_DETECTOR), 'no RetinaFace weights at %s' % TRUE_DETECTOR)
class TrueWeights(Detector, steps.Case):
    """The steps with the true network; its detections are compared in tests/face/test_retinaface_reference.c."""
    model = TRUE_DETECTOR

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = steps.photograph(os.path.join(cls.dir, 'photograph.ppm'), 240)
        cls.file = os.path.join(cls.dir, 'photograph.ppm')

    def test_finds_the_face(self):
        self.assertEqual(len(self.compare(self.run_detector(1))), 1)


if __name__ == '__main__':
    steps.main()
