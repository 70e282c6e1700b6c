"""bench: runs in turn, what is kept of them, what is refused before anything runs, and Ctrl-C."""
import json
import os
import signal
import subprocess
import time
import unittest

import harness as h

FRAMES = 16


def processes_with(text):
    """Command lines of running processes that name it."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as file:
                words = file.read().replace(b'\0', b' ').decode('utf-8', 'replace')
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


class Bench(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)
        cls.out = cls.path('out')
        cls.done = h.run('bench', cls.clip, '-o', cls.out, '--runs', '2', '--warmup', '1', '--config', 'A: --mode au',
                         '--config', "B: --mode 'au' --landmarks-csv")

    def document(self, folder):
        with open(os.path.join(folder, 'face_bench.json'), encoding='utf-8') as file:
            return json.load(file)

    def test_order_and_figures(self):
        self.assertEqual(self.done.code, 0, self.done)
        document = self.document(self.out)
        self.assertEqual((document['schema'], document['status']), ('facemirror-bench/1', 'ok'))
        order = sorted((run['position'], c['name'], run['warm_up']) for c in document['configurations']
                       for run in c['runs'])
        self.assertEqual(order, [(1, 'A', True), (2, 'B', True), (3, 'A', False), (4, 'B', False), (5, 'B', False),
                                 (6, 'A', False)])
        for c in document['configurations']:
            self.assertEqual(c['summary']['measured'], 2)
            self.assertIsNone(c['summary']['wall_seconds']['low'], 'two runs have no interval')
            walls = [run['wall_seconds'] for run in c['runs']]
            self.assertAlmostEqual(c['summary']['wall_seconds']['median'], sum(walls[1:]) / 2)
            self.assertAlmostEqual(c['summary']['average_of_three_seconds'], sum(walls) / 3)
            for run in c['runs']:
                self.assertEqual(run['frames'], FRAMES)
                self.assertGreater(run['process_seconds'], run['wall_seconds'])
                self.assertGreater(run['cpu_seconds'], 0)
                self.assertGreater(run['peak_rss_bytes'], 1 << 20)
                names = {o['name'] for o in run['operations']}
                self.assertEqual('landmarks_csv' in names, c['name'] == 'B')
                with open(os.path.join(self.out, run['profile']), encoding='utf-8') as file:
                    self.assertEqual(json.load(file)['run']['wall_seconds'], run['wall_seconds'])
            self.assertTrue(c['models'] and all(len(m['sha256']) == 64 for m in c['models']), c['models'])
            with open(os.path.join(self.out, c['merged_profile']), encoding='utf-8') as file:
                self.assertEqual(json.load(file)['runs'], 2)
        self.assertEqual(document['configurations'][1]['options'], "--mode 'au' --landmarks-csv")
        self.assertTrue(any('Fewer than 6 runs' in note for note in document['notes']), document['notes'])
        self.assertTrue(any('frames' in note for note in document['notes']), document['notes'])

    def test_text_progress_and_files(self):
        for part in ('Bench of face.mp4, 16 frames', '! Fewer than 6 runs', 'Configuration', '1 warm-up run',
                     'Base: A (2 runs)'):
            self.assertIn(part, self.done.out)
        lines = self.done.err.splitlines()
        self.assertEqual(len(lines), 6, self.done)
        self.assertRegex(lines[0], r'^run 1 of 6  A, warm-up  \d+\.\d+ s  \d+\.\d fps  elapsed 0:\d\d  ETA 0:\d\d$')
        self.assertEqual(sorted(os.listdir(self.out)), ['face_bench', 'face_bench.json'])
        kept = os.path.join(self.out, 'face_bench')
        self.assertEqual(sorted(os.listdir(kept)), ['A', 'A_profile.json', 'B', 'B_profile.json'])
        self.assertEqual(sorted(os.listdir(os.path.join(kept, 'B'))),
                         ['face_landmarks.csv', 'face_left_mirrored.csv', 'face_right_mirrored.csv', 'run_001.json',
                          'run_002.json', 'warm_up'])

    def test_compare_reads_it(self):
        path = os.path.join(self.out, 'face_bench.json')
        result = h.run('compare', path, '--format', 'json')
        self.assertEqual(result.code, 0, result)
        compared = json.loads(result.out)
        self.assertEqual([(compared[s]['name'], compared[s]['runs']) for s in ('base', 'new')], [('A', 2), ('B', 2)])
        self.assertEqual({u['change']['max'] for u in compared['results']['left']['units']}, {0}, 'the same results')
        self.assert_one_sentence(h.run('compare', path, path), 2, "'A', 'B'")
        self.assert_one_sentence(h.run('compare', path, path, '--base-config', 'C', '--new-config', 'A'), 2, "'C'")
        again = h.run('compare', path, path, '--base-config', 'A', '--new-config', 'A')
        self.assertEqual(again.code, 0, again)
        folders = h.run('compare', os.path.join(self.out, 'face_bench', 'A'), os.path.join(self.out, 'face_bench', 'B'))
        self.assertIn('(2 runs)', folders.out)

    def test_broken_documents(self):
        def first(document):
            return document['configurations'][0]
        lies = (
            (lambda d: d.pop('configurations'), 'configurations is missing'),
            (lambda d: d.update(configurations=[]), 'must not be empty'),
            (lambda d: d.update(configurations=9 * d['configurations']), 'more than 8'),
            (lambda d: first(d).update(name=7), 'configurations[0].name must be text'),
            (lambda d: first(d).update(runs={}), 'configurations[0].runs must be an array'),
            (lambda d: first(d)['runs'][1].update(frames=0), 'runs[1].frames must be 1 or more'),
            (lambda d: first(d)['runs'][1].update(wall_seconds=-1), 'runs[1].wall_seconds must be a number'),
            (lambda d: first(d)['runs'][1]['operations'][2].update(self_seconds=None), 'operations[2].self_seconds'),
            (lambda d: first(d).update(runs=300 * first(d)['runs']), 'more than 200 runs'),
            (lambda d: first(d).update(runs=first(d)['runs'][:1]), 'no measured run'),
        )
        bad = self.path('bad_bench.json')
        for lie, word in lies:
            document = self.document(self.out)
            lie(document)
            with open(bad, 'w', encoding='utf-8') as file:
                json.dump(document, file)
            self.assert_one_sentence(h.run('compare', bad), 4, word)

    def test_what_is_there_is_not_replaced(self):
        self.assert_one_sentence(h.run('bench', self.clip, '-o', self.out), 11, '--overwrite')
        other = os.path.join(self.out, 'face_bench', 'mine.txt')
        open(other, 'w', encoding='ascii').close()
        self.addCleanup(os.remove, other)
        self.assertEqual(self.document(self.out)['status'], 'ok')

    def test_refused_before_anything_runs(self):
        cases = (
            (('--config', 'no colon'), 2, 'NAME'), (('--config', '../x: '), 2, 'NAME'), (('--config', ': '), 2, 'NAME'),
            (('--config', 'a: --nosuch'), 2, '--nosuch'), (('--config', 'a: --mode film'), 2, 'film'),
            (('--config', 'a: other.mp4'), 2, 'other.mp4'), (('--config', 'a: -o x'), 2, '-o'),
            (('--config', 'a: --json'), 2, '--json'), (('--config', "a: --mode 'au"), 2, 'quote'),
            (('--config', 'a: --ep nosuch'), 2, 'nosuch'), (('--config', 'a: --models nosuch'), 8, 'nosuch'),
            (('--config', 'a:', '--config', 'a:'), 2, 'two configurations'), (('--runs', '0'), 2, '--runs'),
            (('--runs', '1000'), 2, '--runs'), (('--warmup', 'x'), 2, '--warmup'), (('second.mp4',), 2, 'second.mp4'),
        )
        for args, code, word in cases:
            result = h.run('bench', self.clip, '-o', self.path('none'), *args)
            self.assertEqual(result.code, code, result)
            self.assertIn(word, result.err)
            self.assertNotIn('run 1', result.err)
            self.assertFalse(os.path.exists(self.path('none')), args)
        # One bad configuration stops the good one, too.
        result = h.run('bench', self.clip, '-o', self.path('none'), '--config', 'good:', '--config', 'bad: --nosuch')
        self.assertEqual(result.code, 2)
        self.assertIn("'bad'; nothing was run", result.err)
        self.assert_one_sentence(h.run('bench', self.path('no.mp4'), '-o', self.path('none')), 3, 'no.mp4')
        self.assert_one_sentence(h.run('bench'), 2, 'no video')

    def test_a_run_that_fails(self):
        bad = self.path('bad.mp4')
        with open(bad, 'w', encoding='ascii') as file:
            file.write('no video at all')
        out = self.path('failed')
        result = h.run('bench', bad, '-o', out, '-q', '--config', 'only:')
        self.assert_one_sentence(result, 4, "'only'", 'bad.mp4')
        self.assertEqual(os.listdir(out), [])


class Stopped(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def stop(self, number, code, runs):
        """Interrupts a bench during the run behind so many."""
        out = self.path('out-%d-%d' % (number, runs))
        errors = out + '.err'
        with open(errors, 'wb') as err:
            process = h.start('bench', self.clip, '-o', out, '--runs', '100', '--warmup', '0', '--config',
                              'A: --mode au', stdout=subprocess.DEVNULL, stderr=err)
        limit = time.monotonic() + 60
        while time.monotonic() < limit and process.poll() is None:
            with open(errors, encoding='utf-8') as file:
                if file.read().count('\n') >= runs and processes_with(os.path.join(out, '.facemirror-bench-')):
                    break
            time.sleep(0.01)
        process.send_signal(number)
        h.wait(process)
        with open(errors, encoding='utf-8') as file:
            said = file.read()
        self.assertEqual(process.returncode, code, said)
        self.assertEqual(processes_with(out), [], 'a child is left')
        return out, said

    def test_ctrl_c_keeps_what_was_measured(self):
        out, said = self.stop(signal.SIGINT, 130, 2)
        self.assertEqual(sorted(os.listdir(out)), ['face_bench', 'face_bench.json'])
        with open(os.path.join(out, 'face_bench.json'), encoding='utf-8') as file:
            document = json.load(file)
        self.assertEqual(document['status'], 'interrupted')
        runs = document['configurations'][0]['runs']
        self.assertEqual(len(runs), sum(line.startswith('run ') for line in said.splitlines()))
        self.assertGreaterEqual(len(runs), 2)
        self.assertIn('stopped', said.splitlines()[-1])

    def test_stopped_before_the_first_run(self):
        out, said = self.stop(signal.SIGTERM, 143, 0)
        self.assertIn('nothing is written', said)
        self.assertEqual(os.listdir(out), [])


if __name__ == '__main__':
    h.require_script()
    h.main()
