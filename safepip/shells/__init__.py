"""Shell integration: a file of code for each shell, and the answers to its hooks."""

# The names of shells, and the language that each speaks.
LANGUAGES = {
    "bash": "bash", "zsh": "zsh", "fish": "fish", "sh": "sh", "dash": "sh", "ash": "sh", "busybox": "sh",
    "ksh": "sh", "ksh93": "sh", "mksh": "sh", "yash": "sh", "posix": "sh", "tcsh": "tcsh", "csh": "tcsh",
    "pwsh": "powershell", "powershell": "powershell", "xonsh": "xonsh", "nu": "nushell", "nushell": "nushell",
}  # fmt: skip
