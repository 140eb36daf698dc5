"""Names of packages whose usual use is to run a program.

A name is here if it stands in one of the three sources, its program is used by itself (not on the code or the
packages of the environment that it lies in, as those of pytest, mkdocs, pyinstaller or pip-audit are), and it
is rarely imported or started by `python -m`. All are normalised (PEP 503).
"""

from __future__ import annotations

# Debian 12 ships them as programs: packages of that name outside its section "python".
DEBIAN = (
    "acme-tiny", "alot", "anonip", "ansible", "ansible-core", "ansible-lint", "arjun", "asciinema",
    "auto-editor", "autorandr", "awscli", "barman", "beets", "borgbackup", "borgmatic", "bpytop",
    "bugwarrior", "buku", "bumpversion", "certbot", "check-manifest", "codespell", "cpplint", "crudini",
    "csvkit", "cutadapt", "cwltool", "cylc-flow", "ddgr", "diceware", "dirsearch", "dnsdiag", "dnsrecon",
    "dnstwist", "dnsviz", "dosage", "dot2tex", "dotdrop", "duplicity", "elasticsearch-curator", "exabgp",
    "fdroidserver", "feed2exec", "flawfinder", "flent", "fontmake", "gallery-dl", "gcalcli", "gcovr",
    "getmail6", "gftools", "git-cola", "git-filter-repo", "git-imerge", "git-revise", "gita", "gitinspector",
    "gitlint", "glances", "goobook", "hovercraft", "howdoi", "httpie", "icdiff", "img2pdf", "imgp",
    "instaloader", "iredis", "j2cli", "jc", "jello", "jenkins-job-builder", "kas", "khal", "khard", "klaus",
    "labelme", "ledger-autosync", "legit", "lieer", "linkchecker", "liquidctl", "litecli", "lookatme",
    "magic-wormhole", "mat2", "mercurial", "meson", "mitmproxy", "multiqc", "mycli", "nodeenv", "nox", "nyx",
    "ocrmypdf", "ofxstatement", "onionshare-cli", "osc", "patool", "percol", "pg-activity", "pgcli",
    "pgxnclient", "plover", "pocsuite3", "podman-compose", "pre-commit", "pulsemixer", "pympress",
    "pyupgrade", "radicale", "radon", "rdiff-backup", "refurb", "reprotest", "reprozip", "retext", "reuse",
    "rpl", "rpmlint", "rss2email", "rst2pdf", "rstcheck", "rtv", "s-tui", "s3cmd", "s4cmd", "scons",
    "sdkmanager", "servefile", "snakemake", "solaar", "speedtest-cli", "sqlite-utils", "sqlmap", "ssh-audit",
    "ssh-import-id", "sshuttle", "streamlink", "subliminal", "sublist3r", "supervisor", "svtplay-dl",
    "synadm", "thonny", "tmuxp", "todoman", "toil", "toot", "topydo", "towncrier", "translate-toolkit",
    "trash-cli", "trydiffoscope", "twine", "txt2tags", "udiskie", "unoconv", "urlscan", "urlwatch", "vcstool",
    "vdirsyncer", "visidata", "vit", "vorta", "vulture", "wafw00f", "wfuzz", "xkcdpass", "xlsx2csv", "xonsh",
    "yamllint", "yokadi", "yq", "yt-dlp", "ytcc", "yubikey-manager", "zkg",
)  # fmt: skip
# Homebrew ships them: formulae of its pypi_formula_mappings.json.
HOMEBREW = (
    "athenacli", "aws-google-auth", "awsume", "b2", "black", "breezy", "cfn-lint", "checkov",
    "cloudformation-cli", "conan", "cppman", "datasette", "diffoscope", "dvc", "esptool", "fava", "flintrock",
    "homeassistant-cli", "localstack", "locust", "molecule", "nbdime", "nicotine-plus", "oci-cli",
    "organize-tool", "parliament", "pdm", "pipgrip", "platformio", "poetry", "principalmapper", "proselint",
    "pydocstyle", "remarshal", "sceptre", "semgrep", "stormssh", "tarsnapper", "tox", "twarc", "woob", "xdot",
)  # fmt: skip
# Their own documentation has them installed as programs, with pipx, uv tool or Homebrew.
DOCUMENTED = (
    "adafruit-ampy", "aider-chat", "ansible-builder", "ansible-creator", "ansible-navigator", "auditwheel",
    "autoflake", "autopep8", "aws-export-credentials", "aws-sam-cli", "aws-shell", "aws-sso-util",
    "azure-cli", "bandit", "basedpyright", "blacken-docs", "browsr", "bump-my-version", "bump2version",
    "bumpver", "castero", "check-jsonschema", "check-wheel-contents", "circup", "clang-format", "clang-tidy",
    "cloudsmith-cli", "cloudsplaining", "cmakelang", "codecov-cli", "commitizen", "conda-lock",
    "cookiecutter", "copier", "cruft", "csvs-to-sqlite", "darker", "datamodel-code-generator", "db-to-sqlite",
    "detect-secrets", "devpi-client", "djlint", "doc2dash", "doc8", "docformatter", "dooit", "elia-chat",
    "eliot-tree", "epr-reader", "esphome", "euporie", "files-to-prompt", "flake8", "flit", "flynt", "fortls",
    "fprettify", "frogmouth", "git-cliff", "git-remote-codecommit", "github-to-sqlite", "gitup", "gpustat",
    "grayskull", "grip", "gsutil", "harlequin", "hatch", "holehe", "honcho", "http-prompt", "interrogate",
    "isort", "jrnl", "jtbl", "kaskade", "linode-cli", "lizard", "llm", "maigret", "maturin", "mdformat",
    "mpfshell", "mpremote", "mssql-cli", "nvitop", "open-interpreter", "openapi-python-client", "papis",
    "pipenv", "pipreqs", "pipx", "poethepoet", "policy-sentry", "posting", "prowler", "py-spy", "pycln",
    "pycodestyle", "pycowsay", "pydoclint", "pyflakes", "pyinfra", "pylint", "pymarkdownlnt", "pynitrokey",
    "pyright", "pyroma", "python-openstackclient", "python-semantic-release", "ranger-fm", "rich-cli",
    "rshell", "ruff", "scdl", "scoutsuite", "scriv", "shandy-sqlfmt", "shell-functools", "shell-gpt",
    "sherlock-project", "shot-scraper", "socialscan", "spotdl", "sqlfluff", "sqlit-tui", "strip-tags",
    "termtosvg", "thefuck", "tiptop", "tldr", "toml-sort", "toolong", "ttok", "tuir", "ty", "ufmt", "usort",
    "uv", "validate-pyproject", "wapiti3", "west", "yamlfix", "yapf", "yewtube", "you-get", "youtube-dl",
    "zizmor",
)  # fmt: skip

APPLICATIONS = frozenset((*DEBIAN, *HOMEBREW, *DOCUMENTED))

# Their programs come with what they depend on.
WITH_DEPENDENCIES = frozenset(("ansible",))
