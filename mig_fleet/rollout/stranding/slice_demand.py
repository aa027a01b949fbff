"""How many pods the free slices of a cluster can serve at the same time. Pure.

Pods with equal requests are a maximum flow, found exactly with augmenting paths. Pods with different requests that
share a resource are bin packing, because a pod needs all of its slices on one node: their nodes are searched, most
constrained pods first, for at most :data:`MAX_STEPS` steps. If that does not decide it, a pod is left out only if the
slices are too few even when the slices of a pod could be on several nodes, or too few for the pods of one size alone.
So a result that leaves a pod out is always proven.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_STEPS = 50_000
"""Nodes that a search looks at, over and over; a step takes about ten microseconds."""

MAX_PODS = 200
"""Pods with several slices that are searched; with more only the first placement is tried."""

POD = "pods"
"""Stands for a resource where all pods request the same."""

Slices = Mapping[str, int]
"""Extended resource → count."""


@dataclass(frozen=True)
class Demand:
    """Pods that request the same slices and may run on the same nodes."""

    requests: Slices
    nodes: tuple[str, ...]
    """Where they may run; whether enough slices are free there is not yet considered."""
    count: int = 1


@dataclass(frozen=True)
class Served:
    """How many pods of each demand get their slices, and what is free afterwards."""

    placed: tuple[int, ...]
    free: dict[str, Counter[str]]


def serve(demands: Sequence[Demand], free: Mapping[str, Slices]) -> Served:
    """Serve as many pods as possible."""
    left = {node: Counter(slices) for node, slices in free.items()}
    placed = [0] * len(demands)
    for indexes in _independent(demands):
        part = [_fitting(demands[index], left) for index in indexes]
        found = _serve_part(part, left)
        for index, number in zip(indexes, found.placed, strict=True):
            placed[index] = number
        left = found.free
    return Served(tuple(placed), left)


def _independent(demands: Sequence[Demand]) -> list[list[int]]:
    """The demands in groups that share no resource."""
    groups: list[tuple[set[str], list[int]]] = []
    for index, demand in enumerate(demands):
        shared = [group for group in groups if group[0] & demand.requests.keys()]
        groups = [group for group in groups if group not in shared]
        names = set(demand.requests).union(*(group[0] for group in shared))
        groups.append((names, sorted([index, *(i for group in shared for i in group[1])])))
    return [indexes for _, indexes in groups]


def _fitting(demand: Demand, free: Mapping[str, Slices]) -> Demand:
    """The demand with only those nodes that have room for one of its pods."""
    nodes = [node for node in demand.nodes if node in free and _has_room(free[node], demand.requests)]
    return Demand(demand.requests, tuple(nodes), demand.count)


def _has_room(free: Slices, requests: Slices) -> bool:
    return all(free.get(name, 0) >= number for name, number in requests.items())


def _serve_part(demands: Sequence[Demand], free: Mapping[str, Counter[str]]) -> Served:
    if all(demand.requests == demands[0].requests for demand in demands):
        return _serve_equal(demands, free)
    search = _Search(demands, free)
    if search.decides() or _cannot_be_served(demands, free):
        return search.best
    return Served(tuple(demand.count for demand in demands), {node: Counter(it) for node, it in free.items()})


def _serve_equal(demands: Sequence[Demand], free: Mapping[str, Counter[str]]) -> Served:
    """Pods with equal requests: what a node has room for is a number of pods."""
    requests = demands[0].requests
    room = {node: {POD: min(left[name] // number for name, number in requests.items())} for node, left in free.items()}
    found = _flow([Demand({POD: 1}, demand.nodes, demand.count) for demand in demands], room)
    left = {node: Counter(slices) for node, slices in free.items()}
    for node, rooms in room.items():
        left[node].subtract({name: number * (rooms[POD] - found.free[node][POD]) for name, number in requests.items()})
    return Served(found.placed, left)


def _cannot_be_served(demands: Sequence[Demand], free: Mapping[str, Counter[str]]) -> bool:
    """Whether the slices are too few for all pods: for the pods of one size alone, or if slices of one pod could be on
    several nodes.
    """
    slices = [
        Demand({name: 1}, demand.nodes, demand.count * number)
        for demand in demands
        for name, number in demand.requests.items()
    ]
    if not _all_served(slices, _flow(slices, free)):
        return True
    sizes = [[each for each in demands if each.requests == demand.requests] for demand in demands]
    return not all(_all_served(equal, _serve_equal(equal, free)) for equal in sizes)


def _all_served(demands: Iterable[Demand], served: Served) -> bool:
    return served.placed == tuple(demand.count for demand in demands)


def _flow(demands: Sequence[Demand], free: Mapping[str, Slices]) -> Served:
    """A maximum flow of demands for one slice each. A pod that is placed stays placed, perhaps on another node."""
    left = {node: Counter(slices) for node, slices in free.items()}
    used: list[Counter[str]] = [Counter() for _ in demands]
    for index, demand in enumerate(demands):
        (name,) = demand.requests
        missing = demand.count
        for node in demand.nodes:
            taken = min(missing, left[node][name])
            used[index][node] += taken
            left[node][name] -= taken
            missing -= taken
        while missing and _augment(index, demands, used, left):
            missing -= 1
    return Served(tuple(nodes.total() for nodes in used), left)


def _augment(
    start: int, demands: Sequence[Demand], used: Sequence[Counter[str]], left: Mapping[str, Counter[str]]
) -> bool:
    """Place one more pod of a demand by moving others; False if no sequence of moves makes room."""
    (name,) = demands[start].requests
    moved_for: dict[int, tuple[int, str]] = {}
    queue = [start]
    for asking in queue:
        for node in demands[asking].nodes:
            if left[node][name]:
                left[node][name] -= 1
                used[asking][node] += 1
                mover = asking
                while mover != start:
                    follower, freed = moved_for[mover]
                    used[mover][freed] -= 1
                    used[follower][freed] += 1
                    mover = follower
                return True
            for index, nodes in enumerate(used):
                if nodes[node] and index != start and index not in moved_for and name in demands[index].requests:
                    moved_for[index] = asking, node
                    queue.append(index)
    return False


class _Search:
    """Tries the nodes of the pods with several slices; pods with one slice then share what is left."""

    def __init__(self, demands: Sequence[Demand], free: Mapping[str, Counter[str]]) -> None:
        self._demands = demands
        self._nodes = [frozenset(demand.nodes) for demand in demands]
        self._names = sorted({name for demand in demands for name in demand.requests})
        large = [i for i, demand in enumerate(demands) if sum(demand.requests.values()) > 1]
        large.sort(key=lambda i: (len(demands[i].nodes), -sum(demands[i].requests.values()), i))
        self._large = [i for i in large for _ in range(demands[i].count)]
        """The demand of each pod with several slices; the pods that fit on the fewest nodes are first."""
        self._unit = [i for i in range(len(demands)) if i not in large]
        self._units = sum(demands[i].count for i in self._unit)
        self._order = sorted(free, key=lambda node: (sum(free[node][name] for name in self._names), node))
        """Every node, those with the fewest free slices first."""
        self._left = {node: Counter(slices) for node, slices in free.items()}
        self._placed = [0] * len(demands)
        self._steps = 0
        self.best = self._first_fit()

    def decides(self) -> bool:
        """Search; whether :attr:`best` is as good as any placement."""
        if not self._is_complete() and len(self._large) <= MAX_PODS:
            self._try(0, 0, len(self._large))
        return self._is_complete() or (len(self._large) <= MAX_PODS and self._steps <= MAX_STEPS)

    def _is_complete(self) -> bool:
        return sum(self.best.placed) == len(self._large) + self._units

    def _first_fit(self) -> Served:
        """Each pod in turn on the first node that has room."""
        left = {node: Counter(slices) for node, slices in self._left.items()}
        placed = [0] * len(self._demands)
        for index in self._large:
            requests, nodes = self._demands[index].requests, self._nodes[index]
            node = next((n for n in self._order if n in nodes and _has_room(left[n], requests)), None)
            if node is not None:
                left[node].subtract(requests)
                placed[index] += 1
        return self._share(placed, left)

    def _try(self, pod: int, first: int, placeable: int) -> None:
        """Place the pods from ``pod`` on, of which at most ``placeable`` pods with several slices get theirs; nodes
        before ``first`` were tried for an equal pod.
        """
        if placeable + self._units <= sum(self.best.placed) or self._steps > MAX_STEPS:
            return
        if pod == len(self._large):
            self._steps += len(self._order)
            found = self._share(self._placed, self._left)
            self.best = max(self.best, found, key=lambda served: sum(served.placed))
            return
        index = self._large[pod]
        demand = self._demands[index]
        next_demand = next((n for n in range(pod, len(self._large)) if self._large[n] != index), len(self._large))
        tried: set[tuple[object, ...]] = set()
        for position in range(first, len(self._order)):
            node = self._order[position]
            self._steps += 1
            if node not in self._nodes[index] or not _has_room(self._left[node], demand.requests):
                continue
            if (alike := self._alike(node)) in tried:
                continue
            tried.add(alike)
            self._left[node].subtract(demand.requests)
            self._placed[index] += 1
            self._try(pod + 1, 0 if pod + 1 == next_demand else position, placeable)
            self._placed[index] -= 1
            self._left[node].update(demand.requests)
        # Of equal pods those that are left out are the last ones.
        self._try(next_demand, 0, placeable - (next_demand - pod))

    def _alike(self, node: str) -> tuple[object, ...]:
        """Nodes with the same value are interchangeable."""
        free = tuple(self._left[node][name] for name in self._names)
        return free, tuple(node in nodes for nodes in self._nodes)

    def _share(self, placed: Sequence[int], left: Mapping[str, Counter[str]]) -> Served:
        """Serve the pods with one slice from what is left."""
        shared = _flow([self._demands[i] for i in self._unit], left)
        numbers = dict(zip(self._unit, shared.placed, strict=True))
        return Served(tuple(numbers.get(i, n) for i, n in enumerate(placed)), shared.free)
