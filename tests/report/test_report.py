"""`facemirror report` and `facemirror merge`: profiles and traces of real runs, shown again."""
import csv
import io
import json
import os
import re
import subprocess

import harness as h


class Case(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=10)
        cls.ran = h.run(cls.clip, '-o', cls.path('out'), '--trace', '--profile-json-compat')
        cls.profile, cls.trace = cls.path('out', 'face_profile.json'), cls.path('out', 'face_trace.fmptrace')
        cls.data = json.load(open(cls.profile, encoding='utf-8'))
        cls.sample = cls.path('sample.json')
        subprocess.run([os.environ['WRITE_SAMPLE'], cls.sample], check=True)

    def bytes_of(self, *args):
        """stdout of a good command, byte for byte."""
        done = subprocess.run([h.PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=h.program_env())
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        return done.stdout


class Profiles(Case):
    def test_text_is_what_the_run_printed(self):
        self.assertEqual(self.ran.code, 0, self.ran)
        text = self.good_run('report', self.profile).out
        self.assertIn('RUN SUMMARY', text)
        self.assertIn(text, self.ran.out)

    def test_json_is_the_file(self):
        whole = open(self.profile, 'rb').read()
        self.assertEqual(self.bytes_of('report', self.profile, '--format', 'json'), whole)
        self.assertEqual(self.bytes_of('report', '-f', 'json', self.sample), open(self.sample, 'rb').read())
        copy = self.path('copy.json')
        self.assertEqual(self.good_run('report', self.profile, '--format', 'json', '-o', copy).out, '')
        self.assertEqual(open(copy, 'rb').read(), whole)
        self.good_run('report', copy, '--format', 'json', '-o', copy)  # onto itself
        self.assertEqual(open(copy, 'rb').read(), whole)
        self.assert_no_partials(self.dir)

    def operations(self):
        return {(c['name'], o['name']): o for c in self.data['categories'] for o in c['operations']}

    def test_csv(self):
        rows = list(csv.reader(io.StringIO(self.good_run('report', self.profile, '--format', 'csv').out)))
        self.assertEqual(len(rows) - 1, len(self.operations()))
        self.assertEqual({tuple(row[:2]) for row in rows[1:]}, set(self.operations()))

    def test_folded(self):
        lines = self.good_run('report', self.profile, '--format', 'folded').out.splitlines()
        found = {}
        for line in lines:
            stack, value = line.rsplit(' ', 1)
            found[tuple(stack.split(';'))] = float(value)
        for key, operation in self.operations().items():
            self.assertAlmostEqual(found[key], operation['self_seconds'] * 1e9, delta=1)

    def test_speedscope(self):
        scope = json.loads(self.good_run('report', self.profile, '--format', 'speedscope').out)
        self.assertIn('speedscope', scope['$schema'])
        self.assertEqual(len(scope['profiles']), 1)

    def test_sort_percentiles_self(self):
        text = self.good_run('report', self.profile, '--sort', 'name', '--percentiles', '--self').out
        self.assertRegex(text, r'Operation +Count +Total +Self +Avg +p50 +p90 +p99')
        names = [re.findall(r'^(\S+) +\d+ +\S+s ', block, re.M) for block in re.split(r'^Category: ', text, flags=re.M)[1:]]
        self.assertTrue(any(len(block) > 1 for block in names))
        by_category = {c['name']: sorted(o['name'] for o in c['operations']) for c in self.data['categories']}
        for block, category in zip(names, by_category.values()):
            self.assertEqual(block[:len(category)], category)
        self.assertNotEqual(self.good_run('report', self.profile, '--sort', 'count').out, text)

    def test_subtract_cost(self):
        less = json.loads(self.good_run('report', self.profile, '--subtract-cost', '-f', 'json').out)
        self.assertTrue(less['profiler']['cost_subtracted'])
        self.assertFalse(self.data['profiler']['cost_subtracted'])
        cost = self.data['profiler']
        taken = self.data['run']['profiled_seconds'] - less['run']['profiled_seconds']
        scopes = sum(o['count'] - o['recorded'] for o in self.operations().values())
        children = sum(o['children'] for o in self.operations().values())
        self.assertAlmostEqual(taken, 1e-9 * (scopes * cost['scope_inside_ns'] + children * cost['scope_outside_ns']),
                               delta=1e-7)
        again = self.path('less.json')
        json.dump(less, open(again, 'w', encoding='utf-8'))
        twice = json.loads(self.good_run('report', again, '--subtract-cost', '-f', 'json').out)
        self.assertEqual(twice, less)

    def test_help(self):
        for name in ('report', 'merge'):
            for option in ('--help', '-h'):
                self.assertIn('Usage: facemirror ' + name, self.good_run(name, option).out)


class Merge(Case):
    def test_two_are_the_sum(self):
        out = self.path('both.json')
        self.assertEqual(self.good_run('merge', self.profile, self.profile, '-o', out).out, '')
        both = json.load(open(out, encoding='utf-8'))
        self.assertEqual((both['runs'], both['run']['frames']), (2, 20))
        self.assertAlmostEqual(both['run']['wall_seconds'], 2 * self.data['run']['wall_seconds'])
        self.assertAlmostEqual(both['run']['effective_fps'], self.data['run']['effective_fps'])
        self.assertEqual(both['notes'], self.data['notes'])
        self.assertEqual(len(both['threads']), 2 * len(self.data['threads']))
        ones = {(c['name'], o['name']): o for c in self.data['categories'] for o in c['operations']}
        for category in both['categories']:
            for two in category['operations']:
                one = ones.pop((category['name'], two['name']))
                self.assertEqual(two['count'], 2 * one['count'])
                self.assertEqual(two['histogram'], [[b, 2 * n] for b, n in one['histogram']])
                self.assertEqual([two[p] for p in ('p50', 'p90', 'p99', 'p999', 'min', 'max')],
                                 [one[p] for p in ('p50', 'p90', 'p99', 'p999', 'min', 'max')])
        self.assertEqual(ones, {})
        # To stdout, and as the report of both.
        self.assertEqual(self.bytes_of('merge', self.profile, self.profile), open(out, 'rb').read())
        self.assertEqual(self.bytes_of('report', self.profile, self.profile, '-f', 'json'), open(out, 'rb').read())
        self.assertIn('Runs:                 2', self.good_run('report', out).out)

    def test_differences_are_noted(self):
        merged = json.loads(self.good_run('merge', self.profile, self.sample).out)
        self.assertEqual(merged['run']['input'], 'face.mp4 and others')
        self.assertEqual((merged['run']['width'], merged['run']['height']), (0, 0))
        self.assertIn('This is a debug build: times mean little.', merged['notes'])


class Traces(Case):
    def test_chrome(self):
        text = self.bytes_of('report', self.trace, '--format', 'trace')
        events = json.loads(text)['traceEvents']
        self.assertGreater(len(events), 100)
        self.assertEqual(text, open(self.path('out', 'face_trace.json'), 'rb').read())

    def test_perfetto(self):
        out = self.path('trace.pftrace')
        self.good_run('report', self.trace, '--format', 'perfetto', '-o', out)
        packets = open(out, 'rb').read()
        self.assertEqual(packets[:1], b'\x0a')  # field 1 (packet) of Trace
        self.assertGreater(len(packets), 1000)

    def test_speedscope_and_folded(self):
        scope = json.loads(self.good_run('report', self.trace, '--format', 'speedscope').out)
        self.assertGreater(len(scope['profiles']), 1)
        self.assertGreater(len(self.good_run('report', self.trace, '--format', 'folded').out.splitlines()), 3)

    def test_compat(self):
        compat = json.loads(self.good_run('report', self.trace, '--format', 'compat').out)
        self.assertEqual(set(compat), {'timings', 'memory', 'counts'})
        profile = {(c['name'], o['name']): o for c in self.data['categories'] for o in c['operations']}
        kept = 0
        for category, operations in compat['timings'].items():
            for name, samples in operations.items():
                self.assertEqual(compat['counts'][category][name], len(samples))
                operation = profile[category, name]
                self.assertLessEqual(len(samples), operation['count'])
                if len(samples) == operation['count']:
                    kept += 1
                    self.assertAlmostEqual(sum(samples), operation['avg_seconds'] * operation['count'], delta=1e-6)
                    self.assertAlmostEqual(max(samples), operation['max'], delta=1e-7)
        self.assertGreater(kept, 5)


class Refusals(Case):
    def test_usage(self):
        for args, part in (((), 'no profile was given'), ((self.profile, '--format', 'xml'), "'xml' is no format"),
                           ((self.profile, '--sort', 'size'), "--sort does not take 'size'"),
                           ((self.profile, '--format', 'trace'), 'a profile can be: text, json, csv'),
                           ((self.trace,), 'say which --format: trace, perfetto'),
                           ((self.trace, '--format', 'text'), 'but these do: trace, perfetto'),
                           ((self.trace, '--format', 'csv'), 'but these do: trace, perfetto'),
                           ((self.trace, '--format', 'trace', '--subtract-cost'), 'is for profiles'),
                           ((self.profile, self.trace), 'only profiles can be added up'),
                           ((self.profile, '--format', 'csv', '--self'), 'are for --format text'),
                           ((self.profile, '--formats'), 'is not known'), ((self.profile, '-f'), 'needs a value')):
            with self.subTest(args):
                self.assert_one_sentence(h.run('report', *args), 2, part, 'facemirror report --help')
        self.assert_one_sentence(h.run('merge', self.profile), 2, 'two profiles or more')
        self.assert_one_sentence(h.run('merge', self.profile, self.profile, '-x'), 2, "'-x' is not known")

    def test_missing_and_wrong_files(self):
        none = self.path('none.json')
        self.assert_one_sentence(h.run('report', none), 3, none)
        self.assert_one_sentence(h.run('report', self.dir), 3, self.dir)
        self.assert_one_sentence(h.run('merge', self.profile, none, '-o', self.path('no.json')), 3, none)
        self.assert_one_sentence(h.run('report', self.clip), 4, self.clip)
        cut = self.path('cut.json')
        open(cut, 'wb').write(open(self.profile, 'rb').read()[:500])
        self.assert_one_sentence(h.run('merge', self.profile, cut, '-o', self.path('no.json')), 4, cut, 'line')
        self.assertFalse(os.path.exists(self.path('no.json')))
        wrong = self.path('wrong.json')
        text = open(self.profile, encoding='utf-8').read()
        open(wrong, 'w', encoding='utf-8').write(text.replace('"frames": 10', '"frames": -10'))
        self.assert_one_sentence(h.run('report', wrong), 4, wrong, 'run.frames must be a whole number')

    def test_broken_traces(self):
        whole = open(self.trace, 'rb').read()
        for size in (8, 100, len(whole) // 2):
            path = self.path('cut%d.fmptrace' % size)
            open(path, 'wb').write(whole[:size])
            result = h.run('report', path, '--format', 'trace')
            if result.code == 0:  # what is readable was shown, and that it is not all was said
                self.assertIn('warning', result.err)
                json.loads(result.out)
            else:
                self.assert_one_sentence(result, 4, path)

    def test_unwritable_outputs(self):
        self.assert_one_sentence(h.run('report', self.profile, '-o', self.path('nowhere', 'x.txt')), 6, 'nowhere')
        self.assert_one_sentence(h.run('merge', self.profile, self.profile, '-o', self.dir), 6, self.dir)
        if os.path.exists('/dev/full'):
            for args in (('report', self.profile), ('report', self.profile, '-f', 'json'),
                         ('report', self.profile, '-f', 'csv'), ('report', self.trace, '-f', 'compat'),
                         ('merge', self.profile, self.profile)):
                with open('/dev/full', 'wb') as full:
                    process = h.start(*args, stdout=full, stderr=subprocess.PIPE)
                    err = process.communicate()[1].decode()
                self.assertEqual(process.returncode, 7, err)
                self.assertEqual(len(err.splitlines()), 1, err)


if __name__ == '__main__':
    h.require_script()
    h.main()
