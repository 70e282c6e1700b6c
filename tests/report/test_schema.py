"""Profiles of runs and merged ones against docs/profile.schema.json, by another implementation of JSON Schema."""
import copy
import json
import os
import subprocess

import harness as h

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = os.path.join(h.SOURCE, 'docs', 'profile.schema.json')


def strict(schema):
    """The schema without its openness for later members: what is not described is an error here."""
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        if 'properties' in schema and 'required' in schema:
            schema['additionalProperties'] = False
        return schema
    if isinstance(schema, list):
        return [strict(value) for value in schema]
    return schema


class Schema(h.Case):
    @classmethod
    def make_inputs(cls):
        schema = json.load(open(SCHEMA, encoding='utf-8'))
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(strict(schema))
        cls.clip = h.make_clip(cls.path('face.mp4'), frames=8)
        cls.sample = cls.path('sample.json')
        subprocess.run([os.environ['WRITE_SAMPLE'], cls.sample], check=True)

    def check(self, path):
        profile = json.load(open(path, encoding='utf-8'))
        errors = ['/'.join(map(str, e.absolute_path)) + ': ' + e.message[:300] for e in self.validator.iter_errors(profile)]
        self.assertEqual(errors, [])
        return profile

    def test_runs(self):
        for name, args in (('plain', ()), ('mirror', ('--mode', 'mirror')), ('au', ('--mode', 'au', '--no-smooth'))):
            out = self.path(name)
            self.good_run(self.clip, '-o', out, '-q', *args)
            profile = self.check(os.path.join(out, 'face_profile.json'))
            self.assertEqual(profile['run']['frames'], 8)
            self.assertEqual({s['frames'] for s in profile['pipeline']['stages']}, {8})
            for category in profile['categories']:
                for operation in category['operations']:
                    self.assertEqual(sum(n for _, n in operation['histogram']), operation['count'])

    def test_failed_run(self):
        bars = h.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=0.2', '-pix_fmt', 'yuv420p',
                        self.path('bars.mp4'))
        self.assertEqual(h.run(bars, '-o', self.path('bars'), '-q').code, 5)
        self.check(self.path('bars', 'bars_profile.json'))

    def test_every_kind_of_figure(self):
        profile = self.check(self.sample)
        self.assertEqual([m['kind'] for m in profile['metrics']], ['gauge', 'counter'])
        operations = [o for c in profile['categories'] for o in c['operations']]
        self.assertTrue(any(o['memory'] for o in operations))
        self.assertTrue(any(o['cpu_seconds'] for o in operations))
        tables = json.load(open(SCHEMA, encoding='utf-8'))['$defs']['system']['properties']
        self.assertEqual(list(profile['system']), list(tables)) # all of them, in their order
        for key, rows in profile['system'].items():
            self.assertEqual(list(rows[0]), list(tables[key]['items']['properties']))

    def test_merged(self):
        out = self.path('merged.json')
        self.good_run('merge', self.sample, self.sample, '-o', out)
        self.assertEqual(self.check(out)['runs'], 2)

    def test_the_schema_refuses(self):
        """A schema that passes everything would pass all of the above."""
        profile = json.load(open(self.sample, encoding='utf-8'))
        for change in (lambda p: p.pop('runs'), lambda p: p.update(extra=1), lambda p: p['run'].update(frames=-1),
                       lambda p: p['metrics'][0].pop('mean'), lambda p: p['metrics'][1].update(mean=1.0),
                       lambda p: p['categories'][0]['operations'][0]['histogram'].append([2752, 1]),
                       lambda p: p['categories'][0]['operations'][0].update(extra=1),
                       lambda p: p.pop('pipeline'), lambda p: p['pipeline']['stages'][0].update(held=-1),
                       lambda p: p['pipeline']['stages'][0].pop('after'), lambda p: p['pipeline'].update(extra=1),
                       lambda p: p['pipeline']['slowest_frames'][0].update(detected=1),
                       lambda p: p['pipeline']['detections'].pop('lost'),
                       lambda p: p.pop('system'), lambda p: p['system'].pop('facilities'),
                       lambda p: p['system'].update(extra=[]), lambda p: p['system']['threads'][0].pop('utilisation'),
                       lambda p: p['system']['threads'][0].update(migrations=-1),
                       lambda p: p['system']['leaks'][0].update(stack=None),
                       lambda p: p['system']['facilities'][0].update(state='broken'),
                       lambda p: p['threads'][0].update(busy_seconds='1')):
            other = copy.deepcopy(profile)
            change(other)
            self.assertFalse(self.validator.is_valid(other))


if __name__ == '__main__':
    if jsonschema is None or not hasattr(jsonschema, 'Draft202012Validator'):
        h.skip_script('no module jsonschema 4 (Debian: python3-jsonschema)')
    h.require_script()
    h.main()
