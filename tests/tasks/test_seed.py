"""Every snippet of the page that tasks are modelled on runs by one changed line: ``import laminar as flyte``.

Those that need no server run here without one; ``test_seed_served.py`` runs all of them where a server is configured.
"""

from __future__ import annotations

import socket

import pytest
from seed.carrying import PAGE, SNIPPETS, carry_out, succeeds
from seed.surroundings import AROUND, OF_A_SERVER


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name not in OF_A_SERVER])
def test_a_snippet_runs_by_one_changed_line(name, tmp_path):
    succeeds(name, tmp_path, {})


@pytest.mark.parametrize("name", sorted(OF_A_SERVER))
def test_a_snippet_for_a_server_says_so_where_none_answers(name, tmp_path):
    language, text = SNIPPETS[name]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = carry_out(tmp_path, language, text, AROUND[name], {"LAMINAR_SERVER_ENDPOINT": endpoint})
    assert done.returncode != 0
    assert "laminar serve" in done.stderr.splitlines()[-1], done.stderr


def test_every_snippet_is_surrounded_and_nothing_else_is():
    assert list(AROUND) == list(SNIPPETS)
    assert SNIPPETS.keys() >= OF_A_SERVER
    assert len(SNIPPETS) == PAGE.read_text().count("\n## ")
