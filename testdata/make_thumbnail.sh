#!/bin/sh
# Makes pictures-within/thumbnail.heic: a picture of HEIF with a thumbnail in its file. Needs heif-enc (libheif-examples).
set -eu
cd "$(dirname "$0")"
mkdir -p pictures-within
heif-enc -q 40 -t 64 -o pictures-within/thumbnail.heic pictures/orchard.jpg
