"""facemirror doctor from outside: its object, its text, and its verdict when something is missing.

Tests of the class Accelerator use OpenVINO's plug-in as test_providers.py does.
"""
import json
import os

import harness as h

PLUGIN = os.environ.get('FACEMIRROR_EP_LIBRARY') or os.environ.get('FACEMIRROR_EP_DEFAULT', '')
SHIM = os.environ.get('FACEMIRROR_EP_SHIM', '')

PROVIDERS = ['cpu', 'coreml', 'tensorrt_rtx', 'tensorrt', 'cuda', 'migraphx', 'qnn', 'openvino', 'webgpu', 'xnnpack']
CHECKS = ['perf_paranoid', 'perf_task_clock', 'perf_cycles', 'energy', 'ptrace', 'nvml']
SECTIONS = ['Program', 'Inference', 'Models', 'Video', 'Machine', 'Measuring the system', 'Verdict']


class DoctorCase(h.Case):
    def doctor(self, *args, code=0, **options):
        """The object, after what holds of every one of them."""
        result = h.run('doctor', '--json', *args, **options)
        self.assertEqual((result.code, result.err), (code, ''), result)
        found = json.loads(result.out)
        self.assertEqual(list(found), ['facemirror', 'build', 'clock', 'runtime', 'models', 'video', 'machine',
                                       'permissions', 'verdict'])
        self.check_runtime(found['runtime'])
        self.check_video(found['video'])
        self.check_machine(found['machine'])
        self.check_verdict(found, code)
        return found

    def check_runtime(self, runtime):
        self.assertRegex(runtime['version'], r'^1\.\d+')
        self.assertTrue(os.path.isfile(runtime['library']), runtime['library'])
        names = [p['name'] for p in runtime['providers']]
        self.assertEqual(names[:len(PROVIDERS)], PROVIDERS)
        for p in runtime['providers']:
            self.assertIn(p['state'], ('works', 'fails', 'not_built', 'needs_plugin'))
            self.assertTrue(p['full_name'].endswith('ExecutionProvider'), p)
            works = p['state'] == 'works'
            for key in ('load_seconds', 'run_seconds', 'difference'):
                self.assertEqual(p[key] is not None, works, p)
            self.assertEqual(p['reason'] is None, works, p)
            if p['state'] in ('not_built', 'needs_plugin'):
                self.assertFalse(p['builtin'] or p['devices'], p)
                self.assertTrue(p['advice'], p)
            for device in p['devices']:
                self.assertIn(device['type'], ('cpu', 'gpu', 'npu'))

    def check_video(self, video):
        self.assertTrue({'libavcodec', 'libavformat', 'libavutil', 'libswscale'} <= set(video['libraries']))
        for version in video['libraries'].values():
            self.assertRegex(version, r'^\d+\.\d+\.\d+$')
        self.assertEqual([e['name'] for e in video['encoders']][:5],
                         ['h264_videotoolbox', 'h264_nvenc', 'h264_qsv', 'h264_vaapi', 'libx264'])
        for e in video['encoders']:
            self.assertEqual(e['reason'] is None, e['works'], e)
        self.assertEqual([d['format'] for d in video['decoders']], ['h264', 'hevc', 'vp9', 'av1', 'mpeg4'])
        has_x264 = h.has_encoder('libx264')
        self.assertEqual([e['works'] for e in video['encoders'] if e['name'] == 'libx264'], [has_x264])

    def check_machine(self, machine):
        self.assertEqual(machine['cpu_count'], os.cpu_count())
        self.assertGreater(machine['memory_bytes'], machine['memory_available_bytes'])
        self.assertGreaterEqual(machine['swap_bytes'], machine['swap_free_bytes'])
        self.assertTrue(machine['os'].startswith(os.uname().sysname))

    def check_verdict(self, found, code):
        verdict = found['verdict']
        self.assertEqual(verdict['exit_code'], code)
        self.assertEqual(verdict['status'], {0: 'ok', 8: 'model', 9: 'runtime'}[code])
        self.assertEqual(bool(verdict['lacks']), code != 0)
        works = [e['name'] for e in found['video']['encoders'] if e['works']]
        self.assertEqual(verdict['encoder'], works[0] if works else None)
        providers = found['runtime']['providers']
        self.assertEqual(verdict['providers'], [p['name'] for p in providers if p['state'] == 'works'])


class OnCpu(DoctorCase):
    def env(self, **changes):
        return dict(h.program_env(), FACEMIRROR_CACHE=self.path('cache'), XDG_DATA_HOME=self.path('data'), **changes)

    def test_object(self):
        found = self.doctor(env=self.env())
        self.assertIn('cpu', found['verdict']['providers'])
        self.assertEqual([c['id'] for c in found['permissions']], CHECKS)
        for c in found['permissions']:
            self.assertIn(c['state'], ('ok', 'absent', 'denied'))
            self.assertTrue(c['detail'])
            self.assertTrue(c['fix'] is None or c['state'] == 'denied', c)
        self.assertGreater(found['clock']['scope_ns'], 0)
        self.assertEqual(found['clock']['name'] == 'tsc' and found['clock']['reason'] is not None, False)
        self.assertEqual(bool(found['build']['sanitizers']), h.SANITIZED)
        pack = found['models']['pack']
        self.assertEqual((pack['name'], pack['error']), ('mediapipe', None))
        self.assertTrue(os.path.samefile(pack['folder'], h.MODELS))
        self.assertEqual({m['role'] for m in pack['models']}, {'detector', 'landmarker'})
        self.assertEqual([m['error'] for m in pack['models']], [None] * len(pack['models']))
        self.assertEqual(found['models']['installed'], [])
        self.assertEqual(found['models']['cache'], {'folder': self.path('cache'), 'entries': 0, 'bytes': 0})

    def test_it_changes_nothing(self):
        folder = self.path('empty')
        os.mkdir(folder)
        found = self.doctor(cwd=folder, env=self.env())
        self.assertEqual(os.listdir(folder), [])
        self.assertFalse(os.path.exists(self.path('cache')) or os.path.exists(self.path('data')))
        machine = found['machine']
        self.assertEqual((machine['folder'], machine['folder_writable']), (os.path.realpath(folder), True))

    def test_text(self):
        text = self.good_run('doctor').out
        at = [text.index('\n' + name + '\n') for name in SECTIONS]
        self.assertEqual(at, sorted(at))
        for line in text.splitlines():
            self.assertLessEqual(len(line), 110 if ' /' not in line else 400, line)
        for part in (r'\n  \[ok\] ONNX Runtime 1\.\d+', r'\n  \[ok\] cpu +runs a small network in [\d.]+ ms',
                     r'\n  \[ok\] default pack +mediapipe, in ', r'\n  \[ok\] libx264 +encodes 1280x720 ',
                     r'\n  \[(ok|--|!!)\] hardware cycles ', r'\n  A run is possible: .*, videos by \w+\.'):
            self.assertRegex(text, part)

    def test_without_models(self):
        for models, part in ((self.path('none'), 'pack.json'), ('no-such-pack', 'no-such-pack')):
            found = self.doctor('--models', models, code=8, env=self.env())
            self.assertIn(part, found['models']['pack']['error'])
            self.assertIn(part, found['verdict']['lacks'][0])
            result = h.run('doctor', '--models', models)
            self.assertEqual((result.code, result.err), (8, ''), result)
            self.assertIn('A run is not possible here:\n  - ', result.out)

    def test_with_a_damaged_model(self):
        folder = self.path('damaged')
        h.shutil.copytree(h.MODELS, folder)
        with open(os.path.join(folder, 'face_detection_short_range.onnx'), 'r+b') as model:
            model.write(b'broken')
        found = self.doctor('--models', folder, code=8, env=self.env())
        errors = {m['file']: m['error'] for m in found['models']['pack']['models']}
        self.assertIn('face_detection_short_range.onnx', errors.pop('face_detection_short_range.onnx'))
        self.assertEqual(set(errors.values()), {None})

    def test_with_a_bad_library(self):
        found = self.doctor('--ep-library', self.path('none.so'), '--ep-library', __file__, code=9)
        errors = [p['error'] for p in found['runtime']['plugins']]
        self.assertIn('none.so', errors[0])
        self.assertIn('test_doctor.py', errors[1])
        self.assertEqual(len(found['verdict']['lacks']), 2)

    def test_usage(self):
        self.assertIn('Usage: facemirror doctor', self.good_run('doctor', '--help').out)
        self.assertIn('facemirror doctor', self.good_run('--help').out)
        self.assert_one_sentence(h.run('doctor', 'clip.mp4'), 2, "'clip.mp4'")
        self.assert_one_sentence(h.run('doctor', '--ep-option', 'x'), 2, 'key=value')
        self.assert_one_sentence(h.run('doctor', '--ep-library'), 2, 'needs a value')
        self.assert_one_sentence(h.run('doctor', '--no-such'), 2, '--no-such')

    def test_a_full_disk_is_told(self):
        for args in ((), ('--json',)):
            with open('/dev/full', 'wb') as full:
                process = h.start('doctor', *args, stdout=full, stderr=h.subprocess.PIPE)
                err = process.communicate(timeout=h.RUN_LIMIT_SECONDS)[1].decode()
            self.assertEqual(process.returncode, 7, err)
            self.assertIn('the findings', err)


class Accelerator(DoctorCase):
    @classmethod
    def make_inputs(cls):
        if h.SANITIZED:
            h.skip_script('OpenVINO loads libraries with RTLD_DEEPBIND, which a sanitizer build refuses')
        if not SHIM or not os.path.isfile(PLUGIN):
            h.skip_script('no OpenVINO plug-in at %r; FACEMIRROR_EP_LIBRARY can name it' % PLUGIN)
        os.environ['FACEMIRROR_EP_SHIM_OF'] = PLUGIN

    def openvino(self, found):
        (one,) = [p for p in found['runtime']['providers'] if p['name'] == 'openvino']
        return one

    def test_it_works(self):
        found = self.doctor('--ep-library', SHIM)
        self.assertEqual(found['runtime']['plugins'], [{'file': SHIM, 'error': None, 'devices': 1}])
        openvino = self.openvino(found)
        self.assertEqual((openvino['state'], openvino['builtin']), ('works', False))
        self.assertLess(openvino['difference'], 0.02)
        (device,) = openvino['devices']
        self.assertEqual((device['type'], device['vendor'], device['vendor_id']), ('cpu', 'Intel', 0x8086))
        self.assertEqual(found['verdict']['providers'], ['cpu', 'openvino'])
        text = self.good_run('doctor', '--ep-library', SHIM).out
        self.assertRegex(text, r'\n  \[ok\] openvino +plug-in; runs a small network in [\d.]+ ms')
        self.assertIn('device=cpu: Intel (8086:', text)
        self.assertIn('each model on the fastest of cpu, openvino (by a trial)', text)

    def test_its_own_words_when_it_does_not(self):
        found = self.doctor('--ep-library', SHIM, '--ep-option', 'load_config={broken')
        openvino = self.openvino(found)
        self.assertEqual(openvino['state'], 'fails')
        self.assertIn('JSON parsing error', openvino['reason'])
        self.assertNotIn('openvino', found['verdict']['providers'])
        found = self.doctor('--ep-library', SHIM, '--ep-option', 'device=npu')
        self.assertIn("no device 'npu'", self.openvino(found)['reason'])


if __name__ == '__main__':
    h.require_script(portrait=False)
    h.main()
