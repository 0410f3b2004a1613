#!/bin/sh
# A `git` that notes its command, and obeys files in $SCENE before it is the real one: fail-<what> holds how often it
# still fails, hold-<what> makes it wait for as long as that file is there.
what=other
for word in "$@"; do
  case $word in
    ls-remote | clone | fetch | push) what=$word && break ;;
  esac
done
echo "$what" >>"$SCENE/calls"
if [ -e "$SCENE/fail-$what" ]; then
  left=$(cat "$SCENE/fail-$what")
  if [ "$left" -gt 0 ]; then
    echo $((left - 1)) >"$SCENE/fail-$what"
    echo "fatal: unable to access 'https://127.0.0.1/': Could not resolve host" >&2
    exit 128
  fi
fi
if [ -e "$SCENE/hold-$what" ]; then
  : >"$SCENE/held-$what"
  while [ -e "$SCENE/hold-$what" ]; do sleep 0.02; done
fi
exec "$REAL_GIT" "$@"
