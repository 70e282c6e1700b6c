"""Google's Face Landmarker from outside: the bundle becomes a pack, the pack's 478 points and midline are those of the
same face, and its blendshapes follow what the demo clip does, on the patient's own side."""
import json
import os

import harness as h

TASK = os.path.join(h.SHARED, 'models', 'face_landmarker.task')
FRAMES = 8
POINTS = 478
MIDLINE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2, 164, 0, 17, 18, 200, 152)  # from forehead to chin


class TaskCase(h.Case):
    @classmethod
    def make_inputs(cls):
        cls.env = dict(h.program_env(), XDG_DATA_HOME=cls.path('data'))
        added = h.run('models', 'add', TASK, '-q', env=cls.env)
        assert added.code == 0, added

    def analyse(self, clip, name, *args):
        out = self.path(name)
        self.good_run(clip, '-o', out, '-q', '--models', 'face_landmarker', '--landmarks-csv', *args, env=self.env)
        return out

    def operations(self, out, stem):
        with open(os.path.join(out, stem + '_profile.json'), encoding='utf-8') as stream:
            return {o['name'] for c in json.load(stream)['categories'] for o in c['operations']}


class Faces(TaskCase):
    """A still face that drifts, beside the default pack."""
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=FRAMES)

    def test_a_whole_run_is_that_of_the_default_pack(self):
        mine, usual = self.analyse(self.clip, 'mine'), self.path('usual')
        self.good_run(self.clip, '-o', usual, '-q', '--landmarks-csv')
        self.assert_whole(mine, 'face', FRAMES)
        a = h.Landmarks(os.path.join(mine, 'face_landmarks.csv'))
        b = h.Landmarks(os.path.join(usual, 'face_landmarks.csv'))
        self.assertEqual((a.count, b.count), (POINTS, POINTS))
        for p, q in zip(a.frames, b.frames):
            size = h.eye_distance(q)
            distances = [((u[0] - v[0]) ** 2 + (u[1] - v[1]) ** 2) ** 0.5 / size for u, v in zip(p, q)]
            self.assertLess(sum(distances) / len(distances), 0.05)
            self.assertGreater(max(distances), 0.001, 'it is another network')
            aside = sum(p[i][0] - q[i][0] for i in MIDLINE) / len(MIDLINE)
            self.assertLess(abs(aside), 0.015 * size, 'the midline')
        self.assertNotIn('_neutral', b.header, 'the default pack has no blendshapes')
        for side in ('left', 'right'):
            name = 'face_%s_mirrored.mp4' % side
            for p, q in zip(h.pictures(os.path.join(mine, name)), h.pictures(os.path.join(usual, name))):
                self.assertLess(h.difference(p, q), 10)  # of the other half: 44
            _, rows = h.read_csv(os.path.join(mine, 'face_%s_mirrored.csv' % side))
            for row in rows:
                self.assertEqual(row['success'], '1')
                self.assertTrue(all(row['AU%s_r' % au] for au in h.MEASURED_AUS))

    def test_scores_cost_nothing_when_they_are_not_asked_for(self):
        out = self.path('without')
        self.good_run(self.clip, '-o', out, '-q', '--models', 'face_landmarker', '--mode', 'au', env=self.env)
        self.assertFalse([name for name in self.operations(out, 'face') if 'Blendshapes' in name])
        out = self.analyse(self.clip, 'with', '--mode', 'au')
        self.assertLessEqual({'Blendshapes_preprocess', 'Blendshapes_onnx_cpu'}, self.operations(out, 'face'))

    def test_cells_are_empty_without_a_face(self):
        clip = h.make_clip(self.path('empty.mp4'), frames=4, filters=h.DRIFT + ",drawbox=t=fill:enable='lt(n,2)'")
        out = self.analyse(clip, 'empty', '--mode', 'au')
        header, rows = h.read_csv(os.path.join(out, 'empty_landmarks.csv'))
        self.assertEqual([row['success'] for row in rows], ['0', '0', '1', '1'])
        for row in rows:
            cells = [row[name] for name in header[3 + 3 * POINTS:]]
            self.assertEqual(all(cells) if row['success'] == '1' else not any(cells), True, cells)


class Blendshapes(TaskCase):
    """The demo clip, which blinks, raises its brows, and smiles on one side; once on each."""
    @classmethod
    def make_inputs(cls):
        super().make_inputs()
        cls.phases, cls.tables = {}, {}
        for side in ('left', 'right'):
            clip, truth = cls.path(side + '.mp4'), cls.path(side + '.csv')
            made = h.run('demo-clip', '-o', clip, '-q', '--truth', truth, '--smile', side, '--fps', '10',
                         '--size', '360x480')
            assert made.code == 0, made
            done = h.run(clip, '-o', cls.path('out'), '-q', '--models', 'face_landmarker', '--mode', 'au',
                         '--no-smooth', '--landmarks-csv', env=cls.env)
            assert done.code == 0, done
            cls.phases[side] = [row['phase'] for row in h.read_csv(truth)[1]]
            cls.tables[side] = h.read_csv(cls.path('out', side + '_landmarks.csv'))

    def scores(self, side, name, phase):
        rows = self.tables[side][1]
        return [float(row[name]) for row, p in zip(rows, self.phases[side]) if p == phase]

    def rise(self, side, name, phase):
        """How far a score rises above what it is at rest."""
        rest = sorted(self.scores(side, name, 'rest'))
        return max(self.scores(side, name, phase)) - rest[len(rest) // 2]

    def test_columns(self):
        header, rows = self.tables['left']
        names = header[3 + 3 * POINTS:]
        self.assertEqual(header[3 + 3 * POINTS - 1], 'z_477')
        self.assertEqual(len(set(names)), 52)
        self.assertEqual(names[:4], ['_neutral', 'browDownLeft', 'browDownRight', 'browInnerUp'])
        self.assertEqual(names[-2:], ['noseSneerLeft', 'noseSneerRight'])
        self.assertEqual(len(rows), 60)
        for row in rows:
            self.assertTrue(all(0 <= float(row[name]) <= 1 for name in names))

    def test_blinks_and_brows(self):
        for side in ('left', 'right'):
            for eye in ('eyeBlinkLeft', 'eyeBlinkRight'):
                self.assertGreater(self.rise(side, eye, 'blink'), 0.25)
                self.assertLess(self.rise(side, eye, 'brow_raise'), 0.1)
            for brow in ('browInnerUp', 'browOuterUpLeft', 'browOuterUpRight'):
                self.assertGreater(self.rise(side, brow, 'brow_raise'), 0.25)
                self.assertLess(self.rise(side, brow, 'blink'), 0.1)

    def test_left_and_right_are_the_patients(self):
        for side, other in (('left', 'right'), ('right', 'left')):
            phase = 'smile_' + side
            for name in ('mouthSmile', 'mouthUpperUp'):
                here = self.rise(side, name + side.capitalize(), phase)
                there = self.rise(side, name + other.capitalize(), phase)
                self.assertGreater(here, 0.2)
                self.assertGreater(here, there + 0.1, '%s on the patient\'s %s' % (name, side))

    def test_action_units_of_the_mirrored_faces(self):
        for side, other in (('left', 'right'), ('right', 'left')):
            smiles = {}
            for mirrored in (side, other):
                _, rows = h.read_csv(self.path('out', '%s_%s_mirrored.csv' % (side, mirrored)))
                smiles[mirrored] = max(h.column(rows, 'AU12_r'))
                self.assertGreater(max(h.column(rows, 'AU45_r')), 1.5, 'the blinks')
            self.assertGreater(smiles[side], 2.5)
            self.assertLess(smiles[other], 2)


if __name__ == '__main__':
    h.require_script()
    if not os.path.isfile(TASK):
        h.skip_script('no %s; set FACEMIRROR_SHARED' % TASK)
    h.main()
