"""Take the README's picture of a lot's report, in Chromium: ``python docs/report_picture.py``."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from aavqc.batch import run
from aavqc.report.write import write_reports

HERE = Path(__file__).parent
LOT = HERE.parent / "data" / "example_lot"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        run(LOT, out)
        write_reports(out)
        page = f"file://{quote(str(out / 'report' / 'EX24-001.html'))}"
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        subprocess.run(
            [*command, "--window-size=1120,1750", f"--screenshot={HERE / 'report.png'}", page], check=True
        )


if __name__ == "__main__":
    main()
