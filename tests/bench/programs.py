"""The programs that are measured: where they are, and how they are started and ended.

$CARPOOL names the program [default: target/release/carpool], $CARPOOL_RELAY the relay [default:
target/release/relay], $CARPOOL_PEER_DIR where `tests/e2e/peer.sh` built car-mirror's [default: target/peer].
"""

import json
import os
import pathlib
import socket
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[2]
CARPOOL = os.environ.get("CARPOOL", str(REPO / "target/release/carpool"))
RELAY = os.environ.get("CARPOOL_RELAY", str(REPO / "target/release/relay"))
PEER = pathlib.Path(os.environ.get("CARPOOL_PEER_DIR", REPO / "target/peer")) / "target/release"


def run(*command, **options):
    """What a program says, which has to come to a good end."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Server:
    """A program that says where it listens, ended at the end."""

    def __init__(self, command, address):
        command = [str(word) for word in command]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.process.stdout:
            self.address = address(line)
            if self.address:
                return
        raise SystemExit(f"{' '.join(command)}: it does not listen")

    def __enter__(self):
        return self.address

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()


def ours(store, *flags, listen="127.0.0.1:0"):
    """The store, served."""
    command = [CARPOOL, "--store", store, "--json", "serve", "--listen", listen, *flags]
    return Server(command, lambda line: json.loads(line).get("listening"))


def theirs(car):
    """The blocks of a CAR, served by car-mirror; its address has no scheme."""
    command = [PEER / "peer-server", "--addr", "127.0.0.1:0", "--car", car]
    return Server(command, lambda line: line.startswith("LISTENING ") and line.split()[1])


class Relay:
    """A way to a server, `rtt` milliseconds long and `mbps` Mb/s wide in each direction, which counts."""

    def __init__(self, to, rtt, mbps):
        command = [RELAY, to.removeprefix("http://"), "--rtt", str(rtt), "--mbps", str(mbps)]
        # What it says of a server that was killed is what is wanted.
        pipe, silent = subprocess.PIPE, subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=silent, text=True)
        self.at = self.process.stdout.readline().strip()

    def count(self):
        """What passed since it began."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
