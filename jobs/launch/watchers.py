"""Prometheus and Alertmanager beside an installation: what is in deploy/, with its ports and secrets put in."""

import re
import shutil
from pathlib import Path

from backend.settings import Settings
from jobs.launch.refused import Refused

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}


def configure(folder: Path, settings: Settings, alertmanager_port: int, hurried: bool = False) -> None:
    """Write deploy/ into a folder for that installation.

    `hurried` is for a replay at full speed: seconds take the place of minutes.
    """
    shutil.copytree(DEPLOY, folder, dirs_exist_ok=True)
    for path in folder.rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{settings.api_port}")
        text = text.replace(":9093", f":{alertmanager_port}").replace("../../var/secrets", str(settings.secrets))
        if hurried:
            text = re.sub(r"(scrape_interval|evaluation_interval): 15s", r"\1: 1s", text)
            text = re.sub(r"^( *(?:for|group_wait)): \d+[sm]$", r"\1: 0s", text, flags=re.M)
            text = re.sub(r"^( *group_interval): \w+$", r"\1: 1s", text, flags=re.M)
            text = re.sub(r"^( *repeat_interval): \w+", r"\1: 5s", text, flags=re.M)
        path.write_text(text, encoding="utf-8")


def commands(folder: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    """The commands of both, over what `configure` wrote; `ports` are by name. Raises Refused where one is missing."""
    prometheus = [f"--config.file={folder}/prometheus/prometheus.yml", f"--storage.tsdb.path={folder}/series"]
    alertmanager = [f"--config.file={folder}/alertmanager/alertmanager.yml", f"--storage.path={folder}/alerts"]
    words = {"prometheus": prometheus, "alertmanager": [*alertmanager, "--cluster.listen-address="]}
    return {
        name: [_program(name), *each, f"--web.listen-address=127.0.0.1:{ports[name]}"] for name, each in words.items()
    }


def _program(name: str) -> str:
    found = next((path for path in map(shutil.which, PROGRAMS[name]) if path), None)
    if found is None:
        raise Refused(f"{name} is not installed (Debian: apt-get install prometheus prometheus-alertmanager).")
    return found
