"""The processes of a run on several devices: started, watched, ended, and summed over."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from langid.errors import LangidError

Item = TypeVar("Item")
GRACE_S = 10  # for a process to say itself why it ends, and for one that is done to go
# What gloo and NCCL say where the process at the other end is gone.
LOST = re.compile(r"gloo|NCCL|Connection (?:closed|reset|refused)|Broken pipe|recvValue|sendBytes")


def check_processes(trainer: Trainer) -> None:
    """Raise LangidError where torchrun or srun started processes the trainer does not count on."""
    started = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1")))
    if started > 1 and started != trainer.world_size:
        raise LangidError(
            f"{started} processes were started, and trainer.devices={trainer.num_devices} times"
            f" trainer.num_nodes={trainer.num_nodes} are {trainer.world_size}; with torchrun or"
            " srun take trainer=ddp, trainer.devices=PROCESSES_PER_NODE and trainer.num_nodes=NODES"
        )


class EndBySignal(Callback):
    """Takes SIGTERM like Ctrl-C.

    Lightning's own handler waits for the other processes to answer, which are at another step.
    """

    def on_train_start(self, trainer: Trainer, _: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)


def summed(values: Tensor) -> Tensor:
    """Return ``values``, which lie on the training device, added up over all processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
    return values


def same_buffers(module: torch.nn.Module) -> None:
    """Give all processes the buffers of the first, which are those of its checkpoints.

    Running means of batch normalisation differ otherwise: each process has heard its own share.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        for _, buffer in sorted(module.named_buffers()):
            torch.distributed.broadcast(buffer, 0)


def gathered(items: Sequence[Item]) -> list[Item]:
    """Return the items of all processes of the run, in the order of the processes.

    They travel pickled, so tensors may lie on the CPU, which NCCL alone does not reduce.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(items)
    of_all: list[Sequence[Item]] = [()] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(of_all, items)
    return [item for of_one in of_all for item in of_one]


# Lightning's own launcher runs sys.argv, be it a notebook's; it kills this process, without a word,
# when another one fails; and it leaves variables behind by which the next training here takes
# itself for a child and waits for others that nobody starts.
@contextmanager
def other_processes(trainer: Trainer, command: Sequence[str] | None) -> Iterator[None]:
    """Run ``command`` as the other processes of this machine for as long as the body runs.

    Does nothing for one device, nor under torchrun or srun. Raises LangidError in the body's place
    where another process has ended before its time.
    """
    environment = getattr(trainer.strategy, "cluster_environment", None)
    before = dict(os.environ)
    children: list[subprocess.Popen[bytes]] = []
    done = threading.Event()
    if trainer.world_size > 1:
        trainer.callbacks.append(EndBySignal())  # type: ignore[attr-defined]
    if environment and trainer.num_devices > 1 and not environment.creates_processes_externally:
        if command is None:
            raise LangidError("this command trains on one device; take trainer.devices=1")
        os.environ |= {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "NODE_RANK": str(environment.node_rank()),
            "LOCAL_RANK": "0",  # by this Lightning knows that it has nothing to start
            "WORLD_SIZE": str(trainer.world_size),
        }
        children = [_start(command, rank) for rank in range(1, trainer.num_devices)]
        threading.Thread(target=_watch, args=(children, done), daemon=True).start()
    try:
        yield
        _wait(children)
    except RuntimeError as error:
        if not LOST.search(str(error)):
            raise
        _wait(children)
        raise LangidError(_told(children)) from error
    finally:
        done.set()
        _end(children)
        if children:
            _forget(before)


def _start(command: Sequence[str], rank: int) -> "subprocess.Popen[bytes]":
    # In a session of its own: Ctrl-C is for the first process, which ends the others.
    environment = os.environ | {"LOCAL_RANK": str(rank)}
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL
    )


def _watch(children: "Sequence[subprocess.Popen[bytes]]", done: threading.Event) -> None:
    """End this process where another has failed and this one waits for it all the same."""
    while not done.wait(0.2):
        if any(child.poll() for child in children) and not done.wait(GRACE_S):
            print(f"langid: {_told(children)}", file=sys.stderr, flush=True)
            _end(children)
            os._exit(2)


def _told(children: "Sequence[subprocess.Popen[bytes]]") -> str:
    """Say which processes have failed; those that could have said themselves why."""
    for rank, child in enumerate(children, start=1):
        if code := child.poll():
            why = f"by signal {-code}" if code < 0 else f"with code {code}, as told above"
            return f"process {rank} of this run ended {why}; checkpoints of earlier epochs are kept"
    return "another process of this run has ended; checkpoints of earlier epochs are kept"


def _wait(children: "Sequence[subprocess.Popen[bytes]]") -> None:
    for child in children:
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return


def _end(children: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Kill what still runs: only the first process writes, so nothing is lost."""
    for child in children:
        child.kill()
        child.wait()


def _forget(before: dict[str, str]) -> None:
    """Leave the process group, so that the next run of this process can have its own."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
