"""The attention mesh from outside: its model imported, 478 points, irises where the eyes are, and their midline."""
import os
import unittest

import harness as h

FRAMES = 8
TFLITE = os.path.join(h.SOURCE, 'deps', 'tflite', 'face_landmark_with_attention.tflite')
# Irises (centre, right, top, left, bottom in the picture) and the corners of the eye around each.
EYES = ((468, 33, 133), (473, 362, 263))


class Attention(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)
        cls.models = cls.path('models')
        done = h.run('models', 'add', os.path.dirname(TFLITE), '--to', cls.models)
        assert done.code == 0, done

    def landmarks(self, name, *args):
        out = self.path(name)
        self.good_run(self.clip, '-o', out, '-q', '--models', self.models, '--landmarks-csv', *args)
        return h.Landmarks(os.path.join(out, 'face_landmarks.csv'))

    def test_points_and_irises(self):
        attention = self.landmarks('attention', '--landmarks', 'attention', '--no-smooth')
        self.assertEqual(attention.count, 478)
        for points in attention.frames:
            size = h.eye_distance(points)
            for iris, left, right in EYES:
                x, y = points[iris][:2]
                self.assertTrue(points[left][0] < x < points[right][0], 'the iris lies between the corners')
                self.assertLess(abs(y - (points[left][1] + points[right][1]) / 2), 0.15 * size)
                self.assertGreater(points[iris + 1][0], x)  # right of the centre, above it, ...
                self.assertLess(points[iris + 2][1], y)
                self.assertLess(points[iris + 3][0], x)
                self.assertGreater(points[iris + 4][1], y)

    def test_it_is_the_same_face(self):
        plain = self.landmarks('plain', '--landmarks', 'plain')
        attention = self.landmarks('again', '--landmarks', 'attention')
        self.assertEqual(plain.count, 468)
        for a, b in zip(plain.frames, attention.frames):
            size = h.eye_distance(a)
            distances = [((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) ** 0.5 / size for p, q in zip(a, b)]
            self.assertLess(sum(distances) / len(distances), 0.05)
            self.assertGreater(max(distances), 0.001, 'it is another network')

    def test_whole_run_with_the_midline_of_the_irises(self):
        out = self.path('pupils')
        self.good_run(self.clip, '-o', out, '-q', '--models', self.models, '--landmarks', 'attention',
                      '--midline', 'pupils')
        self.assert_whole(out, 'face', FRAMES)

    def test_a_folder_without_manifest_is_no_pack(self):
        os.makedirs(self.path('plain-models'))
        os.symlink(os.path.abspath(os.path.join(h.MODELS, 'face_landmark.onnx')),
                   os.path.join(self.path('plain-models'), 'face_landmark.onnx'))
        done = h.run('run', self.clip, '-o', self.path('none'), '-q', '--models', self.path('plain-models'))
        self.assertEqual(done.code, 8)
        self.assertIn('pack.json', done.err)

    def test_an_unknown_kind(self):
        done = h.run('run', self.clip, '-o', self.path('none'), '--landmarks', 'better')
        self.assertEqual(done.code, 2)
        self.assertIn("no landmark model 'better'; it has: attention, plain", done.err)


if __name__ == '__main__':
    h.require_script()
    if not os.path.isfile(TFLITE):
        h.skip_script('no %s; run `make setup`' % TFLITE)
    h.main()
