"""What the tests of the graphs share: the tools, raw tensors, and pictures. Environment (see meson.build):

  FACEMIRROR_MAKE_GRAPH, FACEMIRROR_MODEL_STEPS   the tools of this folder
  FACEMIRROR_THIN_PACK                            folder of the three files with few channels
  FACEMIRROR_SHARED                               where the true RetinaFace is; may be missing
"""
import array
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

MAKE_GRAPH = os.environ['FACEMIRROR_MAKE_GRAPH']
MODEL_STEPS = os.environ['FACEMIRROR_MODEL_STEPS']
THIN_PACK = os.environ['FACEMIRROR_THIN_PACK']
SHARED = os.environ.get('FACEMIRROR_SHARED') or os.path.join(os.path.dirname(__file__), '..', '..', '..', 'shared')


def call(*args):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise AssertionError('%s: exit %d: %s' % (args, done.returncode, done.stderr.decode()))
    return done.stdout.decode()


def write_floats(path, values):
    data = array.array('f', values)
    if sys.byteorder == 'big':
        data.byteswap()
    with open(path, 'wb') as stream:
        data.tofile(stream)


def read_floats(path):
    data = array.array('f')
    with open(path, 'rb') as stream:
        data.frombytes(stream.read())
    if sys.byteorder == 'big':
        data.byteswap()
    return data


class Numbers:
    """Reproducible values in 0..1."""
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 40) / (1 << 24)


class Picture:
    """RGB in bytes, as read from or written to a PPM."""
    def __init__(self, width, height, data):
        self.width, self.height, self.data = width, height, data

    def write(self, path):
        with open(path, 'wb') as stream:
            stream.write(b'P6\n%d %d\n255\n' % (self.width, self.height) + bytes(self.data))
        return path

    def plane(self, channel):
        """Rows of one of R, G, B."""
        step = 3 * self.width
        return [self.data[y * step + channel:(y + 1) * step:3] for y in range(self.height)]


def face_picture(width=300, height=220, centre=(140, 105), radii=(40, 52), seed=5):
    """Grain in bluish grey, and an oval of skin with eyes and a mouth: enough for the stand-in to find."""
    numbers = Numbers(seed)
    data = bytearray()
    for y in range(height):
        for x in range(width):
            u, v = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
            grain = int(24 * numbers.next())
            if u * u + v * v < 1:
                dark = math.hypot(abs(u) - 0.4, v + 0.2) < 0.12 or (abs(v - 0.5) < 0.06 and abs(u) < 0.35)
                colour = (90, 50, 40) if dark else (205, 155, 135)
            else:
                colour = (60 + 40 * x // width, 80 + 60 * y // height, 130)
            data += bytes(c + grain for c in colour)
    return Picture(width, height, data)


def photograph(path, side):
    """A frontal face of the test media in a PPM of side x side; skips the test where there is no ffmpeg."""
    if not shutil.which('ffmpeg'):
        raise unittest.SkipTest('ffmpeg is not installed')
    source = os.path.join(SHARED, 'media', 'img4-1024-frontal.jpg')
    call('ffmpeg', '-v', 'error', '-y', '-i', source, '-vf', 'scale=%d:%d' % (side, side), path)
    with open(path, 'rb') as stream:
        data = stream.read()
    return Picture(side, side, data[-3 * side * side:])


class Steps:
    """One run of model_steps: shapes and values of its tensors, and what it decoded."""
    def __init__(self, folder, kind, model, *arguments):
        self.facts = json.loads(call(MODEL_STEPS, kind, model, folder, *arguments))
        self.input = read_floats(os.path.join(folder, 'input.f32'))
        self.outputs = [read_floats(os.path.join(folder, 'output_%d.f32' % i))
                        for i in range(len(self.facts['outputs']))]
        self.names = [o['name'] for o in self.facts['outputs']]

    def output(self, name):
        return self.outputs[self.names.index(name)]


class Case(unittest.TestCase):
    """A temporary folder for each class."""
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='facemirror-graphs-')
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def assert_close(self, got, expected, tolerance, what=''):
        self.assertEqual(len(got), len(expected), what)
        worst = max(range(len(got)), key=lambda i: abs(got[i] - expected[i]))
        self.assertLessEqual(abs(got[worst] - expected[worst]), tolerance,
                             '%s: element %d is %r, not %r' % (what, worst, got[worst], expected[worst]))


def thin(name):
    return os.path.join(THIN_PACK, name)


DETECTOR, STAR, MTL = (thin(n) for n in ('retinaface_mobilenet025_coreml.onnx', 'star_landmark_98_coreml.onnx',
                                         'mtl_efficientnet_b0_coreml.onnx'))
TRUE_DETECTOR = os.path.join(SHARED, 'models', 'retinaface_mobilenet025.onnx')


def main():
    result = unittest.main(module='__main__', exit=False,
                           testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=2)).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun == len(result.skipped) else 0)
