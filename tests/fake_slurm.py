"""A Slurm of four programs on the PATH: it records jobs, and runs them at once if that is wanted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SBATCH = """
import json, os, re, subprocess, sys
home = {home!r}
script = open(sys.argv[-1]).read()
jobs = json.load(open(home + "/jobs.json"))
number = str(100 + len(jobs))
array = re.search(r"^#SBATCH --array=0-(\\d+)", script, re.M)
jobs.append({{"number": number, "arguments": sys.argv[1:-1], "script": script, "codes": []}})
if os.environ.get("FAKE_SLURM_REFUSES"):
    sys.exit("sbatch: error: invalid partition specified")
for task in range(int(array[1]) + 1 if {runs} else 0):
    extra = dict(SLURM_ARRAY_TASK_ID=str(task), SLURM_JOB_ID=number, SLURM_NODELIST="here", RUN_OFFSET="0")
    with open(f"{{home}}/{{number}}_{{task}}.out", "w") as out:
        done = subprocess.run(["bash", "-c", script], env={{**os.environ, **extra}}, stdout=out, stderr=out)
    jobs[-1]["codes"].append(done.returncode)
json.dump(jobs, open(home + "/jobs.json", "w"))
print("Submitted batch job", number)
"""
"""Runs what it is given before it answers: a job that depends on another one comes later anyway."""

SRUN = """
import os, sys
words = sys.argv[1:]
while words[0].startswith("-"):
    words = words[2:] if words[0] == "-n" else words[1:]
os.execvp(words[0], words)
"""

SCONTROL = "print('localhost')"

SQUEUE = "print(open({home!r} + '/queue').read())"


class FakeSlurm:
    """Slurm's programs in a folder.

    Parameters
    ----------
    home
        A new folder for programs and records.
    runs
        Whether submitted tasks are run, one after another.
    """

    def __init__(self, home: Path, *, runs: bool) -> None:
        self.home, self.programs = home, home / "bin"
        self.programs.mkdir(parents=True)
        (home / "jobs.json").write_text("[]")
        (home / "queue").touch()
        for name, code in {"sbatch": SBATCH, "srun": SRUN, "scontrol": SCONTROL, "squeue": SQUEUE}.items():
            text = code.format(home=str(home), runs=runs) if "{home" in code else code
            (self.programs / name).write_text(f"#!{sys.executable}\n{text}")
            (self.programs / name).chmod(0o755)

    @property
    def path(self) -> str:
        """PATH with Slurm's programs before all others."""
        return os.pathsep.join([str(self.programs), os.environ["PATH"]])

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs submitted: number, arguments, script, and the exit codes of their tasks."""
        jobs: list[dict[str, Any]] = json.loads((self.home / "jobs.json").read_text())
        return jobs

    def queue(self, text: str) -> None:
        """Set what squeue says."""
        (self.home / "queue").write_text(text)
