"""The profile of a run from outside: columns and order on request, the event stream, every sample."""
import json
import os
import signal
import time
import unittest

import harness as h

FRAMES = 24


class Profile(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def profile_of(self, folder):
        with open(self.path(folder, 'face_profile.json'), encoding='utf-8') as file:
            return json.load(file)

    def operations_of(self, folder):
        return {(c['name'], o['name']): o for c in self.profile_of(folder)['categories'] for o in c['operations']}

    def test_pipelines_are_told_apart(self):
        self.good_run(self.clip, '-o', self.path('names'), '-q')
        operations = self.operations_of('names')
        looks = operations['MODEL_INFERENCE', 'AU_FaceMesh_onnx_cpu']
        self.assertEqual(looks['count'], 2 * FRAMES, 'one look a mirrored face')
        # Twice a frame (the picture and its mirror image), and twice more in the frame of the detection.
        self.assertEqual(operations['MODEL_INFERENCE', 'FaceMesh_onnx_cpu']['count'], 2 * FRAMES + 2)
        self.assertEqual(operations['MODEL_INFERENCE', 'BlazeFace_onnx_cpu']['count'], 1)

    def test_metrics(self):
        self.good_run(self.clip, '-o', self.path('metrics'), '-q')
        metrics = {(m['category'], m['name']): m for m in self.profile_of('metrics')['metrics']}
        self.assertEqual(metrics['PIPELINE', 'frames_read']['sum'], FRAMES)
        queue = metrics['QUEUES', 'mirror_left queue']
        self.assertLessEqual(queue['max'], 3, 'queues are bounded')
        self.assertEqual(queue['updates'], 2 * FRAMES, 'every push and every pop')

    def test_self_times_add_up(self):
        self.good_run(self.clip, '-o', self.path('sums'), '-q')
        profile = self.profile_of('sums')
        for category in profile['categories']:
            self.assertAlmostEqual(sum(o['self_seconds'] for o in category['operations']),
                                   category['self_seconds'], places=6)
        for operation in self.operations_of('sums').values():
            self.assertLessEqual(operation['self_seconds'], operation['total_seconds'] + 1e-9)
            self.assertEqual(sum(count for _, count in operation['histogram']), operation['count'])

    def test_columns_and_order(self):
        text = self.good_run(self.clip, '-o', self.path('columns'), '--profile-percentiles', '--profile-self',
                             '--profile-sort', 'name').out
        head = next(line for line in text.splitlines() if line.startswith('Operation'))
        for column in ('Self', 'p50', 'p90', 'p99', 'p99.9'):
            self.assertIn(column, head.split())
        section = text.split('Category: MODEL_INFERENCE', 1)[1].split('Category:', 1)[0]
        names = [line.split()[0] for line in section.splitlines() if 'onnx_cpu' in line]
        self.assertEqual(names, sorted(names))

    def test_cost_is_subtracted_on_request(self):
        self.good_run(self.clip, '-o', self.path('cost'), '-q', '--profile-subtract-cost')
        self.assertIs(self.profile_of('cost')['profiler']['cost_subtracted'], True)

    def test_trace(self):
        self.good_run(self.clip, '-o', self.path('trace'), '-q', '--trace')
        with open(self.path('trace', 'face_trace.json'), encoding='utf-8') as file:
            events = json.load(file)['traceEvents']
        names = {e['args']['name'] for e in events if e['ph'] == 'M' and e['name'] == 'thread_name'}
        for thread in ('reader', 'analysis', 'left mirror', 'right mirror', 'debug', 'left encoder'):
            self.assertIn(thread, names)
        # Frame 5 goes through reader, analysis, three pictures and three encoders.
        steps = [e for e in events if e['ph'] in 'stf' and e['id'] == '5']
        self.assertEqual(sum(e['ph'] == 's' for e in steps), 1)
        self.assertEqual(len({e['tid'] for e in steps}), 8)
        slices = [e for e in events if e['ph'] == 'X']
        looks = [e for e in slices if e['name'] == 'AU_FaceMesh_onnx_cpu']
        self.assertEqual(len(looks), 2 * FRAMES)
        self.check_nesting(slices)
        self.assertTrue(os.path.getsize(self.path('trace', 'face_trace.fmptrace')) > 0)
        for name in ('speedscope', 'folded', 'perfetto', 'trace'):
            out = self.path('trace', 'again.' + name)
            self.good_run('report', self.path('trace', 'face_trace.fmptrace'), '--format', name, '-o', out)
            self.assertGreater(os.path.getsize(out), 200)

    def check_nesting(self, slices):
        threads = {}
        for event in slices:
            threads.setdefault(event['tid'], []).append((round(event['ts'] * 1000), round(event['dur'] * 1000)))
        for spans in threads.values():
            open_ends = []
            for start, length in sorted(spans, key=lambda s: (s[0], -s[1])):
                while open_ends and open_ends[-1] <= start:
                    open_ends.pop()
                if open_ends:
                    self.assertLessEqual(start + length, open_ends[-1], 'slices of a thread nest')
                open_ends.append(start + length)

    def test_every_sample(self):
        self.good_run(self.clip, '-o', self.path('compat'), '-q', '--profile-json-compat')
        with open(self.path('compat', 'face_profile_compat.json'), encoding='utf-8') as file:
            compat = json.load(file)
        self.assertEqual(set(compat), {'timings', 'memory', 'counts'})
        samples = compat['timings']['MODEL_INFERENCE']['AU_FaceMesh_onnx_cpu']
        self.assertEqual(len(samples), 2 * FRAMES)
        operation = self.operations_of('compat')['MODEL_INFERENCE', 'AU_FaceMesh_onnx_cpu']
        self.assertAlmostEqual(sum(samples), operation['total_seconds'], delta=0.01 * operation['total_seconds'])
        self.assertFalse(os.path.exists(self.path('compat', 'face_trace.json')), 'only what was asked for')

    def test_a_killed_run_leaves_its_events(self):
        clip = self.path('long.mp4')
        h.ffmpeg('-stream_loop', '40', '-i', self.clip, '-c', 'copy', clip)
        out = self.path('killed')
        process = h.start(clip, '-o', out, '-q', '--trace')
        partial = os.path.join(out, '.long_trace.fmptrace.partial')
        for _ in range(400):
            if os.path.exists(partial) and os.path.exists(os.path.join(out, '.long_debug.mp4.partial')):
                break
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        trace = self.path('killed.json')
        result = h.run('report', partial, '--format', 'trace', '-o', trace)
        self.assertEqual(result.code, 0, result)
        self.assertIn('holds what came before', result.err)
        with open(trace, encoding='utf-8') as file:
            events = json.load(file)['traceEvents']
        self.assertTrue(any(e['ph'] == 'X' and e['name'] == 'frame_read' for e in events))

    def test_merge(self):
        self.good_run(self.clip, '-o', self.path('one'), '-q')
        one, both = self.path('one', 'face_profile.json'), self.path('both.json')
        self.good_run('merge', one, one, '-o', both)
        with open(both, encoding='utf-8') as file:
            merged = {(c['name'], o['name']): o for c in json.load(file)['categories'] for o in c['operations']}
        for key, operation in self.operations_of('one').items():
            self.assertEqual(merged[key]['count'], 2 * operation['count'])
            self.assertEqual(merged[key]['p50'], operation['p50'])


if __name__ == '__main__':
    h.require_script()
    h.main()
