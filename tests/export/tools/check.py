"""Reads the exported samples back by other people's programs and compares them with what went in.

usage: check.py CONSUMER FOLDER TOOLS
  CONSUMER  python, perfetto, trace-processor, catapult, speedscope or inferno
  FOLDER    what make_samples wrote
  TOOLS     the folder with the consumers (see consumers.sh)
Exit status: 0 as it should be, 1 not, 77 the consumer is not there.
"""
import codecs
import collections
import csv
import glob
import json
import os
import shutil
import subprocess
import sys

CONSUMER, FOLDER, TOOLS = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
SCOPE, MARK, FLOW_BEGIN, FLOW_STEP, FLOW_END, COUNTER, GAUGE = range(1, 8)
TRACES = ['small', 'random', 'empty']

codecs.register_error('bytewise', lambda e: ('\ufffd', e.start + 1))


def skip(what):
    print(f'SKIP: {what}')
    sys.exit(77)


def same(got, expected, what):
    if got != expected:
        sys.exit(f'{what}: differs\n  got      {str(got)[:3000]}\n  expected {str(expected)[:3000]}')


def path(sample, suffix):
    return os.path.join(FOLDER, sample + suffix)


# --- what went in -------------------------------------------------------------------

Event = collections.namedtuple('Event', 'kind start value name category unit')
Scope = collections.namedtuple('Scope', 'start duration name category depth')


class Thread:
    def __init__(self, tid, dropped, name):
        self.tid, self.dropped, self.name, self.events = tid, dropped, name, []

    def scopes(self):
        """In order, with depth: a scope is inside those that have not ended when it begins."""
        ends, out = [], []
        for e in self.events:
            if e.kind != SCOPE:
                continue
            while ends and ends[-1] <= e.start:
                ends.pop()
            out.append(Scope(e.start, e.value, e.name, e.category, len(ends)))
            ends.append(e.start + e.value)
        return out

    def parents(self):
        """Of each flow event: (event, start of the scope around it or None)."""
        stack, out = [], []
        for e in self.events:
            while stack and (stack[-1][1] < e.start or e.kind == SCOPE and stack[-1][1] <= e.start):
                stack.pop()
            if e.kind in (FLOW_BEGIN, FLOW_STEP, FLOW_END):
                out.append((e, stack[-1] if stack else None))
            if e.kind == SCOPE:
                stack.append((e.start, e.start + e.value))
        return out

    def of(self, *kinds):
        return [e for e in self.events if e.kind in kinds]


def unhex(word):
    return bytes.fromhex(word[1:]).decode('utf-8', 'bytewise')


class Trace:
    def __init__(self, sample):
        self.threads, names = [], []
        for line in open(path(sample, '.truth')):
            word = line.split()
            if word[0] == 'trace':
                self.pid, self.dropped, self.complete = int(word[1]), int(word[2]), word[3] == '1'
            elif word[0] == 'name':
                names.append([unhex(w) for w in word[1:]])
            elif word[0] == 'thread':
                self.threads.append(Thread(int(word[1]), int(word[2]), unhex(word[3])))
            else:
                kind, start, value, name = map(int, word[1:])
                category, operation, unit = names[name]
                self.threads[-1].events.append(Event(kind, start, value, operation, category, unit))

    def metrics(self):
        """{name: [(time, value)]}: counters added up over the threads."""
        updates = []
        for t, thread in enumerate(self.threads):
            last = collections.Counter()
            for e in thread.of(COUNTER, GAUGE):
                value = e.value - (1 << 64 if e.value >> 63 else 0)
                change = value - last[e.name] if e.kind == COUNTER else value
                if e.kind == COUNTER:
                    last[e.name] = value
                updates.append((e.start, t, e.kind, e.name, change))
        lines, sums = collections.defaultdict(list), collections.Counter()
        for start, _, kind, name, change in sorted(updates, key=lambda u: u[:2]):
            sums[name] = sums[name] + change if kind == COUNTER else change
            lines[name].append((start, sums[name]))
        return dict(lines)

    def stacks(self):
        """{(thread, name...): self time}"""
        out = collections.Counter()
        for thread in self.threads:
            stack = []
            for s in thread.scopes():
                del stack[s.depth:]
                if stack:
                    out[(thread.name, *stack)] -= s.duration
                stack.append(s.name)
                out[(thread.name, *stack)] += s.duration
        return {k: v for k, v in out.items() if v}


def operations():
    out = []
    for line in open(path('snapshot', '.truth')):
        word = line.split()
        keys = ['count', 'total', 'self', 'min', 'max', 'first', 'mean', 'p999', 'measures', 'cpu',
                'rss', 'live']
        op = dict(zip(keys, (float(w) if '.' in w or 'e' in w else int(w) for w in word[3:])))
        op['category'], op['name'] = unhex(word[1]), unhex(word[2])
        out.append(op)
    return out


def folded_frame(name):
    return ''.join('_' if c == ';' or ord(c) < 32 or ord(c) == 127 else c for c in name) or '(no name)'


# --- Python's own json and csv -------------------------------------------------------

def nanoseconds(text):
    """json.loads gives numbers with a '.' to this: microseconds as written, so that nothing is rounded."""
    whole, decimals = text.split('.')
    assert len(decimals) == 3, text
    return int(whole) * 1000 + int(decimals)


def check_chrome(sample):
    trace = Trace(sample)
    with open(path(sample, '.trace.json'), encoding='utf-8') as file:
        data = json.load(file, parse_float=nanoseconds)
    same(data['displayTimeUnit'], 'ns', sample)
    same((data['otherData']['dropped_events'], data['otherData']['complete']),
         (trace.dropped, trace.complete), sample)
    events = data['traceEvents']
    same({e['pid'] for e in events}, {trace.pid}, 'process')
    tids = [e['tid'] for e in events if e['name'] == 'thread_name']
    same(len(set(tids)), len(trace.threads), 'distinct thread ids')
    same([e['args']['name'] for e in events if e['name'] == 'thread_name'],
         [t.name for t in trace.threads], 'thread names')
    same([e['args']['sort_index'] for e in events if e['name'] == 'thread_sort_index'],
         list(range(len(tids))), 'thread order')
    same([d['dropped'] for d in data['otherData']['dropped_by_thread']],
         [t.dropped for t in trace.threads], 'dropped')
    phases = {FLOW_BEGIN: 's', FLOW_STEP: 't', FLOW_END: 'f'}
    for tid, thread in zip(tids, trace.threads):
        mine = [e for e in events if e['tid'] == tid]
        same([(e['ts'], e['dur'], e['name'], e['cat']) for e in mine
              if e['ph'] == 'X' and e['cat'] != 'FLOWS' and e['name'] != 'operation_41_onnx_cpu'],
             [s[:4] for s in thread.scopes()], f'{sample} scopes of {thread.name}')
        same(len([e for e in mine if e['ph'] == 'X']),
             len(thread.of(SCOPE)) + len([1 for _, parent in thread.parents() if not parent]), 'stand-ins')
        same([(e['ts'], e['name'], e['cat'], e['s']) for e in mine if e['ph'] == 'i'],
             [(e.start, e.name, e.category, 't') for e in thread.of(MARK)], 'marks')
        same([(e['ph'], e['ts'], e['id'], e['name'], e['bp']) for e in mine if e['ph'] in 'stf'],
             [(phases[e.kind], e.start, str(e.value), e.name, 'e')
              for e in thread.of(FLOW_BEGIN, FLOW_STEP, FLOW_END)], 'flows')
    lines = collections.defaultdict(list)
    for e in events:
        if e['ph'] == 'C':
            same(len(e['args']), 1, 'args')
            lines[e['name']].append((e['ts'], *e['args'].values()))
    same(dict(lines), trace.metrics(), 'counters')


def check_folded(sample, expected):
    got = collections.Counter()
    for line in open(path(sample, '.folded.txt'), encoding='utf-8', newline='\n'):
        stack, _, weight = line.rstrip('\n').rpartition(' ')
        got[stack] += int(weight)
    want = collections.Counter()
    for stack, weight in expected.items():
        want[';'.join(map(folded_frame, stack))] += weight
    same(got, want, f'{sample} stacks')


def snapshot_stacks():
    return {(op['category'], op['name']): op['self'] for op in operations() if op['self']}


def check_csv():
    rows = list(csv.DictReader(open(path('snapshot', '.csv'), encoding='utf-8', newline='')))
    ops = operations()
    same([(r['category'], r['operation'], int(r['count'])) for r in rows],
         [(o['category'], o['name'], o['count']) for o in ops], 'csv')
    for r, o in zip(rows, ops):
        assert None not in r and None not in r.values(), 'a row of another length'
        for key in ('total', 'self', 'min', 'max', 'first'):
            whole, decimals = r[key + '_s'].split('.')
            same((int(whole) * 10**9 + int(decimals), len(decimals)), (o[key], 9), key)
        same(float(r['mean_s']), o['mean'] / 1e9, 'mean')
        same(float(r['p999_s']), o['p999'] / 1e9, 'p999')
        same(bool(r['cpu_s']), bool(o['measures'] & 1), 'cpu')
        same(bool(r['rss_change_bytes']), bool(o['measures'] & 2), 'memory')
        if o['measures'] & 2:
            same((int(r['rss_change_bytes']), int(r['live_change_bytes'])), (o['rss'], o['live']), 'memory')
    raw = open(path('snapshot', '.csv'), 'rb').read()
    assert raw.endswith(b'\r\n')
    same(list(csv.reader(open(path('nothing', '.csv'), newline=''))), [list(rows[0])], 'empty csv')


def check_python():
    for sample in TRACES:
        check_chrome(sample)
        check_folded(sample, Trace(sample).stacks())
        json.load(open(path(sample, '.speedscope.json'), encoding='utf-8'))
    check_folded('snapshot', snapshot_stacks())
    check_csv()


# --- Perfetto's published protocol buffers --------------------------------------------

def check_perfetto():
    sys.path.insert(0, os.path.join(TOOLS, 'python'))
    try:
        from google.protobuf.unknown_fields import UnknownFieldSet
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb
    except ImportError as error:
        skip(f'the Python package perfetto is not there ({error})')
    for sample in TRACES:
        trace = Trace(sample)
        message = pb.Trace()
        message.ParseFromString(open(path(sample, '.perfetto'), 'rb').read())
        threads, tables, lines, names = {}, {}, collections.defaultdict(list), {}
        for packet in message.packet:
            assert packet.trusted_packet_sequence_id > 0
            for part in (packet, packet.track_event, packet.track_descriptor, packet.interned_data):
                same(len(UnknownFieldSet(part)), 0, 'unknown fields')
            if packet.HasField('track_descriptor'):
                d = packet.track_descriptor
                if d.HasField('thread'):
                    threads[d.uuid] = (d.thread.thread_name, [])
                    same(d.thread.pid, trace.pid, 'pid')
                elif d.HasField('counter'):
                    names[d.uuid] = d.name
                continue
            if packet.sequence_flags & 1:
                table = {n.iid: n.name for n in packet.interned_data.event_names}
                categories = {n.iid: n.name for n in packet.interned_data.event_categories}
                tables[packet.trusted_packet_sequence_id] = (
                    table, categories, packet.trace_packet_defaults.track_event_defaults.track_uuid)
                continue
            event = packet.track_event
            if event.type == pb.TrackEvent.TYPE_COUNTER:
                lines[names[event.track_uuid]].append((packet.timestamp, event.counter_value))
                continue
            same(packet.sequence_flags, 2, 'flags')
            table, categories, track = tables[packet.trusted_packet_sequence_id]
            threads[track][1].append((packet.timestamp, event, table, categories))
        same([name for name, _ in threads.values()], [t.name for t in trace.threads], 'thread names')
        same(dict(lines), trace.metrics(), 'counters')
        flows = collections.defaultdict(set)
        for (_, events), thread in zip(threads.values(), trace.threads):
            stack, scopes, marks, now = [], [], 0, 0
            for at, event, table, categories in events:
                assert at >= now, 'time goes backwards'
                now = at
                if event.type == pb.TrackEvent.TYPE_SLICE_BEGIN:
                    stack.append(len(scopes))
                    category = categories[event.category_iids[0]] if event.category_iids else ''
                    scopes.append([at, None, table[event.name_iid], category, len(stack) - 1])
                elif event.type == pb.TrackEvent.TYPE_SLICE_END:
                    scopes[stack[-1]][1] = at - scopes[stack[-1]][0]
                    stack.pop()
                elif not event.flow_ids and not event.terminating_flow_ids:
                    marks += 1
                for flow in list(event.flow_ids) + list(event.terminating_flow_ids):
                    flows[flow].add(at)
            assert not stack, 'unbalanced'
            same([tuple(s) for s in scopes], [tuple(s) for s in thread.scopes()], 'scopes')
            same(marks, len(thread.of(MARK)), 'marks')
        expected = collections.defaultdict(set)
        for thread in trace.threads:
            for e, parent in thread.parents():
                expected[e.name, e.value].add(parent[0] if parent else e.start)
        same(sorted(map(sorted, flows.values())), sorted(map(sorted, expected.values())), 'flows')


# --- Perfetto's trace processor: what its web page shows --------------------------------

def check_trace_processor():
    engine = os.path.join(TOOLS, 'perfetto-ui')
    if not os.path.exists(os.path.join(engine, 'engine_bundle.js')) or not shutil.which('node'):
        skip('Perfetto\'s trace processor (or node) is not there')
    queries = [
        "select name, value from stats where value > 0 and severity in ('error', 'data_loss')",
        'select t.utid, s.ts, s.dur, s.name, s.category, s.depth from slice s join thread_track t '
        'on s.track_id = t.id where s.dur > 0 or exists (select 1 from slice c where c.id = s.id '
        "and s.category is not 'EVENTS') order by s.ts, s.depth, s.id",
        'select utid, name, tid from thread where name is not null and tid is not null',
        'select t.name, c.ts, c.value from counter c join counter_track t on c.track_id = t.id '
        'order by c.ts, c.id',
        'select o.ts, i.ts from flow join slice o on flow.slice_out = o.id '
        'join slice i on flow.slice_in = i.id',
    ]
    for sample in TRACES:
        trace = Trace(sample)
        for suffix in ('.perfetto', '.trace.json'):
            if sample == 'empty' and suffix == '.perfetto':
                continue
            out = subprocess.run(['node', os.path.join(HERE, 'trace_processor.mjs'), engine,
                                  path(sample, suffix), *queries], stdout=subprocess.PIPE,
                                 stderr=None if os.environ.get('VERBOSE') else subprocess.DEVNULL)
            if out.returncode != 0:
                sys.exit(f'{sample}{suffix}: the trace processor does not take it')
            stats, slices, threads, counters, flows = (a['rows'] for a in json.loads(out.stdout))
            what = sample + suffix
            same(stats, [], f'{what}: errors')
            # Escapes of control characters in JSON stay as they are there, and no name is "[No name]".
            shown = (lambda n: n) if suffix == '.perfetto' else \
                (lambda n: ''.join(json.dumps(c)[1:-1] if ord(c) < 32 else c for c in n) or '[No name]')
            names = {utid: name for utid, name, _ in threads}
            got = collections.defaultdict(list)
            for utid, *row in slices:
                got[utid].append(tuple(row))
            got = sorted((names[utid], rows) for utid, rows in got.items())
            ids = {s.name for t in trace.threads for s in t.scopes()}
            got = [(n, [r for r in rows if r[2] in set(map(shown, ids))]) for n, rows in got]
            expected = sorted(
                (t.name, [(s.start, s.duration, shown(s.name), shown(s.category) if s.category else None,
                           s.depth) for s in t.scopes()])
                for t in trace.threads if t.scopes())
            same([(n, len(r)) for n, r in got], [(n, len(r)) for n, r in expected], f'{what}: counts')
            same([(n, sorted(r, key=str)) for n, r in got],
                 [(n, sorted(r, key=str)) for n, r in expected], f'{what}: slices')
            want = sorted((n, at, v) for n, line in trace.metrics().items() for at, v in line)
            units = {e.name: e.unit for t in trace.threads for e in t.of(COUNTER, GAUGE)}
            if suffix == '.trace.json':  # there the key in args is part of the name
                want = sorted((f'{n} {units[n] or "value"}', at, v) for n, at, v in want)
            same(sorted((n, at, float(v)) for n, at, v in counters),
                 [(n, at, float(v)) for n, at, v in want], f'{what}: counters')
            if sample == 'small':
                # reader's two scopes -> the mirror's -> the writer's, or in no scope; in Chrome's form
                # the processor takes the mark at 600 for the scope around what comes after it
                second = 500 if suffix == '.perfetto' else 600
                same(sorted(flows), [[100, 900], [second, 900], [900, 2000], [900, 2600]], f'{what}: flows')


# --- the importer of chrome://tracing ---------------------------------------------------

def check_catapult():
    viewer = os.path.join(TOOLS, 'catapult', 'trace_viewer_full.html')
    if not os.path.exists(viewer) or not shutil.which('node'):
        skip('Catapult\'s trace viewer (or node) is not there')
    for sample in ('small', 'random'):
        trace = Trace(sample)
        out = subprocess.run(['node', os.path.join(HERE, 'catapult.mjs'), viewer,
                              path(sample, '.trace.json')], stdout=subprocess.PIPE, check=True)
        got = json.loads(out.stdout)
        same(got['warnings'], [], f'{sample}: warnings')
        begun = min(e.start for t in trace.threads for e in t.events)
        late = max(e.start for t in trace.threads for e in t.events)
        near = 1 if late < 1 << 50 else 1.1  # milliseconds are doubles there
        def times(milliseconds):
            return begun + round(milliseconds * 1e6)
        threads = sorted(got['threads'], key=lambda t: t['tid'])
        expected = sorted((t for t in trace.threads if t.events), key=lambda t: thread_order(trace, t))
        same([t['name'] for t in threads], [t.name for t in expected], f'{sample}: threads')
        for thread, want in zip(threads, expected):
            names = {s.name for s in want.scopes()}
            slices = [s for s in thread['slices'] if s[0] in names]
            scopes = want.scopes()
            same(sorted(s[0] for s in slices), sorted(s.name for s in scopes), f'{sample}: slices')
            order = lambda s: (s[1], -s[2], s[0])
            for s, w in zip(sorted(((n, times(a), round(d * 1e6), z) for n, a, d, z in slices), key=order),
                            sorted(((w.name, w.start, w.duration, w.depth) for w in scopes), key=order)):
                if s[0] != w[0] or abs(s[1] - w[1]) > near or abs(s[2] - w[2]) > near:
                    same(s, w, f'{sample}: slice')
                if sample == 'small' and w[2] > 0:  # one without duration may go inside what ends there
                    same(s[3], w[3], f'{sample}: depth of {w}')
        lines = {n: [(times(at), v) for at, v in line] for n, line in got['counters'].items()}
        want = trace.metrics()
        same({n: [(at, float(v)) for at, v in line] for n, line in lines.items()},
             {n: [(at, float(v)) for at, v in line] for n, line in want.items()}, f'{sample}: counters')
        if sample == 'small':
            same(sorted((times(a), times(b)) for _, a, b in got['flows']),
                 [(100, 900), (500, 900), (900, 2000), (900, 2600)], 'flows')


# --- speedscope's importers ------------------------------------------------------------

def speedscope(name):
    bundles = glob.glob(os.path.join(TOOLS, 'speedscope', 'dist', 'release', 'speedscope-*.js'))
    if not bundles or not shutil.which('node'):
        skip('speedscope (or node) is not there')
    out = subprocess.run(['node', os.path.join(HERE, 'speedscope.mjs'), bundles[0],
                          os.path.join(FOLDER, name)], stdout=subprocess.PIPE,
                         stderr=None if os.environ.get('VERBOSE') else subprocess.DEVNULL)
    if out.returncode != 0:
        sys.exit(f'{name}: speedscope does not take it')
    return json.loads(out.stdout)


def self_times(profile):
    out, stack, last = collections.Counter(), [], 0
    for kind, name, _, at in profile['events']:
        if stack:
            out[tuple(stack)] += at - last
        last = at
        if kind == 'O':
            stack.append(name)
        else:
            same(stack.pop(), name, 'balance')
    same(stack, [], 'balance')
    return {k: v for k, v in out.items() if v}


def check_speedscope():
    named = lambda n: n or '(no name)'
    for sample in TRACES:
        trace = Trace(sample)
        profiles = speedscope(sample + '.speedscope.json')
        threads = [t for t in trace.threads if t.scopes()]
        if threads:
            same([p['name'] for p in profiles], [t.name for t in threads], 'threads')
        for profile, thread in zip(profiles, threads):
            same(profile['unit'], 'nanoseconds', 'unit')
            opened = [(at, name) for kind, name, _, at in profile['events'] if kind == 'O']
            # speedscope leaves scopes of no duration out
            same(opened, [(s.start, named(s.name)) for s in thread.scopes() if s.duration], 'scopes')
            want = {tuple(map(named, k[1:])): v for k, v in trace.stacks().items()
                    if k[0] == thread.name}
            if sample == 'small':
                same(self_times(profile), want, 'self times')
        if threads:
            folded = speedscope(sample + '.folded.txt')
            same(sum(self_times(folded[0]).values()), sum(trace.stacks().values()), 'folded')
        if sample == 'random':
            continue  # speedscope adds ts and dur of Chrome's form as doubles: ends that are one time differ
        chrome = speedscope(sample + '.trace.json')
        same(len(chrome), len(threads), f'{sample}: threads of the Chrome trace')
        for profile, thread in zip(sorted(chrome, key=lambda p: int(p['name'].split()[-1][:-1])),
                                   sorted(threads, key=lambda t: thread_order(trace, t))):
            opened = [name for kind, name, _, _ in profile['events'] if kind == 'O']
            same(opened, [s.name or '(unnamed)' for s in thread.scopes() if s.duration], 'Chrome scopes')
    ops = operations()
    for profile in (speedscope('snapshot.speedscope.json')[0], speedscope('snapshot.folded.txt')[0]):
        same(profile['total'], sum(o['self'] for o in ops), 'total')
        same(sorted(self_times(profile).values()), sorted(o['self'] for o in ops if o['self']), 'self')
    speedscope('nothing.speedscope.json')


def thread_order(trace, thread):
    """Threads by the id in the file: one that was given twice is given anew, above all others."""
    index = trace.threads.index(thread)
    again = thread.tid in [t.tid for t in trace.threads[:index]]
    return (again, index if again else thread.tid)


# --- a flame graph ----------------------------------------------------------------------

def check_inferno():
    program = shutil.which('inferno-flamegraph')
    if not program:
        skip('inferno-flamegraph is not there')
    import xml.etree.ElementTree as xml
    for sample, total in [(s, sum(Trace(s).stacks().values())) for s in TRACES[:2]] + \
                         [('snapshot', sum(snapshot_stacks().values()))]:
        out = subprocess.run([program, '--minwidth', '0', '--countname', 'ns', path(sample, '.folded.txt')],
                             stdout=subprocess.PIPE, check=True)
        titles = [t.text for t in xml.fromstring(out.stdout).iter('{http://www.w3.org/2000/svg}title')]
        everything = [t for t in titles if t.startswith('all (')]
        same(everything, [f'all ({total:,} ns, 100%)'], f'{sample}: flame graph')


{'python': check_python, 'perfetto': check_perfetto, 'trace-processor': check_trace_processor,
 'catapult': check_catapult, 'speedscope': check_speedscope, 'inferno': check_inferno}[CONSUMER]()
print(f'{CONSUMER}: all samples are as they should be')
