#!/usr/bin/env python3
"""Names of the system calls of the machine that is compiled for, as designated initialisers of a C array.

usage: syscall_names.py OUTPUT COMPILER [ARGUMENT...]

The compiler is asked which __NR_ and SYS_ macros <sys/syscall.h> defines, so that the names are those of the
target's headers, not of a list that grows old.
"""
import re
import subprocess
import sys


def macros(compiler):
    command = compiler + ['-E', '-dM', '-x', 'c', '-']
    done = subprocess.run(command, input='#include <sys/syscall.h>\n', stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r'#define (\w+) (.+)$', line)
        if match:
            found[match.group(1)] = match.group(2).strip()
    return found


def number(found, value):
    """The value of a macro that is a number, the name of another one, or a sum of such; None for all else."""
    for _ in range(8):
        terms = value.strip('()').split('+')
        values = [found.get(term.strip(' ()'), term.strip(' ()')) for term in terms]
        if all(re.fullmatch(r'0[xX][0-9a-fA-F]+|[0-9]+', v) for v in values):
            return sum(int(v, 0) for v in values)
        value = '+'.join(values)
    return None


def main():
    output, compiler = sys.argv[1], sys.argv[2:]
    found = macros(compiler)
    names = {}
    for macro, value in found.items():
        match = re.fullmatch(r'(?:SYS_|__NR_)([a-z_]\w*)', macro)
        if not match or match.group(1) in ('syscalls', 'arch_specific_syscall'):
            continue
        call = number(found, value)
        if call is not None and call < 4096:
            names[call] = min(names.get(call, match.group(1)), match.group(1))
    if 'read' not in names.values():
        sys.exit('syscall_names.py: ' + ' '.join(compiler) + ' shows no system calls in <sys/syscall.h>')
    with open(output, 'w', encoding='ascii') as file:
        for call in sorted(names):
            file.write(f'[{call}] = "{names[call]}",\n')


main()
