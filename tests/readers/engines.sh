# What the runs of other engines share: the binary, the engines' virtual environments, and how an engine is judged.
# Each engine lives in an environment of its own below .venv, because they disagree about their dependencies, and is judged
# by what it prints, not by its exit code. Sourced from the top of the project.
target="${CARGO_TARGET_DIR:-$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')}"
binary="$target/debug/lakeplan"
[ -x "$binary" ] || cargo build --locked

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export LAKEPLAN_LAKE="$work/lake"
failed=0

environment() { # name, packages...
    local name="$1"; shift
    if [ ! -x ".venv/$name/bin/python" ]; then python3 -m venv ".venv/$name"; fi
    if ".venv/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@" 2>".venv/$name.log"; then return 0; fi
    echo "skipped: $name cannot be installed: $(tail -n 1 ".venv/$name.log")"
    return 1
}

said() { # environment, what must be said, script, arguments...
    local name="$1" wanted="$2"; shift 2
    ".venv/$name/bin/python" "$@" > "$work/said" 2> "$work/complained" || true
    cat "$work/said"
    grep -q "^$wanted" "$work/said" && return 0
    tail -n 5 "$work/complained" >&2
    failed=1
    return 1
}

read_with() { # environment, reader
    said "$1" "all equal: $1" "tests/readers/$2" "$work" || echo "error: $1 does not read what lakeplan wrote" >&2
}
