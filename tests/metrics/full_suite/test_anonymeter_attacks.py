"""anonymeter's attacks on a copy and on fresh rows, when it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from rlsyn_env.metrics.full_suite.anonymeter_attacks import judge_anonymeter
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.rows import judged_rows


@pytest.mark.slow
def test_copies_are_singled_out_and_fresh_rows_are_not(cohort_schema, make_cohort):
    pytest.importorskip("anonymeter")
    train, test = make_cohort(150, 0), make_cohort(150, 1)

    def judge(synthetic):
        rows, _ = judged_rows(train, test, synthetic, cohort_schema, group=None, seed=0)
        context = Context(rows, cohort_schema, "outcome", True, n_bootstrap=5, n_jobs=1)
        return judge_anonymeter(context, attack_rows(context)).metrics

    state = np.random.get_state()[1].copy()  # noqa: NPY002
    copied = judge(train)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    fresh = judge(make_cohort(150, 2))
    assert set(copied) == {"singling_out", "linkability", "inference"}
    for name in copied:
        assert copied[name].value > 0.2, name
        assert copied[name].low > 0.0, name
        assert fresh[name].low <= 0.0 + 1e-12, name
        assert fresh[name].reference["copy"] > fresh[name].value
    assert judge(train) == copied  # the same seed, the same figures
