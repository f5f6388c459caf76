"""The schedule of the megakernel of `csrc/megakernel.cu`: one list of tasks for every multiprocessor."""

from dataclasses import dataclass


@dataclass
class Task:
    layer: int


@dataclass
class NormProjectTask(Task):
    tile: int


@dataclass
class AttendTask(Task):
    head: int


@dataclass
class OutputTask(Task):
    tile: int


@dataclass
class ExpandTask(Task):
    tile: int


@dataclass
class ContractTask(Task):
    tile: int


@dataclass
class Step:
    task: Task
    after: list["Step"]


def project(layer: int, processors: int) -> list[Task]:
    tasks = []
    for tile in range(processors):
        tasks.append(NormProjectTask(layer, tile))
    return tasks


def one_layer(layer: int, before: list[Step], heads: int, processors: int) -> tuple[list[Step], list[Step]]:
    projected = [Step(task, before) for task in project(layer, processors)]
    attended = []
    for head in range(heads):
        attended.append(Step(AttendTask(layer, head), projected))
    added = [Step(OutputTask(layer, tile), attended) for tile in range(processors)]
    expanded = [Step(ExpandTask(layer, tile), added) for tile in range(processors)]
    contracted = [Step(ContractTask(layer, tile), expanded) for tile in range(processors)]
    return [*projected, *attended, *added, *expanded, *contracted], contracted


def build(layers: int, heads: int, processors: int) -> list[Step]:
    steps: list[Step] = []
    last: list[Step] = []
    for layer in range(layers):
        made, last = one_layer(layer, last, heads, processors)
        steps.extend(made)
    return steps


def deal(steps: list[Step], processors: int) -> list[list[Task]]:
    queues: list[list[Task]] = [[] for _ in range(processors)]
    for number, step in enumerate(steps):
        queues[number % processors].append(step.task)
    return queues


def deal_back_and_forth(steps: list[Step], processors: int) -> list[list[Task]]:
    """Neighbouring turns run in opposite directions, so that no processor always gets the last tile."""
    queues: list[list[Task]] = [[] for _ in range(processors)]
    for number, step in enumerate(steps):
        place = number % (2 * processors)
        if place < processors:
            queues[place].append(step.task)
        else:
            queues[2 * processors - 1 - place].append(step.task)
    return queues
