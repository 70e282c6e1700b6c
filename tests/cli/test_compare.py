"""compare: sides made of one real profile, changed by known factors; and tables that differ by a known shift."""
import copy
import csv
import json
import os
import random
import shutil
import unittest

import harness as h

FRAMES = 120
OPERATION = ('MODEL_INFERENCE', 'FaceMesh_onnx_cpu')


def scaled(profile, factor=1.0, operation=None, wall=None):
    """The profile with all operations, or one, and the wall time so many times as long."""
    out = copy.deepcopy(profile)
    for category in out['categories']:
        for op in category['operations']:
            if operation is None or (category['name'], op['name']) == operation:
                op['self_seconds'] *= factor
                op['total_seconds'] *= factor
    out['run']['wall_seconds'] *= factor if wall is None else wall
    for thread in out['threads']:
        thread['cpu_seconds'] *= factor if operation is None else 1
    return out


class Sides(h.Case):
    """Folders of profiles: a base and what the tests compare it with."""
    @classmethod
    def make_inputs(cls):
        clip = h.make_clip(cls.path('face.mp4'))
        done = h.run(clip, '-o', cls.path('real'), '-q', '--landmarks-csv', '--mode', 'au')
        assert done.code == 0, done
        with open(cls.path('real', 'face_profile.json'), encoding='utf-8') as file:
            cls.profile = json.load(file)
        cls.profile['run'].update(frames=FRAMES, frames_with_face=FRAMES)
        cls.base = cls.side('base', 8)

    @classmethod
    def side(cls, name, runs, change=lambda p: p, jitter=0.003, seed=None):
        """A folder of profiles with some noise, each changed in the same way."""
        noise = random.Random(seed or name)
        os.mkdir(cls.path(name))
        for i in range(runs):
            profile = scaled(change(copy.deepcopy(cls.profile)), 1 + noise.uniform(-jitter, jitter))
            with open(cls.path(name, 'run_%02d.json' % i), 'w', encoding='utf-8') as file:
                json.dump(profile, file)
        return cls.path(name)

    def compare(self, *args, code=0):
        result = h.run('compare', *args, '--format', 'json')
        self.assertEqual(result.code, code, result)
        return json.loads(result.out)

    def operation(self, document, name=OPERATION[1]):
        found = [o for o in document['operations'] if o['name'] == name]
        self.assertEqual(len(found), 1, document['operations'])
        return found[0]

    def total(self, document, name):
        return next(t for t in document['totals'] if t['name'] == name)


class Speed(Sides):
    def test_regression(self):
        slower = self.side('slower', 8, lambda p: scaled(p, 1.5, OPERATION, wall=1.12))
        document = self.compare(self.base, slower)
        op = self.operation(document)
        self.assertEqual(op['verdict'], 'worse')
        self.assertAlmostEqual(op['ratio'], 1.5, delta=0.01)
        self.assertTrue(op['ratio_low'] <= op['ratio'] <= op['ratio_high'], op)
        self.assertGreater(op['ratio_low'], 1.48)
        self.assertLess(op['p'], 0.001)
        wall, fps = self.total(document, 'wall time'), self.total(document, 'frames a second')
        self.assertEqual((wall['verdict'], fps['verdict']), ('worse', 'worse'))
        self.assertAlmostEqual(wall['ratio'], 1.12, delta=0.01)
        self.assertAlmostEqual(wall['ratio'] * fps['ratio'], 1, delta=0.01)
        others = [o for o in document['operations'] if o['name'] != OPERATION[1]]
        self.assertTrue(others and all(o['verdict'] == 'same' for o in others), others)
        self.assertEqual([c['name'] for c in document['causes']], [OPERATION[1]])
        self.assertAlmostEqual(document['causes'][0]['part'], 1, delta=0.1)
        self.assertIn('explains', ' '.join(document['conclusions']))
        # A limit: 12 % of the wall time and 50 % of the operation.
        failed = h.run('compare', self.base, slower, '--fail-above', '5%')
        self.assert_one_sentence(failed, 20, 'wall time', '5 % is allowed')
        self.assertIn('slower', failed.out)
        self.assert_one_sentence(h.run('compare', self.base, slower, '--fail-above', '20'), 20, OPERATION[1])
        self.assertEqual(h.run('compare', self.base, slower, '--fail-above', '60%').code, 0)

    def test_improvement(self):
        faster = self.side('faster', 6, lambda p: scaled(p, 0.8))
        document = self.compare(self.base, faster, '--fail-above', '1%')
        self.assertEqual(self.operation(document)['verdict'], 'better')
        self.assertEqual({self.total(document, n)['verdict'] for n in ('wall time', 'frames a second', 'CPU time')},
                         {'better'})
        self.assertIn('less time', document['conclusions'][0])

    def test_noise_is_no_difference(self):
        again = self.side('again', 8, seed='another')
        document = self.compare(self.base, again, '--fail-above', '1%')
        rows = document['operations'] + document['totals']
        self.assertEqual({r['verdict'] for r in rows if r['name'] != 'peak memory'}, {'same'})
        self.assertEqual(document['conclusions'][0], 'No significant difference of the wall time.')
        self.assertEqual(document['causes'], [])
        self.assertIn('no significant difference', h.run('compare', self.base, again).out)

    def test_ties(self):
        equal = self.side('equal', 6, jitter=0)
        document = self.compare(equal, self.side('equal2', 6, jitter=0))
        self.assertEqual({(r['verdict'], r['p'], r['ratio']) for r in document['operations']}, {('same', 1, 1)})

    def test_a_sure_but_small_change_is_none(self):
        base = self.side('exact', 8, jitter=0.0001)
        document = self.compare(base, self.side('small', 8, lambda p: scaled(p, 1.005), jitter=0.0001))
        wall = self.total(document, 'wall time')
        self.assertLess(wall['p'], 0.001)
        self.assertEqual(wall['verdict'], 'same')

    def test_too_few_runs(self):
        few = self.side('few', 5, lambda p: scaled(p, 2))
        document = self.compare(self.base, few)
        self.assertFalse(document['enough_runs'])
        self.assertEqual({r['verdict'] for r in document['operations'] + document['totals']}, {'none'})
        self.assertAlmostEqual(self.operation(document)['ratio'], 2, delta=0.02)
        self.assertTrue(any('No verdict: 8 and 5 runs' in w for w in document['warnings']), document['warnings'])
        self.assert_one_sentence(h.run('compare', self.base, few, '--fail-above', '5%'), 4, '8 and 5 runs')

    def test_what_cannot_be_compared(self):
        def clip(profile):
            profile['run']['input'] = 'other.mp4'
            return profile

        def machine(profile):
            profile['machine']['cpu_model'] = 'Another Processor'
            return profile

        def debug(profile):
            profile['build']['optimised'] = not profile['build']['optimised']
            return profile
        for change, word in ((clip, 'clips'), (machine, 'machines'), (debug, 'kinds of build')):
            other = self.side('other-' + change.__name__, 6, change)
            document = self.compare(self.base, other)
            self.assertFalse(document['comparable'])
            self.assertIn('The %s differ' % word, document['warnings'][0])
            self.assertEqual({r['verdict'] for r in document['operations']}, {'none'})
            self.assert_one_sentence(h.run('compare', self.base, other, '--fail-above', '5%'), 4, 'cannot be compared')
            text = h.run('compare', self.base, other).out.splitlines()
            self.assertTrue(text[2].startswith('! '), text[:4])

    def test_operations_of_one_side(self):
        def rename(profile):
            for category in profile['categories']:
                for op in category['operations']:
                    if op['name'] == OPERATION[1]:
                        op['name'] = 'FaceMesh_coreml'
            return profile
        document = self.compare(self.base, self.side('renamed', 6, rename))
        self.assertEqual(self.operation(document)['verdict'], 'gone')
        self.assertEqual(self.operation(document, 'FaceMesh_coreml')['verdict'], 'new')
        self.assertEqual(self.total(document, 'all operations')['verdict'], 'same')


class Forms(Sides):
    def test_grammar(self):
        files = sorted(os.path.join(self.base, n) for n in os.listdir(self.base))
        document = self.compare(*files[:6], '--', *files[2:])
        self.assertEqual((document['base']['runs'], document['new']['runs']), (6, 6))
        document = self.compare(files[0], files[1])
        self.assertEqual((document['base']['runs'], document['new']['runs']), (1, 1))
        # Profiles added up are one run.
        merged = self.path('merged.json')
        self.good_run('merge', *files, '-o', merged)
        document = self.compare(merged, files[0])
        self.assertEqual(document['base']['runs'], 1)
        self.assertTrue(any('counts as one run' in w for w in document['warnings']))
        for args, word in (((), 'nothing to compare'), (files[:3], "'--'"), ((files[0], '--'), 'no file'),
                           ((*files[:2], '--fail-above', 'x'), 'percents'),
                           ((*files[:2], '--format', 'x'), 'no format'), ((*files[:2], '--what'), 'not known'),
                           ((*files[:2], '--outputs', 'x', '--fail-above', '5'), 'two folders'),
                           ((*files[:2], '--outputs', self.dir), 'two folders')):
            self.assert_one_sentence(h.run('compare', *args), 2, word)
        self.assertEqual(h.run('compare', '--help').code, 0)

    def test_text_and_markdown(self):
        slower = self.side('worse', 8, lambda p: scaled(p, 1.2))
        text = h.run('compare', self.base, slower)
        self.assertEqual(text.code, 0, text)
        for part in ('Base: base (8 runs)', 'New:  worse (8 runs)', 'wall time', OPERATION[1], 'slower',
                     'The new side takes'):
            self.assertIn(part, text.out)
        self.assertTrue(all(len(line) <= 130 for line in text.out.splitlines()))
        report = self.path('report.md')
        self.assertEqual(h.run('compare', self.base, slower, '--format', 'markdown', '-o', report).code, 0)
        with open(report, encoding='utf-8') as file:
            lines = file.read().splitlines()
        tables = [line for line in lines if line.startswith('|')]
        self.assertGreater(len(tables), 10)
        self.assertEqual({line.replace('\\|', '').count('|') for line in tables}, {8})
        self.assertTrue(any('**slower**' in line for line in tables))
        self.assertEqual(lines[0], '## facemirror compare')

    def test_bad_files(self):
        good = os.path.join(self.base, 'run_00.json')
        cases = {'text.json': 'hello', 'old.json': '{"schema": "facemirror-profile/1"}', 'list.json': '[]',
                 'bench.json': '{"schema": "facemirror-bench/1"}', 'bench2.json': '{"schema": "facemirror-bench/2"}',
                 'deep.json': '[' * 100000, 'empty.json': ''}
        for name, content in cases.items():
            with open(self.path(name), 'w', encoding='ascii') as file:
                file.write(content)
            self.assert_one_sentence(h.run('compare', self.path(name), good), 4, name)
        self.assert_one_sentence(h.run('compare', self.path('none.json'), good), 3, 'none.json')
        os.mkdir(self.path('hollow'))
        self.assert_one_sentence(h.run('compare', self.path('hollow'), good), 3, 'holds no profile')


class Results(Sides):
    """Tables of one run, and a copy that differs by what is known."""
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.copy_tables('same', lambda name, header, row: row)

    @classmethod
    def copy_tables(cls, folder, change):
        os.mkdir(cls.path(folder))
        for name in ('face_landmarks.csv', 'face_left_mirrored.csv', 'face_right_mirrored.csv'):
            with open(cls.path('real', name), newline='', encoding='ascii') as source, \
                    open(cls.path(folder, name), 'w', newline='', encoding='ascii') as target:
                rows = csv.reader(source)
                header = next(rows)
                out = csv.writer(target, lineterminator='\n')
                out.writerow(header)
                out.writerows(change(name, header, row) for row in rows)
        return cls.path(folder)

    def results(self, folder, *args, code=0):
        result = h.run('compare', '--outputs', self.path('real'), self.path(folder), '--format', 'json', *args)
        self.assertEqual(result.code, code, result)
        return json.loads(result.out)['results']

    def test_the_same(self):
        found = self.results('same')
        self.assertEqual(found['landmarks']['pixels'], {'median': 0, 'p95': 0, 'max': 0, 'worst_frame': 0})
        self.assertEqual(found['landmarks']['frames'], 16)
        self.assertEqual({u['change']['max'] for side in ('left', 'right') for u in found[side]['units']}, {0})
        self.assertIn('nothing to compare', self.results('real')['why_not'])

    def test_a_known_shift(self):
        def change(name, header, row):
            row = list(row)
            frame = int(row[0])
            if name == 'face_landmarks.csv':
                for i, column in enumerate(header):
                    if column[:2] in ('x_', 'y_'):
                        row[i] = '%.3f' % (float(row[i]) + (3 if column[0] == 'x' else 4) * (2 if frame == 5 else 1))
            elif name == 'face_left_mirrored.csv' and frame == 7:
                at = header.index('AU12_r')
                value = float(row[at])
                row[at] = '%.3f' % (value + 0.5)
                at = header.index('AU12_c')
                row[at] = '0' if row[at] == '1' else '1'
            return row
        self.copy_tables('shifted', change)
        found = self.results('shifted')
        points = h.Landmarks(self.path('real', 'face_landmarks.csv'))
        pixels = found['landmarks']['pixels']
        self.assertAlmostEqual(pixels['median'], 5, places=3)
        self.assertAlmostEqual(pixels['max'], 10, places=3)
        self.assertEqual(pixels['worst_frame'], 5)
        share = found['landmarks']['share_of_eye_distance']
        self.assertAlmostEqual(share['max'], 10 / h.eye_distance(points.frames[5]), places=4)
        self.assertAlmostEqual(found['landmarks']['farthest_point_pixels'], 10, places=2)
        au12 = next(u for u in found['left']['units'] if u['name'] == 'AU12')
        self.assertAlmostEqual(au12['change']['max'], 0.5, places=5)
        self.assertEqual((au12['change']['worst_frame'], au12['presence_differs']), (7, 1))
        self.assertEqual({u['change']['max'] for u in found['right']['units']}, {0})
        self.results('shifted', '--fail-shift', '50%')
        self.results('shifted', '--fail-shift', '1%', code=20)
        text = h.run('compare', '--outputs', self.path('real'), self.path('shifted'))
        self.assertIn('median 5.0000 px', text.out)
        self.assertIn('AU12', text.out)

    def test_lost_faces_and_frames(self):
        def change(name, header, row):
            if int(row[0]) == 3:  # no face
                return row[:2] + ['0'] + [''] * (len(header) - 3) if name == 'face_landmarks.csv' else row
            return row
        folder = self.copy_tables('lost', change)
        table = os.path.join(folder, 'face_landmarks.csv')
        with open(table, encoding='ascii') as file:
            lines = file.readlines()
        with open(table, 'w', encoding='ascii') as file:
            file.writelines(lines[:-2])
        found = self.results('lost')['landmarks']
        self.assertEqual((found['frames'], found['face_in_one'], found['missing']), (13, 1, 2))

    def test_found_beside_the_profiles(self):
        shutil.copy(self.path('real', 'face_profile.json'), self.path('same', 'face_profile.json'))
        result = h.run('compare', self.path('real', 'face_profile.json'), self.path('same', 'face_profile.json'))
        self.assertEqual(result.code, 0, result)
        self.assertIn('Landmarks: 16 frames compared', result.out)

    def test_bad_tables(self):
        lines = {
            'no head': ('', 'empty'), 'no columns': ('a,b\n1,2\n', "'frame'"),
            'no number': ('frame,success,x_0,y_0\n0,1,a,2\n', "'a' is no number"),
            'short row': ('frame,success,x_0,y_0\n0,1\n', 'cells'),
            'twice': ('frame,success,x_0,y_0\n0,1,1,1\n0,1,1,1\n', 'comes twice'),
            'infinite': ('frame,success,x_0,y_0\n0,1,inf,1\n', 'no number'),
            'frame': ('frame,success,x_0,y_0\n-1,1,1,1\n', 'no whole number'),
            'binary': ('\0\0\0', 'no text'), 'long': ('a,' * 200000, 'longer'),
            'wide': ('a,' * 5000 + '\n', 'too many columns'),
        }
        fine = self.path('one point')
        os.mkdir(fine)
        with open(os.path.join(fine, 'face_landmarks.csv'), 'w', encoding='ascii') as file:
            file.write('frame, success, x_0, y_0\r\n0, 1, 1, 1\r\n')
        for name, (content, word) in lines.items():
            folder = self.path('bad ' + name)
            os.mkdir(folder)
            with open(os.path.join(folder, 'face_landmarks.csv'), 'w', encoding='ascii') as file:
                file.write(content)
            for order in ((folder, fine), (fine, folder)):
                self.assert_one_sentence(h.run('compare', '--outputs', *order), 4, 'face_landmarks.csv', word)
        other = fine
        result = h.run('compare', '--outputs', self.path('same'), other)
        self.assertEqual(result.code, 0, result)
        self.assertIn('478 points and 1 points', result.out)
        self.assert_one_sentence(h.run('compare', '--outputs', self.path('same'), other, '--fail-shift', '1'), 4,
                                 'fail-shift')
        self.assertIn('no table of results', h.run('compare', '--outputs', self.path('same'), self.base).out)


if __name__ == '__main__':
    h.require_script()
    h.main()
