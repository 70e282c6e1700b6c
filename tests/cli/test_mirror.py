"""The mirrored pictures: the right half is kept, untouched, and reflected across the face's midline.

The face is made symmetric (one half of the portrait and its reflection), so the true midline is the
picture's middle column. A bright and a dark patch beside the face tell which half was kept.
"""
import math
import os
import unittest

import harness as h

WIDTH, HEIGHT, FRAMES = 320, 400, 8
FACE_Y = 105  # the eyes' height
# The portrait's nose stands at x = 224. The patches stand in the background, away from the face.
SYMMETRIC = ('crop=160:400:64:0,split[a][b];[b]hflip[c];[a][c]hstack,'
             'drawbox=x=272:y=40:w=44:h=44:color=white:t=fill,drawbox=x=4:y=40:w=44:h=44:color=black:t=fill')
LEFT_PATCH, RIGHT_PATCH = (18, 54, 34, 70), (286, 54, 302, 70)  # in the image: its left is the patient's right


def asymmetry(picture, kept_right, x0, angle):
    """Mean difference of the half that is not kept to the reflection of the kept one.

    The line goes through (x0, FACE_Y) and leans by `angle` (radians) to the left below.
    """
    nx, ny = math.cos(angle), math.sin(angle)
    total = count = 0
    for y in range(24, HEIGHT - 24, 14):
        for x in range(24, WIDTH // 2 - 8, 7) if kept_right else range(WIDTH // 2 + 8, WIDTH - 24, 7):
            # Centres of pixels are at halves.
            s = 2 * ((x + 0.5 - x0) * nx + (y + 0.5 - FACE_Y) * ny)
            total += abs(picture.luma[y * WIDTH + x] - sample(picture, x - s * nx, y - s * ny))
            count += 1
    return total / count


def sample(picture, x, y):
    """Bilinear, at pixel indices; inside the picture only."""
    i, j = min(max(int(x), 0), WIDTH - 2), min(max(int(y), 0), HEIGHT - 2)
    fx, fy = x - i, y - j
    at = j * WIDTH + i
    p = picture.luma
    return ((p[at] * (1 - fx) + p[at + 1] * fx) * (1 - fy)
            + (p[at + WIDTH] * (1 - fx) + p[at + WIDTH + 1] * fx) * fy)


class Mirror(h.Case):
    # Of the midline on a symmetric face: pixels (0.8 % of the eye distance), degrees.
    shift_limit, tilt_limit = 0.5, 0.5
    options = ()  # of each run

    @classmethod
    def make_inputs(cls):
        still = h.ffmpeg('-i', h.PORTRAIT, '-vf', SYMMETRIC, '-frames:v', '1', cls.path('symmetric.png'))
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES, filters='null', still=still,
                               codec=('-c:v', 'libx264', '-preset', 'veryfast', '-crf', '4'))
        cls.input = h.pictures(cls.clip)[0]

    def check_side(self, picture, keeps_image_right):
        middle = WIDTH // 2
        kept = (middle + 8, 0, WIDTH, HEIGHT) if keeps_image_right else (0, 0, middle - 8, HEIGHT)
        # Kept: what CRF 18 leaves of the input; 2 grey levels is its coding noise on this picture.
        self.assertLess(h.difference(self.input, picture, *kept), 2.0, 'the kept half is the input')
        # Both patches are the kept one.
        level = self.input.mean(*(RIGHT_PATCH if keeps_image_right else LEFT_PATCH))
        self.assertAlmostEqual(picture.mean(*LEFT_PATCH), level, delta=6)
        self.assertAlmostEqual(picture.mean(*RIGHT_PATCH), level, delta=6)
        self.check_symmetry(picture, keeps_image_right)

    def check_symmetry(self, picture, kept_right):
        """The picture equals its reflection about some line near the middle of the face.

        The line may lean a little, and how far is limited too, from the first frame on.
        """
        best, least = (WIDTH / 2, 0.0), asymmetry(picture, kept_right, WIDTH / 2, 0.0)
        for step in (1.0, 0.5, 0.25, 0.125, 0.0625):  # pixels; half as many degrees
            centre = best
            for i in range(-2, 3):
                for j in range(-2, 3):
                    line = (centre[0] + i * step, centre[1] + math.radians(j * step / 2))
                    residue = asymmetry(picture, kept_right, *line)
                    if residue < least:
                        best, least = line, residue
        shift, tilt = best[0] - WIDTH / 2, math.degrees(best[1])
        print('line off by %.2f px and %.2f degrees, residue %.2f' % (shift, tilt, least))
        self.assertLess(least, 2.5, 'symmetric about its midline')
        self.assertLessEqual(abs(shift), self.shift_limit, 'the midline is the middle of the face')
        self.assertLessEqual(abs(tilt), self.tilt_limit, 'the midline is upright')

    def run_kind(self, kind):
        out = self.path('out-' + kind)
        self.good_run(self.clip, '-o', out, '-q', '--midline', kind, *self.options)
        left = h.pictures(os.path.join(out, 'face_left_mirrored.mp4'))
        right = h.pictures(os.path.join(out, 'face_right_mirrored.mp4'))
        self.assertEqual((len(left), len(right)), (FRAMES, FRAMES))
        for index in (0, FRAMES - 1):
            # The patient's left half is at the image's right.
            self.check_side(left[index], True)
            self.check_side(right[index], False)

    def test_robust(self):
        self.run_kind('robust')

    def test_brow_to_chin(self):
        self.run_kind('brow-chin')

    def test_pupils(self):
        self.run_kind('pupils')

    def test_debug_picture_is_the_whole_input_with_marks(self):
        out = self.path('out-debug')
        self.good_run(self.clip, '-o', out, '-q', '--mode', 'mirror', *self.options)
        debug = h.pictures(os.path.join(out, 'face_debug.mp4'))[0]
        for patch in (LEFT_PATCH, RIGHT_PATCH):
            self.assertAlmostEqual(debug.mean(*patch), self.input.mean(*patch), delta=8)
        lower = (0, 330, 120, HEIGHT)  # below the face: nothing is drawn there
        self.assertLess(h.difference(debug, self.input, *lower), 4.0)
        face = (110, 80, 210, 200)
        self.assertGreater(h.difference(debug, self.input, *face), 2.0, 'landmarks are drawn on the face')


if __name__ == '__main__':
    h.require_script()
    h.main()
