"""What drives runs on a server, put together."""

from __future__ import annotations

from laminar.ledger.journal import CallJournal
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.ledger.catalog import Catalog
    from laminar.ledger.database import Database
    from laminar.ledger.submissions import Submissions
    from laminar.server.agents import Agents
    from laminar.server.driving import Driving
    from laminar.server.lines import Lines
    from laminar.server.output import Output
    from laminar.server.pools import Pool
    from laminar.server.queues import Queues
    from laminar.server.schedules import Schedules
    from laminar.server.slots import Slots


class Engine(Value):
    """What drives runs.

    Attributes:
        database: Where all is recorded.
        catalog: What is deployed.
        submissions: The runs that are asked for.
        agents: Run attempts.
        lines: Hear attempts.
        slots: How many attempts run at a time on this server.
        queues: How many attempts of a queue or a space run at a time.
        schedules: Starts what is due.
        output: What attempts print.
        driving: Drives runs.
        code_url: Gives the address of a pool's code.
    """

    database: Database
    catalog: Catalog
    submissions: Submissions
    agents: Agents
    lines: Lines
    slots: Slots
    queues: Queues
    schedules: Schedules
    output: Output
    driving: Driving
    code_url: Callable[[Pool], str]

    def journal(self, space: str, run: str) -> CallJournal:
        """Give the journal of a run, to be read."""
        return CallJournal(self.database, space, run, 0)
