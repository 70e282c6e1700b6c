"""Ranges, modes, tables, names of files, and the neutral face."""
import math
import os
import unittest

import harness as h

FRAMES = 30


class Options(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES, more=('-g', '10'))

    def counts(self, *args, name='range'):
        """Frames written and the first and last timestamp of a run with tables only."""
        out = self.path('out')
        self.good_run(self.clip, '-o', out, '-q', '--overwrite', '--mode', 'au', *args)
        _, rows = h.read_csv(os.path.join(out, 'face_left_mirrored.csv'))
        self.assertEqual([row['frame'] for row in rows], [str(i) for i in range(len(rows))], 'frames count from 0')
        return len(rows), float(rows[0]['timestamp']), float(rows[-1]['timestamp'])


class Ranges(Options):
    def test_max_frames(self):
        self.assertEqual(self.counts('--max-frames', '7'), (7, 0.0, 0.2))

    def test_max_frames_beyond_the_end(self):
        self.assertEqual(self.counts('--max-frames', '1000')[0], FRAMES)

    def test_duration(self):
        self.assertEqual(self.counts('--duration', '0.5'), (15, 0.0, 0.466667))

    def test_start(self):
        count, first, last = self.counts('--start', '0.4')
        self.assertEqual((count, first), (18, 0.4), 'times stay those of the clip')
        self.assertAlmostEqual(last, 29 / 30, places=6)

    def test_start_and_duration_in_minutes(self):
        self.assertEqual(self.counts('--start', '0:00.2', '--duration', '0:00:0.3'), (9, 0.2, 0.466667))

    def test_a_range_with_videos(self):
        out = self.path('videos')
        self.good_run(self.clip, '-o', out, '-q', '--start', '0.3', '--max-frames', '6')
        self.assert_whole(out, 'face', 6)
        _, rows = h.read_csv(os.path.join(out, 'face_left_mirrored.csv'))
        times = h.frame_times(os.path.join(out, 'face_left_mirrored.mp4'))
        # The tables keep the clip's time; a video of a part begins at 0.
        self.assertEqual(times[0], 0)
        for row, time in zip(rows, times):
            self.assertAlmostEqual(float(row['timestamp']), float(time) + 0.3, places=6)


class Modes(Options):
    def names(self, out):
        return {n[len('face_'):] for n in os.listdir(out)}

    def test_mirror_only(self):
        out = self.path('mirror')
        self.good_run(self.clip, '-o', out, '-q', '--mode', 'mirror', '--max-frames', '4')
        self.assertEqual(self.names(out), set(h.VIDEOS) | {'profile.json'})

    def test_tables_only(self):
        out = self.path('au')
        self.good_run(self.clip, '-o', out, '-q', '--mode', 'au', '--max-frames', '4')
        self.assertEqual(self.names(out), set(h.TABLES) | {'profile.json'})

    def test_no_debug_video(self):
        out = self.path('nodebug')
        self.good_run(self.clip, '-o', out, '-q', '--no-debug', '--max-frames', '4')
        self.assertEqual(self.names(out), (set(h.VIDEOS) - {'debug.mp4'}) | set(h.TABLES) | {'profile.json'})

    def test_tables_do_not_depend_on_the_videos(self):
        tables = []
        for mode in ('au', 'mirror+au'):
            out = self.path('same-' + mode)
            self.good_run(self.clip, '-o', out, '-q', '--mode', mode, '--max-frames', '8')
            tables.append([open(os.path.join(out, 'face_' + name)).read() for name in h.TABLES])
        self.assertEqual(tables[0], tables[1])

    def test_the_same_twice(self):
        tables = []
        for threads in ('1', '4'):
            out = self.path('threads-' + threads)
            self.good_run(self.clip, '-o', out, '-q', '--mode', 'au', '--landmarks-csv', '--threads', threads)
            tables.append([open(os.path.join(out, 'face_' + name)).read() for name in h.TABLES + ('landmarks.csv',)])
        self.assertEqual(tables[0], tables[1], 'bit-equal whatever the number of threads')


class Tables(Options):
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.out = cls.path('tables')
        result = h.run(cls.clip, '-o', cls.out, '-q', '--mode', 'au', '--landmarks-csv')
        assert result.code == 0, result

    def test_action_units(self):
        for name in h.TABLES:
            header, rows = h.read_csv(os.path.join(self.out, 'face_' + name))
            self.assertEqual(header, h.CSV_HEADER)
            self.assertEqual(len(rows), FRAMES)
            for i, row in enumerate(rows):
                self.assertEqual((row['frame'], row['face_id'], row['success']), (str(i), '0', '1'))
                self.assertAlmostEqual(float(row['timestamp']), i / 30, delta=6e-7)
                self.assertTrue(0.5 <= float(row['confidence']) <= 1, row['confidence'])
                for au in h.AUS:
                    if au not in h.MEASURED_AUS:
                        self.assertEqual((row['AU%s_r' % au], row['AU%s_c' % au]), ('', ''), 'AU%s is not measured' % au)
                        continue
                    intensity, present = float(row['AU%s_r' % au]), row['AU%s_c' % au]
                    self.assertTrue(0 <= intensity <= 5)
                    if abs(intensity - 1) > 0.001:
                        self.assertEqual(present, str(int(intensity >= 1)))

    def test_landmarks(self):
        table = h.Landmarks(os.path.join(self.out, 'face_landmarks.csv'))
        self.assertEqual(table.header[:6], ['frame', 'timestamp', 'success', 'x_0', 'y_0', 'z_0'])
        self.assertEqual((table.count, len(table.frames)), (478, FRAMES))
        self.assertEqual(table.header[-3:], ['x_477', 'y_477', 'z_477'])
        for i, points in enumerate(table.frames):
            self.assertAlmostEqual(table.times[i], i / 30, delta=6e-7)
            self.assertTrue(all(0 <= x <= 320 and 0 <= y <= 400 for x, y, _ in points), 'inside the picture')
            # Anatomy: the patient's right eye is at the image's left, and eyes are above nose, mouth and chin.
            self.assertLess(points[33][0], points[133][0])
            self.assertLess(points[133][0], points[362][0])
            self.assertLess(points[362][0], points[263][0])
            heights = [points[p][1] for p in (10, 168, 4, 13, 152)]
            self.assertEqual(heights, sorted(heights))

    def test_without_smoothing(self):
        out = self.path('raw')
        self.good_run(self.clip, '-o', out, '-q', '--mode', 'au', '--landmarks-csv', '--no-smooth')
        smooth = h.Landmarks(os.path.join(self.out, 'face_landmarks.csv')).frames
        raw = h.Landmarks(os.path.join(out, 'face_landmarks.csv')).frames
        self.assertNotEqual(smooth, raw)

        def jerk(frames):
            """Mean second difference over time: what jitter adds to a slow motion."""
            return sum(abs(a[p][0] - 2 * b[p][0] + c[p][0]) for a, b, c in zip(frames, frames[1:], frames[2:])
                       for p in range(0, 468, 7))
        self.assertLess(jerk(smooth), jerk(raw))
        worst = max(math.dist(s[p][:2], r[p][:2]) / h.eye_distance(r) for s, r in zip(smooth, raw) for p in range(468))
        self.assertLess(worst, 0.06, 'smoothing does not move a landmark away')

    def test_smoothing_constants_matter(self):
        out = self.path('stiff')
        self.good_run(self.clip, '-o', out, '-q', '--mode', 'au', '--landmarks-csv', '--smooth-cutoff', '0.3', '--smooth-beta',
                      '0.001')
        self.assertNotEqual(h.Landmarks(os.path.join(out, 'face_landmarks.csv')).frames,
                            h.Landmarks(os.path.join(self.out, 'face_landmarks.csv')).frames)


class Names(Options):
    def link(self, name):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(self.clip, path)
        return path

    def test_names_of_all_kinds(self):
        for name in ('a face with spaces.mp4', "qu'ote\"d.mp4", 'Gesicht-äöü-顔-🙂.mp4', 'two.dots.mp4', '100%d.mp4', '$HOME.mp4',
                     'noending', 'c:olon.mp4', 'star*?.mp4', '#hash&amp.mp4', 'new\nline.mp4'):
            with self.subTest(name):
                out = self.path('out of ' + name)
                self.good_run(self.link(name), '-o', out, '-q', '--max-frames', '3')
                stem = name[:-4] if name.endswith('.mp4') else name
                self.assert_whole(out, stem, 3)
                self.assertEqual(len(os.listdir(out)), 6)

    def test_leading_dash(self):
        self.link('-q.mp4')
        self.good_run('-q', '--max-frames', '3', '-o', 'dash', './-q.mp4', cwd=self.dir)
        self.assert_whole(self.path('dash'), '-q', 3)
        self.good_run('-q', '--max-frames', '3', '-o', 'dash2', '--', '-q.mp4', cwd=self.dir)
        self.assert_whole(self.path('dash2'), '-q', 3)

    def test_outputs_beside_the_clip_by_default(self):
        clip = self.link('beside/face.mp4')
        self.good_run(clip, '-q', '--max-frames', '3')
        self.assert_whole(self.path('beside'), 'face', 3)

    def test_output_folder_is_made_with_its_parents(self):
        out = self.path('a', 'b c', 'd')
        self.good_run(self.clip, '-o', out, '-q', '--max-frames', '3')
        self.assert_whole(out, 'face', 3)

    def test_two_clips(self):
        out = self.path('two')
        self.good_run(self.link('one/first.mp4'), self.link('one/second.mp4'), '-o', out, '-q', '--max-frames', '3')
        self.assert_whole(out, 'first', 3)
        self.assert_whole(out, 'second', 3)
        # Nothing of the first run leaks into the second one's profile or tables.
        self.assertEqual(*(open(os.path.join(out, n + '_left_mirrored.csv')).read() for n in ('first', 'second')))

    def test_two_clips_of_one_name(self):
        first, second = self.link('x/twin.mp4'), self.link('y/twin.mkv')
        out = self.path('twins')
        result = h.run(first, second, '-o', out)
        self.assert_one_sentence(result, 2, first, second)
        self.assertEqual(result.out, '')
        self.assertFalse(os.path.exists(out))
        # Each beside its own clip: no conflict.
        self.good_run(first, second, '-q', '--max-frames', '2')
        self.assert_whole(self.path('x'), 'twin', 2)
        self.assert_whole(self.path('y'), 'twin', 2)

    def test_one_folder_spelt_in_two_ways(self):
        first = self.link('z/same.mp4')
        self.link('z/same.mkv')
        other = os.path.join(self.path('z'), '.', 'same.mkv')
        result = h.run(first, other, '--overwrite', '-q', '--max-frames', '2')
        self.assert_one_sentence(result, 2, first, other)


class Neutral(h.Case):
    """A clip whose face is another one from 0.5 s on: its mouth stands 5 pixels higher."""
    @classmethod
    def make_inputs(cls):
        cls.still = h.ffmpeg('-i', h.PORTRAIT, '-vf', 'crop=320:400:60:0', '-frames:v', '1', cls.path('still.png'))
        cls.clip = h.ffmpeg('-loop', '1', '-framerate', '30', '-i', cls.still, '-filter_complex',
                            "[0]split[a][b];[b]crop=80:24:122:134[c];[a][c]overlay=x=122:y=129:enable='gte(t,0.5)',"
                            'format=yuv420p', '-frames:v', '30', '-c:v', 'libx264', '-crf', '10', cls.path('change.mp4'))

    def strongest(self, *args):
        """The largest mean intensity of any AU on any side, in the first and in the second half of the clip."""
        out = self.path('out')
        self.good_run(self.clip, '-o', out, '-q', '--overwrite', '--mode', 'au', *args)
        values = {'first': {}, 'second': {}}
        for name in h.TABLES:
            _, rows = h.read_csv(os.path.join(out, 'change_' + name))
            for half, part in (('first', rows[5:13]), ('second', rows[20:28])):
                for au in h.MEASURED_AUS:
                    values[half][name[:5], au] = sum(float(row['AU%s_r' % au]) for row in part) / len(part)
        for half in values:
            print(args, half, {k: round(v, 2) for k, v in values[half].items() if v > 0.1})
        return max(values['first'].values()), max(values['second'].values())

    def test_by_time(self):
        first, second = self.strongest('--neutral', '0.3')
        self.assertLess(first, 0.3, 'the neutral face has no action units')
        self.assertGreater(second, 1.0)
        first, second = self.strongest('--neutral', '0.8')
        self.assertLess(second, 0.3, 'the neutral face has no action units')
        self.assertGreater(first, 1.0)

    def test_by_picture(self):
        first, second = self.strongest('--neutral-image', self.still)
        # The still is the clip's own first half; measured 0.5, which is what a single look at a face is worth.
        self.assertLess(first, 0.6, 'the face of the picture has no action units')
        self.assertGreater(second, 1.0)

    def test_a_time_without_a_face_is_told(self):
        out = self.path('warned')
        result = h.run(self.clip, '-o', out, '-q', '--mode', 'au', '--neutral', '1:00')
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(result.err.splitlines()), 2, result)
        for line, side in zip(sorted(result.err.splitlines()), ('left', 'right')):
            self.assertRegex(line, '^facemirror: warning: .*neutral.*%s' % side)


if __name__ == '__main__':
    h.require_script()
    h.main()
