"""run --system: tables of the system's side in the report, in the profile and when profiles are read again; stacks."""
import ctypes
import json
import os
import platform
import pwd
import re
import shutil
import signal
import struct
import subprocess
import time
import unittest

import harness as h

try:
    import jsonschema
except ImportError:
    jsonschema = None

FACILITIES = ('cpu', 'memory', 'sample', 'syscalls', 'gpu', 'energy')


def load(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def section(report):
    """The lines of SYSTEM, without its rules."""
    match = re.search(r'(?ms)^SYSTEM\n=+\n(.*?)^={80}\n', report)
    return match.group(1) if match else ''


def states(profile, facility):
    return [row['state'] for row in profile['system']['facilities'] if row['facility'] == facility]


def process_seconds(profile):
    return sum(row['cpu_seconds'] for row in profile['system']['process'])


# --- who may not do all -------------------------------------------------------------------------------------------

PERF_EVENT_OPEN = {'x86_64': 298, 'aarch64': 241}


def refuse_perf():
    """perf_event_open gives EPERM in this process and its children, as a container's seccomp profile does it."""
    number = PERF_EVENT_OPEN[platform.machine()]
    load_number, jump_equal, give = 0x20, 0x15, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | 1
    program = b''.join(struct.pack('=HBBI', *line) for line in (
        (load_number, 0, 0, 0), (jump_equal, 0, 1, number), (give, 0, 0, refuse), (give, 0, 0, allow)))
    lines = ctypes.create_string_buffer(program, len(program))

    class Filter(ctypes.Structure):
        _fields_ = [('count', ctypes.c_ushort), ('lines', ctypes.c_void_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    whole = Filter(len(program) // 8, ctypes.addressof(lines))
    no_new_privileges, set_seccomp, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, by_filter, ctypes.byref(whole), 0, 0):
        os._exit(99)


def become_nobody():
    nobody = pwd.getpwnam('nobody')
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def nobody_can_run():
    return subprocess.run([h.PROGRAM, '--version'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=become_nobody).returncode == 0 and os.access(h.PORTRAIT, os.R_OK)


class Case(h.Case):
    def watched(self, name, *args, code=0, **options):
        out = self.path(name)
        result = h.run(self.clip, '-o', out, '--overwrite', *args, **options)
        self.assertEqual(result.code, code, result)
        self.assertNotIn('warning', result.err)
        return load(os.path.join(out, 'face_profile.json')), result.out, out

    def check_system(self, profile, text):
        """What holds of each watched run, whoever made it."""
        told = dict.fromkeys(row['facility'] for row in profile['system']['facilities'])
        self.assertEqual(list(told), list(FACILITIES))
        for row in profile['system']['facilities']:
            if row['state'] == 'not permitted':
                self.assertTrue(row['how'], row)
        process, threads = profile['system']['process'], profile['system']['threads']
        self.assertEqual(len(process), 1)
        self.assertGreater(process[0]['cpu_seconds'], 0)
        self.assertAlmostEqual(process[0]['user_seconds'] + process[0]['system_seconds'], process[0]['cpu_seconds'],
                               delta=0.01 * process[0]['cpu_seconds'] + 0.02)
        self.assertAlmostEqual(sum(row['cpu_seconds'] for row in threads), process[0]['cpu_seconds'],
                               delta=0.01 * process[0]['cpu_seconds'] + 0.005)
        # The watch is longer than the frame loop, so it saw at least as much.
        self.assertGreaterEqual(process[0]['cpu_seconds'] * 1.01, profile['pipeline']['process_cpu_seconds'])
        if text:
            lines = section(text).splitlines()
            self.assertGreater(len(lines), 20, text)
            self.assertLessEqual(max(map(len, lines)), 100)
            for title in ('Process', 'Threads', 'CPU and wall time of operations'):
                self.assertIn(title, lines)


class Runs(Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=40)
        cls.out = cls.path('usual')
        cls.result = h.run(cls.clip, '-o', cls.out, '--system', '--system-rate', '500')
        cls.file = os.path.join(cls.out, 'face_profile.json')
        cls.profile = load(cls.file) if cls.result.code == 0 else None

    def setUp(self):
        self.assertEqual(self.result.code, 0, self.result)

    def test_report_has_the_tables(self):
        self.assertNotIn('warning', self.result.err)
        self.check_system(self.profile, self.result.out)
        lines = section(self.result.out).splitlines()
        self.assertRegex(lines[0], r'^ +What +State +How, or why not$')
        self.assertTrue(any(re.match(r'cpu +CPU time of threads +on ', line) for line in lines), lines)
        self.assertTrue(any(re.match(r'syscalls +off +not asked for$', line) for line in lines), lines)

    @unittest.skipIf(jsonschema is None or not hasattr(jsonschema, 'Draft202012Validator'), 'no module jsonschema 4')
    def test_profile_fits_the_schema(self):
        schema = load(os.path.join(h.SOURCE, 'docs', 'profile.schema.json'))
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(self.profile))
        self.assertEqual([e.message[:300] for e in errors], [])
        self.assertEqual(set(self.profile['system']) - set(schema['$defs']['system']['properties']), set())

    def test_report_of_the_file_is_the_runs_own(self):
        again = self.good_run('report', self.file).out
        self.assertEqual(again, self.result.out[:self.result.out.index('\nOutputs:\n')])
        with open(self.file, encoding='utf-8') as file:
            self.assertEqual(self.good_run('report', self.file, '-f', 'json').out, file.read())

    def test_two_runs_add_up(self):
        """Of one file with itself every sum doubles, and the report shows it."""
        merged = self.path('merged.json')
        self.good_run('merge', self.file, self.file, '-o', merged)
        both = load(merged)
        for key, sums in (('process', ('wall_seconds', 'cpu_seconds', 'voluntary_switches')),
                          ('threads', ('cpu_seconds', 'ready_seconds')), ('operations', ('calls', 'wall_seconds'))):
            one, two = self.profile['system'][key], both['system'][key]
            self.assertEqual(len(one), len(two))
            for column in sums:
                known = [row[column] for row in one if row[column] is not None]
                doubled = [row[column] for row in two if row[column] is not None]
                self.assertAlmostEqual(sum(doubled), 2 * sum(known), places=6)
        self.assertEqual([r['state'] for r in both['system']['facilities']],
                         [r['state'] for r in self.profile['system']['facilities']])
        self.assertTrue(section(self.good_run('report', merged).out))
        self.assertTrue(section(self.good_run('report', self.file, self.file).out))
        self.assertIn('not watched', ' '.join(load(self.mixed())['notes']))

    def mixed(self):
        plain = self.path('plain')
        self.good_run(self.clip, '-o', plain, '-q', '--max-frames', '8')
        self.assertIsNone(load(os.path.join(plain, 'face_profile.json'))['system'])
        out = self.path('mixed.json')
        self.good_run('merge', self.file, os.path.join(plain, 'face_profile.json'), '-o', out)
        return out

    def test_operations_are_the_profilers(self):
        """Calls and wall times as the profiler's own tables have them: both saw the same scopes."""
        counted = {o['name']: o for c in self.profile['categories'] for o in c['operations']}
        seen = {row['operation']: row for row in self.profile['system']['operations']}
        for name in ('mirror_left', 'mirror_right', 'debug_overlay', 'analyse_frame'):
            self.assertGreaterEqual(seen[name]['calls'], 40)
            self.assertAlmostEqual(seen[name]['wall_seconds'], counted[name]['total_seconds'],
                                   delta=0.02 * counted[name]['total_seconds'] + 1e-3)
            self.assertLessEqual(seen[name]['cpu_seconds'], seen[name]['wall_seconds'] * 1.01 + 1e-3)

    def test_stacks_have_operations_as_roots(self):
        if 'on' not in states(self.profile, 'sample'):
            self.skipTest('no samples here')
        names = {o['name'] for c in self.profile['categories'] for o in c['operations']}
        samples = {row['operation']: row['samples'] for row in self.profile['system']['samples']}
        folded = {}
        with open(os.path.join(self.out, 'face_samples.folded'), encoding='utf-8') as file:
            for line in file:
                stack, count = line.rstrip('\n').rsplit(' ', 1)
                root = stack.split(';')[0]
                folded[root] = folded.get(root, 0) + int(count)
        self.assertTrue(set(folded) & names, folded)
        self.assertEqual(set(folded), set(samples))
        # They are weighed by the CPU time that they stand for, each stack rounded.
        self.assertAlmostEqual(sum(folded.values()), sum(samples.values()), delta=0.25 * sum(samples.values()) + 10)
        speedscope = load(os.path.join(self.out, 'face_samples.speedscope.json'))
        self.assertIn('speedscope', speedscope['$schema'])
        self.assertEqual(len(speedscope['profiles']), len(folded))

    def test_outputs_are_named(self):
        text = self.result.out[self.result.out.index('\nOutputs:\n'):]
        for path in re.findall(r'^  (\S+)  \(', text, re.M):
            self.assertTrue(os.path.isfile(path), path)
        if 'on' in states(self.profile, 'sample'):
            self.assertIn('face_samples.folded', text)
            self.assertIn('face_samples.speedscope.json', text)
        self.assert_no_partials(self.out)


class Forms(Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=24)

    def test_one_facility(self):
        profile, text, out = self.watched('cpu', '--system=cpu')
        self.check_system(profile, text)
        for facility in FACILITIES[1:]:
            self.assertEqual(states(profile, facility), ['off'])
        self.assertNotIn('samples', profile['system'])
        self.assertFalse([name for name in os.listdir(out) if 'samples' in name])

    def test_allocations(self):
        """Of each by operation; the program was restarted for it, and what the report holds is no leak."""
        profile, text, _ = self.watched('memory', '--system=cpu,memory', '--system-alloc', 'exact')
        self.check_system(profile, text)
        if 'heap' not in profile['system']:
            self.skipTest('no allocations here: %s' % states(profile, 'memory'))
        heap, rows = profile['system']['heap'][0], profile['system']['allocations']
        self.assertGreater(heap['count'], 10000)
        self.assertEqual(sum(row['count'] for row in rows), heap['count'])
        self.assertEqual(sum(row['bytes'] for row in rows), heap['bytes'])
        self.assertTrue(any(row['operation'] == 'frame_write_debug' and row['bytes'] > 1 << 20 for row in rows), rows)
        stacks = ' '.join(row['stack'] for row in profile['system'].get('leaks', []))
        self.assertNotIn('fm_run_report_take', stacks)
        self.assertNotIn('fm_ledger_create', stacks)

    def test_lists_add_up(self):
        profile, _, _ = self.watched('list', '--system=energy', '--system=gpu,cpu')
        self.assertEqual([f for f in FACILITIES if states(profile, f) == ['off']], ['memory', 'sample', 'syscalls'])

    def test_quiet(self):
        profile, text, _ = self.watched('quiet', '--system=cpu,sample', '-q')
        self.assertEqual(text, '')
        self.check_system(profile, None)

    def test_json(self):
        profile, text, _ = self.watched('json', '--system=cpu,sample', '--json')
        outputs = json.loads(text)['runs'][0]['outputs']
        if 'on' in states(profile, 'sample'):
            self.assertTrue(os.path.isfile(outputs['samples_folded']))
            self.assertTrue(os.path.isfile(outputs['samples_speedscope']))

    def test_several_clips(self):
        """Each run has a watch of its own."""
        other, out = self.path('other.mp4'), self.path('two')
        shutil.copy(self.clip, other)
        self.good_run(self.clip, other, '-o', out, '-q', '--system=cpu')
        for stem in ('face', 'other'):
            self.check_system(load(os.path.join(out, stem + '_profile.json')), None)

    def test_a_failed_run_tells_it_too(self):
        bars = h.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=0.4', '-pix_fmt', 'yuv420p',
                        self.path('bars.mp4'))
        result = h.run(bars, '-o', self.path('bars'), '--system=cpu')
        self.assertEqual(result.code, 5, result)
        self.assertTrue(section(result.out))
        self.check_system(load(self.path('bars', 'bars_profile.json')), result.out)

    def test_an_interrupted_run_tells_it_too(self):
        long = h.ffmpeg('-stream_loop', '60', '-i', self.clip, '-c', 'copy', self.path('long.mp4'))
        out = self.path('stopped')
        growing = os.path.join(out, '.long_left_mirrored.mp4.partial')
        process = h.start(long, '-o', out, '--system=cpu,sample', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        limit = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < limit:
            if os.path.exists(growing) and os.path.getsize(growing) > 1000:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=h.RUN_LIMIT_SECONDS)
        self.assertEqual(process.returncode, 130, errors)
        self.check_system(load(os.path.join(out, 'long_profile.json')), text.decode())

    def test_bench_takes_it_for_a_configuration(self):
        out = self.path('bench')
        result = h.run('bench', self.clip, '--config', 'base:', '--config', 'watched: --system=cpu', '--runs', '1',
                       '--warmup', '0', '-o', out)
        self.assertEqual(result.code, 0, result)

    def test_what_it_does_not_take(self):
        for value in ('foo', '', 'cpu,', 'cpu,,gpu', 'CPU', 'cpu,foo', ',', 'c', 'x' * 5000):
            with self.subTest(value[:20]):
                self.assert_one_sentence(h.run(self.clip, '--system=' + value), 2, '--system does not know',
                                         'cpu, memory, sample')
        for value in ('0', '', 'x', '-1', '12Q', 'exactly', '1.5M', '9' * 30, '9223372036854775807K', '5 M', ' 5'):
            with self.subTest(value):
                self.assert_one_sentence(h.run(self.clip, '--system', '--system-alloc=' + value), 2, '--system-alloc')
        for value in ('0', '10001', 'x', '', '-5', '1.5'):
            with self.subTest(value):
                self.assert_one_sentence(h.run(self.clip, '--system', '--system-rate=' + value), 2, '--system-rate')
        self.assert_one_sentence(h.run(self.clip, '--system=cpu', '--system-rate=10'), 2, "'sample'")
        self.assert_one_sentence(h.run(self.clip, '--system-rate=10'), 2, "'sample'")
        self.assert_one_sentence(h.run(self.clip, '--system=cpu,sample', '--system-alloc=exact'), 2, "'memory'")
        for option in ('--system=foo', '--system-rate=0', '--system-rate=9'):
            result = h.run('bench', self.clip, '--config', 'a: ' + option)
            self.assertEqual(result.code, 2, result)
            self.assertIn("of the configuration 'a'; nothing was run", result.err)
        self.assertFalse(os.path.exists(self.path('face_profile.json')))


class Users(Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=24)
        for path, mode in ((cls.path(), 0o755), (cls.clip, 0o644)):
            os.chmod(path, mode)

    @unittest.skipUnless(platform.system() == 'Linux' and platform.machine() in PERF_EVENT_OPEN, 'needs seccomp')
    def test_without_perf_permission(self):
        profile, text, _ = self.watched('no-perf', '--system', preexec_fn=refuse_perf)
        self.check_system(profile, text)
        self.assertIn('on', states(profile, 'sample')) # by timers
        self.assertRegex(json.dumps(profile['system']['facilities']), 'timer')
        self.assertGreater(sum(row['samples'] for row in profile['system']['samples']), 0)

    @unittest.skipUnless(platform.system() == 'Linux' and os.geteuid() == 0, 'needs root to become somebody else')
    def test_as_an_ordinary_user(self):
        if not nobody_can_run():
            self.skipTest('the program is where nobody else can reach it')
        out = self.path('nobody')
        os.mkdir(out)
        os.chmod(out, 0o777)
        env = dict(h.program_env(), HOME=out, FACEMIRROR_CACHE=out)
        profile, text, _ = self.watched('nobody', '--system', preexec_fn=become_nobody, env=env)
        self.check_system(profile, text)


if __name__ == '__main__':
    h.require_script()
    h.main()
