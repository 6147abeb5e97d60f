"""The page under load: readers and submitters at once, against a server in a process of its own.

    python tests/benchmarks/bench_leaderboard.py [--seconds 60] [--readers 200] [--submitters 10]

Every reader opens the table, an entry, the queue or a filtered table, waits for about a second, and goes on;
every submitter sends another submission as soon as the last one is answered. Prints p50 and p95 of the
table, what went wrong, and the server's memory at the start and at the end. The load itself takes a few
per cent of a core; the checks of submissions, each a process, take what they get of the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app_samples import filled_store
from submission_samples import as_json, metadata, parquet, sound_masks, table

SERVE = """
import sys
from leaderboard.app import serve
serve(sys.argv[1], port=int(sys.argv[2]), operator="ada")
"""
PATHS = (
    "/",
    "/",
    "/",
    "/?sort=-f1@2",
    "/queue",
    "/?q=ridge",
    "/?labels=synthetic&sort=seconds",
    "/api/ranking?format=csv",
)


Answer = tuple[int, dict[str, str]]


class Line:
    """A connection that is kept, and costs next to nothing: what is measured is the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._both: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, head: str, body: bytes = b"") -> Answer:
        """Send a request and read the whole answer: its status and headers."""
        if self._both is None:
            self._both = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        reader, writer = self._both
        start = f"{head}Host: 127.0.0.1\r\nAccept-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(start.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), headers

    def close(self) -> None:
        """Hang up."""
        if self._both is not None:
            self._both[1].close()
        self._both = None


class Load:
    """Readers and submitters, and what they have seen."""

    def __init__(self, port: int, seconds: float) -> None:
        self.port, self.end = port, time.monotonic() + seconds
        self.times: list[float] = []
        self.sent: list[float] = []
        self.answers: Counter[str] = Counter()

    async def read(self, seed: int) -> None:
        """Open pages until the time is over."""
        rng, line = random.Random(seed), Line(self.port)  # noqa: S311  no secret
        await asyncio.sleep(rng.uniform(0, 1))
        while time.monotonic() < self.end:
            path = rng.choice(PATHS)
            start = time.perf_counter()
            try:
                what = str((await line.ask(f"GET {path} HTTP/1.1\r\n"))[0])
            except OSError as error:
                what = type(error).__name__
                line.close()
            self.answers[f"read {what}"] += 1
            if path == "/" or path.startswith("/?"):
                self.times.append(time.perf_counter() - start)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
        line.close()

    async def submit(self, bodies: Iterator[bytes]) -> None:
        """Send submissions until the time is over."""
        line, kind = Line(self.port), "multipart/form-data; boundary=edge"
        for body in bodies:
            if time.monotonic() > self.end:
                break
            start = time.perf_counter()
            try:
                status, headers = await line.ask(
                    f"POST /api/submit HTTP/1.1\r\nContent-Type: {kind}\r\n", body
                )
            except OSError as error:
                self.answers[f"submit {type(error).__name__}"] += 1
                line.close()
                continue
            self.answers[f"submit {status}"] += 1
            self.sent.append(time.perf_counter() - start)
            await asyncio.sleep(float(headers.get("retry-after", 0)))
        line.close()


def bodies() -> Iterator[bytes]:
    """Yield submissions that differ, as forms."""
    for number in range(1_000_000):
        masks = sound_masks(5000 + number)
        files = {
            "metadata": as_json(metadata(method=f"bench {number}")),
            "predictions": parquet(table({"image_id": list(masks), "mask_png": list(masks.values())})),
        }
        yield (
            b"".join(
                f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode()
                + data
                + b"\r\n"
                for name, data in files.items()
            )
            + b"--edge--\r\n"
        )


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--submitters", type=int, default=10)
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--port", type=int, default=7899)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        filled_store(store, options.entries)
        with subprocess.Popen([sys.executable, "-c", SERVE, str(store), str(options.port)]) as server:
            try:
                _measure(server.pid, options)
            finally:
                server.terminate()


def _measure(pid: int, options: argparse.Namespace) -> None:
    _wait(f"http://127.0.0.1:{options.port}")
    process = psutil.Process(pid)
    first, busy, start = process.memory_info().rss, process.cpu_times(), time.monotonic()
    load = Load(options.port, options.seconds)
    middle = asyncio.run(_run(load, process, options))
    spent = process.cpu_times()
    cpu = spent.user + spent.system - busy.user - busy.system
    _report(load, (first, middle, process.memory_info().rss), cpu, time.monotonic() - start)


async def _run(load: Load, process: psutil.Process, options: argparse.Namespace) -> int:
    """Let everybody do what they do; return the server's memory after a third of the time."""
    forms = bodies()
    async with asyncio.TaskGroup() as group:
        for seed in range(options.readers):
            group.create_task(load.read(seed))
        for _ in range(options.submitters):
            group.create_task(load.submit(forms))
        await asyncio.sleep(options.seconds / 3)
        middle: int = process.memory_info().rss
    return middle


def _report(load: Load, memory: tuple[int, int, int], cpu: float, wall: float) -> None:
    times = sorted(load.times)
    p95 = statistics.quantiles(times, n=20)[-1]
    middle, longest = times[len(times) // 2], times[-1]
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(load.answers.items()))
    sizes = ", ".join(f"{size / 1e6:.0f} MB" for size in memory)
    print(f"table      {len(times):,} times: p50 {1000 * middle:.0f} ms, p95 {1000 * p95:.0f} ms")
    print(f"           longest {1000 * longest:.0f} ms")
    if load.sent:
        print(f"submit     {len(load.sent):,} times: p50 {sorted(load.sent)[len(load.sent) // 2]:.1f} s")
    print(f"answers    {told}")
    print(f"memory     {sizes}: at the start, after a third, at the end")
    print(f"processor  {100 * cpu / wall:.0f} % of one, by the server itself")


def _wait(address: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            httpx2.get(f"{address}/health", trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.2)
        else:
            httpx2.get(address, trust_env=False)
            return
    raise SystemExit("the server has not started")


if __name__ == "__main__":
    main()
