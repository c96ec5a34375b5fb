"""A fake peer through the whole matrix: results, failures, going on, locks."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.field.cli import main
from benchmarks.field.peer_folders import load_peers
from benchmarks.field.results import ResultsFile

YAML = "description: a fake\npackages: [numpy]\nlicence: none\nsettings: none\n"
SHUFFLE = """
import sys
from pathlib import Path
import pandas as pd
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
train = pd.read_csv(folder / "train.csv")
assert not (folder / "test.csv").exists()
columns = {c: train[c].sample(frac=1, random_state=seed + k).to_numpy()
           for k, c in enumerate(train)}
pd.DataFrame(columns).to_csv(folder / "synthetic.csv", index=False)
(folder / "notes.json").write_text('{"epochs": 3}')
"""


def add_peer(folder: Path, name: str, program: str, more: str = "") -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "peer.yaml").write_text(YAML + more)
    (folder / name / "run.py").write_text(program)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a function that runs the command with the peers in ``tmp_path/peers``."""
    for module in ("rlsyn_env.metrics.fidelity", "benchmarks.field.code_figures"):
        monkeypatch.setattr(f"{module}.N_TREES", 20)  # seconds, not a minute

    def run(*arguments: str) -> int:
        fixed = ["--peers-dir", str(tmp_path / "peers"), "--python", sys.executable]
        fixed += ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
        return main([*fixed, "--tables", "breast_cancer", "--seeds", "0", *arguments])

    return run


def results(tmp_path: Path) -> list[dict]:
    return ResultsFile(tmp_path / "results" / "field.jsonl").read()


@pytest.mark.slow
def test_a_peer_goes_through_the_whole_matrix_once(tmp_path, bench, capsys):
    add_peer(tmp_path / "peers", "shuffle", SHUFFLE)
    assert bench() == 0
    (record,) = results(tmp_path)
    assert record["status"] == "ok"
    assert record["rows"] == {"train": 398, "test": 171}
    assert record["notes"] == {"epochs": 3}
    assert record["packages"]["numpy"][0].isdigit()
    figures = record["figures"]
    assert figures["c2st"]["value"] > 0.9  # independent columns, as the reference says too
    assert figures["c2st"]["independent"] > 0.9
    assert figures["corr"]["value"] > 0.3
    assert abs(figures["membership_excess"]["value"]) < 0.1
    assert figures["domias_auc"]["low"] < figures["domias_auc"]["value"]
    assert 0 < record["cpu_seconds"] < 60
    assert 20 < record["peak_mb"] < 1000
    page = (tmp_path / "results" / "RESULTS.md").read_text()
    assert "| shuffle | 1.00 |" in page
    assert "171 held-out rows" in page
    html = (tmp_path / "results" / "field.html").read_text()
    assert html.count("<svg") == 1
    assert "shuffle" in html

    assert bench() == 0  # finished cells are skipped
    assert len(results(tmp_path)) == 1
    with (tmp_path / "peers" / "shuffle" / "run.py").open("a") as file:
        file.write("\nprint('changed')\n")
    (tmp_path / "work" / "cells").rename(tmp_path / "old")
    assert bench() == 0  # a peer that has changed is run again
    assert len(results(tmp_path)) == 2
    assert results(tmp_path)[0]["figures"] == results(tmp_path)[1]["figures"]


@pytest.mark.slow
def test_failures_are_results_that_retry_runs_again(tmp_path, bench):
    peers = tmp_path / "peers"
    add_peer(peers, "crash", "import sys\nprint('noise')\nsys.exit('no such thing')\n")
    add_peer(peers, "sleep", "import time\ntime.sleep(60)\n", "limit: {breast_cancer: 1}\n")
    add_peer(peers, "idle", "pass\n")
    add_peer(
        peers,
        "short",
        "import pandas as pd\npd.read_csv('train.csv').head(50).to_csv('synthetic.csv')\n",
    )
    add_peer(
        peers,
        "text",
        "from pathlib import Path\n"
        "lines = Path('train.csv').read_text().splitlines()\n"
        "lines[5] = 'a lot,' + lines[5].split(',', 1)[1]\n"
        "Path('synthetic.csv').write_text('\\n'.join(lines))\n",
    )
    assert bench("--jobs", "2") == 0
    found = {record["peer"]: record for record in results(tmp_path)}
    assert found["crash"]["status"] == "crashed"
    assert found["crash"]["reason"] == "exit status 1: no such thing"
    assert found["sleep"]["status"] == "timed out"
    assert found["sleep"]["reason"] == "longer than 1 s"
    assert found["sleep"]["wall_seconds"] < 20
    assert found["idle"]["status"] == "unusable"
    assert "no synthetic.csv" in found["idle"]["reason"]
    assert "50 rows" in found["short"]["reason"]
    assert found["text"]["status"] == "unusable"
    assert "mean radius" in found["text"]["reason"]
    assert bench() == 0
    assert len(results(tmp_path)) == 5
    assert bench("--retry", "--peers", "crash", "idle") == 0
    assert [record["peer"] for record in results(tmp_path)[5:]] == ["crash", "idle"]
    page = (tmp_path / "results" / "RESULTS.md").read_text()
    assert "| crash | breast_cancer | 0 | crashed | exit status 1: no such thing |" in page


def test_paths_of_this_machine_stay_out_of_reasons(tmp_path, bench):
    add_peer(
        tmp_path / "peers", "crash", "raise OSError(__file__ + ' in ' + __import__('os').getcwd())"
    )
    assert bench() == 0
    (record,) = results(tmp_path)
    assert "WORK/cells/crash/breast_cancer/0/peer" in record["reason"]
    assert str(tmp_path / "work") not in record["reason"]


def test_cells_that_a_peer_does_not_run_on_are_left_out(tmp_path, bench, capsys):
    add_peer(tmp_path / "peers", "picky", "pass\n", "only: {breast_cancer: [1]}\n")
    add_peer(tmp_path / "peers", "idle", "pass\n", "heavy: true\n")
    assert bench() == 2
    assert "no results" in capsys.readouterr().err
    assert bench("--heavy") == 0
    assert [record["peer"] for record in results(tmp_path)] == ["idle"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers", "nobody"], "no peer 'nobody'"),
        (["--tables", "nothing"], "no table 'nothing'"),
        (["--tables", "pima"], "needs --data-dir"),
        (["--tables", "pima", "--data-dir", "nowhere"], "is not in nowhere"),
        (["--table-only"], "no results"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, bench, capsys, arguments, message):
    add_peer(tmp_path / "peers", "idle", "pass\n")
    assert bench(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("packages: [a]\nlicence: b\nsettings: c\n", "lacks 'description'"),
        (YAML + "limits: 3\n", "unknown entry 'limits'"),
        ("- a\n", "is no mapping"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_a_malformed_peer_is_named(tmp_path, bench, capsys, text, message):
    add_peer(tmp_path / "peers", "odd", "pass\n")
    (tmp_path / "peers" / "odd" / "peer.yaml").write_text(text)
    assert bench() == 2
    error = capsys.readouterr().err
    assert message in error
    assert "odd" in error


def test_peers_of_one_environment_must_install_the_same(tmp_path, bench, capsys):
    for name in ("one", "two"):
        add_peer(tmp_path / "peers", name, "pass\n", "environment: both\n")
        (tmp_path / "peers" / name / "requirements.txt").write_text(f"{name}==1\n")
    assert bench() == 2
    assert "share the environment 'both'" in capsys.readouterr().err


def test_the_real_peers_are_well_formed_and_pinned(capsys):
    peers = load_peers()
    assert {"independent", "train_copy", "cart", "arf", "ctgan", "rlsyn"} <= set(peers)
    assert [name for name, peer in peers.items() if peer.reference] == ["independent", "train_copy"]
    for peer in peers.values():
        requirements = peer.folder / "requirements.txt"
        if requirements.is_file():
            lines = [
                line
                for line in requirements.read_text().splitlines()
                if line and not line.startswith("#")
            ]
            assert [line for line in lines if "==" not in line] == [], peer.name
    assert main(["--list"]) == 0
    assert "heart-failure" in capsys.readouterr().out


def test_the_hash_follows_the_folder_and_the_helpers_it_uses(tmp_path):
    add_peer(tmp_path, "one", "import helper\n")
    add_peer(tmp_path, "two", "pass\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "helper.py").write_text("import deeper\n")
    (shared / "deeper.py").write_text("")
    before = {name: peer.hash() for name, peer in load_peers(tmp_path).items()}
    (shared / "deeper.py").write_text("# layout and comments do not count\n")
    assert load_peers(tmp_path)["one"].hash() == before["one"]
    (shared / "deeper.py").write_text("x = 1\n")
    after = {name: peer.hash() for name, peer in load_peers(tmp_path).items()}
    assert before["one"] != after["one"]
    assert before["two"] == after["two"]
    (tmp_path / "two" / "peer.yaml").write_text(YAML + "options: [a]\n")
    assert load_peers(tmp_path)["two"].hash() != after["two"]


def test_a_line_cut_off_is_removed_and_a_broken_one_is_named(tmp_path):
    file = ResultsFile(tmp_path / "field.jsonl")
    file.append({"peer": "a", "n": 1})
    with file.path.open("a") as stream:
        stream.write('{"peer": "b", "n"')
    assert file.read() == [{"peer": "a", "n": 1}]
    file.append({"peer": "c", "n": 3})
    assert file.read() == [{"peer": "a", "n": 1}, {"peer": "c", "n": 3}]
    assert len(file.path.read_text().splitlines()) == 2
    file.path.write_text("{}\nnot json\n{}\n")
    from rlsyn_env.errors import TableError

    with pytest.raises(TableError, match="line 2"):
        file.read()


def test_usage_counts_children_and_not_the_parent(tmp_path):
    from benchmarks.field.accounting import run_accounted

    ballast = bytearray(300_000_000)  # the harness is large, the peer is not
    program = (
        "import subprocess, sys, time\n"
        "code = 'import time\\nend = time.process_time() + 0.5\\n'\n"
        "code += 'while time.process_time() < end: pass\\nx = bytearray(80_000_000)'\n"
        "subprocess.run([sys.executable, '-c', code])\nsys.exit(7)\n"
    )
    usage = run_accounted(
        [sys.executable, "-c", program], folder=tmp_path, environment={}, limit=60.0,
        stdout=tmp_path / "out", stderr=tmp_path / "err",
    )  # fmt: skip
    assert len(ballast) == 300_000_000
    assert usage.returncode == 7
    assert not usage.timed_out
    assert usage.cpu_seconds >= 0.5
    assert 80 < usage.peak_mb < 200


def test_kill_ends_the_generator_and_the_same_command_goes_on(tmp_path):
    program = "import time\nopen('started', 'w').close()\ntime.sleep(4)\nopen('alive', 'w').close()"
    add_peer(tmp_path / "peers", "slow", program)
    command = [sys.executable, "-m", "benchmarks.field", "--peers-dir", str(tmp_path / "peers")]
    command += ["--python", sys.executable, "--work", str(tmp_path / "work"), "--seeds", "0"]
    command += ["--results", str(tmp_path / "results"), "--tables", "breast_cancer"]
    root = Path(__file__).parents[2]
    folder = tmp_path / "work" / "cells" / "slow" / "breast_cancer" / "0" / "peer"
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error == "interrupted; the same command goes on where it stopped\n"
    time.sleep(4.5)
    assert not (folder / "alive").exists()
    assert results(tmp_path) == []


def test_a_time_out_kills_the_children_too(tmp_path):
    from benchmarks.field.accounting import run_accounted

    child = "import time\ntime.sleep(4)\nopen('alive', 'w').close()"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n"
    usage = run_accounted(
        [sys.executable, "-c", program], folder=tmp_path, environment={}, limit=1.0,
        stdout=tmp_path / "out", stderr=tmp_path / "err",
    )  # fmt: skip
    assert usage.timed_out
    assert usage.returncode == -9
    time.sleep(4)
    assert not (tmp_path / "alive").exists()
    assert json.loads((tmp_path / "err.usage.json").read_text())["timed_out"]
