"""``laminar queue``, ``laminar get queues``: how many actions go on at a time on a server."""

from __future__ import annotations

import click

from laminar.cli import answers, options
from laminar.cli.spaces import asking, place, plain, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.cli.spaces import Where
    from laminar.wire.queues import QueuePage, QueueView

#: What stands for no limit.
NONE = "none"
#: Runs of holders that are named.
NAMED = 5


@click.group("queue", short_help="Limit how many tasks run at a time on a server.")
@options.common
def queue() -> None:
    """Limit how many tasks of a queue, or of a whole project, run at a time. laminar get queues lists the limits."""


@queue.command("create", short_help="Make a queue, or change its size.")
@click.argument("name")
@click.option("--size", type=click.IntRange(min=0), required=True, help="How many of its tasks run at a time.")
@place
def create(name: str, size: int, output: str, where: Where) -> None:
    """Make the queue NAME, or change its size. What runs goes on; with a size of 0 nothing more begins."""
    from laminar.wire.queues import QueueRequest, QueueView  # 60 ms that help texts do not need

    wanted = request(QueueRequest, name=name, size=size)
    with asking(where) as client:
        view: QueueView = client.call("POST", client.space_path("/queues"), body=wanted, returns=QueueView, again=True)
    if output == options.JSON:
        answers.as_json(plain(view))
    else:
        answers.remark(f"The queue {view.name} has {view.size} slots.")


@queue.command("delete", short_help="Take a queue away.")
@click.argument("name")
@place
def delete(name: str, output: str, where: Where) -> None:
    """Take the queue NAME away: nothing waits for it any more. Tasks that name it cannot be deployed."""
    from urllib.parse import quote  # 10 ms that help texts do not need

    from laminar.wire.queues import QueuePage

    with asking(where) as client:
        path = client.space_path(f"/queues/{quote(name, safe='')}")
        page: QueuePage = client.call("DELETE", path, returns=QueuePage)
    _answer(page, output, f"The queue {name} is gone.")


@queue.command("limit", short_help="Limit all tasks of a project.")
@click.argument("size", metavar="N|none")
@place
def limit(size: str, output: str, where: Where) -> None:
    """Let N actions of a project's domain go on at a time, whatever their queues; none is no limit.

    Those that only wait for what they have called are not counted.
    """
    from laminar.wire.queues import LimitRequest, QueuePage  # 60 ms that help texts do not need

    if size != NONE and not size.isdecimal():
        raise click.BadParameter(f"{size!r} is no number. Write: laminar queue limit 8, or laminar queue limit none")
    wanted = request(LimitRequest, size=None if size == NONE else int(size))
    with asking(where) as client:
        page: QueuePage = client.call("POST", client.space_path("/limit"), body=wanted, returns=QueuePage, again=True)
        space = f"{client.project}/{client.domain}"
    said = "has no limit any more" if size == NONE else f"runs {size} actions at a time"
    _answer(page, output, f"{space} {said}.")


def _answer(page: QueuePage, output: str, said: str) -> None:
    if output == options.JSON:
        answers.as_json({"queues": plain(page.items)})
    else:
        answers.remark(said)


@click.command("queues", short_help="List queues, and who has their slots.")
@place
def queues(output: str, where: Where) -> None:
    """List the queues on a server, how many slots of each are taken, and by which runs."""
    from laminar.wire.queues import QueuePage  # 60 ms that help texts do not need

    with asking(where) as client:
        page: QueuePage = client.call("GET", client.space_path("/queues"), returns=QueuePage)
    if output == options.JSON:
        answers.as_json({"queues": plain(page.items)})
    else:
        answers.table(["QUEUE", "SIZE", "TAKEN", "BY RUNS"], [_row(view) for view in page.items])


def _row(view: QueueView) -> list[str]:
    runs = list(dict.fromkeys(holder.run for holder in view.holders))
    shown = ", ".join(runs[:NAMED]) + (", …" if len(runs) > NAMED else "")
    return [view.name or "(all of the project)", str(view.size), str(view.taken), shown]
