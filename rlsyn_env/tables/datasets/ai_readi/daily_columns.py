"""The sixteen values of a patient-day."""

from __future__ import annotations

SLEEP_STAGES = ("light", "deep", "rem", "awake")
ACTIVITIES = ("generic", "running", "walking", "sedentary")
SLEEP_COLUMNS = ("hours_light_sleep", "hours_deep_sleep", "hours_rem_sleep", "hours_awake")
ACTIVITY_COLUMNS = tuple(f"hours_{activity}" for activity in ACTIVITIES)
DAILY_COLUMNS = (
    "mean_heart_rate",
    "mean_glucose",
    "mean_respiration",
    "mean_stress",
    "sd_glucose",
    "total_steps",
    "resting_heart_rate",
    "total_kcal",
    *SLEEP_COLUMNS,
    *ACTIVITY_COLUMNS,
)
PATIENT = "person_id"
TARGET = "Type 2 Diabetes"

HEART_RATE_RULE = "resting_heart_rate <= mean_heart_rate"
HOURS_RULE = " + ".join(SLEEP_COLUMNS + ACTIVITY_COLUMNS) + " <= 24"
