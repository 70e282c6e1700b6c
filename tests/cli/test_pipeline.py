"""What a run tells of its stages and frames, from outside: the trace and the tables are the witnesses."""
import csv
import json
import os

import harness as h

FRAMES = 60


class Pipeline(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def profile(self, name, *args, slow=None):
        """The profile of a run, and the text of its report."""
        out = self.path(name)
        env = dict(h.program_env(), FACEMIRROR_SLOW=slow) if slow else None
        result = h.run(self.clip, '-o', out, *args, env=env)  # stderr has the progress of a slow run
        self.assertEqual(result.code, 0, result)
        with open(os.path.join(out, 'face_profile.json'), encoding='utf-8') as file:
            return json.load(file), result.out

    @staticmethod
    def stages(profile):
        return {s['name']: s for s in profile['pipeline']['stages']}


class Times(Pipeline):
    def test_busy_starved_and_blocked_are_the_threads_life(self):
        profile, _ = self.profile('lives', '--trace')
        with open(self.path('lives', 'face_trace.json'), encoding='utf-8') as file:
            events = json.load(file)['traceEvents']
        names = {e['tid']: e['args']['name'] for e in events if e['ph'] == 'M' and e['name'] == 'thread_name'}
        slices = [e for e in events if e['ph'] == 'X']
        begin = min(e['ts'] for e in slices)
        ends = {}
        for event in slices:
            name = names[event['tid']]
            ends[name] = max(ends.get(name, 0), event['ts'] + event['dur'])
        wall = profile['run']['wall_seconds']
        stages = self.stages(profile)
        self.assertEqual(len(stages), 8)
        for name, stage in stages.items():
            told = stage['busy_seconds'] + stage['starved_seconds'] + stage['blocked_seconds']
            life = (ends[name] - begin) * 1e-6
            self.assertAlmostEqual(told, life, delta=0.05 * wall, msg=name)
            self.assertLessEqual(told, wall * 1.001, name)
            self.assertEqual(stage['frames'], FRAMES, name)
            self.assertGreater(stage['cpu_seconds'], 0, name)
            self.assertLessEqual(stage['cpu_seconds'], stage['busy_seconds'] + 0.05 * wall, name)
            if name.endswith('encoder'):  # nothing but the tables comes behind them
                self.assertGreaterEqual(told, 0.9 * wall, name)
        self.assertEqual(sum(s['held'] for s in stages.values()), FRAMES)
        self.assertGreaterEqual(profile['pipeline']['process_cpu_seconds'], sum(s['cpu_seconds'] for s in stages.values()) * 0.99)

    def test_the_order_of_flow(self):
        stages = self.stages(self.profile('flow', '-q')[0])
        self.assertEqual([(s['name'], s['after']) for s in stages.values()],
                         [('reader', None), ('analysis', 'reader'),
                          ('left mirror', 'analysis'), ('left encoder', 'left mirror'),
                          ('right mirror', 'analysis'), ('right encoder', 'right mirror'),
                          ('debug', 'analysis'), ('debug encoder', 'debug')])
        tables_only = self.stages(self.profile('tables', '-q', '--mode', 'au')[0])
        self.assertEqual(list(tables_only), ['reader', 'analysis', 'left mirror', 'right mirror'])
        self.assertEqual({s['frames'] for s in tables_only.values()}, {FRAMES})

    def test_slowest_frames_are_frames_of_the_tables(self):
        pipeline = self.profile('slowest', '-q')[0]['pipeline']
        with open(self.path('slowest', 'face_left_mirrored.csv'), encoding='utf-8') as file:
            times = {int(row['frame']): float(row['timestamp']) for row in csv.DictReader(file)}
        slowest = pipeline['slowest_frames']
        self.assertEqual(len(slowest), 10)
        self.assertEqual(len({f['frame'] for f in slowest}), 10)
        self.assertEqual([f['seconds'] for f in slowest], sorted((f['seconds'] for f in slowest), reverse=True))
        for frame in slowest:
            self.assertAlmostEqual(times[frame['frame']], frame['timestamp'], places=5)
            self.assertLessEqual(frame['stage_seconds'], frame['seconds'])
            self.assertEqual(frame['faces'], 1)
            self.assertTrue(0.1 < frame['face_size'] < 0.6, frame)
            self.assertEqual(frame['detected'], frame['frame'] == 0)

    def test_the_report_of_the_file_is_that_of_the_run(self):
        _, text = self.profile('again')
        section = text[text.index('PIPELINE\n'):text.index('\nOutputs:')]
        self.assertLessEqual(max(map(len, section.splitlines())), 100)
        again = self.good_run('report', self.path('again', 'face_profile.json')).out
        self.assertIn(section.rstrip(), again)
        profile = self.path('again', 'face_profile.json')
        self.good_run('merge', profile, profile, '-o', self.path('both.json'))
        both = self.good_run('report', self.path('both.json')).out
        self.assertRegex(both, r'(?m)^reader +%d ' % (2 * FRAMES))


class Slow(Pipeline):
    FRAMES = 25  # 120 ms is much more than a stage needs, on a machine that others load, too

    def check(self, name, slow, slowest, before, behind):
        profile, text = self.profile(name, '--max-frames', self.FRAMES, slow=slow)
        stages = self.stages(profile)
        self.assertEqual(max(stages.values(), key=lambda s: s['busy_seconds'])['name'], slowest)
        self.assertGreater(stages[slowest]['held'], 0.5 * self.FRAMES, stages)  # nearly all, unless others load the machine
        self.assertGreater(stages[before]['blocked_share'], stages[before]['busy_share'], stages)
        self.assertGreater(stages[behind]['starved_share'], stages[behind]['busy_share'], stages)
        self.assertIn(slowest, [f['stage'] for f in profile['pipeline']['slowest_frames']])
        self.assertTrue(any('FACEMIRROR_SLOW' in note for note in profile['notes']))
        self.assertIn('slower on purpose (%s)' % slow, text.split('\nTotal Profiled Time', 1)[0])

    def test_analysis(self):
        self.check('analysis', 'analysis=120ms', 'analysis', before='reader', behind='debug')

    def test_one_lane(self):
        self.check('lane', 'right mirror=120ms', 'right mirror', before='analysis', behind='right encoder')

    def test_encoder(self):
        self.check('encoder', 'debug encoder=120ms', 'debug encoder', before='debug', behind='left encoder')

    def test_a_model(self):
        profile, _ = self.profile('model', '-q', slow='BlazeFace=200ms')
        operations = {o['name']: o for c in profile['categories'] for o in c['operations']}
        self.assertGreaterEqual(operations['BlazeFace_onnx_cpu']['min'], 0.2)
        first = profile['pipeline']['slowest_frames'][0]
        self.assertEqual((first['frame'], first['stage'], first['detected']), (0, 'analysis', True))

    def test_what_it_cannot_read(self):
        env = dict(h.program_env(), FACEMIRROR_SLOW='analysis=fast')
        self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), '-q', env=env), 2, 'FACEMIRROR_SLOW', 'analysis=fast')


class Waste(Pipeline):
    def test_detections(self):
        pipeline = self.profile('interval', '-q', '--detector-interval', '5')[0]['pipeline']
        self.assertEqual(pipeline['detections'], {'searching': 1, 'lost': 0, 'checking': FRAMES // 5 - 1,
                                                  'confirmed': FRAMES // 5 - 1})
        self.assertEqual(pipeline['frames_cropped_again'], 1)
        pipeline = self.profile('when_lost', '-q')[0]['pipeline']
        self.assertEqual(pipeline['detections'], {'searching': 1, 'lost': 0, 'checking': 0, 'confirmed': 0})

    def test_copies(self):
        """The debug picture is copied whole, and of each mirrored one a half: twice the picture, but for the seams."""
        profile = self.profile('copies', '-q')[0]
        picture = profile['run']['width'] * profile['run']['height'] * 1.5
        self.assertAlmostEqual(profile['pipeline']['frame_bytes_copied'], 2 * picture, delta=0.05 * picture)
        alone = self.profile('no_copies', '-q', '--no-debug')[0]['pipeline']
        self.assertAlmostEqual(alone['frame_bytes_copied'], picture, delta=0.05 * picture)

    def test_conversions(self):
        self.assertEqual(self.profile('upright', '-q')[0]['pipeline']['frames_converted'], 0)
        clip = h.make_clip(self.path('444.mp4'), frames=8, pixels='yuv444p')
        self.good_run(clip, '-o', self.path('444'), '-q')
        with open(self.path('444', '444_profile.json'), encoding='utf-8') as file:
            self.assertEqual(json.load(file)['pipeline']['frames_converted'], 8)

    def test_memory_after_warm_up(self):
        """A run of 60 frames ends within its warm-up: nothing is claimed. A longer one does not grow."""
        pipeline = self.profile('short', '-q')[0]['pipeline']
        self.assertEqual([pipeline[k] for k in ('rss_first_bytes', 'rss_last_bytes', 'rss_frames', 'allocation_frames')], [0] * 4)
        clip = h.ffmpeg('-stream_loop', '3', '-i', self.clip, '-c', 'copy', self.path('long.mp4'))
        self.good_run(clip, '-o', self.path('long'), '-q')
        with open(self.path('long', 'long_profile.json'), encoding='utf-8') as file:
            pipeline = json.load(file)['pipeline']
        self.assertEqual(pipeline['rss_frames'], 4 * FRAMES - 96)
        self.assertEqual(pipeline['allocations'], 0)
        self.assertEqual(pipeline['allocation_frames'], 4 * FRAMES - 96)
        self.assertGreater(pipeline['rss_first_bytes'], 20 << 20)
        if not h.SANITIZED:
            self.assertLess(pipeline['rss_last_bytes'] - pipeline['rss_first_bytes'], 16 << 20)


if __name__ == '__main__':
    h.require_script()
    h.main()
