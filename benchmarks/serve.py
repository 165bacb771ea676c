"""What a service costs beside the decoder, and what it stands: many clients, a body without end.

python benchmarks/serve.py                       # 200 clients, 10,000 requests: some minutes
python benchmarks/serve.py --clients 20 --requests 400

Decodes of one point, as NPY. CPU-milliseconds of the server's process for a request, over those of
the decoder in this process: alone, and its share of a batch of 64. Every answer is compared with
that of the space; answers of other points, the control, must differ.
"""

import argparse
import http.client
import io
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import torch

from latentopt import LatentSpace

TICKS = os.sysconf("SC_CLK_TCK")
BATCH = 64
CHUNK = 2**16
ENDLESS = 2**30  # bytes that are sent in chunks


class Server:
    """The command in a process of its own.

    Parameters
    ----------
    space
        What it serves.
    """

    def __init__(self, space: str) -> None:
        began = time.monotonic()
        command = [sys.executable, "-m", "latentopt", "serve", space]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        parts = urlsplit(self.process.stdout.readline().strip())
        self.ready = time.monotonic() - began
        self.host, self.token = parts.netloc, parts.fragment.removeprefix("token=")

    def cpu(self) -> float:
        """CPU-seconds so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Resident MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(x.split()[1]) / 1024 for x in file if x.startswith("VmRSS"))

    def peak(self) -> float:
        """Most resident MiB so far."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(x.split()[1]) / 1024 for x in file if x.startswith("VmHWM"))


def asked(server: Server, id: str, points: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """Images and statuses of points, one request each, by one client that keeps its connection."""
    line = http.client.HTTPConnection(server.host, timeout=120)
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Content-Type": "application/json",
        "Accept": "application/x-npy",
    }
    images, statuses = [], []
    for point in points:
        body = json.dumps({"z": [point.tolist()]})
        line.request("POST", f"/v1/spaces/{id}/decode", body, headers)
        answer = line.getresponse()
        statuses.append(answer.status)
        images.append(np.load(io.BytesIO(answer.read()))[0])
    line.close()
    return images, statuses


def decoder(space: LatentSpace, rows: int, repeats: int) -> float:
    """CPU-milliseconds of a point in this process, decoded with so many others."""
    z = space.sample(rows, seed=0).numpy()
    space.decode(z)
    began = time.process_time()
    for _ in range(repeats):
        space.decode(z)
    return 1000 * (time.process_time() - began) / (rows * repeats)


def crowd(server: Server, space: LatentSpace, clients: int, requests: int) -> None:
    """Many clients at a time."""
    each = max(1, requests // clients)
    begun = server.memory()
    with ThreadPoolExecutor(clients) as pool:  # what large batches take is taken once
        list(pool.map(lambda _: asked(server, space.id, space.sample(3).numpy()), range(clients)))
    points = space.sample(clients * each, seed=5).numpy()
    before, memory = server.cpu(), server.memory()
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(asked, server, space.id, part) for part in np.split(points, clients)]
        answers = [job.result() for job in jobs]
    spent = 1000 * (server.cpu() - before) / len(points)
    images = np.concatenate([images for images, _ in answers])
    statuses = [status for _, some in answers for status in some]
    known = np.concatenate([space.decode(part) for part in np.array_split(points, 100)])
    share = decoder(space, BATCH, 20)
    print(
        f"{clients} clients, {len(points)} requests: {sum(s == 200 for s in statuses)} answered, "
        f"{sum(s >= 500 for s in statuses)} of 500 and above; largest difference "
        f"{np.abs(images - known).max():.1e} (control, of other points: "
        f"{np.abs(images - known[::-1]).max():.2f}); {spent:.2f} CPU-ms a request, "
        f"{spent / share:.2f} times the decoder's share of {BATCH} ({share:.2f} ms); memory "
        f"{server.memory() - memory:+.0f} MiB, after {memory - begun:+.0f} MiB for the first ones",
        flush=True,
    )


def alone(server: Server, space: LatentSpace, requests: int) -> None:
    """One client."""
    points = space.sample(requests, seed=7).numpy()
    asked(server, space.id, points[:10])
    before, began = server.cpu(), time.monotonic()
    asked(server, space.id, points)
    spent = 1000 * (server.cpu() - before) / requests
    wall = 1000 * (time.monotonic() - began) / requests
    one = decoder(space, 1, 200)
    print(
        f"one client: {spent:.2f} CPU-ms a request, {spent / one:.2f} times a decode of one "
        f"({one:.2f} ms); {wall:.1f} ms from request to answer",
        flush=True,
    )


def endless(server: Server, id: str) -> None:
    """A body in chunks that goes on for ever."""
    before, sent = server.memory(), 0
    host, port = server.host.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as line:
        head = (
            f"POST /v1/spaces/{id}/encode HTTP/1.1\r\nHost: {server.host}\r\n"
            f"Authorization: Bearer {server.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        line.sendall(head.encode())
        try:
            while sent < ENDLESS:
                line.sendall(b"%x\r\n" % CHUNK + bytes(CHUNK) + b"\r\n")
                sent += CHUNK
        except OSError:
            pass
    print(
        f"a body of {ENDLESS / 2**20:.0f} MiB in chunks: refused after {sent / 2**20:.0f} MiB, "
        f"most memory {server.peak() - before:+.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="default")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    embedded = options.space in ("default", "ldm")
    space = (LatentSpace.default if embedded else LatentSpace.load)(options.space)
    began = time.monotonic()
    modules = "fastapi, uvicorn, latentopt.serve.app, latentopt.space.named"
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
    imports = time.monotonic() - began
    server = Server(options.space)
    print(f"ready after {server.ready:.1f} s, imports alone {imports:.1f} s", flush=True)
    try:
        alone(server, space, 300)
        endless(server, space.id)
        crowd(server, space, options.clients, options.requests)
    finally:
        server.process.terminate()


if __name__ == "__main__":
    main()
