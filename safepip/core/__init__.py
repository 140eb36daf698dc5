"""The decision, from values to a plan. Nothing here reads the world.

Words that the code and its messages use, one a concept:

- environment: a virtual environment (PEP 405), or a conda environment other than base.
- interpreter: a Python program that is not in an environment.
- target: the Python, interpreter or environment, that the typed command would have served without safepip.
- typed interpreter: the one whose pip reads a `--python` in the line. Bare pip: pip without safepip.
- managed: something other than pip manages the target. By default that is one with a marker file
  EXTERNALLY-MANAGED (PEP 668) that is not an environment; the settings managed and unmanaged change that.
- home environment: the one that serves outside of projects, `home` in safepip's data.
- project: a directory with a marker such as pyproject.toml; its root is where the environment belongs.
- redirect: a file in the place of a project's environment that holds the path of the environment (PEP 832).
- requirement: what names a distribution on a line or in a file, such as `flask>=3`.
- option: a word that begins with a dash; subcommand: pip's word such as `install`; verb: a word of safepip's own.
- application: a package whose usual use is to run its program; pipx installs it.
- world: what a decision is made from, as values; it grows by stages, each looked up only when a decision needs it.
- plan: what to do about a line, as a value. Need: the answer of a decision that has to know more first.
- handover: how pip is started, over which words and variables.
- journal: what was installed before a change, kept until the change is known to be complete.
- intact: no file that RECORD names is missing, empty or cut off; one that differs otherwise was edited, and stays.
- interrupted: a change that did not finish.
- recover: make good an interrupted change; rebuild: make a broken environment again with the same packages.
- repair: the verb `env repair`, which recovers, puts damaged files back, or rebuilds, as is needed.
- trusted: an environment that safepip made, or that the user named, activated or approved.
- adopted: an environment made by others that safepip has looked at, without objection.
- image: pip, installed once and linked into new environments. Seed: safepip's own pip, from which images are made.
- template: what virtualenv writes, kept so that it can be written again.
- keeper: the tool that keeps a project, such as uv or Poetry. Hint: how that records a dependency.
- run hint: how to run what was just installed.
"""
