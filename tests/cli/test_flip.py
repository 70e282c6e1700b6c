"""A flipped clip gives flipped results: no side is favoured.

Test media: video1-512.mp4, a talking head of 150 frames. Both clips are made without loss from it.
"""
import math
import os
import unittest

import harness as h

FRAMES = 60
# Mean distance of a landmark to its flipped partner, in eye distances. The network alone: 1.3 %.
LANDMARK_LIMIT = 0.03
# Mean and largest difference of an AU's intensity (0 to 5) between the exchanged sides.
AU_MEAN_LIMIT, AU_WORST_LIMIT = 0.25, 1.5


class Flip(h.Case):
    @classmethod
    def make_inputs(cls):
        source = os.path.join(h.SHARED, 'media', 'video1-512.mp4')
        cls.runs = {}
        for name, filters in (('plain', 'null'), ('flipped', 'hflip')):
            clip = h.ffmpeg('-i', source, '-frames:v', str(FRAMES), '-vf', filters, '-c:v', 'ffv1', cls.path(name + '.mkv'))
            result = h.run(clip, '-o', cls.path('out'), '-q', '--mode', 'au', '--landmarks-csv', '--neutral', '0.5')
            assert result.code == 0, result
            cls.runs[name] = os.path.join(cls.path('out'), name)
        cls.width = h.video_stream(clip)['width']

    def test_landmarks(self):
        pairs = h.mirror_pairs()
        plain = h.Landmarks(self.runs['plain'] + '_landmarks.csv').frames
        flipped = h.Landmarks(self.runs['flipped'] + '_landmarks.csv').frames
        self.assertEqual((len(plain), len(flipped)), (FRAMES, FRAMES))
        worst = total = 0.0
        for a, b in zip(plain, flipped):
            size = h.eye_distance(a)
            distances = [math.dist((self.width - b[pairs[i]][0], b[pairs[i]][1]), a[i][:2]) / size for i in range(468)]
            total += sum(distances) / 468
            worst = max(worst, max(distances))
        print('landmarks against flipped: mean %.3f %%, worst %.2f %% of the eye distance' % (100 * total / FRAMES, 100 * worst))
        self.assertLess(total / FRAMES, LANDMARK_LIMIT)
        self.assertLess(worst, 3 * LANDMARK_LIMIT)

    def test_action_units(self):
        table = {(clip, side): h.read_csv('%s_%s_mirrored.csv' % (self.runs[clip], side))[1]
                 for clip in self.runs for side in ('left', 'right')}
        for side, other in (('left', 'right'), ('right', 'left')):
            for au in h.MEASURED_AUS:
                a = h.column(table['plain', side], 'AU%s_r' % au)
                b = h.column(table['flipped', other], 'AU%s_r' % au)
                differences = [abs(x - y) for x, y in zip(a, b)]
                mean, worst = sum(differences) / FRAMES, max(differences)
                print('AU%s %s: mean %.3f, worst %.3f' % (au, side, mean, worst))
                with self.subTest(au=au, side=side):
                    self.assertLess(mean, AU_MEAN_LIMIT)
                    self.assertLess(worst, AU_WORST_LIMIT)


if __name__ == '__main__':
    h.require_script(portrait=False, shared=True)
    h.main()
