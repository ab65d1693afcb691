"""What the sources must not do, whatever comes of them: read code, run a shell, talk to anybody."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("rtrecon", "calibration", "simulator")
SOURCES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
# Those that unpickle, run what they read, or ask somebody else.
MODULES = {
    "pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "yaml", "requests",
    "httpx", "aiohttp", "urllib.request", "http.client", "ftplib", "smtplib", "telnetlib",
    "xmlrpc", "tarfile", "zipfile", "sentry_sdk", "wandb",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"os.system", "os.popen", "subprocess.getoutput", "pandas.read_pickle", "torch.hub.load"}
# A method of theirs that is asked for in another way than its safe one.
ASKED = {
    "allow_pickle": True, "shell": True, "trust_remote_code": True, "weights_only": False,
    "local_files_only": False, "use_safetensors": False,
}  # fmt: skip
NEEDED = {"torch.load": "weights_only", "from_pretrained": "use_safetensors"}
_NO_WEIGHTS = ("CLIPImageProcessor",)
FETCHES = ROOT / "rtrecon" / "generators" / "weights.py"  # rtrecon fetch, and nothing else


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def offences(file: Path, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        at = f"{file.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (f"{at} imports {n.name}" for n in node.names if n.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = {node.module or "", *(f"{node.module}.{n.name}" for n in node.names)}
            yield from (f"{at} imports {name}" for name in names & MODULES)
        elif isinstance(node, ast.Call):
            yield from (f"{at} {what}" for what in offences_of_call(node, file))


def offences_of_call(call: ast.Call, file: Path) -> Iterator[str]:
    name = name_of(call.func)
    given = {word.arg: word.value for word in call.keywords}
    if name in CALLS | METHODS:
        yield f"calls {name}"
    for word, value in given.items():
        if word in ASKED and isinstance(value, ast.Constant) and value.value is ASKED[word]:
            yield f"asks {name} for {word}={value.value}"
    for method, word in NEEDED.items():
        called = name == method or name.endswith(f".{method}")
        if called and word not in given and not name.startswith(_NO_WEIGHTS):
            yield f"calls {name} without {word}"
    downloads = name.endswith(("snapshot_download", "hf_hub_download", "from_pretrained"))
    if downloads and "local_files_only" not in given and file != FETCHES:
        yield f"calls {name} without local_files_only"


def test_nothing_read_is_executed_and_nobody_is_asked() -> None:
    found = [what for file in SOURCES for what in offences(file, ast.parse(file.read_bytes()))]
    assert found == []


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle", "from urllib import request", "import yaml", "eval(x)", "os.system(x)",
        "np.load(f, allow_pickle=True)", "subprocess.run(x, shell=True)", "torch.load(f)",
        "torch.load(f, weights_only=False)", "Model.from_pretrained(f, local_files_only=True)",
        "Model.from_pretrained(f, use_safetensors=True)", "m(f, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_check_sees_them(bad: str) -> None:
    assert list(offences(Path("x.py"), ast.parse(bad)))


def test_only_fetching_looks_for_models_elsewhere() -> None:
    """Two downloads in one function; every other look is at this machine alone."""
    tree = ast.parse(FETCHES.read_text(encoding="utf-8"))
    asking = [
        function.name
        for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function) if isinstance(call, ast.Call)
        and name_of(call.func) in {"snapshot_download", "hf_hub_download"}
        and "local_files_only" not in {word.arg for word in call.keywords}
    ]  # fmt: skip
    assert asking == ["fetch"]


def test_html_is_escaped() -> None:
    pages = [page for package in PACKAGES for page in (ROOT / package).rglob("*.j2")]
    assert pages
    for page in pages:
        assert not re.search(r"\|\s*safe\b", page.read_text(encoding="utf-8"))
    report = (ROOT / "calibration" / "reporting" / "report.py").read_text(encoding="utf-8")
    assert "autoescape=True" in report
    assert "Markup" not in report
