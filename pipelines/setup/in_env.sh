# in_env.sh python ARGUMENTS | shell: becomes the environment's Python, or an interactive shell of the user's own in it.
. pipelines/setup/which_env.sh
# No entry of PATH can hold a colon; stages run here, where a relative entry leads to the same programs.
case $env in
*:*) bin=.venv/bin ;;
*) bin=$env/bin ;;
esac
PATH=$bin:$PATH VIRTUAL_ENV=$env
export PATH VIRTUAL_ENV
unset ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE
[ "$1" = shell ] || { shift && exec "$env/bin/python" "$@"; }

# What make tells the makes that it starts is not meant for one that is called in this shell.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES HOURGLASS_ARGS HOURGLASS_TORCH
[ -z "$given" ] || HOURGLASS_ENV=$env
case $bin in
.*) echo "a shell in $env: dvc, papermill and torchrun are found in this folder only, as its path has a colon; exit leaves it" ;;
*) echo "a shell in $env; exit leaves it" ;;
esac
# A user's own start-up file may put other programs first, so the environment comes after it.
export HOURGLASS_BIN="$bin" HOURGLASS_ENV
case ${SHELL##*/} in
bash) exec "$SHELL" --rcfile pipelines/setup/shell/bashrc -i ;;
zsh) HOURGLASS_ZDOTDIR=${ZDOTDIR:-$HOME} ZDOTDIR=$here/pipelines/setup/shell exec "$SHELL" -i ;;
fish) exec "$SHELL" -i -C 'set -gx PATH $HOURGLASS_BIN $PATH' ;;
*) exec "${SHELL:-/bin/sh}" -i ;;
esac
