"""PURE  facts -> findings: what is wrong, why, and the line that mends it; nothing is looked up here."""

from __future__ import annotations

import os.path
import shlex

from safepip.system.environment import ABSENT, BROKEN, FOREIGN, NOWHERE, UNFINISHED, UNTRUSTED

from .facts import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .facts import (
        Complaint,
        Dated,
        Decision,
        Facts,
        Folder,
        Interpreted,
        Leftover,
        PipSetting,
        Place,
        Program,
        Programs,
        Shims,
        Surroundings,
    )

    Found = Iterator[Finding]

_ROLES = {
    "named": "the environment that was named",
    "active": "the active environment",
    "here": "the environment of this place",
    "home": "the home environment",
    "known": "an environment",
}
_MOST_NAMES = 3  # of packages that a sentence lists
_MEANT = {
    "target": "sends every install to {}",
    "prefix": "sends every install to the prefix {}",
    "root": "sends every install below {}",
    "python": "sends every pip command to {}",
    "user": "has every install ask for --user",
    "break-system-packages": "lets every install change the system's Python",
    "dry-run": "has every install only show what it would do",
}


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Return what there is to say of the facts, in the order in which a helper would ask for it."""
    home = facts.surroundings.home
    found = (
        *_of_surroundings(facts.surroundings),
        *_of_programs(facts.programs, facts.target),
        *(_of_dated(one, facts.programs.python) for one in facts.dated),
        *_of_target(facts),
        *_of_pip(facts),
        *(_of_complaint(complaint) for complaint in facts.complaints),
        *_of_decision(facts.decision),
        *_of_places(facts),
        *_of_shells(facts.programs, facts.target, home),
        *_of_leftovers(facts),
        *_of_folders(facts.folders, facts.surroundings),
    )
    return tuple(
        Finding(id=one.id, status=one.status, why=_at_home(one.why, home), command=one.command) for one in found
    )


def _ok(name: str, why: str) -> Finding:
    return Finding(id=name, status="ok", why=why)


def _warning(name: str, why: str, command: str | None = None) -> Finding:
    return Finding(id=name, status="warning", why=why, command=command)


def _problem(name: str, why: str, command: str | None = None) -> Finding:
    return Finding(id=name, status="problem", why=why, command=command)


def _at_home(text: str, home: str) -> str:
    """Return the text with the home directory written as ~."""
    if len(home) < 2:
        return text
    words = text.replace(home + os.sep, "~" + os.sep).split(" ")
    return " ".join("~" if word == home else word for word in words)


# -- surroundings


def _of_surroundings(around: Surroundings) -> Found:
    if not around.home:
        why = "HOME is not set, and the password database knows no home of this user"
        yield _problem("home-unset", why, 'export HOME="$(mktemp -d)"')
    elif not around.has_home_variable:
        why = f"HOME is not set; the password database says {around.home}"
        yield _warning("home-unset", why, f"export HOME={shlex.quote(around.home)}")
    if around.home and not around.home_exists:
        quoted = shlex.quote(around.home)
        make = f"mkdir -p {quoted}" if around.home_can_be_made else f'sudo install -d -o "$USER" {quoted}'
        yield _problem("home-missing", f"HOME names a directory that is not there: {around.home}", make)
    if around.directory is None:
        yield _problem("directory-gone", "the working directory was removed", "cd")
    for name, value in around.python_variables:
        why = f"{name} leads every Python to {value}, those of environments too"
        yield _warning(name.lower(), why, f"unset {name}")
    if around.bypass:
        why = f"{around.bypass} is set: nothing is routed, pip runs as without safepip"
        yield _warning("bypass", why, f"unset {around.bypass}")
    for name in around.dead:
        yield _warning("unknown-variable", f"{name} is no setting of safepip's", f"unset {name}")


# -- programs


def _of_dated(one: Dated, python: str) -> Finding:
    why = f"safepip runs with {one.name} {one.version}, of which {one.advisory} warns; {one.floor} is free of it"
    command = f"{shlex.quote(python)} -m pip install --upgrade {shlex.quote(f'{one.name}>={one.floor}')}"
    return _warning("dependency-outdated", why, command)


def _of_programs(programs: Programs, target: Interpreted) -> Found:
    yield _ok("safepip", f"safepip {programs.version} runs from {programs.program or programs.python}")
    yield from _of_safepips(programs)
    if programs.pythons:
        yield _ok("python-on-path", f"python on PATH: {_in_order(programs.pythons)}")
    if programs.pips:
        yield _ok("pip-on-path", f"pip on PATH: {_in_order(programs.pips)}")
    elif programs.pythons:
        yield _ok("pip-on-path", "there is no pip on PATH; safepip brings its own")
    for pip in programs.pips:
        if pip.missing:
            why = f"{pip.path} cannot run: its Python, {pip.runs}, is gone"
            sudo = "" if pip.removable else "sudo "
            yield _problem("pip-without-python", why, f"{sudo}rm {shlex.quote(pip.path)}")
    yield from _of_mismatch(programs, target)
    relative = [entry for entry in programs.search if not os.path.isabs(entry)]
    if relative:
        clean = os.pathsep.join(entry for entry in programs.search if os.path.isabs(entry))
        named = relative[0] or "an empty entry"
        why = f"PATH holds {named}: programs of whatever directory one is in would run"
        yield _warning("path-relative", why, f"export PATH={shlex.quote(clean)}")


def _of_safepips(programs: Programs) -> Found:
    folder = os.path.dirname(programs.program)
    if not programs.program:
        return
    first = programs.safepips[0] if programs.safepips else None
    put_first = f'export PATH={shlex.quote(folder)}:"$PATH"'
    if first is None:
        yield _warning("safepip-off-path", f"safepip is not on PATH: it is in {folder}", put_first)
    elif first.serves != programs.program:
        why = f"another safepip comes first on PATH: {first.path}, not {programs.program}"
        yield _warning("safepip-shadowed", why, put_first)


def _in_order(programs: Iterable[Program]) -> str:
    return ", then ".join(program.path for program in programs)


def _of_mismatch(programs: Programs, target: Interpreted) -> Found:
    """Tell of a pip that comes first and belongs to another Python than the first one."""
    pip = next(iter(programs.pips), None)
    python = next(iter(programs.pythons), None)
    if pip is None or python is None or pip.own or pip.missing or not (pip.serves and python.serves):
        return
    if pip.serves != python.serves and not target.problem:
        why = f"pip and python differ: {pip.path} is that of {pip.serves}, not of {python.path}"
        yield _warning("pip-mismatch", why, _matching(programs, os.path.dirname(python.path)))


def _matching(programs: Programs, folder: str) -> str:
    """Return what puts a pip first that serves the Python in `folder`: the one beside it, else safepip's shims."""
    beside = any(os.path.dirname(pip.path) == folder for pip in programs.pips)
    if beside or not programs.shim_folder:
        return f'export PATH={shlex.quote(folder)}:"$PATH"'
    quoted = shlex.quote(programs.shim_folder)
    return f'safepip shims {quoted} && export PATH={quoted}:"$PATH"'


# -- the target interpreter


def _of_target(facts: Facts) -> Found:
    target, around = facts.target, facts.surroundings
    if target.problem:
        yield _problem("python", target.problem, _unsetting_python(facts))
        return
    if target.environment:
        yield _ok("python", f"python is {target.python}, of the environment {target.environment}")
        return
    yield _ok("python", f"python is {target.python} (Python {target.version}){_by(target.setting)}")
    if target.lies == "other":
        sudo = "" if around.user == 0 else "sudo "
        aside = f"{sudo}mv {shlex.quote(target.marker)} {shlex.quote(target.marker + '.odd')}"
        yield _warning("marker-odd", f"{target.marker} is no regular file, so it marks nothing", aside)
    if target.said:
        verdict = "managed" if target.managed else "not managed"
        yield _ok("marker", f"{target.python} counts as {verdict} by {target.said}")
    elif target.managed:
        yield _ok("marker", f"{target.python} is managed by the system: {target.marker}")
    else:
        yield _ok("marker", f"{target.python} is not managed: there is no {target.marker}")


def _unsetting_python(facts: Facts) -> str | None:
    """Return what takes the name of a Python away: of a variable, a file of pip's, or one of safepip's."""
    where = facts.target.setting
    if where.startswith(("SAFEPIP_", "PIP_")):
        return f"unset {where}"
    named = (one for one in facts.pip.settings if one.key == "python" and one.where == where)
    setting = next(named, None)
    if setting is not None:
        return _unset(setting, facts.surroundings)
    file, _, line = where.rpartition(":")
    return _commenting_out(file, int(line)) if line.isdecimal() else None


def _by(setting: str) -> str:
    return f", by {setting}" if setting else ""


# -- pip's configuration


def _of_pip(facts: Facts) -> Found:
    pip, around = facts.pip, facts.surroundings
    for path, error, writable in pip.malformed:
        aside = _sudo(around, writable=writable) + f"mv {shlex.quote(path)} {shlex.quote(path + '.broken')}"
        yield _problem("pip-config-malformed", f"every pip command fails at {path}: {error}", aside)
    for setting, error in pip.rejected:
        why = f"pip rejects what {setting.where} says: {error}"
        yield _problem("pip-setting-wrong", why, _unset(setting, around))
    if pip.absent_file:
        why = f"PIP_CONFIG_FILE names {pip.absent_file}, which is not there"
        yield _warning("pip-config-file", why, "unset PIP_CONFIG_FILE")
    wrong = {setting.where + setting.key for setting, _ in pip.rejected}
    for setting in pip.settings:
        if setting.where + setting.key not in wrong:
            yield _of_setting(setting, facts)
    if pip.files and not (pip.malformed or pip.settings or pip.rejected):
        yield _ok("pip-config", f"pip reads {', '.join(pip.files)}; nothing there moves installs")


def _of_setting(setting: PipSetting, facts: Facts) -> Finding:
    name = f"pip-{setting.key}"
    undo = _unset(setting, facts.surroundings)
    if setting.lost:
        why = f"{setting.where} has pip read {setting.lost}, which is not there: every install fails"
        return _problem(name, why, undo)
    if setting.key == "require-virtualenv":
        why = f"pip refuses to work outside an environment (require-virtualenv, by {setting.where})"
        return _ok(name, why) if facts.target.managed else _warning(name, why, undo)
    meaning = _MEANT[setting.key].format(setting.value)
    return _warning(name, f"{setting.where} {meaning} ({setting.key})", undo)


def _unset(setting: PipSetting, around: Surroundings) -> str:
    """Return what takes the setting away; sed where `pip config` cannot, for it writes to one file of a kind."""
    if setting.kind == "variable":
        return f"unset {setting.where}"
    if setting.kind == "user" and setting.simple:
        return f"safepip config --user unset {shlex.quote(f'{setting.section}.{setting.key}')}"
    pattern = shlex.quote(f"/^[[:space:]]*{setting.spelled or setting.key}[[:space:]]*[=:]/d")
    return f"{_sudo(around, writable=setting.writable)}sed -i.bak {pattern} {shlex.quote(setting.where)}"


def _sudo(around: Surroundings, *, writable: bool) -> str:
    return "" if writable or around.user == 0 else "sudo "


# -- safepip's settings


def _of_complaint(complaint: Complaint) -> Finding:
    """Tell of a wrong setting; a line is commented out, which loses nothing."""
    make = _problem if complaint.stops else _warning
    return make("setting-wrong", complaint.text, _mending(complaint))


def _mending(complaint: Complaint) -> str | None:
    quoted = shlex.quote(complaint.file)
    if complaint.variable:
        return f"unset {complaint.variable}"
    if complaint.line and complaint.whole:
        return _commenting_out(complaint.file, complaint.line)
    if complaint.own:
        return f"mv {quoted} {shlex.quote(complaint.file + '.broken')}"
    return f'"${{EDITOR:-vi}}" +{complaint.line or 1} {quoted}' if complaint.file else None


def _commenting_out(file: str, line: int) -> str:
    return f"sed -i.bak '{line}s/^/# /' {shlex.quote(file)}"


# -- the decision


def _of_decision(decision: Decision) -> Found:
    if decision.active:
        yield _ok("active", f"the environment {decision.active} is active{_by(decision.variable)}")
    elif decision.stale:
        variable, path, reason = decision.stale
        why = f"{variable} names {path}, which {reason or 'is no environment'}"
        yield _warning("active-stale", why, f"unset {variable}")
    else:
        yield _ok("active", "no environment is active")
    if decision.other:
        why = f"the active environment is not this project's, {decision.other}: installs go to the active one"
        yield _warning("active-other", why, f". {shlex.quote(os.path.join(decision.other, 'bin', 'activate'))}")
    if decision.project:
        told = f"({decision.marker})" if decision.marker else "once something is installed (nothing marks it)"
        yield _ok("project", f"{decision.project} is a project {told}")
    else:
        yield _ok("project", "there is no project here: the home environment serves")
    if decision.keeper:
        yield _ok("project-keeper", f"{decision.keeper} keeps this project")
    if decision.refused and not decision.explained:
        yield _problem("decision", f"an install here is refused: {decision.refused}", decision.way)
    elif decision.outcome:
        yield _ok("decision", f"an install here {decision.outcome}, since {decision.because}")


# -- environments


def _of_places(facts: Facts) -> Found:
    for place in facts.places:
        yield from _of_place(place)
    whole = sum(place.role == "known" and not list(_faults(place)) for place in facts.places)
    if whole:
        yield _ok("environments", f"{whole} other {'environment is' if whole == 1 else 'environments are'} whole")
    if facts.gone:
        what = "an environment that is" if facts.gone == 1 else f"{facts.gone} environments that are"
        yield _ok("environments-gone", f"safepip remembers {what} no longer there")


def _of_place(place: Place) -> Found:
    found = list(_faults(place))
    yield from found
    if found or place.role == "known" or (place.role == "home" and place.state == ABSENT):
        return
    what = f"{_ROLES[place.role]}, {place.path},"
    if place.state == ABSENT:
        yield _ok("environment", f"{what} is not there yet: the first install makes it")
    elif place.state == UNFINISHED:
        yield _ok("environment", f"{what} is empty: the first install fills it")
    else:
        own = "" if place.has_pip else ", without a pip of its own: safepip's serves it"
        yield _ok("environment", f"{what} is whole (Python {place.version}){own}")


def _faults(place: Place) -> Found:
    """Yield what is wrong with one environment."""
    if place.repairing:
        why = f"a repair of {place.path} was interrupted; the old one is whole: {place.repairing}"
        yield _problem("repair-killed", why, _env("repair", place))
        return
    if place.state == BROKEN:
        yield _problem("environment-broken", f"{place.path} {place.reason}", _rebuild(place))
    elif place.state == UNTRUSTED and place.moved:
        yield _problem("environment-moved", f"{place.path} {place.reason}", _env("repair", place))
    elif place.state == UNTRUSTED:
        yield _problem("environment-untrusted", f"{place.path} {place.reason}", _env("trust", place))
    elif place.state == FOREIGN:
        yield _problem("environment-foreign", f"{place.path} {place.reason}", _elsewhere())
    elif place.state == NOWHERE:
        yield _problem("environment-nowhere", place.reason, _elsewhere())
    elif place.interrupted:
        why = f"{place.path} is unfinished: its creation was interrupted"
        yield _warning("environment-unfinished", why, _finish(place))
    elif place.damage:
        name = "environment-moved" if place.moved else "environment-damaged"
        yield _problem(name, f"{place.path} {place.damage}", _env("repair", place))
    yield from _faults_inside(place)


def _faults_inside(place: Place) -> Found:
    """Yield what is wrong in an environment that would work."""
    if place.by_root:
        why = f"{place.by_root} belongs to root, left by an earlier sudo pip"
        yield _problem("environment-of-root", why, f'sudo chown -R "$USER" {shlex.quote(place.path)}')
    if place.killed:
        why = f"an install in {place.path} was killed half way; the next one mends that"
        yield _warning("install-killed", why, _env("repair", place))
    if place.lost_pip:
        why = f"{place.path} has lost its pip: safepip's serves it, but its python -m pip fails"
        yield _warning("environment-without-pip", why, _env("repair", place))


def _rebuild(place: Place) -> str:
    if place.other_system:
        return _elsewhere()
    if place.can_be_rebuilt:
        return _env("repair", place)
    return f"mv {shlex.quote(place.path)} {shlex.quote(place.path + '.old')}"


def _elsewhere() -> str:
    """Return what keeps an environment beside one that is somebody else's."""
    return "export SAFEPIP_ENV=.venv-own"


def _env(word: str, place: Place) -> str:
    return f"safepip env {word} {shlex.quote(place.shown or place.path)}"


def _finish(place: Place) -> str:
    where = "" if place.role == "here" else f"--env {shlex.quote(place.path)} "
    return f"safepip {where}env create"


# -- shells and shims


def _of_shells(programs: Programs, target: Interpreted, home: str) -> Found:
    for shims in programs.shims:
        yield from _of_shims(shims)
    first = next(iter(programs.pips), None)
    if first is not None and first.own and not first.missing:
        yield _ok("routed", f"pip is safepip's: {first.path}")
    elif programs.init.missing:
        why = f"{programs.init.named} starts {programs.init.missing}, which is gone"
        yield _warning("init-stale", why, f"safepip init --undo && {_adding(programs.init.lines, home)}")
    elif programs.init.named:
        yield _ok("routed", f"pip is safepip's in the shells that read {programs.init.named}")
    elif target.managed:
        why = "pip alone is not safepip's: neither init nor shims are in place"
        yield _warning("routed", why, _adding(programs.init.lines, home) or "safepip init")
    else:
        yield _ok("routed", "pip alone is not safepip's, which this Python does not need")
    if programs.needs_local_bin and programs.local_bin not in programs.search:
        why = f"{programs.local_bin} is not on PATH: programs installed there are not found"
        yield _warning("local-bin", why, "safepip app ensurepath")
    elif programs.local_bin:
        there = "is on PATH" if programs.local_bin in programs.search else "is not needed on PATH"
        yield _ok("local-bin", f"{programs.local_bin} {there}")


def _of_shims(shims: Shims) -> Found:
    quoted = shlex.quote(shims.folder)
    put_first = f'export PATH={quoted}:"$PATH"'
    if shims.missing:
        why = f"the shims in {shims.folder} lead to a safepip that is gone"
        yield _warning("shims-stale", why, f"safepip shims {quoted}")
    elif not shims.on_path:
        yield _warning("shims-off-path", f"the shims in {shims.folder} are not on PATH", put_first)
    elif shims.before:
        why = f"{shims.before} comes before the shims in {shims.folder}"
        yield _warning("shims-shadowed", why, put_first)


def _adding(lines: tuple[tuple[str, str], ...], home: str) -> str:
    """Return what adds the lines to their files; folders other than the home directory may have to be made."""
    added = []
    for file, line in lines:
        folder = os.path.dirname(file)
        added += [f"mkdir -p {shlex.quote(folder)}"] if folder != home else []
        added.append(f"echo {shlex.quote(line)} >> {shlex.quote(file)}")
    return " && ".join(added)


# -- what earlier installs left


def _of_leftovers(facts: Facts) -> Found:
    for leftover in facts.leftovers:
        yield _of_leftover(leftover, facts)
    if not facts.leftovers:
        yield _ok("leftovers", "nothing was left by --user, sudo pip or broken-system installs")
    for name in facts.broken_applications:
        why = f"the application {name} lost its Python"
        yield _problem("application-broken", why, f"safepip app reinstall {shlex.quote(name)}")
    if facts.applications:
        count = len(facts.applications)
        yield _ok("applications", f"with pipx: {_listed(facts.applications)}, {count} in all")


def _of_leftover(leftover: Leftover, facts: Facts) -> Finding:
    name = "leftover-system" if leftover.system else "leftover-user"
    by = "sudo pip or --break-system-packages" if leftover.system else "pip install --user"
    why = f"{by} left {_listed(leftover.names)} in {leftover.folder}"
    sudo = _sudo(facts.surroundings, writable=leftover.writable)
    if not leftover.python:
        aside = f"{sudo}mv {shlex.quote(leftover.folder)} {shlex.quote(leftover.folder + '.old')}"
        return _warning(name, f"{why}, for a Python that is gone", aside)
    names = shlex.join(leftover.names)
    if leftover.target:
        program = facts.programs.program if sudo else "safepip"
        line = f"{sudo}{shlex.quote(program)} --system uninstall --break-system-packages -y {names}"
    else:
        variable = "env PIP_BREAK_SYSTEM_PACKAGES=1"  # an option would stop older pips
        line = f"{sudo}{variable} {shlex.quote(leftover.python)} -m pip uninstall -y {names}"
    return _warning(name, f"{why}, where Python {leftover.version} sees it outside environments", line)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


# -- safepip's own folders


def _of_folders(folders: tuple[Folder, ...], around: Surroundings) -> Found:
    for folder in folders:
        if folder.fault:
            yield _of_folder(folder, around)
    if folders and not any(folder.fault for folder in folders):
        yield _ok("folders", "safepip's cache, state and data can be written")


def _of_folder(folder: Folder, around: Surroundings) -> Finding:
    quoted = shlex.quote(folder.at)
    make = _warning if folder.role == "cache" or folder.fault == "open" else _problem
    name = f"{folder.role}-folder"
    if folder.fault == "open":
        return make(name, f"{folder.at} can be written by everybody", f"chmod go-w {quoted}")
    if folder.fault == "owner":
        why = f"{folder.at} belongs to another user: safepip cannot write its {folder.role} there"
        recursive = "-R " if folder.at.startswith(folder.path) else ""
        return make(name, why, f'sudo chown {recursive}"$USER" {quoted}')
    why = f"{folder.at} cannot be written: safepip keeps its {folder.role} there"
    if folder.set_by_variable:
        return make(name, why, f"unset {folder.variable}")
    if folder.fault == "read-only" or not (folder.mine or around.user == 0):
        return make(name, why, f'export {folder.variable}="$(mktemp -d)"')
    return make(name, why, f"chmod u+rwx {quoted}")
