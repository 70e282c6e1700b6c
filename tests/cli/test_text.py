"""What the program prints: help, version, report, JSON, and silence."""
import json
import os
import re
import unittest

import harness as h

RUN_FIELDS = {'input': str, 'status': str, 'exit_code': int, 'error': (str, type(None)), 'width': int, 'height': int,
              'frame_rate': (int, float), 'frames_read': int, 'frames_written': int, 'frames_with_face': int,
              'frames_detected': int, 'frames_damaged': int, 'wall_seconds': (int, float), 'fps': (int, float),
              'encoder': str, 'outputs': dict}
OUTPUT_KINDS = {'left_video', 'right_video', 'debug_video', 'left_csv', 'right_csv', 'profile'}


def seconds(text):
    """'12.3ms' -> 0.0123. The report's units are s, ms, us and ns."""
    number, unit = re.fullmatch(r'([\d.]+)(s|ms|us|ns)', text).groups()
    return float(number) * {'s': 1, 'ms': 1e-3, 'us': 1e-6, 'ns': 1e-9}[unit]


class Text(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=16)

    def test_help(self):
        for args in (('--help',), ('-h',), ('help',), ('run', '--help'), ('run', '-h'), ('demo-clip', '--help'),
                     ('models', '--help'), ('models', 'import', '--help')):
            with self.subTest(args):
                result = self.good_run(*args)
                self.assertIn('Usage:', result.out)
                self.assertLessEqual(max(map(len, result.out.splitlines())), 110)

    def test_help_names_every_exit_code(self):
        text = self.good_run('--help').out
        for code in list(range(13)) + [130, 143]:
            self.assertRegex(text, r'(?m)(^|\s)%d[ ,]' % code)

    def test_version(self):
        for option in ('--version', '-V'):
            self.assertRegex(self.good_run(option).out, r'^facemirror \d+\.\d+\.\d+\n$')

    def test_quiet(self):
        self.assertEqual(self.good_run(self.clip, '-o', self.path('quiet'), '-q').out, '')
        self.assertEqual(self.good_run('run', '--quiet', self.clip, '-o', self.path('quiet2')).out, '')
        self.assertTrue(os.path.exists(self.path('quiet', 'face_profile.json')))

    def test_leaves_nothing_but_its_outputs(self):
        """Builds of ONNX Runtime count sessions in the user's folder and send the figures home; ours must not."""
        home, temporary = self.path('home'), self.path('temporary')
        os.makedirs(home)
        os.makedirs(temporary)
        env = dict(h.program_env(), HOME=home, TMPDIR=temporary)
        for name in ('XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'FACEMIRROR_CACHE', 'ORT_DISABLE_TELEMETRY'):
            env.pop(name, None)
        self.good_run(self.clip, '-o', self.path('alone'), '-q', env=env)
        self.assertEqual(os.listdir(temporary), [])
        left = {os.path.relpath(os.path.join(at, name), home) for at, _, names in os.walk(home) for name in names}
        self.assertTrue(all(name.startswith('.cache/facemirror/graphs/') for name in left), left)

    def test_json(self):
        out = self.path('json')
        result = self.good_run(self.clip, '-o', out, '--json')
        data = json.loads(result.out)
        self.assertEqual(set(data), {'facemirror', 'runs'})
        self.assertRegex(data['facemirror'], r'^\d+\.\d+\.\d+$')
        (entry,) = data['runs']
        self.check_entry(entry)
        self.assertEqual((entry['input'], entry['status'], entry['exit_code'], entry['error']),
                         (self.clip, 'ok', 0, None))
        self.assertEqual((entry['width'], entry['height'], entry['frame_rate']), (320, 400, 30))
        self.assertEqual((entry['frames_read'], entry['frames_written'], entry['frames_with_face'],
                          entry['frames_damaged']), (16, 16, 16, 0))
        self.assertGreaterEqual(entry['frames_detected'], 1)
        self.assertLess(entry['frames_detected'], 16, 'detected rarely, tracked always')
        self.assertAlmostEqual(entry['fps'], 16 / entry['wall_seconds'], places=3)
        self.assertTrue(entry['encoder'])
        self.assertEqual(set(entry['outputs']), OUTPUT_KINDS)
        for path in entry['outputs'].values():
            self.assertTrue(os.path.isfile(path), path)
        self.assertEqual(set(os.listdir(out)), {os.path.basename(p) for p in entry['outputs'].values()})

    def check_entry(self, entry):
        self.assertEqual(set(entry), set(RUN_FIELDS))
        for name, kind in RUN_FIELDS.items():
            self.assertIsInstance(entry[name], kind, name)

    def test_json_of_a_failure(self):
        result = h.run(self.path('none.mp4'), self.clip, '-o', self.path('half'), '--json')
        self.assert_one_sentence(result, 3, 'none.mp4')
        bad, good = json.loads(result.out)['runs']
        self.check_entry(bad)
        self.check_entry(good)
        self.assertEqual((bad['status'], bad['exit_code'], bad['outputs']), ('not_found', 3, {}))
        self.assertEqual('facemirror: ' + bad['error'], result.err.strip())
        self.assertEqual((good['status'], good['exit_code']), ('ok', 0), 'the good clip is done all the same')

    def test_json_of_a_name_that_is_no_utf8(self):
        name = os.fsencode(self.path('')) + b'caf\xe9.mp4'
        os.symlink(os.fsencode(self.clip), name)
        result = h.run(os.fsdecode(name), '-o', self.path('latin'), '--json', '--max-frames', '2')
        self.assertEqual(result.code, 0, result)
        (entry,) = json.loads(result.out)['runs']
        self.assertTrue(entry['input'].endswith('caf\ufffd.mp4'), entry['input'])

    def test_report(self):
        out = self.path('report')
        text = self.good_run(self.clip, '-o', out).out
        profile = json.load(open(os.path.join(out, 'face_profile.json'), encoding='utf-8'))
        self.check_text(text)
        self.check_profile(profile)

        total = seconds(re.search(r'Total Profiled Time: (\S+)', text).group(1))
        self.assertAlmostEqual(total, profile['run']['profiled_seconds'], delta=0.001 * total + 0.001)
        listed = re.findall(r'^Category: (\S+)$', text, re.M)
        self.assertEqual(listed, [c['name'] for c in profile['categories']])
        for needed in ('MODEL_INFERENCE', 'PREPROCESSING', 'POSTPROCESSING', 'MEMORY_OPERATIONS'):
            self.assertIn(needed, listed)
        for path in re.findall(r'^  (\S+)  \(', text, re.M):
            self.assertTrue(os.path.isfile(path), path)

    def check_text(self, text):
        found = re.findall(r'^Total Time: (\S+) \(([\d.]+)% of total\)$', text, re.M)
        times, shares = [seconds(t) for t, _ in found], [float(s) for _, s in found]
        self.assertEqual(times, sorted(times, reverse=True), 'categories by time')
        self.assertAlmostEqual(sum(shares), 100, delta=0.05 * len(shares) + 0.01)
        for block in re.split(r'^Category: ', text, flags=re.M)[1:]:
            block = block.split('\n' + '-' * 80)[1]
            rows = re.findall(r'^(\S+) +(\d+) +(\S+s)(?: +\S+s)? +(\S+s) +(\S+s) +(\S+s) +([\d.]+)%(?: <-- BOTTLENECK)?$', block, re.M)
            self.assertTrue(rows, block)
            totals = [seconds(row[2]) for row in rows]
            self.assertEqual(totals, sorted(totals, reverse=True), 'operations by time')
            self.assertAlmostEqual(sum(float(row[6]) for row in rows), 100, delta=0.05 * len(rows) + 0.01)

    def check_profile(self, profile):
        self.assertEqual(profile['schema'], 'facemirror-profile/2')
        facts = profile['run']
        self.assertEqual((facts['input'], facts['status'], facts['frames']), ('face.mp4', 'ok', 16))
        self.assertAlmostEqual(sum(c['share'] for c in profile['categories']), 1, places=6)
        self.assertAlmostEqual(sum(c['self_seconds'] for c in profile['categories']), facts['profiled_seconds'], places=6)
        self.assertLessEqual(facts['covered_seconds'], facts['wall_seconds'] * 1.001)
        counts = {o['name']: o['count'] for c in profile['categories'] for o in c['operations']}
        looks = [count for name, count in counts.items() if name.startswith('FaceMesh_onnx')]
        self.assertGreaterEqual(sum(looks), 16, 'each frame was looked at')
        self.assertEqual((counts['mirror_left'], counts['mirror_right'], counts['debug_overlay']), (16, 16, 16))
        self.assertEqual(profile['profiler']['lost'], 0)

    def test_the_report_ends_a_failed_run_too(self):
        clip = h.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=0.4', '-pix_fmt', 'yuv420p',
                        self.path('bars.mp4'))
        out = self.path('bars')
        result = h.run(clip, '-o', out)
        self.assertEqual(result.code, 5, result)
        self.assertRegex(result.out, r'Status: +no_face')
        profile = json.load(open(os.path.join(out, 'bars_profile.json'), encoding='utf-8'))
        self.assertEqual(profile['run']['status'], 'no_face')

    def test_demo_clip_and_import_say_only_what_they_made(self):
        clip, truth = self.path('demo.mp4'), self.path('truth.csv')
        made = self.good_run('demo-clip', '-o', clip, '--truth', truth, '--seconds', '0.2', '--size', '128x160',
                             '--portrait', h.PORTRAIT)
        self.assertEqual(made.out, clip + '\n' + truth + '\n')
        for size in ('0x0', '-64x64', '64x', '64x64x64'):
            self.assert_one_sentence(h.run('demo-clip', '-o', self.path('none.mp4'), '--size', size), 2, size)
        again = h.run('demo-clip', '-o', clip, '--seconds', '0.2', '--size', '128x160', '--portrait', h.PORTRAIT)
        self.assert_one_sentence(again, 11, clip)
        self.assert_no_partials(self.dir)
        result = h.run('models', 'import', self.clip, '-o', self.path('no.onnx'))
        self.assert_one_sentence(result, 8, "'face")
        self.assertFalse(os.path.exists(self.path('no.onnx')))


if __name__ == '__main__':
    h.require_script()
    h.main()
