#!/usr/bin/env bash
# Installs the packages of the lockfile, unless they are there. Runs on the machine's own Node (20.20 or newer) and npm.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

for program in node npm git; do
  command -v "$program" >/dev/null || { echo "Hangar needs $program: install it, then run this again." >&2; exit 1; }
done
node scripts/installed.mjs && exit 0 || [ $? -eq 1 ] || exit 1

echo 'Installing packages (about a minute)' >&2
for wait in 3 10 30 ''; do
  # Not npm ci: it refuses a lockfile that lacks the packages of other platforms, and not every registry has them all.
  # --no-save leaves the lockfile as it is; whether its versions are what came is proved below.
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error && break
  [ -n "$wait" ] || { echo 'The packages could not be installed. Check the network to the package registry, then run this again.' >&2; exit 1; }
  echo "npm failed; trying again in $wait s" >&2
  sleep "$wait"
done
node scripts/installed.mjs || { echo 'The packages are installed, but not as the lockfile says. Remove node_modules, then run this again.' >&2; exit 1; }
