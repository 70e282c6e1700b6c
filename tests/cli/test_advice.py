"""Findings of real runs that were made slow in a known place (FACEMIRROR_SLOW), and what they offer."""
import glob
import json
import os
import re

import harness as h

PLUGIN = os.environ.get('FACEMIRROR_EP_LIBRARY') or os.environ.get('FACEMIRROR_EP_DEFAULT', '')
SHIM = os.environ.get('FACEMIRROR_EP_SHIM', '')
FRAMES = 64  # fewer than 60 give no HIGH


class Case(h.Case):
    @classmethod
    def make_inputs(cls):
        if h.SANITIZED:
            h.skip_script('the times of a sanitizer build mean nothing')
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def findings(self, name, slow, *args):
        """Runs with stages slowed; the report's text and the findings of its profile."""
        out = self.path(name)
        result = h.run(self.clip, '-o', out, *args, env=dict(h.program_env(), FACEMIRROR_SLOW=slow))
        self.assertEqual(result.code, 0, result)
        profile = json.load(open(os.path.join(out, 'face_profile.json'), encoding='utf-8'))
        self.profile_path, self.profile = os.path.join(out, 'face_profile.json'), profile
        return result.out, profile['findings']

    def assert_first(self, text, findings, rule, operation):
        first, rules = findings['list'][0], rule if isinstance(rule, tuple) else (rule,)
        self.assertIn(first['rule'], rules, json.dumps(findings['list'], indent=1))
        self.assertEqual(first['priority'], 'HIGH')
        self.assertEqual(findings['bottleneck']['operation'], operation)
        self.assertRegex(text, r'(?m)^%s .*<-- BOTTLENECK$' % re.escape(operation))
        self.assertEqual(text.count('<-- BOTTLENECK'), 1)
        self.assertIn('[%s]' % first['rule'], text[text.index('\nFINDINGS\n'):].split('\n 2. ')[0])
        return first


class Stages(Case):
    def test_a_slowed_model_is_named_first(self):
        text, findings = self.findings('model', 'FaceMesh=40ms')
        first = self.assert_first(text, findings, 'stage-limits', 'FaceMesh_onnx_cpu')
        self.assertIn("'analysis' limits the run", first['title'])
        self.assertTrue(any('--landmarks plain' in fix for fix in first['fixes']))
        # Two looks of a frame that sleep 40 ms each: the gain is at most what is above the next stage.
        self.assertGreater(first['gain_most'], 0.2)
        # The same from the file: text, and JSON to the byte.
        again = self.good_run('report', self.profile_path).out
        self.assertIn(again[again.index('\nFINDINGS\n'):].rstrip(), text)
        whole = open(self.profile_path, encoding='utf-8').read()
        self.assertEqual(self.good_run('report', self.profile_path, '-f', 'json').out, whole)
        # One look in place of two halves that stage's work: it is offered, with what it gains.
        looks = [f for f in findings['list'] if f['rule'] == 'looks-twice']
        self.assertEqual(len(looks), 1)


class Queues(Case):
    def test_too_little_room_is_named_first(self):
        """One picture at a time: each stage has to wait until the others are done with it."""
        stages = 'analysis=20ms,left mirror=20ms,right mirror=20ms'
        text, findings = self.findings('queues', stages + ',pictures=1', '--mode', 'au')
        first = findings['list'][0]
        self.assertEqual((first['rule'], first['priority']), ('waiting-limits', 'HIGH'), findings['list'])
        self.assertIn('[waiting-limits]', text[text.index('\nFINDINGS\n'):].split('\n 2. ')[0])
        slow = self.profile['run']['wall_seconds']
        # The gain that it promises is there: the same stages with the usual room.
        _, findings = self.findings('room', stages, '--mode', 'au')
        self.assertNotIn('waiting-limits', [f['rule'] for f in findings['list']])
        self.assertLess(self.profile['run']['wall_seconds'] / slow, 0.8)
        self.assertGreater(first['gain_most'], 0.2)


class Encoders(Case):
    def test_slow_encoders_are_named_first(self):
        text, findings = self.findings('encoders', 'left encoder=90ms,right encoder=60ms,debug encoder=60ms',
                                       '--encoder', 'libx264')
        first = self.assert_first(text, findings, 'stage-limits', 'frame_write_left_mirrored')
        self.assertIn("'left encoder' limits the run", first['title'])
        self.assertTrue(any('hardware encoder' in fix or '--encoder' in fix for fix in first['fixes']))
        self.assertTrue(any('--no-debug' in fix for fix in first['fixes']))


class Trust(Case):
    def test_a_short_run_gives_no_high(self):
        out = self.path('short')
        text = self.good_run(self.clip, '-o', out, '--max-frames', '8').out
        findings = json.load(open(os.path.join(out, 'face_profile.json')))['findings']
        self.assertFalse(findings['confident'])
        self.assertNotIn('HIGH', [f['priority'] for f in findings['list']])
        self.assertIn('nothing is called HIGH', text)
        self.assertIn('NOTE: Only 8 frames', text)

    def test_thresholds(self):
        out = self.path('rules')
        rules = self.path('rules.txt')
        with open(rules, 'w') as file:
            file.write('tiny-frames = 1 # anything\nminor-share = 0\n')
        text = self.good_run(self.clip, '-o', out, '--max-frames', '8', '--rules', rules).out
        self.assertIn('tiny-frames = 1', text)
        profile = os.path.join(out, 'face_profile.json')
        findings = json.load(open(profile))['findings']
        self.assertEqual(findings['thresholds'], {'tiny-frames': 1, 'minor-share': 0})
        self.assertTrue(findings['confident'])
        self.assertIsNone(findings['minor'])
        # `report` judges by its own: the defaults, or the same again.
        self.assertEqual(json.loads(self.good_run('report', profile, '-f', 'json').out)['findings']['thresholds'], {})
        self.assertEqual(self.good_run('report', profile, '-f', 'json', '--rules', rules).out, open(profile).read())

    def test_bad_thresholds(self):
        rules = self.path('bad.txt')
        for line, part in (('preprocessing = much', 'line 1'), ('nothing-such = 1', 'nothing-such'), ('5', 'name = value')):
            with open(rules, 'w') as file:
                file.write(line + '\n')
            self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), '--rules', rules), 4, part)
        self.assert_one_sentence(h.run(self.clip, '-o', self.path('bad'), '--rules', self.path('none')), 3, 'none')

    def test_options_that_are_offered_exist(self):
        known = set()
        for command in ('run', 'report', 'models inspect'):
            known |= set(re.findall(r'--[a-z][a-z-]+', self.good_run(*command.split(), '--help').out))
        offered = set()
        paths = glob.glob(os.path.join(h.SOURCE, 'src', 'advice', 'rules_*.c'))
        for path in paths + [os.path.join(h.SOURCE, 'src', 'advice', 'finding.c')]:
            offered |= set(re.findall(r'''[ "'](--[a-z][a-z-]+)''', open(path, encoding='utf-8').read()))
        self.assertGreater(len(offered), 8)
        self.assertEqual(offered - known, set())


class Accelerator(Case):
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        if not SHIM or not os.path.isfile(PLUGIN):
            h.skip_script('no OpenVINO plug-in at %r; FACEMIRROR_EP_LIBRARY can name it' % PLUGIN)
        os.environ['FACEMIRROR_EP_SHIM_OF'] = PLUGIN

    def test_a_model_that_is_kept_on_the_cpu(self):
        text, findings = self.findings('cpu', 'FaceMesh=40ms', '--ep-library', SHIM, '--ep', 'cpu')
        first = self.assert_first(text, findings, ('stage-limits', 'model-on-cpu'), 'FaceMesh_onnx_cpu')
        self.assertTrue(any('--ep auto' in fix for fix in first['fixes']), first)
        kept = [f for f in findings['list'] if f['rule'] == 'model-on-cpu' and f['subject'] == 'FaceMesh']
        self.assertEqual(len(kept), 1)
        self.assertIn('openvino', kept[0]['evidence'])
        self.assertEqual(self.profile['conditions']['accelerators'], 'openvino')


if __name__ == '__main__':
    h.require_script()
    h.main()
