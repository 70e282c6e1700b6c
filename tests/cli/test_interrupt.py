"""Ctrl-C and SIGTERM: the run ends soon, its outputs are whole and shorter, and the profile says why."""
import json
import os
import signal
import subprocess
import time
import unittest

import harness as h

LOOPS = 60
FRAMES = 40 * (LOOPS + 1)  # far more than can be done before the signal


class Interrupt(h.Case):
    @classmethod
    def make_inputs(cls):
        short = h.make_clip(cls.path('short.mp4'), frames=40)
        cls.clip = h.ffmpeg('-stream_loop', str(LOOPS), '-i', short, '-c', 'copy', cls.path('long.mp4'))
        os.mkdir(cls.path('empty'))
        cls.empty = h.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=640x480:r=30:d=60', '-preset', 'ultrafast',
                             cls.path(os.path.join('empty', 'long.mp4')))

    def begin(self, out, *more, clip=None):
        """Starts a run and waits until a frame was encoded."""
        process = h.start(clip or self.clip, '-o', out, *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        growing = os.path.join(out, '.long_left_mirrored.mp4.partial')
        limit = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < limit:
            if os.path.exists(growing) and os.path.getsize(growing) > 1000:
                return process
            time.sleep(0.02)
        process.kill()
        out_text, err_text = process.communicate()
        self.fail('the run did not come to its first frame: %s' % (err_text or out_text))

    def stop(self, number, code):
        out = self.path('out-%d' % number)
        process = self.begin(out)
        process.send_signal(number)
        text, errors = process.communicate(timeout=h.RUN_LIMIT_SECONDS)
        errors = errors.decode()
        self.assertEqual(process.returncode, code, errors)
        last = [line for line in errors.splitlines() if ' fps ' not in line]  # progress lines apart
        self.assertEqual(len(last), 1, errors)
        self.assertRegex(last[0], r'^facemirror: stopped after \d+ frames')
        frames = self.assert_whole(out, 'long')
        self.assertGreater(frames, 0)
        self.assertLess(frames, FRAMES)
        self.assertIn('stopped after %d frames' % frames, last[0])
        profile = json.load(open(os.path.join(out, 'long_profile.json'), encoding='utf-8'))
        self.assertEqual(profile['run']['status'], 'interrupted')
        self.assertEqual(profile['run']['frames'], frames)
        self.assertIn('interrupted', text.decode())

    def test_ctrl_c(self):
        self.stop(signal.SIGINT, 130)

    def test_sigterm(self):
        self.stop(signal.SIGTERM, 143)

    def test_before_a_face_was_found(self):
        out = self.path('out-empty')
        process = self.begin(out, clip=self.empty)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=h.RUN_LIMIT_SECONDS)
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(errors.decode(), r'stopped after \d+ frames, none of which shows a face')
        self.assert_no_outputs(out)

    def test_demo_clip(self):
        out = self.path('demo')
        os.mkdir(out)
        growing = os.path.join(out, '.clip.mp4.partial')
        process = h.start('demo-clip', '-o', os.path.join(out, 'clip.mp4'), '--seconds', '3000', '--portrait', h.PORTRAIT,
                          stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        limit = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < limit:
            if os.path.exists(growing) and os.path.getsize(growing) > 1000:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=h.RUN_LIMIT_SECONDS)
        self.assertEqual(process.returncode, 143, errors)
        self.assertRegex(errors.decode(), r'^facemirror: stopped after \d+ of 90000 frames; there is no clip$')
        self.assertEqual(os.listdir(out), [])

    def test_at_any_moment_nothing_half_done_is_left(self):
        for delay in (0.0, 0.05, 0.15, 0.4):
            with self.subTest(delay=delay):
                out = self.path('early-%g' % delay)
                process = h.start(self.clip, '-o', out, '-q', stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                process.send_signal(signal.SIGINT)
                h.wait(process)
                # Before the program listens, the signal ends it at once.
                self.assertIn(process.returncode, (130, -signal.SIGINT))
                if not os.path.isdir(out):
                    continue
                self.assert_no_partials(out)
                if os.path.exists(os.path.join(out, 'long_left_mirrored.mp4')):
                    self.assert_whole(out, 'long')
                else:
                    self.assert_no_outputs(out)

    def test_the_next_clip_is_not_begun(self):
        second = self.path('second.mp4')
        os.symlink(self.path('short.mp4'), second)
        out = self.path('two')
        process = self.begin(out, second, '-q')
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=h.RUN_LIMIT_SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertEqual([n for n in os.listdir(out) if n.startswith('second')], [])


if __name__ == '__main__':
    h.require_script()
    h.main()
