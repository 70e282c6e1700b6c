"""Compares samples with independent tools.

usage: check_sampled.py perf PROGRAM            shares of functions as Linux perf sees them
       check_sampled.py formats PROGRAM TOOLS   flame graph formats, read back by others (TOOLS: see tests/export)
Exit status: 0 as it should be, 1 not, 77 the tool is not there or not permitted.
"""
import collections
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PLANTED = ['planted_red', 'planted_green', 'planted_inlined', 'planted_library_inner']
# perf reports a function with what is inlined into it under the name that is in the symbol table.
IN_PERF = {'planted_inlined': 'planted_caller'}
SECONDS, HZ = '4', '1999'
POINTS = 0.05  # two times 8000 samples of a share of a third are apart by 0.7 points (1 sigma)


def skip(what):
    print(f'SKIP: {what}')
    sys.exit(77)


def shares_of(seconds):
    """Parts of what the planted functions took together: what only one of the tools counts (the other) is left out."""
    return {name: seconds[name] / sum(seconds[n] for n in PLANTED) for name in PLANTED}


def record(program, data):
    """One run that both watch, so that they look at the same work. Returns the program's own seconds of each function."""
    run = subprocess.run(['perf', 'record', '-e', 'cpu-clock', '-F', HZ, '-o', data, program, SECONDS, HZ],
                         capture_output=True, text=True)
    if run.returncode != 0:
        skip(f'perf may not record: {run.stderr.strip()[:300]}')
    seconds = collections.Counter()
    for line in run.stdout.splitlines():
        name, value = line.rsplit(' ', 1)
        seconds[name] += float(value)
    return seconds


def perf_seconds(data):
    report = subprocess.run(['perf', 'report', '-i', data, '--stdio', '--fields', 'overhead,symbol', '-t', '|',
                             '--percent-limit', '0'], check=True, capture_output=True, text=True).stdout
    parts = collections.Counter()
    for line in report.splitlines():
        if '%' not in line or '|' not in line or line.startswith('#'):
            continue
        percent, symbol = line.split('|', 1)
        parts[symbol.split(']', 1)[-1].strip().split('.', 1)[0]] += float(percent.strip().rstrip('%')) / 100
    return {name: parts[IN_PERF.get(name, name)] for name in PLANTED}


def check_perf(program):
    if not shutil.which('perf'):
        skip('perf is not there')
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'perf.data')
        ours = shares_of(record(program, data))
        theirs = shares_of(perf_seconds(data))
    for name in PLANTED:
        print(f'{name:24} own {ours[name]:6.1%}  perf {theirs[name]:6.1%}')
    if any(abs(ours[name] - theirs[name]) > POINTS for name in PLANTED):
        sys.exit('shares differ')
    if min(theirs.values()) < 0.05:
        sys.exit('perf does not see the planted functions')


# --- formats -----------------------------------------------------------------------------

def same(got, expected, what):
    if got != expected:
        sys.exit(f'{what}: differs\n  got      {str(got)[:2000]}\n  expected {str(expected)[:2000]}')


def text_of(hexadecimal):
    """As the writers have it: each byte that is no UTF-8 a replacement character."""
    raw, out = bytes.fromhex(hexadecimal), ''
    while raw:
        try:
            return out + raw.decode()
        except UnicodeDecodeError as e:
            out, raw = out + raw[:e.start].decode() + '\ufffd', raw[e.start + 1:]
    return out


def truth_of(folder):
    """[(operation, (outer, ..., inner), count)]"""
    out = []
    for line in open(os.path.join(folder, 'stacks.truth')):
        names, count = line.rsplit(' ', 1)
        names = [text_of(n) for n in names.split(';')]
        out.append((names[0] or '(no scope)', tuple(n or '(no name)' for n in names[1:]), int(count)))
    return out


def folded_name(name):
    return ''.join('_' if c == ';' or ord(c) < 32 or ord(c) == 127 else c for c in name)


def check_folded(folder, truth):
    got = [line.rsplit(' ', 1) for line in open(os.path.join(folder, 'stacks.folded'), encoding='utf-8', newline='\n')]
    same([(names, int(count)) for names, count in got],
         [(';'.join(map(folded_name, (op, *frames))), count) for op, frames, count in truth], 'folded')


def check_speedscope(folder, truth, tools):
    file = os.path.join(folder, 'stacks.speedscope.json')
    document = json.load(open(file, encoding='utf-8'))
    names = [f['name'] for f in document['shared']['frames']]
    same(len(set(names)), len(names), 'frames are there once')
    got = collections.Counter()
    for profile in document['profiles']:
        same(profile['endValue'], sum(profile['weights']), 'the end')
        for stack, weight in zip(profile['samples'], profile['weights'], strict=True):
            got[profile['name'], tuple(names[i] for i in stack)] += weight
    expected = collections.Counter()
    for operation, frames, count in truth:
        expected[operation, frames] += count
    same(got, expected, 'speedscope')
    release = os.path.join(tools, 'speedscope', 'dist', 'release')
    schema = os.path.join(release, 'file-format-schema.json')
    if not os.path.exists(schema):
        skip('speedscope is not there: its schema and importers are left out')
    try:
        import jsonschema
        jsonschema.validate(document, json.load(open(schema)))
    except ImportError:
        print('jsonschema is not there: the schema is left out')
    if not shutil.which('node'):
        skip('node is not there: importers are left out')
    bundle = glob.glob(os.path.join(release, 'speedscope-*.js'))[0]
    script = os.path.join(HERE, '..', 'export', 'tools', 'speedscope.mjs')
    out = subprocess.run(['node', script, bundle, file], capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f'speedscope does not take it: {out.stderr[:2000]}')
    imported = {p['name']: p['total'] for p in json.loads(out.stdout)}
    sums = collections.Counter()
    for operation, _, count in truth:
        sums[operation] += count
    for name, total in imported.items():
        if abs(total - sums[name]) > 1e-12 * sums[name]:
            sys.exit(f'speedscope adds {name} up to {total}, not {sums[name]}')
    same(set(imported), set(sums), 'profiles')


def check_formats(program, tools):
    with tempfile.TemporaryDirectory() as folder:
        for arguments in (['0.5', '997', folder], ['hostile', folder]):
            subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)
            truth = truth_of(folder)
            assert truth
            check_folded(folder, truth)
            check_speedscope(folder, truth, tools)


if sys.argv[1] == 'perf':
    check_perf(sys.argv[2])
else:
    check_formats(sys.argv[2], os.environ.get('FMPROF_CONSUMERS', sys.argv[3]))
