"""The API starts quickly, since it imports nothing heavy."""

import json
import subprocess
import sys

# Not scipy: treelite imports scipy.sparse, and nothing scores without it.
HEAVY = ["pandas", "sklearn", "mlflow", "evidently", "dask", "shap", "matplotlib", "alembic", "streamlit", "lightgbm"]


def test_importing_the_api_imports_nothing_heavy() -> None:
    program = f"import sys, json, backend.app; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []
