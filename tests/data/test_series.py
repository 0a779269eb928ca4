"""Series keep their time and their gaps."""

from pathlib import Path

import pandas as pd

from lib.data import series


def test_weather_is_hourly_with_its_own_gaps(tmp_path):
    hours = pd.date_range("2013-01-01", periods=4, freq="h", tz="UTC").delete(2)
    rows = [{"origin": o, "time_hour": str(t), "temp": 1.0 + t.hour, "pressure": 1000.0} for o in ("JFK", "LGA") for t in hours]
    (tmp_path / "weather").mkdir()
    pd.DataFrame(rows[:-1]).to_parquet(tmp_path / "weather/table.parquet")
    table = series.SERIES["weather"](Path(tmp_path))
    assert list(table) == ["JFK temp", "LGA temp", "JFK pressure", "LGA pressure"] and len(table) == 4
    assert table["JFK temp"].tolist()[:2] == [1, 2] and table.iloc[2].isna().all() and table["LGA temp"].isna().sum() == 2
