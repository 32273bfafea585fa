"""Write the schema files beside this one."""

from pathlib import Path

from aavqc.schemas import write

write(Path(__file__).parent)
