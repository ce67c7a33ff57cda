from __future__ import annotations

import engines


def test_each_engine_runs_python_from_the_base_image(container_engine: engines.Engine, base_image: str) -> None:
    assert container_engine.docker("run", "--rm", base_image, "python3", "-c", "print(1)") == "1"


def test_a_container_reaches_the_s3_server_where_this_machine_does(
    container_engine: engines.Engine, base_image: str, shared_s3: tuple[str, str]
) -> None:
    script = f"import urllib.request; print(urllib.request.urlopen('{shared_s3[1]}/moto-api/').status)"
    assert container_engine.docker("run", "--rm", base_image, "python3", "-c", script) == "200"
