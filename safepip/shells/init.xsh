# safepip for xonsh: `safepip init xonsh` prints this behind the values of _safepip_program and _safepip_hooked (0 with
# --no-activate). Evaluated twice it does no harm.


def _safepip_set_up(program, hooked):
    import ast
    import os
    import subprocess

    from xonsh.built_ins import XSH
    from xonsh.completers.completer import add_one_completer
    from xonsh.completers.tools import RichCompletion, contextual_command_completer

    env, aliases, events = XSH.env, XSH.aliases, XSH.builtins.events
    told = {}  # the last answer, and what it was asked for

    def output(*words):
        asking = [program, "hook", "xonsh", *words]
        done = subprocess.run(asking, env=env.detype(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def ask(*words):
        """Ask which variables to change in this directory, and change them."""
        answer = ast.literal_eval(output(*words) or "{}")
        told.update({name: value for name, value in answer.items() if name.startswith("_safepip")})
        for name in answer.keys() - told.keys():
            if answer[name] is None:
                env.pop(name, None)
            else:
                env[name] = answer[name]
        if "_safepip_leave" in answer:
            aliases.pop("deactivate", None)
        if "_safepip_enter" in answer:
            aliases["deactivate"] = lambda given=(): ask("leave", *given[:1])
        told["seen"] = state()

    def state():
        watched = os.path.exists(told.get("_safepip_watch") or os.devnull + "-")
        return env.get("PWD"), env.get("VIRTUAL_ENV"), env.get("CONDA_DEFAULT_ENV"), watched

    def follow(**_given):
        """At a prompt: ask again only where something has changed that the answer depends on."""
        if not told.get("seen") or (hooked != "0" and told["seen"] != state() and not env.get("_OLD_VIRTUAL_PATH")):
            ask(hooked, told.get("_safepip_off", ""))

    def by_way(python, words):
        told["seen"] = None
        return ["env", "SAFEPIP_HOOK=" + hooked, *(["SAFEPIP_PYTHON=" + python] if python else []), program, *words]

    def pips(name):
        def pip(words):
            return by_way("", words) if os.access(program, os.X_OK) else [name, *words]

        return pip

    def pythons(name):
        def python(words):
            if list(words[:2]) == ["-m", "pip"]:
                return by_way(name, words[2:])
            follow()  # cd there && python3 FILE.py
            home = told.get("_safepip_home")
            if not home:
                return [name, *words]
            return ["env", "PYTHONUSERBASE=" + home, "python3" if name == "python3" else told["_safepip_home_python"], *words]

        return python

    for name in ("safepip", "pip", "pip3"):
        aliases[name] = aliases.return_command(pips(name))
    for name in ("python", "python3"):
        aliases[name] = aliases.return_command(pythons(name))

    @contextual_command_completer
    def complete(command):
        """Complete pip's words and safepip's."""
        typed = [argument.value for argument in command.args]
        if not typed or typed[0] not in {"pip", "pip3", "safepip"}:
            return None
        typed.insert(command.arg_index, command.prefix)
        pairs = (line.partition("\t") for line in output("complete", str(command.arg_index), *typed).splitlines())
        return {RichCompletion(word, description=meaning, append_space=True) for word, _, meaning in pairs} or None

    XSH.completers.pop("safepip", None)
    add_one_completer("safepip", complete, "start")
    events.on_pre_prompt.discard(getattr(XSH.builtins, "_safepip_follow", None))
    XSH.builtins._safepip_follow = follow
    events.on_pre_prompt(follow)
    ask("start", hooked)


_safepip_set_up(_safepip_program, _safepip_hooked)
del _safepip_set_up, _safepip_program, _safepip_hooked
