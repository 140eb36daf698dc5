# safepip for xonsh. In ~/.config/xonsh/rc.xsh:  execx($(safepip init xonsh))
# Evaluated twice it does no harm.


def _safepip_set_up(program, state, home, links, words):
    import os
    import shutil
    import subprocess

    from xonsh.built_ins import XSH
    from xonsh.completers.completer import add_one_completer
    from xonsh.completers.tools import RichCompletion, contextual_command_completer

    env, aliases = XSH.env, XSH.aliases

    def named_python(name):
        def python(arguments):
            if list(arguments[:2]) == ["-m", "pip"]:
                there = shutil.which(name, path=os.pathsep.join(env["PATH"]))  # else any will do, as for pip
                return ["env", *hooked, "SAFEPIP_PYTHON=" + (name if there else ""), program, *arguments[2:]]
            return [name, *arguments]

        return aliases.return_command(python)

    hooked = []  # said to safepip: what comes is in use without more ado, so that there is no need to say how
    # <activate>
    hooked = ["SAFEPIP_HOOK=1"]
    # </activate>
    for name in ("safepip", "pip", "pip3"):
        aliases[name] = ["env", *hooked, program] if hooked else [program]
    if hasattr(aliases, "return_command"):
        for name in ("python", "python3"):
            aliases[name] = named_python(name)

    # The programs of the home environment come last.
    if links and links not in env["PATH"]:
        env["PATH"].append(links)

    @contextual_command_completer
    def complete(command):
        """Complete pip's words by pip's own protocol, and safepip's own."""
        typed = [argument.value for argument in command.args]
        if not typed or typed[0] not in {"pip", "pip3", "safepip"}:
            return None
        typed.insert(command.arg_index, command.prefix)
        asking = {
            **env.detype(),
            "COMP_WORDS": " ".join(typed),
            "COMP_CWORD": str(command.arg_index),
            "PIP_AUTO_COMPLETE": "1",
        }
        asked = subprocess.run(
            [program], env=asking, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        own = words.split() if typed[0] == "safepip" and command.arg_index == 1 else []
        found = [*asked.stdout.split(), *(word for word in own if word.startswith(command.prefix))]
        return {RichCompletion(word, append_space=True) for word in found} or None

    XSH.completers.pop("safepip", None)
    add_one_completer("safepip", complete, "start")

    def refresh_links():
        try:
            behind = os.stat(os.path.join(home, "bin")).st_mtime_ns > os.stat(links).st_mtime_ns
        except OSError:
            return
        if behind:
            subprocess.run([program, "init", "--links"], env=env.detype(), stdin=subprocess.DEVNULL)

    # <activate>
    # The environment of the project is active as long as the prompt is in it. Nothing below starts a process.
    markers = (
        "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "pylock.toml", "uv.lock", "poetry.lock", "pdm.lock",
        "pixi.toml",
    )
    off = ""

    def knows(path):
        """Tell whether the hook may activate it: see known.py."""
        folder = os.path.join(path, ".safepip")
        if not os.path.isfile(os.path.join(path, "pyvenv.cfg")) or os.path.lexists(os.path.join(folder, "creating")):
            return False
        try:
            marks = [name for name in os.listdir(folder) if name.startswith("shell-")]
        except OSError:
            return False
        found = (os.path.join(state, "activate", mark) for mark in marks)
        return any(os.path.exists(link) and os.path.samefile(link, path) for link in found)

    def find():
        """Return the project's environment if it may be activated, else "": project.py's walk up the tree."""
        here = at = env.get("PWD") or os.getcwd()
        user = os.path.expanduser("~")
        name = ""
        while at != user or at == here:
            if os.path.lexists(os.path.join(at, ".venv")):
                name = ".venv"
            else:
                name = next((one for one in ("venv", "env") if os.path.isfile(os.path.join(at, one, "pyvenv.cfg"))), "")
            if name or is_repository(at) or at == os.path.dirname(at):
                break
            at = os.path.dirname(at)
        path = os.path.join(at, name)
        if not name or not knows(path):
            return ""
        below = here
        while below != at:
            if is_project(below) and not in_repository(at, user):
                return ""
            below = os.path.dirname(below)
        return path

    def is_project(path):
        if any(os.path.exists(os.path.join(path, marker)) for marker in markers):
            return True
        try:  # requirements*.txt
            return any(name.startswith("requirements") and name.endswith(".txt") for name in os.listdir(path))
        except OSError:
            return False

    def is_repository(path):
        return any(os.path.exists(os.path.join(path, kept)) for kept in (".git", ".hg"))

    def in_repository(path, user):
        while path != user and not is_repository(path):
            if path == os.path.dirname(path):
                return False
            path = os.path.dirname(path)
        return path != user

    def enter(path):
        env["SAFEPIP_ACTIVATED"] = env["VIRTUAL_ENV"] = path
        env["PATH"].insert(0, os.path.join(path, "bin"))

        def deactivate():
            nonlocal off
            off = env.get("SAFEPIP_ACTIVATED", "")
            leave()

        aliases["deactivate"] = deactivate

    def leave():
        at = env.pop("SAFEPIP_ACTIVATED")
        kept = [entry for entry in env["PATH"] if entry != os.path.join(at, "bin")]
        env["PATH"][:] = kept
        if env.get("VIRTUAL_ENV") == at:
            del env["VIRTUAL_ENV"]
        aliases.pop("deactivate", None)

    def follow():
        nonlocal off
        at, virtual = env.get("SAFEPIP_ACTIVATED") or "", env.get("VIRTUAL_ENV") or ""
        if virtual and (virtual != at or env.get("_OLD_VIRTUAL_PATH")):
            return  # activated by hand
        found = find() if (env.get("CONDA_DEFAULT_ENV") or "base") == "base" else ""
        if at and not virtual and found == at:
            off = at  # deactivated by hand
        off = off if off == found else ""
        found = "" if off else found
        if found != at:
            if at:
                leave()
            if found:
                enter(found)

    # Inherited, or evaluated again: what else rc.xsh did to PATH may have put the environment behind.
    if env.get("SAFEPIP_ACTIVATED") and env.get("VIRTUAL_ENV") == env.get("SAFEPIP_ACTIVATED"):
        leave()
    follow()
    # </activate>

    def at_prompt(**_given):
        refresh_links()
        # <activate>
        follow()
        # </activate>

    before = getattr(XSH.builtins if hasattr(XSH, "builtins") else XSH, "_safepip_at_prompt", None)
    events = XSH.builtins.events
    if before is not None:
        events.on_pre_prompt.discard(before)
    XSH.builtins._safepip_at_prompt = at_prompt
    events.on_pre_prompt(at_prompt)


_safepip_set_up(__PROGRAM__, __STATE__, __HOME__, __LINKS__, __WORDS__)
del _safepip_set_up
