"""Scopes as USDT probes, by the tools that watch them: readelf, gdb, perf, bpftrace; each that is absent is said.

    test_usdt.py TOOL PROGRAM LIBRARY
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Of the program annotate.c: three threads of twenty rounds.
WANTED = {("STAGE", "decode"): 60, ("MODEL", "infer"): 120, ("MODEL", 'layer "1"'): 60}
TRACING = "/sys/kernel/tracing"


def skip(why):
    print("SKIPPED:", why)
    sys.exit(77)


def output(*command):
    env = {k: v for k, v in os.environ.items() if not k.startswith("FMP_")}
    env["LC_ALL"] = "C"
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, env=env)
    return done.returncode, done.stdout, done.stderr


def tool_readelf(program, library):
    """Both the program, which the static library was linked into, and the shared library have the notes."""
    for file in (program, library):
        status, text, error = output("readelf", "-n", file)
        assert status == 0, error
        probes = re.findall(r"Provider: fmprof\s+Name: (\w+)\s+Location: (0x[0-9a-f]+),.*\s+Arguments: (.*)", text)
        names = collections.Counter(name for name, _, _ in probes)
        assert names["scope_begin"] >= 1 and names["scope_end"] >= 1 and len(names) == 2, f"{file}: {names}"
        # Two pointers of eight bytes: category and operation.
        assert all(len(arguments.split()) == 2 for _, _, arguments in probes), probes
        assert all(int(place, 16) for _, place, _ in probes), probes


def tool_gdb(program, _):
    script = """set pagination off
set confirm off
info probes stap fmprof
break -probe-stap fmprof:scope_begin
commands
silent
printf "SCOPE %s|%s\\n", (char *)$_probe_arg0, (char *)$_probe_arg1
continue
end
break -probe-stap fmprof:scope_end
commands
silent
printf "END %s|%s\\n", (char *)$_probe_arg0, (char *)$_probe_arg1
continue
end
run
"""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as file:
        file.write(script)
        file.flush()
        _, text, error = output("gdb", "-nx", "-batch", "-x", file.name, program)
    if re.search(r"ptrace|warning: Error disabling|Could not trace|Cannot|not permitted", error) and "SCOPE" not in text:
        skip("gdb may not trace here: " + error.strip().splitlines()[-1])
    assert re.search(r"stap\s+fmprof\s+scope_begin\s+0x", text), text + error
    for what in ("SCOPE", "END"):
        seen = collections.Counter(tuple(m) for m in re.findall(rf"^{what} (.*)\|(.*)$", text, re.M))
        assert seen == WANTED, f"{what}: {seen}"


def tool_perf(program, _):
    """perf finds the probes in a cache of its own; to set them it writes to the kernel's list of events for all."""
    with tempfile.TemporaryDirectory() as cache:
        status, _, error = output("perf", "--buildid-dir", cache, "buildid-cache", "--add", program)
        if status:
            skip("perf cannot read the program: " + error.strip())
        _, text, error = output("perf", "--buildid-dir", cache, "list", "sdt")
    if "sdt_" not in text:
        skip("perf was built without SDT events, or lists none: " + (error.strip() or "nothing"))
    for name in ("scope_begin", "scope_end"):
        assert f"sdt_fmprof:{name}" in text, text


def tool_bpftrace(program, _):
    script = f"usdt:{program}:fmprof:scope_begin {{ @begin[str(arg0), str(arg1)] = count(); }}" \
             f" usdt:{program}:fmprof:scope_end {{ @end[str(arg0), str(arg1)] = count(); }}"
    command = ["bpftrace", "-e", script, "-c", program]
    if not os.path.exists(TRACING + "/uprobe_events"):
        # A mount that nobody else sees.
        if os.geteuid() != 0 or output("unshare", "-m", "mount", "-t", "tracefs", "tracefs", TRACING)[0]:
            skip(f"there are no uprobes under {TRACING}")
        command = ["unshare", "-m", "sh", "-c", f'mount -t tracefs tracefs {TRACING} && exec "$@"', "sh"] + command
    status, text, error = output(*command)
    if "@begin[" not in text:
        skip("bpftrace may not watch here: " + (error.strip() or text.strip()).splitlines()[-1][:200])
    for what in ("begin", "end"):
        seen = {(c, o): int(n) for c, o, n in re.findall(rf"^@{what}\[(.*?), (.*)\]: (\d+)$", text, re.M)}
        assert seen == WANTED, f"{what}: {seen} {error}"


if __name__ == "__main__":
    tool = sys.argv[1]
    if not shutil.which(tool):
        skip(f"{tool} is not installed")
    globals()["tool_" + tool](*sys.argv[2:])
