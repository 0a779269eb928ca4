# What `make shell` starts zsh with: the user's own file, then the environment's programs first.
ZDOTDIR=$HOURGLASS_ZDOTDIR
[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"
PATH=$HOURGLASS_BIN:$PATH
PS1="(hourglass) $PS1"
