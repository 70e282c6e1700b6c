"""Predictions of 'report --what-if' against real runs, in which a stage or a model was slowed by a known time.

FACEMIRROR_SLOW (src/pipeline/slow.h) slows both of the runs that are compared, one more than the other: how fast each
is then depends less on what else runs on the machine. Runs take turns, medians are compared, and a measurement that is
off is taken again. What other programs took of the processors stands in the profiles: where none of the measurements
was without them, the test is skipped, and says so. (The simulation itself is tested without a clock, in tests/advice.)
"""
import json
import statistics
import unittest

import harness as h

FRAMES = 30
RUNS = 3
ATTEMPTS = 3
TOLERANCE = 0.10
DISTURBED = 0.05  # of the processors' time
BUSY = 'other programs leave this run too little of the processors to be measured'


def disturbance(profile):
    """Share of the processors' time that others took beside a run: other processes and other machines of the host."""
    with open(profile, encoding='utf-8') as file:
        conditions = json.load(file)['conditions']
    return (conditions['others_share'] or 0) + (conditions['steal_share'] or 0)


class Case(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def profile(self, folder):
        return self.path(folder, 'face_profile.json')

    def speed(self, slow, folder, *options):
        """Frames per second of a run that is slowed so."""
        env = dict(h.program_env(), FACEMIRROR_SLOW=slow)
        result = h.run(self.clip, '-o', self.path(folder), '-q', '--overwrite', *options, env=env)
        self.assertEqual(result.code, 0, result)
        self.disturbed = max(self.disturbed, disturbance(self.profile(folder)))
        with open(self.profile(folder), encoding='utf-8') as file:
            run = json.load(file)['run']
        return run['frames'] / run['wall_seconds']

    def ask(self, folder, *questions):
        args = [a for q in questions for a in ('--what-if', q)]
        return h.run('report', self.profile(folder), '--format', 'json', *args)

    def predicted(self, folder, change):
        """The predicted speed; None when the machine was too busy for the simulation to be believed."""
        result = self.ask(folder, change)
        if result.code == 4 and 'is off by' in result.err:
            return None
        self.assertEqual(result.code, 0, result)
        return json.loads(result.out)['predictions'][0]['fps']

    def measure(self, base, slow, slower, faster):
        """How far the predictions are from the real speeds: of the slow run from the base, and the other way round."""
        speeds = {'base': [], 'slow': []}
        answers = {'base': [], 'slow': []}
        for _ in range(RUNS):
            for name, env, change in (('base', base, slower), ('slow', slow, faster)):
                speeds[name].append(self.speed(env, name, '--no-debug'))
                answers[name].append(self.predicted(name, change))
        if None in answers['base'] + answers['slow']:
            return None
        real = {name: statistics.median(values) for name, values in speeds.items()}
        self.assertGreater(real['base'] / real['slow'], 1.3, 'the slowdown is there: %r' % speeds)
        return (statistics.median(answers['base']) / real['slow'] - 1,
                statistics.median(answers['slow']) / real['base'] - 1)

    def compare(self, *what):
        if h.SANITIZED:
            self.skipTest('times of a sanitizer build mean nothing')
        errors = []
        for _ in range(ATTEMPTS):
            self.disturbed = 0
            off = self.measure(*what)
            if off and all(abs(e) <= TOLERANCE for e in off):
                return
            errors.append((off, self.disturbed))
        if all(disturbed > DISTURBED for _, disturbed in errors):
            self.skipTest('%s (errors, share of others: %r)' % (BUSY, errors))
        self.fail('predictions are off by (and others took): %r' % errors)


class Sleeps(Case):
    """A stage that waits longer: what an accelerator, a disk or the network would do."""
    def test_stage(self):
        self.compare('analysis=25ms', 'analysis=60ms', 'analysis=+35ms:wait', 'analysis=-35ms:wait')


class Models(Case):
    """A model that takes longer: in the analysis twice a frame, in each lane once."""
    def test_model(self):
        self.compare('FaceMesh=10ms', 'FaceMesh=30ms', 'FaceMesh=+20ms:wait', 'FaceMesh=-20ms:wait')


class Burns(Case):
    """A stage that computes longer."""
    def test_stage(self):
        self.compare('analysis=10ms:cpu', 'analysis=35ms:cpu', 'analysis=+25ms:cpu', 'analysis=-25ms:cpu')


class Answers(Case):
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        env = dict(h.program_env(), FACEMIRROR_SLOW='analysis=50ms')
        for _ in range(ATTEMPTS):
            cls.run_of_clip = h.run(cls.clip, '-o', cls.path('base'), '-q', '--overwrite', env=env)
            cls.answer = h.run('report', cls.path('base', 'face_profile.json'), '--what-if', 'debug=off')
            if cls.answer.code == 0:
                break

    def setUp(self):
        self.assertEqual(self.run_of_clip.code, 0, self.run_of_clip)
        if self.answer.code == 4 and 'is off by' in self.answer.err and (
                h.SANITIZED or disturbance(self.profile('base')) > DISTURBED):
            self.skipTest(BUSY)
        self.assertEqual(self.answer.code, 0, self.answer)

    def answers(self, *questions):
        result = self.ask('base', *questions)
        self.assertEqual(result.code, 0, result)
        return json.loads(result.out)

    def test_every_operation_is_on_its_stage(self):
        """The table of stages and operations (src/advice/places.c) against the profile: their times must add up."""
        with open(self.profile('base'), encoding='utf-8') as file:
            profile = json.load(file)
        names = {o['name']: o['total_seconds'] for c in profile['categories'] for o in c['operations']}
        names.pop('au_write_csv')  # after the stages
        answers = self.answers(*('%s=off' % n for n in names))['predictions']
        busy, told = {}, {}
        for stage in profile['pipeline']['stages']:
            on = [a for a in answers if stage['name'] in a['applied'][0]['stages']]
            seconds = sum(a['applied'][0]['seconds'] / len(a['applied'][0]['stages']) for a in on
                          if stage['name'] != 'analysis' or a['changes'] == 'analyse_frame=off')
            # Operations of both lanes are told in one sum, of which neither lane need have the half.
            name = 'lanes' if stage['name'] in ('left mirror', 'right mirror') else stage['name']
            busy[name] = busy.get(name, 0) + stage['busy_seconds']
            told[name] = told.get(name, 0) + seconds
        if disturbance(self.profile('base')) > DISTURBED:
            self.skipTest(BUSY)  # a stage that waits for a processor between two operations is at work as well
        for name in busy:
            self.assertAlmostEqual(told[name] / busy[name], 1, delta=0.15, msg=name)

    def test_off_the_critical_path_nothing_is_gained(self):
        answer = self.answers('debug encoder=2x', 'analysis=-50ms:wait', 'analysis=+100ms:wait')
        none, gain, loss = (p['speedup'] for p in answer['predictions'])
        self.assertLess(none, 1.1)
        self.assertGreater(gain, none)
        self.assertLess(loss, 0.6)
        self.assertEqual(answer['predictions'][2]['limit']['stage'], 'analysis')
        self.assertLess(abs(answer['recorded']['model_error']), 0.15)

    def test_text(self):
        text = self.good_run('report', self.profile('base'), '--what-if', 'FaceMesh=2x,debug=off').out
        for part in ('WHAT IF', 'Recorded:', 'Model error:', 'FaceMesh (model): ', 'debug (stage): ', '  After:',
                     'times as fast', 'Assumed:'):
            self.assertIn(part, text)

    def test_usage(self):
        profile = self.profile('base')
        for change, part in (('MTL', 'is no change'), ('MTL=2x', "no stage, model, operation or category 'MTL'"),
                             ('PREPROCESSING=+1ms', 'is a category')):
            result = h.run('report', profile, '--what-if', change)
            self.assert_one_sentence(result, 2, part)
            self.assertEqual(result.out, '')
        self.assertEqual(h.run('report', profile, '--what-if', 'debug=off', '--format', 'csv').code, 2)

    def test_profiles_without_stages(self):
        with open(self.profile('base'), encoding='utf-8') as file:
            profile = json.load(file)
        del profile['pipeline']
        old = self.path('old.json')
        with open(old, 'w', encoding='utf-8') as file:
            json.dump(profile, file)
        self.assert_one_sentence(h.run('report', old, '--what-if', 'debug=off'), 4, 'run the clip again')


if __name__ == '__main__':
    h.require_script()
    h.main()
