"""Pictures: Mermaid text, and HTML for notebooks."""

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks, layers
from laminar.exceptions import FlowError


class Pictured(Flow): ...


@Pictured.register
class Load(Layer):
    def __call__(self, parameters: Parameters) -> None:
        self.shard(fold=[1, 2])
        self.shard(model=["a"])
        self.big = "<script>alert(1)</script>" * 100


@Pictured.register(foreach=layers.ForEach(parameters=[layers.Parameter(Load, "fold"), layers.Parameter(Load, "model")]))
class Train(Layer):
    def __call__(self, load: Load) -> None:
        self.score = load.fold  # type: ignore[attr-defined]


@Pictured.register
class Retrain(Layer):
    @hooks.entry
    def better(self, train: Train) -> bool:
        return False


@Pictured.register
class Report(Layer):
    def __call__(self, train: Train, retrain: Retrain) -> None: ...


def test_a_flow_is_drawn_as_mermaid_text() -> None:
    assert Pictured().graph() == (
        "flowchart TD\n"
        '    Parameters[/"Parameters"/]\n'
        '    Load["Load"]\n'
        '    Train[["Train<br/>foreach Load.fold x Load.model"]]\n'
        '    Retrain{"Retrain"}\n'
        '    Report["Report"]\n'
        "    Parameters --> Load\n"
        "    Load --> Train\n"
        "    Train --> Retrain\n"
        "    Train --> Report\n"
        "    Retrain --> Report\n"
    )


def test_parameters_are_drawn_only_if_a_layer_needs_them() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer): ...

    assert F().graph() == 'flowchart TD\n    A["A"]\n'
    assert "Parameters" not in F()._repr_html_()
    assert "Parameters" in Pictured()._repr_html_()


def test_names_that_mermaid_could_take_for_its_own_are_quoted() -> None:
    class F(Flow): ...

    @F.register
    class Ünder(Layer): ...

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(Ünder, 'a"]; click')]))
    class end(Layer): ...  # noqa: N801

    text = F().graph()
    assert text == (
        'flowchart TD\n    n0["Ünder"]\n    n1[["end<br/>foreach Ünder.a#34;#93;#59; click"]]\n    n0 --> n1\n'
    )


def test_a_flow_that_is_wrong_says_so_in_its_picture() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, other: "Nope<b>") -> None: ...  # type: ignore  # noqa: F722

    with pytest.raises(FlowError, match="is no layer"):
        F().graph()
    assert "&#x27;Nope&lt;b&gt;&#x27; is no layer" in F()._repr_html_()


def test_a_circle_is_drawn_as_it_is() -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self, b: "B") -> None: ...

    @F.register
    class B(Layer):
        def __call__(self, a: A) -> None: ...

    assert "A --> B" in F().graph()
    assert "B --> A" in F().graph()
    assert _texts(F()._repr_html_()) == ["A", "B"]


def _texts(html: str) -> list[str]:
    return [element.text or "" for element in _svg(html).iter("{http://www.w3.org/2000/svg}text")]


def _svg(html: str) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", html, re.DOTALL)
    assert found is not None
    return ElementTree.fromstring(found.group())


def _is_self_contained(html: str) -> bool:
    return not re.search(
        r"<script|href|src=|url\(|@import", html.replace('xmlns="http://www.w3.org/2000/svg"', ""), re.IGNORECASE
    )


def test_a_flow_draws_itself_in_a_notebook() -> None:
    html = Pictured()._repr_html_()
    assert _texts(html) == [
        *("Parameters", "Load", "Train", "foreach Load.fold x Load.model"),
        *("Retrain", "Report"),
    ]
    assert len([path for path in _svg(html).iter() if path.tag.endswith("path")]) == 5
    assert _is_self_contained(html)


def test_boxes_lie_below_what_they_need_and_do_not_overlap() -> None:
    boxes = []
    for element in _svg(Pictured()._repr_html_()).iter("{http://www.w3.org/2000/svg}rect"):
        x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
        boxes.append((x, y, x + width, y + height))
    parameters, load, train, retrain, report = boxes
    for above, below in ((parameters, load), (load, train), (train, retrain), (retrain, report)):
        assert above[3] < below[1]

    class Wide(Flow): ...

    for number in range(5):
        Wide.register(type(f"Layer{number}", (Layer,), {}))
    rects = list(_svg(Wide()._repr_html_()).iter("{http://www.w3.org/2000/svg}rect"))
    edges = [(float(rect.attrib["x"]), float(rect.attrib["width"])) for rect in rects]
    assert len({rect.attrib["y"] for rect in rects}) == 1
    assert all(x + width < following for (x, width), (following, _) in pairwise(edges))


def test_an_execution_draws_the_state_of_each_layer(memory: Any) -> None:
    flow = memory(Pictured)
    html = flow(execution="mine")._repr_html_()
    texts = _texts(html)
    assert "Pictured mine: succeeded in" in html
    assert [text.split()[0] for text in texts if text.startswith(("finished", "skipped"))] == [
        *("finished", "finished", "skipped", "skipped")
    ]
    assert [text.endswith(", 2 splits") for text in texts if text.startswith("finished")] == [False, True]
    assert _is_self_contained(html)


def test_an_execution_that_failed_draws_where_and_why(local: Any) -> None:
    class F(Flow): ...

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.shard(foo=[0, 1])

    @F.register(foreach=layers.ForEach(parameters=[layers.Parameter(A, "foo")]))
    class B(Layer):
        def __call__(self, a: A) -> None:
            if a.foo == 1:  # type: ignore[attr-defined]
                raise ValueError("<b>not bold</b>")

    @F.register
    class C(Layer):
        def __call__(self, b: B) -> None: ...

    flow = local(F)
    with pytest.raises(ValueError, match="not bold"):
        flow(execution="mine")
    html = local(F).execution("mine")._repr_html_()
    assert "F mine: failed in" in html
    assert "failed at split 1" in _texts(html)
    assert "not run" in _texts(html)
    assert "ValueError: &lt;b&gt;not bold&lt;/b&gt;" in html


def test_an_execution_that_never_was_draws_the_flow(memory: Any) -> None:
    assert "Load" in _texts(memory(Pictured).execution._repr_html_())
    html = memory(Pictured).execution("never")._repr_html_()
    assert "Pictured never: not run" in html
    assert _texts(html).count("not run") == 4


def test_a_layer_shows_its_artifacts_and_their_types(memory: Any) -> None:
    execution = memory(Pictured)(execution="mine")
    html = execution.layer(Load)._repr_html_()
    assert "Load of Pictured mine: finished" in html
    rows = re.findall(r"<tr><td>(.*?)</td><td><code>(.*?)</code></td></tr>", html)
    assert rows == [("big", "str"), ("fold", "2 x int"), ("model", "1 x str")]
    assert "Train[1] of Pictured mine" in execution.layer(Train, index=1)._repr_html_()
    assert "no artifacts" in execution.layer(Retrain)._repr_html_()


def test_a_layer_that_belongs_to_no_execution_is_shown_as_text(memory: Any) -> None:
    assert Load(foo=1)._repr_html_() is None
    assert "not run" in memory(Pictured).layer(Load)._repr_html_()


def test_names_of_types_are_escaped(memory: Any) -> None:
    class F(Flow): ...

    strange = type("<i>", (), {})

    @F.register
    class A(Layer):
        def __call__(self) -> None:
            self.strange = strange()

    html = memory(F)().layer(A)._repr_html_()
    assert "&lt;i&gt;" in html
    assert "<i>" not in html
