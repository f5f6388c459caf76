"""Settings in YAML files that source names: what they set, how Hydra composes them, what is no setting."""

from __future__ import annotations

from pathlib import Path

from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.syntax import yaml
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

MAIN = """
import hydra

@hydra.main(config_path="conf", config_name="main", version_base=None)
def main(cfg):
    Desk(cfg.desk.width).run(cfg.steps)
"""
CONF = {
    "main.yaml": """
defaults:
  - desk: small  # which desk
  - /paper@desk.paper: plain
  - override hydra/launcher: basic
  - _self_

# how often
# it is tried
steps: 1_000
name: "letters # all"   # a comment
desk:
  width: 90
nothing: ???
where: ${hydra:runtime.cwd}/out
rates: [0.5, 2]
""",
    "desk/small.yaml": "width: 60\nheight: 70\n_target_: office.Desk\n",
    "desk/large.yaml": "width: 200\n",
    "paper/plain.yaml": "weight: 8e1\ntext: |\n  many: lines\n  more\nlast: true\n",
}


def _system(folder: Path, main: str, conf: dict[str, str]) -> System:
    (folder / "main.py").write_text(main)
    for name, text in conf.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    workspace = Workspace(Files([str(folder)]))
    return Readings(workspace).system([entry.path for entry in workspace.files.walk()])


def _told(system: System) -> dict[str, object]:
    found = [p for p in system.parameters if p.location.path.suffix == ".yaml"]
    return {f"{p.owner}.{p.name}": p.value if p.value is not None else p.expression for p in found}


def test_hydra_composes_a_configuration_of_groups(tmp_path: Path) -> None:
    system = _system(tmp_path, MAIN, CONF)
    assert _told(system) == {
        "config.desk": "small",
        "config.paper": "plain",
        "config.desk.width": 60,
        "config.desk.height": 70,
        "config.desk._target_": "office.Desk",
        "config.desk.paper.weight": 80.0,
        "config.desk.paper.text": "|",
        "config.desk.paper.last": True,
        "config.steps": 1000,
        "config.name": "letters # all",
        "config.nothing": "",
        "config.where": "${hydra:runtime.cwd}/out",
        "config.rates": [0.5, 2],
    }
    by_name = {f"{p.owner}.{p.name}": p for p in system.parameters}
    assert by_name["config.desk"].choices == ("large", "small")
    (over,) = by_name["config.desk.width"].overrides
    assert (over.value, over.detail, over.evidence[0].path.name) == ("90", "set in main.yaml", "main.yaml")
    assert by_name["config.steps"].doc == "how often it is tried"
    assert by_name["config.name"].doc == "a comment"
    assert by_name["config.steps"].location.line == 10


def test_who_comes_first_is_set_over(tmp_path: Path) -> None:
    conf = {**CONF, "main.yaml": "defaults:\n  - _self_\n  - desk: small\ndesk:\n  width: 90\n"}
    (width,) = (p for p in _system(tmp_path, MAIN, conf).parameters if p.name == "width")
    assert (width.value, [o.value for o in width.overrides]) == (90, ["60"])


def test_a_file_that_is_loaded_stands_for_itself(tmp_path: Path) -> None:
    main = """
import yaml

def start():
    with open("conf/main.yaml") as file:
        usual = yaml.safe_load(open("conf/main.yaml"))
    return usual, yaml.safe_load(open("conf/missing.yaml")), open("conf/other.yaml")
"""
    conf = {"main.yaml": "defaults:\n  kept: 1\nsize: 4\n", "other.yaml": "size: 5\n"}
    assert _told(_system(tmp_path, main, conf)) == {"config.defaults.kept": 1, "config.size": 4}


def test_groups_that_name_each_other_end(tmp_path: Path) -> None:
    conf = {"main.yaml": "defaults:\n  - a: b\n", "a/b.yaml": "defaults:\n  - /a: b\nsize: 1\n"}
    assert "config.a.size" in _told(_system(tmp_path, MAIN, conf))


def test_nothing_outside_of_the_workspace_is_read(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.yaml").write_text("password: hidden\n")
    folder = tmp_path / "inside"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "linked.yaml").symlink_to(tmp_path / "outside" / "secret.yaml")
    conf = {"main.yaml": "defaults:\n  - linked\n  - ../../outside: secret\nsize: 1\n"}
    system = _system(folder, MAIN, conf)
    assert _told(system)["config.size"] == 1
    assert not any(p.name == "password" or "secret" in p.choices for p in system.parameters)


def test_changes_of_a_file_are_seen(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "main.py").write_text(MAIN)
    path = tmp_path / "conf" / "main.yaml"
    path.write_text("size: 4\n")
    workspace = Workspace(Files([str(tmp_path)]))
    readings = Readings(workspace)
    files = [entry.path for entry in workspace.files.walk()]
    assert _told(readings.system(files)) == {"config.size": 4}
    workspace.files.set_text(str(path), b"size: 8\n")
    assert _told(readings.system(files)) == {"config.size": 8}


def test_what_cannot_be_read_is_left_out() -> None:
    text = "a:\n  - b: 1\n    c: 2\n  - d\n- e\n: f\n{x: 1}\ng: 'h: # i' # j\n---\nk: 1\n"
    found = [(e.keys, e.text, e.is_item) for e in yaml.entries(text)]
    assert (("g",), "'h: # i'", False) in found
    assert (("a", "b"), "1", True) in found and (("a",), "d", True) in found
    assert not any("k" in keys for keys, _, _ in found)
    assert list(yaml.entries("\t\x00:\n  }: {")) is not None
    assert [yaml.scalar(t) for t in ("no", "null", "-1.5", "[a, 1]", "[[1]]", "*a")] == [
        "no", None, -1.5, ["a", 1], None, None
    ]  # fmt: skip
