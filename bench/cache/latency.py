"""Measures what a hit takes with 10, 10,000 and 100,000 kept answers, beside what a miss costs at least; and memory.

A real proxy on loopback, with a key and its ledger; requests have 100 KB, answers are streams of 47 KB. All of it lives
in a temporary folder. Run by `python -m bench.cache`; method and limits: bench/README.md.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeVar

import anyio

from bench.cache import entries
from bench.cache.filling import CONVERSATIONS, FAMILY, ROOM, TTL, Filling, Kind
from bench.cache.repositories import made
from bench.cache.serving import HIT, LOOKED_UP, MIB, UNLOOKED, Client, serving
from bench.cache.tables import aligned
from bench.processes import BenchError
from bench.proxy.contestants import stand_in
from mcp_hub.cache_settings import CacheSettings
from mcp_hub.errors import ConfigError
from mcp_hub.proxy import guard
from mcp_hub.proxy.cache_key import CacheKey
from mcp_hub.proxy.embedding import WordLlamaEmbedder
from mcp_hub.proxy.responses import Embedder
from mcp_hub.proxy.similar import CANDIDATES
from mcp_hub.proxy.workspace import UnprovenError, Workspaces
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors

LATER = 120.0
"""Seconds by which look-ups in this process come after those through the proxy: over a minute, so each use is noted."""

EXACT_MS, SIMILAR_MS = 5.0, 20.0
"""The targets: medians at every size, of an exact hit without a workspace, and of a similar one."""

UNKEPT = 300_000
"""The number from which on nothing is kept."""

T = TypeVar("T")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    entries: tuple[int, ...] = (10, 10_000, 100_000)
    rounds: int = 7
    requests: int = 28
    """Of each kind in a round; each asks for another entry, as far as there are as many."""
    files: tuple[int, ...] = (300, 5_000)
    """Of the repositories whose state is proven."""
    proofs: int = 30


def measured(folder: Path, sizes: Sizes, say: Say, kinds: Sequence[Kind] = (CONVERSATIONS, FAMILY)) -> dict[str, Any]:
    """Fill databases in `folder` and measure. Raises BenchError."""
    embedder = _embedder() if any(kind.is_similar for kind in kinds) else None
    found: dict[str, Any] = {"sizes": asdict(sizes)}
    with stand_in(folder) as upstream:
        for kind in kinds:
            state = folder / kind.name
            state.mkdir()
            filling = Filling(state, kind, embedder, upstream)
            found[kind.name] = {
                str(size): _at_size(filling, kind, size, sizes, upstream, say) for size in sizes.entries
            }
            shutil.rmtree(state)
    found["workspace"] = {
        str(files): _proofs(folder / f"of-{files}", files, sizes.proofs, say) for files in sizes.files
    }
    return found


def _embedder() -> WordLlamaEmbedder:
    try:
        return WordLlamaEmbedder.load()
    except ConfigError as error:
        raise BenchError(error.text) from None


def _at_size(filling: Filling, kind: Kind, size: int, sizes: Sizes, upstream: str, say: Say) -> dict[str, Any]:
    say(f"{kind.name} hits: filling up to {size:,} entries")
    seconds = filling.grow(size)
    found: dict[str, Any] = {"keep_ms": _spread(seconds), **_room(filling)}
    with serving(kind, filling.path.parent, upstream) as proxy, proxy.client() as client:
        say(f"{kind.name} hits: asking the proxy with {size:,} entries")
        before = proxy.memory_mib()
        found |= _asked(client, kind, filling.kept, sizes)
        found["memory_mib"] = {"before": before, "after": proxy.memory_mib()}
    say(f"{kind.name} hits: the parts with {size:,} entries")
    found["parts_ms"] = _parts_of_exact(filling)
    if filling.embedder is not None:
        found["parts_ms"] |= _parts_of_similar(filling, filling.embedder)
    return found


def _room(filling: Filling) -> dict[str, float]:
    stats = filling.stats()
    told = {"file": filling.path.stat().st_size, "counted": stats.bytes, "unshared": stats.unshared_bytes}
    return {f"{name}_mib": round(size / MIB, 2) for name, size in told.items()}


def _asked(client: Client, kind: Kind, kept: Sequence[int], sizes: Sizes) -> dict[str, Any]:
    """Hits, look-ups in vain and requests that aren't looked up, by turns."""
    first = client.ask(_hit(kind, kept[0]), HIT).seconds
    times: dict[str, list[list[float]]] = {control: [] for control in (HIT, LOOKED_UP, UNLOOKED)}
    not_found = number = 0
    last = ""
    for _ in range(sizes.rounds):
        for of in times.values():
            of.append([])
        for _ in range(sizes.requests):
            wanted, other = kept[number % len(kept)], kind.request(UNKEPT + number)
            number += 1
            answered = client.ask(_hit(kind, wanted), HIT)
            if _is_of(answered.status, kind, wanted):
                times[HIT][-1].append(answered.seconds)
            else:
                not_found, last = not_found + 1, answered.status
            for control in (LOOKED_UP, UNLOOKED):
                answered = client.ask(other, control)
                if "fwd=" not in answered.status:
                    raise BenchError(f"what was never kept was answered with {answered.status!r}")
                times[control][-1].append(answered.seconds)
    if not all(times[HIT]) or (not_found and not kind.is_similar):
        raise BenchError(f"{not_found} of {number} {kind.name} hits weren't found; the last one: {last!r}")
    ratios = [median(hits) / median(least) for hits, least in zip(times[HIT], times[UNLOOKED], strict=True)]
    return {
        "first_ms": _ms(first),
        "hit_ms": _spread(_flat(times[HIT])),
        "looked_up_ms": _spread(_flat(times[LOOKED_UP])),
        "unlooked_ms": _spread(_flat(times[UNLOOKED])),
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "not_found": not_found,
    }


def _hit(kind: Kind, number: int) -> bytes:
    """A request that the entry of this number answers."""
    return entries.asking(entries.in_other_words(entries.question(number))) if kind.is_similar else kind.request(number)


def _is_of(status: str, kind: Kind, number: int) -> bool:
    """Whether a Cache-Status tells a hit of this kind; one of another entry would be a wrong answer."""
    if "; hit;" not in status:
        return False
    if f"kind={kind.name};" not in status or f"id={entries.id_of(number)}" not in status:
        raise BenchError(f"a hit of the entry {entries.id_of(number)} was awaited: {status!r}")
    return True


def _parts_of_exact(filling: Filling) -> dict[str, Any]:
    """In this process: reading a request and making its key; finding its answer and comparing the requests."""
    keys = [filling.key(number) for number in filling.kept]
    with closing(Responses(filling.path, ROOM, TTL)) as store:

        def found(key: CacheKey) -> bool:
            answer = store.find(key.digest, 0, time.time() + LATER)
            return answer is not None and answer.parts == key.parts

        if not found(keys[0]):
            raise BenchError("what was kept isn't found by its key")
        return {
            "reading and key": _times(filling.key, list(filling.kept)),
            "finding and comparing": _times(found, keys),
        }


def _parts_of_similar(filling: Filling, embedder: Embedder) -> dict[str, Any]:
    """In this process: the vector, the nearest, and the guard on the text that asks the same and on eight others."""
    threshold = CacheSettings().similarity_threshold
    family = str(filling.key(filling.kept[0]).family)
    texts = {entries.id_of(number): entries.question(number) for number in range(filling.kept.stop)}
    pairs = [(text, entries.in_other_words(text)) for text in map(entries.question, filling.kept)]
    vectors = [embedder.embed(other) for _, other in pairs]
    with closing(Vectors(filling.path, embedder.name)) as index:

        def nearest(vector: Sequence[float]) -> list[str]:
            return [texts[id] for id, _ in index.nearest(family, vector, CANDIDATES, threshold)]

        def others(vain: tuple[str, list[str]]) -> None:
            for each in vain[1]:
                guard.refusal(vain[0], each)

        began = time.perf_counter()
        nearest(vectors[0])
        first = time.perf_counter() - began
        unkept = [entries.question(UNKEPT + number) for number in range(len(pairs))]
        vain = [(text, nearest(embedder.embed(text))) for text in unkept]
        return {
            "embedding": _times(embedder.embed, [other for _, other in pairs]),
            "reading the family": {"median": _ms(first), "p95": _ms(first)},
            "nearest": _times(nearest, vectors),
            "guard, the one that asks the same": _times(lambda pair: guard.refusal(*pair), pairs),
            f"guard, {CANDIDATES} others": _times(others, vain),
        }


def _proofs(folder: Path, files: int, times: int, say: Say) -> dict[str, Any]:
    """Proofs of a repository's state: the first, and as many others."""
    say(f"the state of a repository of {files:,} files")
    repository = str(made(folder, files))

    async def prove() -> list[float]:
        workspaces = Workspaces([folder], os.environ)
        seconds = []
        for _ in range(times + 1):
            began = time.perf_counter()
            await workspaces.state([repository])
            seconds.append(time.perf_counter() - began)
        return seconds

    try:
        first, *others = anyio.run(prove)
    except UnprovenError as error:
        raise BenchError(f"the state of {files:,} files can't be proven: {error.text}") from None
    shutil.rmtree(folder)
    return {"first_ms": _ms(first), "ms": _spread(others)}


def _times(work: Callable[[T], object], on: Sequence[T]) -> dict[str, float]:
    """What `work` takes on each of these."""
    seconds = []
    for each in on:
        began = time.perf_counter()
        work(each)
        seconds.append(time.perf_counter() - began)
    return _spread(seconds)


def _flat(rounds: Iterable[list[float]]) -> list[float]:
    return [seconds for each in rounds for seconds in each]


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile, in milliseconds."""
    high = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return {"median": _ms(median(seconds)), "p95": _ms(high)}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def text(document: dict[str, Any]) -> str:
    """The document as tables."""
    heads = ("entries", "hit", "p95", "looked up in vain", "not looked up", "hit / that", "the first", "to keep one")
    lines = []
    for name, sizes in _kinds(document).items():
        lines += [f"{name} hits, ms through the proxy", aligned(heads, [_row(*each) for each in sizes.items()]), ""]
        parts = next(iter(sizes.values()))["parts_ms"]
        rows = [(part, *(f"{of['parts_ms'][part]['median']:.2f}" for of in sizes.values())) for part in parts]
        lines += [aligned(("its parts, ms in one process", *(f"{int(size):,}" for size in sizes)), rows), ""]
        rows = [_room_row(*each) for each in sizes.items()]
        lines += [aligned(("entries", "proxy's memory", "before", "database", "counted", "unshared"), rows), ""]
    rows = [
        (f"{int(files):,} files", f"{of['ms']['median']:.1f}", f"{of['ms']['p95']:.1f}", f"{of['first_ms']:.1f}")
        for files, of in document["workspace"].items()
    ]
    lines += [aligned(("the state of a workspace, ms", "median", "p95", "the first"), rows), ""]
    return "\n".join([*lines, *(_target(*each) for each in _targets(document))])


def _row(size: str, of: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{int(size):,}",
        *(f"{each:.2f}" for each in (of["hit_ms"]["median"], of["hit_ms"]["p95"])),
        *(f"{of[name]['median']:.2f}" for name in ("looked_up_ms", "unlooked_ms")),
        f"{of['ratio']:.2f} ({min(of['ratios']):.2f}-{max(of['ratios']):.2f})",
        f"{of['first_ms']:.0f}",
        f"{of['keep_ms']['median']:.2f}",
    )


def _room_row(size: str, of: dict[str, Any]) -> tuple[str, ...]:
    memory = of["memory_mib"]
    values = (memory["after"], memory["before"], of["file_mib"], of["counted_mib"], of["unshared_mib"])
    return (f"{int(size):,}", *(f"{value:,.1f} MiB" for value in values))


def _kinds(document: dict[str, Any]) -> dict[str, Any]:
    return {kind.name: document[kind.name] for kind in (CONVERSATIONS, FAMILY) if kind.name in document}


def _targets(document: dict[str, Any]) -> list[tuple[str, float, float]]:
    """What was to be reached: whose slowest median, and under how many milliseconds."""
    bounds = {CONVERSATIONS.name: EXACT_MS, FAMILY.name: SIMILAR_MS}
    return [
        (name, max(of["hit_ms"]["median"] for of in sizes.values()), bounds[name])
        for name, sizes in _kinds(document).items()
    ]


def _target(name: str, slowest: float, bound: float) -> str:
    met = "met" if slowest < bound else "MISSED"
    return f"{name} hits: {slowest:.2f} ms at most (to reach: under {bound:g} ms): {met}."
