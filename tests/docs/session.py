"""A REPL that is fed blocks of code as lines of JSON, and answers each with its failure, or with nothing."""

import doctest
import json
import linecache
import os
import sys
import traceback

_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def _run_python(source, where):
    linecache.cache[where] = (len(source), None, source.splitlines(keepends=True), where)
    try:
        exec(compile(source, where, "exec"), vars(sys.modules["__main__"]))
    except BaseException:
        return traceback.format_exc()
    return ""


def _run_console(source, where):
    said = []
    names = vars(sys.modules["__main__"])
    test = doctest.DocTestParser().get_doctest(source, {}, where, where, 0)
    test.globs = names
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=said.append, clear_globs=False)
    return "".join(said)


for _line in sys.stdin:
    _language, _source, _where = json.loads(_line)
    _failure = (_run_console if _language == "pycon" else _run_python)(_source, _where)
    print(json.dumps(_failure), file=_answers, flush=True)
