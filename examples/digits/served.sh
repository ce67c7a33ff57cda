#!/usr/bin/env bash
# The digits flow on a server: starts one, deploys the flow, runs it, follows it, shows what it has found, and stops the
# server. Each command is shown before it is carried out.
#
#   examples/digits/served.sh                  attempts run as processes
#   examples/digits/served.sh docker           the scheduler and the layers run in containers
#   FOLDS=3 examples/digits/served.sh          fewer folds: less to do
#
# The server's folder, build/served, is made anew. `laminar` and `python` must be those that laminar is installed with.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
executor=${1:-process}
folder=${FOLDER:-build/served}
log=$folder/server.log
# Only what is said here counts.
unset LAMINAR_CONFIG LAMINAR_SERVER_API_KEY LAMINAR_TASK_PROJECT LAMINAR_TASK_DOMAIN

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

stop() {
    printf '\n$ kill %%1\n'
    kill "$server" 2>/dev/null && wait "$server" || code=$?
    [ "${code:-0}" = 0 ] || tail -n 20 "$log" >&2
    return "${code:-0}"
}

rm -rf "$folder"
mkdir -p "$folder"
echo "\$ laminar serve --port 0 --state $folder/state --executor $executor &"
laminar serve --port 0 --state "$folder/state" --executor "$executor" --log json 2>"$log" &
server=$!
trap stop EXIT
until grep -q '"listening"' "$log"; do
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.1
done
LAMINAR_SERVER_ENDPOINT=$(sed -n 's/.*"listening", "url": "\([^"]*\)".*/\1/p' "$log")
export LAMINAR_SERVER_ENDPOINT
echo "\$ export LAMINAR_SERVER_ENDPOINT=$LAMINAR_SERVER_ENDPOINT"

# Beside the Python files, the page's template must travel.
show laminar deploy --copy-style all "$here/main.py" DigitsFlow
show laminar run --name digits --follow deployed-flow DigitsFlow --folds "${FOLDS:-5}" --threshold 0.9
show laminar get runs
cd "$here"
PYTHONDONTWRITEBYTECODE=1 show python -c "
import laminar, main, pathlib
laminar.init_from_config()
main.tell(laminar.remote.Flow.get(main.DigitsFlow).execution('digits'), pathlib.Path('$OLDPWD/$folder'))"
cd "$OLDPWD"
