"""What a running server has, as handlers find it."""

from __future__ import annotations

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.server.engine import Engine
    from laminar.server.identity import Identity
    from laminar.server.metrics import Metrics
    from laminar.server.settings import Settings
    from laminar.server.signing import Signer
    from laminar.server.stopping import Stopping
    from laminar.server.store import Store
    from laminar.server.tokens import Tokens


class Services(Value, frozen=True):
    """What a running server has.

    Attributes:
        settings: How it was started.
        signer: Makes and reads signed claims.
        store: All content.
        engine: What drives runs.
        tokens: The tokens of people and programs.
        metrics: What is counted.
        stopping: Tells those who wait that the server stops.
        lives: Tells whether an agent or an attempt is still one that may ask.
        hears: Is called each second by who takes requests: as long as it is, whoever asks is heard.
        unwell: Says why the server cannot do its work, if so; empty if it can.
    """

    settings: Settings
    signer: Signer
    store: Store
    engine: Engine
    tokens: Tokens
    metrics: Metrics
    stopping: Stopping
    lives: Callable[[Identity], bool] = lambda _: False
    hears: Callable[[], None] = lambda: None
    unwell: Callable[[], str] = lambda: ""
