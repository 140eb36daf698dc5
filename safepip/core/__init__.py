"""The decision, from values to a plan. Nothing here reads the world.

Words that the code and its messages use, one a concept:

- environment: a virtual environment (PEP 405), or a conda environment other than base.
- interpreter: a Python program. The target interpreter is the one that the typed command would have served.
- managed: the interpreter has a marker file EXTERNALLY-MANAGED (PEP 668) and is not an environment.
- project: a directory with a marker such as pyproject.toml; its root is where the environment belongs.
- requirement: what names a distribution on a line or in a file, such as `flask>=3`.
- option: a word that begins with a dash; subcommand: pip's word such as `install`; verb: a word of safepip's own.
- world: what a decision is made from, as values; it grows by stages, each looked up only when a decision needs it.
- plan: what to do about a line, as a value. Need: the answer of a decision that has to know more first.
- handover: how pip is started, over which words and variables.
- journal: what was installed before a change, kept until the change is known to be complete.
- intact: every file that RECORD names is there as recorded; interrupted: a change that did not finish.
- recover: make good an interrupted change; rebuild: make a broken environment again with the same packages.
- trusted: an environment that safepip made, or that the user named, activated or approved.
- hint: a line on stderr that says what to type next.
"""
