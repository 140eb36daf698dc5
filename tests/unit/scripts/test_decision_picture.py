"""scripts/pictures/decision.py: six boxes, each with what safepip explains."""

from __future__ import annotations

import importlib.util
import os
import re
import xml.etree.ElementTree as ET

from tree import SCRIPTS

_spec = importlib.util.spec_from_file_location("decision_svg", os.path.join(SCRIPTS, "pictures", "decision.py"))
decision = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(decision)


def test_each_box_has_its_question_its_goal_and_what_is_explained():
    picture = ET.fromstring(decision.draw([f"explained <{number}>" for number in range(6)]))
    shown = list(picture.itertext())
    assert [step for step in decision.STEPS if step.question not in shown or step.goal not in shown] == []
    assert [number for number in range(6) if f"explained <{number}>" not in shown] == []
    height = float(picture.get("viewBox").split()[3])
    assert all(float(text.get("y")) < height for text in picture.iter("{http://www.w3.org/2000/svg}text"))


def test_the_picture_in_the_tree_is_of_these_steps_and_tells_nothing_of_the_machine():
    with open(decision.PICTURE, encoding="utf-8") as file:
        shown = "\n".join(ET.fromstring(file.read()).itertext())
    assert [step for step in decision.STEPS if step.question not in shown] == []
    assert "would create ~/blog/.venv" in shown
    assert "would install httpie with pipx" in shown
    assert set(re.findall(r"(?<![\w.~])/\w+", shown)) == {"/usr"}
