"""``laminar trigger``, ``laminar get triggers``, ``laminar get firings``: what starts by itself on a server."""

from __future__ import annotations

import click

from laminar.cli import answers, options
from laminar.cli.spaces import asking, place, plain, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.cli.spaces import Where
    from laminar.model.triggers import Cron, FixedRate
    from laminar.wire.triggers import FiringView, TriggerView

entity_name = click.argument("entity", metavar="ENTITY")
trigger_name = click.argument("name", metavar="NAME")


@click.group("trigger", short_help="Pause and resume triggers on a server.")
@options.common
def trigger() -> None:
    """Pause and resume what starts tasks and flows by itself. laminar get triggers lists it."""


@trigger.command("pause", short_help="Let a trigger fire no more.")
@entity_name
@trigger_name
@place
def pause(entity: str, name: str, output: str, where: Where) -> None:
    """Let the trigger NAME of the task or flow ENTITY fire no more until it is resumed. Its runs go on."""
    _change("pause", entity, name, output, where)


@trigger.command("resume", short_help="Let a trigger fire again.")
@entity_name
@trigger_name
@place
def resume(entity: str, name: str, output: str, where: Where) -> None:
    """Let the trigger NAME of the task or flow ENTITY fire again. What was due meanwhile is not caught up."""
    _change("resume", entity, name, output, where)


def _change(verb: str, entity: str, name: str, output: str, where: Where) -> None:
    from laminar.wire.triggers import TriggerRef, TriggerView  # 60 ms that help texts do not need

    wanted = request(TriggerRef, entity=entity, name=name)
    with asking(where) as client:
        path = client.space_path(f"/triggers/{verb}")
        view: TriggerView = client.call("POST", path, body=wanted, returns=TriggerView, again=True)
    if output == options.JSON:
        answers.as_json(plain(view))
    else:
        following = f"; it fires next at {_moment(view, view.next[0])}" if view.next else ""
        answers.remark(f"The trigger {name} of {entity} is {'active' if view.active else 'paused'}{following}.")


@click.command("triggers", short_help="List triggers, and when they fire next.")
@click.argument("entity", metavar="[ENTITY]", required=False)
@place
def triggers(entity: str | None, output: str, where: Where) -> None:
    """List the triggers on a server, or those of the task or flow ENTITY, with the next five times at which they fire.

    Times are in the zone of their schedule.
    """
    from laminar.wire.triggers import TriggerPage  # 60 ms that help texts do not need

    with asking(where) as client:
        query: dict[str, str | int] = {} if entity is None else {"entity": entity}
        page: TriggerPage = client.call("GET", client.space_path("/triggers"), query=query, returns=TriggerPage)
    if output == options.JSON:
        answers.as_json({"triggers": plain(page.items)})
        return
    rows = [row for view in page.items for row in _rows(view)]
    answers.table(["TASK OR FLOW", "TRIGGER", "WHEN", "STATE", "NEXT", "LAST"], rows)


def _rows(view: TriggerView) -> list[list[str]]:
    first, *more = [_moment(view, due) for due in view.next] or [""]
    state = "active" if view.active else "paused"
    last = "" if view.last is None else f"{_moment(view, view.last.due)} {_fate(view.last)}"
    row = [view.entity, view.name, _when(view), state, first, last]
    return [row, *([*[""] * 4, moment, ""] for moment in more)]


def _when(view: TriggerView) -> str:
    from laminar.model.triggers import FixedRate  # as above

    automation = _automation(view)
    if isinstance(automation, FixedRate):
        return f"every {answers.took(automation.seconds)}"
    return f"{automation.expression} {automation.timezone}"


def _automation(view: TriggerView) -> Cron | FixedRate:
    from laminar.model.triggers import Cron, FixedRate  # as above
    from laminar.wire.specs import CronSpec

    when = view.automation
    if isinstance(when, CronSpec):
        return Cron(when.expression, when.timezone)
    return FixedRate(when.interval_minutes, when.start_time)


def _moment(view: TriggerView, due: int) -> str:
    from laminar.core import schedule  # 24 ms that help texts do not need

    return schedule.local(_automation(view), due).isoformat(" ")


def _fate(firing: FiringView) -> str:
    return f"{firing.decision}: {firing.reason or firing.run}"


@click.command("firings", short_help="List what a trigger has done.")
@entity_name
@trigger_name
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, the latest first."
)
@place
def firings(entity: str, name: str, limit: int, output: str, where: Where) -> None:
    """List what was decided about the times at which the trigger NAME of the task or flow ENTITY was due, and why."""
    from laminar.wire.triggers import FiringPage  # 60 ms that help texts do not need

    with asking(where) as client:
        query: dict[str, str | int] = {"entity": entity, "trigger": name, "limit": limit}
        page: FiringPage = client.call("GET", client.space_path("/firings"), query=query, returns=FiringPage)
    if output == options.JSON:
        answers.as_json({"firings": plain(page.items)})
        return
    rows = [[answers.clock(row.due), row.decision, row.run or "", row.reason or ""] for row in page.items]
    answers.table(["DUE", "DECISION", "RUN", "REASON"], rows)
