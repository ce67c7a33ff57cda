"""Pictures: a flow as Mermaid text; flows, executions and layers as HTML for notebooks.

The HTML holds inline SVG, needs neither network nor scripts, and every name and value in it is escaped.
"""

from __future__ import annotations

from html import escape

from laminar.console import words
from laminar.errors import FlowError
from laminar.flows import hooks
from laminar.flows.layer import Parameters
from laminar.model.ids import ActionKey
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from laminar.data.archives import SplitRecord
    from laminar.flows.layer import ExecutionContract, FlowContract, Layer

PARAMETERS = Parameters.__name__
#: Sizes of the picture, in pixels.
LETTER, LINE, PAD, GAP_X, GAP_Y = 7.2, 16, 14, 28, 44
#: Fill of a box by what its first word says.
FILLS = {"finished": "#d9f2e0", "failed": "#f9d6d5", "skipped": "#eeeeee", "runs": "#fdf0c4"}


class Box(Value, frozen=True):
    """A layer in a picture.

    Attributes:
        name: The layer's name.
        needs: Names of the layers it needs, in the order of the flow.
        foreach: What it iterates over, such as ``A.foo x B.bar``; empty if it does not.
        conditional: Whether an entry hook of its own decides if it runs.
    """

    name: str
    needs: tuple[str, ...]
    foreach: str
    conditional: bool

    def lines(self) -> list[str]:
        """Give its text."""
        return [self.name, *([f"foreach {self.foreach}"] if self.foreach else [])]


def _boxes(flow: FlowContract[ExecutionContract]) -> list[Box]:
    dependencies = flow.dependencies
    asked = any(PARAMETERS in needs for needs in dependencies.values())
    return [
        Box(
            name=name,
            needs=tuple(other for other in dependencies if other in dependencies[name]),
            foreach=" x ".join(
                f"{parameter.layer.__name__}.{parameter.attribute}"
                for parameter in registration.configuration.foreach.parameters
            ),
            conditional=bool(hooks.collect(registration.layer)[hooks.Kind.ENTRY]),
        )
        for name, registration in flow.registry.items()
        if asked or name != PARAMETERS
    ]


# Mermaid


def mermaid(flow: FlowContract[ExecutionContract]) -> str:
    """Draw a flow as Mermaid text: an arrow from each layer to those that need it.

    A layer with an entry hook of its own is a diamond, one with a foreach has a double edge and says what it iterates
    over, and ``Parameters`` is there if a layer needs it.

    Raises:
        FlowError: An annotation names no layer of the flow.
    """
    boxes = _boxes(flow)
    ids = {box.name: _id(box.name, number) for number, box in enumerate(boxes)}
    lines = ["flowchart TD"]
    for box in boxes:
        opening, closing = _shape(box)
        text = "<br/>".join(map(_quoted, box.lines()))
        lines.append(f'    {ids[box.name]}{opening}"{text}"{closing}')
    lines += [f"    {ids[need]} --> {ids[box.name]}" for box in boxes for need in box.needs]
    return "\n".join(lines) + "\n"


def _id(name: str, number: int) -> str:
    """Name a node by its layer, unless Mermaid could take the name for a word of its own."""
    return name if name.isidentifier() and name.isascii() and name[0].isupper() else f"n{number}"


def _shape(box: Box) -> tuple[str, str]:
    if box.name == PARAMETERS:
        return "[/", "/]"
    if box.conditional:
        return "{", "}"
    return ("[[", "]]") if box.foreach else ("[", "]")


def _quoted(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in " _.x" else f"#{ord(letter)};" for letter in text)


# HTML


def flow_html(flow: FlowContract[ExecutionContract]) -> str:
    """Draw a flow for a notebook; one that is wrong shows why."""
    try:
        boxes = _boxes(flow)
    except FlowError as error:
        return f"<pre>{escape(str(error))}</pre>"
    return _titled(flow.name, _svg(boxes, {}))


def execution_html(execution: ExecutionContract) -> str:
    """Draw an execution for a notebook: the state of each layer, and how long it took where that is known."""
    title = f"{execution.flow.name} {execution.id or ''}".strip()
    if execution.id is None:
        return _titled(title, _svg(_boxes(execution.flow), {}))
    status, error = execution.status, execution.error
    said = "not run" if status is None else status.value.lower()
    if execution.started is not None and execution.ended is not None:
        said += f" in {words.duration(execution.ended - execution.started)}"
    boxes = _boxes(execution.flow)
    states = {box.name: _state(execution, box.name, status) for box in boxes}
    failure = f"<pre>{escape(f'{error.layer}: {error.exception}')}</pre>" if error is not None else ""
    return _titled(f"{title}: {said}", _svg(boxes, states) + failure)


def _state(execution: ExecutionContract, layer: str, status: State | None) -> str:
    """Say in what state a layer is, by what lies in the datastore."""
    if layer == PARAMETERS:
        return ""
    archives = execution.flow.configuration.datastore.archives
    space, run = execution.flow.name, execution.known_id
    record = archives.layer(space, run, layer)
    splits = archives.splits(space, run, layer)
    if record is not None:
        many = f", {record.splits} splits" if record.splits != 1 else ""
        return f"finished{_took(splits)}{many}"
    error = execution.error
    if error is not None and error.layer == layer:
        return "failed" if error.index is None else f"failed at split {error.index}"
    if status is State.SUCCEEDED:
        return "skipped"
    if splits:
        return f"{'runs' if status is State.RUNNING else 'stopped'}, {len(splits)} splits done"
    return "waits or runs" if status is State.RUNNING else "not run"


def _took(splits: Mapping[int, SplitRecord]) -> str:
    """Say how long splits took from the first start to the last end; nothing for runs that did not record it."""
    if not splits:
        return ""
    started = min(split.started for split in splits.values())
    ended = max(split.ended for split in splits.values())
    return f" in {words.duration(ended - started)}"


def layer_html(layer: Layer) -> str:
    """Show a layer of an execution for a notebook: its state, and its artifacts with their types."""
    execution = layer.execution
    if execution.id is None:
        return _titled(f"{layer.name} of {execution.flow.name}", "not run")
    datastore = execution.flow.configuration.datastore
    rows = []
    for name in datastore.list_artifacts(layer=layer):
        key = ActionKey(execution.flow.name, execution.known_id, layer.name, layer.index or 0)
        output = datastore.archives.output(key, name)
        kinds = sorted({ref.dtype.removeprefix("builtins.") for ref in output.refs}) if output is not None else []
        sharded = f"{len(output.refs)} x " if output is not None and output.sharded else ""
        rows.append((name, sharded + ", ".join(kinds)))
    split = "" if layer.index is None else f"[{layer.index}]"
    state = _state(execution, layer.name, execution.status)
    where = f"{layer.name}{split} of {execution.flow.name} {execution.id}"
    return _titled(f"{where}: {state}" if state else where, _table(rows))


def _titled(title: str, body: str) -> str:
    return f'<div style="font-family:sans-serif;font-size:12px"><b>{escape(title)}</b><br/>{body}</div>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td><code>{escape(text)}</code></td></tr>" for name, text in rows)
    return f"<table>{cells}</table>" if cells else "no artifacts"


class Place(Value, frozen=True):
    """Where a box lies in a picture, in pixels from its top left.

    Attributes:
        left: Its left edge.
        top: Its top edge.
        width: Its width.
        height: Its height.
    """

    left: float
    top: float
    width: float
    height: float


def _svg(boxes: list[Box], states: Mapping[str, str]) -> str:
    """Draw boxes in rows, each below all that it needs."""
    texts = {box.name: [*box.lines(), *filter(None, [states.get(box.name)])] for box in boxes}
    places, width, height = _laid_out(_rows(boxes), texts)
    parts = [_arrow(places[need], places[box.name]) for box in boxes for need in box.needs]
    parts += [_drawn(box, places[box.name], texts[box.name], states.get(box.name, "")) for box in boxes]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} style="max-width:100%">{"".join(parts)}</svg>'


def _rows(boxes: list[Box]) -> list[list[str]]:
    depth = dict.fromkeys((box.name for box in boxes), 0)
    for _ in boxes:  # enough rounds for the longest chain, and an end for a circle
        for box in boxes:
            depth[box.name] = max([depth[box.name], *(depth[need] + 1 for need in box.needs)])
    found: dict[int, list[str]] = {}
    for name, row in depth.items():
        found.setdefault(row, []).append(name)
    return [found[row] for row in sorted(found)]


def _laid_out(rows: list[list[str]], texts: Mapping[str, list[str]]) -> tuple[dict[str, Place], float, float]:
    """Centre the rows below each other; gives the places and the size of the whole."""
    widths = {name: max(map(len, lines)) * LETTER + 2 * PAD for name, lines in texts.items()}
    whole = max((sum(widths[name] + GAP_X for name in row) for row in rows), default=0.0)
    places: dict[str, Place] = {}
    top = 2.0
    for row in rows:
        left = (whole - sum(widths[name] + GAP_X for name in row) + GAP_X) / 2
        for name in row:
            places[name] = Place(left, top, widths[name], len(texts[name]) * LINE + PAD)
            left += widths[name] + GAP_X
        top += max(places[name].height for name in row) + GAP_Y
    return places, whole, max(0.0, top - GAP_Y + 2)


def _arrow(source: Place, target: Place) -> str:
    x1, y1 = source.left + source.width / 2, source.top + source.height
    x2, y2 = target.left + target.width / 2, target.top
    middle = (y1 + y2) / 2
    head = f"M{x2 - 4:.1f} {y2 - 7:.1f}L{x2:.1f} {y2:.1f}L{x2 + 4:.1f} {y2 - 7:.1f}"
    curve = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}{head}"
    return f'<path d="{curve}" fill="none" stroke="#888888"/>'


def _drawn(box: Box, place: Place, lines: list[str], state: str) -> str:
    fill = next((fill for word, fill in FILLS.items() if state.startswith(word)), "#ffffff")
    dashes = ' stroke-dasharray="5 3"' if box.conditional else ""
    shape = (
        f'<rect x="{place.left:.1f}" y="{place.top:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="4" '
        f'fill="{fill}" stroke="#444444" stroke-width="{3 if box.foreach else 1}"{dashes}/>'
    )
    text = "".join(
        f'<text x="{place.left + place.width / 2:.1f}" y="{place.top + number * LINE + 1:.1f}" text-anchor="middle" '
        f'font-family="sans-serif" font-size="12" fill="#222222">{escape(line)}</text>'
        for number, line in enumerate(lines, start=1)
    )
    return shape + text
