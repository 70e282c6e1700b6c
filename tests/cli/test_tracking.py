"""Faces that move, faces beside other faces, faces that go away and come back."""
import os
import unittest

import harness as h

CODEC = ('-c:v', 'libx264', '-preset', 'veryfast', '-crf', '16', '-pix_fmt', 'yuv420p')


class Tracking(h.Case):
    def scene(self, name, graph, frames, inputs=1):
        still = []
        for _ in range(inputs):
            still += ['-loop', '1', '-framerate', '30', '-i', h.PORTRAIT]
        return h.ffmpeg(*still, '-filter_complex', graph, '-frames:v', str(frames), *CODEC, self.path(name))

    def landmarks(self, clip, *args):
        out = ''.join((clip, '-out') + args)
        self.good_run(clip, '-o', out, '-q', '--mode', 'au', '--landmarks-csv', *args)
        stem = os.path.splitext(os.path.basename(clip))[0]
        return h.Landmarks(os.path.join(out, stem + '_landmarks.csv')).frames

    def test_a_head_that_moves_away_from_its_first_box(self):
        # The face is 110 pixels wide and crosses 310 of them: it ends far outside the first box.
        step, frames = 8, 40
        clip = self.scene('pan.mp4', 'color=gray:size=640x360:rate=30[bg];[0]crop=256:340:96:0[face];'
                          "[bg][face]overlay=x='30+%d*n':y=10:shortest=1" % step, frames)
        for args in ((), ('--no-smooth',)):
            with self.subTest(args):
                points = self.landmarks(clip, *args)
                self.assertTrue(all(points), 'the face is found in every frame')
                nose = [p[4][0] for p in points]
                size = h.eye_distance(points[0])
                for n, x in enumerate(nose):
                    self.assertLess(abs(x - nose[0] - step * n), 0.06 * size, 'frame %d' % n)
                heights = [p[4][1] for p in points]
                self.assertLess(max(heights) - min(heights), 0.06 * size)

    def test_a_head_that_comes_nearer(self):
        frames = 40
        clip = self.scene('zoom.mp4', "zoompan=z='1.3+in/50':x='224-iw/zoom/2':y='140-ih/zoom/2':d=1:s=400x400", frames)
        points = self.landmarks(clip)
        self.assertTrue(all(points))
        growth = h.eye_distance(points[-1]) / h.eye_distance(points[0])
        self.assertAlmostEqual(growth, (1.3 + (frames - 1) / 50) / 1.3, delta=0.06)

    def two_faces(self, name, big_first):
        # 400 and 200 pixels high: the face of the first is twice the size.
        parts = ['[big]', '[small]'] if big_first else ['[small]', '[big]']
        clip = self.scene(name, '[0]crop=320:400:60:0[big];[1]crop=320:400:60:0,hflip,scale=160:200,pad=160:400:0:100[small];'
                          '%s%shstack=shortest=1' % tuple(parts), 24, inputs=2)
        points = self.landmarks(clip)
        self.assertTrue(all(points))
        left, right = (0, 320) if big_first else (160, 480)
        for n, p in enumerate(points):
            self.assertTrue(all(left < x < right for x, _, _ in p), 'the larger face, in frame %d' % n)
        nose = [p[4][0] for p in points]
        self.assertLess(max(nose) - min(nose), 2.0, 'it stays with it')

    def test_two_faces_the_larger_first(self):
        self.two_faces('big-small.mp4', True)

    def test_two_faces_the_larger_second(self):
        self.two_faces('small-big.mp4', False)

    def test_a_face_that_is_hidden_for_a_while(self):
        clip = self.scene('hidden.mp4', "crop=320:400:60:0,drawbox=color=gray:t=fill:enable='between(n,12,23)'", 36)
        out = self.path('hidden-out')
        self.good_run(clip, '-o', out, '-q')
        self.assert_whole(out, 'hidden', 36)
        for name in h.TABLES:
            _, rows = h.read_csv(os.path.join(out, 'hidden_' + name))
            found = [row['success'] for row in rows]
            self.assertEqual(found[:12], ['1'] * 12)
            self.assertEqual(found[13:24], ['0'] * 11, 'nothing is invented')
            self.assertEqual(found[25:], ['1'] * 11, 'found again')
            for row in rows:
                if row['success'] == '0':
                    self.assertTrue(all(row['AU%s_%s' % (au, kind)] == '' for au in h.AUS for kind in 'rc'))
                    self.assertLess(float(row['confidence']), 0.5)

    def test_a_face_that_comes_late(self):
        clip = self.scene('late.mp4', "crop=320:400:60:0,drawbox=color=gray:t=fill:enable='lt(n,10)'", 20)
        points = self.landmarks(clip)
        self.assertEqual([p is not None for p in points], [False] * 10 + [True] * 10)


if __name__ == '__main__':
    h.require_script()
    h.main()
