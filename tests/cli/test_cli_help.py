"""What the command line says of itself."""

from __future__ import annotations

import pytest

from laminar import __version__

USAGE = {
    "": "laminar [OPTIONS] COMMAND [ARGS]...",
    "run": "laminar run [OPTIONS] FILE NAME [--INPUT VALUE]...",
    "resume": "laminar resume [OPTIONS] [FILE] ID [-- ARGUMENTS]...",
    "graph": "laminar graph [OPTIONS] FILE FLOW",
    "get": "laminar get [OPTIONS] COMMAND [ARGS]...",
    "get runs": "laminar get runs [OPTIONS]",
    "get run": "laminar get run [OPTIONS] ID",
    "why": "laminar why [OPTIONS] ID ACTION",
    "logs": "laminar logs [OPTIONS] ID [ACTION|TASK|LAYER[/INDEX]]",
    "abort": "laminar abort [OPTIONS] ID",
    "serve": "laminar serve [OPTIONS]",
    "doctor": "laminar doctor [OPTIONS]",
    "gc": "laminar gc [OPTIONS]",
    "backup": "laminar backup [OPTIONS] FILE",
    "token": "laminar token [OPTIONS] COMMAND [ARGS]...",
    "token create": "laminar token create [OPTIONS] NAME",
    "token list": "laminar token list [OPTIONS]",
    "token revoke": "laminar token revoke [OPTIONS] ID",
}
OPTIONS = {
    "run": [
        "--local",
        "--name, --execution ID",
        "--executor NAME",
        "--root, --datastore ROOT",
        "-f, --follow",
        "--env K=V",
        "--label K=V",
        "--overwrite-cache",
        "--project P",
        "--domain D",
        "--resume",
        "-o, --output [table|json]",
    ],
    "resume": ["-m, --module", "-o, --output [table|json]", "--root FOLDER"],
    "graph": ["-o, --output [table|json]"],
    "get runs": ["--limit", "--label K=V", "-o, --output [table|json]", "--root FOLDER"],
    "get run": [
        "--tree",
        "--depth",
        "--actions",
        "--task NAME",
        "--status",
        "--limit",
        "--offset",
        "-o, --output [table|json]",
        "--root FOLDER",
    ],
    "why": ["-o, --output [table|json]", "--root FOLDER"],
    "logs": ["-f, --follow", "-o, --output [table|json]", "--root FOLDER"],
    "serve": ["--host ADDRESS", "--port N", "--state FOLDER", "--database URL", "--auth / --no-auth", "--config FILE"],
    "token create": ["--role [viewer|editor|admin]", "--expires DAYS", "--state FOLDER", "-o, --output [table|json]"],
    "doctor": ["--root FOLDER", "--state FOLDER", "--store URL", "-o, --output [table|json]"],
    "gc": ["--dry-run", "--keep-days N", "--keep-runs N", "--grace HOURS", "--root FOLDER", "--state FOLDER"],
    "backup": ["--state FOLDER", "--database URL", "--config FILE"],
    "abort": ["--reason TEXT", "--timeout SECONDS", "-o, --output [table|json]", "--root FOLDER"],
}


@pytest.mark.parametrize("command", USAGE)
def test_each_command_explains_itself(shell, command):
    answer = shell.laminar(*command.split(), "--help")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == f"Usage: {USAGE[command]}"
    for option in [*OPTIONS.get(command, []), "-q, --quiet", "--version", "-h, --help"]:
        assert f"\n  {option}" in answer.out
    assert shell.installed(*command.split(), "-h") == answer


@pytest.mark.parametrize("command", USAGE)
def test_each_command_tells_the_version(shell, command):
    assert shell.laminar(*command.split(), "--version") == (0, f"laminar {__version__}\n", "")


def test_the_help_names_every_command_and_the_exit_codes(shell):
    out = shell.laminar("--help").out
    for command in {name.split()[0] for name in USAGE if name}:
        assert f"\n  {command} " in out
    assert "0 done; 1 a run failed or was stopped; 2 wrong use; 130 Ctrl-C" in out


def test_the_program_is_also_a_module(shell):
    assert shell.python("-m", "laminar", "--help").out == shell.laminar("--help").out


def test_ctrl_c_while_commands_are_loaded_ends_without_a_traceback(shell):
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'laminar.cli.running': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from laminar.__main__ import main\n"
        "main()\n"
    )
    assert shell.python("-c", code) == (130, "", "")


def test_help_loads_nothing_that_it_does_not_need(shell):
    code = (
        "import sys; sys.argv = ['laminar', '--help']\n"
        "from laminar.__main__ import main\n"
        "try: main()\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)\n"
    )
    loaded = shell.python("-c", code).err
    assert "'laminar.cli.main'" in loaded
    for heavy in ("laminar.flows", "laminar.engine.flow", "laminar.ledger.sql", "apsw", "rich", "isal", "asyncio"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'."),
        (["get", "runz"], "No such command 'runz'."),
        (["get", "runs", "--limti", "3"], "--limti"),
        (["get", "runs", "--limit", "0"], "0 is not in the range x>=1."),
        (["get", "runs", "--limit", "x"], "'x' is not a valid integer range."),
        (["get", "runs", "-o", "xml"], "'xml' is not one of 'table', 'json'."),
        (["get", "run"], "Missing argument 'ID'."),
        (["abort", "x", "--timeout", "-1"], "-1.0 is not in the range x>=0."),
        (["run"], "Missing argument 'FILE'."),
        (["run", "main.py"], "Missing argument 'NAME'. main.py defines flow Hello."),
        (["run", "main.py", "Hello", "more"], "unexpected extra argument (more)"),
        (["run", "main.py", "Hello", "-x"], "No such option"),
    ],
)
def test_wrong_use_is_explained_and_exits_with_2(shell, arguments, said):
    shell.write("main.py")
    answer = shell.laminar(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.startswith("Usage: laminar")


def test_without_a_command_the_help_is_shown(shell):
    answer = shell.laminar()
    assert "Usage: laminar" in answer.out + answer.err
