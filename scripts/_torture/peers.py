"""How others did in the same experiments, beside which the table sets safepip's figures."""

HOW = (
    "Peers: pip 26.3, virtualenv 21.15.8, uv 0.13.9, pipx 1.18.4, pipenv 2026.10.3, poetry 2.5.1 on Debian 12 "
    "and CPython 3.11, from a folder of wheels; kills counted by strace, space limited by tmpfs, other "
    "owners by setpriv."
)

# By the name of an experiment: what fails of what was tried.
PEERS = {
    "race-create": "virtualenv + pip 8/8 rounds, 61/64 commands lost; uv venv + uv pip 20/20, 132/160 lost",
    "race-replace": "bare pip, overlap forced: 9/10 rounds",
    "kill-create": "uv venv 12/13, uv venv --seed 12/12 not healed by rerunning; virtualenv healed 29/29, "
    "but 29/29 look usable before",
    "kill-fresh": "uv 11/12 not clean after the same command again",
    "kill-upgrade": "pip 14/15, uv 16/19 not clean after the same command again",
    "kill-pip": "pip 12/12 not clean after the same command again, 4/12 without a working pip",
    "disk-sizes": "with space again healed: uv venv --seed 0/6, uv venv 0/1, virtualenv and venv 6/6; uv pip "
    "install ends with 0 in 3/3, files missing in 2/3",
    "signals": "of 6 cases: subprocess.call 4 alike, 3 orphans; uv run 2 alike, 1 orphan; exec 6 alike, 0 orphans",
    "layouts-foreign": "planted code ran: uv 6/6, Poetry 2/2 commands; Pipenv, virtualenv, pipx, git 0",
    "layouts-brought": "planted code ran: uv 3/3, Pipenv run and Poetry 3/3 commands",
    "layouts-modules": "python -m pip 2, -m venv 3, -m virtualenv 5 of these names; bin/pip, uv venv 0",
}
