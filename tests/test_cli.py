"""The commands, as a user types them: good lines, and bad ones that end in one message."""

from __future__ import annotations

import argparse
import functools
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

import craqbench
from craqbench import cli
from craqbench.cli import choices, demo, parsing, terminal
from craqbench.configuration import Config
from craqbench.errors import DatasetError, UsageError
from generators.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[1]
TINY = ("--recipe", "paper", "--set", "n_curves=8,12", "--size", "96x64", "--workers", "1")
"""A recipe and a size that take no time."""

Run = tuple[int, str, str]


@pytest.fixture
def craqbench_(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Run:
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of five triplets, made by the command."""
    folder = tmp_path_factory.mktemp("made") / "set"
    assert cli.main(["generate", "--n", "5", "--out", str(folder), *TINY]) == 0
    return folder


def one_painting(folder: Path) -> Path:
    """Make a folder ``paintings`` with one picture in it."""
    (folder / "paintings").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Pictures.fromarray(noise).save(folder / "paintings" / "good.png")
    return folder / "paintings"


def started(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "craqbench.cli", *arguments],
        env=environment(),
        text=True,
        check=False,
        **{"capture_output": True, **options},
    )


def environment() -> dict[str, str]:
    """Return an environment in which the packages under test are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


# -- the table of commands ---------------------------------------------------------------------------------


def test_help_lists_every_command(craqbench_: Any) -> None:
    """The first help names each command with its line, and fits a terminal of 100 columns."""
    code, out, err = craqbench_("--help")
    assert (code, err) == (0, "")
    assert all(
        re.search(rf"^  {name} +{re.escape(line)}$", out, re.MULTILINE)
        for name, (_, line) in cli.COMMANDS.items()
    )
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_its_options(craqbench_: Any, name: str) -> None:
    """Each command has help that begins with its usage and says what each option is for."""
    code, out, _ = craqbench_(name, "--help")
    assert code == 0
    assert out.startswith(f"usage: craqbench {name}")
    options = re.findall(r"^  (-\S.*?)(?:  |\n {10})", out, re.MULTILINE)
    assert len(options) == len(re.findall(r"^  -", out, re.MULTILINE)), "an option without help"


def test_version(craqbench_: Any) -> None:
    """--version prints name and version."""
    assert craqbench_("--version") == (0, f"craqbench {craqbench.__version__}\n", "")


def test_no_command_shows_help(craqbench_: Any) -> None:
    """Nothing to do is no success: help goes to stderr."""
    code, out, err = craqbench_()
    assert (code, out) == (2, "")
    assert err.startswith("usage: craqbench COMMAND")


# -- bad input ---------------------------------------------------------------------------------------------

BAD_LINES = {
    "genrate": "unknown command 'genrate'; did you mean generate or regenerate?",
    "--verison": "unknown option '--verison'; did you mean --version?",
    "generate --n 0": "--n: got '0', expected a whole number of at least 1",
    "generate --n -3": "--n: got '-3', expected a whole number of at least 1",
    "generate --n 1.5": "--n: got '1.5', expected a whole number",
    "generate --n": "--n: expected one argument",
    "generate --seed -1": "--seed: got '-1', expected a whole number of at least 0",
    "generate --seed 99999999999999999999": "seed 99999999999999999999: expected 0 to",
    "generate --size 12": "size '12': expected WIDTHxHEIGHT",
    "generate --size 12x": "size '12x': expected WIDTHxHEIGHT",
    "generate --size 8x8": "size 8x8: expected sides of",
    "generate --size 100000x100000": "size 100000x100000: expected sides of",
    "generate --shard 5/3": "shard 5/3: expected 0/3 to 2/3",
    "generate --shard 3": "shard '3': expected i/N",
    "generate --shard 0/0": "shard 0/0: expected i/N",
    "generate --split a=2": "split a=2: expected fractions above 0 that sum to 1",
    "generate --split train=0.5": "split train=0.5: expected fractions above 0 that sum to 1",
    "generate --split train=0.5,train=0.5": "each name once",
    "generate --split train=x": "'x' is no fraction",
    "generate --n 3 --split train=0.999,test=0.001": "split test: expected a larger share",
    "generate --workers 0": "--workers: got '0', expected a whole number of at least 1",
    "generate --shard-size 0": "--shard-size: got '0', expected a whole number of at least 1",
    "generate --codec jpeg": "--codec: got 'jpeg', expected one of webp, png",
    "generate --fit corp": "--fit: got 'corp', expected one of crop, pad, stretch; did you mean crop?",
    "generate --recipe papper": "unknown recipe 'papper'; did you mean paper?",
    "generate --recipe zzz": "unknown recipe 'zzz'; expected one of paper",
    "generate --recipe paper --set rhoo=2": "has no parameter 'rhoo'; did you mean rho?",
    "generate --recipe paper --set rho=wide": "--set rho=wide: expected a value like the default, 2.0",
    "generate --recipe paper --set rho": "--set: got 'rho', expected NAME=VALUE",
    "generate --recipe paper --set p_br=0.3": "--set p_br=0.3: expected a value like the default, 0.3,0.5",
    "generate --recipe paper --set p_br=0.9,0.3": "p_br",
    "generate --recipe paper --set rho=nan": "rho",
    "generate --source nowhere": "source 'nowhere' does not exist",
    "generate --source empty": "source 'empty' holds no image",
    "generate --source a-file": "source 'a-file' is a file",
    "generate --source ~": "--source: got '', expected a name",
    "generate --out ~": "--out: got '', expected a name",
    "verify ~": "DIR: got '', expected a name",
    "generate --sede 3": "unknown option '--sede'; did you mean --seed",
    "generate 20000": "unknown argument '20000'",
    "generate --n 3 --recipe paper --size 96x64 --out a-file": "a-file",
    "generate --n 3 --recipe paper --size 96x64 --out full": "folder 'full' is not empty",
    "generate --n 3 --recipe paper --size 96x64 --out a-file/below": "a-file",
    "verify": "the following arguments are required: DIR",
    "verify nowhere": "dataset 'nowhere' does not exist",
    "verify empty": "'empty' is no craqbench dataset",
    "stats nowhere": "'nowhere' is no folder: expected a dataset, or a folder of PNG masks",
    "stats empty": "'empty' holds no manifest.json and no PNG",
    "stats a-file": "'a-file' is no folder",
    "stats broken": "cannot be read",
    "stats empty --sample 0": "--sample: got '0', expected a whole number of at least 1",
    "recipes flemisch": "unknown recipe 'flemisch'; did you mean flemish?",
    "recipes paper dutch": "unknown argument 'dutch'",
    "preview --recipe papper": "unknown recipe 'papper'; did you mean paper?",
    "preview --out x.jpg": "--out: got 'x.jpg', expected a name that ends in .png",
    "preview --n 5000": "--n or --ages: expected at most",
    "preview --ages 1": "--ages: got '1', expected a whole number of at least 2",
    "preview empty": "'empty' is no craqbench dataset",
    "preview --recipe paper --n 1 --size 96x64 --out a-file/x.png": "a-file/x.png",
    "preview empty --ages 3": "a dataset has no ages: expected --ages without DIR",
    "preview --recipe paper --ages 3": "recipe 'paper' does not age",
    "demo --out a-file": "a-file",
    "demo --recipe demmo": "unknown recipe 'demmo'",
}
"""Command line -> what its one message says. A bare ~ stands for the empty text of an unset variable."""


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_input_is_one_message(craqbench_: Any, tmp_path: Path, line: str) -> None:
    """A fault that the user can mend is one message on stderr and exit code 2, and leaves nothing behind."""
    for folder in ("empty", "full", "broken"):
        (tmp_path / folder).mkdir()
    for file in ("a-file", "full/letter.txt", "broken/mask.png"):
        (tmp_path / file).write_text("not a picture")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = craqbench_(*("" if word == "~" else word for word in line.split()))
    assert code == 2, out
    assert re.match(r"craqbench: error: \S", err.splitlines()[-1] if line.startswith("stats") else err), err
    assert BAD_LINES[line] in err
    assert err.count("craqbench: error") == 1
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_process_shows_no_traceback(tmp_path: Path) -> None:
    """The same holds for a process of its own."""
    result = started("generate", "--source", "nowhere", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("craqbench: error: source 'nowhere' does not exist")
    assert result.stderr.count("\n") == 1


def test_our_own_faults_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that the user cannot mend keeps its traceback."""
    monkeypatch.setattr(cli, "_dispatch", lambda _: {"a": 1}["fault"])
    with pytest.raises(KeyError):
        cli.main(["recipes"])


def test_other_disk_errors_are_messages(craqbench_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk error that nobody foresaw still ends in one message."""

    def fail(_: object) -> int:
        raise PermissionError(13, "Permission denied", "some/file")

    monkeypatch.setattr(cli, "_dispatch", fail)
    code, _, err = craqbench_("recipes")
    assert (code, err) == (2, "craqbench: error: [Errno 13] Permission denied: 'some/file'\n")


def test_interruption_says_how_to_go_on(craqbench_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and with what the interrupted work has to say."""

    def stop(_: object) -> int:
        raise KeyboardInterrupt("run it again to go on")

    monkeypatch.setattr(cli, "_dispatch", stop)
    assert craqbench_("generate") == (130, "", "craqbench: interrupted: run it again to go on\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes break in another way there")
def test_a_reader_that_leaves_is_no_error() -> None:
    """Output into a pipe that nobody reads ends quietly, as with `| head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = started("recipes", stdout=closed, stderr=subprocess.PIPE, capture_output=False)
    assert (result.returncode, result.stderr) == (141, "")


# -- generate, verify --------------------------------------------------------------------------------------


def test_generate_makes_a_dataset_and_says_what_comes_next(craqbench_: Any, tmp_path: Path) -> None:
    """Generate reports rows, files, rate and fingerprint, and the next command that it names succeeds."""
    code, out, _ = craqbench_("generate", "--n", "3", "--out", "my set", *TINY)
    assert code == 0
    assert re.search(r"^rows +3 in 3 files, [\d.]+ kB$", out, re.MULTILINE)
    assert re.search(r"^made +3 rows in .+ rows/s$", out, re.MULTILINE)
    assert re.search(r"^fingerprint +[0-9a-f]{64}$", out, re.MULTILINE)
    assert (tmp_path / "my set" / "manifest.json").is_file()
    assert out.endswith("next: craqbench verify 'my set'\n")
    code, out, err = craqbench_("verify", "my set")
    assert (code, err) == (0, "")
    assert "recipe paper, 3 rows in 3 files" in out


def test_generate_names_its_folder_after_the_recipe(craqbench_: Any, tmp_path: Path) -> None:
    """Without --out the dataset is craquelure-RECIPE."""
    assert craqbench_("generate", "--n", "1", *TINY)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["craquelure-paper"]


def test_generate_again_goes_on(craqbench_: Any) -> None:
    """The same command again makes nothing new; with another seed it is refused and nothing is lost."""
    craqbench_("generate", "--n", "3", "--out", "set", *TINY)
    code, out, _ = craqbench_("generate", "--n", "3", "--out", "set", *TINY)
    assert code == 0
    assert re.search(r"^made +nothing new: 3 rows found there and checked in .* s$", out, re.MULTILINE)
    code, _, err = craqbench_("generate", "--n", "3", "--out", "set", "--seed", "1", *TINY)
    assert code == 2
    assert "--seed: 0 there, 1 now" in err
    assert craqbench_("verify", "set")[0] == 0


def test_pieces_complete_each_other(craqbench_: Any) -> None:
    """Two --shard pieces make one dataset; after the first, the summary says that files are missing."""
    line = ("generate", "--n", "4", "--shard-size", "2", "--out", "set", *TINY)
    code, out, _ = craqbench_(*line, "--shard", "0/2")
    assert code == 0
    assert "1 file is still to come from the other pieces" in out
    code, out, _ = craqbench_(*line, "--shard", "1/2")
    assert code == 0
    assert "next: craqbench verify set" in out


def test_dry_run_writes_nothing(craqbench_: Any, tmp_path: Path) -> None:
    """A dry run tells splits, size, time and fingerprint, and makes nothing."""
    code, out, _ = craqbench_("generate", "--n", "40", "--dry-run", "--split", "train=0.9,test=0.1", *TINY)
    assert code == 0
    assert re.search(r"^train +36 +one per row", out, re.MULTILINE)
    assert re.search(r"^test +4 +one per row", out, re.MULTILINE)
    assert re.search(r"^size +about .+B, by 4 rows", out, re.MULTILINE)
    assert not list(tmp_path.iterdir())


def test_dry_run_has_the_fingerprint_of_the_dataset(craqbench_: Any) -> None:
    """What a dry run announces is what is made."""
    prints = [
        re.findall(r"fingerprint +(\w+)", craqbench_("generate", "--n", "2", *extra, *TINY)[1])
        for extra in (("--dry-run",), ())
    ]
    assert prints[0] == prints[1] != []


def test_skipped_images_are_named(craqbench_: Any, tmp_path: Path) -> None:
    """A broken image among good ones is skipped, counted and named on stderr."""
    folder = one_painting(tmp_path)
    (folder / "broken.jpg").write_bytes(b"no")
    code, _, err = craqbench_("generate", "--n", "2", "--source", "paintings", *TINY)
    assert code == 0
    assert "1 image skipped" in err
    assert "broken.jpg" in err


def test_verify_lists_faults(craqbench_: Any, dataset: Path, tmp_path: Path) -> None:
    """A flipped byte in a shard is found: faults on stderr, exit code 2."""
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    shard = next((copy / "data").glob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    code, _, err = craqbench_("verify", str(copy), "--workers", "1")
    assert code == 2
    assert shard.name in err
    assert re.search(r"^craqbench: error: \d+ faults? in ", err, re.MULTILINE)


@pytest.mark.skipif(os.name != "posix", reason="signals are another matter there")
def test_ctrl_c_leaves_a_dataset_that_goes_on(tmp_path: Path) -> None:
    """Ctrl-C during generation: exit code 130, a message, no traceback; the same command completes it."""
    one_painting(tmp_path)
    line = ("generate", "--n", "400", "--shard-size", "5", "--source", "paintings", "--out", "set", *TINY)
    command = [sys.executable, "-m", "craqbench.cli", *line]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("set/data/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.match(r"craqbench: interrupted: stopped: \d+ of 80 shards", err), err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("set/data/.*"))
    again = started(*line, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert started("verify", "set", cwd=tmp_path).returncode == 0


# -- recipes, preview, stats, demo -------------------------------------------------------------------------


def test_recipes_are_listed(craqbench_: Any) -> None:
    """Each recipe has a line with its version and summary."""
    code, out, _ = craqbench_("recipes")
    assert code == 0
    for recipe in RECIPES.values():
        assert re.search(
            rf"^{recipe.name} +v{recipe.version} +{re.escape(recipe.summary)}$", out, re.MULTILINE
        )


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_explained(craqbench_: Any, name: str) -> None:
    """Each recipe is explained with every parameter, its default and what its docstring says of it."""
    code, out, _ = craqbench_("recipes", name)
    assert code == 0
    assert " ".join(RECIPES[name].explanation.split()) in " ".join(out.split())
    for parameter, default, bounds, text in choices.explained_parameters(RECIPES[name]):
        assert re.search(rf"^  {parameter}={re.escape(default)}( |$).*{bounds}", out, re.MULTILINE)
        assert text, f"{parameter} of {name} is not explained"


@pytest.mark.parametrize("name", RECIPES)
def test_defaults_as_printed_can_be_set(name: str) -> None:
    """What `recipes NAME` prints for a parameter is what --set takes for it, and changes nothing."""
    printed = [(p, default) for p, default, *_ in choices.explained_parameters(RECIPES[name])]
    recipe = choices.read_recipe(argparse.Namespace(recipe=name, settings=printed))
    assert recipe.parameters == RECIPES[name].parameters


def test_preview_draws_what_generate_makes(craqbench_: Any, dataset: Path, tmp_path: Path) -> None:
    """The sheet of a recipe and the sheet of a dataset of it show the same triplets."""
    assert craqbench_("preview", "--n", "2", "--out", "recipe.png", *TINY[:-2])[0] == 0
    assert craqbench_("preview", str(dataset), "--n", "2", "--out", "set.png")[0] == 0
    sheets = [np.asarray(Pictures.open(tmp_path / name)).astype(int) for name in ("recipe.png", "set.png")]
    below_title = [sheet[80:] for sheet in sheets]
    assert below_title[0].shape == below_title[1].shape
    assert (np.abs(below_title[0] - below_title[1]).max(axis=-1) > 0).mean() < 0.05


def test_preview_says_where_the_sheet_is(craqbench_: Any, tmp_path: Path) -> None:
    """Without --out the sheet is preview-RECIPE.png, and its size is told."""
    code, out, _ = craqbench_("preview", "--n", "1", *TINY[:-2])
    assert code == 0
    with Pictures.open(tmp_path / "preview-paper.png") as sheet:
        assert out == f"preview-paper.png: {sheet.width} x {sheet.height} px\n"


def test_preview_of_ages(craqbench_: Any, tmp_path: Path) -> None:
    """With --ages K the sheet shows a painting at K ages."""
    code, _, err = craqbench_(
        "preview", "--recipe", "dutch", "--size", "96x64", "--ages", "3", "--out", "ages.png"
    )
    assert code == 0, err
    assert (tmp_path / "ages.png").is_file()


def test_stats_of_a_dataset(craqbench_: Any, dataset: Path) -> None:
    """Stats prints a line for each measure beside the real values."""
    code, out, err = craqbench_("stats", str(dataset), "--workers", "1")
    assert (code, err) == (0, "")
    assert "5 masks measured, 0 of them without any crack" in out
    for words in ("crack area", "T, share", "X, share", "link length", "island area", "orientation"):
        assert re.search(rf"^{words}.*\d( %)? to +\d", out, re.MULTILINE), words


def test_stats_of_masks_finds_what_was_drawn(craqbench_: Any, tmp_path: Path) -> None:
    """Stats of mask images: a grid of 3 px lines has X junctions only; unknown px are left out."""
    mask = np.zeros((400, 400), np.uint8)
    for k in range(40, 400, 80):
        mask[k - 1 : k + 2] = mask[:, k - 1 : k + 2] = 255
    mask[:, 200:] = 128
    (tmp_path / "masks").mkdir()
    Pictures.fromarray(mask).save(tmp_path / "masks" / "grid.png")
    code, out, _ = craqbench_("stats", "masks", "--workers", "1")
    assert code == 0
    assert re.search(r"^X, share of junctions +100\.0 %", out, re.MULTILINE)
    fraction = (mask[:, :200] == 255).mean()
    assert re.search(rf"^crack area, share of the picture +{100 * fraction:.1f} %", out, re.MULTILINE)


def test_stats_takes_a_sample(craqbench_: Any, dataset: Path) -> None:
    """--sample N measures N masks, and no more than there are."""
    for asked, measured in (("2", 2), ("100", 5)):
        assert (
            f"{measured} masks measured"
            in craqbench_("stats", str(dataset), "--sample", asked, "--workers", "1")[1]
        )


def test_demo_works_twice(craqbench_: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo makes 24 verified triplets and a sheet; the second time it finds them."""
    monkeypatch.setattr(demo, "Config", functools.partial(Config, size=(96, 64)))
    line = ("demo", "--out", "here", "--recipe", "paper", "--set", "n_curves=8,12", "--workers", "1")
    code, out, err = craqbench_(*line)
    assert code == 0, err
    assert "24 rows" in out
    assert "all is as the manifest says" in out
    with Pictures.open(tmp_path / "here" / "contact-sheet.png") as sheet:
        assert sheet.width > 500
    assert "<table" in (tmp_path / "here" / "report.html").read_text(encoding="utf-8")
    code, out, _ = craqbench_(*line)
    assert code == 0
    assert "nothing new: 24 rows found there" in out


# -- parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "number"), [("7", 7), (" 20,000 ", 20000), ("20_000", 20000), ("+3", 3)])
def test_whole_numbers_are_read_as_people_write_them(text: str, number: int) -> None:
    """Thousands may be set apart."""
    assert parsing.whole(1)(text) == number


def test_nearest_names() -> None:
    """The nearest names are offered, and none where none is near."""
    assert parsing.nearest("dutsh", ["dutch", "french"]) == "; did you mean dutch?"
    assert parsing.nearest("xyz", ["dutch", "french"]) == ""


@pytest.mark.parametrize(
    ("seconds", "spelt"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (59.99, "1:00"), (3600, "1:00:00")]
)
def test_durations(seconds: float, spelt: str) -> None:
    """Durations are spelt in seconds, minutes or hours."""
    assert terminal.spell_seconds(seconds) == spelt


@pytest.mark.parametrize(
    ("count", "spelt"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_600, "1 MB"), (5.25e9, "5.25 GB")]
)
def test_sizes(count: float, spelt: str) -> None:
    """Sizes are spelt with three digits."""
    assert terminal.spell_bytes(count) == spelt


def test_progress_lines_come_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a log there is a line every few seconds; rows that were there before do not count for the rate."""
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with terminal.watch() as progress:
        for done in (100, 150, 200, 220, 300):
            progress("making triplets", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "making triplets: 200 of 1,000 rows, 10.0 rows/s, 1:20 left",
        "making triplets: 300 of 1,000 rows, 10.0 rows/s, 1:10 left",
    ]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_progress_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each stage has a bar with counts, rate and time."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with terminal.watch() as progress:
        for done in range(4):
            progress("making triplets", done, 3)
            time.sleep(0.01)
        progress("verifying", 0, 3)
    assert "making triplets" in screen.getvalue()
    assert "3/3" in screen.getvalue()
    assert re.search(r"rows/s, took 0\.\d s", screen.getvalue())
    assert "verifying" in screen.getvalue()


def test_tables_on_a_terminal_keep_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is framed on a terminal, and a cell in square brackets is not taken for markup."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.table(("name", "n"), [("[red]file[/red].png", "3")])
    assert "[red]file[/red].png" in screen.getvalue()


def test_errors_are_of_one_tree() -> None:
    """What the commands turn into messages is one tree of errors."""
    assert issubclass(UsageError, craqbench.errors.CraqbenchError)
    assert issubclass(DatasetError, craqbench.errors.CraqbenchError)
