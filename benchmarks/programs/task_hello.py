"""A task with one parameter, for the command line."""

import laminar

env = laminar.TaskEnvironment("hello_env")


@env.task
async def hello(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"
