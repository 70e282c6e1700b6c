"""models add, list, remove and verify, in a data folder of each test's own. Graphs are small ones with the right
inputs and outputs, since nothing runs them here."""
import hashlib
import json
import os
import resource
import shutil
import signal
import time

import harness as h
import small_onnx

TFLITE = os.path.join(h.SOURCE, 'deps', 'tflite')
TASK = os.path.join(h.SHARED, 'models', 'face_landmarker.task')

# Inputs and outputs of OpenFace 3.0's files; of STAR's many outputs, those that matter here.
FACES = ([('input', (1, 3, None, None))], [('loc', (1, 70, 4)), ('conf', (1, 70, 2)), ('landms', (1, 70, 10))])
POINTS = ([('input_image', (1, 3, 256, 256))],
          [('output', (1, 98, 2)), ('heatmap', (1, 98, 64, 64)), ('landmarks', (1, 9, 64, 64)), ('4321', (1, 98, 2))])
UNITS = ([('input_face', (1, 3, 224, 224))],
         [('emotion_output', (1, 8)), ('gaze_output', (1, 2)), ('au_output', (1, 8))])
FILES = ('retinaface_mobilenet025_coreml.onnx', 'star_landmark_98_coreml.onnx', 'mtl_efficientnet_b0_coreml.onnx')


def digest(path):
    return hashlib.sha256(open(path, 'rb').read()).hexdigest()


class PackCase(h.Case):
    def setUp(self):
        self.home = self.path(self._testMethodName)
        self.source = os.path.join(self.home, 'source')
        self.packs = os.path.join(self.home, 'data', 'facemirror', 'packs')
        os.makedirs(self.source)
        self.env = dict(h.program_env(), XDG_DATA_HOME=os.path.join(self.home, 'data'),
                        FACEMIRROR_MODELS=os.path.join(self.home, 'nothing'))
        for file, graph in zip(FILES, (FACES, POINTS, UNITS)):
            small_onnx.model(os.path.join(self.source, file), *graph)

    def models(self, *args, **options):
        return h.run('models', *args, env=self.env, **options)

    def add(self, *args):
        result = self.models('add', *(args or (self.source,)))
        self.assertEqual((result.code, result.err), (0, ''), result)
        return result

    def installed(self, *names):
        return os.path.join(self.packs, *names)

    def listed(self):
        """The packs by name, without one that the build or the system brings."""
        packs = json.loads(self.good_run('models', 'list', '--json', env=self.env).out)['packs']
        return {p['name'] or p['dir']: p for p in packs if p['dir'].startswith(self.home)}

    def findings(self, *args, code=8):
        result = self.models('verify', *args, '--json')
        self.assertEqual(result.code, code, result)
        return [(f['model'], f['message']) for p in json.loads(result.out)['packs'] for f in p['findings']]

    def assert_nothing_added(self, folder=None):
        folder = folder or self.packs
        self.assertEqual(os.listdir(folder) if os.path.isdir(folder) else [], [])

    def assert_refused(self, *parts, code=8, args=None):
        self.assert_one_sentence(self.models('add', *(args or (self.source,))), code, *parts)
        self.assert_nothing_added()

    def times(self):
        folder = self.installed('openface3')
        return {file: os.stat(os.path.join(folder, file)).st_mtime_ns for file in os.listdir(folder)}

    def edit_manifest(self, folder, change):
        path = os.path.join(folder, 'pack.json')
        manifest = json.load(open(path))
        change(manifest)
        json.dump(manifest, open(path, 'w'))


class Adding(PackCase):
    def test_openface3(self):
        out = self.add().out
        self.assertIn('openface3: 3 models in ' + self.installed('openface3'), out)
        self.assertIn('noncommercial', out)
        pack = self.listed()['openface3']
        self.assertEqual(pack['findings'], [])
        self.assertEqual([(m['name'], m['role'], m['decoding'], m['topology'], m['width']) for m in pack['models']],
                         [('RetinaFace', 'detector', 'retinaface', None, 0),
                          ('STAR', 'landmarker', 'star', 'wflw98', 256),
                          ('MTL', 'au_estimator', 'openface_mtl', None, 224)])
        for model, file in zip(pack['models'], FILES):
            self.assertEqual(model['sha256'], digest(os.path.join(self.source, file)))
            self.assertEqual(digest(self.installed('openface3', model['file'])), model['sha256'])
        manifest = json.load(open(self.installed('openface3', 'pack.json')))
        self.assertEqual(manifest['models'][2]['units'], [1, 2, 4, 6, 9, 12, 25, 26])
        self.assertEqual(sorted(os.listdir(self.installed('openface3'))),
                         sorted(['pack.json'] + [m['file'] for m in pack['models']]))
        self.assertEqual(self.findings('openface3', code=0), [])

    def test_other_names_and_sizes(self):
        """Names without _coreml; a fixed input size and another name of the input go into the manifest."""
        for file in FILES:
            os.rename(os.path.join(self.source, file), os.path.join(self.source, file.replace('_coreml', '')))
        small_onnx.model(os.path.join(self.source, 'retinaface_mobilenet025.onnx'), [('x', (1, 3, 480, 640))], FACES[1])
        self.add(self.source, '--name', 'mine', '--quiet')
        manifest = json.load(open(self.installed('mine', 'pack.json')))
        self.assertEqual(manifest['name'], 'mine')
        entry = manifest['models'][0]['input']
        self.assertEqual((entry['name'], entry['width'], entry['height']), ('x', 640, 480))

    def test_mediapipe(self):
        if not os.path.isdir(TFLITE):
            self.skipTest('no %s; run `make setup`' % TFLITE)
        place = os.path.join(self.home, 'a place', 'models')
        self.add(TFLITE, '--to', place)
        self.assert_nothing_added()
        self.env['FACEMIRROR_MODELS'] = place
        pack = self.listed()['mediapipe']
        self.assertTrue(pack['default'])
        self.assertEqual([(m['role'], m['variant'], m['topology']) for m in pack['models']],
                         [('detector', None, None), ('landmarker', 'attention', 'mesh478'),
                          ('landmarker', 'plain', 'mesh468')])
        self.assertEqual(self.findings(place, code=0), [])
        # The pack is a source, too, and so are its files alone.
        self.add(place)
        self.assertFalse(self.listed()['mediapipe']['findings'])
        os.remove(os.path.join(place, 'pack.json'))
        self.add(place, '--overwrite')
        self.assertEqual(self.findings('mediapipe', code=0), [])

    def test_bundle(self):
        if not os.path.isfile(TASK):
            self.skipTest('no %s' % TASK)
        self.add(TASK)
        pack = self.listed()['face_landmarker']
        self.assertEqual([m['decoding'] for m in pack['models']], ['blazeface', 'facemesh_v2', 'blendshapes'])
        self.assertEqual(self.findings('face_landmarker', code=0), [])

    def test_incomplete(self):
        os.remove(os.path.join(self.source, FILES[1]))
        os.remove(os.path.join(self.source, FILES[2]))
        self.assert_refused('lacks ' + FILES[1], FILES[2])
        os.remove(os.path.join(self.source, FILES[0]))
        self.assert_refused('neither a manifest', "OpenFace 3.0's three .onnx files")
        self.assert_refused('cannot open', code=3, args=(os.path.join(self.home, 'none'),))
        self.assert_refused('bundle', args=(os.path.join(h.SOURCE, 'meson.build'),))

    def test_wrong_graphs(self):
        def case(index, inputs, outputs, *parts):
            path = os.path.join(self.source, FILES[index])
            kept = open(path, 'rb').read()
            small_onnx.model(path, inputs, outputs)
            self.assert_refused(FILES[index], *parts)
            open(path, 'wb').write(kept)
        case(0, *FACES[:1], FACES[1][:2], "has no output 'landms' (points)")
        case(0, FACES[0], [('loc', (1, 70, 5))] + FACES[1][1:], "output 'loc'", '1x70x5', 'rows of 4 values')
        case(0, [('input', (1, 1, None, None))], FACES[1], '1x1x?x? where 1x3x?x? (any size) is expected')
        case(1, POINTS[0], POINTS[1][:3], "output 'landmarks'", '1x9x64x64 where 196 values are expected')
        case(1, [('input_image', (1, 3, 192, 256))], POINTS[1], '1x3x192x256 where 1x3x256x256 is expected')
        case(2, UNITS[0] + [('more', (1, 3))], UNITS[1], 'has 2 inputs where openface_mtl has one')
        case(2, UNITS[0], UNITS[1][:2] + [('au_output', (1, 12))], '1x12 where 8 values are expected (units)')
        open(os.path.join(self.source, FILES[2]), 'w').write('no graph')
        self.assert_refused(FILES[2])

    def test_name_clash(self):
        self.add()
        before = self.times()
        self.assert_one_sentence(self.models('add', self.source), 11, 'exists already', '--overwrite')
        self.assertEqual(self.times(), before)
        small_onnx.model(os.path.join(self.source, FILES[0]), [('other', (1, 3, None, None))], FACES[1])
        self.add(self.source, '--overwrite')
        self.assertEqual(os.listdir(self.packs), ['openface3'])
        manifest = json.load(open(self.installed('openface3', 'pack.json')))
        self.assertEqual(manifest['models'][0]['input']['name'], 'other')
        # A replacement that fails leaves what was there.
        open(os.path.join(self.source, FILES[2]), 'w').write('no graph')
        self.assert_one_sentence(self.models('add', self.source, '--overwrite'), 8, FILES[2])
        self.assertEqual(os.listdir(self.packs), ['openface3'])
        self.assertEqual(self.findings('openface3', code=0), [])

    def test_what_is_not_a_pack_is_not_replaced(self):
        place = os.path.join(self.home, 'documents')
        os.makedirs(place)
        open(os.path.join(place, 'letter'), 'w').write('dear')
        for option in ((), ('--overwrite',)):
            result = self.models('add', self.source, '--to', place, *option)
            self.assertEqual(result.code, 6 if option else 11, result)
        os.remove(os.path.join(place, 'letter'))
        self.add(self.source, '--to', place + '/')  # an empty folder may be the pack's
        open(os.path.join(place, 'letter'), 'w').write('dear')
        self.assert_one_sentence(self.models('add', self.source, '--to', place, '--overwrite'), 6, "also has 'letter'")
        os.symlink(place, os.path.join(self.home, 'link'))
        result = self.models('add', self.source, '--to', os.path.join(self.home, 'link'), '--overwrite')
        self.assert_one_sentence(result, 6, 'it is no folder')
        self.assert_one_sentence(self.models('add', self.source, '--to', '.'), 6, 'names no folder')
        self.assertEqual(sorted(os.listdir(self.home)), ['documents', 'link', 'source'])

    def test_usage(self):
        self.assert_one_sentence(self.models('add'), 2, 'one folder or file')
        self.assert_one_sentence(self.models('add', self.source, 'b'), 2, 'one folder or file')
        self.assert_one_sentence(self.models('add', self.source, '--name', '../x'), 2, 'no name for a pack')
        self.assert_one_sentence(self.models('add', self.source, '--bogus'), 2, '--bogus')
        self.assertIn('Usage: facemirror models add', self.good_run('models', 'add', '--help').out)
        self.assert_nothing_added()


class Mishaps(PackCase):
    """The disk, other processes, signals."""

    def test_manifest_and_files_disagree(self):
        self.add(self.source, '--to', os.path.join(self.home, 'pack'))
        pack = os.path.join(self.home, 'pack')
        self.add(pack, '--name', 'copy')
        self.assertEqual(self.listed()['copy']['findings'], [])
        shutil.rmtree(self.installed('copy'))
        star = os.path.join(pack, 'star_landmark_98.onnx')
        kept = open(star, 'rb').read()
        open(star, 'ab').write(b'\0')
        self.assert_refused('star_landmark_98.onnx', 'its SHA-256 is', args=(pack,))
        os.remove(star)
        self.assert_refused('star_landmark_98.onnx', args=(pack,))
        open(os.path.join(self.home, 'elsewhere'), 'wb').write(kept)
        os.symlink(os.path.join(self.home, 'elsewhere'), star)
        self.assert_refused('is a link', args=(pack,))
        os.remove(star)
        open(star, 'wb').write(kept)
        self.edit_manifest(pack, lambda m: m['models'][1]['outputs'].update(points='heat'))
        self.assert_refused("has no output 'heat'", args=(pack,))
        self.edit_manifest(pack, lambda m: m['models'][1].update(file='../source/' + FILES[1]))
        self.assert_refused('models[1].file must consist of', args=(pack,))

    def test_full_disk(self):
        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        result = self.models('add', self.source, preexec_fn=little_room)
        self.assert_one_sentence(result, 6, 'cannot write')
        self.assert_nothing_added()

    def test_unwritable(self):
        open(os.path.join(self.home, 'data'), 'w').close()
        result = self.models('add', self.source)
        self.assert_one_sentence(result, 6, os.path.join(self.home, 'data'))
        self.env['XDG_DATA_HOME'] = ''
        self.env['HOME'] = ''
        self.assert_one_sentence(self.models('add', self.source), 6, 'set HOME')
        if os.geteuid() != 0:
            place = os.path.join(self.home, 'locked')
            os.mkdir(place, 0o500)
            self.assert_one_sentence(self.models('add', self.source, '--to', os.path.join(place, 'pack')), 6, place)

    def test_what_a_crash_left_is_taken_over(self):
        os.makedirs(self.installed('.openface3.partial'))
        for name in ('star_landmark_98.onnx', '.pack.json.partial'):
            open(self.installed('.openface3.partial', name), 'w').write('half')
        self.assertEqual(self.listed(), {})
        self.add()
        self.assertEqual(os.listdir(self.packs), ['openface3'])

    def test_killed(self):
        """Whenever the signal comes: the pack is whole, or it is not there."""
        times = ((signal.SIGTERM, 0.02), (signal.SIGTERM, 0.05), (signal.SIGKILL, 0.03), (signal.SIGKILL, 0.06))
        for sent, delay in times:
            process = h.start('models', 'add', self.source, '-q', env=self.env, stdout=-3, stderr=-3)
            time.sleep(delay)
            process.send_signal(sent)
            h.wait(process)
            self.assertIn(process.returncode, (0, 143, -signal.SIGTERM, -signal.SIGKILL))
            if os.path.exists(self.installed('openface3')):
                self.assertEqual(self.findings('openface3', code=0), [])
                self.models('remove', 'openface3')
        self.add()
        self.assertEqual(os.listdir(self.packs), ['openface3'])

    def test_several_at_once(self):
        for option in (), ('--overwrite',):
            started = [h.start('models', 'add', self.source, '-q', *option, env=self.env, stdout=-3, stderr=-3)
                       for _ in range(4)]
            for process in started:
                h.wait(process)
            codes = sorted(p.returncode for p in started)
            self.assertLessEqual(set(codes), {0, 6, 11})
            self.assertGreaterEqual(codes.count(0), 1)
            if not option:
                self.assertEqual(codes.count(0), 1, codes)
            self.assertEqual(os.listdir(self.packs), ['openface3'])
            self.assertEqual(self.findings('openface3', code=0), [])


class Looking(PackCase):
    def test_broken_packs_are_listed(self):
        self.add()
        self.add(self.source, '--name', 'second')
        os.makedirs(self.installed('third'))
        open(self.installed('third', 'pack.json'), 'w').write('{"format": 7}')
        os.remove(self.installed('second', 'star_landmark_98.onnx'))
        packs = self.listed()
        self.assertEqual(sorted(packs), ['openface3', 'second', 'third'])
        self.assertEqual(packs['openface3']['findings'], [])
        self.assertEqual([f['model'] for f in packs['second']['findings']], ['STAR'])
        self.assertIsNone(packs['third']['models'])
        self.assertIn('format must be 1', packs['third']['findings'][0]['message'])
        text = self.good_run('models', 'list', env=self.env).out
        self.assertIn("BROKEN: STAR: its file 'star_landmark_98.onnx' is missing", text)
        self.assertRegex(text, r'landmarker +STAR +- +256x256 +wflw98 +star_landmark_98.onnx')
        self.assertRegex(text, r'(?m)^third  \S+/third\n  BROKEN: .*format must be 1')

    def test_verify_misses_what_a_run_needs(self):
        self.add()
        self.edit_manifest(self.installed('openface3'), lambda m: m['models'].pop(0))
        self.assertEqual(self.findings('openface3'), [('detector', 'there is none, and a run needs one')])

    def test_verify_tells_all(self):
        self.add()
        self.assertIn(': sound', self.good_run('models', 'verify', 'openface3', env=self.env).out)
        open(self.installed('openface3', 'mtl_efficientnet_b0.onnx'), 'ab').write(b'\0')
        os.remove(self.installed('openface3', 'star_landmark_98.onnx'))
        # A graph that is the file which the manifest means, but not what it says of it.
        face = self.installed('openface3', 'retinaface_mobilenet025.onnx')
        small_onnx.model(face, [('input', (1, 3, 64, 64))], FACES[1])
        self.edit_manifest(self.installed('openface3'), lambda m: m['models'][0].update(sha256=digest(face)))
        for args in (('openface3',), (self.installed('openface3'),)):
            found = self.findings(*args)
            self.assertEqual([model for model, _ in found], ['RetinaFace', 'STAR', 'MTL'])
            parts = ('1x3x64x64 where 1x3x?x?', 'star_landmark_98.onnx', 'its SHA-256 is')
            for (_, message), part in zip(found, parts):
                self.assertIn(part, message)
        result = self.models('verify', 'openface3')
        self.assert_one_sentence(result, 8, '1 of 1 packs')
        self.assertEqual(result.out.count('BROKEN'), 3)
        result = self.models('verify')
        self.assertEqual(result.code, 8)
        self.assert_one_sentence(self.models('verify', 'nope'), 8, "'nope' is neither", 'installed: openface3')
        self.assertIn('no such file'.lower(), self.findings('./nope')[0][1].lower())

    def test_remove(self):
        self.add()
        self.add(self.source, '--name', 'second')
        self.assertIn('removed', self.good_run('models', 'remove', 'second', env=self.env).out)
        self.assertEqual(os.listdir(self.packs), ['openface3'])
        self.assert_one_sentence(self.models('remove', 'second'), 8, "no pack 'second'")
        for bad in ('../packs', '.', '/', self.installed('openface3'), ''):
            self.assert_one_sentence(self.models('remove', bad), 2, 'no name of a pack')
        self.assert_one_sentence(self.models('remove'), 2, 'name of a pack')
        # What is not the pack's stays, and so does what a link leads to.
        open(self.installed('openface3', 'notes'), 'w').write('mine')
        self.assertIn('its folder stays', self.good_run('models', 'remove', 'openface3', env=self.env).out)
        self.assertEqual(os.listdir(self.installed('openface3')), ['notes'])
        place = os.path.join(self.home, 'elsewhere')
        self.add(self.source, '--to', place)
        os.symlink(place, self.installed('linked'))
        self.assert_one_sentence(self.models('remove', 'linked'), 6, 'is a link')
        self.assertEqual(len(os.listdir(place)), 4)
        os.makedirs(self.installed('broken'))
        open(self.installed('broken', 'pack.json'), 'w').write('{')
        self.assert_one_sentence(self.models('remove', 'broken'), 8, 'is not removed', 'no JSON')
        self.assertEqual(os.listdir(self.installed('broken')), ['pack.json'])

    def test_the_example_of_the_documentation(self):
        text = open(os.path.join(h.SOURCE, 'docs', 'models.md'), encoding='utf-8').read()
        open(os.path.join(self.source, 'pack.json'), 'w').write(text.split('```json\n')[1].split('```')[0])
        found = self.findings(self.source)
        self.assertEqual([model for model, _ in found], ['RetinaFace', 'STAR'])  # its files alone are missing
        self.assertTrue(all('No such file' in message for _, message in found), found)

    def test_help(self):
        text = self.good_run('models', '--help').out
        for action in ('add', 'list', 'remove', 'verify', 'inspect', 'import'):
            self.assertIn('facemirror models ' + action, text)
            self.assertIn('Usage: facemirror models ' + action, self.good_run('models', action, '--help').out)
        self.assert_one_sentence(self.models('burn'), 2, "'burn' is no action")
        self.assert_one_sentence(self.models('list', 'x'), 2, "'x'")
        self.assert_one_sentence(self.models('verify', 'x', 'y'), 2, "'y'")
        self.assertEqual(h.run('models').code, 2)


if __name__ == '__main__':
    h.main()
