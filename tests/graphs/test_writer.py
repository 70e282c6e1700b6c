"""The graph writer and the test graphs' layers: ONNX Runtime against a computation by another hand (onnx_eval.py).

Small editions of both networks (few channels, small pictures) go through the same code as the large ones.
"""
import math

import steps
from onnx_eval import Graph, Tensor


class SmallNetworks(steps.Case):
    def compare(self, options, side, batch=1, tolerance=2e-4):
        """All outputs of a graph for a random picture; the tolerance is relative to each output's largest value."""
        model = self.path('graph.onnx')
        steps.call(steps.MAKE_GRAPH, *options, model)
        numbers = steps.Numbers(3)
        dims = [batch, 3, side, side]
        values = [2 * numbers.next() - 1 for _ in range(math.prod(dims))]
        steps.write_floats(self.path('input.f32'), values)
        run = steps.Steps(self.dir, 'run', model, *dims)
        graph = Graph(model)
        results = graph.run(Tensor(dims, list(run.input)))
        self.assertEqual([name for name, _ in graph.outputs], run.names)
        for expected, got, facts in zip(results, run.outputs, run.facts['outputs']):
            self.assertEqual(expected.dims, facts['dims'], facts['name'])
            largest = max(abs(v) for v in expected.values)
            self.assertGreater(largest, 0, facts['name'])
            self.assert_close(got, expected.values, tolerance * max(largest, 1e-3), facts['name'])
        return run

    def test_mtl(self):
        self.compare(['--thin', '32', '--side', '64', 'mtl'], 64)

    def test_mtl_of_two_faces(self):
        self.compare(['--dynamic', '--thin', '64', '--side', '32', 'mtl'], 32, batch=2)

    def test_fragments_change_nothing(self):
        run = self.compare(['--thin', '32', '--side', '64', '--fragment', '32', 'mtl'], 64)
        plain = self.compare(['--thin', '32', '--side', '64', 'mtl'], 64)
        for a, b in zip(run.outputs, plain.outputs):
            self.assert_close(a, b, 1e-6)

    def test_star(self):
        run = self.compare(['--thin', '32', '--side', '64', 'star'], 64)
        self.assertEqual(len(run.outputs), 17)
        self.assertEqual(run.names[:3], ['output', 'heatmap', 'landmarks'])
        self.assertEqual([len(o) for o in run.outputs], 4 * [196, 98 * 256, 9 * 256] + 4 * [98 * 256] + [196])

    def test_star_with_an_open_batch(self):
        self.compare(['--dynamic', '--thin', '64', '--side', '64', 'star'], 64)


class Figures(steps.Case):
    """What stands in graphs.h about the full networks."""
    def counts(self, *options):
        words = steps.call(steps.MAKE_GRAPH, *options, self.path('full.onnx')).split()
        return int(words[1]), int(words[3]), int(words[5])

    def test_star(self):
        parameters, macs, size = self.counts('star')
        self.assertAlmostEqual(parameters / 1e6, 13.5, delta=0.05)
        self.assertAlmostEqual(macs / 1e9, 17.4, delta=0.06)
        self.assertLess(4 * parameters, size)

    def test_mtl(self):
        parameters, macs, size = self.counts('mtl')
        self.assertAlmostEqual(parameters / 1e6, 25.3, delta=0.05)
        self.assertAlmostEqual(macs / 1e9, 0.43, delta=0.005)
        self.assertAlmostEqual(size / (1 << 20), 97, delta=0.5)
        # Three hidden layers, three heads, and the graph head's eight linears, two matrices, norm and vectors.
        heads = 3 * 1281 * 1280 + 1281 * (8 + 2) + 8 * 1281 * 1280 + 2 * 1280 * 1280 + 4 * 8 + 8 * 1280
        self.assertAlmostEqual((parameters - heads) / 1e6, 4.0, delta=0.05)  # EfficientNet-B0 without its classifier

    def test_the_same_bytes_again(self):
        contents = []
        for name in ('a.onnx', 'b.onnx'):
            steps.call(steps.MAKE_GRAPH, '--thin', '16', 'star', self.path(name))
            with open(self.path(name), 'rb') as stream:
                contents.append(stream.read())
        self.assertEqual(contents[0], contents[1])


if __name__ == '__main__':
    steps.main()
