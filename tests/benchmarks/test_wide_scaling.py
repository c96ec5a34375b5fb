"""What one iteration costs is measured on a table of the width that was asked for."""

from benchmarks.wide_scaling import measure


def test_an_iteration_is_measured():
    found = measure(features=40, rows=2000, iterations=2, n_envs=16)
    assert 25 < found["features"] <= 40  # rare codes can be constant
    assert found["seconds"] > 0
    assert found["peak_mib"] > 50
