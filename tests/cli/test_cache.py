"""The cache of optimised graphs, from outside: it is filled, used, and changes nothing in what a run writes."""
import json
import os
import shutil
import subprocess

import harness as h

TABLES = ('face_left_mirrored.csv', 'face_right_mirrored.csv', 'face_landmarks.csv')
DETECTOR = os.path.join(h.MODELS, 'face_detection_short_range.onnx')


class Cache(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=6)
        cls.wanted = cls.tables('plain', cls.path('none'), '--no-model-cache')

    @classmethod
    def tables(cls, out, cache, *args):
        """The tables of a run, as bytes."""
        result = h.run(cls.clip, '-o', cls.path(out), '-q', '--mode', 'au', '--landmarks-csv', '--overwrite', *args,
                       env=dict(h.program_env(), FACEMIRROR_CACHE=cache))
        assert result.code == 0 and not result.err, result
        found = []
        for name in TABLES:
            with open(os.path.join(cls.path(out), name), 'rb') as file:
                found.append(file.read())
        return found

    def graphs(self, cache):
        names = sorted(os.listdir(cache))
        self.assertTrue(all(len(name) == 70 and name.endswith('.graph') for name in names), names)
        return [os.path.join(cache, name) for name in names]

    def test_same_results(self):
        self.assertFalse(os.path.exists(self.path('none')), '--no-model-cache wrote into the cache')
        cache = self.path('cache')
        self.assertEqual(self.tables('first', cache), self.wanted)
        graphs = self.graphs(cache)
        self.assertEqual(len(graphs), 2) # detector and landmarker
        before = [os.stat(path).st_ino for path in graphs]
        self.assertEqual(self.tables('second', cache), self.wanted)
        self.assertEqual([os.stat(path).st_ino for path in graphs], before, 'graphs were written again')

    def test_damaged_graphs(self):
        cache = self.path('damaged')
        self.tables('first', cache)
        for path in self.graphs(cache):
            with open(path, 'r+b') as file:
                file.seek(os.path.getsize(path) // 2)
                file.write(b'damage' * 10)
        self.assertEqual(self.tables('after', cache), self.wanted)
        self.assertEqual(self.tables('after', cache), self.wanted)

    def test_no_folder_to_be_had(self):
        self.assertEqual(self.tables('first', os.path.join(self.clip, 'inside')), self.wanted)
        self.assertEqual(self.tables('first', '/proc/facemirror'), self.wanted)

    def test_default_folder(self):
        home = self.path('home')
        env = dict(h.program_env(), HOME=home)
        for name in ('FACEMIRROR_CACHE', 'XDG_CACHE_HOME'):
            env.pop(name, None)
        result = h.run('models', 'inspect', DETECTOR, '--runs', '0', env=env)
        self.assertEqual(result.code, 0, result)
        found = subprocess.run(['find', home, '-name', '*.graph'], stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertIn('facemirror/graphs/', found)

    def test_inspect(self):
        cache = self.path('inspected')
        reports = []
        for more in ([], [], ['--no-model-cache']):
            result = h.run('models', 'inspect', DETECTOR, '--json', '--runs', '2', *more,
                           env=dict(h.program_env(), FACEMIRROR_CACHE=cache))
            self.assertEqual(result.code, 0, result)
            reports.append(json.loads(result.out))
        self.assertEqual([r['from_cache'] for r in reports], [False, True, False])
        for key in ('breakdown', 'inputs', 'outputs', 'parameters', 'weight_bytes', 'backend'):
            self.assertEqual(reports[0][key], reports[1][key])
        self.assertEqual(len(self.graphs(cache)), 1)
        shutil.rmtree(cache)


if __name__ == '__main__':
    h.require_script()
    h.main()
