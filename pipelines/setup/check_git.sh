# check_git.sh [commit]: says what to do where git cannot tell the files of this folder, or has no commit of them to clone.
. pipelines/setup/which_env.sh
stop() { echo "git: $1" >&2; exit 1; }

command -v git >/dev/null || stop "is not on PATH; install it and run make again"
top=$(LC_ALL=C git rev-parse --show-toplevel 2>&1)
commit="git init --quiet && git add --all && git commit --quiet --message 'as it came'"
case $top in
"$here") ;;
*"dubious ownership"*) stop "$here belongs to another user; if you trust it: git config --global --add safe.directory '$here'" ;;
*) stop "$here is no repository of its own, as after unpacking an archive; this makes one: $commit" ;;
esac
[ "${1-}" != commit ] || git rev-parse --quiet --verify HEAD >/dev/null || stop "$here has no commit yet; this makes one: $commit"
