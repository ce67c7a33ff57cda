"""The installed program, warm: Python has started and imported what the program always imports, and forks for each run.

A fork becomes the program as if it had just been started: with arguments, a folder, an environment and standard streams
of its own. ``shells`` starts this with the path of the program and the number of a socket. What comes there is three
open files, and a line of JSON; what goes back is the number of the process, and what it exits with.
"""

import json
import os
import socket
import sys

import laminar.cli.main  # noqa: F401  # what the program imports before it knows what to do


def _next() -> tuple[list[str], list[int]]:
    """Fork for each request, and wait for its end; returns in forks only."""
    requests = socket.socket(fileno=int(sys.argv[2]))
    while True:
        _, streams, _, _ = socket.recv_fds(requests, 1, 3)
        if not streams:
            os._exit(0)
        line = b""
        while not line.endswith(b"\n"):
            line += requests.recv(65536)
        pid = os.fork()
        if pid == 0:
            requests.close()
            return json.loads(line), streams
        for stream in streams:
            os.close(stream)
        requests.sendall(b"%d\n" % pid)
        requests.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


(_arguments, _folder, _environment), _streams = _next()
for _number, _stream in enumerate(_streams):
    os.dup2(_stream, _number)
    os.close(_stream)
os.chdir(_folder)
os.environ.clear()
os.environ.update(_environment)
_program = sys.argv[1]
sys.argv = [_program, *_arguments]
sys.path[0] = os.path.dirname(_program)
_main = sys.modules["__main__"] = type(sys)("__main__")
_main.__file__ = _program
with open(_program) as _text:
    _code = compile(_text.read(), _program, "exec")
exec(_code, vars(_main))
