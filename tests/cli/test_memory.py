"""A run's memory does not depend on the clip's length."""
import os
import unittest

import harness as h

# The longest clip differs by what allocators and threads do by chance; a frame of this size with its three
# outputs is 0.8 MB, so that keeping only the 280 further frames would take 200 MB.
ALLOWED_KIB = 8 * 1024


class Memory(h.Case):
    @unittest.skipIf(h.SANITIZED, 'a sanitizer keeps freed memory: the figures mean nothing')
    def test_peak_does_not_grow_with_the_clip(self):
        once = h.make_clip(self.path('once.mp4'), frames=40)
        eight = h.ffmpeg('-stream_loop', '7', '-i', once, '-c', 'copy', self.path('eight.mp4'))
        self.assertEqual(len(h.frame_times(eight)), 320)
        peaks = {}
        for name, clip in (('once', once), ('eight', eight)):
            result = self.good_run(clip, '-o', self.path(name), '-q', '--landmarks-csv')
            peaks[name] = result.peak_kib
        print('peak memory: 40 frames %.1f MB, 320 frames %.1f MB' % (peaks['once'] / 1024, peaks['eight'] / 1024))
        self.assertLess(peaks['eight'] - peaks['once'], ALLOWED_KIB, peaks)


if __name__ == '__main__':
    h.require_script()
    h.main()
